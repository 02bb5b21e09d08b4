"""The connector's URL space: routes a request to its row, runs the row on a mailbox, and renders what comes back."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from outlook_emulator.errors import (
    BadSignature,
    ConnectorError,
    InternalError,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthorized,
)
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.mailbox import Caller, Mailbox
from outlook_emulator.mailbox.triggers.mail_triggers import Poll
from outlook_emulator.operations.operation import Kind, Operation
from outlook_emulator.operations.operation import Scope as OperationScope
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.broken_connection import HungUp, has_hung_up, send_broken
from outlook_emulator.server.connector.error_responses import refusal
from outlook_emulator.server.connector.exchange import (
    JSON,
    Answer,
    Exchange,
    Handler,
    Request,
    Wrapper,
    date_header,
    send_answer,
)
from outlook_emulator.server.connector.polling import cursor_of, polled
from outlook_emulator.server.connector.query import QueryReader, pairs
from outlook_emulator.server.connector.routes import Routes, decode_path_value
from outlook_emulator.settings import Settings
from outlook_emulator.store.records import Owner
from outlook_emulator.wire.base import ROOT, Reply, snake_case
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.mail import Binary

PREFIX = b"/apim/outlook/"
_LOST = "lost"
"""How an answer left that could not be sent."""
# Of what recorded answers carry, the part that a client could lean on.
COMMON = [
    (b"cache-control", b"no-store, no-cache"),
    (b"pragma", b"no-cache"),
    (b"expires", b"-1"),
    (b"x-content-type-options", b"nosniff"),
]


class Connector:
    """ASGI middleware that serves `/apim/outlook/…` and passes everything else on.

    `wrappers` are put around the handler, the first outermost.
    """

    def __init__(
        self,
        app: ASGIApp,
        operations: Iterable[Operation],
        sandboxes: Sandboxes,
        settings: Settings,
        wrappers: Sequence[Wrapper] = (),
    ) -> None:
        self._app = app
        self._sandboxes = sandboxes
        self._settings = settings
        self._routes = Routes(operations)
        self._endpoints: dict[str, _Endpoint] = {}
        handler = self._rendered_by(self._run)
        for wrap in reversed(wrappers):
            handler = self._rendered_by(wrap(handler))
        self._handler = handler
        # Apart from the sandboxes' own: a refused call must not change the ids that follow.
        self._rng = Random(settings.random_seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["raw_path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        raw = scope["raw_path"][len(PREFIX) :].decode("latin-1")
        # A runtime URL may end in a slash, which doubles the one of the path.
        segments = [part for part in raw.split("/") if part]
        world = self._sandboxes.sandbox_of(segments[0] if segments else "")
        exchange = Exchange(scope, receive, world, self._refusal)
        how = _LOST
        try:
            how = await self._send(exchange, await self._answer(exchange, segments), send)
        except HungUp as hung:
            how = hung.how
            raise
        finally:
            for leave in reversed(exchange.leaving):
                leave(how)

    async def _send(self, exchange: Exchange, answer: Answer, send: Send) -> str:
        clock = exchange.sandbox.clock if exchange.sandbox else self._sandboxes.clock_of(None, exchange.connection_id)
        common = [*COMMON, date_header(clock.now())]
        if answer.breaks is None:
            is_gone = has_hung_up(exchange.scope)
            how = await send_answer(send, answer, common)
            return _LOST if is_gone else how
        return await send_broken(exchange.scope, exchange.receive, send, answer, common, exchange.world)

    async def _answer(self, exchange: Exchange, segments: list[str]) -> Answer:
        try:
            self._find(exchange, segments)
        except ConnectorError as error:
            exchange.refusal = error
        exchange.arrived = exchange.world.clock.now()
        return await self._handler(exchange)

    def _rendered_by(self, handler: Handler) -> Handler:
        """A handler whose errors are answers: wrappers see every exchange and its answer, refusals too."""

        async def handle(exchange: Exchange) -> Answer:
            try:
                return await handler(exchange)
            except ConnectorError as error:
                return _refused(exchange, error)
            except Exception:
                # The caller gets no traceback; whoever runs the server does.
                traceback.print_exc(file=sys.stderr)
                return _refused(exchange, InternalError())

        return handle

    def _find(self, exchange: Exchange, segments: list[str]) -> None:
        """Fill in the row and the connection id, as far as path and credential allow."""
        operation, values = self._routes.match(exchange.scope["method"], segments)
        exchange.operation, exchange.path_values = operation, values
        if operation.scope is OperationScope.CONNECTION:
            authorize(exchange, self._settings.authorization)
        if operation.scope is OperationScope.CONNECTION:
            exchange.connection_id = decode_path_value(values[0], "connectionId")
            exchange.world = self._sandboxes.sandbox_of(exchange.connection_id)
        elif operation.place_of is not None:
            exchange.world = self._sandbox_behind(operation.place_of, exchange.scope["query_string"])

    def _sandbox_behind(self, place_of: Callable[[str], tuple[str, int]], query: bytes) -> Sandbox:
        """The sandbox that the `state` of a link names; the default one where it names none."""
        try:
            name, _ = place_of(dict(reversed(pairs(query))).get("state", ""))
        except ConnectorError:
            return self._sandboxes.default
        return self._sandboxes.get(name) or self._sandboxes.default

    async def _run(self, exchange: Exchange) -> Answer:
        operation = exchange.operation
        if exchange.refusal is not None or operation is None:
            raise exchange.refusal or InternalError()
        endpoint = self._endpoints.get(operation.id)
        if endpoint is None:
            endpoint = self._endpoints[operation.id] = _Endpoint(operation)
        body = await exchange.body(self._settings.max_body_bytes) if endpoint.has_body else b""
        arguments, values = endpoint.bind(exchange, body)
        # Not before: a refused call makes no connection, and while a body was awaited, the sandbox may have gone.
        sandbox, owner = exchange.sandbox, exchange.owner = self._place(exchange, operation, values)
        exchange.now = sandbox.clock.now()
        mailbox = sandbox.mailbox(owner, Caller(exchange.header), exchange.now)
        if exchange.changes:
            mailbox.rules = replace(mailbox.rules, **exchange.changes)
        if operation.kind is Kind.POLL:
            poll = endpoint.poll(mailbox, values, cursor_of(operation, exchange, mailbox))
            return polled(operation, exchange, mailbox, poll)
        answer = endpoint.run(mailbox, arguments, values)
        exchange.is_done = True
        return _completed(answer, exchange) if isinstance(answer, Reply) else answer

    def _place(self, exchange: Exchange, operation: Operation, values: dict[str, Any]) -> tuple[Sandbox, Owner]:
        """Where a row runs: the mailbox of the connection, or else the one that its `state` names."""
        if exchange.connection_id is not None:
            return self._sandboxes.find(exchange.connection_id)
        assert operation.place_of is not None
        name, mailbox_id = operation.place_of(values["state"])
        try:
            sandbox = self._sandboxes.named(name)
            return sandbox, owner_of(sandbox.db, mailbox_id)
        except NotFound:
            raise BadSignature("The query parameter 'state' leads to no mailbox that is here.") from None

    def _refusal(self, exchange: Exchange, error: ConnectorError) -> Answer:
        request_id = (exchange.header("x-ms-client-request-id") or self._made_up_id())[:200]
        return refusal(error, request_id, self._made_up_id(), self._settings.source)

    def _made_up_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def authorize(request: Request, wanted: str) -> None:
    """Hold a request to the credential that the settings demand. Raises Unauthorized."""
    if wanted == "none":
        return
    scheme, _, credential = (request.header("authorization") or "").partition(" ")
    credential = credential.strip()
    if scheme.lower() not in ("bearer", "key") or not credential or wanted not in ("any", credential):
        raise Unauthorized()


class _Endpoint:
    """A row made ready to run: its readers and its renderer."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._function = operation.run
        self._query = QueryReader(operation.parameters)
        self._keywords = [(name, snake_case(name)) for name in operation.path_parameters]
        self._convert = operation.accepts
        self._body = reader_of(operation.body_shape, operation.partial) if operation.accepts else None
        self.has_body = self._body is not None
        # Of a path below a connection the first value is the connection's id. What the back end calls may be empty.
        self._first = int(operation.scope is OperationScope.CONNECTION)
        self._demands = operation.body_required and operation.scope is OperationScope.CONNECTION

    def bind(self, exchange: Exchange, body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What `run` takes beside the mailbox. Raises InvalidRequest."""
        values = self._query.read(exchange.scope["query_string"], exchange.header)
        for (name, keyword), raw in zip(self._keywords, exchange.path_values[self._first :], strict=True):
            values[keyword] = decode_path_value(raw, name)
        return self._arguments(body), values

    def run(self, mailbox: Mailbox, arguments: tuple[Any, ...], values: dict[str, Any]) -> Answer | Reply[Any]:
        return self._rendered(self._function(mailbox, *arguments, **values))

    def poll(self, mailbox: Mailbox, values: dict[str, Any], cursor: str | None) -> Poll:
        found: Poll = self._function(mailbox, **values, cursor=cursor)
        return found

    def _arguments(self, body: bytes) -> tuple[Any, ...]:
        if self._body is None or self._convert is None:
            return ()
        if not body.strip():
            if self._demands:
                raise InvalidRequest(f"The request body '{self._operation.body_name}' is required.")
            body = b"{}"
        return (self._convert(self._body.read(body)),)

    def _rendered(self, result: Any) -> Answer | Reply[Any]:
        operation = self._operation
        if operation.returns is None:
            return Answer(operation.success)
        shown = operation.returns(result)
        if isinstance(shown, Reply):
            return shown if shown.status else shown._replace(status=operation.success)
        if isinstance(shown, Binary):
            return Answer(operation.success, shown.content, [(b"content-type", shown.content_type.encode("latin-1"))])
        return Answer(operation.success, orjson.dumps(shown), JSON)


def _refused(exchange: Exchange, error: ConnectorError) -> Answer:
    operation = exchange.operation
    if operation is not None and error.field is not None and (wire := operation.wire_name(error.field)) is not None:
        error.rename(*wire)
    if exchange.entry is not None and not isinstance(error, TooManyRequests):
        exchange.entry.add_cause("refusal", type(error).__name__, error.message)
    return exchange.render(error)


def _completed(reply: Reply[Any], exchange: Exchange) -> Answer:
    """A reply as it goes out, with the address the caller came by in place of `ROOT`."""
    headers = [(name.lower().encode("ascii"), _placed(text, exchange)) for name, text in reply.headers.items()]
    status = reply.status or 200
    if reply.body is None:
        return Answer(status, b"", headers)
    if isinstance(reply.body, str):
        return Answer(status, reply.body.encode(), headers)
    body = {
        name: _placed(value, exchange).decode("latin-1") if isinstance(value, str) and value.startswith(ROOT) else value
        for name, value in reply.body.items()
    }
    return Answer(status, orjson.dumps(body), [*JSON, *headers])


def _placed(text: str, exchange: Exchange) -> bytes:
    if not text.startswith(ROOT):
        return text.encode("latin-1")
    host = exchange.header("host") or "localhost"
    root = f"{exchange.scope['scheme']}://{host}{PREFIX.decode('ascii')}{exchange.connection_id}"
    return (root + text.removeprefix(ROOT)).encode("latin-1")
