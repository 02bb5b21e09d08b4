"""A whole database as the bytes of one SQLite file, and what is made sure of before such bytes are taken for one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_MAGIC = b"SQLite format 3\x00"
_LOG_MARKS = slice(18, 20)
"""Where the header says by which version to write and to read a file: 2 where a log goes with it, else 1."""
_NO_LOG = b"\x01\x01"
_KINDS = {"INTEGER": "integer", "BIGINT": "integer", "TEXT": "text", "BLOB": "blob"}
_CHECK_SEARCH = "INSERT INTO message_search (message_search) VALUES ('integrity-check')"


class Make(NamedTuple):
    """What must be equal in two databases before one can take the place of the other.

    `schema` counts the rows of SQLite's own table of tables: type, name, table and text.
    """

    version: int
    page_size: int
    encoding: str
    schema: Counter[tuple[str, str, str, str | None]]


def make_of(connection: sqlite3.Connection) -> Make:
    """How a database is made."""
    version, page_size, encoding = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "page_size", "encoding")
    )
    return Make(
        version, page_size, encoding, Counter(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))
    )


def alone(image: bytes) -> bytes:
    """A database that stands for itself: bytes have no log beside them, and SQLite would look for one."""
    if image[_LOG_MARKS] == _NO_LOG:
        return image
    marked = bytearray(image)
    marked[_LOG_MARKS] = _NO_LOG
    return bytes(marked)


def load(connection: sqlite3.Connection, image: bytes, wanted: Make) -> None:
    """Fill an empty database in memory. Raises ValueError, saying what keeps the bytes from being a database of ours.

    Nothing that a schema of foreign make could bring along is run: it is compared before any table is looked into.
    """
    if not image.startswith(_MAGIC):
        raise ValueError("it is no SQLite database")
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.deserialize(alone(image))
        _compare(make_of(connection), wanted)
    except sqlite3.DatabaseError as error:
        raise ValueError(f"it is no readable SQLite database: {error}") from error


def check(connection: sqlite3.Connection) -> None:
    """Look through a database that was loaded. Raises ValueError for one that is damaged or contradicts itself."""
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(f"it is damaged: {verdict[:200]}")
        if (broken := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
            raise ValueError(f"its table '{broken[0]}' refers to a {broken[2]} that is not there")
        for table in _tables(connection):
            _check_kinds(connection, table)
        connection.execute(_CHECK_SEARCH)
    except sqlite3.DatabaseError as error:
        raise ValueError(f"it is damaged: {error}") from error


def _compare(found: Make, wanted: Make) -> None:
    if found.version != wanted.version:
        raise ValueError(f"it has schema version {found.version}, this emulator needs {wanted.version}")
    if foreign := sorted(found.schema - wanted.schema, key=str):
        kind, name = (str(one)[:100] for one in foreign[0][:2])
        raise ValueError(f"its {kind} '{name}' is not as this emulator makes them")
    if missing := sorted(wanted.schema - found.schema, key=str):
        raise ValueError(f"the {missing[0][0]} '{missing[0][1]}' is missing")
    # Another encoding would be read as damage, other pages could not be copied.
    if found.encoding != wanted.encoding:
        raise ValueError(f"its texts are in {found.encoding}, this emulator needs {wanted.encoding}")
    if found.page_size != wanted.page_size:
        raise ValueError(f"it has pages of {found.page_size} bytes, this emulator needs {wanted.page_size}")


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if not name.startswith(("sqlite_", "message_search")):
            yield name


def _check_kinds(connection: sqlite3.Connection, table: str) -> None:
    """SQLite keeps any kind of value in any column; ours have one each."""
    columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    tests = [f"typeof(\"{name}\") NOT IN ('{_KINDS[kind]}', 'null')" for name, kind in columns]
    if connection.execute(f'SELECT 1 FROM "{table}" WHERE {" OR ".join(tests)} LIMIT 1').fetchone():
        raise ValueError(f"its table '{table}' has a value of the wrong kind")
