"""Microsoft's own client, led to an emulator; and its aiohttp session, where there is no socket or no known authority.

Written for azure-connectors 0.5, whose HTTP client keeps its session in `_session` and makes one where that is None.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from azure.connectors.outlook import OutlookClient

    from outlook_emulator.testing.in_process import Hosted, Reply
    from outlook_emulator.testing.wire import Wire


def outlook_client(url: str, credential: str, wire: Wire, options: Mapping[str, Any]) -> OutlookClient:
    """A client for a runtime URL. Raises ModuleNotFoundError, TypeError for an unknown option, and RuntimeError."""
    try:
        from azure.connectors.outlook import OutlookClient
        from azure.connectors.sdk import ConnectionStringTokenProvider, ConnectorClientOptions
    except ModuleNotFoundError as error:
        hint = "pip install azure-connectors aiohttp"
        raise ModuleNotFoundError(f"client() hands back Microsoft's own client, which needs: {hint}") from error
    asked = ConnectorClientOptions(**options)
    client = OutlookClient(url, ConnectionStringTokenProvider(credential), asked)
    session = wire.session(asked.timeout_seconds)
    if session is not None:
        http: Any = client.http_client
        if not hasattr(http, "_session"):
            raise RuntimeError("This azure-connectors takes no session from others: use a server with a plain http URL")
        http._session = session
    return client


_REPEATED = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What aiohttp, unasked, calls a second time when the connection is reset: what changes nothing by being repeated."""


class TrustingSession:
    """An aiohttp session that trusts an authority of our own; opened by the first request, in its event loop."""

    def __init__(self, context: ssl.SSLContext, seconds: float) -> None:
        self._context = context
        self._seconds = seconds
        self._session: Any = None
        self.closed = False

    def request(self, method: str, url: str, **what: Any) -> Any:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                connector=aiohttp.TCPConnector(ssl=self._context),
            )
        return self._session.request(method, url, **what)

    async def close(self) -> None:
        self.closed = True
        if self._session is not None:
            await self._session.close()


class AppSession:
    """As much of an aiohttp session as Microsoft's client uses, over an app in this process."""

    def __init__(self, hosted: Hosted, seconds: float) -> None:
        self._hosted = hosted
        self._seconds = seconds
        self.closed = False

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: str | bytes | None = None
    ) -> AppExchange:
        import yarl

        body = data.encode() if isinstance(data, str) else data or b""
        # Addresses go through the hands of the same library as over a socket, as it changes how some are written.
        target = httpx.URL(str(yarl.URL(url)))
        host = target.netloc.decode("ascii")
        sent = {"Host": host, "Accept": "*/*", **(headers or {}), "Content-Length": str(len(body))}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        return AppExchange(self._hosted, self._seconds, (method, target, raw, body))

    async def close(self) -> None:
        self.closed = True


class AppExchange:
    """A request that is made when its block is entered; inside that it is the answer."""

    def __init__(self, hosted: Hosted, seconds: float, request: tuple[Any, ...]) -> None:
        self._hosted = hosted
        self._seconds = seconds
        self._request = request

    async def __aenter__(self) -> AppAnswer:
        import aiohttp

        try:
            return await self._ask()
        except aiohttp.ClientOSError:
            if self._request[0] not in _REPEATED:
                raise
            return await self._ask()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def _ask(self) -> AppAnswer:
        from outlook_emulator.testing.in_process import broken, outcome

        try:
            return AppAnswer(await outcome(self._hosted.ask(*self._request), self._seconds or None))
        except Exception as error:
            if (how := broken(error)) is None:
                raise
            raise _failure(how) from error


class AppAnswer:
    """An answer with what Microsoft's client reads of it."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = httpx.Headers(reply.headers)
        self._body = reply.body

    async def read(self) -> bytes:
        return self._body

    async def text(self) -> str:
        return self._body.decode("utf-8")


def _failure(how: str) -> Exception:
    """What aiohttp makes of an answer that is broken off."""
    import aiohttp

    if how == "reset":
        return aiohttp.ClientOSError(104, "Connection reset by peer")
    if how == "cut":
        return aiohttp.ClientPayloadError("Response payload is not completed")
    return TimeoutError()
