"""The worlds of a sandbox: what was handed out in one that is over must not be taken for something of the present one.

A reset begins a new world. A snapshot that is restored begins one as well, in which all holds that was handed out
before the snapshot was taken; to tell that from what came after, taking it begins a world, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database

FACT = "world"
"""Numbers of worlds, oldest first: those whose cursors hold, the present one last. No world has a number of before."""
_KEPT = 1000
"""How many worlds are remembered; cursors of older ones are refused."""


def living(db: Database) -> list[int]:
    """The worlds whose cursors hold, oldest first; the last one is the present one."""
    row = db.one(sql.STATE, {"key": FACT})
    return [int(one) for one in row[0].split()] if row else [0]


def present(db: Database) -> int:
    """The world that a sandbox is in."""
    row = db.one(sql.STATE, {"key": FACT})
    return int(row[0].rpartition(" ")[2]) if row else 0


def begin(db: Database, after: Sequence[int] = (), beyond: int = 0) -> None:
    """Begin a world, in which those `after` which it comes hold good, with a number `beyond` which none was given."""
    number = max(beyond, present(db), *after[-1:]) + 1
    db.execute(sql.SET_STATE, {"key": FACT, "value": text_of([*after, number][-_KEPT:])})


def text_of(worlds: Sequence[int]) -> str:
    return " ".join(map(str, worlds))
