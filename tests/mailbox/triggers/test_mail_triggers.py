"""Triggers as a workflow engine polls them: a first request for the state, then the URL in `Location`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import GeneratorType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.errors import InvalidField
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import delivery, reading
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.mailbox.triggers import mail_triggers
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.store import mail as mail_store
from tests.conftest import Connection
from tests.paths import EML

NEW, FLAGGED, MENTION = "/v2/Mail/OnNewEmail", "/v2/Mail/OnFlaggedEmail", "/v2/Mail/OnNewMentionMeEmail"
TABLE = "/datasets/calendars/v2/tables/Calendar"
UPCOMING = "/v2/Events/OnUpcomingEvents"
EVERY = {
    "/Mail/OnNewEmail": {},
    NEW: {},
    "/Mail/OnFlaggedEmail": {},
    FLAGGED: {},
    "/Mail/OnNewMentionMeEmail": {},
    MENTION: {},
    "/Events/OnUpcomingEvents": {"table": "Calendar"},
    UPCOMING: {"table": "Calendar"},
    "/datasets/calendars/tables/Calendar/onnewitems": {},
    f"{TABLE}/onnewitems": {},
    "/datasets('calendars')/tables('Calendar')/onnewitems": {},
    "/datasets/calendars/tables/Calendar/onupdateditems": {},
    f"{TABLE}/onupdateditems": {},
    "/datasets(calendars)/tables(Calendar)/onupdateditems": {},
    "/datasets/calendars/tables/Calendar/onchangeditems": {},
    f"{TABLE}/onchangeditems": {},
}
"""Every trigger with its required parameters."""
NOTIFIED = {NEW, FLAGGED, MENTION, f"{TABLE}/onchangeditems"}
"""The triggers that can be subscribed to."""


def idle(path: str) -> str:
    """The Retry-After of a poll that found nothing."""
    return "3600" if path in NOTIFIED else "15"


class Poller:
    """Polls one trigger as a workflow engine does."""

    def __init__(self, connection: Connection, path: str, **query: Any) -> None:
        self._http = connection.http
        self.last = self._http.get(path, params=query)
        assert self.last.status_code == 202, self.last.text
        assert self.last.content == b""
        assert self.last.headers["retry-after"] == idle(path)
        self.location = self.last.headers["location"]

    def ask(self, location: str | None = None) -> list[dict[str, Any]]:
        """Return the items of the next poll; with `location`, repeat an earlier poll."""
        self.last = self._http.get(location or self.location)
        if location is None:
            self.location = self.last.headers["location"]
        if self.last.status_code == 202:
            assert self.last.content == b""
            return []
        assert self.last.status_code == 200, self.last.text
        items: list[dict[str, Any]] = self.last.json()["value"]
        return items

    def subjects(self) -> list[str]:
        return [item["Subject"] for item in self.ask()]


def advance(alice: Connection, **by: int) -> None:
    """Advance the sandbox's clock."""
    answer = alice.api.post("/clock", json={"advance": int(timedelta(**by).total_seconds())})
    assert answer.status_code == 200, answer.text


def fire(alice: Connection, path: str) -> str:
    """Do something that the trigger fires for, and return the item's subject."""
    if "Mail" in path:
        body = '<a href="mailto:alice@example.com">@Alice</a> look'
        alice.deliver(subject="Ping", html=body, is_flagged=True)
    else:
        event = alice.meet("Old" if "updated" in path else "Ping", "2026-03-02T09:00:00Z")
        if "updated" in path:
            alice.change(event["Id"], Subject="Ping")
    return "Ping"


