"""The page about the snapshots of a sandbox, and the sandbox as a file."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from outlook_emulator.server.web.imports import sent_file
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.wire.mail import Binary


async def load_snapshots(request: PageRequest) -> dict[str, Any]:
    return {"snapshots": (await request.admin("ListSnapshots"))["value"]}


async def save(request: PageRequest) -> None:
    await request.admin("SaveSnapshot", name=request.form.text("name"))


async def restore(request: PageRequest) -> None:
    await request.admin("RestoreSnapshot", name=request.form.text("name"))


async def drop(request: PageRequest) -> None:
    await request.admin("DeleteSnapshot", name=request.form.text("name"))


async def import_file(request: PageRequest) -> str:
    await request.admin("ImportSandbox", content=sent_file(request), media_type="application/vnd.sqlite3")
    return request.url("/s/{sandbox}/")


async def export(request: PageRequest) -> Response:
    file: Binary = await request.admin("ExportSandbox")
    headers = {"content-disposition": f'attachment; filename="{request.sandbox.name}.sqlite"'}
    return Response(file.content, 200, headers, file.content_type)


PAGES = (
    Page(
        path="/s/{sandbox}/snapshots",
        title="Snapshots",
        template="snapshots.html",
        nav="Snapshots",
        load=load_snapshots,
        actions={"save": save, "restore": restore, "drop": drop, "import": import_file},
    ),
    Page(path="/s/{sandbox}/export.sqlite", load=export),
)
