"""Snapshots, exports and imports of sandboxes: nothing is lost, added or issued twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from outlook_emulator.clock import VirtualClock, microseconds
from outlook_emulator.enums import CallbackKind, QuestionKind, Watched
from outlook_emulator.errors import Conflict, InvalidRequest, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import epochs, item_folders
from outlook_emulator.mailbox.approvals import questions
from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest
from outlook_emulator.mailbox.calendar import events
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.mail import delivery, folders, listing, reading
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.triggers import callbacks, subscriptions
from outlook_emulator.sandbox import state
from outlook_emulator.sandbox.connection_ids import DEFAULT
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.slices import whole
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner
from outlook_emulator.wire.approvals_convert import selected
from outlook_emulator.wire.subscriptions_convert import mail_options, poke

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NINE = microseconds(START)
HOUR = 3_600_000_000
URL = "http://localhost/hook"
Rows = dict[str, list[Any]]


def start(folder: Path | None = None, **more: Any) -> Sandboxes:
    return Sandboxes(Settings(data=str(folder or ""), **more), VirtualClock(START))


@pytest.fixture(params=("memory", "file"))
def sandboxes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandboxes]:
    registry = start(tmp_path / "data" if request.param == "file" else None)
    yield registry
    registry.close()


@pytest.fixture
def box(sandboxes: Sandboxes) -> Sandbox:
    """A sandbox with connections for alice and bob."""
    sandbox = sandboxes.create("box")
    for name in ("alice", "bob"):
        sandboxes.connect(sandbox, name, f"{name}@example.com")
    return sandbox


def held(image: bytes, *without: str) -> Rows:
    """All rows of an export except some sandbox state, including the text index, id counters and random generator."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(image)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables if name != "message_search"}
    rows["sandbox_state"] = sorted(row for row in rows["sandbox_state"] if row[0] not in (epochs.KEY, *without))
    return rows


def opened(sandbox: Sandbox, name: str) -> Mailbox:
    return sandbox.mailbox(sandbox.connections()[name])


def send(sandbox: Sandbox, name: str, *to: str, subject: str = "Hello") -> None:
    delivery.send(opened(sandbox, name), Mail(to=tuple(map(Address, to)), subject=subject, body="Hello"))


def subjects(sandbox: Sandbox, name: str, folder: str = "Inbox", **more: Any) -> list[str]:
    views = listing.find_or_search(opened(sandbox, name), folder_path=folder, fetch_only_unread=False, top=100, **more)
    message_views = views if isinstance(views, list) else whole(views)
    return [message_view.message.subject for message_view in message_views]


def create_ids(sandbox: Sandbox, name: str = "carol") -> list[Any]:
    """Use features that create ids, including a new connection, and return the ids."""
    send(sandbox, "alice", "bob@example.com", "out@example.org")
    mailbox = opened(sandbox, "bob")
    message = listing.find(mailbox, fetch_only_unread=False)[0].message
    watched = watch(mailbox)
    (event,) = events.import_events(
        mailbox, item_folders.ensure(mailbox, item_folders.CALENDARS, "Work"), [Series(event_fields(1))]
    )
    owner = sandbox.connect(name, f"{name}@example.com")
    numbers = ("message", message.id), ("event", event.id), ("mailbox", owner.id)
    return [*numbers, message.message_id, message.conversation_id, watched, event.uid]


def watch(mailbox: Mailbox) -> str:
    options: dict[str, Any] = {"folder_path": None, "importance": "Any", "fetch_only_with_attachment": False}
    return subscriptions.watch_mail(mailbox, URL, watched=Watched.MAIL, write_options=mail_options, **options).id


def event_fields(number: int) -> EventFields:
    begin = NINE + number * HOUR
    return EventFields(
        subject=f"Review {number}", start=begin, end=begin + HOUR, attendees=(Attendee("bob@example.com"),)
    )


# Restoring


