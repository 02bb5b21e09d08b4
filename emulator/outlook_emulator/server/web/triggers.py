"""The page about triggers: polls, subscriptions, push triggers, and the callbacks of a sandbox."""

from __future__ import annotations

from typing import Any

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.traffic.journal import ExchangeEntry

_POLLS = {operation.id for operation in OPERATIONS if operation.kind is Kind.POLL}
_CALLBACKS = 100


async def load(request: PageRequest) -> dict[str, Any]:
    connections = list(request.sandbox.connections())
    subscriptions = [
        {"connection": id, **facts}
        for id in connections
        for facts in (await request.admin("ListSubscriptions", connection=id))["value"]
    ]
    pushed = [
        {"connection": id, "name": facts["name"], **facts["properties"]}
        for id in connections
        for facts in (await request.admin("ListTriggerConfigs", connection=id))["value"]
    ]
    callbacks = (await request.admin("ListCallbacks"))["value"]
    return {
        "polls": _polls(request),
        "subscriptions": subscriptions,
        "pushed": pushed,
        "callbacks": callbacks[: -_CALLBACKS - 1 : -1],
        "more": max(len(callbacks) - _CALLBACKS, 0),
    }


def _polls(request: PageRequest) -> list[dict[str, Any]]:
    """The polls in the journal by connection and operation, each with its newest one."""
    polls: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in request.sandbox.traffic.journal.entries():
        if isinstance(entry, ExchangeEntry) and entry.operation in _POLLS:
            poll = polls.setdefault((entry.connection, entry.operation), {"times": 0, "fired": 0})
            poll |= {"times": poll["times"] + 1, "fired": poll["fired"] + (entry.status == 200), "last": entry}
    return [{"connection": key[0], "operation": key[1], **poll} for key, poll in sorted(polls.items())]


async def poke(request: PageRequest) -> None:
    form = request.form
    await request.admin("Poke", connection=form.text("connection"), subscription=form.text("id"))


async def delete_pushed(request: PageRequest) -> None:
    form = request.form
    await request.admin("DeleteTriggerConfig", connection=form.text("connection"), name=form.text("name"))


PAGES = (
    Page(
        path="/s/{sandbox}/triggers",
        title="Triggers",
        template="triggers.html",
        nav="Triggers",
        load=load,
        actions={"poke": poke, "delete": delete_pushed},
    ),
)
