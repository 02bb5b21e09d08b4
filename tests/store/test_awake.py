"""Databases rest while nobody uses them, and have their content when they wake."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outlook_emulator.store import sandbox_state
from outlook_emulator.store.awake import AwakeDatabases
from outlook_emulator.store.database import Database


class Db:
    """A database that always can rest."""

    def __init__(self, databases: AwakeDatabases, *, used: bool = False) -> None:
        self.used, self.is_resting = used, False
        self._databases = databases
        databases.add(self)

    def rest(self) -> bool:
        self._databases.remove(self)
        self.is_resting = True
        return True


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database(awake=AwakeDatabases(10))) as database:
        yield database


def test_what_was_used_stays_awake() -> None:
    """The database that rests is one that was not used since the last one rested."""
    databases = AwakeDatabases(3)
    first = Db(databases, used=True)
    others = [Db(databases) for _ in range(3)]

    assert [False, True, False, False] == [db.is_resting for db in (first, *others)]
    assert (3, False) == (len(databases), first.used)


def test_of_many_unused_databases_few_stay_awake() -> None:
    """Beyond a few, an unused database rests as soon as another one comes; used ones stay while there is room."""
    databases = AwakeDatabases(6, few=2)
    used = [Db(databases, used=True) for _ in range(4)]
    unused = [Db(databases) for _ in range(4)]

    assert [False] * 4 == [db.is_resting for db in used]
    assert [True, True, True, False] == [db.is_resting for db in unused]


def test_what_is_no_longer_used_rests_in_the_second_round() -> None:
    """One database rests in each step, until few are awake."""
    databases = AwakeDatabases(6, few=2)
    dbs = [Db(databases, used=True) for _ in range(6)]

    assert [] == list(databases.rest_unused())
    dbs[0].used = True
    steps = databases.rest_unused()
    next(steps)
    assert [False, True, False, False, False, False] == [db.is_resting for db in dbs]
    assert (3, 2, False) == (len(list(steps)), len(databases), dbs[0].is_resting)


def test_a_database_in_memory_is_packed_and_wakes(db: Database) -> None:
    """Content, the id counters and the number of writes are as before; the same holds for a transaction."""
    sandbox_state.put(db, "a", "x")
    writes = db.writes

    assert db.rest()
    assert (True, writes) == (db.is_resting, db.writes)
    assert "x" == sandbox_state.get(db, "a")
    assert (False, writes) == (db.is_resting, db.writes)
    assert db.rest()
    with db.transaction():
        sandbox_state.put(db, "b", "y")
    assert ("x", "y") == (sandbox_state.get(db, "a"), sandbox_state.get(db, "b"))
    assert writes < db.writes
    db.check()


def test_a_packed_database_is_replaced_and_copied(db: Database) -> None:
    """A packed database wakes for an image, and when another one replaces its content."""
    sandbox_state.put(db, "a", "x")
    db.rest()
    with closing(Database(image=db.image())) as copy:
        assert "x" == sandbox_state.get(copy, "a")
        sandbox_state.put(copy, "a", "z")
        db.rest()
        db.take_over(copy)
    assert "z" == sandbox_state.get(db, "a")


def test_no_rest_within_a_transaction(db: Database) -> None:
    with db.transaction():
        sandbox_state.put(db, "a", "x")
        assert not db.rest()
    assert db.rest()


def test_a_large_database_in_memory_stays_awake() -> None:
    """A large one is not packed, and does not count as one that could be, until it is small again."""
    databases = AwakeDatabases(10)
    with closing(Database(awake=databases)) as db:
        sandbox_state.put(db, "a", "x" * 1_000_000)
        assert 1 == len(databases)
        assert not db.rest()
        assert 0 == len(databases)
        assert "x" * 1_000_000 == sandbox_state.get(db, "a")
        assert [] == list(databases.rest_unused())
        sandbox_state.put(db, "a", "small")
        writes = db.writes
        assert [None] == list(databases.rest_unused())
        assert (True, writes) == (db.is_resting, db.writes)
        assert "small" == sandbox_state.get(db, "a")
        assert (1, True) == (len(databases), db.size < 1_000_000)
        db.check()


@pytest.mark.parametrize("name", [None, "a.sqlite"])
def test_a_closed_database_does_not_wake(tmp_path: Path, name: str | None) -> None:
    """A file is not opened again, even if it is there: it may be that of another sandbox with the same name."""
    databases = AwakeDatabases(10)
    db = Database(tmp_path / name if name else None, awake=databases)
    db.rest()
    db.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        sandbox_state.get(db, "a")
    assert 0 == len(databases)
