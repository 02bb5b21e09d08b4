"""Worlds: which cursors hold after resets and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from emulator.mailbox import worlds
from emulator.store import sql
from emulator.store.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database()) as made:
        yield made


def save(db: Database) -> list[int]:
    """What a snapshot of the worlds holds."""
    before = worlds.living(db)
    worlds.begin(db, after=before)
    return before


def restore(db: Database, saved: list[int]) -> None:
    beyond = worlds.present(db)
    db.execute(sql.SET_FACT, {"key": worlds.FACT, "value": worlds.text_of(saved)})
    worlds.begin(db, after=saved, beyond=beyond)


def test_the_first_world(db: Database) -> None:
    """A new sandbox is in a world whose cursors are the only ones."""
    assert ([0], 0) == (worlds.living(db), worlds.present(db))


def test_a_snapshot_divides(db: Database) -> None:
    """What was handed out before a snapshot holds on and after it is restored, what came after only until then."""
    before = worlds.present(db)
    saved = save(db)
    after = worlds.present(db)
    during = worlds.living(db)
    restore(db, saved)

    assert {before, after} <= {*during}
    assert before in worlds.living(db)
    assert after not in worlds.living(db)
    assert worlds.present(db) not in (before, after)


def test_snapshots_of_several_times(db: Database) -> None:
    """Whatever is restored in whichever order, no world comes twice, and those of the past of each snapshot hold."""
    first = save(db)
    second = save(db)
    seen = {*worlds.living(db)}
    for saved in (first, second, first, second, second):
        restore(db, saved)
        assert {*saved} == {*worlds.living(db)} & seen
        assert worlds.present(db) not in seen
        seen.add(worlds.present(db))
        third = save(db)
        seen.add(worlds.present(db))
        restore(db, third)
        assert {*third} < {*worlds.living(db)}
        seen.add(worlds.present(db))


def test_a_reset_begins_anew(db: Database) -> None:
    """After a reset nothing holds that was handed out before."""
    save(db)
    beyond = worlds.present(db)
    with db.transaction():
        db.clear()
        worlds.begin(db, beyond=beyond)

    assert [beyond + 1] == worlds.living(db)


def test_worlds_are_forgotten_in_the_end(db: Database) -> None:
    """Of very many worlds the newest thousand hold."""
    for _ in range(1500):
        save(db)

    assert list(range(501, 1501)) == worlds.living(db)
