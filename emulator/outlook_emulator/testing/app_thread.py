"""An ASGI app on an event loop in a thread of its own, which takes requests without a socket.

The app delivers webhooks there at any time, whether the test runs in an event loop or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx

from outlook_emulator.server.connector.broken_connection import HungUp

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Response(NamedTuple):
    """A response as the app sent it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class AppThread:
    """Runs an app that `create_app` made, lifespan included, until it is closed. Raises what keeps it from starting."""

    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event

    def __init__(self, app: Any) -> None:
        self.app = app
        self._started: Future[None] = Future()
        self._thread = Thread(target=self._run, name="outlook-emulator", daemon=True)
        self._thread.start()
        self._started.result()

    def send(self, method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], body: bytes) -> Future[Response]:
        """Start one request. Any thread but the app's own may wait for the future. Raises RuntimeError once closed."""
        # In httpx the raw path has the query, in ASGI it has not.
        path, server = url.raw_path.partition(b"?")[0].decode("ascii"), (url.host, url.port or 80)
        lowered = [(name.lower(), value) for name, value in headers]
        return self.start(scope_of(method, url.scheme, server, path, lowered, url.query), body)

    def start(self, scope: dict[str, Any], body: bytes) -> Future[Response]:
        """Start one request with an ASGI scope, as `send` does."""
        if not self._thread.is_alive():
            raise RuntimeError("the emulator was closed")
        return asyncio.run_coroutine_threadsafe(_exchange(self.app, scope, body), self._loop)

    def close(self) -> None:
        """Stop the app as a server would. Requests in progress are cancelled."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # A failed start goes to the thread that waits for it in the constructor.
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self.app.router.lifespan_context(self.app):
            self._started.set_result(None)
            await self._stop.wait()


def scope_of(
    method: str,
    scheme: str,
    server: tuple[str, int],
    path: str,
    headers: list[tuple[bytes, bytes]],
    query: bytes = b"",
) -> dict[str, Any]:
    """The ASGI scope of a request for a path, escaped as in a URL, with headers in lower case."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "server": server,
        "client": ("127.0.0.1", 0),
    }


async def response_of(future: Future[Response], seconds: float | None) -> Response:
    """Wait for a response in any event loop. Raises TimeoutError; the app goes on, as it does over a socket."""
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)


def broken_connection(error: Exception) -> str | None:
    """How a fault broke the connection: reset, cut or stall. None for any other failure."""
    return error.how if isinstance(error, HungUp) else None


async def _exchange(app: App, scope: dict[str, Any], body: bytes) -> Response:
    unread = [{"type": "http.request", "body": body, "more_body": False}]
    status, headers, parts = 0, [], []

    async def receive() -> dict[str, Any]:
        if unread:
            return unread.pop()
        # The next message would be the client's disconnect, and this client always waits for the whole response.
        disconnect: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await disconnect

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        # A server drops the body of such a response.
        elif scope["method"] != "HEAD":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Response(status, headers, b"".join(parts))
