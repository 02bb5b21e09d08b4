"""Random changes and polls: two pollers of each trigger must return what a simple model expects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock, microseconds, moment
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.triggers import event_triggers, mail_triggers
from outlook_emulator.settings import Settings

T = TypeVar("T")
INBOX, ARCHIVE, DELETED = FOLDERS = ("Inbox", "Archive", "Deleted Items")
BATCH = 3
"""Small enough that polls need several batches."""
LOOK, PAST, INCOMING = 90, 1, 2
"""The look-ahead in minutes, and the window of changed items in days."""
MINUTE, DAY = 60_000_000, 86_400_000_000
ITEMS, TABLE = "/datasets/calendars/v3/tables/Calendar/items", "/datasets/calendars/v2/tables/Calendar"
GONE = "/datasets/calendars/tables/Calendar/items"
VIEW = "/datasets/calendars/v2/tables/items/calendarview"
WATCHED: dict[str, tuple[str, dict[str, Any]]] = {
    "new in Inbox": ("/v2/Mail/OnNewEmail", {"folderPath": INBOX}),
    "new in Archive": ("/v2/Mail/OnNewEmail", {"folderPath": ARCHIVE}),
    "flagged": ("/v2/Mail/OnFlaggedEmail", {}),
    "new events": (f"{TABLE}/onnewitems", {}),
    "updated events": (f"{TABLE}/onupdateditems", {}),
    "changed events": (f"{TABLE}/onchangeditems", {"incomingDays": INCOMING, "pastDays": PAST}),
    "upcoming events": ("/v2/Events/OnUpcomingEvents", {"table": "Calendar", "lookAheadTimeInMinutes": LOOK}),
}

MAIL_TRIGGERS, EVENT_TRIGGERS = tuple(WATCHED)[:3], tuple(WATCHED)[3:]


# --- The model ---


@dataclass(eq=False)
class Copy:
    """A mail in a folder; a move creates a new copy."""

    subject: str
    id: str
    folder: str
    received: int
    flagged: bool
    read: bool
    gone: bool = False


Key = tuple[int, int | None]
"""The number of an event and, for an occurrence, its original start."""


class Face(NamedTuple):
    """The visible properties of an event."""

    subject: str
    start: int


@dataclass
class Meeting:
    """A half-hour event or, if `count` is above 1, a daily series; `own` maps original starts to exceptions."""

    number: int
    id: str
    subject: str
    start: int
    count: int
    own: dict[int, Face | None] = field(default_factory=dict)

    @property
    def is_series(self) -> bool:
        return self.count > 1

    def body(self) -> dict[str, Any]:
        """Return all members that requests set, since an update resets those that it leaves out."""
        series = {"Recurrence": "Daily", "NumberOfOccurrences": self.count} if self.is_series else {}
        return {"Subject": self.subject, **span(self.start), **series}

    def faces(self) -> Iterator[tuple[Key, Face]]:
        if not self.is_series:
            yield (self.number, None), Face(self.subject, self.start)
            return
        for original in (self.start + day * DAY for day in range(self.count)):
            face = self.own.get(original, Face(self.subject, original))
            if face is not None:
                yield (self.number, original), face


@dataclass
class Calendar:
    """All meetings by number."""

    meetings: dict[int, Meeting] = field(default_factory=dict)

    def faces(self) -> dict[Key, Face]:
        return {key: face for meeting in self.meetings.values() for key, face in meeting.faces()}

    def kept_by_itself(self) -> set[Key]:
        """Return the keys of single events and of occurrences that differ from their series."""
        own = {
            (meeting.number, start) for meeting in self.meetings.values() for start, face in meeting.own.items() if face
        }
        return own | {(meeting.number, None) for meeting in self.meetings.values() if not meeting.is_series}

    def subject_of(self, key: Key) -> str | None:
        """Return the subject of an event, series or changed occurrence; None if it was deleted."""
        number, original = key
        meeting = self.meetings.get(number)
        if meeting is None or original is None:
            return meeting.subject if meeting else None
        face = meeting.own.get(original)
        return face.subject if face else None


@dataclass
class Model:
    """The expected mails and events, and their changes in order."""

    copies: list[Copy] = field(default_factory=list)
    mail: list[tuple[str, Copy]] = field(default_factory=list)
    calendar: Calendar = field(default_factory=Calendar)
    events: list[tuple[str, Key]] = field(default_factory=list)


@dataclass
class Poller:
    """A poller's cursor, `location`, and the state of the model at its last poll.

    `received` is when the newest mail that it got was received, and the first poll before there is one.
    """

    name: str
    location: str
    now: int
    received: int
    mail: int
    events: int
    calendar: Calendar
    is_first: bool = True


def arrivals(model: Model, poller: Poller, folder: str) -> list[Copy]:
    """Return mails that arrived and still exist, except those received before the newest one that the poller got."""
    return [
        copy
        for action, copy in model.mail[poller.mail :]
        if action != "changed" and copy.folder == folder and not copy.gone
        if copy.received > poller.received or (copy.received == poller.received and action == "added")
    ]


def flagged(model: Model, poller: Poller) -> list[str]:
    """Return changed mails that are flagged now, in the order of their last changes."""
    touched = latest(copy for _, copy in model.mail[poller.mail :])
    return [copy.subject for copy in touched if copy.flagged and not copy.gone and copy.folder == INBOX]


def changed_subjects(model: Model, poller: Poller, *actions: str) -> list[str]:
    """Return the subjects of items with one of these changes that still exist, in the order of their last changes."""
    entries = model.events[poller.events :]
    wanted = {key for action, key in entries if action in actions}
    touched = latest(key for _, key in entries if key in wanted)
    return [subject for key in touched if (subject := model.calendar.subject_of(key)) is not None]


def created(model: Model, poller: Poller) -> list[str]:
    """Return the created events that still exist, in the order of creation."""
    keys = [key for action, key in model.events[poller.events :] if action == "created"]
    return [subject for key in keys if (subject := model.calendar.subject_of(key)) is not None]


def latest(touched: Iterable[T]) -> list[T]:
    """Return each value once, at its last position."""
    return list(dict.fromkeys(reversed(list(touched))))[::-1]


def in_window(calendar: Calendar, now: int) -> dict[Key, Face]:
    since, until = now - PAST * DAY, now + INCOMING * DAY
    return {
        key: face for key, face in calendar.faces().items() if since < face.start + 30 * MINUTE and face.start < until
    }


def differences(model: Model, poller: Poller, now: int) -> tuple[list[tuple[str, int, str]], list[str]]:
    """Return the differences between the current window before and after the changes.

    Of what was deleted there is only an id; the model knows none of an occurrence, which is an empty text.
    """
    before, after = in_window(poller.calendar, now), in_window(model.calendar, now)
    by_itself = poller.calendar.kept_by_itself() | model.calendar.kept_by_itself()
    touched = {key for _, key in model.events[poller.events :]} & by_itself
    shown_changes = [(*after[key], "added") for key in after.keys() - before.keys()]
    meetings = poller.calendar.meetings
    deleted = [meetings[key[0]].id if key[1] is None else "" for key in before.keys() - after.keys()]
    shown_changes += [
        (*after[key], "updated") for key in before.keys() & after.keys() if key in touched or before[key] != after[key]
    ]
    return sorted(shown_changes), sorted(deleted)


def upcoming(model: Model, poller: Poller, now: int) -> tuple[list[Face], set[Face]]:
    """Return the events that a poll must report, and those that start exactly at a poll, which it may report."""
    seen = poller.now if poller.is_first else poller.now + LOOK * MINUTE
    known = poller.calendar.faces()
    must, may = [], set()
    for key, face in model.calendar.faces().items():
        is_news = key not in known or known[key].start != face.start
        if seen < face.start <= now + LOOK * MINUTE or (poller.now < face.start <= seen and is_news):
            must.append(face)
        elif face.start == poller.now and is_news:
            may.add(face)
    return sorted(must), may


# --- The server ---


async def exchange(app: Any, scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call the app without an HTTP client and return status, headers and body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


def text(instant: int) -> str:
    return moment(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(start: int) -> dict[str, str]:
    return {"Start": text(start), "End": text(start + 30 * MINUTE)}


class Triggers(RuleBasedStateMachine):
    """Each rule makes the same change to the server and the model; each poll must return what the model expects."""

    watched: tuple[str, ...]

    @initialize()
    def start(self) -> None:
        self.folder = TemporaryDirectory()
        self.clock = VirtualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        self.loop = asyncio.new_event_loop()
        self.app = self.opened()
        self.model = Model()
        self.numbers = count(1)
        self.pollers = [self.new_poller(name) for name in self.watched for _ in range(2)]

    def teardown(self) -> None:
        if hasattr(self, "app"):
            self.loop.close()
            self.app.state.sandboxes.close()
            self.folder.cleanup()

    def opened(self) -> Any:
        return create_app(Settings(domain="example.com", max_calls=0, data=self.folder.name), self.clock)

    def call(self, method: str, path: str, body: Any = None, query: str = "") -> tuple[int, dict[bytes, bytes], bytes]:
        scope = {"type": "http", "scheme": "http", "method": method, "path": path, "raw_path": path.encode()}
        scope["headers"] = [(b"authorization", b"Key k"), (b"host", b"test")]
        data = b"" if body is None else json.dumps(body).encode()
        return self.loop.run_until_complete(exchange(self.app, scope | {"query_string": query.encode()}, data))

    def done(self, method: str, path: str, body: Any = None, *, by: str = "alice", **query: Any) -> Any:
        status, _, answer = self.call(method, f"/apim/outlook/{by}{path}", body, urlencode(query))
        assert status < 300, answer
        return json.loads(answer) if answer else None

    def new_poller(self, name: str) -> Poller:
        path, query = WATCHED[name]
        status, headers, body = self.call("GET", f"/apim/outlook/alice{path}", query=urlencode(query))
        assert (status, body) == (202, b"")
        now, model = self.clock.now(), self.model
        location = headers[b"location"].decode()
        return Poller(name, location, now, now, len(model.mail), len(model.events), deepcopy(model.calendar))

    def get(self, location: str) -> tuple[int, dict[bytes, bytes], bytes]:
        path, _, query = location.removeprefix("http://test").partition("?")
        return self.call("GET", path, query=query)

    # --- Time ---

    @rule(minutes=st.sampled_from((0, 1, 30, 60, 90, 300, 1440)))
    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule()
    def restart(self) -> None:
        self.app.state.sandboxes.close()
        self.app = self.opened()

    # --- Polls ---

    @rule(which=st.sampled_from((0, 1)), restarts=st.sampled_from((False, False, False, True)))
    def poll(self, which: int, restarts: bool) -> None:
        for poller in self.pollers[which::2]:
            self.check(poller, restarts)

    @rule(data=st.data())
    def poll_one(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.watched))
        self.check(next(poller for poller in self.pollers if poller.name == name), False)

    def check(self, poller: Poller, restarts: bool) -> None:
        items = self.drained(poller, restarts)
        now = self.clock.now()
        subjects = [item["Subject"] for item in items]
        if poller.name.startswith("new in "):
            arrived = arrivals(self.model, poller, poller.name.removeprefix("new in "))
            assert subjects == [copy.subject for copy in arrived]
            poller.received = max([poller.received, *(copy.received for copy in arrived)])
        elif poller.name == "new events":
            assert subjects == created(self.model, poller)
        elif poller.name == "flagged":
            assert subjects == flagged(self.model, poller)
        elif poller.name == "updated events":
            # A series with changed occurrences may or may not be reported itself.
            touched = {number for _, (number, start) in self.model.events[poller.events :] if start is not None}
            either = {self.model.calendar.subject_of((number, None)) for number in touched}
            expected = changed_subjects(self.model, poller, "updated")
            assert [subject for subject in subjects if subject not in either] == [
                subject for subject in expected if subject not in either
            ]
            assert len(set(subjects)) == len(subjects)
        elif poller.name == "changed events":
            shown = [item for item in items if item["ActionType"] != "deleted"]
            marks = [(item["Subject"], start_of(item), item["ActionType"]) for item in shown]
            changed, deleted = differences(self.model, poller, now)
            assert sorted(marks) == changed
            ids = [item["Id"] for item in items if item not in shown]
            assert sorted(id if id in deleted else "" for id in ids) == deleted
            assert len(set(ids)) == len(ids)
            for item in items:
                assert (item["IsAdded"], item["IsUpdated"]) == tuple(
                    item["ActionType"] == w for w in ("added", "updated")
                )
            order = [(item["DateTimeLastModified"], start_of(item)) for item in shown if item["DateTimeLastModified"]]
            assert order == sorted(order)
        else:
            must, may = upcoming(self.model, poller, now)
            faces = [Face(item["Subject"], start_of(item)) for item in items]
            assert sorted(set(faces) - may) == must
            assert len(faces) == len(set(faces))
            assert [face.start for face in faces] == sorted(face.start for face in faces)
        poller.now, poller.is_first = now, False
        poller.mail, poller.events = len(self.model.mail), len(self.model.events)
        poller.calendar = deepcopy(self.model.calendar)

    def drained(self, poller: Poller, restarts: bool) -> list[dict[str, Any]]:
        """Poll until no more items wait, and return all of them."""
        items: list[dict[str, Any]] = []
        while True:
            location = poller.location
            status, headers, body = self.get(location)
            if restarts:
                self.restart()
            again = self.get(location)
            assert (again[0], again[1][b"location"], again[2]) == (status, headers[b"location"], body)
            poller.location = headers[b"location"].decode()
            assert (status == 200) == bool(body)
            assert status in (200, 202)
            items += json.loads(body)["value"] if body else []
            if headers[b"retry-after"] != b"0":
                return items
            assert status == 200


class MailTriggers(Triggers):
    """Mail and the triggers that watch it."""

    watched = MAIL_TRIGGERS

    def placed(self, subject: str, id: str, folder: str, received: int, flagged: bool, read: bool) -> None:
        copy = Copy(subject, id, folder, received, flagged, read)
        self.model.copies.append(copy)
        self.model.mail.append(("added", copy))

    def live(self, data: st.DataObject) -> Copy:
        return data.draw(st.sampled_from([copy for copy in self.model.copies if not copy.gone][-6:]))

    @rule()
    def send(self) -> None:
        subject = f"Mail {next(self.numbers)}"
        self.done("POST", "/v2/Mail", {"To": "alice@example.com", "Subject": subject, "Body": "Hi"}, by="bob")
        (mail,) = self.done("GET", "/v2/Mail", folderPath=INBOX, subjectFilter=subject, top=1)["value"]
        self.placed(subject, mail["Id"], INBOX, self.clock.now(), False, False)

    @rule(
        folder=st.sampled_from((INBOX, INBOX, ARCHIVE)),
        flagged=st.booleans(),
        read=st.booleans(),
        age=st.sampled_from((0, 0, 0, 1, 60)),
        times=st.sampled_from((1, 1, BATCH + 1)),
    )
    def deliver(self, folder: str, flagged: bool, read: bool, age: int, times: int) -> None:
        received = self.clock.now() - age * MINUTE
        for _ in range(times):
            subject = f"Mail {next(self.numbers)}"
            order = {"from": "x@example.org", "subject": subject, "folder": folder, "received": text(received)}
            status, _, answer = self.call(
                "POST",
                "/_emulator/api/sandboxes/default/connections/alice/deliver",
                order | {"isFlagged": flagged, "isRead": read},
            )
            assert status == 201, answer
            self.placed(subject, json.loads(answer)["message"]["Id"], folder, received, flagged, read)

    @precondition(lambda self: any(not copy.gone for copy in self.model.copies))
    @rule(data=st.data(), folder=st.sampled_from(FOLDERS))
    def move(self, data: st.DataObject, folder: str) -> None:
        copy = self.live(data)
        moved = self.done("POST", f"/Mail/Move/{copy.id}", folderPath=folder)
        copy.gone = True
        self.model.copies.append(Copy(copy.subject, moved["Id"], folder, copy.received, copy.flagged, copy.read))
        self.model.mail.append(("moved", self.model.copies[-1]))

    @precondition(lambda self: any(not copy.gone for copy in self.model.copies))
    @rule(data=st.data(), how=st.sampled_from(("Flag", "MarkAsRead")))
    def mark(self, data: st.DataObject, how: str) -> None:
        copy = self.live(data)
        self.done("POST", f"/Mail/{how}/{copy.id}")
        name = "flagged" if how == "Flag" else "read"
        if not getattr(copy, name):
            setattr(copy, name, True)
            self.model.mail.append(("changed", copy))

    @precondition(lambda self: any(not copy.gone for copy in self.model.copies))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """No trigger watches Deleted Items, so the model forgets the mail."""
        copy = self.live(data)
        self.done("DELETE", f"/Mail/{copy.id}")
        copy.gone = True


class EventTriggers(Triggers):
    """A calendar and the triggers that watch it."""

    watched = EVENT_TRIGGERS

    def meeting(self, data: st.DataObject) -> Meeting:
        return data.draw(st.sampled_from(list(self.model.calendar.meetings.values())))

    def record(self, action: str, number: int, original: int | None = None) -> None:
        self.model.events.append((action, (number, original)))

    @rule(
        minutes=st.sampled_from((-1500, -60, 1, 30, LOOK, LOOK + 30, 600, 2 * 1440, 5000)),
        days=st.sampled_from((1, 1, 3)),
        times=st.sampled_from((1, 1, BATCH + 1)),
    )
    def create_event(self, minutes: int, days: int, times: int) -> None:
        start = self.clock.now() + minutes * MINUTE
        for _ in range(times):
            number = next(self.numbers)
            meeting = Meeting(number, "", f"Event {number}", start, days)
            meeting.id = self.done("POST", ITEMS, meeting.body())["Id"]
            self.model.calendar.meetings[number] = meeting
            self.record("created", number)

    @precondition(lambda self: self.model.calendar.meetings)
    @rule(data=st.data(), minutes=st.sampled_from((None, None, -90, 30, 300, 7000)))
    def change_event(self, data: st.DataObject, minutes: int | None) -> None:
        """Rename or move an event or series; a moved series shares no start with its old one."""
        meeting = self.meeting(data)
        if minutes is None:
            meeting.subject = f"Event {next(self.numbers)}"
        else:
            meeting.start += minutes * MINUTE
        self.done("PATCH", f"{ITEMS}/{meeting.id}", meeting.body())
        self.record("updated", meeting.number)
        if minutes is not None:
            for original in sorted(meeting.own):
                self.record("deleted", meeting.number, original)
            meeting.own.clear()

    @precondition(lambda self: self.model.calendar.meetings)
    @rule(data=st.data())
    def delete_event(self, data: st.DataObject) -> None:
        meeting = self.meeting(data)
        self.done("DELETE", f"{GONE}/{meeting.id}")
        del self.model.calendar.meetings[meeting.number]
        self.record("deleted", meeting.number)

    @precondition(lambda self: any(meeting.is_series for meeting in self.model.calendar.meetings.values()))
    @rule(data=st.data(), minutes=st.sampled_from((None, 0, 0, 45, -45, 7000)))
    def change_occurrence(self, data: st.DataObject, minutes: int | None) -> None:
        """Rename an occurrence and perhaps move it, but not past its neighbours, or delete it."""
        meetings = [
            meeting for meeting in self.model.calendar.meetings.values() if meeting.is_series and dict(meeting.faces())
        ]
        if not meetings:
            return
        meeting = data.draw(st.sampled_from(meetings))
        (_, original), face = data.draw(st.sampled_from(sorted(meeting.faces())))
        assert original is not None
        id = self.id_of(face)
        was = meeting.own.get(original)
        if minutes is None:
            self.done("DELETE", f"{GONE}/{id}")
            meeting.own[original] = None
            if was is None:
                self.record("updated", meeting.number)
            else:
                self.record("deleted", meeting.number, original)
            return
        changed = Face(f"Event {next(self.numbers)}", original + minutes * MINUTE)
        if any((key[1] or 0) > original and other.start <= changed.start for key, other in meeting.faces()):
            return
        self.done("PATCH", f"{ITEMS}/{id}", {"Subject": changed.subject, **span(changed.start)})
        meeting.own[original] = changed
        self.record("updated", meeting.number, original)

    def id_of(self, face: Face) -> str:
        window = {"startDateTimeOffset": text(face.start), "endDateTimeOffset": text(face.start + MINUTE)}
        events = self.done("GET", VIEW, calendarId="Calendar", **window)["value"]
        (id,) = (event["Id"] for event in events if event["Subject"] == face.subject)
        return str(id)


def start_of(item: dict[str, Any]) -> int:
    return microseconds(datetime.fromisoformat(item["Start"]))


@pytest.mark.slow
@pytest.mark.parametrize("machine", [MailTriggers, EventTriggers])
def test_each_poller_gets_every_change_once(machine: type[Triggers]) -> None:
    """A poll returns all new items in order, and the same items again for the same cursor."""
    with (
        patch.object(mail_triggers, "BATCH", BATCH),
        patch.object(event_triggers, "_BATCH", BATCH),
        # So small that most polls pause.
        patch.object(changes, "PAGE", 2),
    ):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                derandomize=True,
                database=None,
                deadline=None,
                report_multiple_bugs=False,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
