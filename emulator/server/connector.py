"""The connector's URL space: routes a request to its row, runs the row on a mailbox, and renders what comes back."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any
from uuid import UUID

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.errors import ConnectorError, InternalError, InvalidRequest, MethodNotAllowed, NotServed, Unauthorized
from emulator.mailbox.mailbox import Caller, Mailbox
from emulator.operations.operation import Operation
from emulator.operations.operation import Scope as OperationScope
from emulator.sandbox import Sandboxes
from emulator.server.exchange import Answer, Exchange, Handler, Wrapper, send_answer
from emulator.server.query import QueryReader
from emulator.server.routes import Routes, decode_path_value
from emulator.settings import Settings
from emulator.wire.base import snake_case
from emulator.wire.body import BodyReader, reader_of
from emulator.wire.mail import Binary

PREFIX = b"/apim/outlook/"
_JSON = [(b"content-type", b"application/json; charset=utf-8")]
# Of what recorded answers carry, the part that a client could lean on.
_COMMON = [
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
        handler: Handler = self._handle
        for wrap in reversed(wrappers):
            handler = wrap(handler)
        self._handler = handler
        # Apart from the sandboxes' own: a refused call must not change the ids that follow.
        self._chance = Random(settings.chance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["raw_path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive)
        answer = await self._answer(exchange)
        await send_answer(send, answer, _COMMON)

    async def _answer(self, exchange: Exchange) -> Answer:
        try:
            self._find(exchange)
        except ConnectorError as error:
            exchange.refusal = error
        return await self._rendering(exchange, self._handler)

    async def _handle(self, exchange: Exchange) -> Answer:
        """The innermost handler: wrappers see every exchange and its answer, refusals too."""
        return await self._rendering(exchange, self._run)

    async def _rendering(self, exchange: Exchange, handler: Handler) -> Answer:
        try:
            return await handler(exchange)
        except ConnectorError as error:
            return self._refusal(exchange, error)
        except Exception:
            # The caller gets no traceback; whoever runs the server does.
            traceback.print_exc(file=sys.stderr)
            return self._refusal(exchange, InternalError())

    def _find(self, exchange: Exchange) -> None:
        """Fill in the row and the connection id, as far as path and credential allow."""
        raw = exchange.scope["raw_path"][len(PREFIX) :].decode("latin-1")
        # A runtime URL may end in a slash, which doubles the one of the path.
        segments = [part for part in raw.split("/") if part]
        operation, values = self._routes.match(exchange.scope["method"], segments)
        exchange.operation, exchange.path_values = operation, values
        if operation.scope is OperationScope.CONNECTION:
            self._authorize(exchange)
        if not operation.served or operation.scope is OperationScope.API:
            raise NotServed(operation.id)
        exchange.connection_id = decode_path_value(values[0], "connectionId")

    def _authorize(self, exchange: Exchange) -> None:
        wanted = self._settings.authorization
        if wanted == "none":
            return
        scheme, _, credential = (exchange.header("authorization") or "").partition(" ")
        credential = credential.strip()
        if scheme.lower() not in ("bearer", "key") or not credential or wanted not in ("any", credential):
            raise Unauthorized()

    async def _run(self, exchange: Exchange) -> Answer:
        operation = exchange.operation
        if exchange.refusal is not None or operation is None or exchange.connection_id is None:
            raise exchange.refusal or InternalError()
        endpoint = self._endpoints.get(operation.id)
        if endpoint is None:
            endpoint = self._endpoints[operation.id] = _Endpoint(operation)
        body = await exchange.body(self._settings.max_body_bytes) if endpoint.has_body else b""
        arguments, values = endpoint.bind(exchange, body)
        # Not before: a refused call makes no connection, and while a body was awaited, the sandbox may have gone.
        sandbox, owner = exchange.sandbox, exchange.owner = self._sandboxes.find(exchange.connection_id)
        exchange.now = sandbox.clock.now()
        return endpoint.run(sandbox.mailbox(owner, Caller(exchange.header), exchange.now), arguments, values)

    def _refusal(self, exchange: Exchange, error: ConnectorError) -> Answer:
        request_id = (exchange.header("x-ms-client-request-id") or self._made_up_id())[:200]
        headers = [*_JSON]
        if isinstance(error, MethodNotAllowed):
            headers.append((b"allow", error.allow.encode("ascii")))
        body = error_body(error, request_id, self._made_up_id(), self._settings.source)
        return Answer(error.status, orjson.dumps(body), headers)

    def _made_up_id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))


class _Endpoint:
    """A row made ready to run: its readers and its renderer."""

    def __init__(self, operation: Operation) -> None:
        if operation.run is None:
            raise NotServed(operation.id)
        self._operation = operation
        self._function = operation.run
        self._query = QueryReader(operation.parameters)
        self._keywords = [(name, snake_case(name)) for name in operation.path_parameters]
        self._convert: Callable[[Any], Any] = operation.accepts
        shape, partial = operation.body_shape, operation.partial
        self._body: BodyReader | None = reader_of(shape, partial) if operation.accepts else None
        self.has_body = self._body is not None

    def bind(self, exchange: Exchange, body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What `run` takes beside the mailbox. Raises InvalidRequest."""
        values = self._query.read(exchange.scope["query_string"], exchange.header)
        for (name, keyword), raw in zip(self._keywords, exchange.path_values[1:], strict=True):
            values[keyword] = decode_path_value(raw, name)
        return self._arguments(body), values

    def run(self, mailbox: Mailbox, arguments: tuple[Any, ...], values: dict[str, Any]) -> Answer:
        return self._rendered(self._function(mailbox, *arguments, **values))

    def _arguments(self, body: bytes) -> tuple[Any, ...]:
        if self._body is None:
            return ()
        if not body.strip():
            if self._operation.body_required:
                raise InvalidRequest(f"The request body '{self._operation.body_name}' is required.")
            body = b"{}"
        return (self._convert(self._body.read(body)),)

    def _rendered(self, result: Any) -> Answer:
        operation = self._operation
        if operation.returns is None:
            return Answer(operation.success)
        shown = operation.returns(result)
        if isinstance(shown, Binary):
            return Answer(operation.success, shown.content, [(b"content-type", shown.content_type.encode("latin-1"))])
        return Answer(operation.success, orjson.dumps(shown), _JSON)


def error_body(error: ConnectorError, request_id: str, service_id: str, source: str) -> dict[str, Any]:
    """A refusal in the connector's shape, key order as recorded; `service_id` is shown where the store refused."""
    message = f"{error.message}\r\nclientRequestId: {request_id}"
    if error.from_store and service_id:
        message += f"\r\nserviceRequestId: {service_id}"
    body: dict[str, Any] = {"status": error.status, "message": message}
    if error.code is not None:
        body["error"] = {"message": error.message, "code": error.code, "originalMessage": error.original}
    return body | {"source": source}
