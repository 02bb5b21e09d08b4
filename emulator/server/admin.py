"""The admin API under `/_emulator/api`: what a test or a person does to the world behind the connector.

Its verbs are rows of `ADMIN`, as the connector's are of `OPERATIONS`; routes and the OpenAPI document read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from emulator.clock import iso_seconds, microseconds, moment
from emulator.errors import ConnectorError, InvalidRequest, MethodNotAllowed, NoSuchOperation, NotFound
from emulator.ids import IdKind
from emulator.mailbox import delivery, folders, mail
from emulator.mailbox.export import mime_of
from emulator.mailbox.mailbox import Mailbox
from emulator.mailbox.message import Mail
from emulator.operations import OPERATIONS
from emulator.operations.coverage import coverage
from emulator.sandbox import Sandbox, Sandboxes
from emulator.server import admin_shapes as shapes
from emulator.server.connector import error_body
from emulator.server.exchange import read_body
from emulator.store import sql
from emulator.store.records import Departed, Owner
from emulator.wire.base import read_flag
from emulator.wire.body import reader_of
from emulator.wire.mail import Binary
from emulator.wire.mail_values import incoming, received

ROOT = "/_emulator/api"
_MIME = "message/rfc822"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the admin API; `body` is read against the row's shape, None where the row has none."""

    sandboxes: Sandboxes
    request: Request
    raw: bytes
    body: Any

    @property
    def sandbox(self) -> Sandbox:
        return self.sandboxes.named(self.request.path_params["sandbox"])

    @property
    def connection(self) -> tuple[str, Owner]:
        id: str = self.request.path_params["connection"]
        owner = self.sandbox.connections().get(id)
        if owner is None:
            raise NotFound(f"No connection '{id[:130]}' exists in this sandbox.")
        return id, owner

    @property
    def mailbox(self) -> Mailbox:
        return self.sandbox.mailbox(self.connection[1])


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One row of the admin API. `consumes_mime` lets the body be a whole mail instead of JSON."""

    id: str
    method: str
    path: str
    summary: str
    run: Callable[[Call], Any]
    accepts: Any = None
    returns: Any = None
    status: int = 200
    consumes_mime: bool = False


def list_sandboxes(call: Call) -> shapes.SandboxList:
    return {"value": [_sandbox(one) for one in call.sandboxes.all()]}


def create_sandbox(call: Call) -> shapes.SandboxFacts:
    sandbox = call.sandboxes.create(call.body["name"])
    try:
        for asked in call.body.get("connections", ()):
            _connect(call.sandboxes, sandbox, asked)
        for name in call.body.get("seeds", ()):
            call.sandboxes.seed(sandbox, _shipped(name), f"{sandbox.name}-{name}")
    except ConnectorError:
        call.sandboxes.delete(sandbox.name)
        raise
    return _sandbox(sandbox)


def get_sandbox(call: Call) -> shapes.SandboxFacts:
    return _sandbox(call.sandbox)


def reset_sandbox(call: Call) -> shapes.SandboxFacts:
    return _sandbox(call.sandboxes.reset(call.sandbox.name))


def delete_sandbox(call: Call) -> None:
    call.sandboxes.delete(call.sandbox.name)


def seed_sandbox(call: Call) -> shapes.ConnectionFacts:
    id = call.body.get("connection") or call.body["name"]
    return _connection(call, id, call.sandboxes.seed(call.sandbox, _shipped(call.body["name"]), id))


def list_connections(call: Call) -> shapes.ConnectionList:
    return {"value": [_connection(call, id, owner) for id, owner in call.sandbox.connections().items()]}


def add_connection(call: Call) -> shapes.ConnectionFacts:
    return _connection(call, *_connect(call.sandboxes, call.sandbox, call.body))


def add_folder(call: Call) -> shapes.FolderFacts:
    names = call.body.get("names") or call.body.get("path", "").split("/")
    mailbox = call.mailbox
    with mailbox.db.transaction():
        key = folders.ensure(mailbox, tuple(names))
    return {"id": mailbox.id_of(IdKind.FOLDER, key), "path": "/".join(names)}


def deliver_mail(call: Call) -> shapes.DeliveredMail:
    mailbox = call.mailbox
    with mailbox.db.transaction():
        if call.body is None:
            key = _deliver(mailbox, _parsed(call.raw), call.request.query_params)
        else:
            key = _deliver_parts(mailbox, call.body)
    message = mail.message_of(mailbox, mailbox.id_of(IdKind.MESSAGE, key))
    return {"message": received(mail.letter(mailbox, message, False))}


def read_outbox(call: Call) -> shapes.Outbox:
    return {"value": [_departed(one) for one in call.sandbox.outbox()]}


def departed_mime(call: Call) -> Binary:
    text: str = call.request.path_params["departure"]
    sandbox = call.sandbox
    row = sandbox.db.one(sql.DEPARTURE, {"id": int(text)}) if text.isdecimal() and len(text) < 19 else None
    if row is None:
        raise NotFound(f"No mail '{text[:50]}' is in the outbox.")
    content_id, mailbox_id = row
    owner = Owner._make(sandbox.db.one(sql.MAILBOX, {"id": mailbox_id}))
    return Binary(mime_of(sandbox.mailbox(owner), content_id), _MIME)


def message_mime(call: Call) -> Binary:
    mailbox = call.mailbox
    message = mail.message_of(mailbox, call.request.path_params["message"])
    return Binary(mime_of(mailbox, message.content_id, message.recipients_bcc), _MIME)


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
        run=list_sandboxes,
        returns=shapes.SandboxList,
    ),
    Verb(
        id="CreateSandbox",
        method="POST",
        path="/sandboxes",
        summary="Create a sandbox",
        run=create_sandbox,
        accepts=shapes.NewSandbox,
        returns=shapes.SandboxFacts,
        status=201,
    ),
    Verb(
        id="GetSandbox",
        method="GET",
        path=_S,
        summary="Show a sandbox",
        run=get_sandbox,
        returns=shapes.SandboxFacts,
    ),
    Verb(
        id="DeleteSandbox",
        method="DELETE",
        path=_S,
        summary="Delete a sandbox and all it holds",
        run=delete_sandbox,
        status=204,
    ),
    Verb(
        id="ResetSandbox",
        method="POST",
        path=f"{_S}/reset",
        summary="Put a sandbox back to how it was made",
        run=reset_sandbox,
        returns=shapes.SandboxFacts,
    ),
    Verb(
        id="SeedSandbox",
        method="POST",
        path=f"{_S}/seed",
        summary="Load a sample mailbox",
        run=seed_sandbox,
        accepts=shapes.SeedOrder,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    Verb(
        id="ListConnections",
        method="GET",
        path=f"{_S}/connections",
        summary="List the connections of a sandbox",
        run=list_connections,
        returns=shapes.ConnectionList,
    ),
    Verb(
        id="AddConnection",
        method="POST",
        path=f"{_S}/connections",
        summary="Add a connection, and its mailbox where the address has none",
        run=add_connection,
        accepts=shapes.NewConnection,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    Verb(
        id="AddFolder",
        method="POST",
        path=f"{_C}/folders",
        summary="Make a mail folder",
        run=add_folder,
        accepts=shapes.NewFolder,
        returns=shapes.FolderFacts,
        status=201,
    ),
    Verb(
        id="DeliverMail",
        method="POST",
        path=f"{_C}/deliver",
        summary="Deliver a mail from the outside world",
        run=deliver_mail,
        accepts=shapes.IncomingMail,
        returns=shapes.DeliveredMail,
        status=201,
        consumes_mime=True,
    ),
    Verb(
        id="GetMessageMime",
        method="GET",
        path=f"{_C}/messages/{{message}}/mime",
        summary="Write out a message as MIME",
        run=message_mime,
        returns=Binary,
    ),
    Verb(
        id="ReadOutbox",
        method="GET",
        path=f"{_S}/outbox",
        summary="List the mails that left a sandbox",
        run=read_outbox,
        returns=shapes.Outbox,
    ),
    Verb(
        id="GetDepartedMime",
        method="GET",
        path=f"{_S}/outbox/{{departure}}/mime",
        summary="Write out a mail that left as MIME",
        run=departed_mime,
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


def admin_routes(sandboxes: Sandboxes) -> list[BaseRoute]:
    """The routes of the admin API, of the two health checks, and of everything nobody serves."""
    by_path: dict[str, dict[str, Verb]] = {}
    for verb in ADMIN:
        by_path.setdefault(ROOT + verb.path, {})[verb.method] = verb
    routes: list[BaseRoute] = [
        Route(path, _endpoint(sandboxes, verbs), methods=_EVERY_METHOD) for path, verbs in by_path.items()
    ]
    for path in ("/livez", "/readyz"):
        routes.append(Route(path, _alive))
    return [*routes, Route("/{path:path}", _endpoint(sandboxes, {}), methods=_EVERY_METHOD)]


_EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


async def _alive(request: Request) -> Response:
    return Response("ok", media_type="text/plain")


def _endpoint(sandboxes: Sandboxes, verbs: dict[str, Verb]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            return await _answer(sandboxes, verbs, request)
        except ConnectorError as error:
            headers = {"allow": error.allow} if isinstance(error, MethodNotAllowed) else None
            shown = error_body(error, request.headers.get("x-ms-client-request-id", ""), sandboxes.settings.source)
            return Response(orjson.dumps(shown), error.status, headers, "application/json")

    return endpoint


async def _answer(sandboxes: Sandboxes, verbs: dict[str, Verb], request: Request) -> Response:
    if not verbs:
        raise NoSuchOperation(request.scope["path"])
    verb = verbs.get(request.method)
    if verb is None:
        raise MethodNotAllowed(request.method, verbs)
    raw = await read_body(request.receive, sandboxes.settings.max_body_bytes) if verb.accepts else b""
    whole_mail = verb.consumes_mime and request.headers.get("content-type", "").startswith(_MIME)
    body = None if whole_mail or not verb.accepts else reader_of(verb.accepts).read(raw or b"{}")
    result = verb.run(Call(sandboxes, request, raw, body))
    if isinstance(result, Binary):
        return Response(result.content, verb.status, media_type=result.content_type)
    if result is None:
        return Response(status_code=verb.status)
    return Response(orjson.dumps(result), verb.status, media_type="application/json")


def _connect(sandboxes: Sandboxes, sandbox: Sandbox, asked: Mapping[str, Any]) -> tuple[str, Owner]:
    id = asked.get("id") or f"{sandbox.chance.getrandbits(128):032x}"
    address = asked.get("address") or f"{id}@{sandbox.settings.domain}"
    with sandboxes.connecting(sandbox, id):
        owner = sandbox.connect(id, address, asked.get("displayName", ""), asked.get("sendAs", ()))
        mailbox = sandbox.mailbox(owner)
        for one in asked.get("mails", ()):
            _deliver_parts(mailbox, one)
    return id, owner


def _shipped(name: str) -> str:
    # A path is for whoever starts the server: over HTTP it would let a caller read files.
    from emulator.seeds import names

    if name not in names():
        raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Known are: {', '.join(names())}.")
    return name


def _sandbox(sandbox: Sandbox) -> shapes.SandboxFacts:
    return {"name": sandbox.name, "connections": list(sandbox.connections())}


def _connection(call: Call, id: str, owner: Owner) -> shapes.ConnectionFacts:
    return {
        "id": id,
        "address": owner.address,
        "displayName": owner.display_name,
        "sendAs": call.sandbox.grants(owner),
        "runtimeUrl": f"{str(call.request.base_url).rstrip('/')}/apim/outlook/{id}",
    }


def _departed(one: Departed) -> shapes.DepartedMail:
    return {
        "id": one.id,
        "departedAt": iso_seconds(one.at),
        "from": one.sender,
        "recipients": one.recipients.split(";"),
        "subject": one.subject,
        "internetMessageId": one.message_id,
    }


def _parsed(raw: bytes) -> Mail:
    # The email package is only needed here.
    from emulator.mailbox.mime import parse

    return parse(raw)


def _deliver_parts(mailbox: Mailbox, asked: Mapping[str, Any]) -> int:
    eml = asked.get("eml")
    return _deliver(mailbox, _parsed(eml.encode()) if eml else incoming(asked, mailbox.owner), asked)


def _deliver(mailbox: Mailbox, arrived: Mail, asked: Mapping[str, Any]) -> int:
    """Put a mail where it was asked to go; to be called inside a transaction."""
    how = {name.lower(): value for name, value in asked.items()}
    delivery.check_size(mailbox, arrived)
    folder = how.get("folder")
    return delivery.deliver(
        mailbox,
        arrived,
        folder_id=folders.ensure(mailbox, tuple(folder.split("/"))) if folder else None,
        received=_instant(how.get("received")),
        is_read=_flag(how, "isRead"),
        is_flagged=_flag(how, "isFlagged"),
    )


def _flag(how: Mapping[str, Any], name: str) -> bool:
    flag = read_flag(str(how.get(name.lower(), False)))
    if flag is None:
        raise InvalidRequest(f"The query parameter '{name}' must be true or false.")
    return flag


def _instant(text: str | None) -> int | None:
    if not text:
        return None
    try:
        instant = microseconds(datetime.fromisoformat(text))
        moment(instant)  # With its offset taken away, an instant may lie outside of the calendar.
    except (ValueError, OverflowError):
        raise InvalidRequest(f"'received' must be an ISO 8601 date and time, not '{text[:50]}'.") from None
    return instant
