"""Database images: their content, replacing a database by an image, and images that are rejected."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.opening import SCHEMA_VERSION


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


def image_after(*statements: str, pragmas: tuple[str, ...] = ()) -> bytes:
    """The image of an empty database after statements that the emulator never runs."""
    with closing(Database()) as database, closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
        other.deserialize(database.image())
        for statement in (*pragmas, *statements):
            other.execute(statement)
        return other.serialize()


def foreign(*statements: str) -> bytes:
    """The image of a database with another schema, but with our schema version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in (*statements, f"PRAGMA user_version = {SCHEMA_VERSION}"):
            database.execute(statement)
        return database.serialize()


# Content of an image


def test_an_image_holds_all_rows_and_extra_state(db: Database) -> None:
    """An image has all rows and the extra state passed to it, which the database itself does not get."""
    put(db, "a")
    with closing(Database(image=db.image({"b": "y"}))) as copy:
        values = state_values(copy)

    assert ({"a": "x", "b": "y"}, {"a": "x"}) == (values, state_values(db))


def test_an_image_is_a_standalone_file(db: Database, tmp_path: Path) -> None:
    """An image written to disk is a valid SQLite file without a write-ahead log."""
    put(db, "a")
    path = tmp_path / "copy.sqlite"
    path.write_bytes(db.image())
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT key, value FROM sandbox_state").fetchall()
        mode = other.execute("PRAGMA journal_mode").fetchone()
        verdict = other.execute("PRAGMA integrity_check").fetchone()

    assert ([("a", "x")], ("delete",), ("ok",)) == (rows, mode, verdict)


def test_a_copied_file_is_an_image(tmp_path: Path) -> None:
    """A copy of a database file is a valid image, even in write-ahead mode."""
    path = tmp_path / "box.sqlite"
    with closing(Database(path)) as db:
        put(db, "a")
    with closing(Database(image=path.read_bytes())) as copy:
        copy.check()

        assert {"a": "x"} == state_values(copy)


def test_no_image_within_a_transaction(db: Database) -> None:
    """An image within a transaction is rejected, and the transaction continues."""
    with db.transaction():
        put(db, "a")
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            db.image()
        put(db, "b")

    assert {"a": "x", "b": "x"} == state_values(db)


# Replacing a database


def test_take_over(db: Database) -> None:
    """The other database replaces all rows, the id counters and the text index."""
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


def test_take_over_invalidates_caches(db: Database) -> None:
    """Counters and a flag show that the data changed, and whether it was replaced or cleared."""
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


def test_a_file_keeps_replaced_data(tmp_path: Path) -> None:
    """A reopened file has the data that replaced its own, and stays in write-ahead mode."""
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


def test_failed_take_over_changes_nothing(db: Database) -> None:
    """A replacement that does not fit on the disk leaves the database unchanged."""
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


def test_no_take_over_within_a_transaction(db: Database) -> None:
    """Replacing a database within a transaction is rejected, and the transaction continues."""
    with closing(Database()) as other, db.transaction():
        put(db, "a")
        with pytest.raises(sqlite3.OperationalError, match="in use"):
            db.take_over(other)

    assert {"a": "x"} == state_values(db)


# Invalid images

