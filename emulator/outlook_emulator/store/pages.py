"""Sizes of databases and of their pages; copies databases with small pages into ones with pages of the usual size.

Only databases in memory have small pages, and only until they grow. Images and files have usual ones.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache

from outlook_emulator.store import opening


def size_of(connection: sqlite3.Connection) -> int:
    """The number of bytes of a database."""
    (count,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    return int(count * size)


def copy_of(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in memory of a database with usual pages. Raises sqlite3.Error."""
    copy = opening.open_memory()
    try:
        connection.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def with_usual_pages(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A database in memory with the content of another, and with usual pages. Raises sqlite3.Error."""
    copy = opening.open_memory()
    try:
        copy.execute("ATTACH ':memory:' AS small")
        copy.deserialize(connection.serialize(), name="small")
        copy.executescript(_copy_all())
        copy.execute("DETACH small")
    except BaseException:
        copy.close()
        raise
    return copy


def give_usual_pages(file: sqlite3.Connection) -> None:
    """Write a file anew with usual pages, which takes longer than in memory. The file must not have a log."""
    with closing(opening.open_memory()) as usual:
        (size,) = usual.execute("PRAGMA page_size").fetchone()
    file.execute(f"PRAGMA page_size = {size}")
    file.execute("VACUUM")


@lru_cache(maxsize=1)
def _copy_all() -> str:
    with closing(opening.open_memory()) as new:
        tables = [name for (name,) in new.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    # The helper tables hold all of the search index. The counters of ids come last: the copied rows change them.
    tables = [name for name in tables if name not in ("message_search", "sqlite_sequence")]
    copies = (
        f"DELETE FROM main.{name}; INSERT INTO main.{name} SELECT * FROM small.{name};"
        for name in (*tables, "sqlite_sequence")
    )
    return "\n".join(("BEGIN;", *copies, "COMMIT;"))
