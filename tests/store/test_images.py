"""Whole databases as bytes: what they hold, how one takes the place of another, and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.store import sql
from outlook_emulator.store.database import SCHEMA_VERSION, Database


@pytest.fixture(params=("memory", "file"))
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "box.sqlite" if request.param == "file" else None)
    yield database
    database.close()


def put(db: Database, key: str, value: str = "x") -> None:
    db.execute(sql.SET_STATE, {"key": key, "value": value})


def state_values(db: Database) -> dict[str, str]:
    return dict(db.all("SELECT key, value FROM sandbox_state", {}))


def add_outbox_mail(db: Database) -> int:
    values: dict[str, Any] = {"mailbox_id": 1, "content_id": 1, "recipients": "a@example.com", "at": 0}
    return db.insert(sql.INSERT_OUTBOX_MAIL, values)


def index(db: Database, rowid: int, subject: str) -> None:
    names = ("message_id", "body", "sender", "recipients_to", "recipients_cc", "recipients_bcc", "attachments", "tags")
    db.execute(sql.INDEX_MESSAGE, {"rowid": rowid, "subject": subject, **dict.fromkeys(names, "")})


def search(db: Database, word: str) -> list[int]:
    rows = db.all(sql.SEARCH, {"match": word, "since": 0, "until": 100, "top": 10})
    return [rowid for rowid, _ in rows]


def changed(*statements: str, pragmas: tuple[str, ...] = ()) -> bytes:
    """The image of an empty database, to which something was done that the emulator never does."""
    with closing(Database()) as database, closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
        other.deserialize(database.image())
        for statement in (*pragmas, *statements):
            other.execute(statement)
        return other.serialize()


def foreign(*statements: str) -> bytes:
    """The image of a database that is none of ours, though it bears our version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in (*statements, f"PRAGMA user_version = {SCHEMA_VERSION}"):
            database.execute(statement)
        return database.serialize()


# What an image holds


def test_an_image_holds_everything_and_more(db: Database) -> None:
    """An image has what is there and the facts it is told; the database itself does not get them."""
    put(db, "a")
    with closing(Database(image=db.image({"b": "y"}))) as copy:
        values = state_values(copy)

    assert ({"a": "x", "b": "y"}, {"a": "x"}) == (values, state_values(db))


def test_an_image_is_a_file_by_itself(db: Database, tmp_path: Path) -> None:
    """Written down, an image is an SQLite file that anything can read, without a log beside it."""
    put(db, "a")
    path = tmp_path / "copy.sqlite"
    path.write_bytes(db.image())
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT key, value FROM sandbox_state").fetchall()
        mode = other.execute("PRAGMA journal_mode").fetchone()
        verdict = other.execute("PRAGMA integrity_check").fetchone()

    assert ([("a", "x")], ("delete",), ("ok",)) == (rows, mode, verdict)


