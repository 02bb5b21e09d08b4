"""The admin operations on sandboxes, connections, mail delivery and the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from outlook_emulator.clock import iso_seconds
from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.formats.skipped import Parsed
from outlook_emulator.mailbox.mail import delivery, folders, reading
from outlook_emulator.mailbox.mail.export import mime_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.sandbox.aside import LARGE
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import SEED_FOLDER, Sandbox
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.clock import start_clock
from outlook_emulator.server.admin.contents import attachment_facts
from outlook_emulator.server.admin.imports import check_whole, skipped_facts
from outlook_emulator.server.admin.request import MIME, AdminOperation, AdminRequest
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.times import read_instant
from outlook_emulator.slices import LONG, Sliced
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import outbox
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import OutboxMail, Owner
from outlook_emulator.wire.mail import Binary
from outlook_emulator.wire.mail_convert import incoming, received

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample


def list_sandboxes(request: AdminRequest) -> shapes.SandboxList:
    # Not from the databases: a worker thread may have one of them.
    registry = request.sandboxes
    return {"value": [_listed(registry, name) for name in registry.names()]}


def _listed(registry: Sandboxes, name: str) -> shapes.SandboxFacts:
    facts: shapes.SandboxFacts = {"name": name, "connections": list(registry.ids_of(name))}
    if (problem := registry.problem_of(name)) is not None:
        facts["problem"] = problem
    return facts


async def create_sandbox(request: AdminRequest) -> shapes.SandboxFacts:
    if request.sandboxes.id_rule.strict:
        # A proxy that looks for the sandbox in the path would not find it where this request led.
        raise InvalidRequest("Create a sandbox by PUT /_emulator/api/sandboxes/NAME; see the setting connection_ids.")
    return await _create(request, request.body["name"])


async def put_sandbox(request: AdminRequest) -> shapes.SandboxFacts:
    return await _create(request, request.path["sandbox"])


async def _create(request: AdminRequest, name: str) -> shapes.SandboxFacts:
    sandbox = request.sandboxes.create(name, unfinished=True)
    try:
        start_clock(sandbox.clock, request.body.get("clock", {}))
        facts = await in_slices(_fill(request, sandbox), sandbox)
        request.sandboxes.finish(sandbox)
        return facts
    except BaseException:
        # It may be gone by now.
        if request.sandboxes.get(sandbox.name) is sandbox:
            request.sandboxes.delete(sandbox.name)
        raise


def _fill(request: AdminRequest, sandbox: Sandbox) -> Sliced[shapes.SandboxFacts]:
    """Give a new sandbox its connections and sample mailboxes."""
    is_large = len(request.content) >= LARGE
    for connection in request.body.get("connections", ()):
        # Only mails can be large. To pass thousands of connections to a worker thread takes longer than they do.
        yield LONG if is_large and connection.get("mails") else None
        _connect(request.sandboxes, sandbox, connection)
    for name in request.body.get("seeds", ()):
        yield LONG
        request.sandboxes.load_sample(sandbox, _shipped(name), request.sandboxes.id_rule.id_of(sandbox.name, name, "-"))
    return sandbox_facts(sandbox)


def get_sandbox(request: AdminRequest) -> shapes.SandboxFacts:
    name = request.path["sandbox"]
    if request.sandboxes.problem_of(name) is not None:
        return _listed(request.sandboxes, name)
    return sandbox_facts(request.sandbox)


def reset_sandbox(request: AdminRequest) -> shapes.SandboxFacts:
    return sandbox_facts(request.sandboxes.reset(request.sandbox.name))


def delete_sandbox(request: AdminRequest) -> None:
    name = request.path["sandbox"]
    # None for one that cannot be used, which is never deleted in a thread.
    sandbox = request.sandboxes.get(name)
    request.sandboxes.delete(name)

    def prepare() -> None:
        # After the response: where tests delete sandboxes, the next one is near.
        asyncio.get_running_loop().call_soon(request.sandboxes.prepare)

    if sandbox is None:
        prepare()
    else:
        sandbox.turn.on_loop(prepare)


def seed_sandbox(request: AdminRequest) -> shapes.Seeded:
    name, description = request.body["name"], request.body.get("mailbox")
    id = request.body.get("connection") or request.sandboxes.id_rule.id_of(request.sandbox.name, name)
    if description is None:
        owner = request.sandboxes.load_sample(request.sandbox, _shipped(name), id)
        return {**_connection(request, id, owner), "skipped": []}
    from outlook_emulator.sandbox.samples import described

    return _load(request, id, described(description), strict=request.body.get("strict", False))


def read_zip(request: AdminRequest) -> Sample:
    from outlook_emulator.sandbox.samples import unpacked

    return unpacked(request.content, request.sandboxes.settings.max_body_bytes)


def seed_from_zip(request: AdminRequest) -> shapes.Seeded:
    return _load(request, request.query["connection"], request.file, strict=request.query["strict"])


def _load(request: AdminRequest, id: str, sample: Sample, *, strict: bool) -> shapes.Seeded:
    check_whole(request.sandbox, id, SEED_FOLDER, sample.skipped, strict=strict)
    owner = request.sandboxes.fill(request.sandbox, sample, id)
    return {**_connection(request, id, owner), "skipped": skipped_facts(sample.skipped)}


def list_connections(request: AdminRequest) -> shapes.ConnectionList:
    return {"value": [_connection(request, id, owner) for id, owner in request.sandbox.connections().items()]}


def add_connection(request: AdminRequest) -> shapes.ConnectionFacts:
    return _connection(request, *_connect(request.sandboxes, request.sandbox, request.body))


def add_folder(request: AdminRequest) -> shapes.FolderFacts:
    mailbox = request.mailbox
    if not request.body.keys() & {"path", "names"}:
        raise InvalidRequest("The request needs 'path' or 'names'.")
    names = request.body.get("names") or request.body.get("path", "").split("/")
    with mailbox.db.transaction():
        key = folders.ensure(mailbox, tuple(names))
    has_path = not any("/" in name for name in names)
    return {"id": mailbox.id_of(IdKind.FOLDER, key), "path": "/".join(names) if has_path else None}


def read_mail(request: AdminRequest) -> Parsed[Mail]:
    return _parsed(request.content)


def deliver_mail(request: AdminRequest) -> shapes.DeliveredMail:
    id, mailbox, parsed = request.path["connection"], request.mailbox, request.file
    if request.body is None:
        strict, placement = request.query["strict"], {**request.query}
        del placement["strict"]
    else:
        parsed = _mail_of(mailbox, request.body)
        strict, placement = request.body.get("strict", False), _placement(request.body)
    place = placement["folder"] or _INBOX
    check_whole(request.sandbox, id, place, parsed.skipped, strict=strict)
    with mailbox.db.transaction():
        key = _deliver(mailbox, parsed.items[0], **placement)
    if parsed.skipped:
        request.sandbox.note_import(id, place, 1, parsed.skipped)
    message = reading.message_of(mailbox, mailbox.id_of(IdKind.MESSAGE, key))
    shown = received(reading.message_view(mailbox, message, False))
    return {"message": shown, "skipped": skipped_facts(parsed.skipped)}


def read_outbox(request: AdminRequest) -> shapes.Outbox:
    return {"value": [_outbox_mail(request.sandbox.db, mail) for mail in request.sandbox.outbox()]}


def outbox_mime(request: AdminRequest) -> Binary:
    text: str = request.path["outbox_mail"]
    sandbox = request.sandbox
    source = outbox.source(sandbox.db, int(text)) if text.isdecimal() and len(text) < 19 else None
    if source is None:
        raise NotFound(f"No mail '{text[:50]}' is in the outbox.")
    owner = owner_of(sandbox.db, source.mailbox_id)
    return Binary(mime_of(sandbox.mailbox(owner), source.content_id), MIME)


def message_mime(request: AdminRequest) -> Binary:
    mailbox = request.mailbox
    message = reading.message_of(mailbox, request.path["message"], "message")
    return Binary(mime_of(mailbox, message.content_id, message.recipients_bcc), MIME)


def _connect(sandboxes: Sandboxes, sandbox: Sandbox, order: Mapping[str, Any]) -> tuple[str, Owner]:
    id = order.get("id") or _unused_id(sandboxes, sandbox)
    address = order.get("address") or f"{id}@{sandbox.settings.domain}"
    with sandboxes.connecting(sandbox, id):
        owner = sandbox.connect(id, address, order.get("displayName", ""), order.get("sendAs", ()))
        mailbox = sandbox.mailbox(owner)
        for mail in order.get("mails", ()):
            _deliver(mailbox, _mail_of(mailbox, mail).items[0], **_placement(mail))
    return id, owner


def _unused_id(sandboxes: Sandboxes, sandbox: Sandbox) -> str:
    # A reset restarts the random generator, so it repeats ids of connections that still exist.
    rule = sandboxes.id_rule
    while sandboxes.has_connection(id := rule.id_of(sandbox.name, f"{sandbox.rng.getrandbits(128):032x}")):
        pass
    return id


def _shipped(name: str) -> str:
    # Only names are accepted: a path would let callers read files of the server.
    from outlook_emulator.sandbox.samples import names

    if name not in names():
        raise InvalidRequest(f"There is no sample mailbox '{name[:200]}'. Available: {', '.join(names())}.")
    return name


def sandbox_facts(sandbox: Sandbox) -> shapes.SandboxFacts:
    return {"name": sandbox.name, "connections": list(sandbox.connections())}


def _connection(request: AdminRequest, id: str, owner: Owner) -> shapes.ConnectionFacts:
    return {
        "id": id,
        "address": owner.address,
        "displayName": owner.display_name,
        "sendAs": request.sandbox.grants(owner),
        "runtimeUrl": f"{str(request.http.base_url).rstrip('/')}/apim/outlook/{id}",
    }


def _outbox_mail(db: Database, mail: OutboxMail) -> shapes.OutboxMail:
    content = mail_store.stored_mail(db, mail.content_id)
    return {
        "id": mail.id,
        "departedAt": iso_seconds(mail.at),
        "from": mail.sender,
        "recipients": mail.recipients.split(";"),
        "subject": mail.subject,
        "internetMessageId": mail.message_id,
        "text": plain_text(content.body) if content.is_html else content.body,
        "html": content.body if content.is_html else None,
        "attachments": [attachment_facts(info) for info in mail_store.attachments(db, mail.content_id)],
    }


def _parsed(raw: bytes) -> Parsed[Mail]:
    # Imported here, because only this function needs the email package.
    from outlook_emulator.mailbox.formats.mime import parse_lenient

    return parse_lenient(raw)


def _mail_of(mailbox: Mailbox, order: Mapping[str, Any]) -> Parsed[Mail]:
    eml = order.get("eml")
    return _parsed(eml.encode()) if eml else Parsed([incoming(order, mailbox.owner)])


def _placement(order: Mapping[str, Any]) -> dict[str, Any]:
    """Where and how a mail is delivered, as the arguments of `_deliver`."""
    return {
        "folder": order.get("folder"),
        "received": order.get("received"),
        "is_read": order.get("isRead", False),
        "is_flagged": order.get("isFlagged", False),
    }


def _deliver(
    mailbox: Mailbox, arrived: Mail, *, folder: str | None, received: str | None, is_read: bool, is_flagged: bool
) -> int:
    """Deliver a mail with its placement; call it inside a transaction."""
    delivery.check_size(mailbox, arrived)
    return delivery.deliver(
        mailbox,
        arrived,
        folder_id=folders.ensure(mailbox, tuple(folder.split("/"))) if folder else None,
        received=read_instant(received, "received") if received else None,
        is_read=is_read,
        is_flagged=is_flagged,
    )


_INBOX = "Inbox"
_S = "/sandboxes/{sandbox}"
_C = "/sandboxes/{sandbox}/connections/{connection}"

ROWS = (
    AdminOperation(
        id="ListSandboxes",
        method="GET",
        path="/sandboxes",
        summary="List the sandboxes",
        handler=list_sandboxes,
        returns=shapes.SandboxList,
    ),
    AdminOperation(
        id="CreateSandbox",
        method="POST",
        path="/sandboxes",
        summary="Create a sandbox",
        handler=create_sandbox,
        accepts=shapes.NewSandbox,
        returns=shapes.SandboxFacts,
        status=201,
    ),
    AdminOperation(
        id="PutSandbox",
        method="PUT",
        path=_S,
        summary="Create a sandbox with the name in the path",
        handler=put_sandbox,
        accepts=shapes.SandboxContent,
        returns=shapes.SandboxFacts,
        status=201,
    ),
    AdminOperation(
        id="GetSandbox",
        method="GET",
        path=_S,
        summary="Get a sandbox",
        handler=get_sandbox,
        returns=shapes.SandboxFacts,
    ),
    AdminOperation(
        id="DeleteSandbox",
        method="DELETE",
        path=_S,
        summary="Delete a sandbox and its mailboxes",
        handler=delete_sandbox,
        status=204,
    ),
    AdminOperation(
        id="ResetSandbox",
        method="POST",
        path=f"{_S}/reset",
        summary="Reset a sandbox: keep connections, reload sample mailboxes, delete the rest",
        handler=reset_sandbox,
        is_long=True,
        returns=shapes.SandboxFacts,
    ),
    AdminOperation(
        id="SeedSandbox",
        method="POST",
        path=f"{_S}/seed",
        summary="Load a sample mailbox",
        handler=seed_sandbox,
        is_long=True,
        accepts=shapes.SeedOrder,
        returns=shapes.Seeded,
        status=201,
    ),
    AdminOperation(
        id="SeedSandboxFromZip",
        method="POST",
        path=f"{_S}/seed-zip",
        summary="Load a mailbox from a zip file of a seed folder",
        handler=seed_from_zip,
        reads=read_zip,
        is_long=True,
        query=shapes.SeedQuery,
        accepts_type="application/zip",
        returns=shapes.Seeded,
        status=201,
    ),
    AdminOperation(
        id="ListConnections",
        method="GET",
        path=f"{_S}/connections",
        summary="List the connections of a sandbox",
        handler=list_connections,
        returns=shapes.ConnectionList,
    ),
    AdminOperation(
        id="AddConnection",
        method="POST",
        path=f"{_S}/connections",
        summary="Add a connection, and a mailbox if the address has none",
        handler=add_connection,
        accepts=shapes.NewConnection,
        returns=shapes.ConnectionFacts,
        status=201,
    ),
    AdminOperation(
        id="AddFolder",
        method="POST",
        path=f"{_C}/folders",
        summary="Create a mail folder",
        handler=add_folder,
        accepts=shapes.NewFolder,
        returns=shapes.FolderFacts,
        status=201,
    ),
    AdminOperation(
        id="DeliverMail",
        method="POST",
        path=f"{_C}/deliver",
        summary="Deliver a mail from outside",
        handler=deliver_mail,
        reads=read_mail,
        accepts=shapes.IncomingMail,
        returns=shapes.DeliveredMail,
        status=201,
        mime_query=shapes.ArrivalQuery,
    ),
    AdminOperation(
        id="GetMessageMime",
        method="GET",
        path=f"{_C}/messages/{{message}}/mime",
        summary="Get a message as MIME",
        handler=message_mime,
        returns=Binary,
    ),
    AdminOperation(
        id="ReadOutbox",
        method="GET",
        path=f"{_S}/outbox",
        summary="List the mails that left a sandbox",
        handler=read_outbox,
        is_long=True,
        returns=shapes.Outbox,
    ),
    AdminOperation(
        id="GetDepartedMime",
        method="GET",
        path=f"{_S}/outbox/{{outbox_mail}}/mime",
        summary="Get an outbox mail as MIME",
        handler=outbox_mime,
        returns=Binary,
    ),
)
