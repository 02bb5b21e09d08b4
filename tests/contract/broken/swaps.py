"""All broken emulators, and the checks of the suite that caught them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
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


class Check(NamedTuple):
    """A check of the suite, in its group."""

    group: str
    name: str


class Caught(NamedTuple):
    """How many checks caught a broken emulator, and the most telling of them: those that catch the fewest."""

    number: int
    checks: tuple[Check, ...]


def caught() -> dict[str, Caught]:
    """What `python -m tools.broken_emulators` wrote, by the name of the broken emulator."""
    rows = json.loads(CAUGHT_FILE.read_text(encoding="utf-8"))
    return {name: Caught(row["number"], tuple(Check(*check) for check in row["checks"])) for name, row in rows.items()}


def write_caught(caught: Mapping[str, Caught]) -> None:
    """Write what `caught` reads, in the order of the broken emulators; those that are gone are left out."""
    counts = Counter(check for row in caught.values() for check in row.checks)
    rows = {
        swap.name: {"number": caught[swap.name].number, "checks": _telling(caught[swap.name].checks, counts)}
        for swap in SWAPS
        if swap.name in caught
    }
    CAUGHT_FILE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _telling(checks: Iterable[Check], counts: Mapping[Check, int]) -> list[Check]:
    """The checks that catch the fewest, each function once."""
    functions = {check.name.partition("[")[0]: check for check in reversed(sorted(checks, key=counts.__getitem__))}
    return sorted(functions.values(), key=lambda check: (counts[check], check))[:_KEPT]
