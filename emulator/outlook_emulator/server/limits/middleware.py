"""Applies the limits of a connection to its requests, and warns before they are reached."""

from __future__ import annotations

from outlook_emulator.server.connector.exchange import WARNING, Exchange, Response


class Throttle:
    """Counts the requests and bytes of each connection, and refuses what exceeds a limit."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes

    def enter(self, exchange: Exchange) -> None:
        """Count a request and the body that it announces. Raises TooManyRequests and InvalidRequest.

        A body that is not announced counts while it arrives, which is before the operation runs as well.
        """
        if exchange.connection_id is None:
            return
        # A body above the largest one is not read, so it does not count.
        size = min(exchange.content_length, self._max_body_bytes)
        exchange.lease = exchange.sandbox.traffic.limiter.enter(exchange.connection_id, exchange.arrived, size)

    def leave(self, exchange: Exchange, response: Response) -> Response:
        """Count the response, and add a warning where a limit is near.

        The operation has run, so a response above the limit is sent all the same: a caller who got a 429 instead would
        repeat the operation.
        """
        lease = exchange.lease
        if lease is None:
            return response
        lease.carry(len(response.body))
        if (warning := lease.warning()) is None:
            return response
        exchange.note("limit", "warning", warning)
        return response._replace(headers=[*response.headers, (WARNING, warning.encode("ascii"))])

    def close(self, exchange: Exchange) -> None:
        """Count the request as finished."""
        if exchange.lease is not None:
            exchange.lease.release()
