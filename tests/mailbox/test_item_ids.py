"""The ids of items and folders as clients see them: start, length and alphabet."""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from tests.conftest import START, Connection

CALENDARS = "/datasets/calendars/tables"
CONTACTS = "/datasets/contacts/tables"
UID = re.compile(r"040000008200E00074C5B7101A82E00800000000([0-9A-F]{16})000000000000000010000000[0-9A-F]{32}")


def is_id(text: str, length: int) -> bool:
    """Whether a text is an id of a personal mailbox with so many characters."""
    return len(text) == length and re.fullmatch(r"AQMkADAwAT[A-Za-z0-9_-]+={1,2}", text) is not None


def folders(connection: Connection) -> list[dict[str, Any]]:
    """The root folders of the folder picker."""
    listing: list[dict[str, Any]] = connection.get("/OnFilePickerOpen", operation="MailFolders")["value"]
    return listing


def test_ids_of_mails_have_140_characters(alice: Connection) -> None:
    """Ids of mails have 140 characters that start with `AQMkADAwAT`, in lists, reads, moves and triggers.

    Recorded from Graph on personal mailboxes: ids pasted in public code.
    """
    mail = alice.deliver(subject="Hello")
    moved = alice.post(f"/Mail/Move/{mail['Id']}", folderPath="Archive").json()
    listed = alice.get("/v2/Mail", folderPath="Archive", fetchOnlyUnread="false")["value"]
    first = alice.get("/Mail", folderPath="Archive", fetchOnlyUnread="false")

    assert is_id(mail["Id"], 140)
    assert is_id(moved["Id"], 140)
    assert moved["Id"] != mail["Id"]
    assert {message["Id"] for message in (*listed, *first)} == {moved["Id"]}
    assert alice.get(f"/Mail/{quote(moved['Id'], safe='')}")["Id"] == moved["Id"]


def test_ids_of_folders_have_104_characters(alice: Connection) -> None:
    """Ids of mail folders and contact folders have 104 characters.

    Recorded from Graph on personal mailboxes: ids pasted in public code.
    """
    picked = {folder["Id"].removeprefix("Id::") for folder in folders(alice)}
    (table,) = alice.get(CONTACTS)["value"]
    contact = alice.post(f"{CONTACTS}/Contacts/items", {"GivenName": "Ann"}).json()

    assert all(is_id(id, 104) for id in picked)
    assert is_id(table["Name"], 104)
    assert contact["ParentFolderId"] == table["Name"]


def test_ids_of_events_and_calendars_have_140_characters(alice: Connection) -> None:
    """Ids of events, series and calendars have 140 characters; calendars are items in Outlook's list of calendars.

    Recorded from Graph on personal mailboxes: ids pasted in public code.
    """
    event = alice.meet()
    series = alice.meet(start="2026-03-09T10:00:00Z", Recurrence="Weekly", NumberOfOccurrences=2)
    (calendar,) = alice.get(CALENDARS)["value"]

    assert is_id(event["Id"], 140)
    assert is_id(series["Id"], 140)
    assert is_id(calendar["Name"], 140)
    for table in (calendar["Name"], quote(quote(calendar["Name"], safe=""), safe="")):
        assert len(alice.get(f"{CALENDARS}/{table}/items")["value"]) == 2


def test_ids_of_occurrences_have_156_characters(alice: Connection) -> None:
    """The id of an occurrence has 16 characters more than that of its series, and ends in `EA==`.

    Recorded from Graph on a work mailbox, in a public test fixture; that of a personal mailbox is inferred.
    """
    series = alice.meet(Recurrence="Weekly", NumberOfOccurrences=2)

    first, second = alice.view()

    for occurrence in (first, second):
        assert is_id(occurrence["Id"], 156)
        assert occurrence["Id"].endswith("EA==")
        assert occurrence["SeriesMasterId"] == series["Id"]
        assert alice.event(occurrence["Id"])["Id"] == occurrence["Id"]
    changed = alice.change(second["Id"], **second | {"Subject": "Moved"})
    assert changed["Id"] == second["Id"]


def test_ids_of_contacts_have_140_characters(alice: Connection) -> None:
    """Ids of contacts have the length of other items (inferred from those of mails and events)."""
    assert is_id(alice.post(f"{CONTACTS}/Contacts/items", {"GivenName": "Ann"}).json()["Id"], 140)


def test_ids_of_attachments_have_168_characters(alice: Connection) -> None:
    """Ids of attachments have 168 characters.

    Recorded from Graph on a personal mailbox: an id in the notes of a public mail server.
    """
    mail = alice.deliver(attachments=[{"Name": f"{name}.txt", "ContentBytes": "aGk="} for name in "ab"])

    ids = [attachment["Id"] for attachment in mail["Attachments"]]
    assert all(is_id(id, 168) for id in ids)
    assert len(set(ids)) == 2
    for id in ids:
        assert alice.http.get(f"/Mail/{mail['Id']}/Attachments/{id}").content == b"hi"


def test_conversation_ids(alice: Connection) -> None:
    """ConversationId starts with `AQQkADAwAT` and has 68 characters.

    Recorded from personal mailboxes: ids pasted in public code. Those of work mailboxes have 80.
    """
    mail = alice.deliver()

    assert re.fullmatch(r"AQQkADAwAT[A-Za-z0-9_-]{57}=", mail["ConversationId"])


