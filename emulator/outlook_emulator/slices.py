"""Long work in slices: a generator that yields wherever other requests may run, and returns its result.

It must not yield inside a transaction, since the writes of other requests would become part of it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

_Result = TypeVar("_Result")
Sliced = Generator[None, None, _Result]


def whole(work: Sliced[_Result]) -> _Result:
    """The result of sliced work, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result
