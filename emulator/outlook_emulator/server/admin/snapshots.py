"""The admin API's verbs about whole sandboxes: saved under a name and brought back, written to a file and read in."""

from __future__ import annotations

from outlook_emulator.clock import LATEST, iso_ticks
from outlook_emulator.server.admin import shapes as admin_shapes
from outlook_emulator.server.admin import snapshot_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.admin.sandboxes import sandbox_facts
from outlook_emulator.store.snapshots import Snapshot
from outlook_emulator.wire.mail import Binary

SQLITE = "application/vnd.sqlite3"


def list_snapshots(request: AdminRequest) -> shapes.SnapshotList:
    return {"value": [_facts(one) for one in request.sandbox.snapshots()]}


def save_snapshot(request: AdminRequest) -> shapes.SnapshotFacts:
    return _facts(request.sandbox.save(_name(request)))


def restore_snapshot(request: AdminRequest) -> admin_shapes.SandboxFacts:
    return sandbox_facts(request.sandboxes.restore(request.sandbox.name, _name(request)))


def delete_snapshot(request: AdminRequest) -> None:
    request.sandbox.drop_snapshot(_name(request))


def export_sandbox(request: AdminRequest) -> Binary:
    return Binary(request.sandbox.export(), SQLITE)


def import_sandbox(request: AdminRequest) -> admin_shapes.SandboxFacts:
    return sandbox_facts(
        request.sandboxes.bring_in(request.sandbox.name, request.content, request.query["connection_prefix"])
    )


def _name(request: AdminRequest) -> str:
    name: str = request.path["name"]
    return name


def _facts(one: Snapshot) -> shapes.SnapshotFacts:
    is_known = one.taken is not None and 0 <= one.taken <= LATEST
    return {"name": one.name, "takenAt": iso_ticks(one.taken or 0) if is_known else None, "bytes": one.size}


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
        summary="Save a sandbox under a name, in place of what was saved under it",
        handler=save_snapshot,
        returns=shapes.SnapshotFacts,
        status=201,
    ),
    AdminOperation(
        id="DeleteSnapshot",
        method="DELETE",
        path=_N,
        summary="Forget a snapshot",
        handler=delete_snapshot,
        status=204,
    ),
    AdminOperation(
        id="RestoreSnapshot",
        method="POST",
        path=f"{_N}/restore",
        summary="Take a sandbox back to a snapshot: mailboxes, connections, clock, calls that wait, ids to come",
        handler=restore_snapshot,
        returns=admin_shapes.SandboxFacts,
    ),
    AdminOperation(
        id="ExportSandbox",
        method="GET",
        path=f"{_S}/export",
        summary="Write a sandbox out as one SQLite file",
        handler=export_sandbox,
        returns=Binary,
        returns_type=SQLITE,
    ),
    AdminOperation(
        id="ImportSandbox",
        method="POST",
        path=f"{_S}/import",
        summary="Replace all that a sandbox holds by an exported one",
        handler=import_sandbox,
        query=shapes.ImportQuery,
        accepts_type=SQLITE,
        returns=admin_shapes.SandboxFacts,
    ),
)
