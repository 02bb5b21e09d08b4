"""Requests that wait for an instant of the sandbox's clock, which may run by itself or be moved."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from outlook_emulator.clock import Clock
from outlook_emulator.errors import StartedOver

_SECOND = 1_000_000
_SHORTEST, _LONGEST = 0.005, 1.0
"""Bounds of the interval between two looks at the clock, in seconds: the server's clock can be moved too."""
_PATIENCE = 1.0
"""How long a move of the clock waits for a released request, in seconds: the request may be reading a slow body."""


class Wait:
    """A waiting request. It has settled when it has done its work at the instant it waited for."""

    def __init__(self, until: int, cause: object = None) -> None:
        self.until, self.cause = until, cause
        self._over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._settled = asyncio.Event()

    async def pass_until(self, clock: Clock) -> None:
        """Return at the instant. Raises StartedOver if the sandbox is reset or deleted first."""
        while not self._over.done():
            rest = (self.until - clock.now()) / _SECOND
            if rest <= 0:
                return
            await asyncio.wait([self._over], timeout=min(max(rest, _SHORTEST), _LONGEST))
        self._check()

    async def pass_seconds(self, seconds: float) -> None:
        """Return after the seconds in real time. Raises StartedOver if the sandbox is reset or deleted first."""
        await asyncio.wait([self._over], timeout=seconds)
        if self._over.done():
            self._check()

    def _check(self) -> None:
        if not self._over.result():
            raise StartedOver()

    def end(self, may_continue: bool) -> None:
        if not self._over.done():
            self._over.set_result(may_continue)

    def settle(self) -> None:
        self._settled.set()

    async def settled(self) -> None:
        await self._settled.wait()


class Waits:
    """The waiting requests of a sandbox. A move of its clock stops at their instants."""

    def __init__(self) -> None:
        self._waiting: list[Wait] = []

    @contextmanager
    def until(self, instant: int, cause: object = None) -> Iterator[Wait]:
        """A wait for an instant; the block does the work at that instant. `cause` is the fault rule behind the wait."""
        wait = Wait(instant, cause)
        self._waiting.append(wait)
        try:
            yield wait
        finally:
            wait.settle()
            # A move of the clock or a reset takes the waits that it releases out itself.
            if wait in self._waiting:
                self._waiting.remove(wait)

    def all(self) -> list[Wait]:
        """The waiting requests."""
        return list(self._waiting)

    def next_at(self, sandbox: object) -> int | None:
        return min((wait.until for wait in self._waiting), default=None)

    async def run(self, sandbox: object, now: int) -> None:
        """Release the requests that are due, and wait until they have done their work."""
        due = [wait for wait in self._waiting if wait.until <= now]
        self._waiting = [wait for wait in self._waiting if wait.until > now]
        for wait in due:
            wait.end(True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                for wait in due:
                    await wait.settled()

    def release(self, causes: Iterable[object]) -> None:
        """Release the requests that wait because of these causes."""
        gone = set(causes)
        for wait in self._waiting:
            if wait.cause in gone:
                wait.end(True)

    def end(self) -> None:
        """End all waits with StartedOver: the sandbox was reset or deleted."""
        waiting, self._waiting = self._waiting, []
        for wait in waiting:
            wait.end(False)
