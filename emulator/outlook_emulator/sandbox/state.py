"""The state of a sandbox outside its mailboxes: its clock, its loaded samples, and its random generator."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import orjson

from outlook_emulator.clock import ClockState
from outlook_emulator.store import sandbox_state
from outlook_emulator.store.database import Database

RNG = "random"
"""The key of the state of the random generator; only snapshots and exports have it."""
_CLOCK = "clock"
_SAMPLES = "samples"


def read_clock(db: Database) -> ClockState:
    """The state of the sandbox's clock. Raises TypeError and ValueError for unreadable state."""
    text = sandbox_state.get(db, _CLOCK)
    return ClockState(**orjson.loads(text)) if text else ClockState()


def write_clock(db: Database, state: ClockState) -> None:
    sandbox_state.put(db, _CLOCK, orjson.dumps(state._asdict()).decode())


def read_samples(db: Database) -> list[tuple[str, str]]:
    """The connection and the name of each sample that was loaded, in order."""
    text = sandbox_state.get(db, _SAMPLES)
    lines = text.splitlines() if text else ()
    # A connection id has no blank, but the name of a sample may be a path that has some.
    return [(id, name) for id, _, name in (line.partition(" ") for line in lines)]


def write_samples(db: Database, samples: Iterable[tuple[str, str]]) -> None:
    sandbox_state.put(db, _SAMPLES, "\n".join(f"{id} {name}" for id, name in samples))


def rng_to_text(rng: Random) -> str:
    """The state of a random generator as a text."""
    # The third part is of use to `gauss` alone.
    version, numbers, _ = rng.getstate()
    return orjson.dumps([version, *numbers]).decode()


def read_rng(db: Database) -> Random | None:
    """A random generator with the stored state, None where no state is stored. Raises ValueError."""
    text = sandbox_state.get(db, RNG)
    if text is None:
        return None
    rng = Random()
    try:
        version, *numbers = orjson.loads(text)
        rng.setstate((version, tuple(numbers), None))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("the state of its random generator cannot be read") from error
    # A generator whose state is all zeros returns zeros for ever: a search for a free id would never end.
    if not any(numbers[1:-1]):
        raise ValueError("the state of its random generator is all zeros")
    return rng
