"""Time as the emulator sees it: read from a clock that is handed in, never from the machine inside the domain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")


class Clock(Protocol):
    """Anything that can say what time it is, in whole microseconds since 1970 (UTC)."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


class VirtualClock:
    """A clock that stands still until it is told to move, and never goes backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = microseconds(start)

    def now(self) -> int:
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move forward by `step`. Raises ValueError when the step is negative."""
        self.set(moment(self._now) + step)

    def set(self, when: datetime) -> None:
        """Jump to `when`. Raises ValueError when that lies in the clock's past."""
        target = microseconds(when)
        if target < self._now:
            raise ValueError(f"a clock cannot go backwards: it is {moment(self._now)}, asked for {when}")
        self._now = target


class ClockState(NamedTuple):
    """What it takes to go on with a sandbox's clock, in microseconds: `frozen_at` is None while it runs.

    `shift` is how far it is ahead of the clock it follows.
    """

    frozen_at: int | None = None
    shift: int = 0


class SandboxClock:
    """A clock that follows another one at a distance, or is frozen; whatever is done to it, it never goes backwards.

    `changed` is told every new state, other than a restored one.
    """

    def __init__(self, base: Clock, changed: Callable[[ClockState], object] = lambda state: None) -> None:
        self._base = base
        self._changed = changed
        self._frozen, self._shift, self._at = False, 0, base.now()
        self._holds = 0

    def now(self) -> int:
        if not (self._frozen or self._holds):
            # The machine's clock may be set back; this one then waits for it.
            self._at = max(self._at, self._base.now() + self._shift)
        return self._at

    @property
    def frozen(self) -> bool:
        return self._frozen

    @property
    def shift(self) -> int:
        """How far this clock is ahead of the one it follows, in microseconds; less than 0 when it lags behind."""
        return self._at - self._base.now() if self._frozen else self._shift

    @property
    def state(self) -> ClockState:
        """What `restore` takes to go on with this clock later."""
        return ClockState(self._at if self._frozen else None, self.shift)

    def restore(self, state: ClockState) -> None:
        """Be as the clock that had that state. The only way back in time, for a sandbox that does so as a whole."""
        self._frozen = state.frozen_at is not None
        self._shift = state.shift
        self._at = self._base.now() + state.shift if state.frozen_at is None else state.frozen_at

    def start(self, instant: int) -> None:
        """Be at an instant, one in the past too, where nothing has happened yet that it could contradict.

        Raises ValueError for one before 1970 or after `LATEST`.
        """
        if instant < 0:
            raise ValueError(f"a clock starts no earlier than {moment(0).isoformat()}")
        if instant > LATEST:
            raise ValueError(f"a clock goes no further than {moment(LATEST).isoformat()}")
        self._at = instant
        self._shift = instant - self._base.now()
        self._changed(self.state)

    def freeze(self) -> None:
        """Stand still until told to move or to follow."""
        self.now()
        self._frozen = True
        self._changed(self.state)

    def follow(self) -> None:
        """Run again, from where the clock stands: it keeps the distance to the other clock that it has by now."""
        self._shift = self.shift
        self._frozen = False
        self._changed(self.state)

    def check(self, instant: int) -> None:
        """Raise ValueError where the clock cannot be set to an instant: one in its past, or after `LATEST`."""
        now = self.now()
        if instant < now:
            back = (now - instant) / 1_000_000
            raise ValueError(f"a clock cannot go backwards: it is {moment(now).isoformat()}, asked to go back {back} s")
        if instant > LATEST:
            raise ValueError(f"a clock goes no further than {moment(LATEST).isoformat()}")

    def set(self, instant: int) -> None:
        """Jump to `instant`, and stand or run on there as before. Raises ValueError as `check` does."""
        self.check(instant)
        self._shift += instant - self._at
        self._at = instant
        self._changed(self.state)

    def advance(self, microseconds: int) -> None:
        """Move forward by so many microseconds. Raises ValueError as `check` does."""
        with self.held():
            self.set(self.now() + microseconds)

    def stops(self, to: int, waiting: Callable[[], Iterable[tuple[int | None, T]]]) -> Iterator[T]:
        """Let time pass until `to` and give, each at its instant, what waits for one on the way; overdue ones first.

        `waiting` is asked anew before each step. What names the same instant again and again is given once.
        """
        given: dict[int, int] = {}
        while found := [
            (at, one) for at, one in waiting() if at is not None and at <= to and at > given.get(id(one), at - 1)
        ]:
            at, one = min(found, key=lambda stop: stop[0])
            given[id(one)] = at
            self._pass_until(at)
            yield one
        self._pass_until(to)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which time only passes when the clock is set; afterwards it has caught up with what it follows."""
        self.now()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def _pass_until(self, instant: int) -> None:
        if instant > self.now():
            self.set(instant)


def microseconds(when: datetime) -> int:
    """An instant as the store keeps it: microseconds since 1970. A naive value is read as UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def moment(instant: int) -> datetime:
    """The stored instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


LATEST = microseconds(datetime(9000, 1, 1))
"""The last instant that a clock is set to; the years after it are for what is reckoned from there."""


def iso_seconds(instant: int) -> str:
    """An instant as mail carries it on the wire: whole seconds and `+00:00` (recorded on the sibling)."""
    return _iso_second(instant // 1_000_000)


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()


def iso_ticks(instant: int) -> str:
    """An instant as events carry it: seven digits of a second and `+00:00` (recorded on the sibling)."""
    seconds, micros = divmod(instant, 1_000_000)
    whole = _iso_second(seconds)
    return f"{whole[:19]}.{micros:06d}0{whole[19:]}"