def test_restore_brings_everything_back(sandboxes: Sandboxes, box: Sandbox) -> None:
    """A restore brings back mails, connections, owners and search results, and updates the registry."""
    send(box, "alice", "bob@example.com", subject="Engine")
    subjects(box, "bob", search_query="engine")
    box.save("one")
    before = held(box.export())
    send(box, "alice", "bob@example.com", "zoe@example.org", subject="Loom")
    subjects(box, "bob", search_query="loom")
    sandboxes.connect(box, "carol", "carol@example.com")
    sandboxes.restore("box", "one")

    assert before == held(box.export())
    assert (["Engine"], ["Engine"], []) == (
        subjects(box, "bob"),
        subjects(box, "bob", search_query="engine"),
        subjects(box, "bob", search_query="loom"),
    )
    assert frozenset({"alice", "bob"}) == sandboxes.connection_ids()
    assert sandboxes.default is sandboxes.find("carol")[0]
    assert [] == box.outbox()


def test_ids_repeat(sandboxes: Sandboxes, box: Sandbox) -> None:
    """After each restore the same calls create the same new ids as after saving."""
    taken = create_ids(box, "dave")
    box.save("one")
    first = create_ids(box)
    again = []
    for _ in range(2):
        sandboxes.restore("box", "one")
        again.append(create_ids(box))

    assert [first, first] == again
    assert set() == {*taken} & {*first}


@pytest.mark.parametrize("frozen", [True, False])
def test_restore_sets_the_clock_back(tmp_path: Path, frozen: bool) -> None:
    """A restore sets a frozen clock to its instant and a running clock to its offset; both survive a restart."""
    base = VirtualClock(START)
    data = Settings(data=str(tmp_path))
    sandboxes = Sandboxes(data, base)
    sandbox = sandboxes.default
    sandbox.clock.advance(HOUR)
    if frozen:
        sandbox.clock.freeze()
    state = sandbox.clock.state
    sandbox.save("one")
    asyncio.run(sandbox.move_clock(NINE + 50 * HOUR))
    sandbox.clock.follow()
    base.advance(timedelta(hours=2))
    sandboxes.restore(DEFAULT, "one")
    clocks = [(sandbox.clock.now(), sandbox.clock.state)]
    sandboxes.close()
    sandboxes = Sandboxes(data, base)
    clocks.append((sandboxes.default.clock.now(), sandboxes.default.clock.state))
    sandboxes.close()

    expected = NINE + HOUR + (0 if frozen else 2 * HOUR)
    assert [expected, expected] == [now for now, _ in clocks]
    assert frozen is all(state_now.frozen_at == state.frozen_at is not None for _, state_now in clocks)


@pytest.mark.slow
def test_restore_undoes_a_reset(sandboxes: Sandboxes, box: Sandbox) -> None:
    """Snapshots survive a reset and can undo it; a later reset works as usual."""
    sandboxes.load_sample(box, "office", "office")
    box.clock.advance(HOUR)
    send(box, "alice", "bob@example.com")
    box.save("one")
    before = held(box.export())
    sandboxes.reset("box")
    fresh = held(box.export())
    sandboxes.restore("box", "one")
    back = held(box.export())
    sandboxes.reset("box")

    assert (before, fresh) == (back, held(box.export()))
    assert (["alice", "bob", "office"], NINE) == (list(box.connections()), box.clock.now())


def test_restore_sets_remembered_samples(sandboxes: Sandboxes, box: Sandbox) -> None:
    """A reset after a restore reloads only the samples that were loaded when the snapshot was saved."""
    sandboxes.load_sample(box, "empty", "quiet")
    box.save("one")
    sandboxes.load_sample(box, "office", "office")
    sandboxes.restore("box", "one")
    sandboxes.reset("box")

    assert (["alice", "bob", "quiet"], [("quiet", "empty")]) == (list(box.connections()), state.read_samples(box.db))


def test_restore_ends_a_move_of_the_clock(sandboxes: Sandboxes, box: Sandbox) -> None:
    """A restore during a move of the clock ends the move; no more work runs, and the next move works."""
    box.save("one")
    ran: list[int] = []

    class Alarm:
        def next_at(self, sandbox: Sandbox) -> int | None:
            return NINE + (5 if not ran else 6)

        async def run(self, sandbox: Sandbox, now: int) -> None:
            ran.append(now - NINE)
            await asyncio.sleep(0)
            sandboxes.restore("box", "one")

    box.due.append(Alarm())
    with pytest.raises(Conflict, match="was reset, replaced or deleted while its clock was moved"):
        asyncio.run(box.move_clock(NINE + 10))
    box.due.clear()
    stood = box.clock.now()
    asyncio.run(box.move_clock(NINE + 10))

    assert ([5], NINE, NINE + 10) == (ran, stood, box.clock.now())


