"""Loads parts that take long to load and that few requests need, while other requests are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from outlook_emulator.odata import grammar
from outlook_emulator.operations.operation import Operation
from outlook_emulator.sandbox.aside import aside

Load = Callable[[], object]

_loaded: set[Load] = set()


async def load_for(operation: Operation, body: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Load what a request needs with this body and these parameters, unless it is there."""
    part = _part_for(operation, body, values)
    if part is not None:
        await load(part)


async def load(part: Load) -> None:
    """Load a part, unless it is there."""
    if part not in _loaded:
        await aside(part)
        _loaded.add(part)


def is_loaded(part: Load) -> bool:
    """Whether a part is there."""
    return part in _loaded


def _part_for(operation: Operation, body: Sequence[Any], values: Mapping[str, Any]) -> Load | None:
    if values.get("filter"):
        return grammar.load
    if operation.writes_event and (not operation.creates or any(map(_invites, body))):
        return _load_invitations
    return None


def _invites(changes: Mapping[str, Any]) -> bool:
    """Whether the body of an event names attendees."""
    return any(value for name, value in changes.items() if "attendees" in name)


def _load_invitations() -> None:
    # Here, since most servers send none.
    from outlook_emulator.mailbox.formats import ics, ics_compose  # noqa: F401

    ics_compose.load()
