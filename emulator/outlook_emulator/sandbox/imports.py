"""Sandboxes that come from elsewhere: what is made sure of beyond their tables, and what is made to fit in here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from outlook_emulator.clock import LATEST
from outlook_emulator.mailbox import epochs
from outlook_emulator.mailbox.access import check_connection_id
from outlook_emulator.sandbox import state as facts
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database

_PUSH = "push"


def adopt(db: Database, *, prefix: str, samples: Collection[str], world: int, now: int) -> None:
    """Make the database of another sandbox one that may take this one's place.

    Connection ids are given a prefix, samples other than those named are ordinary mailboxes from now on, and cursors
    hold in neither of the worlds that it and this sandbox were in. `now` is the time of the clock that this sandbox's
    follows. Raises ValueError, saying what is wrong with it, and InvalidRequest for a connection id that cannot be.
    """
    db.check()
    _check_clock(db, now)
    with db.transaction():
        ids = {row[0] for row in db.all(sql.CONNECTIONS, {})}
        # A reset loads what is remembered: no path of the other machine, and no connection that is not here.
        loaded = {prefix + id: name for id, name in facts.samples(db) if id in ids and name in samples}
        facts.keep_samples(db, loaded.items())
        _rename(db, ids, prefix)
        _begin(db, world)


def _check_clock(db: Database, now: int) -> None:
    try:
        state = facts.clock(db)
        shown = now + state.shift if state.frozen_at is None else state.frozen_at
        if not (0 <= shown <= LATEST and isinstance(shown, int) and isinstance(state.shift, int)):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ValueError("its clock cannot be read") from error


def _begin(db: Database, beyond: int) -> None:
    try:
        epochs.begin(db, beyond=beyond)
    except ValueError as error:
        raise ValueError("its worlds cannot be read") from error


def _rename(db: Database, ids: Iterable[str], prefix: str) -> None:
    # Longest first: the new name of one may be the old name of another, which then has a longer one already.
    for id in sorted(ids, key=len, reverse=True):
        check_connection_id(prefix + id)
        db.execute(sql.RENAME_CONNECTION, {"of": id, "to": prefix + id})
        db.execute(sql.RENAME_PUSHES, {"of": id, "to": prefix + id})
    db.execute(sql.RENAME_REFERENCES, {"of": _PUSH, "prefix": prefix})
