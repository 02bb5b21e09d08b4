"""The admin operations that save, restore, export and import whole sandboxes."""

from __future__ import annotations

from outlook_emulator.clock import LATEST, iso_ticks
from outlook_emulator.errors import Conflict
from outlook_emulator.server.admin import shapes as admin_shapes
from outlook_emulator.server.admin import snapshot_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.admin.sandboxes import sandbox_facts
from outlook_emulator.server.webhooks import push_triggers
from outlook_emulator.store.snapshots import Snapshot
from outlook_emulator.wire.mail import Binary

SQLITE = "application/vnd.sqlite3"


def list_snapshots(request: AdminRequest) -> shapes.SnapshotList:
    return {"value": [_facts(snapshot) for snapshot in request.sandbox.snapshots()]}


def save_snapshot(request: AdminRequest) -> shapes.SnapshotFacts:
    return _facts(request.sandbox.save(_name(request)))


def restore_snapshot(request: AdminRequest) -> admin_shapes.SandboxFacts:
    return sandbox_facts(
        request.sandboxes.restore(request.sandbox.name, _name(request), check_more=push_triggers.check_all)
    )


def delete_snapshot(request: AdminRequest) -> None:
    request.sandbox.drop_snapshot(_name(request))


def export_sandbox(request: AdminRequest) -> Binary:
    _check_size(request, request.sandbox.db.size)
    content = request.sandbox.export()
    # A file may be larger than the database in memory.
    _check_size(request, len(content))
    return Binary(content, SQLITE)


def _check_size(request: AdminRequest, size: int) -> None:
    most = request.sandbox.settings.max_export_bytes
    if size > most:
        raise Conflict(f"The sandbox has {size} bytes. At most {most} bytes can be exported and imported.")


def import_sandbox(request: AdminRequest) -> admin_shapes.SandboxFacts:
    return sandbox_facts(
        request.sandboxes.import_file(
            request.sandbox.name,
            request.content,
            request.query["connection_prefix"],
            check_more=push_triggers.check_all,
        )
    )


def _name(request: AdminRequest) -> str:
    name: str = request.path["name"]
    return name


def _facts(snapshot: Snapshot) -> shapes.SnapshotFacts:
    is_known = snapshot.taken is not None and 0 <= snapshot.taken <= LATEST
    return {
        "name": snapshot.name,
        "takenAt": iso_ticks(snapshot.taken or 0) if is_known else None,
        "bytes": snapshot.size,
    }


_S = "/sandboxes/{sandbox}"
_N = f"{_S}/snapshots/{{name}}"

ROWS = (
    AdminOperation(
        id="ListSnapshots",
        method="GET",
        path=f"{_S}/snapshots",
        summary="List the snapshots of a sandbox",
        handler=list_snapshots,
        returns=shapes.SnapshotList,
    ),
    AdminOperation(
        id="SaveSnapshot",
        method="PUT",
        path=_N,
        summary="Save a snapshot; replaces one of the same name",
        handler=save_snapshot,
        is_long=True,
        returns=shapes.SnapshotFacts,
        status=201,
    ),
    AdminOperation(
        id="DeleteSnapshot",
        method="DELETE",
        path=_N,
        summary="Delete a snapshot",
        handler=delete_snapshot,
        status=204,
    ),
    AdminOperation(
        id="RestoreSnapshot",
        method="POST",
        path=f"{_N}/restore",
        summary="Restore a snapshot: mailboxes, connections, clock, pending callbacks and the generator of ids",
        handler=restore_snapshot,
        is_long=True,
        returns=admin_shapes.SandboxFacts,
    ),
    AdminOperation(
        id="ExportSandbox",
        method="GET",
        path=f"{_S}/export",
        summary="Export a sandbox as an SQLite file, with the secrets in callback URLs and the key of links",
        handler=export_sandbox,
        is_long=True,
        returns=Binary,
        returns_type=SQLITE,
    ),
    AdminOperation(
        id="ImportSandbox",
        method="POST",
        path=f"{_S}/import",
        summary="Replace the content of a sandbox by an exported one",
        handler=import_sandbox,
        is_long=True,
        query=shapes.ImportQuery,
        accepts_type=SQLITE,
        most_bytes=lambda settings: settings.max_export_bytes,
        returns=admin_shapes.SandboxFacts,
    ),
)
