"""The connector's limits on requests, counted per connection by the sandbox's clock.

The number of calls is documented per connection, the concurrent requests and the megabytes for the whole connector. The
whole connector is shared by all its customers, so the emulator counts those per connection too (inferred). Which error
reports them is inferred as well.
"""

from __future__ import annotations

from outlook_emulator.errors import CallsExceeded, TooManyAtOnce
from outlook_emulator.settings import Limits

_SECOND = 1_000_000


class Use:
    """What one connection uses of its limits. Lives as long as its sandbox, or until the sandbox is reset."""

    __slots__ = ("bytes", "calls", "ends", "requests")

    def __init__(self) -> None:
        self.calls = self.ends = self.requests = self.bytes = 0

    def calls_at(self, now: int) -> int:
        """The number of calls in the period that contains `now`."""
        return self.calls if now < self.ends else 0


class Lease:
    """The share of one request in what its connection uses: `size` bytes. `release` it after the response is sent."""

    __slots__ = ("_limits", "_use", "size")

    def __init__(self, use: Use, limits: Limits) -> None:
        self._use, self._limits, self.size = use, limits, 0
        use.requests += 1

    def carry(self, size: int) -> None:
        """Count a body in transfer. Raises TooManyAtOnce without counting it."""
        limit = self._limits.max_bytes_in_flight
        if limit and size and self._use.bytes + size > limit:
            raise TooManyAtOnce(f"{self._use.bytes + size} bytes are being transferred; at most {limit} are allowed.")
        self._use.bytes += size
        self.size += size

    def warning(self, now: int) -> str | None:
        """The limits that are nearly reached, as text for the caller; None when all are far off."""
        use, limits = self._use, self._limits
        if not limits.warn_at:
            return None
        shares = (
            (use.calls_at(now), limits.max_calls, "calls"),
            (use.requests, limits.max_concurrent, "concurrent requests"),
            (use.bytes, limits.max_bytes_in_flight, "bytes in flight"),
        )
        near = [
            f"{used} of {limit} {what}"
            for used, limit, what in shares
            if limit and used * 100 >= limit * limits.warn_at
        ]
        return ", ".join(near) or None

    def release(self) -> None:
        self._use.requests -= 1
        self._use.bytes -= self.size
        self.size = 0


class Limiter:
    """Counts what the connections of a sandbox use. Lives as long as the sandbox; a reset clears the counts."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._uses: dict[str, Use] = {}

    def enter(self, connection_id: str, now: int) -> Lease:
        """Count one request and admit it. Raises CallsExceeded and TooManyAtOnce.

        Rejected requests do not count: a caller that waits for `Retry-After` gets a whole period (inferred).
        """
        limits = self.limits
        use = self._uses.get(connection_id)
        if use is None:
            use = self._uses[connection_id] = Use()
        if limits.max_calls and use.calls_at(now) >= limits.max_calls:
            raise CallsExceeded(-(-(use.ends - now) // _SECOND))
        if limits.max_concurrent and use.requests >= limits.max_concurrent:
            raise TooManyAtOnce(
                f"{use.requests} requests are being processed; at most {limits.max_concurrent} are allowed."
            )
        if now >= use.ends:
            use.calls, use.ends = 0, now + limits.calls_period * _SECOND
        use.calls += 1
        return Lease(use, limits)

    def uses(self) -> dict[str, Use]:
        """The use of each connection that has sent a request since the counts were cleared."""
        return dict(self._uses)

    def forget(self) -> None:
        """Clear the counts. Requests in progress still release their old counts."""
        self._uses = {}