def test_a_file_that_was_copied_is_an_image(tmp_path: Path) -> None:
    """The bytes of a database's own file will do, too, though they were written ahead by a log."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "a")
    with closing(Database(image=path.read_bytes())) as copy:
        copy.check()

        assert {"a": "x"} == state_values(copy)


def test_there_is_no_image_of_half_a_transaction(db: Database) -> None:
    """Inside a transaction an image is refused, and the transaction goes on."""
    with db.transaction():
        put(db, "a")
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            db.image()
        put(db, "b")

    assert {"a": "x", "b": "x"} == state_values(db)


# One in the place of another


def test_taking_over(db: Database) -> None:
    """All that was there is gone for all that was in the other, down to the ids that come next and the text index."""
    index(db, 1, "engine")
    first = add_outbox_mail(db)
    db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": first})
    put(db, "a")
    image = db.image()
    index(db, 2, "loom")
    add_outbox_mail(db)
    put(db, "b")
    with closing(Database(image=image)) as other:
        db.take_over(other)

    assert {"a": "x"} == state_values(db)
    assert ([1], []) == (search(db, "engine"), search(db, "loom"))
    assert ([], first + 1) == (db.all(sql.OUTBOX_MAILS, {}), add_outbox_mail(db))
    index(db, 2, "loom")
    assert [2] == search(db, "loom")


def test_what_was_read_before_is_told_apart(db: Database) -> None:
    """Whoever remembers something of a database can see that all was replaced, and that it was not just dropped."""
    with closing(Database()) as other:
        db.last_change = 5
        before = db.generation, db.writes, db.is_taken_over
        db.take_over(other)
        after = db.generation, db.writes, db.is_taken_over
        remembered = db.last_change
    with db.transaction():
        db.clear()

    assert (False, True, False) == (before[2], after[2], db.is_taken_over)
    assert before[0] < after[0] < db.generation
    assert before[1] < after[1] < db.writes
    assert remembered is None


def test_a_file_keeps_what_it_took_over(tmp_path: Path) -> None:
    """A file that is opened again holds what it took over, and goes on being written ahead."""
    path = tmp_path / "box.sqlite"
    with closing(Database()) as other:
        put(other, "theirs")
        with closing(Database(path)) as db:
            put(db, "ours")
            db.take_over(other)
            put(db, "later")
    with closing(Database(path)) as db:
        mode = db.one("PRAGMA journal_mode", {})

        assert ({"theirs": "x", "later": "x"}, ("wal",)) == (state_values(db), mode)


def test_taking_over_fails_as_a_whole(db: Database) -> None:
    """Where there is no room for the other one, everything stays as it was."""
    with closing(Database()) as other:
        put(other, "large", "x" * 1_000_000)
        put(db, "a")
        (pages,) = db.one("PRAGMA page_count", {})
        db.execute(f"PRAGMA max_page_count = {pages + 10}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            db.take_over(other)
    put(db, "b")
    db.check()

    assert ({"a": "x", "b": "x"}, 0, False) == (state_values(db), db.generation, db.is_taken_over)


def test_taking_over_waits_for_no_transaction(db: Database) -> None:
    """Inside a transaction taking over is refused, and the transaction goes on."""
    with closing(Database()) as other, db.transaction():
        put(db, "a")
        with pytest.raises(sqlite3.OperationalError, match="in use"):
            db.take_over(other)

    assert {"a": "x"} == state_values(db)


# What is none of ours

GOOD = changed()
HEADER = (16, 17, 20, 44, 47, 48, 51, 52, 55, 56, 57, 58, 59, 64, 67)
"""Bytes of the header that a connection looks at once, and that the emulator never sets."""
NONE = [
    (b"", "not an SQLite database"),
    (b"Dear diary, " * 500, "not an SQLite database"),
    (GOOD[:16], "not an SQLite database"),
    (GOOD[:100], "not a readable SQLite database"),
    (GOOD[:5000], "not a readable SQLite database"),
    (GOOD[:16] + b"\xff" * 84 + GOOD[100:], "schema version -1"),
    *((GOOD[:at] + b"\x40" + GOOD[at + 1 :], "differs from that of this emulator's databases") for at in HEADER),
    (GOOD[:100] + b"\xff" * 4000 + GOOD[4100:], "not a readable SQLite database"),
    (changed("PRAGMA user_version = 1"), f"schema version 1, this emulator needs {SCHEMA_VERSION}"),
    (changed("PRAGMA user_version = -1"), f"schema version -1, this emulator needs {SCHEMA_VERSION}"),
    (foreign(), "its schema format differs from that of"),
    (foreign("CREATE TABLE cat (name TEXT)"), "its table 'cat' does not belong"),
    (changed("CREATE TABLE cat (name TEXT)"), "its table 'cat' does not belong"),
    (changed("CREATE TABLE cat AS SELECT 1 AS one"), "its table 'cat' does not belong"),
    (
        changed("CREATE TRIGGER evil AFTER INSERT ON sandbox_state BEGIN DELETE FROM mailbox; END"),
        "its trigger 'evil' does not belong",
    ),
    (changed("CREATE VIEW evil AS SELECT load_extension('evil')"), "its view 'evil' does not belong"),
    (changed("CREATE VIRTUAL TABLE evil USING fts5(x)"), "its table 'evil"),
    (changed("CREATE INDEX evil ON sandbox_state (value)"), "its index 'evil' does not belong"),
    (changed("DROP TABLE question"), "the table 'question' is missing"),
    (changed("DROP INDEX message_folder"), "the index 'message_folder' is missing"),
    (changed("ALTER TABLE question ADD COLUMN mood TEXT"), "its table 'question' does not belong"),
    (changed("ALTER TABLE question DROP COLUMN withdrawn"), "its table 'question' does not belong"),
    (changed("ALTER TABLE question RENAME COLUMN token TO code"), "'question"),
    (
        changed(
            "UPDATE sqlite_schema SET sql = replace(sql, 'recipients TEXT', 'recipients BLOB') WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "its table 'question' does not belong",
    ),
    (
        changed(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE question (' WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "malformed database schema",
    ),
    (
        changed(
            "UPDATE sqlite_schema SET name = NULL WHERE name = 'question'", pragmas=("PRAGMA writable_schema = ON",)
        ),
        "not a readable SQLite database|does not belong|is missing",
    ),
    (
        changed(
            "UPDATE sqlite_schema SET sql = CAST(x'ff' AS TEXT) WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "not a readable SQLite database",
    ),
    (
        changed(
            "UPDATE sqlite_schema SET name = CAST(x'ff' AS TEXT), sql = 'CREATE TABLE (' WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "not a readable SQLite database",
    ),
    (foreign("PRAGMA encoding = 'UTF-16le'", *sql.SCHEMA), "its text encoding differs from that of"),
    (changed("PRAGMA auto_vacuum = FULL", "VACUUM"), "its vacuum mode differs from that of"),
    (foreign("PRAGMA page_size = 1024", *sql.SCHEMA), "its page size differs from that of"),
]


@pytest.mark.parametrize(("image", "reason"), NONE, ids=range(len(NONE)))
def test_no_image(image: bytes, reason: str) -> None:
    """Bytes that are no database, or one of foreign make, are refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        Database(image=image)


