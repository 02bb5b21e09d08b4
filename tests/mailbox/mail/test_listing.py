"""Get emails: filters compared with a plain Python filter, paging, order, and search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product
from typing import Any

import httpx
import pytest
from azure.connectors.sdk.exceptions import ConnectorException

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.mailbox.mail import listing
from outlook_emulator.settings import Settings
from tests.conftest import Connection, Sandbox

FIRST, SECOND = "/Mail", "/v2/Mail"
HELLO = [{"Name": "hello.txt", "ContentBytes": "aGVsbG8="}]
Mail = dict[str, Any]


def subjects(mails: list[Mail]) -> list[str]:
    return [message["Subject"] for message in mails]


def error_of(connection: Any, path: str, **query: Any) -> tuple[int, str, str]:
    """Status, code and the mail service's text of a GET that must fail."""
    answer = connection.http.get(path, params=query)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["originalMessage"]


# --- Filters ---

# Coprime periods, so that every pair of traits occurs together and apart.
MAILS: list[Mail] = [
    {
        "sender": ("ann@example.org", "Ben@Example.org")[number % 2],
        "to": ("alice@example.com", "alice@example.com; team@example.org", "team@example.org")[number % 3],
        "cc": ("", "team@example.org", "lead@example.org", "Lead@example.org;team@example.org", "")[number % 5],
        "subject": ("Budget", "re: BUDGET 2026", "Lunch", "News", "budgets", "", "Plan")[number % 7],
        "importance": ("Low", "Normal", "High")[number // 2 % 3],
        "attachments": HELLO if number % 4 == 0 else [],
        "is_read": number % 5 > 1,
        "is_flagged": number % 3 == 0,
    }
    for number in range(30)
]
FILTERS: dict[str, list[Any]] = {
    "to": [None, "TEAM@example.org"],
    "cc": [None, "lead@example.org; nobody@example.org"],
    "toOrCc": [None, "team@example.org"],
    "from": [None, "ben@example.org"],
    "importance": ["Any", "High"],
    "fetchOnlyWithAttachment": [False, True],
    "subjectFilter": [None, "budget"],
    "fetchOnlyUnread": [True, False],
    "fetchOnlyFlagged": [False, True],
}


def names(*lines: str) -> set[str]:
    return {part.strip().lower() for line in lines for part in line.split(";") if part.strip()}


def passes(mail: Mail, wanted: Mail) -> bool:
    """Whether a mail passes the filters, as their documentation defines them."""
    checks: dict[str, Callable[[Any], object]] = {
        "to": lambda text: names(mail["to"]) & names(text),
        "cc": lambda text: names(mail["cc"]) & names(text),
        "toOrCc": lambda text: names(mail["to"], mail["cc"]) & names(text),
        "from": lambda text: mail["sender"].lower() in names(text),
        "importance": lambda text: text in ("Any", mail["importance"]),
        "fetchOnlyWithAttachment": lambda only: not only or mail["attachments"],
        "subjectFilter": lambda text: text.lower() in mail["subject"].lower(),
        "fetchOnlyUnread": lambda only: not only or not mail["is_read"],
        "fetchOnlyFlagged": lambda only: not only or mail["is_flagged"],
    }
    return all(checks[name](value) for name, value in wanted.items() if value is not None)


@pytest.mark.slow
def test_every_combination_of_filters(alice: Connection) -> None:
    """Any combination of filters returns exactly the mails that pass each filter, newest first."""
    ids = [alice.deliver(**mail)["Id"] for mail in MAILS]
    newest_first = list(reversed(list(zip(ids, MAILS, strict=True))))
    lengths = set()
    for values in product(*FILTERS.values()):
        wanted = dict(zip(FILTERS, values, strict=True))
        sent = {name: value for name, value in wanted.items() if value is not None}
        expected = [id for id, mail in newest_first if passes(mail, wanted)]
        messages = alice.get(SECOND, top=100, **sent)["value"]
        lengths.add(len(expected))

        assert expected == [message["Id"] for message in messages], sent
    assert {0, 1, 2, 12, 30} <= lengths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((spelling, ["high", "normal", "low"]) for spelling in ("Any", "any", "0", "")),
        *((spelling, ["low"]) for spelling in ("Low", "low", "LOW", "1")),
        *((spelling, ["normal"]) for spelling in ("Normal", "nORMAL", "2")),
        *((spelling, ["high"]) for spelling in ("High", " high ", "3")),
    ],
)
def test_importance_is_a_name_in_any_case_or_a_number(alice: Connection, text: str, expected: list[str]) -> None:
    """Importance is accepted by name in any case or by number; 0 means Any."""
    for level in ("low", "normal", "high"):
        alice.deliver(subject=level, importance=level)

    assert expected == subjects(alice.mails(importance=text))


