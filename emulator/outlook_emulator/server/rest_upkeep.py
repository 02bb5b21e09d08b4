"""Packs sandboxes in memory that nobody uses, so that thousands of them take little."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress

from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.slices import Sliced

_UNUSED = 10.0
"""A sandbox may be packed when no request came for so many seconds, and is when none came for twice as many."""
_MANY = 16
"""After so many sandboxes were packed, the memory goes back to the system."""
_PAUSE = 0.002
"""The time for others after a sandbox was packed, which takes about as long, in seconds."""
_log = logging.getLogger("outlook_emulator")


class RestUpkeep:
    """Lets unused sandboxes rest, round after round, from `start` on the event loop until `close`."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._round: Sliced[None] | None = None
        self._packed = 0
        # A timer and no task: the loop of an app in a test may end without a word.
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_UNUSED, self.step)

    def step(self) -> None:
        """Let one sandbox rest, and come back soon, or for the next round if none is left."""
        self._round = self._round or self._sandboxes.rest_unused()
        try:
            next(self._round)
            self._packed += 1
            pause = _PAUSE
        except StopIteration:
            if self._packed >= _MANY:
                _give_back_memory()
            self._round, self._packed, pause = None, 0, _UNUSED
        except Exception:
            # Such as a lack of memory. The next round tries again.
            _log.exception("A sandbox that nobody uses could not be packed.")
            self._round, pause = None, _UNUSED
        self._timer = asyncio.get_running_loop().call_later(pause, self.step)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _give_back_memory() -> None:
    """Give memory that was freed back to the system, which the C library of Linux does not always do by itself."""
    if sys.platform == "linux":
        import ctypes

        # Other libraries than GNU's have no such function.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
