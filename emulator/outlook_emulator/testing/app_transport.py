"""httpx transports into an app in this process."""

from __future__ import annotations

import httpx

from outlook_emulator.testing.app_thread import AppThread, Response, broken_connection, response_of

_BROKEN: dict[str, tuple[type[httpx.TransportError], str]] = {
    "reset": (httpx.ReadError, "the connection was reset"),
    "cut": (httpx.RemoteProtocolError, "the connection was closed in the middle of the answer"),
    "stall": (httpx.ReadTimeout, "the answer stopped coming"),
}
"""The error that httpx raises over a socket for each way to break a connection."""


class AppTransport(httpx.BaseTransport):
    """Connects an `httpx.Client` to an app; the read timeout counts as it does over a socket."""

    def __init__(self, thread: AppThread) -> None:
        self._thread = thread

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        future = self._thread.send(request.method, request.url, request.headers.raw, request.read())
        try:
            return _response(future.result(_read_timeout(request)))
        except Exception as error:
            if (translated := _translate(error, not future.done())) is None:
                # A defect of the app reaches the test as it is.
                raise
            raise translated from error


class AsyncAppTransport(httpx.AsyncBaseTransport):
    """Connects an `httpx.AsyncClient` on any asyncio loop to an app."""

    def __init__(self, thread: AppThread) -> None:
        self._thread = thread

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        future = self._thread.send(request.method, request.url, request.headers.raw, await request.aread())
        try:
            return _response(await response_of(future, _read_timeout(request)))
        except Exception as error:
            if (translated := _translate(error, not future.done())) is None:
                raise
            raise translated from error


def _response(response: Response) -> httpx.Response:
    return httpx.Response(response.status, headers=response.headers, content=response.body)


def _read_timeout(request: httpx.Request) -> float | None:
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return seconds


def _translate(error: Exception, still_running: bool) -> Exception | None:
    """The error that a client sees over a socket for a late or broken response; None for any other failure."""
    how = "stall" if still_running else broken_connection(error)
    if how is None:
        return None
    kind, text = _BROKEN[how]
    return kind(text)
