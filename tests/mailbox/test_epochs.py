"""Epochs: which cursors stay valid after resets and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from outlook_emulator.mailbox import epochs
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database()) as database:
        yield database


def save(db: Database) -> list[int]:
    """Return the valid epochs, as a snapshot stores them, and start a new epoch."""
    before = epochs.valid(db)
    epochs.start(db, after=before)
    return before


def restore(db: Database, saved: list[int]) -> None:
    beyond = epochs.current(db)
    db.execute(sql.SET_STATE, {"key": epochs.KEY, "value": epochs.to_text(saved)})
    epochs.start(db, after=saved, beyond=beyond)


def test_the_first_epoch(db: Database) -> None:
    """In a new sandbox only the current epoch is valid."""
    assert ([0], 0) == (epochs.valid(db), epochs.current(db))


def test_a_snapshot_separates_cursors(db: Database) -> None:
    """After a restore, cursors from before the snapshot stay valid; later cursors are invalid."""
    before = epochs.current(db)
    saved = save(db)
    after = epochs.current(db)
    during = epochs.valid(db)
    restore(db, saved)

    assert {before, after} <= {*during}
    assert before in epochs.valid(db)
    assert after not in epochs.valid(db)
    assert epochs.current(db) not in (before, after)


def test_snapshots_of_several_times(db: Database) -> None:
    """In any order of restores, no epoch number is reused and the epochs before each snapshot stay valid."""
    first = save(db)
    second = save(db)
    seen = {*epochs.valid(db)}
    for saved in (first, second, first, second, second):
        restore(db, saved)
        assert {*saved} == {*epochs.valid(db)} & seen
        assert epochs.current(db) not in seen
        seen.add(epochs.current(db))
        third = save(db)
        seen.add(epochs.current(db))
        restore(db, third)
        assert {*third} < {*epochs.valid(db)}
        seen.add(epochs.current(db))


def test_a_reset_begins_anew(db: Database) -> None:
    """A reset makes all earlier cursors invalid."""
    save(db)
    beyond = epochs.current(db)
    with db.transaction():
        db.clear()
        epochs.start(db, beyond=beyond)

    assert [beyond + 1] == epochs.valid(db)


@pytest.mark.slow
def test_old_epochs_are_forgotten(db: Database) -> None:
    """Only the newest thousand epochs stay valid."""
    for _ in range(1500):
        save(db)

    assert list(range(501, 1501)) == epochs.valid(db)