def test_ical_uid_has_112_digits(alice: Connection) -> None:
    """ICalUId has 112 upper-case hex digits, among them the time of creation in 100 ns since 1601, low byte first.

    Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12; MShekow's sync project, 2024.
    """
    alice.meet()
    alice.meet()

    first, second = (event["ICalUId"] for event in alice.view())

    match = UID.fullmatch(first)
    assert match
    assert len(first) == 112
    ticks = int.from_bytes(bytes.fromhex(match[1]), "little")
    assert datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10) >= START
    assert first != second
    assert {event["ICalUId"] for event in alice.get(f"{CALENDARS}/Calendar/items")["value"]} == {first, second}


def test_imported_events_keep_their_uid(alice: Connection) -> None:
    """An event from a file keeps its UID; only events without one get one of Outlook's form."""
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:own-1@example.org", "DTSTART:20260304T100000Z")
    ics = "\r\n".join((*lines, "DTEND:20260304T103000Z", "SUMMARY:Tea", "END:VEVENT", "END:VCALENDAR", ""))
    path = f"/connections/{alice.id}/calendars/Calendar/import"

    answer = alice.api.post(path, content=ics.encode(), headers={"Content-Type": "text/calendar"})

    assert answer.is_success
    (id,) = answer.json()["ids"]
    assert is_id(id, 140)
    assert [event["ICalUId"] for event in alice.view()] == ["own-1@example.org"]


def test_web_link(alice: Connection) -> None:
    """WebLink points to outlook.live.com with the id, URL-encoded.

    Documented by the vendor for Microsoft accounts (Graph's event resource).
    """
    event = alice.meet()

    (shown,) = alice.view()

    start = "https://outlook.live.com/owa/?itemid="
    assert shown["WebLink"] == f"{start}{quote(event['Id'], safe='')}&exvsurl=1&path=/calendar/item"


def test_change_key_of_an_event(alice: Connection) -> None:
    """ChangeKey of an event has 32 characters, without the start of a contact's, and another value after each change.

    Recorded from the Office 365 twin.
    """
    event = alice.meet()
    path = f"{CALENDARS}/Calendar/items/{event['Id']}"
    before = alice.get(path)["ChangeKey"]

    alice.change(event["Id"], Subject="Other", Start=event["Start"], End=event["End"])

    after = alice.get(path)["ChangeKey"]
    assert re.fullmatch(r"[A-Za-z0-9+/]{30}==", before)
    assert after != before
    assert after[:22] == before[:22], "the mailbox comes first"


def test_internet_message_id(alice: Connection, bob: Connection) -> None:
    """Mail that a mailbox sends has a Message-ID with a host below `prod.outlook.com`, the same in all copies.

    Work mail was seen with such hosts; for mail that the connector sent this is inferred.
    """
    alice.send(bob.address)

    sent, received = alice.mail("Sent Items"), bob.mail()

    assert re.fullmatch(r"<[0-9A-F]+@[\w.]+\.prod\.outlook\.com>", sent["InternetMessageId"])
    assert received["InternetMessageId"] == sent["InternetMessageId"]


def test_received_times_in_whole_seconds(alice: Connection) -> None:
    """DateTimeReceived is in whole seconds with `+00:00`.

    Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12.
    """
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", alice.deliver()["DateTimeReceived"])


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        *((length, (400, "ErrorInvalidIdMalformed")) for length in (8, 103, 139)),
        *((length, (404, "ErrorItemNotFound")) for length in (104, 140, 156, 168)),
    ],
)
def test_invented_ids(alice: Connection, length: int, expected: tuple[int, str]) -> None:
    """An id that no mailbox issued is malformed, or unknown if it has the form of a real one (inferred).

    Notes from live runs against Graph: a malformed id is 400 ErrorInvalidIdMalformed.
    """
    id = ("AQMkADAwATM0MDAAMS1" + "A" * length)[: length - 1] + "="

    for path in (f"/Mail/{id}", f"{CALENDARS}/Calendar/items/{id}", f"{CONTACTS}/Contacts/items/{id}"):
        answer = alice.http.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == expected


def test_ids_repeat_with_the_random_seed() -> None:
    """Two servers with the same random seed issue the same ids; another seed gives other ones."""

    async def id_of(seed: int) -> list[str]:
        app = create_app(Settings(random_seed=seed), VirtualClock(START))
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": "Key k"}
        async with httpx.AsyncClient(transport=transport, headers=headers, base_url="http://emulator") as http:
            body = {"Subject": "Tea", "Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
            event = (await http.post(f"/apim/outlook/me{CALENDARS}/Calendar/items", json=body)).json()
        app.state.sandboxes.close()
        return [event["Id"], event["ICalUId"], event["ChangeKey"]]

    first, again, other = (asyncio.run(id_of(seed)) for seed in (1, 1, 2))

    assert first == again
    assert not set(first) & set(other)


def test_old_event_ids_have_a_slash_and_the_same_length() -> None:
    """With `--event-ids ews`, ids are plain base64 with a slash and a plus, and as long as others (inferred)."""
    app = create_app(Settings(event_ids="ews"), VirtualClock(START))

    async def created() -> str:
        headers = {"Authorization": "Key k"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as http:
            body = {"Subject": "Tea", "Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
            path = f"http://emulator/apim/outlook/me{CALENDARS}/Calendar/items"
            id: str = (await http.post(path, json=body)).json()["Id"]
            return id

    id = asyncio.run(created())
    app.state.sandboxes.close()

    assert len(id) == 140
    assert {"/", "+"} <= set(id)
    assert b64decode(id, validate=True)
