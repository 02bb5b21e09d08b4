"""Queries of the journal: checked, and matched against its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from typing import Any, NamedTuple

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.options import camel, options_of, values_of
from outlook_emulator.server.journal import shapes
from outlook_emulator.server.journal.entries import WORKFLOW
from outlook_emulator.server.journal.paths import path_of
from outlook_emulator.server.name_checks import check_names
from outlook_emulator.slices import Sliced
from outlook_emulator.traffic.call_facts import CallFacts, like, match_of
from outlook_emulator.traffic.journal import Entry, EntryKind, ExchangeEntry, ImportEntry
from outlook_emulator.traffic.journal_filter import APPLICABLE, JournalFilter


class QueryResult(NamedTuple):
    """The number of matching entries, a page of them, and the nearest misses with the members that differ."""

    total: int
    entries: list[Entry]
    near: list[tuple[Entry, list[str]]]


class JournalQuery:
    """A query: an entry must match all filters. Raises InvalidRequest if no entry can match."""

    def __init__(self, filters: JournalFilter) -> None:
        check_names(filters.operation, filters.family)
        if filters.status == ():
            raise InvalidRequest("'status' must have at least one number.")
        self._kinds = _kinds(filters)
        self._after = filters.after
        self._limit = filters.limit
        self._match = match_of(filters)
        self._own = [
            (option.member, _FITS[option.name], getattr(filters, option.name))
            for option in options_of(JournalFilter)
            if option.name in _FITS and getattr(filters, option.name) is not None
        ]

    def find(self, entries: Iterable[Entry]) -> Sliced[QueryResult]:
        """Match entries, which must be oldest first."""
        matching: list[Entry] = []
        missed: list[tuple[Entry, list[str]]] = []
        for entry in entries:
            if entry.kind not in self._kinds or entry.id <= (self._after or 0):
                continue
            if differs := self._differs(entry):
                missed.append((entry, differs))
            else:
                matching.append(entry)
            yield None
        near = nsmallest(shapes.NEAR_MISSES, missed, key=lambda miss: (len(miss[1]), -miss[0].id))
        return QueryResult(len(matching), self._page(matching), near)

    def _page(self, entries: list[Entry]) -> list[Entry]:
        return entries[-self._limit :] if self._after is None else entries[: self._limit]

    def _differs(self, entry: Entry) -> list[str]:
        differing = list(self._match.differs(call_facts(entry)))
        return differing + [member for member, fits, value in self._own if not fits(value, entry)]


def call_facts(entry: Entry) -> CallFacts:
    """An entry as a match sees it: only what queries for entries of its kind can ask for."""
    if not isinstance(entry, ExchangeEntry):
        connection, body = (entry.connection, b"") if isinstance(entry, ImportEntry) else ("", entry.body)
        return CallFacts(connection=connection, operation="", family="", method="", path="", query=b"", body=body)
    return CallFacts(
        connection=entry.connection,
        operation=entry.operation,
        family=entry.about.family,
        method=entry.method,
        path=path_of(entry),
        query=entry.query,
        body=entry.request_body,
    )


def _has_cause(pattern: str, entry: Any) -> bool:
    return any(like(pattern, text) for cause in entry.causes for text in cause)


def _of_workflow(member: str) -> Callable[[str, Any], bool]:
    def fits(pattern: str, entry: Any) -> bool:
        value: str | None = entry.header(WORKFLOW[member])
        return value is not None and like(pattern, value)

    return fits


_FITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "status": lambda statuses, entry: entry.status in statuses,
    "effected": lambda effected, entry: entry.effected is effected,
    "outcome": lambda pattern, entry: like(pattern, entry.outcome),
    "cause": _has_cause,
    "workflow_name": _of_workflow("name"),
    "workflow_run": _of_workflow("runId"),
    "workflow_operation": _of_workflow("operation"),
    "client_request_id": _of_workflow("clientRequestId"),
    "url": lambda pattern, entry: like(pattern, entry.url),
    "purpose": lambda pattern, entry: like(pattern, entry.purpose),
    "reference": lambda pattern, entry: like(pattern, entry.reference),
}
"""How to match the filters that a query has and a fault rule does not have."""


def _kinds(filters: JournalFilter) -> list[EntryKind]:
    """The kinds of entries that all filters of a query apply to. Raises InvalidRequest."""
    names = values_of(filters).keys()
    foreign = {kind: sorted(camel(name) for name in names - applicable) for kind, applicable in APPLICABLE.items()}
    if filters.kind is not None and foreign[filters.kind]:
        raise InvalidRequest(f"'{foreign[filters.kind][0]}' does not apply to entries of the kind '{filters.kind}'.")
    kinds = [kind for kind in APPLICABLE if filters.kind in (None, kind) and not foreign[kind]]
    if not kinds:
        first, second = foreign["exchange"][0], foreign["delivery"][0]
        raise InvalidRequest(f"No kind of entry has both '{first}' and '{second}'.")
    return kinds
