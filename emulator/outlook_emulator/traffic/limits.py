"""The connector's own limits on how much may be asked at once, counted for each connection by the sandbox's clock.

The numbers are documented for a connection (calls) and for the connector (requests, megabytes). The connector is shared
by all the world, so that the latter are counted for a connection as well, and so is which answer says that they are
reached: inferred.
"""

from __future__ import annotations

from dataclasses import dataclass

from outlook_emulator.errors import CallsExceeded, TooManyAtOnce
from outlook_emulator.settings import Settings

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a connection may ask; 0 means as much as it likes.

    `calls` in a window of `period` seconds, which begins with the first of them; `concurrent_requests` and
    `bytes_in_flight` (bodies of requests and answers) at a time. From `warn_at` percent of a limit on, answers carry a
    warning; 0 for none.
    """

    calls: int = 300
    period: int = 60
    concurrent_requests: int = 30
    bytes_in_flight: int = 300 * 1024 * 1024
    warn_at: int = 90


def limits_of(settings: Settings) -> Limits:
    """The limits that a server's settings say."""
    return Limits(
        calls=settings.max_calls,
        period=settings.calls_period,
        concurrent_requests=settings.max_concurrent,
        bytes_in_flight=settings.max_bytes_in_flight,
        warn_at=settings.warn_at,
    )


class Use:
    """What one connection uses of its limits. Lives as long as its sandbox, or until that is reset."""

    __slots__ = ("bytes", "calls", "ends", "requests")

    def __init__(self) -> None:
        self.calls = self.ends = self.requests = self.bytes = 0

    def calls_at(self, now: int) -> int:
        """How many calls count at an instant."""
        return self.calls if now < self.ends else 0


class Lease:
    """One request's share in what its connection uses; `release` it when the answer is out."""

    __slots__ = ("_limits", "_size", "_use")

    def __init__(self, use: Use, limits: Limits) -> None:
        self._use, self._limits, self._size = use, limits, 0
        use.requests += 1

    def carry(self, size: int) -> None:
        """Count a body that is being transferred. Raises TooManyAtOnce, and counts nothing then."""
        limit = self._limits.bytes_in_flight
        if limit and size and self._use.bytes + size > limit:
            raise TooManyAtOnce(f"{self._use.bytes + size} bytes are being transferred; at most {limit} are allowed.")
        self._use.bytes += size
        self._size += size

    def warning(self, now: int) -> str | None:
        """What the caller is to be told before a limit is reached, None where it is far off."""
        use, limits = self._use, self._limits
        if not limits.warn_at:
            return None
        shares = (
            (use.calls_at(now), limits.calls, "calls"),
            (use.requests, limits.concurrent_requests, "concurrent requests"),
            (use.bytes, limits.bytes_in_flight, "bytes in flight"),
        )
        near = [
            f"{used} of {limit} {what}"
            for used, limit, what in shares
            if limit and used * 100 >= limit * limits.warn_at
        ]
        return ", ".join(near) or None

    def release(self) -> None:
        self._use.requests -= 1
        self._use.bytes -= self._size
        self._size = 0


class Limiter:
    """Counts what the connections of a sandbox use. Lives as long as the sandbox; a reset makes it forget."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._uses: dict[str, Use] = {}

    def enter(self, connection_id: str, now: int) -> Lease:
        """Count one call and let it in. Raises CallsExceeded and TooManyAtOnce.

        Refused calls do not count: whoever waits as long as `Retry-After` says gets a whole window (inferred).
        """
        limits = self.limits
        use = self._uses.get(connection_id)
        if use is None:
            use = self._uses[connection_id] = Use()
        if limits.calls and use.calls_at(now) >= limits.calls:
            raise CallsExceeded(-(-(use.ends - now) // _SECOND))
        if limits.concurrent_requests and use.requests >= limits.concurrent_requests:
            raise TooManyAtOnce(
                f"{use.requests} requests are being processed; at most {limits.concurrent_requests} are allowed."
            )
        if now >= use.ends:
            use.calls, use.ends = 0, now + limits.period * _SECOND
        use.calls += 1
        return Lease(use, limits)

    def uses(self) -> dict[str, Use]:
        """What each connection uses that has called since the sandbox began."""
        return dict(self._uses)

    def forget(self) -> None:
        """Start over; calls under way end their share in what was before."""
        self._uses = {}
