"""All broken emulators, and which checks of the suite caught them when the table was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.contract.broken import approvals, calendar, contacts, mail, protocol, triggers
from tests.contract.broken.swap import Swap

SWAPS: tuple[Swap, ...] = (
    *mail.SWAPS,
    *calendar.SWAPS,
    *contacts.SWAPS,
    *triggers.SWAPS,
    *approvals.SWAPS,
    *protocol.SWAPS,
)
CAUGHT_FILE = Path(__file__).with_name("caught.json")


class Caught(NamedTuple):
    """How many checks caught a broken emulator, and the most telling of them: those that catch the fewest."""

    count: int
    checks: tuple[tuple[str, str], ...]
    """Group and name of each check."""


def caught() -> Mapping[str, Caught]:
    """What `python -m tools.broken_emulators` wrote, by the name of the broken emulator."""
    rows = json.loads(CAUGHT_FILE.read_text(encoding="utf-8"))
    return {
        name: Caught(row["count"], tuple((group, check) for group, check in row["checks"]))
        for name, row in rows.items()
    }
