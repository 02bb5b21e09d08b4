"""Empty databases in memory that deleted sandboxes leave behind for new ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from typing import NamedTuple
from weakref import finalize

from outlook_emulator.store import opening

_MOST = 4
"""So many spare databases are kept. Each takes some hundred KB."""


class SpareDatabases:
    """Empties databases, and hands them out instead of new ones: to parse the schema takes most of making one.

    An emptied database has the same bytes as a new one, or it is not kept. `close` it.
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
        return self._spare.pop() if self._spare else opening.open_memory()

    def keep(self, connection: sqlite3.Connection) -> None:
        """Take a database that nobody needs any more: empty it, or close it if it cannot become like a new one."""
        self._used = True
        if len(self._spare) < _MOST and _empty(connection):
            self._spare.append(connection)
        else:
            connection.close()

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
    """Delete all rows; returns whether the database is now as a new one, to the last byte."""
    new = _new()
    try:
        # One that has grown would keep its pages.
        if connection.in_transaction or connection.execute("PRAGMA page_count").fetchone()[0] != new.pages:
            return False
        filled = connection.execute(new.query).fetchone()
        # Tables without rows are only cleared if something is left of earlier ones.
        return _is_new_without(connection, filled) or _is_new_without(connection, new.tables)
    except sqlite3.Error:
        return False


def _is_new_without(connection: sqlite3.Connection, tables: Iterable[str | None]) -> bool:
    """Delete the rows of tables; returns whether the database is as a new one."""
    connection.execute("BEGIN IMMEDIATE")
    for table in filter(None, tables):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("COMMIT")
    return connection.serialize() == _new().image


class _New(NamedTuple):
    """A new database: its bytes, how many pages they are, the tables that may have rows, and a query for their names.

    The query returns a row with the names of those that have rows, and NULL for each other one.
    """

    image: bytes
    pages: int
    tables: tuple[str, ...]
    query: str


@lru_cache(maxsize=1)
def _new() -> _New:
    with closing(opening.open_memory()) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        # The search index cannot be made like new. A database that has used it is not kept.
        tables = tuple(name for name in names if not name.startswith("message_search"))
        query = "SELECT " + ", ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables)
        return _New(connection.serialize(), pages, tables, query)