OTHER_ROOT = "(SELECT rootpage FROM sqlite_schema WHERE name = 'connection')"
ONE_ROOT = f"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = {OTHER_ROOT} WHERE name = 'sandbox_state'"
INDEX_ROW = "INSERT INTO message_search (rowid, subject) VALUES (1, 'engine')"
BROKEN = [
    ("INSERT INTO connection VALUES ('a', 7)", "its table 'connection' refers to a missing mailbox"),
    ("INSERT INTO sandbox_state VALUES ('a', x'00')", "its table 'sandbox_state' has a value of the wrong kind"),
    ("INSERT INTO sandbox_state VALUES ('a', CAST(x'ff' AS TEXT))", "it is damaged: Could not decode to UTF-8"),
    ("INSERT INTO mailbox VALUES (1, 'a', 'b', 'inbox', 2, 3)", "its table 'mailbox' has a value of the wrong kind"),
    (f"{INDEX_ROW}; DELETE FROM message_search_data WHERE id > 10", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_content SET c1 = 'loom'", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_data SET block = x'ff'", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_config SET v = 99", "it is damaged"),
    (ONE_ROOT, "it is damaged"),
]


@pytest.mark.parametrize(("script", "reason"), BROKEN, ids=range(len(BROKEN)))
def test_a_damaged_image(script: str, reason: str) -> None:
    """What is made like ours but contradicts itself is found when it is looked through."""
    image = changed(*script.split("; "))

    with closing(Database(image=image)) as db, pytest.raises(ValueError, match=reason):
        db.check()


@pytest.mark.slow
def test_any_damaged_page_is_found() -> None:
    """Whichever page of a database is overwritten, that is found, at once or when it is looked through."""
    with closing(Database()) as database:
        for number in range(200):
            put(database, f"key {number}", "x" * 500)
            index(database, number, f"word{number}")
        image = database.image()
    pages = range(0, len(image), 4096)

    assert not passes(image[:24] + b"\xff" * 20 + image[44:])
    assert [] == [at for at in pages if passes(image[:at] + b"\xa5" * 4096 + image[at + 4096 :])]


def passes(image: bytes) -> bool:
    """Whether a database is made of an image, and nothing is found that is wrong with it."""
    try:
        with closing(Database(image=image)) as db:
            db.check()
    except ValueError:
        return False
    return True
