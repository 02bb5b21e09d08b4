"""Readers of bodies, made when the first body of their shape comes."""

from __future__ import annotations

from functools import partial
from typing import Any

from outlook_emulator.sandbox.aside import aside
from outlook_emulator.wire.body import BodyReader, reader_of

_made: dict[tuple[Any, bool, bool], BodyReader] = {}


async def reader_aside(shape: Any, *, partial_body: bool = False, strict: bool = False) -> BodyReader:
    """The reader of a shape. It takes some 50 ms to make, so the first one is made while other requests are served."""
    key = shape, partial_body, strict
    reader = _made.get(key)
    if reader is None:
        reader = _made[key] = await aside(partial(reader_of, shape, partial_body, strict))
    return reader
