"""Sandboxes in a data folder: made whole or not at all, one bad file costs one sandbox, and files rest."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.errors import Conflict, ConnectionUncertain, NotFound, SandboxUnusable, StorageUnavailable
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.sandbox.connection_ids import DEFAULT
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings
from outlook_emulator.store import mail
from outlook_emulator.store.failures import FileLost
from outlook_emulator.store.opening import SCHEMA_VERSION
from outlook_emulator.store.records import Facets

OLD = Path(__file__).parents[1] / "store" / "old" / "v4.sqlite.gz"


@contextmanager
def opened(folder: Path, most: int = 100) -> Iterator[Sandboxes]:
    """The sandboxes in a folder, of which so many may have open files."""
    with closing(Sandboxes(Settings(data=str(folder)))) as sandboxes:
        sandboxes._awake._most = most
        yield sandboxes


def create(sandboxes: Sandboxes, *names: str) -> None:
    """Sandboxes with a connection each, which is called as its sandbox."""
    for name in names:
        sandboxes.connect(sandboxes.create(name), name, f"{name}@example.com")


def change(file: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, values)


def newer(file: Path) -> None:
    change(file, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def foreign(file: Path) -> None:
    file.unlink()
    change(file, "CREATE TABLE cat (name TEXT)")


def garbage(file: Path) -> None:
    file.write_bytes(b"Dear diary, " * 1000)


def other_schema(file: Path) -> None:
    change(file, "CREATE TABLE cat (name TEXT)")


def broken_clock(file: Path) -> None:
    change(file, "INSERT OR REPLACE INTO sandbox_state VALUES ('clock', '{\"shift\": \"x\"}')")


def broken_epochs(file: Path) -> None:
    change(file, "INSERT OR REPLACE INTO sandbox_state VALUES ('epochs', 'one two')")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def late_clock(file: Path) -> None:
    change(file, """INSERT INTO sandbox_state VALUES ('clock', '{"frozen_at": null, "shift": 999999999999999999}')""")


def broken_index_position(file: Path) -> None:
    change(file, "INSERT OR REPLACE INTO sandbox_state VALUES ('indexed_seq', 'x')")


def broken_answer_key(file: Path) -> None:
    change(file, "INSERT INTO sandbox_state VALUES ('answer_key', 'x')")


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def pipe_instead(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link_to_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "unmounted" / "bad.sqlite")


@pytest.mark.parametrize(
    "damage",
    [
        *(newer, foreign, garbage, other_schema, folder_instead, emptied, pipe_instead),
        *(broken_clock, late_clock, broken_epochs, broken_index_position, broken_answer_key),
    ],
)
def test_one_bad_file_costs_one_sandbox(tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The others are served. The bad one is listed with its problem and refused, and its file stays."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad", "good")
    file = tmp_path / "bad.sqlite"
    damage(file)
    before = file.read_bytes() if file.is_file() else None
    with opened(tmp_path) as sandboxes:
        with pytest.raises(SandboxUnusable, match=r"bad\.sqlite"):
            sandboxes.find("bad")
        with pytest.raises(SandboxUnusable, match=r"bad\.sqlite"):
            sandboxes.named("bad")
        with pytest.raises(Conflict, match=r"bad\.sqlite.* is in the way"):
            sandboxes.create("bad")
        with pytest.raises(Conflict, match="exists already"):
            sandboxes.connect(sandboxes.default, "bad", "bad@example.com")

        assert "good" == sandboxes.find("good")[0].name
        assert sandboxes.default is sandboxes.look_up("bad").sandbox
        assert {"bad", "good", DEFAULT} == {*sandboxes.names()}
        assert ("bad",) == sandboxes.ids_of("bad")
        assert "bad.sqlite" in str(sandboxes.problem_of("bad"))
        assert "The sandbox 'bad' cannot be used" in caplog.text
        assert before == (file.read_bytes() if file.is_file() else None)


def test_connections_of_a_bad_file_without_an_index(tmp_path: Path) -> None:
    """While nobody knows whose connections a bad file holds, an unknown one is refused with the name of the file."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad", "good")
    garbage(tmp_path / "bad.sqlite")
    (tmp_path / ".index.json").unlink()
    with opened(tmp_path) as sandboxes:
        for id in ("bad", "new"):
            with pytest.raises(ConnectionUncertain, match=rf"'{id}' may belong to the sandbox 'bad'.*bad\.sqlite"):
                sandboxes.find(id)

        assert "good" == sandboxes.find("good")[0].name
        sandboxes.delete("bad")
        assert DEFAULT == sandboxes.find("new")[0].name


