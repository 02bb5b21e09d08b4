"""Applies the limits of a connection to its requests, and warns before they are reached."""

from __future__ import annotations

from outlook_emulator.errors import ConnectorError, TooManyRequests
from outlook_emulator.server.connector.exchange import Exchange, Response

WARNING = b"x-outlook-emulator-warning"
"""The response header that names limits that are near. It is ours: the real connector does not warn."""


class Throttle:
    """Counts the requests and bytes of each connection, and refuses what exceeds a limit."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes

    def enter(self, exchange: Exchange) -> None:
        """Count a request and the body that it announces. Raises TooManyRequests and InvalidRequest."""
        if exchange.connection_id is None:
            return
        lease = exchange.sandbox.traffic.limiter.enter(exchange.connection_id, exchange.arrived)
        try:
            # A body above the largest one is not read, so it does not count.
            lease.carry(min(exchange.content_length, self._max_body_bytes))
        except ConnectorError:
            lease.release()
            raise
        exchange.lease = lease

    def leave(self, exchange: Exchange, response: Response) -> Response:
        """Count the response, and the request body if it was not announced; add a warning where a limit is near."""
        lease = exchange.lease
        if lease is None:
            return response
        try:
            lease.carry(max(len(exchange.body_so_far) - lease.size, 0))
            lease.carry(len(response.body))
        except TooManyRequests as error:
            return exchange.refuse(error)
        if (warning := lease.warning(exchange.arrived)) is None:
            return response
        exchange.note("limit", "warning", warning)
        return response._replace(headers=[*response.headers, (WARNING, warning.encode("ascii"))])

    def close(self, exchange: Exchange) -> None:
        """Count the request as finished."""
        if exchange.lease is not None:
            exchange.lease.release()