# Storage


def test_names_and_times(box: Sandbox) -> None:
    """Snapshots are listed by name with the sandbox's time; saving to an existing name replaces the snapshot."""
    for name, hours in (("b", 0), ("a", 1), ("b", 2)):
        box.clock.set(NINE + hours * HOUR)
        snapshot = box.save(name)

        assert (name, NINE + hours * HOUR) == snapshot[:2]
    assert [("a", NINE + HOUR), ("b", NINE + 2 * HOUR)] == [snapshot[:2] for snapshot in box.snapshots()]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 65, ".a"])
def test_invalid_name(box: Sandbox, name: str) -> None:
    """A name that is not a valid file name is rejected, and nothing is saved."""
    before = epochs.valid(box.db)

    with pytest.raises(InvalidRequest, match="A snapshot name has 1 to 64"):
        box.save(name)
    assert ([], before) == (box.snapshots(), epochs.valid(box.db))


@pytest.mark.parametrize("method", ["restore", "drop_snapshot"])
@pytest.mark.parametrize(("names", "there"), [((), "There is none."), (("b", "a"), "There are: a, b.")])
def test_unknown_snapshot(box: Sandbox, method: str, names: tuple[str, ...], there: str) -> None:
    """An unknown snapshot is not found, and the error lists the existing ones."""
    for name in names:
        box.save(name)
    before = box.export()

    for name in ("none", "../../box", "x" * 500):
        with pytest.raises(NotFound, match=there):
            getattr(box, method)(name)
    assert before == box.export()


def test_snapshots_survive_a_restart(tmp_path: Path) -> None:
    """Snapshots in a data folder survive a restart, stay with their sandbox, and are not listed as sandboxes."""
    sandboxes = start(tmp_path)
    sandbox = sandboxes.create("one")
    sandboxes.connect(sandbox, "alice", "alice@example.com")
    send(sandbox, "alice", "alice@example.com", subject="Kept")
    for name in ("default", "later", "with.dots"):
        sandbox.save(name)
    before = held(sandbox.export())
    listed = sandbox.snapshots()
    send(sandbox, "alice", "alice@example.com", subject="Dropped")
    sandboxes.close()
    sandboxes = start(tmp_path)
    names = sandboxes.names()
    sandbox = sandboxes.named("one")
    snapshots = sandbox.snapshots()
    sandboxes.restore("one", "with.dots")
    restored = held(sandbox.export())
    sandboxes.close()
    sandboxes = start(tmp_path)
    kept = held(sandboxes.named("one").export(), state.RNG), subjects(sandboxes.named("one"), "alice")
    others = sandboxes.default.snapshots()
    sandboxes.close()

    assert (["default", "one"], []) == (names, others)
    assert ["default", "later", "with.dots"] == [snapshot.name for snapshot in snapshots]
    assert listed == snapshots
    assert before == restored
    assert {**before, "sandbox_state": [row for row in before["sandbox_state"] if row[0] != state.RNG]} == kept[0]
    assert ["Kept"] == kept[1]


def test_deleting_a_sandbox_deletes_its_snapshots(sandboxes: Sandboxes, box: Sandbox, tmp_path: Path) -> None:
    """Deleting a sandbox deletes its snapshots, so a new sandbox of that name has none."""
    box.save("one")
    sandboxes.delete("box")
    left = [path.name for path in tmp_path.rglob("*") if "box" in path.name or "one" in path.name]

    assert ([], []) == (sandboxes.create("box").snapshots(), left)