class TestProtocol:
    @pytest.mark.parametrize("path", EVERY)
    def test_every_trigger_fires_once_and_repeats_a_replayed_poll(self, alice: Connection, path: str) -> None:
        early = "OnUpcoming" in path
        poller = Poller(alice, path, **EVERY[path])
        assert poller.ask() == []
        if early:
            start = alice.api.get("/clock").json()["now"]
            alice.meet("Ping", start.replace("+00:00", "Z").replace(".000000", ""))
        else:
            fire(alice, path)
        before = poller.location

        first = poller.ask()
        again = poller.ask(before)

        assert [item["Subject"] for item in first] == ["Ping"]
        assert again == first
        assert poller.ask() == []
        assert poller.last.headers["retry-after"] == idle(path)

    def test_the_location_is_absolute_and_keeps_the_parameters(self, alice: Connection) -> None:
        poller = Poller(alice, NEW, folderPath="Inbox", importance="Any", fetchOnlyWithAttachment="False")

        assert poller.location.startswith(
            f"{alice.url}{NEW}?folderPath=Inbox&importance=Any&fetchOnlyWithAttachment=False"
        )
        (state,) = parse_qs(urlsplit(poller.location).query)["LastPollInformation"]
        state_values = json.loads(b64decode(state))
        assert list(state_values) == [
            "LastReceivedMailTime",
            "LastCreatedMailTime",
            "LastMessageId",
            "LastInternetMessageId",
        ]
        assert (state_values["LastMessageId"], state_values["LastInternetMessageId"]) == (None, None)
        assert poller.ask() == []
        assert poller.location.count("LastPollInformation=") == 1

    def test_a_calendars_state_is_an_instant(self, alice: Connection) -> None:
        poller = Poller(alice, f"{TABLE}/onnewitems")

        (state,) = parse_qs(urlsplit(poller.location).query)["triggerstate"]
        assert state.endswith("Z")
        assert "%3a" in poller.location

    def test_the_state_parameter_is_case_sensitive(self, alice: Connection) -> None:
        poller = Poller(alice, f"{TABLE}/onnewitems")
        alice.meet()

        answer = alice.http.get(poller.location.replace("triggerstate", "triggerState"))

        assert (answer.status_code, answer.content) == (202, b"")

    def test_many_items_come_in_batches(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        for number in range(60):
            alice.deliver(subject=str(number))

        first = poller.subjects()
        assert poller.last.headers["retry-after"] == "0"
        second = poller.subjects()

        assert first + second == [str(number) for number in range(60)]
        assert poller.ask() == []

    @pytest.mark.parametrize("path", EVERY)
    @pytest.mark.parametrize("broken", ["", "x", "AAAA", "2026", "W10=", "e30=", "9999999999Z", "\u2603"])
    def test_an_invalid_state_is_rejected(self, alice: Connection, path: str, broken: str) -> None:
        name = "LastPollInformation" if "Mail" in path else "triggerstate"
        answer = alice.http.get(path, params={**EVERY[path], name: broken})

        assert answer.status_code == 400
        assert name in answer.json()["message"]

    def test_a_truncated_state_is_rejected(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)

        for length in (5, 40, 41, 42, 43, 64, 68, 100):
            assert alice.http.get(poller.location[:-length]).status_code == 400

    def test_a_state_of_another_trigger_or_mailbox_is_rejected(self, alice: Connection, bob: Connection) -> None:
        mine = Poller(alice, NEW)
        alice.deliver(subject="x")
        mine.ask()

        for stolen in (
            mine.location.replace("OnNewEmail", "OnFlaggedEmail"),
            mine.location.replace(alice.id, bob.id),
            Poller(alice, f"{TABLE}/onnewitems").location.replace("onnewitems", "onupdateditems"),
        ):
            answer = bob.http.get(stolen)
            assert answer.status_code == 400, stolen
            assert "another" in answer.json()["message"]

    def test_a_state_from_before_a_reset_is_rejected(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        calendar = Poller(alice, f"{TABLE}/onnewitems")
        assert alice.api.post("/reset").status_code == 200

        for location in (poller.location, calendar.location):
            assert alice.http.get(location).status_code == 400
        assert Poller(alice, NEW).ask() == []

    @pytest.mark.parametrize("when", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
    def test_a_state_with_a_time_out_of_range_is_rejected(self, alice: Connection, when: str) -> None:
        alice.meet(Recurrence="Daily")
        state_values = {"LastReceivedMailTime": when, "LastCreatedMailTime": when}
        state = b64encode(json.dumps(state_values).encode()).decode()

        assert alice.http.get(NEW, params={"LastPollInformation": state}).status_code == 400
        query = {"table": "Calendar", "triggerstate": when}
        assert alice.http.get(UPCOMING, params=query).status_code == 400


class TestNewMail:
    def test_receipt_times_may_be_out_of_order(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        advance(alice, hours=2)
        for number in range(60):
            received = datetime.fromisoformat(alice.api.get("/clock").json()["now"]) - timedelta(minutes=number)
            alice.deliver(subject=str(number), received=received.isoformat())
        alice.deliver(subject="from the future", received="2030-01-01T00:00:00Z")

        assert poller.subjects() + poller.subjects() == [*map(str, range(60)), "from the future"]
        alice.deliver(subject="ordinary")
        assert poller.subjects() == ["ordinary"]

    def test_a_mail_received_before_the_last_poll_is_skipped(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        alice.deliver(subject="late", received="2020-01-01T00:00:00Z")

        assert poller.ask() == []

    def test_a_malformed_mail_is_skipped(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        raw = (EML / "missing-end-boundary.eml").read_bytes()
        alice.deliver(raw)
        alice.deliver(subject="whole")

        assert len(alice.mails()) == 2
        assert poller.subjects() == ["whole"]

    def test_it_reports_mail_in_its_own_folder_only(self, alice: Connection, bob: Connection) -> None:
        poller, other = Poller(alice, NEW), Poller(alice, NEW, folderPath="Archive")
        bob.send("alice@example.com", "Hi")
        alice.send("bob@example.com", "Out")

        (mail,) = poller.ask()
        assert (mail["Subject"], mail["Importance"], mail["From"]) == ("Hi", 1, "bob@example.com")
        assert other.ask() == []

    def test_a_mail_that_is_moved_in_is_skipped(self, alice: Connection) -> None:
        mail = alice.deliver(subject="Old")
        poller = Poller(alice, NEW, folderPath="Archive")

        alice.post(f"/Mail/Move/{mail['Id']}", folderPath="Archive")

        assert poller.ask() == []

    def test_a_new_mail_that_is_moved_in_is_reported(self, alice: Connection) -> None:
        poller = Poller(alice, NEW, folderPath="Archive")
        advance(alice, seconds=1)
        mail = alice.deliver(subject="Young")

        alice.post(f"/Mail/Move/{mail['Id']}", folderPath="Archive")

        assert poller.subjects() == ["Young"]

    def test_a_deleted_mail_is_not_reported(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        mail = alice.deliver(subject="Gone")
        alice.http.delete(f"/Mail/{mail['Id']}")

        assert poller.ask() == []

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"from": "a@example.org"}, ["A"]),
            ({"subjectFilter": "b"}, ["B"]),
            ({"importance": "High"}, ["B"]),
            ({"fetchOnlyWithAttachment": True}, ["A"]),
            ({"to": "alice@example.com"}, ["A", "B"]),
            ({"cc": "nobody@example.org"}, []),
        ],
    )
    def test_filters(self, alice: Connection, query: dict[str, Any], expected: list[str]) -> None:
        poller = Poller(alice, NEW, **query)
        file = {"Name": "a.txt", "ContentBytes": "YQ=="}
        alice.deliver(sender="a@example.org", subject="A", attachments=[file])
        alice.deliver(sender="b@example.org", subject="B", importance="High")

        assert poller.subjects() == expected

    def test_attachments_are_included_on_request(self, alice: Connection) -> None:
        plain, full = Poller(alice, NEW), Poller(alice, NEW, includeAttachments=True)
        alice.deliver(subject="A", attachments=[{"Name": "a.txt", "ContentBytes": "YQ=="}])

        assert plain.ask()[0]["Attachments"][0]["ContentBytes"] is None
        assert full.ask()[0]["Attachments"][0]["ContentBytes"] == "YQ=="

    def test_protected_mail_is_skipped(self, alice: Connection) -> None:
        poller = Poller(alice, NEW)
        raw = (EML / "smime-encrypted.eml").read_bytes()
        alice.deliver(raw)

        assert len(alice.mails()) == 1
        assert poller.ask() == []

    def test_a_designers_test_run_returns_the_newest_mail(self, alice: Connection) -> None:
        alice.deliver(subject="Older")
        alice.deliver(subject="Newer")

        answer = alice.http.get(NEW, headers={"x-ms-operation-context": "simulate"})

        assert [item["Subject"] for item in answer.json()["value"]] == ["Newer"]

    def test_a_missing_folder(self, alice: Connection) -> None:
        answer = alice.http.get(NEW, params={"folderPath": "Nowhere"})

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorFolderNotFound")

    def test_the_client_polls(self, alice: Connection) -> None:
        assert alice.sdk("on_new_email_async", folder_path="Inbox") is None


class TestFlags:
    def test_flagging_arriving_flagged_and_changing(self, alice: Connection) -> None:
        plain = alice.deliver(subject="Plain")
        poller = Poller(alice, FLAGGED)

        alice.post(f"/Mail/MarkAsRead/{plain['Id']}")
        assert poller.ask() == []
        alice.post(f"/Mail/Flag/{plain['Id']}")
        assert poller.subjects() == ["Plain"]
        alice.post(f"/Mail/ReplyTo/{plain['Id']}", comment="x")
        assert poller.subjects() == ["Plain"]
        alice.deliver(subject="Flagged", is_flagged=True)
        assert poller.subjects() == ["Flagged"]

    def test_a_mail_is_reported_once_across_batches(self, alice: Connection) -> None:
        poller = Poller(alice, FLAGGED)
        first = alice.deliver(subject="0", is_flagged=True)
        for number in range(1, 51):
            alice.deliver(subject=str(number), is_flagged=True)
        alice.post(f"/Mail/MarkAsRead/{first['Id']}")

        assert poller.subjects() == [str(number) for number in range(1, 51)]
        assert poller.subjects() == ["0"]


class TestMentions:
    @pytest.mark.parametrize(
        ("mail", "fires"),
        [
            ({"html": '<a id="x" href="mailto:Alice@example.com">@Alice</a> hi'}, True),
            ({"text": "hi @alice@example.com, look"}, True),
            ({"text": "hi @Alice, look"}, True),
            ({"text": "hi Alice, look"}, False),
            ({"text": "write to alice@example.com"}, False),
            ({"html": '<a href="mailto:alice@example.com">Alice</a>'}, False),
            ({"text": "hi @Alicent"}, False),
        ],
    )
    def test_mentions_of_the_owner(self, alice: Connection, mail: dict[str, Any], fires: bool) -> None:
        poller = Poller(alice, MENTION)
        alice.deliver(subject="M", folder="Archive", **mail)

        assert poller.subjects() == (["M"] if fires else [])

    def test_the_first_run_fires_for_a_named_message(self, alice: Connection) -> None:
        mail = alice.deliver(subject="Named")
        answer = alice.http.get(MENTION, params={"messageIdToFireOnFirstTriggerRun": mail["Id"]})

        assert [item["Subject"] for item in answer.json()["value"]] == ["Named"]
        assert alice.http.get(answer.headers["location"]).status_code == 202


class TestEvents:
    def test_new_and_updated_items(self, alice: Connection) -> None:
        new, updated = Poller(alice, f"{TABLE}/onnewitems"), Poller(alice, f"{TABLE}/onupdateditems")

        meeting = alice.meet("One", ShowAs="Busy")
        (event,) = new.ask()
        assert (event["Subject"], event["ShowAs"], event["Id"]) == ("One", 2, meeting["Id"])
        assert updated.ask() == []
        alice.change(meeting["Id"], Subject="Two")
        assert new.ask() == []
        assert updated.subjects() == ["Two"]
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{meeting['Id']}")
        assert new.ask() == updated.ask() == []

    def test_a_changed_occurrence_is_reported_by_itself(self, alice: Connection) -> None:
        event = alice.meet("S", Recurrence="Daily", NumberOfOccurrences=3)
        poller = Poller(alice, f"{TABLE}/onupdateditems")
        _, second, third = alice.view()

        alice.change(second["Id"], Subject="X")
        assert poller.subjects() == ["X"]
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{third['Id']}")
        assert poller.subjects() == ["S"]
        alice.change(event["Id"], Location="Hall")
        assert sorted(poller.subjects()) == ["S", "X"]

    def test_filter_and_order(self, alice: Connection) -> None:
        poller = Poller(
            alice, f"{TABLE}/onnewitems", **{"$filter": "startswith(Subject,'x')", "$orderby": "Subject desc"}
        )
        for name in ("x1", "y", "x2"):
            alice.meet(name)

        assert poller.subjects() == ["x2", "x1"]

    def test_a_page_size_makes_batches(self, alice: Connection) -> None:
        poller = Poller(alice, f"{TABLE}/onnewitems", **{"$top": 2})
        for name in "abc":
            alice.meet(name)

        assert poller.subjects() == ["a", "b"]
        assert poller.last.headers["retry-after"] == "0"
        assert poller.subjects() == ["c"]

    def test_an_event_may_change_while_it_waits_for_the_next_batch(self, alice: Connection) -> None:
        poller = Poller(alice, f"{TABLE}/onnewitems", **{"$top": 2})
        events = [alice.meet(name) for name in "abc"]
        alice.change(events[0]["Id"], Subject="A")

        assert poller.subjects() + poller.subjects() == ["A", "b", "c"]
        assert poller.ask() == []

    def test_changed_items_say_what_happened(self, alice: Connection) -> None:
        day = alice.api.get("/clock").json()["now"][:10]
        poller = Poller(alice, f"{TABLE}/onchangeditems", incomingDays=10, pastDays=2)
        event = alice.meet("A", f"{day}T10:00:00Z")

        def polled_changes() -> list[tuple[Any, ...]]:
            marks = ("Subject", "ActionType", "IsAdded", "IsUpdated")
            return [tuple(item[name] for name in marks) for item in poller.ask()]

        assert polled_changes() == [("A", "added", True, False)]
        alice.change(event["Id"], Subject="B")
        assert polled_changes() == [("B", "updated", False, True)]
        far = {"Start": "2036-01-01T10:00:00Z", "End": "2036-01-01T11:00:00Z"}
        alice.change(event["Id"], **far)
        assert polled_changes() == [(None, "deleted", False, False)]
        alice.change(event["Id"], Subject="C")
        assert polled_changes() == []
        alice.change(event["Id"], Start=f"{day}T10:00:00Z", End=f"{day}T11:00:00Z")
        assert polled_changes() == [("C", "added", True, False)]
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{event['Id']}")
        assert polled_changes() == [(None, "deleted", False, False)]
        gone = alice.meet("D", f"{day}T10:00:00Z")
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{gone['Id']}")
        assert polled_changes() == []

    def test_changed_items_report_occurrences_of_a_series(self, alice: Connection) -> None:
        day = alice.api.get("/clock").json()["now"][:10]
        poller = Poller(alice, f"{TABLE}/onchangeditems", incomingDays=5, pastDays=0)
        alice.meet("S", f"{day}T23:00:00Z", Recurrence="Daily", NumberOfOccurrences=3)
        added = poller.ask()
        assert [item["ActionType"] for item in added] == ["added"] * 3
        second = added[1]["Id"]

        alice.change(second, Subject="Special")
        assert [(item["Subject"], item["ActionType"], item["Id"]) for item in poller.ask()] == [
            ("Special", "updated", second)
        ]
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{second}")
        assert [(item["ActionType"], item["Id"]) for item in poller.ask()] == [("deleted", second)]

    @pytest.mark.parametrize("query", [{"incomingDays": -1}, {"pastDays": 99999}])
    def test_invalid_windows(self, alice: Connection, query: dict[str, int]) -> None:
        assert alice.http.get(f"{TABLE}/onchangeditems", params=query).status_code == 400


class TestUpcoming:
    def now(self, alice: Connection) -> datetime:
        return datetime.fromisoformat(alice.api.get("/clock").json()["now"])

    def at(self, alice: Connection, **later: int) -> str:
        return (self.now(alice) + timedelta(**later)).isoformat().replace("+00:00", "Z")

    def test_each_event_is_reported_once_before_it_starts(self, alice: Connection) -> None:
        poller = Poller(alice, UPCOMING, table="Calendar", lookAheadTimeInMinutes=30)
        alice.meet("Soon", self.at(alice, minutes=20))
        alice.meet("Later", self.at(alice, minutes=45))
        alice.meet("Past", self.at(alice, minutes=-45))

        assert poller.subjects() == ["Soon"]
        advance(alice, minutes=14, seconds=59)
        assert poller.ask() == []
        advance(alice, seconds=1)
        assert poller.subjects() == ["Later"]
        advance(alice, hours=2)
        assert poller.ask() == []

    def test_a_moved_event_is_reported_again_and_a_renamed_one_is_not(self, alice: Connection) -> None:
        near, far = alice.meet("Near", self.at(alice, minutes=5)), alice.meet("Far", self.at(alice, hours=5))
        poller = Poller(alice, UPCOMING, table="Calendar")
        assert poller.subjects() == ["Near"]

        alice.change(near["Id"], Subject="Renamed")
        soon = self.at(alice, minutes=10)
        alice.change(far["Id"], Start=soon, End=self.at(alice, minutes=40))

        assert poller.subjects() == ["Far"]

    def test_occurrences_are_reported_one_by_one(self, alice: Connection) -> None:
        alice.meet("Daily", self.at(alice, hours=1), Recurrence="Daily", NumberOfOccurrences=3)
        poller = Poller(alice, UPCOMING, table="Calendar")
        ids = []
        for _ in range(4):
            assert poller.ask() == []
            advance(alice, minutes=45)
            ids += [item["Id"] for item in poller.ask()]
            advance(alice, hours=23, minutes=15)

        assert len(ids) == len(set(ids)) == 3

    def test_cancelled_meetings_are_not_reported(self, alice: Connection, bob: Connection) -> None:
        poller = Poller(bob, UPCOMING, table="Calendar")
        event = alice.meet("Off", self.at(alice, minutes=5), RequiredAttendees="bob@example.com")
        alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{event['Id']}")

        assert poller.ask() == []

    @pytest.mark.parametrize("minutes", [0, -5, 10**9])
    def test_an_invalid_look_ahead(self, alice: Connection, minutes: int) -> None:
        query: dict[str, Any] = {"table": "Calendar", "lookAheadTimeInMinutes": minutes}
        assert alice.http.get(UPCOMING, params=query).status_code == 400


def test_a_forged_state_of_another_mailbox_is_rejected(alice: Connection) -> None:
    """A state with a message id of another mailbox is rejected even when it has no scope."""
    state_values = {"LastReceivedMailTime": "2026-01-01T00:00:00Z", "LastCreatedMailTime": "2026-01-01T00:00:00Z"}
    state = b64encode(json.dumps({**state_values, "LastMessageId": "nonsense"}).encode()).decode()

    assert isinstance(answer := alice.http.get(NEW, params={"LastPollInformation": state}), httpx.Response)
    assert answer.status_code == 400


class TestPauses:
    """A poll that reads many changes lets other requests run in between."""

    @pytest.fixture
    def mailbox(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
        monkeypatch.setattr(changes, "PAGE", 2)
        sandboxes = create_app().state.sandboxes
        sandboxes.connect(sandboxes.default, "alice", "alice@example.com", "Alice")
        (owner,) = sandboxes.default.connections().values()
        yield sandboxes.default.mailbox(owner)
        sandboxes.close()

    def test_what_comes_meanwhile_is_for_the_next_poll(self, mailbox: Mailbox) -> None:
        cursor = poll(mailbox, None).cursor
        deliver(mailbox, "One", "Two", "Three")
        work = mail_triggers.on_new_email(mailbox, cursor=cursor)
        assert isinstance(work, GeneratorType)
        next(work)
        deliver(mailbox, "Four")
        first: mail_triggers.Poll = whole(work)

        assert ["One", "Two", "Three"] == [item.message.subject for item in first.items]
        assert ["Four"] == [item.message.subject for item in poll(mailbox, first.cursor).items]

    def test_a_mail_that_is_flagged_meanwhile(self, mailbox: Mailbox) -> None:
        """One flag fires once, in the next poll."""
        cursor = whole_poll(mail_triggers.on_flagged_email(mailbox, cursor=None)).cursor
        deliver(mailbox, "One", "Two", "Three")
        work = mail_triggers.on_flagged_email(mailbox, cursor=cursor)
        assert isinstance(work, GeneratorType)
        next(work)
        newest = mail_store.newest_message(mailbox.db)
        reading.flag(mailbox, message_id=mailbox.id_of(IdKind.MESSAGE, newest))
        first: mail_triggers.Poll = whole(work)
        second = whole_poll(mail_triggers.on_flagged_email(mailbox, cursor=first.cursor))

        assert [[], ["Three"]] == [[item.message.subject for item in poll.items] for poll in (first, second)]

    def test_changes_that_are_forgotten_meanwhile(self, mailbox: Mailbox) -> None:
        """The poll fails as one with an old state does, and does not leave mails out."""
        cursor = poll(mailbox, None).cursor
        deliver(mailbox, "One", "Two", "Three", "Four", "Five")
        work = mail_triggers.on_new_email(mailbox, cursor=cursor)
        assert isinstance(work, GeneratorType)
        next(work)
        with mailbox.db.transaction():
            changes.forget(mailbox.db, changes.last(mailbox.db) - 1)

        with pytest.raises(InvalidField, match="remembers"):
            whole(work)


def poll(mailbox: Mailbox, cursor: str | None) -> mail_triggers.Poll:
    return whole_poll(mail_triggers.on_new_email(mailbox, cursor=cursor))


def whole_poll(result: mail_triggers.Poll | Sliced[mail_triggers.Poll]) -> mail_triggers.Poll:
    return result if isinstance(result, mail_triggers.Poll) else whole(result)


def deliver(mailbox: Mailbox, *subjects: str) -> None:
    for subject in subjects:
        with mailbox.db.transaction():
            delivery.deliver(mailbox, Mail(subject=subject))
