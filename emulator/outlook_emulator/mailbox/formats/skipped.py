"""What an import leaves out of a mailbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """An item or a part of an item in a file that an import left out, and why.

    `item` names it as a reader of the file knows it, for example `event "Standup"`. `line` is its first line, from 1;
    None if the file has no lines.
    """

    item: str
    line: int | None
    reason: str