def test_a_kill_while_deleting(tmp_path: Path) -> None:
    """Snapshots left over from a killed deletion do not appear in a new sandbox of that name."""
    sandboxes = start(tmp_path)
    sandboxes.create("box").save("one")
    sandboxes.close()
    for file in tmp_path.glob("box.sqlite*"):
        file.unlink()
    sandboxes = start(tmp_path)
    snapshots = sandboxes.create("box").snapshots()
    sandboxes.close()

    assert [] == snapshots


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not an SQLite database"),
        (b"Dear diary", "it is not an SQLite database"),
        (b"SQLite format 3\x00" + bytes(5000), "it has schema version 0, this emulator needs"),
    ],
)
def test_damaged_file(tmp_path: Path, content: bytes, reason: str) -> None:
    """A damaged snapshot is listed without a time, cannot be restored, and can be deleted."""
    sandboxes = start(tmp_path)
    sandbox = sandboxes.default
    sandbox.save("one")
    (tmp_path / "default.snapshots" / "one.sqlite").write_bytes(content)
    before = sandbox.export()
    with pytest.raises(Conflict, match=f"The snapshot 'one' cannot be restored: {reason}"):
        sandboxes.restore(DEFAULT, "one")
    listed = [snapshot.taken for snapshot in sandbox.snapshots()]
    after = sandbox.export()
    sandbox.drop_snapshot("one")
    left = sandbox.snapshots()
    sandboxes.close()

    assert (before, [None], []) == (after, listed, left)


# Connection conflicts


@pytest.mark.parametrize("way", ["restore", "import"])
def test_connection_in_another_sandbox(sandboxes: Sandboxes, box: Sandbox, way: str) -> None:
    """A restore or import is a conflict if another sandbox has one of the connections, and changes neither."""
    box.save("one")
    file = box.export()
    box.db.execute("DELETE FROM connection WHERE id = 'bob'", {})
    sandboxes.refresh(box)
    sandboxes.find("bob")
    before = held(box.export()), held(sandboxes.default.export()), sandboxes.connection_ids()

    with pytest.raises(Conflict, match="The connection 'bob' belongs to the sandbox 'default'"):
        sandboxes.restore("box", "one") if way == "restore" else sandboxes.import_file("box", file)
    assert before == (held(box.export()), held(sandboxes.default.export()), sandboxes.connection_ids())
    assert (sandboxes.default, box) == (sandboxes.find("bob")[0], sandboxes.find("alice")[0])


# Exports and imports


def test_import_into_another_emulator(sandboxes: Sandboxes, box: Sandbox) -> None:
    """Another emulator that imports an export has all its rows, creates the same ids, and can be reset."""
    sandboxes.load_sample(box, "office", "office")
    box.clock.freeze()
    create_ids(box, "dave")
    file = box.export()
    elsewhere = start(random_seed=99)
    elsewhere.default.connect("gone", "gone@example.com")
    elsewhere.refresh(elsewhere.default)
    elsewhere.import_file(DEFAULT, file)
    there = held(elsewhere.default.export())
    ids = elsewhere.connection_ids()
    theirs = create_ids(elsewhere.default)
    elsewhere.reset(DEFAULT)
    left = list(elsewhere.default.connections())
    elsewhere.close()

    assert held(file) == there
    assert frozenset({"alice", "bob", "dave", "office"}) == ids
    assert create_ids(box) == theirs
    assert ["alice", "bob", "carol", "dave", "office"] == left


def test_an_export_changes_nothing(box: Sandbox) -> None:
    """An export leaves the sandbox unchanged, and two exports are equal."""
    watch(opened(box, "bob"))
    before = box.db.image()

    assert box.export() == box.export()
    assert before == box.db.image()


