"""What the verbs of the admin API do: each takes a call, and gives what its row says it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlook_emulator.clock import iso_seconds
from outlook_emulator.errors import ConnectorError, InvalidRequest, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox.mail import delivery, folders, reading
from outlook_emulator.mailbox.mail.export import mime_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.clock import start_clock
from outlook_emulator.server.admin.request import MIME, AdminOperation, Call
from outlook_emulator.server.times import read_instant
from outlook_emulator.store import sql
from outlook_emulator.store.records import OutboxMail, Owner
from outlook_emulator.wire.mail import Binary
from outlook_emulator.wire.mail_convert import incoming, received


def list_sandboxes(call: Call) -> shapes.SandboxList:
    return {"value": [sandbox_facts(one) for one in call.sandboxes.all()]}


def create_sandbox(call: Call) -> shapes.SandboxFacts:
    sandbox = call.sandboxes.create(call.body["name"])
    try:
        start_clock(sandbox.clock, call.body.get("clock", {}))
        for asked in call.body.get("connections", ()):
            _connect(call.sandboxes, sandbox, asked)
        for name in call.body.get("seeds", ()):
            call.sandboxes.seed(sandbox, _shipped(name), f"{sandbox.name}-{name}")
    except ConnectorError:
        call.sandboxes.delete(sandbox.name)
        raise
    return sandbox_facts(sandbox)


def get_sandbox(call: Call) -> shapes.SandboxFacts:
    return sandbox_facts(call.sandbox)


def reset_sandbox(call: Call) -> shapes.SandboxFacts:
    return sandbox_facts(call.sandboxes.reset(call.sandbox.name))


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
    has_path = not any("/" in name for name in names)
    return {"id": mailbox.id_of(IdKind.FOLDER, key), "path": "/".join(names) if has_path else None}


def deliver_mail(call: Call) -> shapes.DeliveredMail:
    mailbox = call.mailbox
    with mailbox.db.transaction():
        if call.body is None:
            key = _deliver(mailbox, _parsed(call.raw), **call.query)
        else:
            key = _deliver_parts(mailbox, call.body)
    message = reading.message_of(mailbox, mailbox.id_of(IdKind.MESSAGE, key))
    return {"message": received(reading.message_view(mailbox, message, False))}


def read_outbox(call: Call) -> shapes.Outbox:
    return {"value": [_outbox_mail(one) for one in call.sandbox.outbox()]}


def outbox_mime(call: Call) -> Binary:
    text: str = call.request.path_params["departure"]
    sandbox = call.sandbox
    row = sandbox.db.one(sql.OUTBOX_MAIL_SOURCE, {"id": int(text)}) if text.isdecimal() and len(text) < 19 else None
    if row is None:
        raise NotFound(f"No mail '{text[:50]}' is in the outbox.")
    content_id, mailbox_id = row
    owner = Owner._make(sandbox.db.one(sql.MAILBOX, {"id": mailbox_id}))
    return Binary(mime_of(sandbox.mailbox(owner), content_id), MIME)


def message_mime(call: Call) -> Binary:
    mailbox = call.mailbox
    message = reading.message_of(mailbox, call.request.path_params["message"])
    return Binary(mime_of(mailbox, message.content_id, message.recipients_bcc), MIME)


def _connect(sandboxes: Sandboxes, sandbox: Sandbox, asked: Mapping[str, Any]) -> tuple[str, Owner]:
    id = asked.get("id") or _unused_id(sandboxes, sandbox)
    address = asked.get("address") or f"{id}@{sandbox.settings.domain}"
    with sandboxes.connecting(sandbox, id):
        owner = sandbox.connect(id, address, asked.get("displayName", ""), asked.get("sendAs", ()))
        mailbox = sandbox.mailbox(owner)
        for one in asked.get("mails", ()):
            _deliver_parts(mailbox, one)
    return id, owner


def _unused_id(sandboxes: Sandboxes, sandbox: Sandbox) -> str:
    taken = sandboxes.connection_ids()
    # A reset starts the generator again, while the connections that it named are still there.
    while (id := f"{sandbox.rng.getrandbits(128):032x}") in taken:
        pass
    return id


def _shipped(name: str) -> str:
    # A path is for whoever starts the server: over HTTP it would let a caller read files.
    from outlook_emulator.sandbox.samples import names

    if name not in names():
        raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Known are: {', '.join(names())}.")
    return name


def sandbox_facts(sandbox: Sandbox) -> shapes.SandboxFacts:
    return {"name": sandbox.name, "connections": list(sandbox.connections())}


def _connection(call: Call, id: str, owner: Owner) -> shapes.ConnectionFacts:
    return {
        "id": id,
        "address": owner.address,
        "displayName": owner.display_name,
        "sendAs": call.sandbox.grants(owner),
        "runtimeUrl": f"{str(call.request.base_url).rstrip('/')}/apim/outlook/{id}",
    }


def _outbox_mail(one: OutboxMail) -> shapes.DepartedMail:
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
    from outlook_emulator.mailbox.formats.mime import parse

    return parse(raw)


def _deliver_parts(mailbox: Mailbox, asked: Mapping[str, Any]) -> int:
    eml = asked.get("eml")
    return _deliver(
        mailbox,
        _parsed(eml.encode()) if eml else incoming(asked, mailbox.owner),
        folder=asked.get("folder"),
        received=asked.get("received"),
        is_read=asked.get("isRead", False),
        is_flagged=asked.get("isFlagged", False),
    )


def _deliver(
    mailbox: Mailbox, arrived: Mail, *, folder: str | None, received: str | None, is_read: bool, is_flagged: bool
) -> int:
    """Put a mail where it was asked to go; to be called inside a transaction."""
    delivery.check_size(mailbox, arrived)
    return delivery.deliver(
        mailbox,
        arrived,
        folder_id=folders.ensure(mailbox, tuple(folder.split("/"))) if folder else None,
        received=read_instant(received, "received") if received else None,
        is_read=is_read,
        is_flagged=is_flagged,
    )


_S = "/sandboxes/{sandbox}"
_C = "/sandboxes/{sandbox}/connections/{connection}"

ROWS = (
    AdminOperation(
        id="ListSandboxes",
        method="GET",
        path="/sandboxes",
        summary="List the sandboxes",
        run=list_sandboxes,
        returns=shapes.SandboxList,
    ),
    AdminOperation(
        id="CreateSandbox",
        method="POST",
        path="/sandboxes",
        summary="Create a sandbox",
        run=create_sandbox,
        accepts=shapes.NewSandbox,
        returns=shapes.SandboxFacts,
        status=201,
    ),
    AdminOperation(
        id="GetSandbox",
        method="GET",
        path=_S,
        summary="Show a sandbox",
        run=get_sandbox,
        returns=shapes.SandboxFacts,
    ),
    AdminOperation(
        id="DeleteSandbox",
        method="DELETE",
        path=_S,
        summary="Delete a sandbox and all it holds",
        run=delete_sandbox,
        status=204,
    ),
    AdminOperation(
        id="ResetSandbox",
        method="POST",
        path=f"{_S}/reset",
        summary="Start a sandbox over: keep connections, reload sample mailboxes, drop the rest",
        run=reset_sandbox,
        returns=shapes.SandboxFacts,
    ),
    AdminOperation(
        id="SeedSandbox",
        method="POST",
        path=f"{_S}/seed",
        summary="Load a sample mailbox",
        run=seed_sandbox,
        accepts=shapes.SeedOrder,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    AdminOperation(
        id="ListConnections",
        method="GET",
        path=f"{_S}/connections",
        summary="List the connections of a sandbox",
        run=list_connections,
        returns=shapes.ConnectionList,
    ),
    AdminOperation(
        id="AddConnection",
        method="POST",
        path=f"{_S}/connections",
        summary="Add a connection, and its mailbox where the address has none",
        run=add_connection,
        accepts=shapes.NewConnection,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    AdminOperation(
        id="AddFolder",
        method="POST",
        path=f"{_C}/folders",
        summary="Make a mail folder",
        run=add_folder,
        accepts=shapes.NewFolder,
        returns=shapes.FolderFacts,
        status=201,
    ),
    AdminOperation(
        id="DeliverMail",
        method="POST",
        path=f"{_C}/deliver",
        summary="Deliver a mail from the outside world",
        run=deliver_mail,
        accepts=shapes.IncomingMail,
        returns=shapes.DeliveredMail,
        status=201,
        mime_query=shapes.ArrivalQuery,
    ),
    AdminOperation(
        id="GetMessageMime",
        method="GET",
        path=f"{_C}/messages/{{message}}/mime",
        summary="Write out a message as MIME",
        run=message_mime,
        returns=Binary,
    ),
    AdminOperation(
        id="ReadOutbox",
        method="GET",
        path=f"{_S}/outbox",
        summary="List the mails that left a sandbox",
        run=read_outbox,
        returns=shapes.Outbox,
    ),
    AdminOperation(
        id="GetDepartedMime",
        method="GET",
        path=f"{_S}/outbox/{{departure}}/mime",
        summary="Write out a mail that left as MIME",
        run=outbox_mime,
        returns=Binary,
    ),
)
