"""Runs sliced work on the event loop, so that no request keeps the others waiting."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TypeVar

from outlook_emulator.errors import StartedOver
from outlook_emulator.slices import Sliced
from outlook_emulator.store.database import Database

SLICE = 0.005
"""How long work goes on before other requests get their turn, in seconds."""
_Result = TypeVar("_Result")


async def in_slices(work: Sliced[_Result], db: Database | None = None) -> _Result:
    """The result of sliced work; other requests run between its slices.

    Raises StartedOver if the sandbox of `db` is reset, replaced or deleted meanwhile.
    """
    generation = 0 if db is None else db.generation
    pause_at = perf_counter() + SLICE
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result
        if perf_counter() < pause_at:
            continue
        await asyncio.sleep(0)
        if db is not None:
            await db.turn.free()
        if db is not None and (db.closed or db.generation != generation):
            work.close()
            raise StartedOver()
        pause_at = perf_counter() + SLICE