def test_import_with_a_prefix(sandboxes: Sandboxes, box: Sandbox) -> None:
    """A prefix renames connections, samples and push triggers, so that a copy can exist beside the original."""
    sandboxes.load_sample(box, "empty", "quiet")
    for name in ("copy-alice", "copy-copy-alice"):
        sandboxes.connect(box, name, "alice@example.com")
    push = {"name": "news", "operation": "OnNewEmail", "url": URL, "parameters": "{}", "split_on": 0, "cursor": "x"}
    for name in ("alice", "copy-alice"):
        owner = box.connections()[name]
        box.db.execute(sql.SET_PUSH, {"connection_id": name, "mailbox_id": owner.id, "created": 0, **push})
        callbacks.enqueue(
            box.mailbox(owner), URL, callbacks.Content(b""), kind=CallbackKind.PUSH, reference=f"{name}/news"
        )
        callbacks.enqueue(box.mailbox(owner), URL, callbacks.Content(b""), kind=CallbackKind.POKE, reference="5")
    copy = sandboxes.create("copy")
    sandboxes.import_file("copy", box.export(), "copy-copy-copy-")
    pushes = [row[:2] for row in copy.db.all(sql.PUSHES, {})]
    names = [f"copy-copy-copy-{name}" for name in ("alice", "bob", "copy-alice", "copy-copy-alice", "quiet")]

    assert names == list(copy.connections())
    assert [(names[0], "news"), (names[2], "news")] == pushes
    assert [f"{names[0]}/news", "5", f"{names[2]}/news", "5"] == [
        callback.reference for callback in callbacks.journal(copy.db)
    ]
    assert [(names[4], "empty")] == state.read_samples(copy.db)
    assert {copy} == {sandboxes.find(name)[0] for name in names}


def test_prefixed_id_may_equal_another_id(sandboxes: Sandboxes, box: Sandbox) -> None:
    """A connection's prefixed id may equal the former id of another connection."""
    for name in ("x-alice", "x-x-alice"):
        sandboxes.connect(box, name, f"{name}@example.com")
    file = box.export()
    sandboxes.import_file("box", file, "x-")
    addresses = {id: owner.address for id, owner in box.connections().items()}

    assert {
        "x-alice": "alice@example.com",
        "x-bob": "bob@example.com",
        "x-x-alice": "x-alice@example.com",
        "x-x-x-alice": "x-x-alice@example.com",
    } == addresses


@pytest.mark.parametrize("prefix", ["a/", " ", "x" * 130, ".", "ä"])
def test_invalid_prefix(sandboxes: Sandboxes, box: Sandbox, prefix: str) -> None:
    """A prefix that gives invalid connection ids is rejected, and nothing is changed."""
    file, before = box.export(), box.export()

    with pytest.raises(InvalidRequest, match="A connection id has"):
        sandboxes.import_file("box", file, prefix)
    assert before == box.export()


def export_with(box: Sandbox, *rows: tuple[str, str | None]) -> bytes:
    """An export with some sandbox state replaced or removed."""
    with closing(Database(image=box.export())) as other:
        for key, value in rows:
            other.execute(sql.DELETE_STATE, {"named": key})
            if value is not None:
                other.execute(sql.SET_STATE, {"key": key, "value": value})
        return other.image()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("clock", "soon", "its clock cannot be read"),
        ("clock", "{}{}", "its clock cannot be read"),
        ("clock", "[1, 2, 3]", "its clock cannot be read"),
        ("clock", '{"speed": 2}', "its clock cannot be read"),
        ("clock", '{"frozen_at": "noon", "shift": 0}', "its clock cannot be read"),
        ("clock", '{"frozen_at": 1.5, "shift": 0}', "its clock cannot be read"),
        ("clock", '{"frozen_at": -1, "shift": 0}', "its clock cannot be read"),
        ("clock", '{"frozen_at": 1, "shift": "x"}', "its clock cannot be read"),
        ("clock", '{"frozen_at": null, "shift": 999999999999999999}', "its clock cannot be read"),
        ("random", "", "the state of its random generator cannot be read"),
        ("random", "{}", "the state of its random generator cannot be read"),
        ("random", "[3, 1, 2]", "the state of its random generator cannot be read"),
        ("random", str([3, *["x"] * 625]), "the state of its random generator cannot be read"),
        ("random", str([3, *[1] * 624, 625]), "the state of its random generator cannot be read"),
        ("random", str([3, 5, *[0] * 623, 1]), "the state of its random generator is all zeros"),
        ("epochs", "first", "its epochs cannot be read"),
    ],
)
def test_invalid_sandbox_state(sandboxes: Sandboxes, box: Sandbox, key: str, value: str, reason: str) -> None:
    """A file with invalid sandbox state is rejected, and nothing is changed."""
    send(box, "alice", "bob@example.com")
    file, before = export_with(box, (key, value)), box.export()

    with pytest.raises(InvalidRequest, match=f"The file cannot be imported: .*{reason}"):
        sandboxes.import_file("box", file)
    assert before == box.export()


