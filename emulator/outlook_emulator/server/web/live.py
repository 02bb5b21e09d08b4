"""The event stream that tells pages of changes in a sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from outlook_emulator.sandbox.sandbox import Sandbox

_HEARTBEAT = 15.0
"""Seconds after which a quiet stream sends a comment, so that neither side takes the connection for dead."""
_PAUSE = 0.25
"""Seconds between two events at least; changes in between are told at once."""
_CHANGED = b"event: changed\ndata: changed\n\n"
_BEAT = b": still here\n\n"


async def changes_of(sandbox: Sandbox) -> AsyncIterator[bytes]:
    """The events of a sandbox, until it is deleted or the server stops."""
    news, traffic = asyncio.Event(), sandbox.traffic
    with traffic.followed(news.set):
        # A first event: what changed between the page and its stream would be missed otherwise.
        yield _CHANGED
        while not traffic.is_stopping and not sandbox.db.closed:
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await news.wait()
            except TimeoutError:
                yield _BEAT
                continue
            news.clear()
            yield _CHANGED
            await _rest(news, sandbox)


async def _rest(news: asyncio.Event, sandbox: Sandbox) -> None:
    """Wait for the shortest time between two events, or until the stream ends."""
    changed = False
    with suppress(TimeoutError):
        async with asyncio.timeout(_PAUSE):
            while not sandbox.traffic.is_stopping and not sandbox.db.closed:
                await news.wait()
                news.clear()
                changed = True
    if changed:
        news.set()
