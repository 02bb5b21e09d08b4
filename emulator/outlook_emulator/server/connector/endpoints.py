"""Operations ready to serve: parameters and bodies are bound, results are rendered."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from types import GeneratorType
from typing import Any, NamedTuple

import orjson

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.operations.operation import Kind, Operation, Scope
from outlook_emulator.sandbox.aside import MANY, aside
from outlook_emulator.server.connector.exchange import JSON, Exchange, Response
from outlook_emulator.server.connector.polling import cursor_of, poll_response
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.connector.routes import PREFIX, decode_path_value
from outlook_emulator.server.slices import in_slices
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.wire.base import ROOT, Reply, snake_case
from outlook_emulator.wire.body import BodyReader, Unknown
from outlook_emulator.wire.large_json import write_json, write_large_json
from outlook_emulator.wire.mail import Binary

_RUNS = re.compile(r"(?i)\s*[\w.-]+/(?:[\w.-]+\+)?(?:html|xml|xslt?)\b")
"""Matches types of content in which a browser may run scripts."""


class Arguments(NamedTuple):
    """What a mailbox function takes beside the mailbox; `body` is empty for an operation without a request body."""

    body: tuple[Any, ...]
    values: dict[str, Any]


class Endpoint:
    """An operation with its parameter readers, body reader and renderer."""

    def __init__(self, operation: Operation, body: BodyReader | None) -> None:
        self._operation = operation
        self._query = QueryReader(operation.parameters, operation.cursor)
        self._path = [(name, snake_case(name)) for name in operation.path_parameters]
        self._convert = operation.accepts
        self._body = body
        self.has_body = self._body is not None
        # The first value of a path below a connection is the connection's id.
        self._first = int(operation.scope is Scope.CONNECTION)
        # The connector's own back end may call with an empty body.
        self._needs_body = operation.body_required and operation.scope is Scope.CONNECTION

    def bind(self, exchange: Exchange, body: bytes, unknown: Unknown) -> Arguments:
        """Read path, query, headers and body. Raises InvalidRequest, and what `unknown` raises."""
        values = self._query.read(exchange.scope["query_string"], exchange.header, unknown)
        for (name, keyword), raw in zip(self._path, exchange.path_values[self._first :], strict=True):
            values[keyword] = decode_path_value(raw, name)
        return Arguments(self._read(body, unknown), values)

    def run(
        self, exchange: Exchange, mailbox: Mailbox, arguments: Arguments
    ) -> Response | Coroutine[Any, Any, Response]:
        """Run the operation on a mailbox and render its result; await the response of long work, which pauses."""
        result = self._result(exchange, mailbox, arguments)
        if isinstance(result, GeneratorType):
            return self._run_slices(exchange, mailbox, result)
        return self._render(exchange, mailbox, result)

    def run_whole(self, exchange: Exchange, mailbox: Mailbox, arguments: Arguments) -> Response:
        """Run the operation and render its result without a pause, in a thread that holds up nobody."""
        result = self._result(exchange, mailbox, arguments)
        result = whole(result) if isinstance(result, GeneratorType) else result
        return self._render(exchange, mailbox, result, write_large_json)

    def _result(self, exchange: Exchange, mailbox: Mailbox, arguments: Arguments) -> Any:
        operation = self._operation
        if operation.kind is Kind.POLL:
            return operation.run(mailbox, **arguments.values, cursor=cursor_of(operation, exchange, mailbox))
        return operation.run(mailbox, *arguments.body, **arguments.values)

    async def _run_slices(self, exchange: Exchange, mailbox: Mailbox, work: Sliced[Any]) -> Response:
        result = await in_slices(work, exchange.ran_in)
        if isinstance(result, list) and len(result) > MANY:
            return await aside(self._render, exchange, mailbox, result)
        return self._render(exchange, mailbox, result)

    def _read(self, body: bytes, unknown: Unknown) -> tuple[Any, ...]:
        if self._body is None or self._convert is None:
            return ()
        if not body.strip():
            if self._operation.no_body is not None:
                raise self._operation.no_body()
            if self._needs_body:
                raise InvalidRequest(f"The request body '{self._operation.body_name}' is required.")
            # So that an optional body gets the defaults of its members.
            body = b"{}"
        return (self._convert(self._body.read(body, unknown)),)

    def _render(
        self, exchange: Exchange, mailbox: Mailbox, result: Any, write: Callable[[Any], bytes] = write_json
    ) -> Response:
        operation = self._operation
        if operation.kind is Kind.POLL:
            return poll_response(operation, exchange, mailbox, result)
        if operation.returns is None:
            return Response(operation.success)
        shape = operation.returns(result)
        if isinstance(shape, Reply):
            return _reply(exchange, shape, operation.success)
        if isinstance(shape, Binary):
            headers = [(b"content-type", shape.content_type.encode("latin-1"))]
            if _RUNS.match(shape.content_type):
                # As a download, since it would run as a page of this server.
                headers.append((b"content-disposition", b"attachment"))
            return Response(operation.success, shape.content, headers)
        return Response(operation.success, write(shape), JSON)


def _reply(exchange: Exchange, reply: Reply[Any], success: int) -> Response:
    """A reply as a response; texts that start with `ROOT` get the address that the client used."""
    headers = [
        (name.lower().encode("ascii"), _absolute(text, exchange).encode("latin-1"))
        for name, text in reply.headers.items()
    ]
    status = reply.status or success
    if reply.body is None:
        return Response(status, b"", headers)
    if isinstance(reply.body, str):
        return Response(status, reply.body.encode(), headers)
    body = {name: _absolute(value, exchange) if isinstance(value, str) else value for name, value in reply.body.items()}
    return Response(status, orjson.dumps(body), [*JSON, *headers])


def _absolute(text: str, exchange: Exchange) -> str:
    if not text.startswith(ROOT):
        return text
    host = exchange.header("host") or "localhost"
    root = f"{exchange.scope['scheme']}://{host}{PREFIX.decode('ascii')}{exchange.connection_id}"
    return root + text.removeprefix(ROOT)