def test_samples_of_another_machine(sandboxes: Sandboxes, box: Sandbox, tmp_path: Path) -> None:
    """A reset after an import loads built-in samples, but no path that only the imported file names."""
    (tmp_path / "mailbox.toml").write_text('address = "me@example.com"\ndisplay_name = "Me"\n', encoding="utf-8")
    sandboxes.load_sample(box, "empty", "quiet")
    lines = f"quiet empty\nalice {tmp_path}\nnobody empty\nquiet empty"
    sandboxes.import_file("box", export_with(box, ("samples", lines)))
    remembered = state.read_samples(box.db)
    sandboxes.reset("box")

    assert [("quiet", "empty")] == remembered == state.read_samples(box.db)
    assert ["alice", "bob", "quiet"] == list(box.connections())


def test_samples_of_this_sandbox(sandboxes: Sandboxes, box: Sandbox, tmp_path: Path) -> None:
    """A sandbox that imports its own export still remembers samples loaded from a path."""
    (tmp_path / "mailbox.toml").write_text('address = "me@example.com"\ndisplay_name = "Me"\n', encoding="utf-8")
    sandboxes.load_sample(box, str(tmp_path), "me")
    sandboxes.import_file("box", box.export())

    assert [("me", str(tmp_path))] == state.read_samples(box.db)


def test_file_without_a_random_generator(tmp_path: Path) -> None:
    """A sandbox's own file has no random generator state; its import creates new ids, as after a restart."""
    sandboxes = start(tmp_path)
    sandboxes.find("alice")
    send(sandboxes.default, "alice", "alice@outlook.com")
    sandboxes.close()
    other = start()
    other.import_file(DEFAULT, (tmp_path / "default.sqlite").read_bytes())
    send(other.default, "alice", "alice@outlook.com", subject="Again")
    message_views = listing.find(opened(other.default, "alice"), fetch_only_unread=False)
    ids = {message_view.message.message_id for message_view in message_views}
    other.close()

    assert (2, ["Again", "Hello"]) == (len(ids), [message_view.message.subject for message_view in message_views])


def test_cursors_of_an_import(sandboxes: Sandboxes, box: Sandbox) -> None:
    """After an import no earlier cursor is valid, neither the sandbox's nor the imported file's."""
    for _ in range(3):
        box.save("one")
    seen = {*epochs.valid(box.db)}
    other = sandboxes.create("other")
    other.save("one")
    seen |= {*epochs.valid(other.db)}
    file = box.export()
    sandboxes.import_file("other", file, "x-")
    sandboxes.import_file("box", file)

    assert set() == seen & {*epochs.valid(other.db), *epochs.valid(box.db)}


def test_random_generator_round_trip(box: Sandbox) -> None:
    """A random generator read back from the sandbox state continues the same sequence."""
    rng = Random(5)
    rng.random()
    box.db.execute(sql.SET_STATE, {"key": state.RNG, "value": state.rng_to_text(rng)})
    copy = state.read_rng(box.db)

    assert copy is not None
    assert [rng.getrandbits(128) for _ in range(500)] == [copy.getrandbits(128) for _ in range(500)]


# Random histories


