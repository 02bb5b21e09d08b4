"""Lets schemathesis send its requests through a mailbox: guarded, paced and recorded as all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio.to_thread
import httpx

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import Mailbox
from outlook_contract.routes import fill, find

_Message = MutableMapping[str, Any]
OWN_CREDENTIAL = "the credential of the run"
"""The value of `Authorization` for which the mailbox's own credential is sent."""


class Bridge:
    """An ASGI app that passes each request on to a mailbox. `exchange` is the last one."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        url = httpx.URL(mailbox.url)
        self._host = str(url.copy_with(raw_path=b"/")).rstrip("/")
        self._base = url.raw_path.decode("ascii").rstrip("/")
        self.exchange: Exchange

    @property
    def root(self) -> str:
        """The URL in front of the connection id."""
        return self._host + self._base.rpartition("/")[0]

    @property
    def connection(self) -> str:
        """The connection id of the mailbox."""
        return self._base.rpartition("/")[2]

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            return
        body = (await receive())["body"]
        # The mailbox may wait, and its target may run in this process.
        exchange = await anyio.to_thread.run_sync(self._pass_on, scope, body)
        headers = [(name.lower(), value) for name, value in exchange.headers.raw]
        await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
        await send({"type": "http.response.body", "body": exchange.body})

    def _pass_on(self, scope: _Message, body: bytes) -> Exchange:
        headers = [
            (name.decode("latin-1"), value)
            for name, value in scope["headers"]
            if name not in (b"host", b"content-length", b"authorization", b"accept-encoding", b"connection")
        ]
        credential = dict(scope["headers"]).get(b"authorization", b"none").decode("latin-1")
        extensions = {} if credential == OWN_CREDENTIAL else {"authorization": credential}
        path = self._escaped(scope["method"], scope["raw_path"].decode("ascii"))
        query = scope["query_string"].decode("ascii")
        url = f"{self._host}{path}" + (f"?{query}" if query else "")
        self._mailbox.http.request(scope["method"], url, headers=headers, content=body, extensions=extensions)
        self.exchange = self._mailbox.transport.exchanges[-1]
        return self.exchange

    def _escaped(self, method: str, path: str) -> str:
        """A path with its values escaped as often as the definition says; schemathesis escapes them once."""
        below = path.removeprefix(self._base + "/")
        match = find(method, below) if below != path else None
        if match is None:
            return path
        return f"{self._base}{fill(*match)}"
