"""A proxy in front of any target that records what its callers do. Callers use it as their runtime URL."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from outlook_contract.exchange import Exchange
from outlook_contract.har import HarWriter
from outlook_contract.redaction import Redactor
from outlook_contract.routes import operation_of
from outlook_contract.words import Words

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "host"}
)
"""Headers that belong to one connection (RFC 9110, 7.6.1), and the host, which differs behind the proxy."""
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_TIMEOUT = 240.0
"""Seconds; longer than the connector lets any request last."""


class Proxy:
    """An app that passes each request to a target, streams the response back, and gives the exchange to `record`.

    `target` is any URL of the target; only its scheme and host count. `authorization` replaces the callers' credential.
    """

    def __init__(
        self,
        target: str,
        record: Callable[[Exchange], object],
        *,
        authorization: Callable[[], str] | None = None,
        verify: Any = True,
    ) -> None:
        parts = urlsplit(target)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._record = record
        self._authorization = authorization
        self._verify = verify
        self._http: httpx.AsyncClient
        self.app = Starlette(
            routes=[Route("/{path:path}", self._pass_on, methods=_METHODS)], lifespan=lambda app: self._lifespan()
        )

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        async with httpx.AsyncClient(verify=self._verify, timeout=_TIMEOUT, trust_env=False) as self._http:
            yield

    async def _pass_on(self, request: Request) -> Response:
        body = await request.body()
        path = request.scope["raw_path"].decode("ascii")
        query = request.scope["query_string"].decode("ascii")
        url = f"{self._origin}{path}" + (f"?{query}" if query else "")
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        if self._authorization is not None:
            headers = [(name, value) for name, value in headers if name != "authorization"]
            # The first token may take seconds to get.
            headers.append(("authorization", await asyncio.to_thread(self._authorization)))
        sent = self._http.build_request(request.method, url, headers=headers, content=body)
        # httpx adds headers of its own, which the caller did not send.
        for name in ("accept", "accept-encoding", "user-agent"):
            if name not in request.headers:
                sent.headers.pop(name, None)
        started, clock = time.time(), time.perf_counter()
        try:
            response = await self._http.send(sent, stream=True)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"The target does not respond: {error or type(error).__name__}", 502)

        async def stream() -> AsyncIterator[bytes]:
            parts = []
            # Without its end, a response is not recorded.
            try:
                async for part in response.aiter_raw():
                    parts.append(part)
                    yield part
            finally:
                await response.aclose()
            self._record(_exchange(sent, body, response, b"".join(parts), started, time.perf_counter() - clock))

        own_origin = f"{request.url.scheme}://{request.url.netloc}"
        passed = StreamingResponse(stream(), response.status_code)
        passed.raw_headers = [
            (name.lower(), self._at(own_origin, name, value))
            for name, value in response.headers.raw
            if name.decode("latin-1").lower() not in _HOP_BY_HOP
        ]
        return passed

    def _at(self, own_origin: str, name: bytes, value: bytes) -> bytes:
        """The value of a header; a location on the target leads through the proxy, so that it is recorded too."""
        if name.lower() != b"location":
            return value
        return value.replace(self._origin.encode(), own_origin.encode(), 1)


@contextmanager
def recording(
    target: str,
    file: Path,
    *,
    port: int = 0,
    addresses: Sequence[str] = (),
    authorization: Callable[[], str] | None = None,
    verify: Any = True,
    keep_text: bool = False,
) -> Iterator[tuple[str, HarWriter]]:
    """A proxy in a thread that writes requests to the connector to a HAR file until the block ends.

    Yields its URL, or the runtime URL on it if `target` is one, and the file. `addresses` are those of the mailboxes,
    in the order in which they are used. Unless `keep_text`, texts and files are replaced.
    """
    with HarWriter(file, Redactor(addresses, words=None if keep_text else Words())) as har:

        def record(exchange: Exchange) -> None:
            if operation_of(exchange.method, urlsplit(exchange.url).path) is not None:
                har.add(exchange)

        proxy = Proxy(target, record, authorization=authorization, verify=verify)
        with _served(proxy.app, port) as origin:
            yield origin + urlsplit(target).path.rstrip("/"), har


@contextmanager
def _served(app: Starlette, port: int) -> Iterator[str]:
    """Serve an app in a thread until the block ends. Raises OSError if the port is taken."""
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, date_header=False, ws="none")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", port))

    # The socket listens already, so a caller that is early waits.
    thread = Thread(target=lambda: asyncio.run(server.serve([listener])), name="outlook-recorder", daemon=True)
    thread.start()
    try:
        host, own_port = listener.getsockname()[:2]
        yield f"http://{host}:{own_port}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _exchange(
    request: httpx.Request, body: bytes, response: httpx.Response, content: bytes, started: float, seconds: float
) -> Exchange:
    operation = operation_of(request.method, request.url.raw_path.decode("ascii").partition("?")[0])
    # Decodes what the target compressed.
    plain = httpx.Response(response.status_code, headers=response.headers, content=content).content
    return Exchange(
        operation=operation[0] if operation else None,
        method=request.method,
        url=str(request.url),
        request_headers=request.headers,
        request_body=body,
        status=response.status_code,
        headers=response.headers,
        body=plain,
        started=started,
        seconds=seconds,
    )
