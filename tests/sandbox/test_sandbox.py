"""Sandboxes: worlds of their own, what a reset keeps, and which world a connection id belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.app import create_app
from outlook_emulator.clock import ClockState, VirtualClock, microseconds, moment
from outlook_emulator.errors import Conflict, ConnectorError, InvalidRequest, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox.mail import delivery, folders, listing, reading
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.sandbox.registry import DEFAULT, Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store import sql
from outlook_emulator.store.records import Message, Owner

NOW = moment(1_772_442_000_000_000)
TABLES = ("mailbox", "connection", "send_as", "folder", "content", "attachment", "message", "change", "outbox_mail")


def start(**settings: Any) -> Sandboxes:
    return Sandboxes(Settings(**settings), VirtualClock(NOW))


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    registry = start()
    yield registry
    registry.close()


@pytest.fixture
def default(sandboxes: Sandboxes) -> Sandbox:
    return sandboxes.default


def send(sandbox: Sandbox, owner: Owner, *to: str, subject: str = "Hello") -> None:
    delivery.send(sandbox.mailbox(owner), Mail(to=tuple(map(Address, to)), subject=subject, body="Hello"))


def messages(sandbox: Sandbox, owner: Owner, folder: str = "Inbox") -> list[Message]:
    message_views = listing.find(sandbox.mailbox(owner), folder_path=folder, fetch_only_unread=False, top=1000)
    return [message_view.message for message_view in message_views]


def subjects(sandbox: Sandbox, owner: Owner, folder: str = "Inbox") -> list[str]:
    return [message.subject for message in messages(sandbox, owner, folder)]


def rows(sandbox: Sandbox) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a sandbox holds."""
    return {table: sandbox.db.all(f"SELECT * FROM {table} ORDER BY rowid", {}) for table in TABLES}


def journey(sandbox: Sandbox) -> list[str]:
    """A little of everything that hands out ids; the ids and Message-IDs it led to."""
    alice = sandbox.connect("alice", "alice@example.com")
    bob = sandbox.connect("bob", "bob@example.com")
    for number in range(3):
        send(sandbox, alice, bob.address, "outside@example.org", subject=str(number))
    mailbox = sandbox.mailbox(bob)
    reading.move(mailbox, message_id=mailbox.id_of(IdKind.MESSAGE, messages(sandbox, bob)[0].id), folder_path="Archive")
    folders.ensure(mailbox, ("Projects", "Engine"))
    sent = [*messages(sandbox, bob), *messages(sandbox, bob, "Archive"), *messages(sandbox, alice, "Sent Items")]
    ids = [mailbox.id_of(IdKind.MESSAGE, message.id) for message in sent]
    conversations = [mailbox.id_of(IdKind.CONVERSATION, message.conversation_id) for message in sent]
    return [*ids, *conversations, *(message.message_id for message in sent)]


def test_sandboxes_are_worlds_apart(sandboxes: Sandboxes) -> None:
    """Mail to an address of another sandbox leaves the world, and arrives nowhere."""
    sandbox, other = sandboxes.create("one"), sandboxes.create("other")
    ada = sandboxes.connect(sandbox, "ada-1", "ada@example.com")
    namesake = sandboxes.connect(other, "ada-2", "ada@example.com")
    bob = sandboxes.connect(other, "bob", "bob@example.com")
    send(sandbox, ada, "bob@example.com", "ada@example.com")

    assert ["bob@example.com"] == [outbox_mail.recipients for outbox_mail in sandbox.outbox()]
    assert ["Hello"] == subjects(sandbox, ada)
    assert ([], [], []) == (subjects(other, bob), subjects(other, namesake), other.outbox())


def test_a_connection_id_is_taken_everywhere(sandboxes: Sandboxes) -> None:
    """An id opens one mailbox of one sandbox; a second claim to it is refused and makes nothing."""
    sandbox, other = sandboxes.create("one"), sandboxes.create("other")
    sandboxes.connect(sandbox, "ada", "ada@example.com")
    before = rows(other)

    with pytest.raises(Conflict, match="'ada' exists already"):
        sandboxes.connect(other, "ada", "ada@example.org")
    with pytest.raises(Conflict, match="'ada' exists already"):
        sandboxes.load_sample(other, "office", "ada")
    assert before == rows(other)
    assert sandbox is sandboxes.find("ada")[0]


