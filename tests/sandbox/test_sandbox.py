"""Sandboxes: isolation, connections, resets, files in the data folder, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
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
from outlook_emulator.sandbox.connection_ids import DEFAULT
from outlook_emulator.sandbox.registry import Sandboxes
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
    """All rows of a sandbox."""
    return {table: sandbox.db.all(f"SELECT * FROM {table} ORDER BY rowid", {}) for table in TABLES}


def use_ids(sandbox: Sandbox) -> list[str]:
    """Use every feature that creates ids, and return the ids and Message-IDs."""
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


def test_sandboxes_are_isolated(sandboxes: Sandboxes) -> None:
    """Mail to an address of another sandbox goes to the outbox and is delivered in neither sandbox."""
    sandbox, other = sandboxes.create("one"), sandboxes.create("other")
    ada = sandboxes.connect(sandbox, "ada-1", "ada@example.com")
    namesake = sandboxes.connect(other, "ada-2", "ada@example.com")
    bob = sandboxes.connect(other, "bob", "bob@example.com")
    send(sandbox, ada, "bob@example.com", "ada@example.com")

    assert ["bob@example.com"] == [outbox_mail.recipients for outbox_mail in sandbox.outbox()]
    assert ["Hello"] == subjects(sandbox, ada)
    assert ([], [], []) == (subjects(other, bob), subjects(other, namesake), other.outbox())


def test_connection_id_is_unique_across_sandboxes(sandboxes: Sandboxes) -> None:
    """A connection id belongs to one sandbox; creating it in another sandbox is rejected and changes nothing."""
    sandbox, other = sandboxes.create("one"), sandboxes.create("other")
    sandboxes.connect(sandbox, "ada", "ada@example.com")
    before = rows(other)

    with pytest.raises(Conflict, match="'ada' exists already"):
        sandboxes.connect(other, "ada", "ada@example.org")
    with pytest.raises(Conflict, match="'ada' exists already"):
        sandboxes.load_sample(other, "office", "ada")
    assert before == rows(other)
    assert sandbox is sandboxes.find("ada")[0]


def test_unknown_id_creates_a_mailbox(sandboxes: Sandboxes) -> None:
    """The first use of an unknown id creates a mailbox in the default sandbox."""
    sandbox, owner = sandboxes.find("Ada.Byron_1")

    assert sandboxes.default is sandbox
    assert ("ada.byron_1@outlook.com", "ada.byron_1") == (owner.address, owner.display_name.lower())
    assert (sandbox, owner) == sandboxes.find("Ada.Byron_1")
    assert ["Ada.Byron_1"] == list(sandbox.connections())


def test_domain_is_a_setting() -> None:
    """Mailboxes created on first use have the configured domain."""
    sandboxes = start(domain="example.net")
    _, owner = sandboxes.find("ada")
    sandboxes.close()

    assert owner.address == "ada@example.net"


def test_unknown_id_is_rejected_when_set() -> None:
    """With `unknown_connections="refuse"` an unknown id is not found, and nothing is created."""
    sandboxes = start(unknown_connections="refuse")
    before = rows(sandboxes.default)
    with pytest.raises(NotFound, match="No connection 'ada' exists"):
        sandboxes.find("ada")
    after = rows(sandboxes.default)
    sandboxes.close()

    assert before == after


@pytest.mark.parametrize("id", ["", "a b", "a/b", "ä", "a@b", "a\n", "x" * 129, "%41", "a;b"])
def test_bad_connection_id(sandboxes: Sandboxes, id: str) -> None:
    """An id that does not fit in a URL or before an @ is rejected, and nothing is created."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest):
        sandboxes.find(id)
    assert before == rows(sandboxes.default)
    assert frozenset() == sandboxes.connection_ids()


