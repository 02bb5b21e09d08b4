"""The sandboxes of a data folder that are not in use: those that were not needed yet, and those with a problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """Why the file of a sandbox cannot be used."""

    text: str
    is_passing: bool = False
    """Whether it is a problem of the disk or of limits, so that opening the file is worth another try."""
    hides_connections: bool = False
    """Whether nobody knows which connections the sandbox has."""


class _Closed(NamedTuple):
    connection_ids: Sequence[str]
    problem: Problem | None


class ClosedSandboxes:
    """Sandboxes by name, each with the connections that it is known to have."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Closed] = {}
        self._by_connection: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._by_name))

    def add(self, name: str, connection_ids: Iterable[str] = (), problem: Problem | None = None) -> None:
        """Add a sandbox, or replace what is known of it. A connection stays with the sandbox that had it first."""
        self.remove(name)
        own = tuple(id for id in connection_ids if id not in self._by_connection)
        self._by_name[name] = _Closed(own, problem)
        self._by_connection |= dict.fromkeys(own, name)

    def remove(self, name: str) -> None:
        """Forget a sandbox, if it is there."""
        for id in self.ids_of(name):
            del self._by_connection[id]
        self._by_name.pop(name, None)

    def ids_of(self, name: str) -> Sequence[str]:
        """The connections of a sandbox, none if it is not there."""
        closed = self._by_name.get(name)
        return () if closed is None else closed.connection_ids

    def problem_of(self, name: str) -> Problem | None:
        """Why a sandbox cannot be used, None if nobody has tried, or it is not there."""
        closed = self._by_name.get(name)
        return None if closed is None else closed.problem

    def holder(self, connection_id: str) -> str | None:
        """The name of the sandbox that has a connection."""
        return self._by_connection.get(connection_id)

    def connection_ids(self) -> Iterable[str]:
        """The connections of all these sandboxes."""
        return self._by_connection.keys()

    def problems(self) -> Iterator[tuple[str, Problem]]:
        """The sandboxes that cannot be used."""
        for name, closed in self._by_name.items():
            if closed.problem is not None:
                yield name, closed.problem
