"""A sandbox's database: transactions, resets, and files that are kept or rejected."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.store import mail, sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.folder import FolderLock
from outlook_emulator.store.new_rows import NewContent, NewMessage
from outlook_emulator.store.opening import SCHEMA_VERSION, IncompatibleFile
from outlook_emulator.store.records import Facets

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
    """A block's writes are committed at its end, and another block can begin."""
    for key in ("first", "second"):
        with db.transaction():
            put(db, key)

    assert ("x", "x") == (state_value(db, "first"), state_value(db, "second"))


def test_transaction_rolls_back(db: Database) -> None:
    """A block that raises is rolled back, the error propagates, and another block can begin."""

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
    """An inner block commits with the outer block; if the outer block raises later, both are rolled back."""

    def work() -> None:
        with db.transaction():
            put(db, "outer")
            with db.transaction():
                put(db, "inner")
            fail()

    with pytest.raises(LookupError):
        work()

    assert (None, None) == (state_value(db, "outer"), state_value(db, "inner"))


def test_error_of_an_inner_block_rolls_back_the_outer(db: Database) -> None:
    """An error that leaves both blocks rolls both back."""

    def work() -> None:
        with db.transaction():
            put(db, "outer")
            with db.transaction():
                fail()

    with pytest.raises(LookupError):
        work()

    assert state_value(db, "outer") is None


def test_failed_commit_leaves_no_transaction_open(db: Database) -> None:
    """A failed commit is rolled back, and the database stays usable."""
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
    """A cleared database is like a new one: no rows, ids from the start, and the schema in place."""
    first = add_outbox_mail(db)
    put(db, "key")
    with db.transaction():
        db.clear()

    assert ([], None) == (db.all(sql.OUTBOX_MAILS, {}), state_value(db, "key"))
    assert first == add_outbox_mail(db)
    assert pragma(db, "user_version") == SCHEMA_VERSION


def test_ids_are_never_reused(db: Database) -> None:
    """The id of a deleted row is never reused, even if it was the newest row."""
    keys = [add_outbox_mail(db)]
    for _ in range(3):
        db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": keys[-1]})
        keys.append(add_outbox_mail(db))

    assert sorted(set(keys)) == keys


def test_memory_databases_are_separate() -> None:
    """In-memory databases share no data."""
    with closing(Database()) as first, closing(Database()) as other, closing(Database()) as later:
        put(first, "key")

        assert (None, None) == (state_value(other, "key"), state_value(later, "key"))


def test_file_keeps_commits(tmp_path: Path) -> None:
    """A reopened file has all committed rows and continues its ids."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "key", "kept")
        first = add_outbox_mail(db)
        db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": first})
    with closing(Database(path)) as db:
        again = state_value(db, "key"), add_outbox_mail(db)

    assert ("kept", first + 1) == again


def test_file_drops_an_open_transaction(tmp_path: Path) -> None:
    """Closing the database rolls back an open transaction."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        db.transaction().__enter__()
        put(db, "key")
    with closing(Database(path)) as db:
        kept = state_value(db, "key")

    assert kept is None


def test_file_is_cleared_for_good(tmp_path: Path) -> None:
    """Clearing also empties the file, which stays in write-ahead mode."""
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
    """A file uses write-ahead logging with `synchronous=NORMAL`, so commits survive a killed process."""
    normal = 1
    with closing(Database(tmp_path / "box.sqlite")) as db:
        assert ("wal", normal) == (pragma(db, "journal_mode"), pragma(db, "synchronous"))


def test_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """An empty file, as after a kill right after its creation, becomes a database."""
    path = tmp_path / "box.sqlite"
    path.touch()
    with closing(Database(path)) as db:
        put(db, "key")

        assert state_value(db, "key") == "x"


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_file_of_another_version_is_rejected(tmp_path: Path, version: int) -> None:
    """A database with another schema version is rejected with both versions, and its file is unchanged."""
    path = tmp_path / "box.sqlite"
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE cat (name TEXT)")
        foreign.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()

    with pytest.raises(IncompatibleFile, match=f"box.sqlite has schema version {version}, .* needs {SCHEMA_VERSION}"):
        Database(path)
    assert before == path.read_bytes()


def test_garbage_is_rejected(tmp_path: Path) -> None:
    """A file that is not a database is rejected by name and left unchanged."""
    path = tmp_path / "box.sqlite"
    path.write_bytes(b"Dear diary, " * 200)

    with pytest.raises(IncompatibleFile, match=r"box\.sqlite is no readable SQLite database"):
        Database(path)
    assert path.read_bytes() == b"Dear diary, " * 200


@pytest.mark.parametrize("where", ["folder", "missing/box.sqlite"])
def test_path_that_cannot_be_opened_is_rejected(tmp_path: Path, where: str) -> None:
    """A path that cannot be opened is rejected like an unreadable file."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(IncompatibleFile, match="cannot be opened"):
        Database(tmp_path / where)


def test_clear_is_undone_with_its_transaction(tmp_path: Path) -> None:
    """A reset that fails part-way leaves the database unchanged."""

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


def test_folder_has_one_emulator(tmp_path: Path) -> None:
    """A data folder in use by one emulator is rejected for a second one until it is released."""
    with closing(FolderLock(tmp_path)), pytest.raises(OSError, match="another emulator keeps its data in"):
        FolderLock(tmp_path)

    FolderLock(tmp_path).close()


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """The error says what the folder is for, as on a disk that cannot be written."""
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match=f"cannot keep data in {tmp_path}: Is a directory"):
        FolderLock(tmp_path)


def test_a_message_that_was_undone_is_not_remembered(db: Database) -> None:
    """A message that was listed and then rolled back does not appear in the place of the next one with its key."""
    content = NewContent("x", 0, 0, "x", "x", "x", "x", "x", 0, 0, 0, 0, 0, "x", "x", None, "x", None)
    message = NewMessage(1, 1, 0, 1, 0, 0, 1, 0, "")

    def add(body: str) -> list[str]:
        content_id = mail.insert_content(db, content._replace(body=body))
        mail.insert_messages(db, [message._replace(content_id=content_id)])
        return [message.body for message in mail.newest_messages(db, 1, Facets(), 10, 0)]

    def add_in_vain() -> None:
        with db.transaction():
            assert ["undone"] == add("undone")
            fail()

    with pytest.raises(LookupError):
        add_in_vain()

    assert ["kept"] == add("kept")
    assert ["kept"] == [message.body for message in mail.newest_messages(db, 1, Facets(), 10, 0)]