@pytest.mark.parametrize("spelled", ["True", "true", "TRUE", "1"])
def test_booleans_are_spelled_as_clients_do(alice: Connection, spelled: str) -> None:
    """Booleans are accepted as `True` (.NET) and as `true`."""
    alice.deliver(subject="flagged", is_flagged=True)
    alice.deliver(subject="plain")

    assert subjects(alice.mails(fetchOnlyFlagged=spelled)) == ["flagged"]


def test_the_sdk_passes_every_filter(alice: Connection, bob: Connection) -> None:
    """Every filter parameter of the SDK arrives, all in one request."""
    bob.send(alice.address, subject="Budget 2026", Importance="High", Cc="x@example.org", Attachments=HELLO)
    bob.send(alice.address, subject="Budget 2025", Importance="Low", Cc="x@example.org", Attachments=HELLO)
    for message in alice.mails():
        alice.sdk("flag_async", message["Id"])
    wanted = {
        "folder_path": "Inbox",
        "to": alice.address,
        "cc": "x@example.org",
        "to_or_cc": alice.address,
        "from_": bob.address,
        "importance": "High",
        "fetch_only_with_attachment": True,
        "subject_filter": "budget",
        "fetch_only_unread": True,
        "fetch_only_flagged": True,
        "mailbox_address": alice.address,
        "include_attachments": True,
        "search_query": "subject:2026",
        "top": 5,
    }
    (message,) = alice.sdk("get_emails_async", **wanted)["value"]

    assert message["Subject"] == "Budget 2026"
    assert message["Attachments"][0]["ContentBytes"] == "aGVsbG8="


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize(("query", "content"), [({}, None), ({"includeAttachments": "True"}, "aGVsbG8=")])
def test_lists_hold_the_content_of_attachments_only_on_request(
    alice: Connection, path: str, query: dict[str, str], content: Any
) -> None:
    """A list always describes attachments; `includeAttachments` adds their bytes."""
    alice.deliver(attachments=HELLO)
    answer = alice.get(path, **query)
    (file,) = (answer if path == FIRST else answer["value"])[0]["Attachments"]

    assert ("hello.txt", 5, content) == (file["Name"], file["Size"], file["ContentBytes"])


def test_unknown_parameters_do_not_matter_and_names_match_without_case(alice: Connection) -> None:
    """Unknown parameters are ignored, and names match without case."""
    alice.deliver(subject="read", is_read=True)

    assert subjects(alice.get(SECOND, FETCHONLYUNREAD="false", nonsense="1")["value"]) == ["read"]


def test_an_address_filter_that_names_nobody_finds_nothing(alice: Connection) -> None:
    """An address that no mail has matches none; a text that is no address is refused."""
    alice.deliver()

    assert alice.mails(**{"from": "stranger@example.net"}) == []
    assert 400 == alice.http.get("/v2/Mail", params={"from": "stranger"}).status_code


# --- Defaults, paging, order ---


