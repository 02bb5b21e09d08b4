"""What a file contains, and what an import leaves out of it."""

from __future__ import annotations

from dataclasses import field
from typing import Generic, TypeVar

from outlook_emulator.frozen import Frozen

MOST_LISTED = 1000

T = TypeVar("T")


class SkippedItem(Frozen):
    """An item or a part of an item in a file that an import left out, and why.

    `item` names it as a reader of the file knows it, for example `event "Standup"`. `line` is its first line, from 1;
    None if the file has no lines.
    """

    item: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.item}, line {self.line}: {self.reason}" if self.line else f"{self.item}: {self.reason}"


def listed(skipped: list[SkippedItem]) -> list[SkippedItem]:
    """The first thousand items by line, and how many more there are: a damaged file may have millions."""
    skipped = sorted(skipped, key=lambda item: item.line or 0)
    more = len(skipped) - MOST_LISTED
    if more <= 0:
        return skipped
    return [*skipped[:MOST_LISTED], SkippedItem(f"{more} more items", None, "Only the first thousand are listed.")]


class Parsed(Frozen, Generic[T]):
    """The items of a file that an import takes, and what it leaves out."""

    items: list[T]
    skipped: list[SkippedItem] = field(default_factory=list)
