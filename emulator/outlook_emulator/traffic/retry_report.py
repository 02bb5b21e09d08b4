"""The retry report: what callers did after a call that failed, and what it did to the mailbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from outlook_emulator.traffic.journal import ANSWERED, UNDER_WAY, ExchangeEntry

_SECOND = 1_000_000
_CLIENT = (b"user-agent", b"x-ms-workflow-run-id")
"""The headers that tell one client from another; the client request id is a new one for each attempt."""


class Retried(NamedTuple):
    """A call that failed, and the next one by the same client for the same thing, if there is one.

    Waits are in seconds by the sandbox's clock, `real_wait` by the machine's; `asked` is what `Retry-After` said.
    `effects` is how often the whole chain of attempts did its work, and `duplicated` that it made something twice.
    """

    failed: ExchangeEntry
    back: ExchangeEntry | None
    waited: float | None
    real_wait: float | None
    asked: int | None
    effects: int
    duplicated: bool
    chain: tuple[int, ...]

    @property
    def waited_as_asked(self) -> bool | None:
        """None where nothing was asked, or nobody came back."""
        if self.asked is None or self.waited is None:
            return None
        return self.waited >= self.asked


def report(entries: Iterable[ExchangeEntry]) -> list[Retried]:
    """Every failed call, oldest first, with what became of it."""
    open_chains: defaultdict[tuple[object, ...], list[list[ExchangeEntry]]] = defaultdict(list)
    found: list[list[ExchangeEntry]] = []
    for entry in entries:
        chains = open_chains[_client_and_wish(entry)]
        # One that began before the failed one had ended is no answer to it, but made by somebody else meanwhile.
        chain = next((one for one in chains if _ended(one[-1]) <= entry.real), None)
        if chain is None and not has_failed(entry):
            continue
        if chain is None:
            chain = []
            found.append(chain)
        else:
            chains.remove(chain)
        chain.append(entry)
        if has_failed(entry):
            chains.append(chain)
    rows = [row for chain in found for row in _rows(chain)]
    return sorted(rows, key=lambda row: row.failed.id)


def _ended(entry: ExchangeEntry) -> float:
    """When the answer had left, by the machine's clock."""
    return entry.real + entry.took / 1000


def has_failed(entry: ExchangeEntry) -> bool:
    """Whether a client would try again: throttled, a server's error, or no whole answer."""
    if entry.outcome not in (ANSWERED, UNDER_WAY):
        return True
    return entry.status is not None and is_tried_again(entry.status)


def is_tried_again(status: int) -> bool:
    """Whether clients take a status for one that may be another the next time (documented for workflow engines)."""
    return status >= 500 or status in (408, 429)


def _rows(chain: list[ExchangeEntry]) -> list[Retried]:
    effects = sum(entry.effected for entry in chain)
    duplicated = sum(entry.effected and entry.about.creates for entry in chain) > 1
    ids = tuple(entry.id for entry in chain)
    following: list[ExchangeEntry | None] = [*chain[1:], None]
    return [
        _row(entry, back, effects, duplicated, ids)
        for entry, back in zip(chain, following, strict=True)
        if has_failed(entry)
    ]


def _row(
    failed: ExchangeEntry, back: ExchangeEntry | None, effects: int, duplicated: bool, chain: tuple[int, ...]
) -> Retried:
    asked = failed.answer_header(b"retry-after")
    waited = real = None
    if back is not None:
        # From the end of the failed call, as its client counts.
        waited = max(0.0, (back.at - (failed.left or failed.at)) / _SECOND)
        real = max(0.0, (back.real - failed.real) / _SECOND - failed.took / 1_000_000_000)
    seconds = int(asked) if asked is not None and asked.isascii() and asked.isdigit() else None
    return Retried(failed, back, waited, real, seconds, effects, duplicated, chain)


def _client_and_wish(entry: ExchangeEntry) -> tuple[object, ...]:
    client = (entry.header(name) for name in _CLIENT)
    return (entry.connection, entry.method, entry.raw_path, entry.query, entry.request_digest, *client)
