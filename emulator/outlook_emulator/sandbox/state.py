"""The state of a sandbox outside its mailboxes: its clock, its loaded samples, and its random generator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

import orjson

from outlook_emulator.clock import ClockState
from outlook_emulator.store import sandbox_state
from outlook_emulator.store.database import Database

RNG = "random"
"""The key of the state of the random generator; only snapshots and exports have it."""
_CLOCK = "clock"
_NAME = "name"
"""The key of the sandbox's name; only databases in files have it, so that a copied file can be told."""
_UNFINISHED = "unfinished"
"""The key of the mark of a sandbox that is being created."""
_SAMPLES = "samples"


def read_clock(db: Database) -> ClockState:
    """The state of the sandbox's clock. Raises ValueError for unreadable state."""
    text = sandbox_state.get(db, _CLOCK)
    try:
        clock = ClockState(**orjson.loads(text)) if text else ClockState()
    except (TypeError, ValueError) as error:
        raise ValueError("its clock cannot be read") from error
    if not isinstance(clock.shift, int) or not isinstance(clock.frozen_at, int | None):
        raise ValueError("its clock cannot be read")
    return clock


def write_clock(db: Database, state: ClockState) -> None:
    sandbox_state.put(db, _CLOCK, orjson.dumps(state._asdict()).decode())


OF_FILE: Mapping[str, None] = {_NAME: None, _UNFINISHED: None}
"""The state that belongs to a file rather than to the sandbox in it, as `Database.image` leaves it out."""


def of_new(name: str, *, unfinished: bool) -> dict[str, str | None]:
    """The state with which the file of a sandbox begins."""
    return {_NAME: name, _UNFINISHED: "yes" if unfinished else None}


def is_finished(db: Database) -> bool:
    """Whether the creation of the sandbox came to its end."""
    return sandbox_state.get(db, _UNFINISHED) is None


def finish(db: Database) -> None:
    """Remove the mark of a sandbox that is being created."""
    sandbox_state.delete(db, _UNFINISHED)


def read_name(db: Database) -> str | None:
    """The name under which a file was used last; None for a file of an earlier version of the emulator."""
    return sandbox_state.get(db, _NAME)


def write_name(db: Database, name: str) -> None:
    sandbox_state.put(db, _NAME, name)


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
