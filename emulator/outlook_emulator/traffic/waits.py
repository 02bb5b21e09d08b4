"""Calls that wait for an instant of the sandbox's clock, however that comes: by itself, or because it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from outlook_emulator.clock import Clock
from outlook_emulator.errors import StartedOver

_SECOND = 1_000_000
_SHORTEST, _LONGEST = 0.005, 1.0
"""How soon a clock is looked at again, in seconds; it may be moved by somebody we do not know of."""
_PATIENCE = 1.0
"""How long a move of the clock waits for a call that it let go on, in seconds: it may be reading a slow body."""


class Wait:
    """One call that waits. It has settled when all that it was to do at its instant is done."""

    def __init__(self, until: int, cause: object = None) -> None:
        self.until, self.cause = until, cause
        self._over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._settled = asyncio.Event()

    async def pass_until(self, clock: Clock) -> None:
        """Return when the instant has come. Raises StartedOver when the sandbox is reset or deleted first."""
        while not self._over.done():
            rest = (self.until - clock.now()) / _SECOND
            if rest <= 0:
                return
            await asyncio.wait([self._over], timeout=min(max(rest, _SHORTEST), _LONGEST))
        self._check()

    async def pass_seconds(self, seconds: float) -> None:
        """Return after so many seconds of real time. Raises StartedOver when the sandbox is reset or deleted first."""
        await asyncio.wait([self._over], timeout=seconds)
        if self._over.done():
            self._check()

    def _check(self) -> None:
        if not self._over.result():
            raise StartedOver()

    def end(self, came: bool) -> None:
        if not self._over.done():
            self._over.set_result(came)

    def settle(self) -> None:
        self._settled.set()

    async def settled(self) -> None:
        await self._settled.wait()


class Waits:
    """The calls of a sandbox that wait; a part of what its clock stops for. `end` lets all of them go."""

    def __init__(self) -> None:
        self._waiting: list[Wait] = []

    @contextmanager
    def until(self, instant: int, cause: object = None) -> Iterator[Wait]:
        """A wait for an instant; what is done at it belongs into the block. `cause` is what has the call wait."""
        wait = Wait(instant, cause)
        self._waiting.append(wait)
        try:
            yield wait
        finally:
            wait.settle()
            if wait in self._waiting:
                self._waiting.remove(wait)

    def next_at(self, sandbox: object) -> int | None:
        return min((one.until for one in self._waiting), default=None)

    async def run(self, sandbox: object, now: int) -> None:
        """Let the calls go on whose instant has come, and wait until they have done what they do then."""
        due = [one for one in self._waiting if one.until <= now]
        self._waiting = [one for one in self._waiting if one.until > now]
        for one in due:
            one.end(True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                for one in due:
                    await one.settled()

    def release(self, causes: Iterable[object]) -> None:
        """Let the calls go on at once that wait because of what is gone."""
        gone = set(causes)
        for one in self._waiting:
            if one.cause in gone:
                one.end(True)

    def end(self) -> None:
        """Tell every call that waits that its sandbox has started over, or is gone."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.end(False)
