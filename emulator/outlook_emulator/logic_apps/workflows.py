"""Switches off the retries of the operations of a workflow that call the connector."""

from __future__ import annotations

import json
from collections.abc import Iterator

from outlook_emulator.logic_apps.json_edit import Value
from outlook_emulator.logic_apps.project import Document

_NONE = {"type": "none"}
_TYPES = ("apiconnection", "apiconnectionwebhook", "apiconnectionnotification")


def disable_retries(document: Document, connections: set[str]) -> list[tuple[str, str]]:
    """Give each operation that uses one of the connections a retry policy that never retries.

    Returns the names of the changed operations, each with the type of its former policy.
    """
    changes = {}
    policies = []
    for path, inputs in _operations(document.root, (), connections):
        policy = inputs.get("retryPolicy")
        kind = policy.get("type") if policy else None
        before = (kind.string or "") if kind else ""
        if before.lower() != "none":
            changes[(*path, "inputs", "retryPolicy")] = json.dumps(_NONE)
            policies.append((path[-1], before or "default"))
    if changes:
        document.set_all(changes)
    return policies


def _operations(value: Value, path: tuple[str, ...], connections: set[str]) -> Iterator[tuple[tuple[str, ...], Value]]:
    """The triggers and actions that use one of the connections, at any depth: the path of each, and its inputs."""
    type, inputs = value.get("type"), value.get("inputs")
    if type and inputs and (type.string or "").lower() in _TYPES:
        reference = inputs.at(("host", "connection", "referenceName"))
        if reference and reference.string in connections:
            yield path, inputs
        return
    for member in value.members or ():
        yield from _operations(member.value, (*path, member.name), connections)
