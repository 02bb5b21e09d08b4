"""Requests to the admin API over connections that stay open. A test that makes two requests must not wait for more."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

KEEPALIVE = 2.0
"""Seconds an idle connection is kept; fewer than the server keeps it, so that no request meets a closing connection."""


class Exchange(NamedTuple):
    """A response: its status and its body."""

    status: int
    body: bytes


class KeptConnections:
    """Connections to the server at a URL, used from any thread; `context` returns the TLS context. `close` it.

    httpx takes four times as long for a request.
    """

    def __init__(self, url: str, context: Callable[[], ssl.SSLContext]) -> None:
        self._url = url
        self._context = context
        # With the end of its time, and the process that made it: a forked one must not read responses to its parent.
        self._idle: list[tuple[HTTPConnection, float, int]] = []

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Exchange:
        """Send a request and return the response. Raises ConnectionError without one."""
        try:
            connection = self._connection(seconds)
            try:
                connection.request(method, f"{self._parts.path}{path}", body, {**headers, **self._user})
                response = connection.getresponse()
                exchange = Exchange(response.status, response.read())
            except BaseException:
                connection.close()
                raise
        # A URL may be invalid, too.
        except (OSError, HTTPException, ValueError) as error:
            raise ConnectionError(f"No emulator responds at {self._url}: {error or type(error).__name__}") from error
        if not response.will_close:
            self._idle.append((connection, monotonic() + KEEPALIVE, os.getpid()))
        return exchange

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    @cached_property
    def _parts(self) -> SplitResult:
        return urlsplit(self._url)

    @cached_property
    def _user(self) -> dict[str, str]:
        """The header for a user in the URL, which a proxy may ask for."""
        if self._parts.username is None:
            return {}
        user = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}

    def _connection(self, seconds: float) -> HTTPConnection:
        # Another thread may take the last one meanwhile.
        with suppress(IndexError):
            while True:
                connection, end, process = self._idle.pop()
                is_usable = monotonic() < end and connection.timeout == seconds and process == os.getpid()
                if is_usable and not _is_readable(connection):
                    return connection
                connection.close()
        is_secure = self._parts.scheme == "https"
        # Without a port, the library takes the end of an IPv6 address for one.
        host, port = self._parts.hostname or "", self._parts.port or (443 if is_secure else 80)
        if is_secure:
            return HTTPSConnection(host, port, timeout=seconds, context=self._context())
        return HTTPConnection(host, port, timeout=seconds)


def _is_readable(connection: HTTPConnection) -> bool:
    """Whether something has come on an idle connection, which is its end."""
    with DefaultSelector() as selector:
        selector.register(connection.sock, EVENT_READ)
        return bool(selector.select(0))
