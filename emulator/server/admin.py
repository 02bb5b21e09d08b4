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

from emulator.errors import AccessDenied, ConnectorError, InternalError, MethodNotAllowed, NoSuchOperation, NothingCame
from emulator.operations import OPERATIONS
from emulator.operations.coverage import coverage
from emulator.sandbox import Sandboxes
from emulator.server import admin_callbacks as callbacks
from emulator.server import admin_clock as clock
from emulator.server import admin_items as items
from emulator.server import admin_questions as questions
from emulator.server import admin_shapes as shapes
from emulator.server import admin_verbs as verbs
from emulator.server import admin_wait as waiting
from emulator.server.admin_verbs import MIME, Call, Verb
from emulator.server.connector import error_body
from emulator.server.exchange import date_header, read_body
from emulator.server.query import QueryReader
from emulator.server.webhooks import Webhooks
from emulator.wire.base import parameters_of
from emulator.wire.body import reader_of
from emulator.wire.mail import Binary

ROOT = "/_emulator/api"


def list_operations(call: Call) -> shapes.Coverage:
    return {"value": coverage(OPERATIONS)}


def swagger_document(call: Call) -> Any:
    from emulator.server.document import swagger

    return swagger(OPERATIONS)


def openapi_document(call: Call) -> Any:
    from emulator.server.openapi import openapi

    return openapi(ADMIN, ROOT)


_S, _C = "/sandboxes/{sandbox}", "/sandboxes/{sandbox}/connections/{connection}"