@pytest.mark.parametrize("address", ["", "ada", "a@b.c; d@e.f", "a@b.c, d@e.f", "two words@example.com"])
def test_bad_address(sandboxes: Sandboxes, address: str) -> None:
    """An owner has exactly one address; anything else is rejected, and nothing is created."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest, match="address"):
        sandboxes.connect(sandboxes.default, "ada", address)
    assert before == rows(sandboxes.default)


def test_bad_grant_creates_nothing(sandboxes: Sandboxes) -> None:
    """A connection with an invalid address in `send_as` is rejected, and nothing is created."""
    before = rows(sandboxes.default)

    with pytest.raises(InvalidRequest, match="send_as"):
        sandboxes.connect(sandboxes.default, "ada", "ada@example.com", send_as=["team@example.com", "nobody"])
    assert before == rows(sandboxes.default)


def test_connections_of_one_owner_share_a_mailbox(default: Sandbox) -> None:
    """Connections of one address share a mailbox, ignoring case; grants add up, and the last display name wins."""
    first = default.connect("ada-1", "ada@example.com", "Ada", ["team@example.com"])
    second = default.connect("ada-2", "ADA@example.com", "Ada Byron", ["Info@example.com"])
    send(default, second, "ada@Example.com")

    assert first.id == second.id
    assert ["Hello"] == subjects(default, first) == subjects(default, second, "Sent Items")
    assert ["info@example.com", "team@example.com"] == default.grants(first)
    assert {"Ada Byron"} == {owner.display_name for owner in default.connections().values()}


def test_waiting_mail_is_delivered(default: Sandbox) -> None:
    """A new mailbox gets the mail sent earlier to its address; the outbox keeps the other recipients."""
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


def test_waiting_mail_is_delivered_once(default: Sandbox) -> None:
    """A second connection to the same mailbox does not deliver waiting mail again."""
    ada = default.connect("ada", "ada@example.com")
    send(default, ada, "bob@example.com")
    bob = default.connect("bob", "bob@example.com")
    default.connect("bob-2", "bob@example.com")

    assert ["Hello"] == subjects(default, bob)


def test_same_calls_give_same_ids() -> None:
    """Two servers with the same seed create the same ids and Message-IDs for the same calls."""
    journeys = []
    for _ in range(2):
        sandboxes = start()
        journeys.append(use_ids(sandboxes.create("one")))
        sandboxes.close()

    assert journeys[0] == journeys[1]
    assert len(set(journeys[0])) > len(journeys[0]) // 2


@pytest.mark.parametrize("other", [{"seed": 1}, {"name": "other"}])
def test_other_seed_gives_other_ids(other: dict[str, Any]) -> None:
    """A different seed or sandbox name gives different Message-IDs."""
    message_ids = []
    for options in ({}, other):
        sandboxes = start(random_seed=options.get("seed", 4365))
        message_ids.append({id for id in use_ids(sandboxes.create(options.get("name", "one"))) if id.startswith("<")})
        sandboxes.close()

    assert set() == message_ids[0] & message_ids[1]


def test_reset_repeats_ids(default: Sandbox) -> None:
    """After a reset the same calls create the same ids again."""
    first = use_ids(default)
    for id in ("alice", "bob"):
        default.db.execute("DELETE FROM connection WHERE id = :id", {"id": id})
    default.reset()

    assert first == use_ids(default)


def test_a_second_connection_renames_the_owner_of_the_first(sandboxes: Sandboxes, default: Sandbox) -> None:
    sandboxes.connect(default, "first", "zoe@example.com", "Zoe")
    sandboxes.connect(default, "second", "zoe@example.com", "Zoe Doe")
    assert sandboxes.find("first")[1].display_name == sandboxes.find("second")[1].display_name == "Zoe Doe"


def test_a_new_connection_costs_the_same_among_many(sandboxes: Sandboxes, default: Sandbox) -> None:
    def connect(number: int) -> int:
        """The steps that SQLite takes to add a connection."""
        steps: list[None] = []
        default.db._connection.set_progress_handler(lambda: steps.append(None), 1)
        sandboxes.connect(default, f"c{number}", f"c{number}@example.com")
        default.db._connection.set_progress_handler(None, 1)
        return len(steps)

    among_few = [connect(number) for number in range(10)][-1]
    among_many = [connect(number) for number in range(10, 500)][-1]
    assert among_many <= among_few


def test_reset_keeps_connections_and_drops_content(sandboxes: Sandboxes) -> None:
    """A reset keeps connections, owner names and grants, and drops everything else."""
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
    """A reset reloads sample mailboxes in their original state, and so does the next reset."""
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
    """A reset that cannot reload a sample is rejected, and the sandbox is unchanged."""
    file = tmp_path / "mailbox.toml"
    file.write_text('address = "me@example.com"\ndisplay_name = "Me"\n', encoding="utf-8")
    sandboxes.load_sample(sandboxes.default, str(tmp_path), "me")
    before = rows(sandboxes.default)
    file.unlink()

    with pytest.raises(InvalidRequest, match=r"has no mailbox\.toml"):
        sandboxes.reset(DEFAULT)
    assert before == rows(sandboxes.default)


def test_sample_that_fails_creates_nothing(sandboxes: Sandboxes) -> None:
    """An unknown sample is rejected, and no connection is created."""
    before = rows(sandboxes.default)

    with pytest.raises(ConnectorError, match="no sample mailbox 'nothing'"):
        sandboxes.load_sample(sandboxes.default, "nothing", "ada")
    assert (before, frozenset()) == (rows(sandboxes.default), sandboxes.connection_ids())


@pytest.mark.parametrize("name", ["", "a b", "../x", "a.b", "ä", "x" * 65, "a\n"])
def test_bad_sandbox_name(sandboxes: Sandboxes, name: str) -> None:
    """A name that does not fit in a file name or a URL is rejected."""
    with pytest.raises(InvalidRequest, match="A sandbox name has"):
        sandboxes.create(name)
    assert [DEFAULT] == sandboxes.names()


def test_sandbox_name_is_unique(sandboxes: Sandboxes) -> None:
    """Creating a sandbox with an existing name is rejected, including the default sandbox's name."""
    sandbox = sandboxes.create("one")

    for name in ("one", DEFAULT):
        with pytest.raises(Conflict, match=f"'{name}' exists already"):
            sandboxes.create(name)
    assert sandbox is sandboxes.named("one")


