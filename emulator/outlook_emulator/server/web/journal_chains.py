"""Requests that a client repeated, laid out on a time line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from outlook_emulator.traffic import retry_report
from outlook_emulator.traffic.journal import ExchangeEntry
from outlook_emulator.traffic.request_log import status_text

_LEFT, _WIDTH = 20, 560
"""Where the first attempt is drawn, and how far the last one is from it, in units of the drawing."""
_APART = 44
"""The least distance between two attempts, so that their labels do not overlap."""


class Attempt(NamedTuple):
    """One request of a chain. `waited` is the wait before it, `x` its place in the drawing."""

    id: int
    at: int
    status: str
    has_failed: bool
    effected: bool
    waited: float | None
    x: int


class Chain(NamedTuple):
    """A failed request and what its client sent after it. `asked` is the last Retry-After."""

    operation: str
    connection: str
    attempts: list[Attempt]
    duplicated: bool
    asked: int | None
    waited_as_asked: bool | None

    @property
    def ids(self) -> list[int]:
        return [attempt.id for attempt in self.attempts]

    @property
    def width(self) -> int:
        return self.attempts[-1].x + _LEFT + 40


def chains_of(exchanges: Sequence[ExchangeEntry]) -> list[Chain]:
    """All chains among exchanges, which must be oldest first."""
    by_id = {entry.id: entry for entry in exchanges}
    rows: dict[tuple[int, ...], list[retry_report.Retried]] = {}
    for row in retry_report.report(exchanges):
        rows.setdefault(row.attempts, []).append(row)
    return [_chain([by_id[id] for id in ids], of_chain) for ids, of_chain in rows.items()]


def chain_of(entry: ExchangeEntry, exchanges: Iterable[ExchangeEntry]) -> Chain | None:
    """The chain that an exchange belongs to; None if nothing was repeated."""
    same = [other for other in exchanges if _request_of(other) == _request_of(entry)]
    chain = next((chain for chain in chains_of(same) if entry.id in chain.ids), None)
    return chain if chain is not None and len(chain.attempts) > 1 else None


def _request_of(entry: ExchangeEntry) -> tuple[object, ...]:
    return (entry.connection, entry.method, entry.raw_path, entry.query, entry.request_digest)


def _chain(entries: list[ExchangeEntry], rows: list[retry_report.Retried]) -> Chain:
    waits = {row.retry.id: row.waited for row in rows if row.retry is not None}
    asked = [row for row in rows if row.retry_after is not None]
    answers = [row.waited_long_enough for row in asked if row.waited_long_enough is not None]
    attempts = [
        Attempt(
            entry.id,
            entry.at,
            status_text(entry.status, entry.outcome),
            retry_report.has_failed(entry),
            entry.effected,
            waits.get(entry.id),
            x,
        )
        for entry, x in zip(entries, _places([entry.at for entry in entries]), strict=True)
    ]
    first = entries[0]
    return Chain(
        first.operation,
        first.connection,
        attempts,
        rows[0].duplicated,
        asked[-1].retry_after if asked else None,
        all(answers) if answers else None,
    )


def _places(instants: list[int]) -> list[int]:
    """Where each instant is drawn: in proportion to time, but never too close to the one before."""
    begin, span = instants[0], max(instants[-1] - instants[0], 1)
    places: list[int] = []
    for instant in instants:
        place = _LEFT + round(max(instant - begin, 0) / span * _WIDTH)
        places.append(max(place, places[-1] + _APART) if places else place)
    return places