def test_defaults_are_ten_unread_of_the_inbox(alice: Connection) -> None:
    """Without parameters, both versions return the ten newest unread Inbox mails without bytes."""
    for number in range(12):
        alice.deliver(subject=f"unread {number}")
        alice.deliver(subject=f"read {number}", is_read=True)
    alice.deliver(subject="elsewhere", folder="Archive")
    expected = [f"unread {number}" for number in range(11, 1, -1)]

    assert expected == subjects(alice.get(SECOND)["value"])
    assert expected == subjects(alice.get(FIRST))
    assert expected == subjects(alice.sdk("get_emails_async")["value"])


@pytest.mark.parametrize("few", [1, 5000])
def test_the_first_version_pages_by_skip(alice: Connection, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """`skip` leaves out the newest mails that pass the filters; past the end the list is empty."""
    # What skips more than that is read aside.
    monkeypatch.setattr(listing, "_FEW", few)
    for number in range(7):
        alice.deliver(subject=f"word {number}", is_read=number % 2 == 0)
    pages = [alice.get(FIRST, top=3, skip=skip, fetchOnlyUnread=False) for skip in (0, 3, 6, 9)]
    page = alice.get(FIRST, top=2, skip=1, fetchOnlyUnread=False, searchQuery="word")

    assert [["6", "5", "4"], ["3", "2", "1"], ["0"], []] == [
        [text.removeprefix("word ") for text in subjects(page)] for page in pages
    ]
    assert subjects(alice.get(FIRST, top=2, skip=1)) == ["word 3", "word 1"]
    assert subjects(page) == ["word 5", "word 4"]


def test_the_second_version_does_not_page(alice: Connection) -> None:
    """The second version does not declare `skip` and ignores it."""
    alice.deliver(subject="only")

    assert subjects(alice.get(SECOND, skip=1)["value"]) == ["only"]


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_newest_come_first(alice: Connection, sandbox: Sandbox, path: str) -> None:
    """Mails are sorted by time of receipt, newest first; of equal times, the later arrival comes first."""
    alice.deliver(subject="third", received="2026-01-05T10:00:00Z")
    alice.deliver(subject="last", received="2025-12-31T23:59:59Z")
    alice.deliver(subject="second", received="2026-01-05T10:00:00Z")
    alice.deliver(subject="first", received="2026-01-05T12:00:00+01:00")
    answers = [alice.get(path), alice.get(path, searchQuery="from:stranger")]

    for answer in answers:
        mails = answer if path == FIRST else answer["value"]
        assert subjects(mails) == ["first", "second", "third", "last"]


def test_time_passing_orders_sent_mail(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A mail sent later is newer in every copy."""
    for number in range(3):
        alice.send(bob.address, subject=str(number))
        sandbox.advance("1s")

    assert subjects(bob.mails()) == subjects(alice.mails("Sent Items")) == ["2", "1", "0"]
    times = [message["DateTimeReceived"] for message in bob.mails()]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 3


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize("top", ["0", "-1", "1001", "2147483648", "99999999999", "ten", "1.5"])
def test_top_has_bounds(alice: Connection, path: str, top: str) -> None:
    """A `top` that is not a number from 1 to 1000 returns 400 and names the parameter."""
    status, code, message = error_of(alice, path, top=top)

    assert (400, "ErrorInvalidRequest") == (status, code)
    assert "'top'" in message


@pytest.mark.parametrize("top", [1, 1000])
def test_the_bounds_of_top_are_included(alice: Connection, top: int) -> None:
    """`top` accepts 1 and 1000."""
    alice.deliver(subject="older")
    alice.deliver(subject="newer")

    assert subjects(alice.get(SECOND, top=top)["value"]) == ["newer", "older"][:top]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"skip": "-1"}, "'skip'"),
        ({"skip": "two"}, "'skip'"),
        ({"fetchOnlyUnread": "yes"}, "'fetchOnlyUnread'"),
        ({"includeAttachments": "2"}, "'includeAttachments'"),
        ({"searchQuery": '"never closed'}, "searchQuery"),
    ],
)
def test_what_cannot_be_read_is_named(alice: Connection, query: dict[str, str], named: str) -> None:
    """A parameter of the wrong type returns 400 and names the parameter."""
    status, code, message = error_of(alice, FIRST, **query)

    assert (400, "ErrorInvalidRequest") == (status, code)
    assert named in message


def test_an_importance_that_is_none_is_refused(alice: Connection) -> None:
    """An unknown importance is rejected, and the error lists the valid values."""
    status, _, message = error_of(alice, SECOND, importance="Urgent")

    assert status == 400
    assert "'importance' must be one of Any, Low, Normal, High" in message


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize("folder", ["Nowhere", "Inbox/Nowhere", "/", "Nowhere/Inbox"])
def test_an_unknown_folder_is_a_404(alice: Connection, path: str, folder: str) -> None:
    """An unknown folder returns 404, not an empty list."""
    status, code, message = error_of(alice, path, folderPath=folder)

    assert (404, "ErrorFolderNotFound") == (status, code)
    assert folder in message


def test_the_sdk_reports_an_unknown_folder(alice: Connection) -> None:
    """The SDK raises the error with its status."""
    with pytest.raises(ConnectorException) as error:
        alice.sdk("get_emails_async", folder_path="Nowhere")

    assert "404" in str(error.value)
    assert "ErrorFolderNotFound" in str(error.value)


# --- The window ---


@pytest.fixture
def narrow() -> Iterator[Callable[..., list[str]]]:
    """List the subjects of seven mails, oldest first, on a server whose window is the three newest mails."""
    app = create_app(Settings(filter_window=3), VirtualClock(datetime(2026, 3, 2)))

    async def exchange(method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://emulator", trust_env=False
        ) as client:
            return await client.request(method, path, headers={"Authorization": "Key k"}, **more)

    asyncio.run(exchange("GET", "/apim/outlook/alice/testconnection"))
    for number in range(7):
        mail = {"from": "x@example.org", "subject": str(number), "text": "word", "isRead": number % 2 == 0}
        asyncio.run(exchange("POST", "/_emulator/api/sandboxes/default/connections/alice/deliver", json=mail))

    def listed(**query: Any) -> list[str]:
        wanted = {"fetchOnlyUnread": False, **query}
        return subjects(asyncio.run(exchange("GET", "/apim/outlook/alice/v2/Mail", params=wanted)).json()["value"])

    yield listed
    app.state.sandboxes.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "6543210"),
        ({"from": "x@example.org"}, "654"),
        ({"subjectFilter": "4"}, "4"),
        ({"subjectFilter": "3"}, ""),
        ({"from": "x@example.org", "fetchOnlyUnread": True}, "531"),
        ({"importance": "Normal"}, "6543210"),
        ({"searchQuery": "word"}, "6543210"),
        ({"searchQuery": "word", "from": "x@example.org"}, "654"),
        ({"from": "x@example.org", "top": 2}, "65"),
    ],
)
def test_named_filters_look_at_the_newest_only(
    narrow: Callable[..., list[str]], query: dict[str, Any], expected: str
) -> None:
    """Address and subject filters look only at the newest mails that pass the other filters."""
    assert list(expected) == narrow(**query)


def test_the_window_is_250_mails() -> None:
    """The window defaults to 250 mails, as the sibling connector documents."""
    assert Settings().filter_window == 250


# --- Another's mailbox ---


@pytest.mark.parametrize("address", ["alice@example.com", "ALICE@Example.com", " alice@example.com ", ""])
def test_the_own_mailbox_may_be_named(alice: Connection, address: str) -> None:
    """Naming one's own address, in any case, returns the same list as naming none."""
    alice.deliver(subject="mine")

    assert subjects(alice.get(SECOND, mailboxAddress=address)["value"]) == ["mine"]


def test_a_granted_mailbox_can_be_listed(sandbox: Sandbox, bob: Connection) -> None:
    """A caller with a grant can list and search the other mailbox by any of its folder names."""
    alice = sandbox.connect("alice", send_as=["bob@example.com"])
    alice.deliver(subject="hers")
    bob.deliver(subject="his")
    bob.deliver(subject="filed", folder="Cases/Open")

    assert subjects(alice.sdk("get_emails_async", mailbox_address="Bob@example.com")["value"]) == ["his"]
    assert subjects(alice.mails("Cases/Open", mailboxAddress=bob.address)) == ["filed"]
    assert subjects(alice.mails(mailboxAddress=bob.address, searchQuery="from:stranger")) == ["his"]


@pytest.mark.parametrize("address", ["bob@example.com", "nobody@example.com", "granted@example.com", "no address"])
def test_other_mailboxes_are_denied(sandbox: Sandbox, bob: Connection, address: str) -> None:
    """An address without a grant and an address without a mailbox both return the same 403."""
    alice = sandbox.connect("alice", send_as=["granted@example.com"])
    status, code, message = error_of(alice, SECOND, mailboxAddress=address)

    assert (403, "ErrorAccessDenied") == (status, code)
    assert address in message


def test_a_grant_goes_one_way(sandbox: Sandbox, bob: Connection) -> None:
    """A grant does not open the grantee's own mailbox to the other owner."""
    alice = sandbox.connect("alice", send_as=["bob@example.com"])

    assert error_of(bob, SECOND, mailboxAddress=alice.address)[0] == 403


# --- Search ---

SEARCHED_MAILS: dict[str, Mail] = {
    "q1": {
        "sender": "Ada <ada@example.org>",
        "subject": "Quarterly report",
        "text": "The budget is attached.",
        "attachments": [{"Name": "forecast.xlsx", "ContentBytes": "aGk="}],
        "received": "2026-01-05T08:00:00Z",
    },
    "lunch": {
        "sender": "ben@contoso.com",
        "subject": "Lunch?",
        "html": "<p>Pizza <b>at</b> noon &amp; a caf&eacute;</p>",
        "cc": "team@example.org",
        "received": "2026-01-06T00:00:00Z",
    },
    "re": {
        "sender": "ben@contoso.com",
        "subject": "RE: report",
        "text": "I agree with the budget plan",
        "importance": "High",
        "is_read": True,
        "received": "2026-02-01T12:00:00Z",
    },
    "now": {"sender": "ops@example.org", "subject": "Alert", "text": "disk full at noon", "is_flagged": True},
}


@pytest.fixture
def library(alice: Connection) -> Any:
    """Deliver `SEARCHED_MAILS` to a mailbox, and one matching mail to another folder."""
    for mail in SEARCHED_MAILS.values():
        alice.deliver(**mail)
    alice.deliver(**{**SEARCHED_MAILS["q1"], "folder": "Archive"})
    return alice


def keys(mails: list[Mail]) -> list[str]:
    by_subject = {mail["subject"]: key for key, mail in SEARCHED_MAILS.items()}
    return [by_subject[subject] for subject in subjects(mails)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("budget", ["re", "q1"]),
        ("BUDGET", ["re", "q1"]),
        ("pizza noon", ["lunch"]),
        ("cafe", ["lunch"]),
        ('"budget plan"', ["re"]),
        ('"plan budget"', []),
        ("bud*", ["re", "q1"]),
        ("bud", []),
        ("from:ada", ["q1"]),
        ("from:ben@contoso.com", ["re", "lunch"]),
        ("to:alice", ["now", "re", "lunch", "q1"]),
        ("to:team", []),
        ("cc:team", ["lunch"]),
        ("subject:report", ["re", "q1"]),
        ("subject:budget", []),
        ("body:report", []),
        ("body:agree", ["re"]),
        ("attachment:forecast", ["q1"]),
        ("hasattachment:true", ["q1"]),
        ("hasattachment:false", ["now", "re", "lunch"]),
        ("received:2026-01-05", ["q1"]),
        ("received:2026-01-05..2026-01-06", ["lunch", "q1"]),
        ("received>=2026-02-01", ["now", "re"]),
        ("received<2026-01-06", ["q1"]),
        ("NOT received<2026-02-01", ["now", "re"]),
        ("received:today", ["now"]),
        ("report AND budget", ["re", "q1"]),
        ("pizza OR disk", ["now", "lunch"]),
        ("noon NOT pizza", ["now"]),
        ("(pizza OR disk) AND from:ops", ["now"]),
        ("pizza OR received:2026-01-05", ["lunch", "q1"]),
        ("importance:high", ["re"]),
        ("isflagged:true", ["now"]),
        ("isread:true", ["re"]),
        ("nowhere", []),
        ("   ", ["now", "re", "lunch", "q1"]),
    ],
)
@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_search(library: Any, path: str, query: str, expected: list[str]) -> None:
    """`searchQuery` searches one folder with Outlook's search language, newest first, in both versions."""
    answer = library.get(path, searchQuery=query, fetchOnlyUnread=False)

    assert expected == keys(answer if path == FIRST else answer["value"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"searchQuery": "budget"}, ["q1"]),
        ({"searchQuery": "budget", "fetchOnlyUnread": False, "importance": "High"}, ["re"]),
        ({"searchQuery": "noon", "fetchOnlyFlagged": True}, ["now"]),
        ({"searchQuery": "report", "fetchOnlyWithAttachment": True}, ["q1"]),
        ({"searchQuery": "noon", "from": "ben@contoso.com"}, ["lunch"]),
        ({"searchQuery": "noon", "toOrCc": "team@example.org"}, ["lunch"]),
        ({"searchQuery": "noon", "subjectFilter": "ale"}, ["now"]),
        ({"searchQuery": "to:alice", "fetchOnlyUnread": False, "top": 2}, ["now", "re"]),
        ({"searchQuery": "to:alice NOT received:2026-02-01", "top": 2}, ["now", "lunch"]),
        ({"searchQuery": "budget", "folderPath": "Archive"}, ["q1"]),
    ],
)
def test_search_and_filters_go_together(library: Any, query: dict[str, Any], expected: list[str]) -> None:
    """Search and the other filters combine, including the unread default."""
    assert expected == keys(library.get(SECOND, **query)["value"])