def test_deleted_sandbox_is_gone(sandboxes: Sandboxes) -> None:
    """Deleting a sandbox removes its connections, and frees their ids and its name."""
    sandbox = sandboxes.create("one")
    sandboxes.connect(sandbox, "ada", "ada@example.com")
    sandboxes.delete("one")

    with pytest.raises(NotFound, match="No sandbox 'one' exists"):
        sandboxes.named("one")
    assert {} == sandboxes.create("one").connections()
    assert sandboxes.default is sandboxes.find("ada")[0]


@pytest.mark.parametrize(("name", "error"), [(DEFAULT, Conflict), ("none", NotFound)])
def test_sandbox_that_cannot_be_deleted(sandboxes: Sandboxes, name: str, error: type[ConnectorError]) -> None:
    """Deleting the default sandbox is a conflict, and an unknown sandbox is not found."""
    with pytest.raises(error):
        sandboxes.delete(name)
    assert [sandboxes.default] == sandboxes.opened()


def test_each_sandbox_has_a_file(tmp_path: Path) -> None:
    """The data folder is created, each sandbox has a file in it, and a deleted sandbox leaves no file."""
    data = tmp_path / "deep" / "data"
    sandboxes = start(data=str(data))
    sandboxes.create("one")
    names = {path.name for path in data.glob("*.sqlite")}
    sandboxes.delete("one")
    left = {path.name.partition(".")[0] for path in data.glob("*.sqlite*")}
    sandboxes.close()

    assert ({"default.sqlite", "one.sqlite"}, {DEFAULT}) == (names, left)


