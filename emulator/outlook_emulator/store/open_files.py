"""Keeps the number of open databases low: each takes three file descriptors and a cache."""

from __future__ import annotations

from typing import Protocol

from outlook_emulator import descriptors

_DESCRIPTORS = 3
"""A file, its log, and the index of the log."""
_MOST = 1000
"""The most databases that are open, however many descriptors there are: each takes a few hundred KB of memory."""
_LEAST = 4


class Resting(Protocol):
    """A database that can close its file until the next statement."""

    used: bool

    def rest(self) -> bool: ...


class OpenFiles:
    """The databases with open files, at most `most`. When one more opens, one that was not used lately rests."""

    def __init__(self, most: int | None = None) -> None:
        self._most = _most_open() if most is None else most
        self._open: dict[Resting, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, database: Resting) -> None:
        """Note that a database has opened its file. Call it on the event loop only."""
        if len(self._open) >= self._most:
            self._make_room()
        self._open[database] = None

    def remove(self, database: Resting) -> None:
        """Note that a database has closed its file."""
        self._open.pop(database, None)

    def _make_room(self) -> None:
        # A second chance for those used since the last round: exact order would cost every request.
        for database in list(self._open):
            if not database.used and database.rest():
                return
            database.used = False
            self._open[database] = self._open.pop(database)
        for database in list(self._open):
            # All were used: the first in line that can rest.
            if database.rest():
                return


def _most_open() -> int:
    """How many databases may be open with the present limit of descriptors; half of them are left for connections."""
    limit = descriptors.limit()
    return _MOST if limit is None else max(_LEAST, min(_MOST, limit // 2 // _DESCRIPTORS))
