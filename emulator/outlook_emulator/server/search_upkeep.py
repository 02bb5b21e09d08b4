"""Brings search indexes up to date while nobody needs the server, so that no search has to wait for that."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from outlook_emulator.mailbox.mail import search_index
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.slices import Sliced
from outlook_emulator.store.failures import STORAGE_ERRORS

FEW = 500
"""From so many changes on, an index is brought up to date. For fewer, the next search does it in no time."""
_IDLE = 1.0
"""A sandbox is idle when nothing was written for so many seconds."""
_PAUSE = 0.001
"""The time for others between two steps, each of which takes about as long, in seconds."""
_UNKNOWN = (-1, 0.0)
"""What is known of a sandbox at first: no database has this number of writes."""
_log = logging.getLogger("outlook_emulator")


class SearchUpkeep:
    """Indexes what was written to sandboxes, step by step as long as they are idle. `close` it with the app."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # By sandbox, the number of its writes, and since when that has been so.
        self._waiting: dict[Sandbox, tuple[int, float]] = {}
        self._work: dict[Sandbox, Sliced[None]] = {}
        # A timer and no task: the loop of an app in a test may end without a word.
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def touch(self, sandbox: Sandbox) -> None:
        """Look at a sandbox when it is idle. Called on the event loop after writes."""
        self._waiting.setdefault(sandbox, _UNKNOWN)
        loop = asyncio.get_running_loop()
        if self._timer is None or self._loop is not loop:
            self._loop, self._timer = loop, loop.call_later(_IDLE, self.look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Do a step for each sandbox that is idle, and look again soon if anything is left to do."""
        for sandbox, (writes, since) in list(self._waiting.items()):
            if sandbox.db.closed:
                self._forget(sandbox)
            elif sandbox.turn.is_taken:
                # At this moment, the thread that has its database may close it.
                self._work.pop(sandbox, None)
                self._waiting[sandbox] = _UNKNOWN
            elif sandbox.db.writes != writes:
                self._work.pop(sandbox, None)
                self._waiting[sandbox] = (sandbox.db.writes, self._now())
            elif self._now() - since >= _IDLE and self._is_over(sandbox):
                self._forget(sandbox)
            else:
                self._waiting[sandbox] = (sandbox.db.writes, since)
        self._timer = None
        if self._waiting:
            pause = _PAUSE if self._work else _IDLE
            self._timer = asyncio.get_running_loop().call_later(pause, self.look)

    def _is_over(self, sandbox: Sandbox) -> bool:
        """Do one step; returns whether nothing is left to do."""
        try:
            if sandbox not in self._work:
                if search_index.lag(sandbox.db) < FEW:
                    return True
                self._work[sandbox] = search_index.update(sandbox.db)
            next(self._work[sandbox])
        except StopIteration:
            return True
        except STORAGE_ERRORS:
            # The next search meets the error again, and reports it.
            return True
        except Exception:
            _log.exception("Indexing the mails of the sandbox '%s' failed.", sandbox.name)
            return True
        return False

    def _forget(self, sandbox: Sandbox) -> None:
        del self._waiting[sandbox]
        self._work.pop(sandbox, None)