def test_sandboxes_survive_a_restart(tmp_path: Path) -> None:
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
    """A restarted sandbox does not repeat Message-IDs or conversations."""
    for _ in range(3):
        sandboxes = start(data=str(tmp_path))
        sandbox, owner = sandboxes.find("ada")
        for _ in range(2):
            send(sandbox, owner, "outside@example.org")
        sent = messages(sandbox, owner, "Sent Items")
        sandboxes.close()

    assert 6 == len({message.message_id for message in sent}) == len({message.conversation_id for message in sent})


def test_other_files_are_ignored(tmp_path: Path) -> None:
    """Files in the data folder without a valid sandbox name are ignored."""
    (tmp_path / "a b.sqlite").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    sandboxes = start(data=str(tmp_path))
    names = sandboxes.names()
    sandboxes.close()

    assert [DEFAULT] == names


def test_settings_reach_the_mailbox() -> None:
    """The limits of a mailbox come from the settings."""
    sandboxes = start(max_mail_bytes=10, max_top=3)
    sandbox, owner = sandboxes.find("ada")
    mailbox = sandbox.mailbox(owner)
    big = Mail(to=(Address("a@example.com"),), subject="Hello", body="x" * 11)

    with pytest.raises(InvalidRequest, match="maximum supported size"):
        delivery.send(mailbox, big)
    delivery.send(mailbox, big._replace(body="x" * 10))
    with pytest.raises(InvalidRequest, match="from 1 to 3"):
        listing.find(mailbox, top=4)
    assert sandbox.db.one(sql.LAST_CHANGE, {}) == (1,)
    sandboxes.close()


def test_sandbox_rejects_a_duplicate_connection(tmp_path: Path) -> None:
    """A sandbox rejects a connection id that it already has, and changes nothing."""
    registry = Sandboxes(Settings(data=str(tmp_path)))
    registry.default.connect("one", "one@example.com")

    with pytest.raises(Conflict, match="'one'"):
        registry.default.connect("one", "other@example.com")

    assert ["one"] == list(registry.default.connections())
    registry.close()


def test_sample_folder_gives_the_connection_id(tmp_path: Path) -> None:
    """A user's own sample is loaded by its folder's path, and its connection id is the folder's name."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mailbox.toml").write_text('address = "me@example.com"\ndisplay_name = "Me"\n')
    app = create_app(Settings(seed=f"{folder},empty"))

    address = app.state.sandboxes.find("mine")[1].address

    assert "me@example.com" == address
    assert {"mine", "empty"} == app.state.sandboxes.connection_ids()


def test_create_rejects_an_existing_foreign_file(tmp_path: Path) -> None:
    """Creating a sandbox is a conflict if its file exists and is not a database, and no sandbox is added."""
    registry = Sandboxes(Settings(data=str(tmp_path)))
    (tmp_path / "taken.sqlite").write_bytes(b"not a database at all" * 100)

    with pytest.raises(Conflict, match=r"taken\.sqlite"):
        registry.create("taken")

    assert ["default"] == registry.names()
    registry.close()


def test_ids_of_another_sandbox_are_not_found(sandboxes: Sandboxes, default: Sandbox) -> None:
    """An id from another sandbox is not found; it never refers to a different mail."""
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
    """Work that is due at fixed instants and logs when it runs; running it calls `then`."""

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
    """Moving a sandbox's clock changes the times in that sandbox only."""
    other = sandboxes.create("other")
    ada = default.connect("ada", "ada@example.com")
    asyncio.run(default.move_clock(NINE + HOUR))
    send(default, ada, "ada@example.com")

    assert NINE + HOUR == messages(default, ada)[0].received == default.clock.now()
    assert (NINE, NINE) == (other.clock.now(), sandboxes.clock.now())


def test_due_work_runs_at_its_time(default: Sandbox) -> None:
    """A move of the clock stops at each due instant in order, runs the work, and then reaches its target."""
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

    # Work runs once per instant: b's second entry for +2 stays first, so its entry for +9 is not reached.
    expected = [("late", 0), ("a", 1), ("awaited", 1), ("b", 2), ("a", 2), ("awaited", 2)]
    assert (expected, NINE + 10) == (log, default.clock.now())


