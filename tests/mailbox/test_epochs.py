"""Worlds: which cursors hold after resets and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from outlook_emulator.mailbox import epochs
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database()) as made:
        yield made


def save(db: Database) -> list[int]:
    """What a snapshot of the worlds holds."""
    before = epochs.living(db)
    epochs.begin(db, after=before)
    return before


def restore(db: Database, saved: list[int]) -> None:
    beyond = epochs.present(db)
    db.execute(sql.SET_STATE, {"key": epochs.FACT, "value": epochs.text_of(saved)})
    epochs.begin(db, after=saved, beyond=beyond)


def test_the_first_world(db: Database) -> None:
    """A new sandbox is in a world whose cursors are the only ones."""
    assert ([0], 0) == (epochs.living(db), epochs.present(db))


def test_a_snapshot_divides(db: Database) -> None:
    """What was handed out before a snapshot holds on and after it is restored, what came after only until then."""
    before = epochs.present(db)
    saved = save(db)
    after = epochs.present(db)
    during = epochs.living(db)
    restore(db, saved)

    assert {before, after} <= {*during}
    assert before in epochs.living(db)
    assert after not in epochs.living(db)
    assert epochs.present(db) not in (before, after)


def test_snapshots_of_several_times(db: Database) -> None:
    """Whatever is restored in whichever order, no world comes twice, and those of the past of each snapshot hold."""
    first = save(db)
    second = save(db)
    seen = {*epochs.living(db)}
    for saved in (first, second, first, second, second):
        restore(db, saved)
        assert {*saved} == {*epochs.living(db)} & seen
        assert epochs.present(db) not in seen
        seen.add(epochs.present(db))
        third = save(db)
        seen.add(epochs.present(db))
        restore(db, third)
        assert {*third} < {*epochs.living(db)}
        seen.add(epochs.present(db))


def test_a_reset_begins_anew(db: Database) -> None:
    """After a reset nothing holds that was handed out before."""
    save(db)
    beyond = epochs.present(db)
    with db.transaction():
        db.clear()
        epochs.begin(db, beyond=beyond)

    assert [beyond + 1] == epochs.living(db)


def test_worlds_are_forgotten_in_the_end(db: Database) -> None:
    """Of very many worlds the newest thousand hold."""
    for _ in range(1500):
        save(db)

    assert list(range(501, 1501)) == epochs.living(db)