def test_unknown_id_makes_a_mailbox(sandboxes: Sandboxes) -> None:
    """An id used for the first time gets a mailbox in the default sandbox, and keeps it."""
    sandbox, owner = sandboxes.find("Ada.Byron_1")

    assert sandboxes.default is sandbox
    assert ("ada.byron_1@outlook.com", "ada.byron_1") == (owner.address, owner.display_name.lower())
    assert (sandbox, owner) == sandboxes.find("Ada.Byron_1")
    assert ["Ada.Byron_1"] == list(sandbox.connections())


def test_domain_is_a_setting() -> None:
    """Mailboxes made on first use get the domain that is set."""
    sandboxes = start(domain="example.net")
    _, owner = sandboxes.find("ada")
    sandboxes.close()

    assert owner.address == "ada@example.net"


def test_unknown_id_is_refused_when_set() -> None:
    """With the setting that refuses, an unknown id is not found and nothing is made."""
    sandboxes = start(unknown_connections="refuse")
    before = rows(sandboxes.default)
    with pytest.raises(NotFound, match="No connection 'ada' exists"):
        sandboxes.find("ada")
    after = rows(sandboxes.default)
    sandboxes.close()

    assert before == after


@pytest.mark.parametrize("id", ["", "a b", "a/b", "ä", "a@b", "a\n", "x" * 129, "%41", "a;b"])
def test_bad_connection_id(sandboxes: Sandboxes, id: str) -> None:
    """An id that could not stand in a URL, or not before an @, is refused and makes nothing."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest):
        sandboxes.find(id)
    assert before == rows(sandboxes.default)
    assert frozenset() == sandboxes.connection_ids()


@pytest.mark.parametrize("address", ["", "ada", "a@b.c; d@e.f", "a@b.c, d@e.f", "two words@example.com"])
def test_bad_address(sandboxes: Sandboxes, address: str) -> None:
    """An owner has exactly one address; anything else is refused and makes nothing."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest, match="address"):
        sandboxes.connect(sandboxes.default, "ada", address)
    assert before == rows(sandboxes.default)


def test_bad_grant_makes_nothing(sandboxes: Sandboxes) -> None:
    """A connection with a grant that is no address is not made at all."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest, match="send_as"):
        sandboxes.connect(sandboxes.default, "ada", "ada@example.com", send_as=["team@example.com", "nobody"])
    assert before == rows(sandboxes.default)


def test_connections_of_one_owner_share_a_mailbox(default: Sandbox) -> None:
    """Two connections of the same address, in any case, see the same mails; grants add up, the later name holds."""
    first = default.connect("ada-1", "ada@example.com", "Ada", ["team@example.com"])
    second = default.connect("ada-2", "ADA@example.com", "Ada Byron", ["Info@example.com"])
    send(default, second, "ada@Example.com")

    assert first.id == second.id
    assert ["Hello"] == subjects(default, first) == subjects(default, second, "Sent Items")
    assert ["info@example.com", "team@example.com"] == default.grants(first)
    assert {"Ada Byron"} == {owner.display_name for owner in default.connections().values()}


def test_earlier_mail_is_claimed(default: Sandbox) -> None:
    """Mail to an address that gets a mailbox later was in the sandbox all along; only the others' share stays out."""
    ada = default.connect("ada", "ada@example.com")
    send(default, ada, "bob@example.com", "zoe@example.org", subject="both")
    send(default, ada, "Bob@Example.com", subject="bob")
    send(default, ada, "zoe@example.org", subject="zoe")
    bob = default.connect("bob", "bob@example.com")

    assert ["bob", "both"] == subjects(default, bob)
    assert [("both", "zoe@example.org"), ("zoe", "zoe@example.org")] == [
        (outbox_mail.subject, outbox_mail.recipients) for outbox_mail in default.outbox()
    ]
    assert {message.id for message in messages(default, bob)} < {change[4] for change in rows(default)["change"]}


def test_mail_is_claimed_once(default: Sandbox) -> None:
    """A second connection to the same mailbox brings nothing in again."""
    ada = default.connect("ada", "ada@example.com")
    send(default, ada, "bob@example.com")
    bob = default.connect("bob", "bob@example.com")
    default.connect("bob-2", "bob@example.com")

    assert ["Hello"] == subjects(default, bob)


