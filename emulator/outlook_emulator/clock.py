"""Clocks, and instants as numbers and as text. The domain reads time from a clock that it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class Clock(Protocol):
    """A source of the current time, in microseconds since 1970 (UTC)."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


class VirtualClock:
    """A clock that only moves when it is set or advanced, and never backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = microseconds(start)

    def now(self) -> int:
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move forward by `step`. Raises ValueError if that is negative."""
        self.set(moment(self._now) + step)

    def set(self, when: datetime) -> None:
        """Move to `when`. Raises ValueError if that is in the clock's past."""
        target = microseconds(when)
        if target < self._now:
            raise ValueError(f"a clock cannot go backwards: it is {moment(self._now)}, asked for {when}")
        self._now = target


class ClockState(NamedTuple):
    """The state of a sandbox's clock, in microseconds, from which it can be restored.

    `frozen_at` is None while the clock runs. `shift` is how far it is then ahead of its base clock.
    """

    frozen_at: int | None = None
    shift: int = 0


class SandboxClock:
    """A clock that follows a base clock, possibly shifted, or is frozen. It never goes backwards, except by `restore`.

    `changed` is called with every new state that was not restored.
    """

    def __init__(self, base: Clock, changed: Callable[[ClockState], object] = lambda state: None) -> None:
        self._base = base
        self._changed = changed
        self._frozen, self._shift, self._at = False, 0, base.now()
        self._holds = 0

    def now(self) -> int:
        if not (self._frozen or self._holds):
            at = self._base.now() + self._shift
            # If the machine's clock is set back, this one stands still until that has caught up.
            if at > self._at:
                self._at = at
        return self._at

    @property
    def frozen(self) -> bool:
        return self._frozen

    @property
    def shift(self) -> int:
        """How far this clock is ahead of its base clock, in microseconds; negative if it is behind."""
        return self._at - self._base.now() if self._frozen else self._shift

    @property
    def state(self) -> ClockState:
        """The state for `restore`. That of a frozen clock leaves out the base clock, so exports can be equal."""
        return ClockState(self._at) if self._frozen else ClockState(None, self._shift)

    def restore(self, state: ClockState) -> None:
        """Take on a state, which may be in the past: a sandbox goes back in time as a whole."""
        self._frozen = state.frozen_at is not None
        self._shift = state.shift
        self._at = self._base.now() + state.shift if state.frozen_at is None else state.frozen_at

    def start(self, instant: int) -> None:
        """Set the time of a new sandbox, which may be in the past since nothing has happened yet.

        Raises ValueError before 1970 or after `LATEST`.
        """
        if instant < 0:
            raise ValueError(f"a clock starts no earlier than {moment(0).isoformat()}")
        if instant > LATEST:
            raise ValueError(f"a clock goes no further than {moment(LATEST).isoformat()}")
        self._become(self._frozen, instant - self._base.now(), instant)

    def freeze(self) -> None:
        """Stop the clock until it is set, advanced or released."""
        self._become(True, self._shift, self.now())

    def follow(self) -> None:
        """Let the clock run again from the time it shows, at its present distance from the base clock."""
        self._become(False, self.shift, self._at)

    def check(self, instant: int) -> None:
        """Raise ValueError if the clock cannot be set to an instant: in its past, or after `LATEST`."""
        now = self.now()
        if instant < now:
            back = (now - instant) / 1_000_000
            raise ValueError(f"a clock cannot go backwards: it is {moment(now).isoformat()}, asked to go back {back} s")
        if instant > LATEST:
            raise ValueError(f"a clock goes no further than {moment(LATEST).isoformat()}")

    def set(self, instant: int) -> None:
        """Move to `instant` without changing whether the clock runs. Raises ValueError as `check` does."""
        self.check(instant)
        # By the distance alone: a held clock is behind its base, and has the exact shift when it catches up.
        self._become(self._frozen, self._shift + instant - self._at, instant)

    def advance(self, microseconds: int) -> None:
        """Move forward by so many microseconds. Raises ValueError as `check` does."""
        # Held, since no time must pass between reading the clock and setting it.
        with self.held():
            self.set(self.now() + microseconds)

    def stops(self, to: int, waiting: Callable[[], Iterable[tuple[int | None, T]]]) -> Iterator[T]:
        """Let time pass until `to` and yield each item that is due on the way at its own instant, overdue ones first.

        `waiting` is called again before each step. An item that keeps naming the same instant is yielded once.
        """
        last: dict[int, int] = {}
        while stops := [
            (at, item) for at, item in waiting() if at is not None and at <= to and at > last.get(id(item), at - 1)
        ]:
            at, item = min(stops, key=lambda stop: stop[0])
            last[id(item)] = at
            self._pass_until(at)
            yield item
        self._pass_until(to)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which time passes only when the clock is set; afterwards the clock has caught up with its base."""
        self.now()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def _become(self, frozen: bool, shift: int, at: int) -> None:
        before = self._frozen, self._shift, self._at
        self._frozen, self._shift, self._at = frozen, shift, at
        try:
            self._changed(self.state)
        except BaseException:
            # A clock that could not be kept has not moved: the next start would show the earlier time.
            self._frozen, self._shift, self._at = before
            raise

    def _pass_until(self, instant: int) -> None:
        if instant > self.now():
            self.set(instant)


def microseconds(when: datetime) -> int:
    """An instant as the store keeps it: microseconds since 1970. A naive value is read as UTC."""
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    # Spelled out, since a division of one timedelta by another takes several times as long.
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(when: datetime) -> int:
    """The instant of a time from elsewhere. Raises ValueError where an offset leads before the year 1 or beyond 9999.

    No text could show such an instant.
    """
    instant = microseconds(when)
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise ValueError("it is not between the years 1 and 9999")
    return instant


def read_iso(text: str) -> datetime:
    """An ISO 8601 date, or date and time, with blanks around it. Raises ValueError."""
    # RFC 3339 and .NET take a lower-case `z`, and Python does not.
    return datetime.fromisoformat(text.strip().upper())


def moment(instant: int) -> datetime:
    """A stored instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


FIRST_INSTANT, LAST_INSTANT = microseconds(datetime.min), microseconds(datetime.max)
"""The first microsecond of the year 1, and the last one of the year 9999; no text shows others."""
LATEST = microseconds(datetime(9000, 1, 1))
"""The last instant to which a clock can be set; the years after it leave room for dates computed from there."""


def iso_seconds(instant: int) -> str:
    """An instant as mail carries it on the wire: whole seconds and `+00:00` (recorded on the sibling)."""
    return _iso_second(instant // 1_000_000)


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()


def iso_ticks(instant: int) -> str:
    """An instant as the start and end of an event carry it: seven digits of a second and `+00:00` (recorded)."""
    seconds, micros = divmod(instant, 1_000_000)
    whole = _iso_second(seconds)
    # The store keeps six digits, so the seventh is always 0.
    return f"{whole[:19]}.{micros:06d}0{whole[19:]}"


def iso_short(instant: int) -> str:
    """An instant as .NET writes it: no trailing zeros in the fraction, no fraction for a whole second, and `+00:00`.

    Recorded on the sibling for the times at which an event was created and modified. A whole second is inferred.
    """
    seconds, micros = divmod(instant, 1_000_000)
    whole = _iso_second(seconds)
    if not micros:
        return whole
    fraction = f"{micros:06d}".rstrip("0")
    return f"{whole[:19]}.{fraction}{whole[19:]}"
