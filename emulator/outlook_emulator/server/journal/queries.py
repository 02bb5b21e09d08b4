"""Queries of the journal: checked, and matched against its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from typing import Any, NamedTuple

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.server.journal import shapes
from outlook_emulator.server.journal.entries import WORKFLOW, path_of
from outlook_emulator.server.name_checks import check_names
from outlook_emulator.traffic.call_facts import CallFacts, Match, like, patterns
from outlook_emulator.traffic.journal import Entry, ExchangeEntry


class QueryResult(NamedTuple):
    """The number of matching entries, a page of them, and the nearest misses with the members that differ."""

    total: int
    entries: list[Entry]
    near: list[tuple[Entry, list[str]]]


class JournalQuery:
    """A query: all its members must match. Raises InvalidRequest if no entry can match."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        check_names(members.get("operation"), members.get("family"))
        _check_numbers(members)
        self._kinds = _kinds(members)
        self._members = members
        self._after: int | None = members.get("after")
        self._limit: int = members["limit"]
        self._match = Match(
            connection=members.get("connection"),
            operations=frozenset(id.lower() for id in members.get("operation", ())),
            family=members.get("family"),
            method=members.get("method"),
            path=members.get("path"),
            query=patterns("query", members.get("query", {})),
            body=patterns("body", members.get("body", {})),
        )

    def find(self, entries: Iterable[Entry]) -> QueryResult:
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
        near = nsmallest(shapes.NEAR_MISSES, missed, key=lambda miss: (len(miss[1]), -miss[0].id))
        return QueryResult(len(matching), self._page(matching), near)

    def _page(self, entries: list[Entry]) -> list[Entry]:
        return entries[-self._limit :] if self._after is None else entries[: self._limit]

    def _differs(self, entry: Entry) -> list[str]:
        members = self._members
        differing = list(self._match.differs(_call_facts(entry)))
        differing += [name for name, fits in _FITS.items() if name in members and not fits(members[name], entry)]
        return differing


def _call_facts(entry: Entry) -> CallFacts:
    """An entry as a match sees it: of a delivery only the body, since queries for it have no other such member."""
    if not isinstance(entry, ExchangeEntry):
        return CallFacts(connection="", operation="", family="", method="", path="", query=b"", body=entry.body)
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
    "workflowName": _of_workflow("name"),
    "workflowRun": _of_workflow("runId"),
    "workflowOperation": _of_workflow("operation"),
    "clientRequestId": _of_workflow("clientRequestId"),
    "url": lambda pattern, entry: like(pattern, entry.url),
    "purpose": lambda pattern, entry: like(pattern, entry.purpose),
    "reference": lambda pattern, entry: like(pattern, entry.reference),
}
"""How to match the members that a query has and a fault rule does not have."""


def _kinds(members: Mapping[str, Any]) -> list[str]:
    """The kinds of entries that all members of a query apply to. Raises InvalidRequest."""
    kind = members.get("kind")
    if kind is not None and kind not in shapes.KINDS:
        raise InvalidRequest(f"'kind' must be one of {', '.join(shapes.KINDS)}, not '{kind[:50]}'.")
    foreign = {each: sorted(members.keys() - shapes.MEMBERS[each]) for each in shapes.KINDS}
    if kind is not None and foreign[kind]:
        raise InvalidRequest(f"'{foreign[kind][0]}' does not apply to entries of the kind '{kind}'.")
    kinds = [each for each in shapes.KINDS if kind in (None, each) and not foreign[each]]
    if not kinds:
        first, second = (foreign[each][0] for each in shapes.KINDS)
        raise InvalidRequest(f"No kind of entry has both '{first}' and '{second}'.")
    return kinds


def _check_numbers(members: Mapping[str, Any]) -> None:
    if members.get("status") == []:
        raise InvalidRequest("'status' must have at least one number.")
    for status in members.get("status", ()):
        if not 100 <= status <= 599:
            raise InvalidRequest(f"'status' must be from 100 to 599, not {status}.")
    if members.get("after", 0) < 0:
        raise InvalidRequest(f"'after' must be the id of an entry, not {members['after']}.")
    if not 1 <= members["limit"] <= shapes.MOST:
        raise InvalidRequest(f"'limit' must be from 1 to {shapes.MOST}, not {members['limit']}.")
