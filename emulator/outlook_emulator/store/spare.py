"""Empty databases in memory that deleted sandboxes leave behind for new ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import finalize

from outlook_emulator.store import opening

_MOST = 4
"""So many spare databases are kept. Each takes up to 250 KB."""
_MOST_PAGES = 300
"""A database that has grown beyond so many small pages is not kept: it would take more memory than a new one."""


class SpareDatabases:
    """Empties databases, and hands them out instead of new ones: to parse the schema takes most of making one.

    They have small pages. An emptied database has the same image as a new one, or it is not kept. `close` it.
    """

    def __init__(self) -> None:
        self._spare: list[sqlite3.Connection] = []
        self._used = False
        # Tests drop apps without stopping them; their connections must close too.
        finalize(self, _close_all, self._spare)

    def __len__(self) -> int:
        return len(self._spare)

    def take(self) -> sqlite3.Connection:
        """An empty database in memory."""
        self._used = True
        return self._spare.pop() if self._spare else opening.open_memory(has_small_pages=True)

    def keep(self, connection: sqlite3.Connection) -> None:
        """Take a database that nobody needs any more: empty it, or close it if it cannot become like a new one."""
        self._used = True
        if len(self._spare) < _MOST and _empty(connection):
            self._spare.append(connection)
        else:
            connection.close()

    def prepare(self) -> None:
        """Make sure that the next database need not be made when it is needed."""
        if not self._spare:
            connection = opening.open_memory(has_small_pages=True)
            # To read its schema takes longer than the rest.
            _is_like(connection, _new())
            self._spare.append(connection)

    def close_unused(self) -> None:
        """Close all that are spare, unless one was taken or kept since the last call."""
        if not self._used:
            self.close()
        self._used = False

    def close(self) -> None:
        """Close all that are spare."""
        _close_all(self._spare)


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _empty(connection: sqlite3.Connection) -> bool:
    """Delete all rows; returns whether the database has the image of a new one now.

    It may have free pages, which images leave out.
    """
    new = _new()
    # A statement that has not ended would read the rows of the next sandbox. Beside one, all others fail now.
    connection.interrupt()
    try:
        if connection.in_transaction or not _is_like(connection, new):
            return False
        # Nobody needs the way back, which takes as long as the deletion itself.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN IMMEDIATE")
        for deletion in new.deletions:
            connection.execute(deletion)
        connection.execute("COMMIT")
        (mode,) = connection.execute("PRAGMA journal_mode = MEMORY").fetchone()
        return bool(mode == "memory")
    except sqlite3.Error:
        return False


_MARKS = ("PRAGMA schema_version", "PRAGMA page_size", "SELECT id, block FROM message_search_data")
"""What changes with the schema, with usual pages, and with every use of the search index.

Rows alone do not change them. Without rows, two databases with the same marks have the same image.
"""


class _New(NamedTuple):
    """What a new database is like, and the statements that delete all rows there may be."""

    marks: list[list[Any]]
    deletions: tuple[str, ...]


@lru_cache(maxsize=1)
def _new() -> _New:
    with closing(opening.open_memory(has_small_pages=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        # The search index cannot be made like new. A database that has used it is not kept.
        deletions = tuple(f"DELETE FROM {name}" for name in names if not name.startswith("message_search"))
        return _New([connection.execute(mark).fetchall() for mark in _MARKS], deletions)


def _is_like(connection: sqlite3.Connection, new: _New) -> bool:
    # Looked at first: a database with more pages may have a search index that takes long to read.
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if pages > _MOST_PAGES:
        return False
    return all(connection.execute(mark).fetchall() == value for mark, value in zip(_MARKS, new.marks, strict=True))
