"""Databases of deleted sandboxes are emptied for new ones, which cannot be told from those that were made anew."""

from __future__ import annotations

import sqlite3

import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store import mailboxes, sandbox_state
from outlook_emulator.store.database import Database
from outlook_emulator.store.spare import SpareDatabases
from tests.conftest import START


@pytest.fixture
def spares() -> SpareDatabases:
    return SpareDatabases()


def used(spares: SpareDatabases, writes: int = 1) -> Database:
    """A database in which something was written and deleted."""
    db = Database(spares=spares)
    for number in range(writes):
        mailboxes.insert(db, number + 1, f"{number}@example.com", "x" * 1000)
    sandbox_state.put(db, "key", "secret")
    sandbox_state.delete(db, "key")
    return db


def test_an_emptied_database_has_the_bytes_of_a_new_one(spares: SpareDatabases) -> None:
    """What was written before leaves no trace in a database that is used again."""
    used(spares).close()
    assert len(spares) == 1
    assert Database(spares=spares).image() == Database().image()
    assert len(spares) == 0


def test_a_database_that_has_grown_is_not_kept(spares: SpareDatabases) -> None:
    """Only a new database has as few pages as a new one."""
    used(spares, writes=20).close()
    assert len(spares) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO message_search (message_id, subject) VALUES (1, 'secret')",
        "DROP TABLE question",
        "BEGIN",
    ],
)
def test_a_database_that_cannot_become_like_new_is_not_kept(spares: SpareDatabases, statement: str) -> None:
    """A database whose search index, schema or transaction is not as at first is closed."""
    db = Database(spares=spares)
    db.execute(statement)
    db.close()
    assert len(spares) == 0
    assert Database(spares=spares).image() == Database().image()


def test_a_late_statement_does_not_reach_the_next_owner(spares: SpareDatabases) -> None:
    """A request that was under way when its sandbox was deleted fails, as with a closed database."""
    late = used(spares)
    late.close()
    Database(spares=spares)
    for use in (lambda: late.one("SELECT 1", {}), late.transaction, late.image):
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            use()


def test_few_are_kept_and_unused_ones_are_closed(spares: SpareDatabases) -> None:
    """Spare databases take memory, so few are kept, and none when no sandboxes are created any more."""
    for db in [used(spares) for _ in range(20)]:
        db.close()
    assert 0 < len(spares) < 20
    spares.close_unused()
    assert len(spares)
    spares.close_unused()
    assert len(spares) == 0


def test_a_sandbox_in_an_emptied_database_is_the_same_as_the_one_before() -> None:
    """With the same seed, a sandbox with the name of a deleted one has the same ids and the same export."""
    sandboxes = Sandboxes(Settings(random_seed=7), VirtualClock(START))
    first = _made(sandboxes)
    sandboxes.delete("t1")
    assert _made(sandboxes) == first


def _made(sandboxes: Sandboxes) -> tuple[int, bytes]:
    sandbox: Sandbox = sandboxes.create("t1")
    owner = sandboxes.connect(sandbox, "t1.me", "me@example.com", "Me", ["us@example.com"])
    return owner.id, sandbox.export()