GOOD = image_after()
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
    (
        image_after("CREATE TABLE cat (name TEXT)", "PRAGMA user_version = 1"),
        "its schema is that of no version of this emulator",
    ),
    (image_after("PRAGMA user_version = -1"), f"schema version -1, this emulator needs {SCHEMA_VERSION}"),
    (foreign(), "its schema format differs from that of"),
    (foreign("CREATE TABLE cat (name TEXT)"), "its table 'cat' does not belong"),
    (image_after("CREATE TABLE cat (name TEXT)"), "its table 'cat' does not belong"),
    (image_after("CREATE TABLE cat AS SELECT 1 AS one"), "its table 'cat' does not belong"),
    (
        image_after("CREATE TRIGGER evil AFTER INSERT ON sandbox_state BEGIN DELETE FROM mailbox; END"),
        "its trigger 'evil' does not belong",
    ),
    (image_after("CREATE VIEW evil AS SELECT load_extension('evil')"), "its view 'evil' does not belong"),
    (image_after("CREATE VIRTUAL TABLE evil USING fts5(x)"), "its table 'evil"),
    (image_after("CREATE INDEX evil ON sandbox_state (value)"), "its index 'evil' does not belong"),
    (image_after("DROP TABLE question"), "the table 'question' is missing"),
    (image_after("DROP INDEX message_folder"), "the index 'message_folder' is missing"),
    (image_after("ALTER TABLE question ADD COLUMN mood TEXT"), "its table 'question' does not belong"),
    (image_after("ALTER TABLE question DROP COLUMN withdrawn"), "its table 'question' does not belong"),
    (image_after("ALTER TABLE question RENAME COLUMN token TO code"), "'question"),
    (
        image_after(
            "UPDATE sqlite_schema SET sql = replace(sql, 'recipients TEXT', 'recipients BLOB') WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "its table 'question' does not belong",
    ),
    (
        image_after(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE question (' WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "malformed database schema",
    ),
    (
        image_after(
            "UPDATE sqlite_schema SET name = NULL WHERE name = 'question'", pragmas=("PRAGMA writable_schema = ON",)
        ),
        "not a readable SQLite database|does not belong|is missing",
    ),
    (
        image_after(
            "UPDATE sqlite_schema SET sql = CAST(x'ff' AS TEXT) WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "not a readable SQLite database",
    ),
    (
        image_after(
            "UPDATE sqlite_schema SET name = CAST(x'ff' AS TEXT), sql = 'CREATE TABLE (' WHERE name = 'question'",
            pragmas=("PRAGMA writable_schema = ON",),
        ),
        "not a readable SQLite database",
    ),
    (foreign("PRAGMA encoding = 'UTF-16le'", *sql.SCHEMA), "its text encoding differs from that of"),
    (image_after("PRAGMA auto_vacuum = FULL", "VACUUM"), "its vacuum mode differs from that of"),
    (foreign("PRAGMA page_size = 1024", *sql.SCHEMA), "its page size differs from that of"),
]


@pytest.mark.parametrize(("image", "reason"), NONE, ids=range(len(NONE)))
def test_invalid_image(image: bytes, reason: str) -> None:
    """Bytes that are not a database, or a database with another schema, are rejected with the reason."""
    with pytest.raises(ValueError, match=reason):
        Database(image=image)


OTHER_ROOT = "(SELECT rootpage FROM sqlite_schema WHERE name = 'connection')"
ONE_ROOT = f"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = {OTHER_ROOT} WHERE name = 'sandbox_state'"
INDEX_ROW = "INSERT INTO message_search (rowid, subject) VALUES (1, 'engine')"
PUSH = (
    "INSERT INTO mailbox VALUES (1, 'a', 'b', 1, 2, 3)"
    "; INSERT INTO push VALUES ('a', 'b', 1, 'c', 'd', '{}', 0, 'e', {})"
)
BROKEN = [
    ("INSERT INTO connection VALUES ('a', 7)", "its table 'connection' refers to a missing mailbox"),
    ("INSERT INTO sandbox_state VALUES ('a', x'00')", "its table 'sandbox_state' has a value of the wrong kind"),
    (
        "INSERT INTO sandbox_state VALUES ('a', CAST(x'ff' AS TEXT))",
        "has a text that is no UTF-8 in row 1",
    ),
    ("INSERT INTO mailbox VALUES (1, 'a', 'b', 'inbox', 2, 3)", "its table 'mailbox' has a value of the wrong kind"),
    (PUSH.format("x", 0), "its table 'push' has a value that cannot be read"),
    (PUSH.format("[1]", 0), "its table 'push' has a value that cannot be read"),
    (PUSH.format("{}", 2**62), "its table 'push' has a value out of range in 'created'"),
    (f"{INDEX_ROW}; DELETE FROM message_search_data WHERE id > 10", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_content SET c1 = 'loom'", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_data SET block = x'ff'", "it is damaged"),
    (f"{INDEX_ROW}; UPDATE message_search_config SET v = 99", "it is damaged"),
    (ONE_ROOT, "it is damaged"),
]


@pytest.mark.parametrize(("script", "reason"), BROKEN, ids=range(len(BROKEN)))
def test_a_damaged_image(script: str, reason: str) -> None:
    """An image with the right schema but inconsistent content fails the check."""
    image = image_after(*script.split("; "))

    with closing(Database(image=image)) as db, pytest.raises(ValueError, match=reason):
        db.check()


@pytest.mark.slow
def test_any_damaged_page_is_detected() -> None:
    """Damage to any page is detected on opening or by the check."""
    with closing(Database()) as database:
        for number in range(200):
            put(database, f"key {number}", "x" * 500)
            index(database, number, f"word{number}")
        image = database.image()
    pages = range(0, len(image), 4096)

    assert not passes(image[:24] + b"\xff" * 20 + image[44:])
    assert [] == [at for at in pages if passes(image[:at] + b"\xa5" * 4096 + image[at + 4096 :])]


def passes(image: bytes) -> bool:
    """Whether the image opens as a database and passes the check."""
    try:
        with closing(Database(image=image)) as db:
            db.check()
    except ValueError:
        return False
    return True
