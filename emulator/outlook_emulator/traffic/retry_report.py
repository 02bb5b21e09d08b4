"""The retry report: what callers did after a failed request, and what that did to the mailbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from outlook_emulator.traffic.faults import EARLY
from outlook_emulator.traffic.journal import ANSWERED, UNDER_WAY, ExchangeEntry

_SECOND = 1_000_000
_CLIENT = (b"user-agent", b"x-ms-workflow-run-id")
"""The headers that identify a client. The client request id does not: it is new for each attempt."""


class Retried(NamedTuple):
    """A failed request, and its retry by the same client, if there is one.

    `waited` is in seconds by the sandbox's clock, `real_wait` by the machine's. `retry_after` is the value of the
    header in the failed response. `effects` counts the attempts that did their work; `duplicated`: they made something
    twice. `attempts` are the ids of all attempts. `refused_again`: the retry was refused because it came too early.
    """

    failed: ExchangeEntry
    retry: ExchangeEntry | None
    waited: float | None
    real_wait: float | None
    retry_after: int | None
    effects: int
    duplicated: bool
    attempts: tuple[int, ...]
    refused_again: bool = False

    @property
    def waited_long_enough(self) -> bool | None:
        """None without a `Retry-After` header or without a retry."""
        if self.retry_after is None or self.waited is None:
            return None
        return self.waited >= self.retry_after


def report(entries: Iterable[ExchangeEntry]) -> list[Retried]:
    """Every failed request with its retry, oldest first."""
    open_chains: defaultdict[tuple[object, ...], list[list[ExchangeEntry]]] = defaultdict(list)
    failures: list[list[ExchangeEntry]] = []
    for entry in entries:
        chains = open_chains[_client_and_request(entry)]
        # A request that began before the failed one had ended is not its retry, but a concurrent request.
        chain = next((chain for chain in chains if _ended(chain[-1]) <= entry.started), None)
        if chain is None and not has_failed(entry):
            continue
        if chain is None:
            chain = []
            failures.append(chain)
        else:
            chains.remove(chain)
        chain.append(entry)
        if has_failed(entry):
            chains.append(chain)
    rows = [row for chain in failures for row in _rows(chain)]
    return sorted(rows, key=lambda row: row.failed.id)


def _ended(entry: ExchangeEntry) -> int:
    """When the response had left, by the performance counter: the machine's clock may be set back in between."""
    return entry.started + entry.took


def has_failed(entry: ExchangeEntry) -> bool:
    """Whether a client would retry: throttled, a server error, or no complete response."""
    if entry.outcome not in (ANSWERED, UNDER_WAY):
        return True
    return entry.status is not None and is_retryable(entry.status)


def is_retryable(status: int) -> bool:
    """Whether clients retry after this status (documented for workflow engines)."""
    return status >= 500 or status in (408, 429)


def _rows(chain: list[ExchangeEntry]) -> list[Retried]:
    effects = sum(entry.effected for entry in chain)
    duplicated = sum(entry.effected and entry.about.creates for entry in chain) > 1
    ids = tuple(entry.id for entry in chain)
    following: list[ExchangeEntry | None] = [*chain[1:], None]
    return [
        _row(entry, retry, effects, duplicated, ids)
        for entry, retry in zip(chain, following, strict=True)
        if has_failed(entry)
    ]


def _row(
    failed: ExchangeEntry, retry: ExchangeEntry | None, effects: int, duplicated: bool, attempts: tuple[int, ...]
) -> Retried:
    header = failed.response_header(b"retry-after")
    waited = real = None
    if retry is not None:
        # From the end of the failed request, as its client counts.
        # A restore may have set the clock back since.
        waited = max(0.0, (retry.at - (failed.left or failed.at)) / _SECOND)
        real = max(0.0, (retry.started - _ended(failed)) / 1_000_000_000)
    seconds = int(header) if header is not None and header.isascii() and header.isdigit() else None
    refused_again = retry is not None and any(cause.reason == EARLY for cause in retry.causes if cause.kind == "fault")
    return Retried(failed, retry, waited, real, seconds, effects, duplicated, attempts, refused_again)


def _client_and_request(entry: ExchangeEntry) -> tuple[object, ...]:
    client = (entry.header(name) for name in _CLIENT)
    return (entry.connection, entry.method, entry.raw_path, entry.query, entry.request_digest, *client)