ADMIN = (
    Verb(
        id="ListSandboxes",
        method="GET",
        path="/sandboxes",
        summary="List the sandboxes",
        run=verbs.list_sandboxes,
        returns=shapes.SandboxList,
    ),
    Verb(
        id="CreateSandbox",
        method="POST",
        path="/sandboxes",
        summary="Create a sandbox",
        run=verbs.create_sandbox,
        accepts=shapes.NewSandbox,
        returns=shapes.SandboxFacts,
        status=201,
    ),
    Verb(
        id="GetSandbox",
        method="GET",
        path=_S,
        summary="Show a sandbox",
        run=verbs.get_sandbox,
        returns=shapes.SandboxFacts,
    ),
    Verb(
        id="DeleteSandbox",
        method="DELETE",
        path=_S,
        summary="Delete a sandbox and all it holds",
        run=verbs.delete_sandbox,
        status=204,
    ),
    Verb(
        id="ResetSandbox",
        method="POST",
        path=f"{_S}/reset",
        summary="Start a sandbox over: keep connections, reload sample mailboxes, drop the rest",
        run=verbs.reset_sandbox,
        returns=shapes.SandboxFacts,
    ),
    Verb(
        id="SeedSandbox",
        method="POST",
        path=f"{_S}/seed",
        summary="Load a sample mailbox",
        run=verbs.seed_sandbox,
        accepts=shapes.SeedOrder,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    Verb(
        id="ListConnections",
        method="GET",
        path=f"{_S}/connections",
        summary="List the connections of a sandbox",
        run=verbs.list_connections,
        returns=shapes.ConnectionList,
    ),
    Verb(
        id="AddConnection",
        method="POST",
        path=f"{_S}/connections",
        summary="Add a connection, and its mailbox where the address has none",
        run=verbs.add_connection,
        accepts=shapes.NewConnection,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    Verb(
        id="AddFolder",
        method="POST",
        path=f"{_C}/folders",
        summary="Make a mail folder",
        run=verbs.add_folder,
        accepts=shapes.NewFolder,
        returns=shapes.FolderFacts,
        status=201,
    ),
    Verb(
        id="DeliverMail",
        method="POST",
        path=f"{_C}/deliver",
        summary="Deliver a mail from the outside world",
        run=verbs.deliver_mail,
        accepts=shapes.IncomingMail,
        returns=shapes.DeliveredMail,
        status=201,
        mime_query=shapes.ArrivalQuery,
    ),
    Verb(
        id="GetMessageMime",
        method="GET",
        path=f"{_C}/messages/{{message}}/mime",
        summary="Write out a message as MIME",
        run=verbs.message_mime,
        returns=Binary,
    ),
    Verb(
        id="AddCalendar",
        method="POST",
        path=f"{_C}/calendars",
        summary="Make a calendar",
        run=items.add_calendar,
        accepts=shapes.NewShelf,
        returns=shapes.ShelfFacts,
        status=201,
    ),
    Verb(
        id="ImportCalendar",
        method="POST",
        path=f"{_C}/calendars/{{table}}/import",
        summary="Bring the events of an iCalendar file into a calendar",
        run=items.import_calendar,
        accepts_type=items.ICALENDAR,
        returns=shapes.Imported,
        status=201,
    ),
    Verb(
        id="ExportCalendar",
        method="GET",
        path=f"{_C}/calendars/{{table}}/export",
        summary="Write a calendar out as an iCalendar file",
        run=items.export_calendar,
        returns=Binary,
        answers_type=items.ICALENDAR,
    ),
    Verb(
        id="AddContactFolder",
        method="POST",
        path=f"{_C}/contactfolders",
        summary="Make a contact folder",
        run=items.add_contact_folder,
        accepts=shapes.NewShelf,
        returns=shapes.ShelfFacts,
        status=201,
    ),
    Verb(
        id="ImportContacts",
        method="POST",
        path=f"{_C}/contactfolders/{{table}}/import",
        summary="Bring the cards of a vCard file into a contact folder",
        run=items.import_contacts,
        accepts_type=items.VCARD,
        returns=shapes.Imported,
        status=201,
    ),
    Verb(
        id="ExportContacts",
        method="GET",
        path=f"{_C}/contactfolders/{{table}}/export",
        summary="Write a contact folder out as a vCard file",
        run=items.export_contacts,
        returns=Binary,
        answers_type=items.VCARD,
    ),
    Verb(
        id="ReadOutbox",
        method="GET",
        path=f"{_S}/outbox",
        summary="List the mails that left a sandbox",
        run=verbs.read_outbox,
        returns=shapes.Outbox,
    ),
    Verb(
        id="ListQuestions",
        method="GET",
        path=f"{_S}/questions",
        summary="List the mails that wait, or waited, for an answer",
        run=questions.list_questions,
        returns=shapes.QuestionList,
    ),
    Verb(
        id="AnswerQuestion",
        method="POST",
        path=f"{_S}/questions/{{question}}/answer",
        summary="Answer a mail that waits, as a click on one of its links does",
        run=questions.answer_question,
        accepts=shapes.GivenAnswer,
        returns=shapes.QuestionFacts,
    ),
    *callbacks.ROWS,
    *waiting.ROWS,
    Verb(
        id="GetClock",
        method="GET",
        path=f"{_S}/clock",
        summary="Show what time it is in a sandbox",
        run=clock.get_clock,
        returns=shapes.ClockFacts,
    ),
    Verb(
        id="ChangeClock",
        method="POST",
        path=f"{_S}/clock",
        summary="Move, freeze or release the clock of a sandbox; what falls due on the way happens at its time",
        run=clock.change_clock,
        accepts=shapes.ClockOrder,
        returns=shapes.ClockFacts,
    ),
    Verb(
        id="GetDepartedMime",
        method="GET",
        path=f"{_S}/outbox/{{departure}}/mime",
        summary="Write out a mail that left as MIME",
        run=verbs.departed_mime,
        returns=Binary,
    ),
    Verb(
        id="ListOperations",
        method="GET",
        path="/operations",
        summary="Show which operations of the connector are served",
        run=list_operations,
        returns=shapes.Coverage,
    ),
    Verb(
        id="GetSwagger",
        method="GET",
        path="/swagger.json",
        summary="Describe the connector (Swagger 2.0)",
        run=swagger_document,
    ),
    Verb(
        id="GetOpenApi",
        method="GET",
        path="/openapi.json",
        summary="Describe this API (OpenAPI 3.1)",
        run=openapi_document,
    ),
)


def admin_routes(sandboxes: Sandboxes, webhooks: Webhooks) -> list[BaseRoute]:
    """The routes of the admin API, of the two health checks, and of everything nobody serves.

    `webhooks` are told which sandbox a request was about.
    """
    by_path: dict[str, dict[str, Verb]] = {}
    for verb in ADMIN:
        by_path.setdefault(ROOT + verb.path, {})[verb.method] = verb
    for path in ("/livez", "/readyz"):
        by_path[path] = {"GET": _HEALTH, "HEAD": _HEALTH}
    by_path["/{path:path}"] = {}
    # No methods means all of them: what a path does not have is refused by the endpoint, in the connector's shape.
    return [Route(path, _endpoint(sandboxes, webhooks, rows), methods=[]) for path, rows in by_path.items()]


def _alive(call: Call) -> Binary:
    return Binary(b"ok", "text/plain; charset=utf-8")


_HEALTH = Verb(id="Health", method="GET", path="", summary="Say that the server answers", run=_alive, returns=Binary)


def _endpoint(sandboxes: Sandboxes, webhooks: Webhooks, rows: dict[str, Verb]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        name = request.path_params.get("sandbox", "")
        before = sandboxes.get(name)
        try:
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


def _check_origin(request: Request) -> None:
    # A web page that someone has open must not be able to change the sandboxes of their machine.
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise AccessDenied(f"The admin API takes no requests from pages of '{origin[:200]}'.")


def _refusal(sandboxes: Sandboxes, request: Request, error: ConnectorError) -> Response:
    headers = {"allow": error.allow} if isinstance(error, MethodNotAllowed) else None
    request_id = request.headers.get("x-ms-client-request-id") or str(uuid4())
    shown = error_body(error, request_id, "", sandboxes.settings.source)
    if isinstance(error, NothingCame):
        shown["nearMisses"] = list(error.near_misses)
    return Response(orjson.dumps(shown), error.status, headers, "application/json")


async def _answer(sandboxes: Sandboxes, webhooks: Webhooks, rows: dict[str, Verb], request: Request) -> Response:
    if not rows:
        raise NoSuchOperation(request.scope["path"])
    _check_origin(request)
    verb = rows.get(request.method)
    if verb is None:
        raise MethodNotAllowed(request.method, rows)
    has_body = verb.accepts or verb.accepts_type
    raw = await read_body(request.receive, sandboxes.settings.max_body_bytes) if has_body else b""
    body, query = None, dict[str, Any]()
    if verb.mime_query and request.headers.get("content-type", "").lower().startswith(MIME):
        reader = QueryReader(parameters_of(verb.mime_query))
        query = reader.read(request.scope["query_string"], request.headers.get)
    elif verb.accepts:
        body = reader_of(verb.accepts).read(raw or b"{}")
    result = verb.run(Call(sandboxes, request, raw, body, query, webhooks))
    if isawaitable(result):
        result = await result
    if isinstance(result, Binary):
        return Response(result.content, verb.status, media_type=result.content_type)
    if result is None:
        return Response(status_code=verb.status)
    return Response(orjson.dumps(result), verb.status, media_type="application/json")
