"""The wrapper that holds connections to their limits, and says so before they are reached."""

from __future__ import annotations

from outlook_emulator.errors import TooManyRequests
from outlook_emulator.server.connector.exchange import Answer, Exchange, Handler, Wrapper

WARNING = b"x-outlook-emulator-warning"
"""The header that says which limits are near; ours, since the real connector says nothing before it refuses."""


def limiting(longest_body: int) -> Wrapper:
    """A wrapper of the connector's handler: a connection that asks too much is refused before anything else is done.

    A body above `longest_body` is somebody else's to refuse.
    """

    def wrap(handler: Handler) -> Handler:
        async def handle(exchange: Exchange) -> Answer:
            try:
                return await _limited(handler, exchange, longest_body)
            except TooManyRequests as error:
                _note(exchange, type(error).__name__, error.message)
                raise

        return handle

    return wrap


async def _limited(handler: Handler, exchange: Exchange, longest_body: int) -> Answer:
    if exchange.connection_id is None:
        return await handler(exchange)
    now = exchange.arrived
    lease = exchange.world.traffic.limiter.enter(exchange.connection_id, now)
    exchange.leaving.append(lambda how: lease.release())
    # A body that does not say how long it is counts when it is there.
    announced = min(exchange.announced, longest_body) if exchange.refusal is None else 0
    lease.carry(announced)
    answer = await handler(exchange)
    lease.carry(max(len(exchange.body_so_far) - announced, 0))
    lease.carry(len(answer.body))
    if (near := lease.warning(now)) is None:
        return answer
    _note(exchange, "warning", near)
    return answer._replace(headers=[*answer.headers, (WARNING, near.encode("ascii"))])


def _note(exchange: Exchange, name: str, reason: str) -> None:
    if exchange.entry is not None:
        exchange.entry.add_cause("limit", name, reason)