@pytest.mark.parametrize("change", ["connect", "import"])
def test_a_killed_server_leaves_no_index_that_lacks_connections(tmp_path: Path, change: str) -> None:
    """Connections that came after the index was written are not taken for new ones either."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad", "good")
    with opened(tmp_path) as sandboxes:
        if change == "connect":
            sandboxes.connect(sandboxes.named("bad"), "late", "late@example.com")
        else:
            sandboxes.import_file("bad", sandboxes.named("good").export(), "late-")
        index = (tmp_path / ".index.json").read_bytes()
    # What a server that was killed at that time would have left.
    (tmp_path / ".index.json").write_bytes(index)
    garbage(tmp_path / "bad.sqlite")
    with opened(tmp_path) as sandboxes:
        with pytest.raises(ConnectionUncertain, match=r"bad\.sqlite"):
            sandboxes.find("late")
        with pytest.raises(SandboxUnusable, match=r"bad\.sqlite"):
            sandboxes.find("bad")


def test_a_file_that_cannot_be_opened_for_now_hides_connections_for_now(tmp_path: Path) -> None:
    """A connection of a sandbox whose disk was missing at the start is found when the disk is there."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad")
    disk = tmp_path / "unmounted"
    kept = (tmp_path / "bad.sqlite").read_bytes()
    link_to_nowhere(tmp_path / "bad.sqlite")
    (tmp_path / ".index.json").unlink()
    with opened(tmp_path) as sandboxes:
        for _ in range(2):
            with pytest.raises(ConnectionUncertain, match=r"bad\.sqlite"):
                sandboxes.find("bad")
        disk.mkdir()
        (disk / "bad.sqlite").write_bytes(kept)
        assert "bad" == sandboxes.find("bad")[0].name
        assert DEFAULT == sandboxes.find("new")[0].name


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """The sandbox is refused as long as the disk with its file is missing, and used when it is there."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad", "good")
    disk = tmp_path / "unmounted"
    kept = (tmp_path / "bad.sqlite").read_bytes()
    link_to_nowhere(tmp_path / "bad.sqlite")
    with opened(tmp_path) as sandboxes:
        with pytest.raises(OSError, match=r"bad\.sqlite"):
            sandboxes.find("bad")

        assert "good" == sandboxes.find("good")[0].name
        assert ("bad",) == sandboxes.ids_of("bad")
        disk.mkdir()
        (disk / "bad.sqlite").write_bytes(kept)
        assert "bad" == sandboxes.find("bad")[0].name


@pytest.mark.parametrize("way", ["deleted", "moved"])
def test_a_bad_sandbox_can_be_replaced(tmp_path: Path, way: str) -> None:
    """After its deletion, or when its file was moved away, a new one of that name can be created."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad")
    garbage(file := tmp_path / "bad.sqlite")
    with opened(tmp_path) as sandboxes:
        if way == "deleted":
            sandboxes.delete("bad")
        else:
            file.rename(tmp_path / "bad.kept")
        create(sandboxes, "bad")
    with opened(tmp_path) as sandboxes:
        assert "bad" == sandboxes.find("bad")[0].name
        assert sandboxes.problem_of("bad") is None


def test_bad_default_sandbox(tmp_path: Path) -> None:
    """With a bad file of the default sandbox, the others are served, and nothing is created in its place."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "good")
    garbage(tmp_path / "default.sqlite")
    with opened(tmp_path) as sandboxes:
        for connection in ("unknown", "other"):
            with pytest.raises(SandboxUnusable, match=r"default\.sqlite"):
                sandboxes.find(connection)

        assert "good" == sandboxes.find("good")[0].name
        assert not sandboxes.has_connection("unknown")
        sandboxes.delete(DEFAULT)
        assert sandboxes.default is sandboxes.find("unknown")[0]
        with pytest.raises(Conflict, match="cannot be deleted"):
            sandboxes.delete(DEFAULT)


def test_a_damage_during_the_run_is_met_at_the_next_opening(tmp_path: Path) -> None:
    """A sandbox whose file was damaged before it was needed is refused then, and the server has started."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "bad")
    with opened(tmp_path) as sandboxes:
        garbage(tmp_path / "bad.sqlite")
        for _ in range(2):
            with pytest.raises(SandboxUnusable, match="no readable SQLite database"):
                sandboxes.find("bad")