@pytest.mark.parametrize(
    ("received", "days"),
    [
        ("2026-01-04T23:59:59.999999Z", ["2026-01-04"]),
        ("2026-01-05T00:00:00Z", ["2026-01-05"]),
        ("2026-01-05T23:59:59.999999Z", ["2026-01-05"]),
        ("2026-01-06T00:00:00Z", ["2026-01-06"]),
    ],
)
def test_a_day_is_searched_to_its_last_instant(alice: Connection, received: str, days: list[str]) -> None:
    """A day includes its first and last microsecond and nothing else."""
    alice.deliver(received=received)
    every = [f"2026-01-0{day}" for day in (4, 5, 6)]

    assert days == [day for day in every if alice.mails(searchQuery=f"received:{day}")]


def test_search_follows_every_change(alice: Connection, bob: Connection) -> None:
    """A search sees every earlier send, read, flag, reply, move and delete."""

    def count(folder: str = "Inbox", **query: Any) -> int:
        return len(bob.mails(folder, **{"searchQuery": "body:lighthouse", **query}))

    assert count() == 0
    alice.send(bob.address, body="<p>the lighthouse</p>")
    assert (count(), count(fetchOnlyUnread=True), count(searchQuery="isflagged:true")) == (1, 1, 0)

    bob.sdk("mark_as_read_async", bob.mail()["Id"])
    assert (count(), count(fetchOnlyUnread=True)) == (1, 0)

    bob.sdk("flag_async", bob.mail()["Id"])
    assert (count(fetchOnlyFlagged=True), count(searchQuery="isflagged:true")) == (1, 1)

    bob.post(f"/Mail/ReplyTo/{bob.mail()['Id']}", comment="seen")
    assert (count(), count("Sent Items")) == (1, 1)

    bob.sdk("move_async", bob.mail()["Id"], "Archive")
    assert (count(), count("Archive"), count("Archive", fetchOnlyFlagged=True)) == (0, 1, 1)

    bob.sdk("delete_email_async", bob.mail("Archive")["Id"])
    assert (count("Archive"), count("Deleted Items")) == (0, 1)

    bob.sdk("delete_email_async", bob.mail("Deleted Items")["Id"])
    assert (count("Deleted Items"), count("Sent Items")) == (0, 1)


