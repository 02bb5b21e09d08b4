"""A database in memory begins with small pages, and gets usual ones when it grows. Its images always have these."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox import samples
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store import pages, sandbox_state, sql
from outlook_emulator.store.database import Database
from tests.conftest import START

USUAL = 4096


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database()) as database:
        yield database


def page_bytes(db: Database) -> int:
    (size,) = db.one("PRAGMA page_size", {})
    return int(size)


def page_bytes_of(image: bytes) -> int:
    """The size of pages that the header of a file names."""
    return int.from_bytes(image[16:18])


def fill(db: Database, rows: int = 300, size: int = 1000) -> None:
    """Write rows in one transaction: with the defaults, more than a database with small pages holds."""
    with db.transaction():
        for number in range(rows):
            sandbox_state.put(db, f"{number}", "x" * size)


def content(db: Database) -> dict[str, list[Any]]:
    """All rows of all tables, those of the search index and the counters of ids as well."""
    names = [name for (name,) in db.all("SELECT name FROM sqlite_schema WHERE type = 'table'", {})]
    return {name: db.all(f"SELECT * FROM {name}", {}) for name in names}


def write_everywhere(db: Database) -> None:
    """Write a mailbox with a mail that is indexed, and delete the last row of a table that counts its ids."""
    mail = {"folder": "Inbox", "received": START, "from": "a@example.com", "subject": "Engine", "text": "Hello"}
    sample = samples.described({"address": "me@example.com", "display_name": "Me", "mail": [mail]})
    Sandbox("a", db, VirtualClock(START), Settings()).load_sample(sample, "me")
    db.execute("DELETE FROM calendar WHERE id = ?", (add_calendar(db),))


def add_calendar(db: Database) -> int:
    (mailbox_id,) = db.one("SELECT id FROM mailbox", {})
    return db.insert(sql.INSERT_CALENDAR, {"mailbox_id": mailbox_id, "name": "Plans", "is_default": 0})


def hits(db: Database, word: str) -> int:
    """How many mails the search index finds."""
    return len(db.all("SELECT rowid FROM message_search WHERE message_search MATCH :word", {"word": word}))


def test_an_empty_database_takes_little_memory(db: Database, tmp_path: Path) -> None:
    """In memory, an empty database has less than a quarter of the bytes of one in a file."""
    with closing(Database(tmp_path / "a.sqlite")) as file:
        assert db.size < file.size / 4


def test_a_database_that_grows(db: Database) -> None:
    """At the begin of the next transaction, it gets usual pages; what it holds and counts stays."""
    write_everywhere(db)
    fill(db)
    before, writes = content(db), db.writes
    assert page_bytes(db) < USUAL
    with db.transaction():
        assert USUAL == page_bytes(db)
        assert before == content(db)
        assert writes <= db.writes
        assert (1, 3) == (hits(db, "engine"), add_calendar(db))
    assert writes < db.writes
    db.check()


def test_a_database_that_grows_row_by_row(db: Database) -> None:
    """It looks at its size now and then, and once a large value is written."""
    for number in range(1000):
        with db.transaction():
            sandbox_state.put(db, f"{number}", "x" * 1000)
    assert USUAL == page_bytes(db)
    with closing(Database()) as other:
        for _ in range(2):
            assert page_bytes(other) < USUAL
            with other.transaction():
                sandbox_state.put(other, "a", "x" * 300_000)
                other.note_size(300_000)
        assert USUAL == page_bytes(other)


def test_not_within_a_transaction(db: Database) -> None:
    """An inner block changes no pages, and the transaction can be undone."""

    def write() -> None:
        with db.transaction():
            fill(db)
            db.expect(10_000)
            with db.transaction():
                assert page_bytes(db) < USUAL
            raise LookupError

    with pytest.raises(LookupError):
        write()
    assert [] == content(db)["sandbox_state"]


def test_a_database_that_grows_in_a_thread(db: Database) -> None:
    """One that is lent can grow in the block, and is used afterwards."""
    with db.lent():
        fill(db)
        with db.transaction():
            sandbox_state.put(db, "in", "x")
        assert "x" == sandbox_state.get(db, "in")
    assert ("x", USUAL) == (sandbox_state.get(db, "in"), page_bytes(db))


def test_a_database_that_grows_much_at_once(db: Database) -> None:
    """To copy it would take long: it gets usual pages in a thread only, at the end of the block."""
    fill(db, 9000)
    fill(db, 1)
    assert page_bytes(db) < USUAL
    with db.lent():
        sandbox_state.put(db, "in", "x")
    assert ("x", USUAL) == (sandbox_state.get(db, "in"), page_bytes(db))


def test_a_database_that_grows_rests_and_wakes(db: Database) -> None:
    """It can be packed before and after."""
    for _ in range(3):
        fill(db)
        before = content(db)
        assert db.rest()
        assert before == content(db)
    assert USUAL == page_bytes(db)


@pytest.mark.parametrize(("items", "is_usual"), [(10, False), (10_000, True)])
def test_many_items_that_are_expected(db: Database, items: int, is_usual: bool) -> None:
    """Before a transaction that adds much, it gets usual pages."""
    sandbox_state.put(db, "a", "x")
    db.rest()
    db.expect(items)
    assert ("x", is_usual) == (sandbox_state.get(db, "a"), page_bytes(db) == USUAL)


def test_pages_that_cannot_be_changed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of SQLite that protects the tables of the search index: small pages stay, an image is made by a file."""

    def fail(connection: sqlite3.Connection) -> sqlite3.Connection:
        raise sqlite3.OperationalError("table message_search_data may not be modified")

    monkeypatch.setattr(pages, "with_usual_pages", fail)
    write_everywhere(db)
    fill(db)
    fill(db)
    before = content(db)
    image = db.image({"more": "state"})
    assert (before, True) == (content(db), page_bytes(db) < USUAL)
    check_image(image, before)