class Histories(RuleBasedStateMachine):
    """Random use of a sandbox with saves, restores, exports and imports, compared by export."""

    @initialize()
    def start(self) -> None:
        self.clock = VirtualClock(START)
        self.sandboxes = Sandboxes(Settings(), self.clock)
        self.box = self.sandboxes.create("box")
        self.numbers = count(1)
        self.saved: dict[str, Rows] = {}
        self.exported: bytes | None = None
        self.owners = ["alice", "bob"]
        for name in self.owners:
            self.sandboxes.connect(self.box, name, f"{name}@example.com")

    def teardown(self) -> None:
        if hasattr(self, "sandboxes"):
            self.sandboxes.close()

    def mailbox(self, name: str) -> Mailbox:
        return opened(self.box, name)

    def newest(self, name: str) -> str | None:
        mailbox = self.mailbox(name)
        message_views = listing.find(mailbox, fetch_only_unread=False, top=1)
        return mailbox.id_of(IdKind.MESSAGE, message_views[0].message.id) if message_views else None

    @rule(by=st.sampled_from(("alice", "bob")), outside=st.booleans())
    def send(self, by: str, outside: bool) -> None:
        send(self.box, by, "bob@example.com", *["x@example.org"] * outside, subject=f"Mail {next(self.numbers)}")

    @rule()
    def deliver(self) -> None:
        file = Attachment(name="a.txt", content_type="text/plain", content=b"x" * 3000)
        sender, subject = Address("x@example.org"), f"Mail {next(self.numbers)}"
        message_view = Mail(
            sender=sender, to=(Address("bob@example.com"),), subject=subject, body="x", attachments=(file,)
        )
        with self.box.db.transaction():
            delivery.deliver(self.mailbox("bob"), message_view, is_flagged=True)

    @rule(name=st.sampled_from(("alice", "bob")), what=st.sampled_from(("flag", "mark_as_read", "delete", "move")))
    def touch(self, name: str, what: str) -> None:
        if (id := self.newest(name)) is not None:
            more = {"folder_path": "Archive"} if what == "move" else {}
            getattr(reading, what)(self.mailbox(name), message_id=id, **more)

    @rule(word=st.sampled_from(("mail", "hello")))
    def search(self, word: str) -> None:
        subjects(self.box, "bob", search_query=word)

    @rule()
    def make(self) -> None:
        mailbox, number = self.mailbox("alice"), next(self.numbers)
        with self.box.db.transaction():
            folders.ensure(mailbox, (f"Folder {number}", "Deep"))
            calendar = item_folders.ensure(mailbox, item_folders.CALENDARS, f"Calendar {number}")
            events.import_events(mailbox, calendar, [Series(event_fields(number))])
            card = Card(given_name=f"Carol {number}", home_phones=("1",), categories=("Red",))
            contacts.create(mailbox, card, table="Contacts")

    @rule()
    def ask(self) -> None:
        question = Mail(to=(Address("bob@example.com"),), subject="Budget")
        request = ApprovalRequest(kind=QuestionKind.APPROVAL, mail=question, options=("Yes", "No"), callback_url=URL)
        questions.choose(self.mailbox("alice"), questions.ask(self.mailbox("alice"), request), "Yes", selected)

    @rule()
    def subscribe(self) -> None:
        watch(self.mailbox("bob"))
        db = self.box.db
        whole(
            subscriptions.poke(
                db,
                self.box.clock.now(),
                lambda id: self.box.mailbox(Owner._make(db.one(sql.MAILBOX, {"id": id}))),
                poke,
            )
        )

    @rule()
    def connect(self) -> None:
        name = f"more-{next(self.numbers)}"
        self.sandboxes.connect(self.box, name, f"{name}@example.com", send_as=["team@example.com"])

    @rule(way=st.sampled_from(("advance", "freeze", "follow", "base")))
    def time(self, way: str) -> None:
        if way == "base":
            self.clock.advance(timedelta(minutes=7))
        elif way == "advance":
            self.box.clock.advance(HOUR)
        else:
            getattr(self.box.clock, way)()

    @rule(name=st.sampled_from("ab"))
    def save(self, name: str) -> None:
        self.box.save(name)
        self.saved[name] = held(self.box.export())

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.saved)))
        self.sandboxes.restore("box", name)

        assert self.saved[name] == held(self.box.export())
        self.check()

    @rule()
    def export(self) -> None:
        self.exported = self.box.export()

    @precondition(lambda self: self.exported)
    @rule()
    def import_export(self) -> None:
        assert self.exported is not None
        self.sandboxes.import_file("box", self.exported)

        assert held(self.exported, "samples") == held(self.box.export(), "samples")
        self.check()

    @rule()
    def reset(self) -> None:
        before = list(self.box.connections())
        self.sandboxes.reset("box")

        assert before == list(self.box.connections())
        assert [] == subjects(self.box, "bob")
        self.check()

    def check(self) -> None:
        with closing(Database(image=self.box.export())) as copy:
            copy.check()
        assert {*self.box.connections()} == self.sandboxes.connection_ids()


@pytest.mark.slow
def test_restore_after_any_history() -> None:
    """After any history a restore brings back every row, and the sandbox remains usable."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
