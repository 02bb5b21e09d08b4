"""The admin API under `/_emulator/api`: what a test or a person does to the world behind the connector.

Its verbs are rows of `ADMIN`, as the connector's are of `OPERATIONS`; routes and the OpenAPI document read them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from inspect import isawaitable
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from outlook_emulator.errors import (
    AdminTokenRequired,
    ConnectorError,
    InternalError,
    MethodNotAllowed,
    NoSuchOperation,
    NothingCame,
)
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.coverage import coverage
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.admin import callbacks, clock, faults, items, journal, limits, questions, shapes, snapshots
from outlook_emulator.server.admin import sandboxes as verbs
from outlook_emulator.server.admin import wait as waiting
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.admin.request import MIME, AdminOperation, Call
from outlook_emulator.server.connector.error_responses import error_body
from outlook_emulator.server.connector.exchange import date_header, read_body
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.webhooks.courier import Webhooks
from outlook_emulator.wire.base import parameters_of
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.mail import Binary

ROOT = "/_emulator/api"


def list_operations(call: Call) -> shapes.Coverage:
    return {"value": coverage(OPERATIONS)}


def swagger_document(call: Call) -> Any:
    from outlook_emulator.server.connector.swagger import swagger

    return swagger(OPERATIONS)


def openapi_document(call: Call) -> Any:
    from outlook_emulator.server.admin.openapi import openapi

    return openapi(ADMIN, ROOT)


ADMIN = (
    *verbs.ROWS,
    *items.ROWS,
    *questions.ROWS,
    *callbacks.ROWS,
    *waiting.ROWS,
    *clock.ROWS,
    *snapshots.ROWS,
    *faults.ROWS,
    *limits.ROWS,
    *journal.ROWS,
    AdminOperation(
        id="ListOperations",
        method="GET",
        path="/operations",
        summary="Show which operations of the connector are served",
        run=list_operations,
        returns=shapes.Coverage,
    ),
    AdminOperation(
        id="GetSwagger",
        method="GET",
        path="/swagger.json",
        summary="Describe the connector (Swagger 2.0)",
        run=swagger_document,
    ),
    AdminOperation(
        id="GetOpenApi",
        method="GET",
        path="/openapi.json",
        summary="Describe this API (OpenAPI 3.1)",
        run=openapi_document,
    ),
)


def admin_routes(sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate) -> list[BaseRoute]:
    """The routes of the admin API, of the two health checks, and of everything nobody serves.

    `webhooks` are told which sandbox a request was about. Everything below the root of the admin API, served or not,
    is behind the gate.
    """
    by_path: dict[str, dict[str, AdminOperation]] = {}
    for verb in ADMIN:
        by_path.setdefault(ROOT + verb.path, {})[verb.method] = verb
    by_path[ROOT] = by_path[f"{ROOT}/{{path:path}}"] = {}
    for path in ("/livez", "/readyz"):
        by_path[path] = {"GET": _HEALTH, "HEAD": _HEALTH}
    by_path["/{path:path}"] = {}
    # No methods means all of them: what a path does not have is refused by the endpoint, in the connector's shape.
    return [
        Route(path, _endpoint(sandboxes, webhooks, rows, gate, path.startswith(ROOT)), methods=[])
        for path, rows in by_path.items()
    ]


def _alive(call: Call) -> Binary:
    return Binary(b"ok", "text/plain; charset=utf-8")


_HEALTH = AdminOperation(
    id="Health", method="GET", path="", summary="Say that the server answers", run=_alive, returns=Binary
)


def _endpoint(
    sandboxes: Sandboxes, webhooks: Webhooks, rows: dict[str, AdminOperation], gate: Gate, guarded: bool
) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        name = request.path_params.get("sandbox", "")
        before = sandboxes.get(name)
        try:
            if guarded:
                gate.check_token(request)
            if not rows:
                raise NoSuchOperation(request.scope["path"])
            gate.check_origin(request)
            answer = await _answer(sandboxes, webhooks, rows, request)
        except ConnectorError as error:
            answer = _refusal(sandboxes, request, error)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            answer = _refusal(sandboxes, request, InternalError())
        # Who waits for something in a sandbox is to hear of its end as well.
        if (sandbox := sandboxes.get(name) or before) is not None:
            webhooks.wake(sandbox)
        answer.raw_headers.append(date_header(sandboxes.clock_of(name).now()))
        return answer

    return endpoint


def _refusal(sandboxes: Sandboxes, request: Request, error: ConnectorError) -> Response:
    headers = {"allow": error.allow} if isinstance(error, MethodNotAllowed) else {}
    if isinstance(error, AdminTokenRequired):
        headers["www-authenticate"] = "Bearer"
    request_id = request.headers.get("x-ms-client-request-id") or str(uuid4())
    shown = error_body(error, request_id, "", sandboxes.settings.source)
    if isinstance(error, NothingCame):
        shown["nearMisses"] = list(error.near_misses)
    return Response(orjson.dumps(shown), error.status, headers, "application/json")


async def _answer(
    sandboxes: Sandboxes, webhooks: Webhooks, rows: dict[str, AdminOperation], request: Request
) -> Response:
    verb = rows.get(request.method)
    if verb is None:
        raise MethodNotAllowed(request.method, rows)
    has_body = verb.accepts or verb.accepts_type
    raw = await read_body(request.receive, sandboxes.settings.max_body_bytes) if has_body else b""
    body, asked = None, verb.query
    if verb.mime_query and request.headers.get("content-type", "").lower().startswith(MIME):
        asked = verb.mime_query
    elif verb.accepts:
        body = reader_of(verb.accepts, strict=verb.strict).read(raw or b"{}")
    query = QueryReader(parameters_of(asked)).read(request.scope["query_string"], request.headers.get) if asked else {}
    result = verb.run(Call(sandboxes, request, raw, body, query, webhooks))
    if isawaitable(result):
        result = await result
    if isinstance(result, Binary):
        return Response(result.content, verb.status, media_type=result.content_type)
    if result is None:
        return Response(status_code=verb.status)
    return Response(orjson.dumps(result), verb.status, media_type="application/json")
