"""All broken emulators, and the checks of the suite that caught them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.contract.broken import approvals, calendar, contacts, mail, protocol, triggers
from tests.contract.broken.swap import Swap

FAMILIES: Mapping[str, tuple[Swap, ...]] = {
    "Mail": mail.SWAPS,
    "Calendar": calendar.SWAPS,
    "Contacts": contacts.SWAPS,
    "Triggers and subscriptions": triggers.SWAPS,
    "Approvals": approvals.SWAPS,
    "All operations": protocol.SWAPS,
}
SWAPS: tuple[Swap, ...] = tuple(swap for swaps in FAMILIES.values() for swap in swaps)
CAUGHT_FILE = Path(__file__).with_name("caught.json")
_KEPT = 3
"""How many checks are kept for each broken emulator."""
_SAMPLES = 2


class Check(NamedTuple):
    """A check of the suite, in its group."""

    group: str
    name: str


def caught() -> dict[str, tuple[Check, ...]]:
    """What `python -m tools.broken_emulators` wrote: by the name of a broken emulator, the checks that tell it best."""
    rows = json.loads(CAUGHT_FILE.read_text(encoding="utf-8"))
    return {name: tuple(Check(*check) for check in checks) for name, checks in rows.items()}


def sample() -> list[Swap]:
    """Few broken emulators: two for each group of checks that caught some, and two for each broken module."""
    table = caught()
    counts: Counter[str] = Counter()
    chosen = []
    for swap in SWAPS:
        marks = {check.group for check in table.get(swap.name, ())} | {f"module {swap.module}"}
        if any(counts[mark] < _SAMPLES for mark in marks):
            chosen.append(swap)
            counts.update(marks)
    return chosen


def write_caught(caught: Mapping[str, Sequence[Check]]) -> None:
    """Write what `caught` reads, in the order of the broken emulators; those that are gone are left out.

    Of the checks that caught an emulator, those are kept that catch the fewest.
    """
    counts = Counter(check for checks in caught.values() for check in checks)
    rows = {swap.name: _telling(caught[swap.name], counts) for swap in SWAPS if caught.get(swap.name)}
    CAUGHT_FILE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _telling(checks: Sequence[Check], counts: Mapping[Check, int]) -> Sequence[Check]:
    if len(checks) <= _KEPT:
        # Also the rows of an earlier run, which stay as they are.
        return checks
    # Of the cases of one function, one is enough.
    by_function = {
        check.name.partition("[")[0]: check for check in sorted(checks, key=counts.__getitem__, reverse=True)
    }
    return sorted(by_function.values(), key=lambda check: (counts[check], check))[:_KEPT]
