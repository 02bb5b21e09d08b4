"""The coverage table: the operations of the connector that the emulator serves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from typing_extensions import TypedDict

from outlook_emulator.operations.operation import Operation


class Covered(TypedDict):
    """A line of the table; `versions` are those of the operation's family."""

    id: str
    method: str
    path: str
    versions: list[int]


def coverage(operations: Iterable[Operation]) -> list[Covered]:
    """The table, in the order of the rows."""
    rows = list(operations)
    versions: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        versions[row.family].append(row.version)
    return [
        {
            "id": row.id,
            "method": row.method,
            "path": row.full_path,
            "versions": sorted(versions[row.family]),
        }
        for row in rows
    ]