def test_same_calls_give_same_ids() -> None:
    """Two servers with the same seed that are asked the same hand out the same ids and Message-IDs."""
    journeys = []
    for _ in range(2):
        sandboxes = start()
        journeys.append(journey(sandboxes.create("one")))
        sandboxes.close()

    assert journeys[0] == journeys[1]
    assert len(set(journeys[0])) > len(journeys[0]) // 2


@pytest.mark.parametrize("other", [{"seed": 1}, {"name": "other"}])
def test_other_seed_gives_other_ids(other: dict[str, Any]) -> None:
    """Another seed, or another sandbox of the same server, has Message-IDs of its own."""
    message_ids = []
    for options in ({}, other):
        sandboxes = start(random_seed=options.get("seed", 4365))
        message_ids.append({id for id in journey(sandboxes.create(options.get("name", "one"))) if id.startswith("<")})
        sandboxes.close()

    assert set() == message_ids[0] & message_ids[1]


def test_reset_repeats(default: Sandbox) -> None:
    """After a reset the same calls give the same ids again."""
    first = journey(default)
    for id in ("alice", "bob"):
        default.db.execute("DELETE FROM connection WHERE id = :id", {"id": id})
    default.reset()

    assert first == journey(default)


def test_reset_keeps_who_and_drops_what(sandboxes: Sandboxes) -> None:
    """A reset keeps connections, owners' names and grants, and nothing that anybody wrote or made."""
    sandbox = sandboxes.create("one")
    ada = sandboxes.connect(sandbox, "ada", "ada@example.com", "Ada Byron", ["team@example.com"])
    sandboxes.connect(sandbox, "ada-2", "ada@example.com")
    bob = sandboxes.connect(sandbox, "bob", "bob@example.com", "Bob")
    send(sandbox, ada, bob.address, "outside@example.org")
    folders.ensure(sandbox.mailbox(bob), ("Projects",))
    sandboxes.reset("one")
    _, ada = sandboxes.find("ada")
    _, bob = sandboxes.find("bob")

    assert ["ada", "ada-2", "bob"] == list(sandbox.connections())
    assert ("Ada Byron", "ada@example.com", "Bob") == (ada.display_name, ada.address, bob.display_name)
    assert ada == sandboxes.find("ada-2")[1]
    assert ["team@example.com"] == sandbox.grants(ada)
    assert ([], [], []) == (subjects(sandbox, ada, "Sent Items"), subjects(sandbox, bob), sandbox.outbox())
    with pytest.raises(NotFound):
        folders.resolve(sandbox.mailbox(bob), "Projects")


def test_reset_reloads_samples(sandboxes: Sandboxes) -> None:
    """A sample mailbox is as fresh after a reset as when it was loaded, and is still remembered for the next one."""
    sandbox = sandboxes.default
    sandboxes.load_sample(sandbox, "office", "office")
    sandboxes.load_sample(sandbox, "empty", "quiet")
    fresh = rows(sandbox)
    for _ in range(2):
        owner = sandbox.connections()["office"]
        mailbox = sandbox.mailbox(owner)
        reading.delete(mailbox, message_id=mailbox.id_of(IdKind.MESSAGE, messages(sandbox, owner)[0].id))
        send(sandbox, owner, "quiet@example.com")
        sandboxes.reset(DEFAULT)

    assert fresh == rows(sandbox)