@pytest.mark.parametrize("rows", [0, 10, 12_000])
def test_images_have_usual_pages(db: Database, rows: int) -> None:
    """The image of a database with small pages, however large, is like that of any other."""
    write_everywhere(db)
    fill(db, rows)
    before = content(db)
    image = db.image({"more": "state"})
    assert (before, True) == (content(db), page_bytes(db) < USUAL)
    check_image(image, before)


def check_image(image: bytes, expected: dict[str, list[Any]]) -> None:
    with closing(Database(image=image)) as copy:
        copy.check()
        assert "state" == sandbox_state.get(copy, "more")
        sandbox_state.delete(copy, "more")
        assert expected == content(copy)
        assert (1, 3) == (hits(copy, "engine"), add_calendar(copy))
    assert USUAL == page_bytes_of(image)


def test_equal_databases_have_equal_images(db: Database) -> None:
    """An image does not show what was deleted before, nor how the pages came about."""
    write_everywhere(db)
    image = db.image()
    fill(db, 100)
    for number in range(100):
        sandbox_state.delete(db, f"{number}")
    assert image == db.image()


def test_taking_over_other_pages(db: Database, tmp_path: Path) -> None:
    """A database takes over one with other pages, in memory or in a file; within a transaction it refuses."""
    write_everywhere(db)
    expected = content(db)
    with closing(Database(image=db.image())) as usual, closing(Database()) as small:
        small.execute("BEGIN")
        with pytest.raises(sqlite3.OperationalError, match="in use"):
            small.take_over(usual)
        small.execute("ROLLBACK")
        writes = small.writes
        small.take_over(usual)
        assert (expected, USUAL) == (content(small), page_bytes(small))
        assert (writes < small.writes, small.is_taken_over) == (True, True)
        small.check()
    with closing(Database(tmp_path / "a.sqlite")) as file:
        file.take_over(db)
        assert (expected, USUAL) == (content(file), page_bytes(file))
        file.check()
    with closing(Database()) as other:
        other.take_over(db)
        assert (expected, True) == (content(other), page_bytes(other) < USUAL)
        other.check()


def test_a_database_taken_over_in_a_thread(db: Database) -> None:
    """A statement after the block reaches the new content."""
    with closing(Database(image=db.image({"a": "x"}))) as other, db.lent():
        db.take_over(other)
        assert "x" == sandbox_state.get(db, "a")
    assert "x" == sandbox_state.get(db, "a")