def test_mailboxes_share_an_index_but_not_its_answers(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A search sees only its own folder, and Bcc lines only in the sender's own mailbox."""
    alice.send(bob.address, body="lighthouse", Bcc="eve@example.org")

    assert len(alice.mails("Sent Items", searchQuery="lighthouse AND bcc:eve")) == 1
    assert len(bob.mails(searchQuery="lighthouse")) == 1
    assert bob.mails(searchQuery="bcc:eve") == bob.mails(searchQuery="participants:eve") == []
    assert alice.mails(searchQuery="lighthouse") == []


def test_a_search_looks_at_the_start_of_a_long_text(alice: Connection) -> None:
    """A search looks at the first 100,000 characters of a text, of HTML at those that are seen."""
    words = "filler " * 14_000
    alice.deliver(subject="Long", text=f"early {words} middle {words} late")
    alice.deliver(subject="Marked up", html=f"<p>{'<b></b>' * 30_000} seen {words} {words} unseen")

    hits = {word: len(alice.get("/v2/Mail", searchQuery=word)["value"]) for word in ("early", "middle", "late")}
    assert hits == {"early": 1, "middle": 1, "late": 0}
    assert len(alice.get("/v2/Mail", searchQuery="seen")["value"]) == 1
    assert not alice.get("/v2/Mail", searchQuery="unseen")["value"]


# --- Lists of mails that were listed before ---


def states(connection: Connection, path: str = SECOND) -> list[tuple[str, bool]]:
    """The subject of each mail in the Inbox, and whether it is read."""
    answer = connection.get(path, fetchOnlyUnread=False)
    return [(mail["Subject"], mail["IsRead"]) for mail in (answer["value"] if path == SECOND else answer)]


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_a_list_shows_what_changed_since_the_last_one(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """A mail that was read, deleted or restored since it was listed is listed as it is now."""
    alice.deliver(subject="Second")
    sandbox.advance("1s")
    alice.deliver(subject="First")
    sandbox.snapshots.save("unread")
    before = [("First", False), ("Second", False)]
    assert before == states(alice, path)

    alice.post(f"/Mail/MarkAsRead/{alice.mails()[0]['Id']}")
    assert [("First", True), ("Second", False)] == states(alice, path)
    alice.http.delete(f"/Mail/{alice.mails()[0]['Id']}").raise_for_status()
    alice.deliver(subject="Third")
    assert [("Third", False), ("Second", False)] == states(alice, path)
    sandbox.snapshots.restore("unread")
    assert before == states(alice, path)


def test_a_list_shows_the_attachments_that_were_asked_for(alice: Connection) -> None:
    """Whether attachments have their content depends on the request alone, not on an earlier one."""
    alice.deliver(subject="Files", attachments=HELLO)

    for include in (False, True, False):
        (mail,) = alice.get(SECOND, includeAttachments=include)["value"]
        assert ("aGVsbG8=" if include else None) == mail["Attachments"][0]["ContentBytes"]
