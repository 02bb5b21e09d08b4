"""What a sandbox knows about itself: its clock, the samples it was filled from, and where its chance stands."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import orjson

from outlook_emulator.clock import ClockState
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database

RNG = "chance"
"""Where a generator of ids stands; of snapshots and exports only."""
_CLOCK = "clock"
_SAMPLES = "seeds"


def clock(db: Database) -> ClockState:
    """What the sandbox's clock goes on from."""
    row = db.one(sql.STATE, {"key": _CLOCK})
    return ClockState(**orjson.loads(row[0])) if row else ClockState()


def keep_clock(db: Database, state: ClockState) -> None:
    db.execute(sql.SET_STATE, {"key": _CLOCK, "value": orjson.dumps(state._asdict()).decode()})


def samples(db: Database) -> list[tuple[str, str]]:
    """The connections whose mailboxes were loaded as samples, and the samples' names, in order."""
    row = db.one(sql.STATE, {"key": _SAMPLES})
    lines = row[0].splitlines() if row else ()
    return [(id, name) for id, _, name in (line.partition(" ") for line in lines)]


def keep_samples(db: Database, loaded: Iterable[tuple[str, str]]) -> None:
    text = "\n".join(f"{id} {name}" for id, name in loaded)
    db.execute(sql.SET_STATE, {"key": _SAMPLES, "value": text})


def text_of(rng: Random) -> str:
    """Where a generator stands, as a text."""
    version, numbers, _ = rng.getstate()
    return orjson.dumps([version, *numbers]).decode()


def rng(db: Database) -> Random | None:
    """The generator that stands where the text says, None where there is none. Raises ValueError."""
    row = db.one(sql.STATE, {"key": RNG})
    if row is None:
        return None
    made = Random()
    try:
        version, *numbers = orjson.loads(row[0])
        made.setstate((version, tuple(numbers), None))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its generator of ids cannot be read") from error
    # One that stands at nothing draws zeros for ever, and who draws until an id is free would never end.
    if not any(numbers[1:-1]):
        raise ValueError("its generator of ids stands still")
    return made
