"""Sessions for Microsoft's client, which uses aiohttp: with a CA of our own, or into an app in this process."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx

from outlook_emulator.testing.app_thread import AppThread, Response, broken_connection, response_of

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""The methods that aiohttp sends a second time when the connection is reset."""


class TrustingSession:
    """An aiohttp session that trusts the CAs of a context; the first request opens it, in that request's event loop."""

    def __init__(self, context: ssl.SSLContext, seconds: float) -> None:
        self._context = context
        self._seconds = seconds
        self._session: Any = None
        self.closed = False

    def request(self, method: str, url: str, **options: Any) -> Any:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                connector=aiohttp.TCPConnector(ssl=self._context),
            )
        return self._session.request(method, url, **options)

    async def close(self) -> None:
        self.closed = True
        if self._session is not None:
            await self._session.close()


class AppSession:
    """The part of an aiohttp session that Microsoft's client uses, over an app in this process."""

    def __init__(self, thread: AppThread, seconds: float) -> None:
        self._thread = thread
        self._seconds = seconds
        self.closed = False

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: str | bytes | None = None
    ) -> AppRequest:
        import yarl

        body = data.encode() if isinstance(data, str) else data or b""
        # aiohttp normalizes URLs with yarl, which changes how some are escaped.
        target = httpx.URL(str(yarl.URL(url)))
        host = target.netloc.decode("ascii")
        sent = {"Host": host, "Accept": "*/*", **(headers or {}), "Content-Length": str(len(body))}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        return AppRequest(self._thread, self._seconds, (method, target, raw, body))

    async def close(self) -> None:
        self.closed = True


class AppRequest:
    """A request that is sent when its `async with` block is entered, and gives the response."""

    def __init__(self, thread: AppThread, seconds: float, request: tuple[Any, ...]) -> None:
        self._thread = thread
        self._seconds = seconds
        self._request = request

    async def __aenter__(self) -> AppResponse:
        import aiohttp

        try:
            return await self._send()
        except aiohttp.ClientOSError:
            if self._request[0] not in _IDEMPOTENT:
                raise
            return await self._send()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def _send(self) -> AppResponse:
        try:
            # In aiohttp, a timeout of 0 means none.
            return AppResponse(await response_of(self._thread.send(*self._request), self._seconds or None))
        except Exception as error:
            if (how := broken_connection(error)) is None:
                raise
            raise _failure(how) from error


class AppResponse:
    """The parts of a response that Microsoft's client reads."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = httpx.Headers(response.headers)
        self._body = response.body

    async def read(self) -> bytes:
        return self._body

    async def text(self) -> str:
        return self._body.decode("utf-8")


def _failure(how: str) -> Exception:
    """The error that aiohttp raises over a socket for a broken connection."""
    import aiohttp

    if how == "reset":
        return aiohttp.ClientOSError(104, "Connection reset by peer")
    if how == "cut":
        return aiohttp.ClientPayloadError("Response payload is not completed")
    return TimeoutError()
