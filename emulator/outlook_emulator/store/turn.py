"""The turn at a sandbox's database: either the event loop uses it, or one worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Turn:
    """Says whether a worker thread has the database, and lets others wait for it in order. Used on the event loop."""

    def __init__(self) -> None:
        self.is_taken = False
        # Lists: an empty deque takes ten times as much memory.
        self._waiting: list[asyncio.Future[None]] = []
        self._afterwards: list[Callable[[], object]] = []

    async def free(self) -> None:
        """Return when no thread has the database. The caller may use it until it awaits something."""
        while self.is_taken:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def then(self, callback: Callable[[], object]) -> None:
        """Call back when the thread that has the database gives it back."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(lambda _: callback())
        self._waiting.append(waiting)

    def on_loop(self, callback: Callable[[], object]) -> None:
        """Call back on the event loop: now, or when the thread that calls this gives the database back."""
        if self.is_taken:
            self._afterwards.append(callback)
        else:
            callback()

    def take(self) -> None:
        """Keep the database for a thread. Call it right after `free`."""
        self.is_taken = True

    def give_back(self) -> None:
        """Let go of the database, and wake all who wait, in their order."""
        self.is_taken = False
        afterwards, self._afterwards = self._afterwards, []
        for callback in afterwards:
            callback()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
