"""Readers of bodies, made when the first body of their shape comes."""

from __future__ import annotations

from typing import Any

from outlook_emulator.sandbox.aside import aside
from outlook_emulator.wire.body import BodyReader, reader_of

_ready: set[tuple[Any, bool, bool]] = set()
"""What `reader_of` has made a reader for."""


async def reader_aside(shape: Any, *, partial: bool = False, strict: bool = False) -> BodyReader:
    """The reader of a shape. It takes some 50 ms to make, so the first one is made while other requests are served."""
    order = shape, partial, strict
    if order not in _ready:
        await aside(reader_of, *order)
        _ready.add(order)
    return reader_of(*order)
