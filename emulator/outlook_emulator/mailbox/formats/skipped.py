"""What an import leaves out of a mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """An item or a part of an item in a file that an import left out, and why.

    `item` names it as a reader of the file knows it, for example `event "Standup"`. `line` is its first line, from 1;
    None if the file has no lines.
    """

    item: str
    line: int | None
    reason: str


class Parsed(NamedTuple, Generic[T]):
    """The items that a reader took from a file, in its order, and what it left out."""

    items: list[T]
    skipped: list[SkippedItem]
