"""Where requests go: to a server over HTTP, or straight into an app in this process."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from outlook_emulator.client import trusting
from outlook_emulator.testing.aiohttp_session import AppSession, TrustingSession
from outlook_emulator.testing.app_thread import AppThread, scope_of
from outlook_emulator.testing.app_transport import AppTransport, AsyncAppTransport
from outlook_emulator.testing.kept_connections import KEEPALIVE, Exchange, KeptConnections

_APP_HOST = "outlook-emulator.localhost"
APP_URL = f"http://{_APP_HOST}"
"""The URL of an app without a socket."""


class Target(Protocol):
    """A way to reach one emulator; close it after use. `app` is the ASGI app, None behind a socket."""

    url: str
    app: Any

    def transport(self) -> httpx.BaseTransport:
        """A transport for any number of clients; it closes with the target."""

    def async_transport(self) -> httpx.AsyncBaseTransport:
        """A new transport for one event loop; its client closes it."""

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Exchange:
        """Send a request that needs no httpx, and return the response. Raises ConnectionError without one."""

    def aiohttp_session(self, seconds: float) -> Any:
        """A session for Microsoft's client, with a timeout in seconds; None if its own session will do."""

    def close(self) -> None: ...


class HttpTarget:
    """A server at a URL; `ca_file` is a PEM file of the CA to trust for https.

    Ignores proxies of the environment, which cannot reach a server on this machine's loopback.
    """

    app: Any = None

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._context = trusting(ca_file) if ca_file else None
        self._kept = KeptConnections(self.url, self._tls)
        self._pool = httpx.HTTPTransport(verify=self._verify, limits=httpx.Limits(keepalive_expiry=KEEPALIVE))

    def transport(self) -> httpx.BaseTransport:
        return _SharedTransport(self._pool)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify)

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Exchange:
        return self._kept.send(method, path, headers, body, seconds)

    def aiohttp_session(self, seconds: float) -> Any:
        return None if self._context is None else TrustingSession(self._context, seconds)

    def close(self) -> None:
        self._pool.close()
        self._kept.close()

    def _tls(self) -> ssl.SSLContext:
        return self._context or httpx.create_ssl_context(trust_env=False)

    @property
    def _verify(self) -> ssl.SSLContext | bool:
        # Loading the system's CAs takes longer than many tests, so plain http does without.
        return self._context or self.url.startswith("https:")


class AppTarget:
    """An app that `create_app` made, run in a thread of this process."""

    url = APP_URL

    def __init__(self, app: Any) -> None:
        self.app = app
        self.thread = AppThread(app)

    def transport(self) -> httpx.BaseTransport:
        return AppTransport(self.thread)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        return AsyncAppTransport(self.thread)

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Exchange:
        try:
            status, _, content = self.thread.start(_scope(method, path, headers, body), body or b"").result(seconds)
        except TimeoutError as error:
            raise ConnectionError(f"The emulator did not answer for {seconds:.0f} seconds.") from error
        return Exchange(status, content)

    def aiohttp_session(self, seconds: float) -> Any:
        return AppSession(self.thread, seconds)

    def close(self) -> None:
        self.thread.close()


def _scope(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> dict[str, Any]:
    raw = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    if body is not None:
        raw.append((b"content-length", str(len(body)).encode("ascii")))
    return scope_of(method, "http", (_APP_HOST, 80), path, [(b"host", _APP_HOST.encode("ascii")), *raw])


class _SharedTransport(httpx.BaseTransport):
    """A transport that stays open when a client that uses it closes."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)
