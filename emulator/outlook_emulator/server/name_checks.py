"""Checks of names in requests; an unknown name is rejected with suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.options import suggestion


def check_names(operations: Sequence[str] | None, family: str | None) -> None:
    """Check that the operation ids and the family exist. Raises InvalidRequest."""
    if operations is not None and not operations:
        raise InvalidRequest("'operation' must name at least one operation.")
    known = {operation.id.lower(): operation.id for operation in OPERATIONS}
    for id in operations or ():
        if id.lower() not in known:
            raise unknown("operation", id, known.values())
    families = {operation.family.lower(): operation.family for operation in OPERATIONS}
    if family is not None and family.lower() not in families:
        raise unknown("family of operations", family, families.values())


def unknown(kind: str, name: str, known: Iterable[str]) -> InvalidRequest:
    """The error for an unknown name; it suggests the closest known names, or lists all."""
    return InvalidRequest(f"There is no {kind} '{name[:100]}'. {suggestion(name, known)}")
