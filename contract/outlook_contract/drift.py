"""Differences between a target and the specification, known or new."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from outlook_contract.deviations import Deviation, Kind, load


class Drift(NamedTuple):
    """One difference: where it shows, what the specification expects, and what the target did.

    `check` is the check that saw it. `deviation` is the name of the known deviation that explains it, empty if new.
    """

    operation: str
    member: str
    expected: str
    seen: str
    check: str
    deviation: str = ""

    @property
    def is_new(self) -> bool:
        return not self.deviation


def explained(
    drift: Drift,
    deviations: Iterable[Deviation] | None = None,
    *,
    on_emulator: bool = False,
    named_only: bool = False,
    known: str = "",
) -> Drift:
    """The drift with the known deviation that explains it, if there is one.

    `known` names the deviation where no member tells it. An emulator is excused only where the real connector is known
    to differ: every other deviation describes what the emulator does. With `named_only` it is excused only by the
    deviation that `known` names.
    """
    for deviation in load() if deviations is None else deviations:
        if on_emulator and deviation.kind is not Kind.DIFFERENT:
            continue
        # Some deviations concern a member of every operation, and would hide any fault of the emulator there.
        if on_emulator and named_only and deviation.name != known:
            continue
        if deviation.name == known or (deviation.concerns(drift.operation) and _fits(deviation.member, drift.member)):
            return drift._replace(deviation=deviation.name)
    return drift


def table(drifts: Iterable[Drift]) -> str:
    """A drift table as text, one line for each different drift."""
    head = ("operation", "member", "expected", "seen", "known as")
    rows = [head, *dict.fromkeys((d.operation, d.member, d.expected, d.seen, d.deviation or "NEW") for d in drifts)]
    shown = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
    )


def as_json(drift: Drift) -> dict[str, Any]:
    """A drift as a JSON object."""
    return {**drift._asdict(), "new": drift.is_new}


def _fits(pattern: str, member: str) -> bool:
    """Whether a deviation's member names a drift's, also as the end of a longer path."""
    names = [name.strip() for name in pattern.split(",")]
    return any(name and (fnmatchcase(member, _escaped(name)) or member.endswith(f".{name}")) for name in names)


def _escaped(name: str) -> str:
    return name.replace("[]", "[[]]")


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
