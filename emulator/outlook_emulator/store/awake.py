"""Keeps the number of awake databases low: each takes three descriptors in a file, and up to a megabyte in memory."""

from __future__ import annotations

from typing import Protocol

from outlook_emulator import descriptors
from outlook_emulator.slices import Sliced

_DESCRIPTORS = 3
"""A file, its log, and the index of the log."""
_MOST_FILES = 1000
"""The most databases in files that are awake, however many descriptors there are: each takes some hundred KB."""
_LEAST = 4
_MOST_IN_MEMORY = 256
"""The most small databases in memory that are awake. To wake one takes a millisecond, and so does packing another."""
_FEW_IN_MEMORY = 16
"""So many databases in memory stay awake although nobody uses them."""


class Resting(Protocol):
    """A database that can close its file, or pack its content, until the next statement."""

    used: bool

    def rest(self) -> bool: ...


class AwakeDatabases:
    """The databases that are awake, at most `most`. When one more wakes, one that was not used lately rests.

    Of more than `few`, those rest that are not used, although there is room.
    """

    def __init__(self, most: int, few: int | None = None) -> None:
        self._most = most
        self._few = most if few is None else few
        self._awake: dict[Resting, None] = {}
        self._large: dict[Resting, None] = {}
        """Those that were too large to rest when they last tried."""

    def __len__(self) -> int:
        return len(self._awake)

    def add(self, database: Resting) -> None:
        """Note that a database is awake. Call it on the event loop only."""
        if len(self._awake) >= self._most:
            self._make_room()
        elif len(self._awake) >= self._few:
            self._rest_one_unused()
        self._awake[database] = None

    def remove(self, database: Resting) -> None:
        """Note that a database rests, or is closed."""
        self._awake.pop(database, None)
        self._large.pop(database, None)

    def note_large(self, database: Resting) -> None:
        """Note that a database is too large to rest, and so does not count; it may become small again."""
        self._awake.pop(database, None)
        self._large[database] = None

    def rest_unused(self) -> Sliced[None]:
        """Let the databases rest that were not used since the last call, one in each step, until few are awake."""
        for database in list(self._awake):
            if database.used:
                database.used = False
            elif len(self._awake) > self._few and database in self._awake and database.rest():
                yield None
        for database in list(self._large):
            if database.used:
                database.used = False
            elif database in self._large and database.rest():
                yield None

    def _rest_one_unused(self) -> None:
        for database in list(self._awake):
            if not database.used and database.rest():
                return

    def _make_room(self) -> None:
        # A second chance for those used since the last round: exact order would cost every request.
        for database in list(self._awake):
            if not database.used and database.rest():
                return
            database.used = False
            if database in self._awake:
                self._awake[database] = self._awake.pop(database)
        for database in list(self._awake):
            # All were used: the first in line that can rest.
            if database.rest():
                return


def in_files() -> AwakeDatabases:
    """For databases in files, with the present limit of descriptors; half of them are left for connections."""
    half = descriptors.half()
    return AwakeDatabases(_MOST_FILES if half is None else max(_LEAST, min(_MOST_FILES, half // _DESCRIPTORS)))


def in_memory() -> AwakeDatabases:
    """For databases in memory."""
    return AwakeDatabases(_MOST_IN_MEMORY, _FEW_IN_MEMORY)