def test_a_copied_file_is_named_as_such(tmp_path: Path) -> None:
    """Of two files with the same connections, the copy is set aside, whichever is read first."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "middle")
    for copy in ("a-copy", "z-copy"):
        shutil.copy(tmp_path / "middle.sqlite", tmp_path / f"{copy}.sqlite")
    # Without the index, all are opened in the order of their names.
    (tmp_path / ".index.json").unlink()
    with opened(tmp_path) as sandboxes:
        problems = {name: sandboxes.problem_of(name) for name in ("a-copy", "middle", "z-copy")}

        assert "middle" == sandboxes.find("middle")[0].name
        assert problems["middle"] is None
        for copy in ("a-copy", "z-copy"):
            assert f"{copy}.sqlite is a copy of the sandbox 'middle'" in str(problems[copy])


def test_a_renamed_file_is_a_sandbox_of_that_name(tmp_path: Path) -> None:
    """A file that was renamed is no copy, now or later."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "before")
    (tmp_path / "before.sqlite").rename(tmp_path / "after.sqlite")
    for _ in range(2):
        with opened(tmp_path) as sandboxes:
            assert "after" == sandboxes.find("before")[0].name


def test_an_unfinished_sandbox_is_gone_after_a_restart(tmp_path: Path) -> None:
    """A sandbox whose creation did not end leaves nothing, and its name and connections can be used."""
    with opened(tmp_path) as sandboxes:
        sandbox = sandboxes.create("half", unfinished=True)
        sandboxes.connect(sandbox, "half", "half@example.com")
        sandbox.save("kept")
        whole = sandboxes.create("whole", unfinished=True)
        sandboxes.finish(whole)
    with opened(tmp_path) as sandboxes:
        assert {"whole", DEFAULT} == {*sandboxes.names()}
        assert not list(tmp_path.glob("half*"))
        create(sandboxes, "half")
        assert [] == sandboxes.named("half").snapshots()


def test_an_older_file_is_migrated_at_the_start(tmp_path: Path) -> None:
    """A sandbox of an earlier version works: its mails are there, and it takes new ones."""
    (tmp_path / "old.sqlite").write_bytes(gzip.decompress(OLD.read_bytes()))
    for number in range(2):
        with opened(tmp_path) as sandboxes:
            sandbox, owner = sandboxes.find("ada")
            mailbox = sandbox.mailbox(owner)
            with mailbox.db.transaction():
                delivery.deliver(mailbox, Mail(sender=Address("eve@example.org"), subject="New", body="Hello"))
            counts = mail.mailbox_counts(sandbox.db)[owner.id]
            assert "old" == sandbox.name
            assert number + 1 == counts.unread
    assert (tmp_path / "old.sqlite.v4").exists()


def test_files_rest_and_wake(tmp_path: Path) -> None:
    """However many sandboxes are used, only some files are open; all sandboxes keep their state."""
    names = [f"s{number}" for number in range(12)]
    with opened(tmp_path, most=4) as sandboxes:
        create(sandboxes, *names)
        for name in (*names, *reversed(names)):
            sandbox, owner = sandboxes.find(name)
            with sandbox.db.transaction():
                delivery.deliver(
                    sandbox.mailbox(owner), Mail(sender=Address("eve@example.org"), subject=name, body="Hello")
                )
            assert len(sandboxes._awake) <= 4
        writes = [sandboxes.named(name).db.writes for name in names]
        assert all(writes)
        assert writes == [sandboxes.named(name).db.writes for name in names]
        for name in names:
            sandbox, owner = sandboxes.find(name)
            assert 2 == mail.mailbox_counts(sandbox.db)[owner.id].unread


