"""What the admin API reads and answers about limits."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from outlook_emulator.server.schemas import Whole
from outlook_emulator.wire.base import DateTime, Int64

YEAR = 366 * 24 * 60 * 60
_MOST_CALLS = 1_000_000_000
_MOST_BYTES = 1 << 40


_Calls = Annotated[int, Whole(most=_MOST_CALLS)]
_Bytes = Annotated[int, Whole(most=_MOST_BYTES)]


class LimitChanges(TypedDict, total=False):
    """How a sandbox's limits change, from the next call on; what is left out or null stays.

    For a connection: `calls` in a window of `period` seconds by the sandbox's clock, `concurrentRequests` and
    `bytesInFlight` at a time. For a mail: `mailBytes` of content, `inlineImageBytes` of an image as base64 text,
    `options` to choose from. 0 switches a limit off. From `warnAt` percent of a connection's limit on, answers carry
    a warning; 0 for never. A window that has begun keeps its end.
    """

    calls: _Calls
    period: Annotated[int, Whole(least=1, most=YEAR)]
    concurrentRequests: _Calls
    bytesInFlight: _Bytes
    warnAt: Annotated[int, Whole(most=100)]
    mailBytes: _Bytes
    inlineImageBytes: _Bytes
    options: _Calls


class ConnectionUse(TypedDict):
    """What a connection uses of its limits: calls in its window, requests under way, bytes being transferred.

    `remaining` is how many calls the window has left, null where they are not limited; `resetsAt` is when it ends, null
    where the next call begins another.
    """

    connection: str
    calls: Int64
    remaining: Int64 | None
    resetsAt: DateTime | None
    concurrentRequests: Int64
    bytesInFlight: Int64


class LimitFacts(TypedDict):
    """The limits of a sandbox, and what the connections use of them that have called.

    A reset puts the limits back that the server's settings say.
    """

    calls: Int64
    period: Int64
    concurrentRequests: Int64
    bytesInFlight: Int64
    warnAt: Int64
    mailBytes: Int64
    inlineImageBytes: Int64
    options: Int64
    connections: list[ConnectionUse]
