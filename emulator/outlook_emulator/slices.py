"""Long work in slices: a generator that yields wherever other requests may run, and returns its result.

It must not yield inside a transaction, since the writes of other requests would become part of it. It yields LONG
before a step that cannot pause and may take long, such as a single statement over many rows. Other requests to the same
sandbox then wait until the step is over, but those to other sandboxes do not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Literal, TypeVar

_Result = TypeVar("_Result")
LONG: Final = "long"
Sliced = Generator[Literal["long"] | None, None, _Result]


def in_one_step(work: Callable[[], _Result]) -> Sliced[_Result]:
    """Work that may take long and cannot pause, as sliced work."""
    yield LONG
    return work()


def whole(work: Sliced[_Result]) -> _Result:
    """The result of sliced work, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result
