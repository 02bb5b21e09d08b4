"""The connector's limits on requests, counted per connection by the sandbox's clock.

The number of calls is documented per connection, the concurrent requests and the megabytes for the whole connector. The
whole connector is shared by all its customers, so the emulator counts those per connection too (inferred). Which error
reports them is inferred as well.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from outlook_emulator.errors import CallsExceeded, TooManyAtOnce
from outlook_emulator.settings import Limits

_SECOND = 1_000_000
_MOST_INSTANTS = 10_000
"""The number of instants from which calls close to each other share one, which bounds the memory of a connection."""

_MANY_CONNECTIONS = 10_000
"""From this many connections on, those that are idle are forgotten."""


class SlidingWindow:
    """The calls of a connection in the last period, by instant. The window ends now and slides with the clock.

    It is exact up to `_MOST_INSTANTS` instants. Beyond, a call may leave early by a `_MOST_INSTANTS`th part of the
    period: API Management says of its own limits that they are never completely accurate (vendor's documentation).
    """

    __slots__ = ("_counts", "_instants", "total")

    def __init__(self) -> None:
        # Two queues of numbers take less memory than a queue of pairs.
        self._instants: deque[int] = deque()
        self._counts: deque[int] = deque()
        self.total = 0
        """The number of calls when they were last counted."""

    def count(self, now: int, period: int) -> int:
        """The number of calls in the period up to `now`; forgets older ones."""
        instants, start = self._instants, now - period
        while instants and instants[0] <= start:
            instants.popleft()
            self.total -= self._counts.popleft()
        return self.total

    def add(self, now: int, period: int) -> None:
        """Count a call."""
        instants = self._instants
        gap = 0 if len(instants) < _MOST_INSTANTS else period // _MOST_INSTANTS
        if instants and now - instants[-1] <= gap:
            self._counts[-1] += 1
        else:
            instants.append(now)
            self._counts.append(1)
        self.total += 1

    def oldest(self) -> int | None:
        """The instant of the oldest call, None without calls."""
        return self._instants[0] if self._instants else None

    def last_to_leave(self, most: int) -> int:
        """The instant of the call that must leave so that fewer than `most` calls remain. There are at least `most`."""
        excess = self.total - most
        if excess < most:
            for instant, count in zip(self._instants, self._counts, strict=True):
                excess -= count
                if excess < 0:
                    return instant
        # From the other end, so that a caller who is refused very often does not make each refusal slower.
        for instant, count in zip(reversed(self._instants), reversed(self._counts), strict=True):
            most -= count
            if most <= 0:
                return instant
        raise AssertionError("there are fewer calls")


class _Marks(NamedTuple):
    """From which use of a connection on a response carries a warning."""

    calls: float
    requests: float
    bytes: float

    @classmethod
    def of(cls, limits: Limits) -> _Marks:
        most = (limits.max_calls, limits.max_concurrent, limits.max_bytes_in_flight)
        # A limit of 0, and a share of 0, are never reached.
        return cls(*(limit * limits.warn_at / 100 or inf for limit in most))


class Use:
    """What one connection uses of its limits. Lives as long as its sandbox, or until the sandbox is reset."""

    __slots__ = ("bytes", "calls", "requests")

    def __init__(self) -> None:
        self.calls = SlidingWindow()
        self.requests = self.bytes = 0

    def check_bytes(self, size: int, limits: Limits) -> None:
        """Raise TooManyAtOnce if a request body is too much beside what is in transfer."""
        limit = limits.max_bytes_in_flight
        if limit and self.bytes + size > limit:
            raise TooManyAtOnce(f"{self.bytes + size} bytes are being transferred; at most {limit} are allowed.")


class Lease:
    """The share of one request in what its connection uses: `size` bytes. `release` it after the response is sent."""

    __slots__ = ("_limits", "_marks", "_use", "size")

    def __init__(self, use: Use, limits: Limits, marks: _Marks, size: int) -> None:
        self._use, self._limits, self._marks, self.size = use, limits, marks, size
        use.requests += 1
        use.bytes += size

    def admit(self, size: int) -> None:
        """Count bytes of the request. Raises TooManyAtOnce without counting them."""
        self._use.check_bytes(size, self._limits)
        self.carry(size)

    def carry(self, size: int) -> None:
        """Count bytes in transfer, also above the limit: the operation has run, so only later requests are refused."""
        self._use.bytes += size
        self.size += size

    def warning(self) -> str | None:
        """The limits that are nearly reached, as text for the caller; None when all are far off."""
        use, marks = self._use, self._marks
        calls = use.calls.total
        # First, as this runs for every request, and hardly ever finds a limit near.
        if calls < marks.calls and use.requests < marks.requests and use.bytes < marks.bytes:
            return None
        limits, near = self._limits, []
        if calls >= marks.calls:
            near.append(f"{calls} of {limits.max_calls} calls")
        if use.requests >= marks.requests:
            near.append(f"{use.requests} of {limits.max_concurrent} concurrent requests")
        if use.bytes >= marks.bytes:
            near.append(f"{use.bytes} of {limits.max_bytes_in_flight} bytes in flight")
        return ", ".join(near)

    def release(self) -> None:
        self._use.requests -= 1
        self._use.bytes -= self.size
        self.size = 0


class Limiter:
    """Counts what the connections of a sandbox use. Lives as long as the sandbox; a reset clears the counts."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._uses: dict[str, Use] = {}
        self._most_uses = _MANY_CONNECTIONS

    @property
    def limits(self) -> Limits:
        """The limits of each connection."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits, self._marks = limits, _Marks.of(limits)

    def enter(self, connection_id: str, now: int, size: int = 0) -> Lease:
        """Count one request with `size` bytes of body and admit it. Raises CallsExceeded and TooManyAtOnce.

        Whether refused requests count is a setting. By default they do not: API Management's documentation speaks of
        the number of allowed requests in the window.
        """
        limits, use = self._limits, self._uses.get(connection_id)
        if use is None:
            if len(self._uses) >= self._most_uses:
                self._forget_idle(now, limits.calls_period * _SECOND)
            use = self._uses[connection_id] = Use()
        period = limits.calls_period * _SECOND
        counts_refused = limits.refused_calls == "count"
        if counts_refused:
            # First, since a refused call delays the next allowed one, and Retry-After must say so.
            use.calls.add(now, period)
        if use.calls.count(now, period) - counts_refused >= limits.max_calls > 0:
            wait = use.calls.last_to_leave(limits.max_calls) + period - now
            # Rounded up: a client that waits as long as it says must get through.
            raise CallsExceeded(-(-wait // _SECOND))
        if use.requests >= limits.max_concurrent > 0:
            raise TooManyAtOnce(
                f"{use.requests} requests are being processed; at most {limits.max_concurrent} are allowed."
            )
        use.check_bytes(size, limits)
        if not counts_refused:
            use.calls.add(now, period)
        return Lease(use, limits, self._marks, size)

    def _forget_idle(self, now: int, period: int) -> None:
        """Forget the connections without calls in the period: ids may be refused, and different in each request."""
        self._uses = {id: use for id, use in self._uses.items() if use.requests or use.calls.count(now, period)}
        # Not again soon if most of them are in use.
        self._most_uses = max(_MANY_CONNECTIONS, 2 * len(self._uses))

    def uses(self) -> dict[str, Use]:
        """The use of each connection that has sent a request since the counts were cleared."""
        return dict(self._uses)

    def forget(self) -> None:
        """Clear the counts. Requests in progress still release their old counts."""
        self._uses = {}
