"""Checks a sandbox from a file, and adapts an exported one to the one that it replaces."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from outlook_emulator.clock import LATEST
from outlook_emulator.ids import check_connection_id
from outlook_emulator.mailbox import changes, epochs
from outlook_emulator.mailbox.approvals import questions
from outlook_emulator.mailbox.calendar import event_rows
from outlook_emulator.mailbox.mail import search_index
from outlook_emulator.sandbox import state
from outlook_emulator.store import mailboxes, triggers
from outlook_emulator.store.database import Database

_PUSH = "push"
"""The kind of the callbacks of push triggers."""


def adopt(db: Database, *, prefix: str, samples: Collection[str], epoch: int) -> None:
    """Make the database of another sandbox fit to replace this sandbox's. Call `check` before.

    Connection ids get the prefix. A mailbox that was loaded from a sample other than `samples` becomes an ordinary one.
    Cursors from the other sandbox and from `epoch`, this one's current epoch, become invalid. Raises ValueError with
    the problem, and InvalidRequest for an invalid connection id.
    """
    with db.transaction():
        ids = set(mailboxes.connections(db))
        # A reset loads the samples again, so leave out paths of the other machine and connections that are gone.
        loaded = {prefix + id: name for id, name in state.read_samples(db) if id in ids and name in samples}
        state.write_samples(db, loaded.items())
        _rename_connections(db, ids, prefix)
        _start_epoch(db, epoch)


def check(db: Database, *, now: int) -> None:
    """Check the database of a sandbox that somebody may have changed. Raises ValueError with the problem.

    `now` is the time of the clock that this sandbox's clock follows.
    """
    db.check()
    _check_more(db, now)


def check_rows(db: Database, *, now: int) -> None:
    """Check the rows of a database in use, as `check` does, but not whether it is damaged. Raises ValueError."""
    db.check_rows()
    _check_more(db, now)


def _check_more(db: Database, now: int) -> None:
    check_state(db, now=now)
    event_rows.check_all(db)


def check_state(db: Database, *, now: int) -> None:
    """Check what a sandbox keeps beside its mailboxes. Raises ValueError with the problem."""
    _check_clock(db, now)
    _check_numbers(db)
    try:
        epochs.valid(db)
    except ValueError as error:
        raise ValueError("its epochs cannot be read") from error


def _check_clock(db: Database, now: int) -> None:
    try:
        clock = state.read_clock(db)
        shown = now + clock.shift if clock.frozen_at is None else clock.frozen_at
        if not 0 <= shown <= LATEST:
            raise ValueError
    except ValueError as error:
        raise ValueError("its clock cannot be read") from error


def _check_numbers(db: Database) -> None:
    try:
        changes.check_start(db)
        search_index.check(db)
        questions.check_key(db)
    except ValueError as error:
        raise ValueError("a number in its state cannot be read") from error


def _start_epoch(db: Database, beyond: int) -> None:
    try:
        epochs.start(db, beyond=beyond)
    except ValueError as error:
        raise ValueError("its epochs cannot be read") from error


def _rename_connections(db: Database, ids: Iterable[str], prefix: str) -> None:
    # Longest first: the new id of one may be the old id of another, which is longer and so has its new id already.
    for id in sorted(ids, key=len, reverse=True):
        check_connection_id(prefix + id)
        mailboxes.rename_connection(db, id, prefix + id)
    triggers.prefix_callback_references(db, _PUSH, prefix)
