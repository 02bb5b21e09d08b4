"""Performs an operation of the admin API: reads path, query and body against its declaration, and runs its handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import isawaitable, iscoroutinefunction
from types import FunctionType
from typing import Any

from starlette.requests import Request

from outlook_emulator.sandbox.aside import LARGE, MANY, alone, aside
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.request import MIME, AdminOperation, AdminRequest
from outlook_emulator.server.connector.exchange import Exchange
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.readers import reader_aside
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.wire.base import parameters_of
from outlook_emulator.wire.body import ignore

_LARGE_INPUT = 8 * 1024
"""From this many bytes on, a body or a file is read aside: calendars and fault plans take a millisecond for each KB."""


async def perform(
    operation: AdminOperation,
    http: Request,
    sandboxes: Sandboxes,
    webhooks: Webhooks,
    *,
    path: Mapping[str, str],
    query: bytes,
    content: bytes,
    media_type: str,
    render: Callable[[Any], Any] = lambda result: result,
) -> Any:
    """The result of an operation, as its handler returns it and then `render`. Raises ConnectorError.

    `query` is a query string, `content` the body with its `media_type`. What may take long runs in a worker thread.
    """
    body, declared = None, operation.query
    if operation.mime_query and media_type.lower().startswith(MIME):
        declared = operation.mime_query
    elif operation.accepts:
        reader = await reader_aside(operation.accepts, strict=operation.strict)
        body = await _by_size(_LARGE_INPUT, content, reader.read, content or b"{}")
    unknown = Exchange.refuse_name if operation.strict else ignore
    values = QueryReader(parameters_of(declared) if declared else ()).read(query, http.headers.get, unknown)
    request = AdminRequest(http, sandboxes, webhooks, path, content, body, values)
    sandbox = sandboxes.get(path.get("sandbox", ""))
    if sandbox is not None:
        await sandbox.turn.free()
    if operation.reads is not None and body is None:
        request = await _with_file(operation.reads, request)
    if sandbox is None or iscoroutinefunction(operation.handler):
        result = operation.handler(request)
        return render(await result if isawaitable(result) else result)
    await sandbox.turn.free()
    if not _may_be_long(operation, request, sandbox):
        return render(operation.handler(request))
    # Without the database, where the handler returns a function.
    result = await alone(sandbox, _rendered, operation, request, render)
    return await aside(result) if isinstance(result, FunctionType) else result


def _may_be_long(operation: AdminOperation, request: AdminRequest, sandbox: Sandbox) -> bool:
    is_large = len(request.content) >= LARGE or sandbox.db.has_large
    return operation.is_long or is_large or request.query.get("top", 0) > MANY


async def _with_file(reads: Callable[[AdminRequest], Any], request: AdminRequest) -> AdminRequest:
    # A sandbox or a connection that does not exist is the first error.
    _ = request.connection if "connection" in request.path else request.sandbox
    return replace(request, file=await _by_size(_LARGE_INPUT, request.content, reads, request))


async def _by_size(large: int, content: bytes, read: Callable[[Any], Any], argument: Any) -> Any:
    """Read content: in a worker thread if it is large."""
    return read(argument) if len(content) < large else await aside(read, argument)


def _rendered(operation: AdminOperation, request: AdminRequest, render: Callable[[Any], Any]) -> Any:
    """The rendered result, or a function that makes it."""
    result = operation.handler(request)
    return (lambda: render(result())) if isinstance(result, FunctionType) else render(result)
