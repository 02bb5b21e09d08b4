"""A sandbox's database: transactions, reset, and files that survive, or are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.store import sql
from outlook_emulator.store.database import SCHEMA_VERSION, Database, FolderLock, IncompatibleFile

KINDS = ("memory", "file")


@pytest.fixture(params=KINDS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "box.sqlite" if request.param == "file" else None)
    yield database
    database.close()


def put(db: Database, key: str, value: str = "x") -> None:
    db.execute(sql.SET_STATE, {"key": key, "value": value})


def state_value(db: Database, key: str) -> str | None:
    row = db.one(sql.STATE, {"key": key})
    return row[0] if row else None


def add_outbox_mail(db: Database) -> int:
    values: dict[str, Any] = {"mailbox_id": 1, "content_id": 1, "recipients": "a@example.com", "at": 0}
    return db.insert(sql.INSERT_OUTBOX_MAIL, values)


def pragma(db: Database, name: str) -> Any:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def fail() -> None:
    raise LookupError("on purpose")


def test_transaction_commits(db: Database) -> None:
    """What a block wrote stays when it ends, and the next block can begin."""
    for key in ("first", "second"):
        with db.transaction():
            put(db, key)

    assert ("x", "x") == (state_value(db, "first"), state_value(db, "second"))


def test_transaction_rolls_back(db: Database) -> None:
    """A block that raises leaves nothing behind, lets the error through, and the next block can begin."""

    def work() -> None:
        with db.transaction():
            put(db, "first")
            fail()

    with pytest.raises(LookupError):
        work()
    with db.transaction():
        put(db, "second")

    assert (None, "x") == (state_value(db, "first"), state_value(db, "second"))


def test_inner_block_joins_the_outer(db: Database) -> None:
    """An inner block commits with the outer one: when the outer one raises later, both are undone."""

    def work() -> None:
        with db.transaction():
            put(db, "outer")
            with db.transaction():
                put(db, "inner")
            fail()

    with pytest.raises(LookupError):
        work()

    assert (None, None) == (state_value(db, "outer"), state_value(db, "inner"))


def test_error_of_an_inner_block_undoes_the_outer(db: Database) -> None:
    """An error that leaves an inner and the outer block undoes both."""

    def work() -> None:
        with db.transaction():
            put(db, "outer")
            with db.transaction():
                fail()

    with pytest.raises(LookupError):
        work()

    assert state_value(db, "outer") is None


def test_failed_commit_leaves_no_transaction_open(db: Database) -> None:
    """When the commit itself is refused, everything is undone and the database stays usable."""
    db.execute("PRAGMA foreign_keys = ON")

    def work() -> None:
        with db.transaction():
            db.execute("PRAGMA defer_foreign_keys = ON")
            put(db, "first")
            add_outbox_mail(db)

    with pytest.raises(sqlite3.IntegrityError):
        work()
    with db.transaction():
        put(db, "second")

    assert (None, "x") == (state_value(db, "first"), state_value(db, "second"))


def test_clear_empties(db: Database) -> None:
    """Once cleared, the database is as it was made: empty, ids from the start, schema in place."""
    first = add_outbox_mail(db)
    put(db, "key")
    with db.transaction():
        db.clear()

    assert ([], None) == (db.all(sql.OUTBOX_MAILS, {}), state_value(db, "key"))
    assert first == add_outbox_mail(db)
    assert pragma(db, "user_version") == SCHEMA_VERSION


def test_ids_are_never_reused(db: Database) -> None:
    """The id of a row that was deleted, even of the newest, names nothing that comes later."""
    keys = [add_outbox_mail(db)]
    for _ in range(3):
        db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": keys[-1]})
        keys.append(add_outbox_mail(db))

    assert sorted(set(keys)) == keys


def test_memory_databases_are_separate() -> None:
    """Two databases in memory share nothing, not even the template they were copied from."""
    with closing(Database()) as first, closing(Database()) as other, closing(Database()) as later:
        put(first, "key")

        assert (None, None) == (state_value(other, "key"), state_value(later, "key"))


def test_file_keeps_what_was_committed(tmp_path: Path) -> None:
    """A file that is opened again has everything, and goes on with its ids where it stopped."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "key", "kept")
        first = add_outbox_mail(db)
        db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": first})
    with closing(Database(path)) as db:
        again = state_value(db, "key"), add_outbox_mail(db)

    assert ("kept", first + 1) == again


def test_file_loses_what_was_not_committed(tmp_path: Path) -> None:
    """A transaction that was open when the file was let go never happened."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        db.transaction().__enter__()
        put(db, "key")
    with closing(Database(path)) as db:
        kept = state_value(db, "key")

    assert kept is None


def test_file_is_cleared_for_good(tmp_path: Path) -> None:
    """Clearing reaches the file, which keeps its write-ahead log."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "key")
        with db.transaction():
            db.clear()
        put(db, "after")
        mode = pragma(db, "journal_mode")
    with closing(Database(path)) as db:
        kept = state_value(db, "key"), state_value(db, "after")

    assert ((None, "x"), "wal") == (kept, mode)


def test_file_survives_a_kill(tmp_path: Path) -> None:
    """A file is written ahead and synchronised when the log is, which keeps what was committed over a kill."""
    normal = 1
    with closing(Database(tmp_path / "box.sqlite")) as db:
        assert ("wal", normal) == (pragma(db, "journal_mode"), pragma(db, "synchronous"))


def test_empty_file_is_filled(tmp_path: Path) -> None:
    """A file that was made but never written, as by a kill in the first moment, becomes a database."""
    path = tmp_path / "box.sqlite"
    path.touch()
    with closing(Database(path)) as db:
        put(db, "key")

        assert state_value(db, "key") == "x"


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_file_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    """A database of another schema is refused with both versions, and not a byte of it is changed."""
    path = tmp_path / "box.sqlite"
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE cat (name TEXT)")
        foreign.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()

    with pytest.raises(IncompatibleFile, match=f"box.sqlite has schema version {version}, .* needs {SCHEMA_VERSION}"):
        Database(path)
    assert before == path.read_bytes()


def test_garbage_is_refused(tmp_path: Path) -> None:
    """A file that is no database is refused by name, and not a byte of it is changed."""
    path = tmp_path / "box.sqlite"
    path.write_bytes(b"Dear diary, " * 200)

    with pytest.raises(IncompatibleFile, match=r"box\.sqlite is no readable SQLite database"):
        Database(path)
    assert path.read_bytes() == b"Dear diary, " * 200


@pytest.mark.parametrize("where", ["folder", "missing/box.sqlite"])
def test_path_that_cannot_be_opened_is_refused(tmp_path: Path, where: str) -> None:
    """A path where no file can be is refused like a file that cannot be read."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(IncompatibleFile, match="cannot be opened"):
        Database(tmp_path / where)


def test_clear_is_undone_with_its_transaction(tmp_path: Path) -> None:
    """A reset that fails half-way, or dies, leaves everything as it was."""

    def work(db: Database) -> None:
        with db.transaction():
            db.clear()
            fail()

    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "key")
        with pytest.raises(LookupError):
            work(db)
        kept = state_value(db, "key")

    assert "x" == kept


def test_folder_has_one_user(tmp_path: Path) -> None:
    """A data folder that one emulator has is refused to a second one, until the first lets go."""
    with closing(FolderLock(tmp_path)), pytest.raises(OSError, match="another emulator keeps its data in"):
        FolderLock(tmp_path)

    FolderLock(tmp_path).close()
