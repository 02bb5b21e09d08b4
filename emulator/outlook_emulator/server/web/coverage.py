"""The pages about the operations of the connector: which of them a sandbox has seen, and what each is."""

from __future__ import annotations

from functools import cache
from typing import Any

from outlook_emulator.errors import NotFound
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation
from outlook_emulator.server.web.page import Page, PageRequest

_KINDS = {Kind.ACTION: "action", Kind.POLL: "polling trigger", Kind.SUBSCRIBE: "subscription"}


def load(request: PageRequest) -> dict[str, Any]:
    counts = request.sandbox.traffic.journal.operations
    shown = request.query.get("show", "")
    rows = [
        {"operation": row, "kind": _KINDS[row.kind], "calls": counts[row.id]}
        for row in OPERATIONS
        if shown == "" or (shown == "called") == bool(counts[row.id])
    ]
    called = sum(1 for row in OPERATIONS if counts[row.id])
    return {"rows": rows, "called": called, "all": len(OPERATIONS), "shown": shown}


def load_operation(request: PageRequest) -> dict[str, Any]:
    row = next((row for row in OPERATIONS if row.id == request.path["operation"]), None)
    if row is None:
        raise NotFound(f"The connector has no operation '{request.path['operation'][:100]}'.")
    return {
        "row": row,
        "title": row.id,
        "kind": _KINDS[row.kind],
        "calls": request.sandbox.traffic.journal.operations[row.id],
        "document": _document(row),
        "definitions": _definitions(row),
        "versions": [other for other in OPERATIONS if other.family == row.family and other is not row],
    }


@cache
def _swagger() -> dict[str, Any]:
    from outlook_emulator.server.connector.swagger import swagger

    document: dict[str, Any] = swagger(OPERATIONS)
    return document


def _document(row: Operation) -> dict[str, Any]:
    document: dict[str, Any] = _swagger()["paths"][row.full_path][row.method.lower()]
    return document


def _definitions(row: Operation) -> dict[str, Any]:
    """The definitions that the document of an operation refers to, in the order in which it needs them."""
    every = _swagger().get("definitions", {})
    names: list[str] = []
    waiting: list[Any] = [_document(row)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name in every and name not in names:
                names.append(name)
                waiting.append(every[name])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return {name: every[name] for name in names}


PAGES = (
    Page(path="/s/{sandbox}/operations", title="Coverage", template="coverage.html", nav="Coverage", load=load),
    Page(
        path="/s/{sandbox}/operations/{operation}",
        title="Operation",
        template="operation.html",
        section="Coverage",
        load=load_operation,
    ),
)
