"""Performs an operation of the admin API: reads path, query and body against its declaration, and runs its handler."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

from starlette.requests import Request

from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.admin.request import MIME, AdminOperation, AdminRequest
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.wire.base import parameters_of
from outlook_emulator.wire.body import reader_of


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
) -> Any:
    """The result of an operation, as its handler returns it. Raises ConnectorError.

    `query` is a query string, `content` the body with its `media_type`.
    """
    body, declared = None, operation.query
    if operation.mime_query and media_type.lower().startswith(MIME):
        declared = operation.mime_query
    elif operation.accepts:
        body = reader_of(operation.accepts, strict=operation.strict).read(content or b"{}")
    values = QueryReader(parameters_of(declared)).read(query, http.headers.get) if declared else {}
    result = operation.handler(AdminRequest(http, sandboxes, webhooks, path, content, body, values))
    return await result if isawaitable(result) else result
