"""How requests get to an emulator: over sockets to a server, or straight into an app in this process."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

import httpx

from outlook_emulator.client import trusting

_KEPT = 2.0
"""Seconds that an idle connection is used again: fewer than the server keeps it, so that no call meets its end."""


class Wire(Protocol):
    """A way to one emulator. Lives as long as who opened it wants; `close` it.

    `url` is where the emulator is, without a slash at its end. What `transport` gives is shared, and closed with this;
    `async_transport` and `session` are of one event loop and belong to who asked. `session` is what Microsoft's client
    is to use as its aiohttp session, with `seconds` to answer; None means that its own does well.
    """

    url: str

    def transport(self) -> httpx.BaseTransport: ...

    def async_transport(self) -> httpx.AsyncBaseTransport: ...

    def session(self, seconds: float) -> Any: ...

    def close(self) -> None: ...


class Shared(httpx.BaseTransport):
    """A transport that outlives the clients that use it: closing one of them leaves the others' connections alone."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)


class Sockets:
    """The way to a server that listens at a URL; `ca_file` is a PEM file of who vouches for an https one.

    Never through a proxy: it would not find what listens on this machine's loopback.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._context = trusting(ca_file) if ca_file else None
        self._pool = httpx.HTTPTransport(verify=self._verify, limits=httpx.Limits(keepalive_expiry=_KEPT))

    def transport(self) -> httpx.BaseTransport:
        return Shared(self._pool)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify)

    def session(self, seconds: float) -> Any:
        if self._context is None:
            return None
        from outlook_emulator.testing.sdk import TrustingSession

        return TrustingSession(self._context, seconds)

    def close(self) -> None:
        self._pool.close()

    @property
    def _verify(self) -> ssl.SSLContext | bool:
        # Without TLS there is nothing to verify, and reading the world's authorities takes longer than many a test.
        return self._context or self.url.startswith("https:")
