"""Brings search indexes up to date while nobody needs the server, so that no search has to wait for that."""

from __future__ import annotations

import asyncio
import logging

from outlook_emulator.mailbox.mail import search_index
from outlook_emulator.sandbox.sandbox import Sandbox

FEW = 500
"""From so many changes on, an index is brought up to date. For fewer, the next search does it in no time."""
_IDLE = 1.0
"""A sandbox is idle when nothing was written for so many seconds."""
_PAUSE = 0.001
"""The time for others between two steps, each of which takes about as long, in seconds."""
_log = logging.getLogger("outlook_emulator")


class SearchUpkeep:
    """Indexes what was written to sandboxes, once they are idle. Lives as long as the app; `close` it."""

    def __init__(self, idle: float = _IDLE) -> None:
        self._idle = idle
        # By sandbox, the number of its writes when it was looked at; no database has this number before.
        self._waiting: dict[Sandbox, int] = {}
        self._task: asyncio.Task[None] | None = None

    def touch(self, sandbox: Sandbox) -> None:
        """Look at a sandbox when it is idle. Called on the event loop after writes."""
        self._waiting.setdefault(sandbox, -1)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> list[asyncio.Task[None]]:
        """Stop; returns the task that is being cancelled."""
        if self._task is None or self._task.done():
            return []
        self._task.cancel()
        return [self._task]

    async def finished(self) -> None:
        """Wait until nothing is left to do."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._idle)
            for sandbox, writes in list(self._waiting.items()):
                if sandbox.db.closed:
                    del self._waiting[sandbox]
                elif sandbox.turn.is_taken or sandbox.db.writes != writes:
                    self._waiting[sandbox] = sandbox.db.writes
                elif await self._index(sandbox):
                    del self._waiting[sandbox]

    async def _index(self, sandbox: Sandbox) -> bool:
        """Index step by step as long as the sandbox stays idle; returns whether nothing is left to do."""
        db = sandbox.db
        try:
            if search_index.lag(db) < FEW:
                return True
            for _ in search_index.update(db):
                writes = db.writes
                await asyncio.sleep(_PAUSE)
                if db.closed or sandbox.turn.is_taken or db.writes != writes:
                    return False
        except Exception:
            # The next search meets the error again, and reports it.
            _log.exception("Indexing the mails of the sandbox '%s' failed.", sandbox.name)
        return True
