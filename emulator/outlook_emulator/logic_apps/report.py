"""Reports how far the work on the files of a project is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Report = Callable[[str, int, int], object]
"""Receives what is done with files, with how many this is done, and how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def counted(items: Sequence[T], what: str, report: Report) -> Iterator[T]:
    """The items; each is reported when the next one is asked for."""
    for number, item in enumerate(items):
        report(what, number, len(items))
        yield item
