"""Epochs of a sandbox: they tell whether a cursor that was issued earlier is still valid.

A reset starts an epoch in which no earlier cursor is valid. Restoring a snapshot starts one in which the cursors from
before the snapshot are valid. So that cursors from before and after a snapshot can be told apart, taking it starts an
epoch, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlook_emulator.store import sandbox_state
from outlook_emulator.store.database import Database

KEY = "epochs"
"""The key of the epochs in the sandbox's state: numbers, the current one last. No number is used twice."""
_KEPT = 1000
"""How many epochs are remembered; cursors of older ones are refused."""


def valid(db: Database) -> list[int]:
    """The epochs whose cursors are valid, oldest first; the last one is the current epoch."""
    text = sandbox_state.get(db, KEY)
    return [int(number) for number in text.split()] if text else [0]


def current(db: Database) -> int:
    """The current epoch."""
    if db.epoch is None:
        db.epoch = valid(db)[-1]
    return db.epoch


def start(db: Database, after: Sequence[int] = (), beyond: int = 0) -> None:
    """Start an epoch; cursors issued in `after` stay valid; its number exceeds `beyond`."""
    # A restored snapshot brings back an old state, so the number must exceed all that were used outside of it.
    number = max(beyond, current(db), *after[-1:]) + 1
    sandbox_state.put(db, KEY, to_text([*after, number][-_KEPT:]))
    db.epoch = number


def to_text(epochs: Sequence[int]) -> str:
    """The value of the sandbox's state for these epochs."""
    return " ".join(map(str, epochs))
