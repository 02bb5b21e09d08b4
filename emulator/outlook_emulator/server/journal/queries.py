"""What is asked of the journal: checked, and held against its entries."""

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


class Findings(NamedTuple):
    """How many entries fit, those of them that are shown, and the nearest misses with what differs."""

    total: int
    entries: list[Entry]
    near: list[tuple[Entry, list[str]]]


class Wanted:
    """Which entries are meant: all members that are given must fit. Raises InvalidRequest for what can fit none."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        check_names(given.get("operation"), given.get("family"))
        _check_numbers(given)
        self._kinds = _kinds(given)
        self._given = given
        self._after: int | None = given.get("after")
        self._limit: int = given["limit"]
        self._match = Match(
            connection=given.get("connection"),
            operations=frozenset(one.lower() for one in given.get("operation", ())),
            family=given.get("family"),
            method=given.get("method"),
            path=given.get("path"),
            query=patterns("query", given.get("query", {})),
            body=patterns("body", given.get("body", {})),
        )

    def find(self, entries: Iterable[Entry]) -> Findings:
        """Hold entries, oldest first, against what is wanted."""
        fitting: list[Entry] = []
        missing: list[tuple[Entry, list[str]]] = []
        for entry in entries:
            if entry.kind not in self._kinds or entry.id <= (self._after or 0):
                continue
            if differs := self._differs(entry):
                missing.append((entry, differs))
            else:
                fitting.append(entry)
        near = nsmallest(shapes.NEAR_MISSES, missing, key=lambda one: (len(one[1]), -one[0].id))
        return Findings(len(fitting), self._page(fitting), near)

    def _page(self, entries: list[Entry]) -> list[Entry]:
        return entries[-self._limit :] if self._after is None else entries[: self._limit]

    def _differs(self, entry: Entry) -> list[str]:
        given = self._given
        found = list(self._match.differs(_seen(entry)))
        found += [name for name, fits in _FITS.items() if name in given and not fits(given[name], entry)]
        return found


def _seen(entry: Entry) -> CallFacts:
    """What a match looks at. Of a delivery that is the body alone: it has been asked for nothing else."""
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
"""Whether an entry has what a member wants that no fault rule could ask for."""


def _kinds(given: Mapping[str, Any]) -> list[str]:
    """The kinds of entries that know all that is asked. Raises InvalidRequest."""
    kind = given.get("kind")
    if kind is not None and kind not in shapes.KINDS:
        raise InvalidRequest(f"'kind' must be one of {', '.join(shapes.KINDS)}, not '{kind[:50]}'.")
    alien = {one: sorted(given.keys() - shapes.MEMBERS[one]) for one in shapes.KINDS}
    if kind is not None and alien[kind]:
        raise InvalidRequest(f"'{alien[kind][0]}' says nothing about the kind '{kind}'.")
    kinds = [one for one in shapes.KINDS if kind in (None, one) and not alien[one]]
    if not kinds:
        first, second = (alien[one][0] for one in shapes.KINDS)
        raise InvalidRequest(f"No kind of entry has both '{first}' and '{second}'.")
    return kinds


def _check_numbers(given: Mapping[str, Any]) -> None:
    if given.get("status") == []:
        raise InvalidRequest("'status' names none.")
    for status in given.get("status", ()):
        if not 100 <= status <= 599:
            raise InvalidRequest(f"'status' must be from 100 to 599, not {status}.")
    if given.get("after", 0) < 0:
        raise InvalidRequest(f"'after' must be the id of an entry, not {given['after']}.")
    if not 1 <= given["limit"] <= shapes.MOST:
        raise InvalidRequest(f"'limit' must be from 1 to {shapes.MOST}, not {given['limit']}.")
