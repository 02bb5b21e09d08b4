"""Runs sliced work on the event loop, so that no request keeps the others waiting."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Generic, TypeVar

from outlook_emulator.errors import StartedOver
from outlook_emulator.sandbox.aside import alone
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.slices import LONG, Sliced

SLICE = 0.005
"""How long work goes on before other requests get their turn, in seconds."""
_Result = TypeVar("_Result")


async def in_slices(work: Sliced[_Result], sandbox: Sandbox | None = None) -> _Result:
    """The result of sliced work; other requests run between its slices.

    Work that has steps that cannot pause needs its `sandbox`. Raises StartedOver if that is reset, replaced or deleted
    meanwhile.
    """
    db = None if sandbox is None else sandbox.db
    generation = 0 if db is None else db.generation
    steps, is_long = _Steps(work), False
    while True:
        if is_long:
            assert sandbox is not None
            is_long = await alone(sandbox, steps.run, 0)
        else:
            is_long = steps.run(SLICE)
        if steps.is_over:
            return steps.result
        await asyncio.sleep(0)
        if db is not None:
            await db.turn.free()
            if db.closed or db.generation != generation:
                work.close()
                raise StartedOver()


class _Steps(Generic[_Result]):
    """Sliced work, and its result when it is over."""

    result: _Result

    def __init__(self, work: Sliced[_Result]) -> None:
        self._work = work
        self.is_over = False

    def run(self, seconds: float) -> bool:
        """Go on for so long, at least for a step; returns whether the next step is long."""
        pause_at = perf_counter() + seconds
        try:
            while True:
                if next(self._work) == LONG:
                    return True
                if perf_counter() >= pause_at:
                    return False
        except StopIteration as end:
            self.result, self.is_over = end.value, True
            return False