def test_reset_without_the_sample_changes_nothing(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """A reset that cannot load a sample any more is refused, and the sandbox stays as it was."""
    file = tmp_path / "mailbox.toml"
    file.write_text('address = "me@example.com"\ndisplay_name = "Me"\n', encoding="utf-8")
    sandboxes.load_sample(sandboxes.default, str(tmp_path), "me")
    before = rows(sandboxes.default)
    file.unlink()

    with pytest.raises(InvalidRequest, match="no sample mailbox"):
        sandboxes.reset(DEFAULT)
    assert before == rows(sandboxes.default)


def test_sample_that_fails_makes_nothing(sandboxes: Sandboxes) -> None:
    """An unknown sample is refused and makes no connection."""
    before = rows(sandboxes.default)

    with pytest.raises(ConnectorError, match="no sample mailbox 'nothing'"):
        sandboxes.load_sample(sandboxes.default, "nothing", "ada")
    assert (before, frozenset()) == (rows(sandboxes.default), sandboxes.connection_ids())


@pytest.mark.parametrize("name", ["", "a b", "../x", "a.b", "ä", "x" * 65, "a\n"])
def test_bad_sandbox_name(sandboxes: Sandboxes, name: str) -> None:
    """A name that could not be part of a file's name and of a URL is refused."""
    with pytest.raises(InvalidRequest, match="A sandbox name has"):
        sandboxes.create(name)
    assert [DEFAULT] == [sandbox.name for sandbox in sandboxes.all()]


def test_sandbox_name_is_unique(sandboxes: Sandboxes) -> None:
    """A sandbox whose name is taken is refused, the default one's included."""
    sandbox = sandboxes.create("one")

    for name in ("one", DEFAULT):
        with pytest.raises(Conflict, match=f"'{name}' exists already"):
            sandboxes.create(name)
    assert sandbox is sandboxes.named("one")


def test_deleted_sandbox_is_gone(sandboxes: Sandboxes) -> None:
    """With a sandbox go its connections, whose ids and whose name are free again."""
    sandbox = sandboxes.create("one")
    sandboxes.connect(sandbox, "ada", "ada@example.com")
    sandboxes.delete("one")

    with pytest.raises(NotFound, match="No sandbox 'one' exists"):
        sandboxes.named("one")
    assert {} == sandboxes.create("one").connections()
    assert sandboxes.default is sandboxes.find("ada")[0]


@pytest.mark.parametrize(("name", "error"), [(DEFAULT, Conflict), ("none", NotFound)])
def test_what_cannot_be_deleted(sandboxes: Sandboxes, name: str, error: type[ConnectorError]) -> None:
    """The default sandbox stays, and one that does not exist is not found."""
    with pytest.raises(error):
        sandboxes.delete(name)
    assert [sandboxes.default] == sandboxes.all()


def test_files_come_and_go(tmp_path: Path) -> None:
    """With a data folder, which is made, each sandbox has a file, and a deleted one leaves nothing of it."""
    data = tmp_path / "deep" / "data"
    sandboxes = start(data=str(data))
    sandboxes.create("one")
    names = {path.name for path in data.glob("*.sqlite")}
    sandboxes.delete("one")
    left = {path.name.partition(".")[0] for path in data.glob("*.sqlite*")}
    sandboxes.close()

    assert ({"default.sqlite", "one.sqlite"}, {DEFAULT}) == (names, left)


def test_everything_is_there_again(tmp_path: Path) -> None:
    """Sandboxes, connections, grants, mails and remembered samples survive a restart."""
    sandboxes = start(data=str(tmp_path))
    sandbox = sandboxes.create("one")
    ada = sandboxes.connect(sandbox, "ada", "ada@example.com", "Ada", ["team@example.com"])
    sandboxes.load_sample(sandbox, "empty", "quiet")
    send(sandbox, ada, "quiet@example.com")
    before = rows(sandbox)
    sandboxes.close()
    again = start(data=str(tmp_path))
    reopened, owner = again.find("ada")
    after = rows(reopened)
    again.reset("one")
    kept = reopened.connections()
    again.close()

    assert ("one", ada, before) == (reopened.name, owner, after)
    assert ["ada", "quiet"] == list(kept)


def test_message_ids_differ_after_a_restart(tmp_path: Path) -> None:
    """A restarted sandbox does not begin again with the Message-IDs and conversations it has handed out."""
    for _ in range(3):
        sandboxes = start(data=str(tmp_path))
        sandbox, owner = sandboxes.find("ada")
        for _ in range(2):
            send(sandbox, owner, "outside@example.org")
        sent = messages(sandbox, owner, "Sent Items")
        sandboxes.close()

    assert 6 == len({message.message_id for message in sent}) == len({message.conversation_id for message in sent})


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file in the data folder that no sandbox could own is none."""
    (tmp_path / "a b.sqlite").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    sandboxes = start(data=str(tmp_path))
    names = [sandbox.name for sandbox in sandboxes.all()]
    sandboxes.close()

    assert [DEFAULT] == names


def test_settings_reach_the_mailbox() -> None:
    """The limits that mail lives under come from the settings."""
    sandboxes = start(max_mail_bytes=10, max_top=3)
    sandbox, owner = sandboxes.find("ada")
    mailbox = sandbox.mailbox(owner)
    big = Mail(to=(Address("a@example.com"),), subject="Hello", body="x" * 11)

    with pytest.raises(InvalidRequest, match="at most 10"):
        delivery.send(mailbox, big)
    delivery.send(mailbox, replace(big, body="x" * 10))
    with pytest.raises(InvalidRequest, match="from 1 to 3"):
        listing.find(mailbox, top=4)
    assert sandbox.db.one(sql.LAST_CHANGE, {}) == (1,)
    sandboxes.close()


def test_sandbox_refuses_a_connection_it_has(tmp_path: Path) -> None:
    """Asked directly, too, a sandbox says Conflict for a connection id of its own, and changes nothing."""
    registry = Sandboxes(Settings(data=str(tmp_path)))
    registry.default.connect("one", "one@example.com")

    with pytest.raises(Conflict, match="'one'"):
        registry.default.connect("one", "other@example.com")

    assert ["one"] == list(registry.default.connections())
    registry.close()


def test_seed_by_folder_goes_by_the_folders_name(tmp_path: Path) -> None:
    """A sample mailbox of one's own is given by its folder and found under that folder's name."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mailbox.toml").write_text('address = "me@example.com"\ndisplay_name = "Me"\n')
    app = create_app(Settings(seed=f"{folder},empty"))

    address = app.state.sandboxes.find("mine")[1].address

    assert "me@example.com" == address
    assert {"mine", "empty"} == app.state.sandboxes.connection_ids()


