"""The routes of the admin API under `/_emulator/api`, of the health checks, and of every path that is not served."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from outlook_emulator.errors import (
    AdminTokenRequired,
    ConnectorError,
    MethodNotAllowed,
    NoSuchOperation,
    NothingCame,
    PartsLeftOut,
)
from outlook_emulator.frozen import Frozen
from outlook_emulator.options import camel
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.admin import (
    approvals,
    callbacks,
    clock,
    contents,
    definition,
    faults,
    items,
    journal,
    limits,
    sandboxes,
    snapshots,
    wait,
)
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.admin.perform import perform
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.connector.error_responses import error_body
from outlook_emulator.server.connector.exchange import date_header, read_body, send_body
from outlook_emulator.server.unexpected import error_of
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.traffic.request_log import REQUESTS, unserved_line
from outlook_emulator.wire.mail import Binary

ROOT = "/_emulator/api"
_HINT = "The connector is at /apim/outlook/{connectionId}, for example GET /apim/outlook/me/v2/Mail."

_FAMILIES = (
    *sandboxes.ROWS,
    *items.ROWS,
    *contents.ROWS,
    *approvals.ROWS,
    *callbacks.ROWS,
    *wait.ROWS,
    *clock.ROWS,
    *snapshots.ROWS,
    *faults.ROWS,
    *limits.ROWS,
    *journal.ROWS,
)
ADMIN = (*_FAMILIES, *definition.rows(_FAMILIES, ROOT))
"""The operations of the admin API; the routes and the OpenAPI document come from them."""


def check_health(request: AdminRequest) -> Binary:
    return Binary(b"ok", "text/plain; charset=utf-8")


_HEALTH = AdminOperation(
    id="Health", method="GET", path="", summary="Check that the server responds", handler=check_health, returns=Binary
)


def admin_routes(sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate) -> list[BaseRoute]:
    """The routes for everything that the connector does not serve itself.

    `gate` guards every path below the root of the admin API, served or not. A request about a sandbox wakes the
    sandbox's `webhooks`.
    """
    by_path: dict[str, dict[str, AdminOperation]] = {}
    for operation in ADMIN:
        by_path.setdefault(ROOT + operation.path, {})[operation.method] = operation
    # No operations: such a path is a 404, but only for a caller with the token.
    by_path[ROOT] = by_path[f"{ROOT}/{{path:path}}"] = {}
    for path in ("/livez", "/readyz"):
        by_path[path] = {"GET": _HEALTH, "HEAD": _HEALTH}
    # Last, since it fits every path.
    by_path["/{path:path}"] = {}
    # Of their own: a refused request must not change the ids of items that follow.
    ids = Random(f"admin {sandboxes.settings.random_seed}")
    # Without methods, Starlette passes all of them on, so that a 405 has the connector's shape too.
    return [
        Route(path, _Endpoint(sandboxes, webhooks, gate, operations, path.startswith(ROOT), ids).respond, methods=[])
        for path, operations in by_path.items()
    ]


class _Endpoint(Frozen):
    """The operations of one path, by method."""

    sandboxes: Sandboxes
    webhooks: Webhooks
    gate: Gate
    operations: Mapping[str, AdminOperation]
    guarded: bool
    ids: Random

    async def respond(self, http: Request) -> Response:
        """Handle one request, start to finish."""
        name = http.path_params.get("sandbox", "")
        before = self.sandboxes.get(name)
        try:
            operation = self._authorized(http)
            response = await self._handle(operation, http)
        except ConnectorError as error:
            if isinstance(error, NoSuchOperation) and not self.guarded and REQUESTS.isEnabledFor(logging.INFO):
                # A caller who forgot the connector's prefix looks into the log first.
                REQUESTS.info("%s", unserved_line(http.method, http.scope["path"], error.message))
            response = self._error(http, error)
        except Exception as error:
            work = f"The request {http.method} {http.scope['path']}"
            # Another one may have its name by now.
            concerned = [sandbox for sandbox in (before, self.sandboxes.get(name)) if sandbox is not None]
            concerned = concerned or self.sandboxes.opened()
            response = self._error(http, await error_of(self.sandboxes, error, work, concerned))
        # A request that waits for items of a sandbox must also wake up when the sandbox is deleted.
        if (sandbox := self.sandboxes.get(name) or before) is not None:
            self.webhooks.wake(sandbox)
        response.raw_headers.append(date_header(self.sandboxes.clock_of(name).now()))
        return response

    def _authorized(self, http: Request) -> AdminOperation:
        """The operation that the caller asks for and may use. Raises ConnectorError."""
        if self.guarded:
            self.gate.check_host(http)
            self.gate.check_token(http)
        if not self.operations:
            raise NoSuchOperation(path := http.scope["path"], "" if path.startswith(ROOT) else _HINT)
        self.gate.check_origin(http)
        operation = self.operations.get(http.method)
        if operation is None:
            raise MethodNotAllowed(http.method, self.operations)
        return operation

    async def _handle(self, operation: AdminOperation, http: Request) -> Response:
        has_body = operation.accepts or operation.accepts_type
        limit = operation.most_bytes(self.sandboxes.settings)
        content = await read_body(http.scope, http.receive, limit) if has_body else b""
        response: Response = await perform(
            operation,
            http,
            self.sandboxes,
            self.webhooks,
            path=http.path_params,
            query=http.scope["query_string"],
            content=content,
            media_type=http.headers.get("content-type", ""),
            render=partial(_render, operation),
        )
        return response

    def _error(self, http: Request, error: ConnectorError) -> Response:
        if error.field is not None and "_" in error.field:
            error.rename("property", camel(error.field))
        headers = {"allow": error.allow} if isinstance(error, MethodNotAllowed) else {}
        if isinstance(error, AdminTokenRequired):
            headers["www-authenticate"] = "Bearer"
        request_id = http.headers.get("x-ms-client-request-id") or str(UUID(int=self.ids.getrandbits(128), version=4))
        body = error_body(error, request_id, "", self.sandboxes.settings.source)
        if isinstance(error, NothingCame):
            body["nearMisses"] = list(error.near_misses)
        if isinstance(error, PartsLeftOut):
            body["skipped"] = list(error.skipped)
        return Response(orjson.dumps(body), error.status, headers, "application/json")


class _InParts(Response):
    """A response whose body is sent in parts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send_body(send, bytes(self.body))


def _render(operation: AdminOperation, result: Any) -> Response:
    if isinstance(result, Binary):
        return _InParts(result.content, operation.status, media_type=result.content_type)
    if result is None:
        return Response(status_code=operation.status)
    return _InParts(orjson.dumps(result), operation.status, media_type="application/json")
