"""Time as the emulator sees it: read from a clock that is handed in, never from the machine inside the domain."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


def microseconds(when: datetime) -> int:
    """An instant as the store keeps it: microseconds since 1970. A naive value is read as UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def moment(instant: int) -> datetime:
    """The stored instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


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