def test_create_refuses_a_file_that_is_no_sandbox(tmp_path: Path) -> None:
    """Where a sandbox's file would be lies something else: Conflict, and no sandbox of that name."""
    registry = Sandboxes(Settings(data=str(tmp_path)))
    (tmp_path / "taken.sqlite").write_bytes(b"not a database at all" * 100)

    with pytest.raises(Conflict, match=r"taken\.sqlite"):
        registry.create("taken")

    assert ["default"] == [sandbox.name for sandbox in registry.all()]
    registry.close()


def test_ids_of_another_sandbox_fit_nothing(sandboxes: Sandboxes, default: Sandbox) -> None:
    """Each sandbox has ids of its own, so one that was mixed up is not found instead of finding another mail."""
    other = sandboxes.create("other")
    mails = []
    for sandbox in (default, other):
        owner = sandbox.connect(f"{sandbox.name}-a", "a@example.com")
        send(sandbox, owner, "a@example.com")
        mails.append((sandbox.mailbox(owner), messages(sandbox, owner)[0].id))
    (here, key), (there, _) = mails

    with pytest.raises(NotFound):
        reading.read(there, message_id=here.id_of(IdKind.MESSAGE, key))


# The clock

HOUR = 3_600_000_000
NINE = microseconds(NOW)


@dataclass
class Alarm:
    """Something due at some instants, which notes when it ran; `then` is what running it leads to."""

    name: str
    times: list[int]
    log: list[tuple[str, int]]
    then: Callable[[Sandbox], Awaitable[None] | None] = field(default=lambda sandbox: None)

    def next_at(self, sandbox: Sandbox) -> int | None:
        return self.times[0] if self.times else None

    def run(self, sandbox: Sandbox, now: int) -> Awaitable[None] | None:
        assert now == sandbox.clock.now()
        self.log.append((self.name, now - NINE))
        if self.times:
            self.times.pop(0)
        return self.then(sandbox)


def test_a_clock_of_its_own(sandboxes: Sandboxes, default: Sandbox) -> None:
    """One sandbox's clock is moved, and what is sent there is sent then; others go with the server's."""
    other = sandboxes.create("other")
    ada = default.connect("ada", "ada@example.com")
    asyncio.run(default.move_clock(NINE + HOUR))
    send(default, ada, "ada@example.com")

    assert NINE + HOUR == messages(default, ada)[0].received == default.clock.now()
    assert (NINE, NINE) == (other.clock.now(), sandboxes.clock.now())


def test_what_is_due_runs_at_its_time(default: Sandbox) -> None:
    """A move of the clock stops for whatever is due, in order, runs it then, and goes on to where it was sent."""
    log: list[tuple[str, int]] = []

    async def later(sandbox: Sandbox) -> None:
        await asyncio.sleep(0)
        log.append(("awaited", sandbox.clock.now() - NINE))

    default.due += [
        Alarm("b", [NINE + 2, NINE + 2, NINE + 9], log),
        Alarm("a", [NINE + 1, NINE + 2, NINE + 11], log, later),
        Alarm("late", [NINE - HOUR], log),
        Alarm("none", [], log),
    ]
    asyncio.run(default.move_clock(NINE + 10))

    # The instant that b names twice comes once, which holds up what it names after that.
    expected = [("late", 0), ("a", 1), ("awaited", 1), ("b", 2), ("a", 2), ("awaited", 2)]
    assert (expected, NINE + 10) == (log, default.clock.now())


