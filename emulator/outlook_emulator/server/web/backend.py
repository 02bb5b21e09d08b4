"""What pages do on a server: operations of the admin API and of the connector, as if they came over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from starlette.requests import Request
from starlette.types import Message

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.perform import perform
from outlook_emulator.server.admin.routes import ADMIN
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.exchange import Exchange, Response
from outlook_emulator.server.connector.features import Features
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.traffic.journal import Outcome


class Answer(NamedTuple):
    """An answer of the connector. `path` is that of the request, with its query."""

    path: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON in the body, None without a body."""
        return orjson.loads(self.body) if self.body else None

    @property
    def error(self) -> str:
        """The text of an error, the mail service's own if the body has it."""
        inner = self.json.get("error")
        if isinstance(inner, dict):
            return str(inner.get("originalMessage") or inner["message"])
        return str(self.json["message"])

    def curl(self, base: str) -> str:
        """The command that sends a GET again to a server at a base URL."""
        return f"curl -s -H 'Authorization: Bearer anything' \\\n  '{base}{self.path}'"


@dataclass(frozen=True)
class Backend:
    """The sandboxes of the server and what acts on them. Lives as long as the app."""

    sandboxes: Sandboxes
    webhooks: Webhooks

    async def admin(
        self, http: Request, id: str, path: Mapping[str, str], query: bytes, content: bytes, media_type: str
    ) -> Any:
        """The result of the admin operation with an id. Raises ConnectorError."""
        operation = next(operation for operation in ADMIN if operation.id == id)
        return await perform(
            operation,
            http,
            self.sandboxes,
            self.webhooks,
            path=path,
            query=query,
            content=content,
            media_type=media_type,
        )

    async def connector(
        self, http: Request, method: str, connection: str, path: str, query: bytes, body: Any
    ) -> Answer:
        """What the connector answers to a request that neither the journal nor limits nor faults see."""
        raw_path = f"/apim/outlook/{connection}{path}".encode("ascii")
        content = b"" if body is None else orjson.dumps(body)
        headers = [(b"host", http.headers.get("host", "").encode("latin-1")), (b"authorization", b"Bearer page")]
        if content:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        scope = {
            **http.scope,
            "method": method,
            "path": raw_path.decode("ascii"),
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            "extensions": {},
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._connector(scope, receive, send)
        start = sent[0]
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        shown = raw_path.decode("ascii") + (f"?{query.decode('ascii')}" if query else "")
        return Answer(shown, start["status"], fields, b"".join(message.get("body", b"") for message in sent[1:]))

    @cached_property
    def _connector(self) -> Connector:
        from dataclasses import replace

        quiet = _Quiet(self.webhooks)
        # The page has shown its own credential; the connector's would be another one.
        settings = replace(self.sandboxes.settings, authorization="none")
        return Connector(_nothing, OPERATIONS, self.sandboxes, settings, Features(quiet, quiet, quiet, quiet))


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("The path is not one of the connector.")


@dataclass(frozen=True)
class _Quiet:
    """The features around the connector for a page: callbacks are delivered, and nothing else happens."""

    webhooks: Webhooks

    def open(self, exchange: Exchange) -> None: ...

    def needs_body(self, exchange: Exchange, response: Response) -> bool:
        return False

    async def read_body(self, exchange: Exchange) -> None: ...

    def note(self, exchange: Exchange, response: Response) -> None: ...

    def enter(self, exchange: Exchange) -> None: ...

    def leave(self, exchange: Exchange, response: Response) -> Response:
        return response

    def has_rules(self, exchange: Exchange) -> bool:
        return False

    async def before(self, exchange: Exchange) -> Response | None:
        return None

    async def after(self, exchange: Exchange, response: Response) -> Response:
        return response

    def close(self, exchange: Exchange, outcome: Outcome | None = None) -> None: ...

    async def validate(self, exchange: Exchange) -> None:
        await self.webhooks.validate(exchange)

    def wake(self, sandbox: Sandbox) -> None:
        # The request for the page wakes the sandbox if a form sent it; one that shows something changes nothing.
        ...
