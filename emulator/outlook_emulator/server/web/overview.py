"""The pages about all sandboxes, and the overview of one."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.journal.entries import entry_json
from outlook_emulator.server.slices import SLICE
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.store import mail, outbox

_LATEST = 10
_MOST_OPENED = 200
"""With more sandboxes than this, the list of them only has numbers of those that are in use."""


async def load_sandboxes(request: PageRequest) -> dict[str, Any]:
    from outlook_emulator.sandbox.samples import names

    registry = request.sandboxes
    wanted = registry.names()
    if len(wanted) > _MOST_OPENED:
        wanted = [sandbox.name for sandbox in registry.opened() if not sandbox.db.is_resting][:_MOST_OPENED]
    rows: dict[str, dict[str, Any]] = {}
    pause_at = perf_counter() + SLICE
    for name in wanted:
        # Opening or waking a sandbox takes a millisecond or more.
        if perf_counter() >= pause_at:
            await asyncio.sleep(0)
            pause_at = perf_counter() + SLICE
        sandbox = registry.get(name)
        if sandbox is not None:
            await sandbox.turn.free()
            if not sandbox.db.closed:
                rows[name] = _row(sandbox)
    return {
        "sandboxes": list(rows.values()),
        "rest": [
            {"name": name, "connections": registry.ids_of(name)}
            for name in registry.names()
            if name not in rows and registry.problem_of(name) is None
        ],
        "unusable": [
            {"name": name, "problem": problem}
            for name in registry.names()
            if (problem := registry.problem_of(name)) is not None
        ],
        "samples": names(),
    }


def _row(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": sandbox.name,
        "connections": list(sandbox.connections()),
        "unread": sum(counts.unread for counts in mail.mailbox_counts(sandbox.db).values()),
        "requests": sandbox.traffic.journal.total,
        "faults": len(sandbox.traffic.faults.rules()),
        "now": sandbox.clock.now(),
    }


async def create_sandbox(request: PageRequest) -> str:
    form = request.form
    order: dict[str, Any] = {"name": form.text("name"), "seeds": form.fields.get("seeds", [])}
    if connections := form.text("connections").replace(",", " ").split():
        order["connections"] = [{"id": id} for id in connections]
    await request.admin("CreateSandbox", order)
    return request.url("/s/{sandbox}/", sandbox=form.text("name"))


async def load_overview(request: PageRequest) -> dict[str, Any]:
    from outlook_emulator.sandbox.samples import names

    sandbox = request.sandbox
    counts = mail.mailbox_counts(sandbox.db)
    limits = await request.admin("GetLimits")
    return {
        "mailboxes": [
            {"id": id, "owner": owner, "counts": counts.get(owner.id)} for id, owner in sandbox.connections().items()
        ],
        "outbox": outbox.count(sandbox.db),
        "clock": await request.admin("GetClock"),
        "faults": (await request.admin("ListFaults"))["value"],
        "limits": limits,
        "latest": [entry_json(entry) for entry in sandbox.traffic.journal.newest(_LATEST)],
        "total": sandbox.traffic.journal.total,
        "samples": [name for name in names() if name not in sandbox.connections()],
        "is_default": sandbox is request.sandboxes.default,
    }


async def reset_sandbox(request: PageRequest) -> None:
    await request.admin("ResetSandbox")


async def delete_sandbox(request: PageRequest) -> str:
    await request.admin("DeleteSandbox")
    return request.url("/")


async def add_connection(request: PageRequest) -> None:
    await request.admin("AddConnection", request.form.filled("id", "address", "displayName"))


async def add_sample(request: PageRequest) -> None:
    await request.admin("SeedSandbox", request.form.filled("name", "connection"))


PAGES = (
    Page(
        path="/",
        title="Sandboxes",
        template="sandboxes.html",
        load=load_sandboxes,
        actions={"create": create_sandbox},
    ),
    Page(
        path="/s/{sandbox}/",
        title="Overview",
        template="overview.html",
        nav="Overview",
        load=load_overview,
        actions={
            "reset": reset_sandbox,
            "delete": delete_sandbox,
            "connect": add_connection,
            "seed": add_sample,
        },
    ),
)
