"""JSON shapes of limits; the limits themselves are declared among the settings."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from outlook_emulator.server.schemas import Whole, shape
from outlook_emulator.settings import limits
from outlook_emulator.wire.base import DateTime, Int64


def _whole(least: int | None, most: int | None) -> Whole:
    assert most is not None
    return Whole(least=least or 0, most=most)


LimitChanges = shape(
    "LimitChanges",
    {limit.limit: Annotated[int, _whole(limit.least, limit.most)] for limit in limits()},
    """The limits of a sandbox to change, from the next request on; members that are left out or null stay.

    A new period applies to the calls that have been made as well.
    """,
)


class ConnectionUse(TypedDict):
    """What a connection uses of its limits: calls in the last period, requests in progress, bytes in transfer.

    `remaining` is the number of calls that it may make now, null without a limit. `resetsAt` is when the oldest of the
    calls leaves the period, so that one more is allowed; null without calls.
    """

    connection: str
    calls: Int64
    remaining: Int64 | None
    resetsAt: DateTime | None
    concurrentRequests: Int64
    bytesInFlight: Int64


LimitFacts = shape(
    "LimitFacts",
    {**{limit.limit: Int64 for limit in limits()}, "connections": list[ConnectionUse]},
    """The limits of a sandbox, and what each connection uses of them that has sent a request.

    A reset restores the limits in the server's settings.
    """,
    total=True,
)
