"""Where requests go: to a server over HTTP, or straight into an app in this process."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

import httpx

from outlook_emulator.client import trusting
from outlook_emulator.testing.aiohttp_session import AppSession, TrustingSession
from outlook_emulator.testing.app_thread import AppThread
from outlook_emulator.testing.app_transport import AppTransport, AsyncAppTransport

APP_URL = "http://outlook-emulator.localhost"
"""The URL of an app without a socket."""
_KEEPALIVE = 2.0
"""Seconds an idle connection is kept; fewer than the server keeps it, so that no request meets a closing connection."""


class Target(Protocol):
    """A way to reach one emulator; close it after use. `app` is the ASGI app, None behind a socket."""

    url: str
    app: Any

    def transport(self) -> httpx.BaseTransport:
        """A transport for any number of clients; it closes with the target."""

    def async_transport(self) -> httpx.AsyncBaseTransport:
        """A new transport for one event loop; its client closes it."""

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
        self._pool = httpx.HTTPTransport(verify=self._verify, limits=httpx.Limits(keepalive_expiry=_KEEPALIVE))

    def transport(self) -> httpx.BaseTransport:
        return _SharedTransport(self._pool)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify)

    def aiohttp_session(self, seconds: float) -> Any:
        return None if self._context is None else TrustingSession(self._context, seconds)

    def close(self) -> None:
        self._pool.close()

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

    def aiohttp_session(self, seconds: float) -> Any:
        return AppSession(self.thread, seconds)

    def close(self) -> None:
        self.thread.close()


class _SharedTransport(httpx.BaseTransport):
    """A transport that stays open when a client that uses it closes."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)