def test_due_work_may_add_more(default: Sandbox) -> None:
    """Work that becomes due during the move runs at its own time; overdue work runs at once."""
    log: list[tuple[str, int]] = []

    def adds(sandbox: Sandbox) -> None:
        sandbox.due.extend([Alarm("next", [NINE + 7], log), Alarm("missed", [NINE + 3], log)])

    default.due.append(Alarm("first", [NINE + 5], log, adds))
    asyncio.run(default.move_clock(NINE + 10))

    assert [("first", 5), ("missed", 5), ("next", 7)] == log


def test_failed_work_stops_the_clock(default: Sandbox) -> None:
    """A failure ends the move at that instant, and the next move starts there."""

    def fails(sandbox: Sandbox) -> None:
        raise RuntimeError("no")

    default.due.append(Alarm("bad", [NINE + 5], [], fails))
    with pytest.raises(RuntimeError, match="no"):
        asyncio.run(default.move_clock(NINE + 10))
    failed = default.clock.now()
    asyncio.run(default.move_clock(NINE + 10))

    assert (NINE + 5, NINE + 10) == (failed, default.clock.now())


def test_one_move_at_a_time(default: Sandbox) -> None:
    """A second move during a move is rejected, and so is a move backwards."""

    async def again(sandbox: Sandbox) -> None:
        with pytest.raises(Conflict, match="being moved"):
            await sandbox.move_clock(NINE + 7)

    default.due.append(Alarm("again", [NINE + 5], [], again))
    asyncio.run(default.move_clock(NINE + 10))

    assert NINE + 10 == default.clock.now()
    with pytest.raises(ValueError, match="backwards"):
        asyncio.run(default.move_clock(NINE + 9))


@pytest.mark.parametrize("way", ["reset", "delete"])
def test_reset_or_delete_ends_the_move(sandboxes: Sandboxes, way: str) -> None:
    """A reset or deletion during a move ends the move, and no more work runs."""
    sandbox = sandboxes.create("short")
    log: list[tuple[str, int]] = []
    gone = getattr(sandboxes, way)
    sandbox.due += [Alarm("end", [NINE + 5], log, lambda at: gone("short") and None), Alarm("more", [NINE + 6], log)]

    with pytest.raises(Conflict, match="was reset, replaced or deleted"):
        asyncio.run(sandbox.move_clock(NINE + 10))
    assert [("end", 5)] == log
    assert way == "delete" or sandbox.clock.now() == NINE


def test_reset_puts_the_clock_back(sandboxes: Sandboxes, default: Sandbox) -> None:
    """A reset sets the sandbox's clock back to the server's time."""
    default.clock.advance(HOUR)
    default.clock.freeze()
    sandboxes.reset(DEFAULT)

    assert (NINE, ClockState()) == (default.clock.now(), default.clock.state)
    assert default.db.one(sql.STATE, {"key": "clock"}) is None


@pytest.mark.parametrize("frozen", [False, True])
def test_the_clock_survives_a_restart(tmp_path: Path, frozen: bool) -> None:
    """A sandbox's clock survives a restart: frozen at its instant, or with its offset."""
    first = start(data=str(tmp_path))
    asyncio.run(first.default.move_clock(NINE + HOUR))
    if frozen:
        first.default.clock.freeze()
    first.close()
    again = Sandboxes(Settings(data=str(tmp_path)), VirtualClock(NOW + timedelta(minutes=10)))
    clock_state = again.default.clock.now(), again.default.clock.frozen
    again.close()

    assert (NINE + HOUR + (0 if frozen else HOUR // 6), frozen) == clock_state


def test_reset_clears_the_clock_in_the_file(tmp_path: Path) -> None:
    """A reset also removes the clock from the sandbox's file."""
    first = start(data=str(tmp_path))
    first.default.clock.advance(HOUR)
    first.reset(DEFAULT)
    first.close()
    again = start(data=str(tmp_path))
    now = again.default.clock.now()
    again.close()

    assert NINE == now
