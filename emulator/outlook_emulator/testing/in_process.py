"""The emulator without a socket: an app on an event loop in a thread of its own, and transports straight into it.

Its couriers run there whatever the test does meanwhile, in an event loop of its own or in none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, NamedTuple

import httpx

from outlook_emulator.server.connector.broken_connection import HungUp

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

URL = "http://outlook-emulator.localhost"
"""Where an app without a socket says it is."""
_BROKEN: dict[str, tuple[type[httpx.TransportError], str]] = {
    "reset": (httpx.ReadError, "the connection was reset"),
    "cut": (httpx.RemoteProtocolError, "the connection was closed in the middle of the answer"),
    "stall": (httpx.ReadTimeout, "the answer stopped coming"),
}
"""What a client sees of each way to break off an answer."""


class Reply(NamedTuple):
    """An answer as the app gave it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Hosted:
    """An emulator's app, as `create_app` makes it, and the thread it runs on. Lives until it is closed; a `Wire`."""

    url = URL

    _loop: asyncio.AbstractEventLoop
    _end: asyncio.Event

    def __init__(self, app: Any) -> None:
        self.app = app
        self._started: Future[None] = Future()
        self._thread = Thread(target=self._live, name="outlook-emulator", daemon=True)
        self._thread.start()
        self._started.result()

    def transport(self) -> httpx.BaseTransport:
        return AppTransport(self)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        return AsyncAppTransport(self)

    def session(self, seconds: float) -> Any:
        from outlook_emulator.testing.sdk import AppSession

        return AppSession(self, seconds)

    def ask(self, method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], body: bytes) -> Future[Reply]:
        """Start one exchange; to be waited for from any thread but the app's own. Raises RuntimeError once closed."""
        if not self._thread.is_alive():
            raise RuntimeError("the emulator that is asked was closed")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in headers],
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 0),
        }
        return asyncio.run_coroutine_threadsafe(_exchange(self.app, scope, body), self._loop)

    def close(self) -> None:
        """Stop the app as a server does that was told to stop; what is under way then is not answered any more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _live(self) -> None:
        try:
            asyncio.run(self._stay())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _stay(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self.app.router.lifespan_context(self.app):
            self._started.set_result(None)
            await self._end.wait()


class AppTransport(httpx.BaseTransport):
    """Lets an `httpx.Client` speak to an app; a timeout for reading counts as it does over a socket."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        under_way = self._hosted.ask(request.method, request.url, request.headers.raw, request.read())
        try:
            return _response(under_way.result(_patience(request)))
        except Exception as error:
            if (seen := _seen(error, not under_way.done())) is None:
                raise
            raise seen from error


class AsyncAppTransport(httpx.AsyncBaseTransport):
    """Lets an `httpx.AsyncClient` on any asyncio loop speak to an app."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        under_way = self._hosted.ask(request.method, request.url, request.headers.raw, await request.aread())
        try:
            return _response(await outcome(under_way, _patience(request)))
        except Exception as error:
            if (seen := _seen(error, not under_way.done())) is None:
                raise
            raise seen from error


async def outcome(under_way: Future[Reply], seconds: float | None) -> Reply:
    """What an exchange came to. Who gives up waiting does not stop it, as over a socket. Raises TimeoutError."""
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(under_way)), seconds)


def broken(error: Exception) -> str | None:
    """How an exchange was broken off, None where it simply failed."""
    return error.how if isinstance(error, HungUp) else None


async def _exchange(app: App, scope: dict[str, Any], body: bytes) -> Reply:
    coming = [{"type": "http.request", "body": body, "more_body": False}]
    status, headers, parts = 0, [], []

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop()
        # Whoever asks for more waits for the caller to hang up, who stays for the whole answer.
        hung_up: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await hung_up

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif scope["method"] != "HEAD":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, headers, b"".join(parts))


def _response(reply: Reply) -> httpx.Response:
    return httpx.Response(reply.status, headers=reply.headers, content=reply.body)


def _patience(request: httpx.Request) -> float | None:
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return seconds


def _seen(error: Exception, still_running: bool) -> Exception | None:
    """What a client makes of an answer that is late or broken off, as over a socket; None for any other failure."""
    how = "stall" if still_running else broken(error)
    if how is None:
        return None
    kind, text = _BROKEN[how]
    return kind(text)
