"""Reads `deviations.toml`: differences from the real connector, and behaviour without proof."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from outlook_contract.definition import specification


class Kind(Enum):
    """How sure we are of the difference."""

    DIFFERENT = "different"
    """The real connector is known to behave otherwise."""
    CONTESTED = "contested"
    """Sources disagree."""
    INFERRED = "inferred"
    """No source shows what the real connector does."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One behaviour in which the emulator differs, or may differ, from the real connector.

    `operations` holds patterns of operation ids with `*` and `?`. `member` is a parameter, a header or a JSON path,
    empty for behaviour that shows in no member. `setting` is the attribute of the setting that switches the behaviour,
    None without one.
    """

    name: str
    kind: Kind
    operations: tuple[str, ...]
    member: str
    ours: str
    theirs: str
    evidence: str
    setting: str | None = None

    def concerns(self, operation_id: str) -> bool:
        """Whether the behaviour shows in an operation."""
        return any(fnmatchcase(operation_id, pattern) for pattern in self.operations)


@cache
def load() -> tuple[Deviation, ...]:
    """All deviations, in the order of the file. Raises ValueError for an entry with missing or unknown members."""
    return parse(specification("deviations.toml").read_text(encoding="utf-8"))


def parse(text: str) -> tuple[Deviation, ...]:
    """The deviations that a TOML text declares. Raises ValueError for an entry with missing or unknown members."""
    return tuple(map(_deviation, tomllib.loads(text).get("deviation", [])))


def _deviation(entry: dict[str, Any]) -> Deviation:
    name = entry.get("name", "without a name")
    known = {field.name for field in fields(Deviation)}
    if missing := known - {"setting"} - entry.keys():
        raise ValueError(f"The deviation {name} lacks {', '.join(sorted(missing))}.")
    if unknown := entry.keys() - known:
        raise ValueError(f"The deviation {name} has unknown members: {', '.join(sorted(unknown))}.")
    return Deviation(**{**entry, "kind": Kind(entry["kind"]), "operations": tuple(entry["operations"])})