def test_running_may_make_more_due(default: Sandbox) -> None:
    """What becomes due while something runs is still run at its time; what shows up as overdue runs at once."""
    log: list[tuple[str, int]] = []

    def adds(sandbox: Sandbox) -> None:
        sandbox.due.extend([Alarm("next", [NINE + 7], log), Alarm("missed", [NINE + 3], log)])

    default.due.append(Alarm("first", [NINE + 5], log, adds))
    asyncio.run(default.move_clock(NINE + 10))

    assert [("first", 5), ("missed", 5), ("next", 7)] == log


def test_time_stays_where_something_fails(default: Sandbox) -> None:
    """A failure ends the move at that instant; the next one begins there."""

    def fails(sandbox: Sandbox) -> None:
        raise RuntimeError("no")

    default.due.append(Alarm("bad", [NINE + 5], [], fails))
    with pytest.raises(RuntimeError, match="no"):
        asyncio.run(default.move_clock(NINE + 10))
    failed = default.clock.now()
    asyncio.run(default.move_clock(NINE + 10))

    assert (NINE + 5, NINE + 10) == (failed, default.clock.now())


def test_one_move_at_a_time(default: Sandbox) -> None:
    """While one move is under way another is refused, and so is one into the past."""

    async def again(sandbox: Sandbox) -> None:
        with pytest.raises(Conflict, match="being moved"):
            await sandbox.move_clock(NINE + 7)

    default.due.append(Alarm("again", [NINE + 5], [], again))
    asyncio.run(default.move_clock(NINE + 10))

    assert NINE + 10 == default.clock.now()
    with pytest.raises(ValueError, match="backwards"):
        asyncio.run(default.move_clock(NINE + 9))


@pytest.mark.parametrize("way", ["reset", "delete"])
def test_a_sandbox_that_goes_ends_the_move(sandboxes: Sandboxes, way: str) -> None:
    """Reset or deleted while its clock moves, a sandbox is not moved on, and nothing more runs."""
    sandbox = sandboxes.create("short")
    log: list[tuple[str, int]] = []
    gone = getattr(sandboxes, way)
    sandbox.due += [Alarm("end", [NINE + 5], log, lambda at: gone("short") and None), Alarm("more", [NINE + 6], log)]

    with pytest.raises(Conflict, match="was reset, replaced or deleted"):
        asyncio.run(sandbox.move_clock(NINE + 10))
    assert [("end", 5)] == log
    assert way == "delete" or sandbox.clock.now() == NINE


def test_reset_puts_the_clock_back(sandboxes: Sandboxes, default: Sandbox) -> None:
    """A sandbox that starts over has the server's time again, and keeps nothing of its own."""
    default.clock.advance(HOUR)
    default.clock.freeze()
    sandboxes.reset(DEFAULT)

    assert (NINE, ClockState()) == (default.clock.now(), default.clock.state)
    assert default.db.one(sql.STATE, {"key": "clock"}) is None


@pytest.mark.parametrize("frozen", [False, True])
def test_the_clock_survives_a_restart(tmp_path: Path, frozen: bool) -> None:
    """A sandbox in a file has its clock again after a restart: frozen where it was, or as far ahead as it was."""
    first = start(data=str(tmp_path))
    asyncio.run(first.default.move_clock(NINE + HOUR))
    if frozen:
        first.default.clock.freeze()
    first.close()
    again = Sandboxes(Settings(data=str(tmp_path)), VirtualClock(NOW + timedelta(minutes=10)))
    clock_state = again.default.clock.now(), again.default.clock.frozen
    again.close()

    assert (NINE + HOUR + (0 if frozen else HOUR // 6), frozen) == clock_state


def test_a_file_that_was_reset_follows_again(tmp_path: Path) -> None:
    """A reset clears the clock out of the file, too."""
    first = start(data=str(tmp_path))
    first.default.clock.advance(HOUR)
    first.reset(DEFAULT)
    first.close()
    again = start(data=str(tmp_path))
    now = again.default.clock.now()
    again.close()

    assert NINE == now