def test_start_opens_no_file_that_the_index_knows(tmp_path: Path) -> None:
    """After a clean stop, a sandbox is opened when it is needed; one that changed since is opened at the start."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "changed", "idle")
    change(tmp_path / "changed.sqlite", "UPDATE mailbox SET display_name = 'Zoe'")
    with opened(tmp_path) as sandboxes:
        assert {"changed", DEFAULT} == {sandbox.name for sandbox in sandboxes.opened()}
        assert ("idle",) == sandboxes.ids_of("idle")
        assert "Zoe" == sandboxes.find("changed")[1].display_name
        assert "idle" == sandboxes.look_up("idle").sandbox.name
        with pytest.raises(Conflict):
            sandboxes.create("changed")


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b'{"version": 5, "sandboxes": {"a": 1}}'])
def test_a_broken_index_is_no_problem(tmp_path: Path, content: bytes) -> None:
    """The index is only a help."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "one")
    (tmp_path / ".index.json").write_bytes(content)
    with opened(tmp_path) as sandboxes:
        assert "one" == sandboxes.find("one")[0].name


@pytest.mark.parametrize("rests", [False, True])
def test_a_deleted_file_is_noticed(tmp_path: Path, rests: bool) -> None:
    """A database that was deleted while the server ran takes no more writes; deletion and creation make it new."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "gone")
        db = sandboxes.named("gone").db
        if rests:
            assert db.rest()
        (tmp_path / "gone.sqlite").unlink()
        with pytest.raises(FileLost, match=r"gone\.sqlite was deleted or replaced"), db.transaction():
            pass
        sandboxes.delete("gone")
        create(sandboxes, "gone")
        with sandboxes.named("gone").db.transaction():
            pass


def test_a_resting_database_keeps_no_messages_in_memory(tmp_path: Path) -> None:
    """A list remembers messages until the file is closed."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "box")
        sandbox, owner = sandboxes.find("box")
        delivery.deliver(sandbox.mailbox(owner), Mail(sender=Address("a@example.com"), subject="Hello"))
        list_inbox = partial(mail.newest_messages, sandbox.db, owner.inbox_id, Facets(False, False, False, ""), 10, 0)
        (listed,) = list_inbox()
        assert listed is next(iter(list_inbox()))
        assert sandbox.db.rest()
        assert listed is not (again := next(iter(list_inbox())))
        assert listed == again


def test_an_imported_sandbox_is_finished(tmp_path: Path) -> None:
    """The file of a sandbox that was being created is imported for good."""
    with opened(tmp_path / "old") as sandboxes:
        sandboxes.connect(sandboxes.create("box", unfinished=True), "box", "box@example.com")
    file = (tmp_path / "old" / "box.sqlite").read_bytes()
    with opened(tmp_path / "new") as sandboxes:
        sandboxes.create("box")
        sandboxes.import_file("box", file)
    with opened(tmp_path / "new") as sandboxes:
        assert "box@example.com" == sandboxes.find("box")[1].address


def test_a_clock_that_cannot_be_kept_has_not_moved(tmp_path: Path) -> None:
    """When the new time cannot be written, the clock shows the old one."""
    with opened(tmp_path) as sandboxes:
        create(sandboxes, "box")
        clock = sandboxes.named("box").clock
        clock.freeze()
        before = clock.now(), clock.state.frozen_at
        sandboxes.named("box").db.execute("PRAGMA query_only = ON")
        for move in (partial(clock.advance, 1_000_000), clock.follow, partial(clock.start, 5), clock.freeze):
            with pytest.raises(sqlite3.OperationalError):
                move()
            assert before == (clock.now(), clock.state.frozen_at)
        sandboxes.named("box").db.execute("PRAGMA query_only = OFF")


def test_files_are_for_their_owner(tmp_path: Path) -> None:
    """Databases, their logs, snapshots and the index can be read by their owner alone; so can the folders."""
    folder = tmp_path / "data"
    with opened(folder) as sandboxes:
        create(sandboxes, "box")
        sandboxes.named("box").save("kept")
        modes = {path.relative_to(folder): path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    modes |= {path.relative_to(folder): path.stat().st_mode & 0o777 for path in folder.rglob("*")}

    assert 0o700 == folder.stat().st_mode & 0o777 == modes.pop(Path("box.snapshots"))
    assert {Path("box.sqlite"), Path("box.sqlite-wal"), Path(".index.json")} < modes.keys()
    assert {0o600} == set(modes.values())


def test_errors_are_storage_errors() -> None:
    """An unusable sandbox is a case of unavailable storage."""
    assert issubclass(SandboxUnusable, StorageUnavailable)
    assert not issubclass(SandboxUnusable, NotFound)
