"""A whole database as the bytes of one SQLite file, and what is made sure of before such bytes are taken for one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_LOG_MARKS = slice(18, 20)
"""Where the header says by which version to write and to read a file: 2 where a log goes with it, else 1."""
_NO_LOG = b"\x01\x01"
_VERSION = slice(60, 64)
_LAYOUT = {
    "page size": slice(16, 18),
    "space left in pages": slice(20, 21),
    "schema format": slice(44, 48),
    "cache size": slice(48, 52),
    "vacuum mode": slice(52, 56),
    "text encoding": slice(56, 60),
    "vacuum step": slice(64, 68),
}
"""What else a header says that a connection finds out once, and that must be the same in whatever takes its place."""
_KINDS = {"INTEGER": "integer", "BIGINT": "integer", "TEXT": "text", "BLOB": "blob"}
_CHECK_SEARCH = "INSERT INTO message_search (message_search) VALUES ('integrity-check')"
_Schema = Counter[tuple[str, str, str, str | None]]
"""The rows of SQLite's own table of tables: type, name, table and text."""


class Make(NamedTuple):
    """How a database is made: what must be equal in two of them before one can take the place of the other."""

    header: bytes
    schema: _Schema


def make_of(connection: sqlite3.Connection) -> Make:
    """How an open database is made."""
    return Make(connection.serialize()[:_HEADER_BYTES], _schema_of(connection))


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
    _check_header(image, wanted.header)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.deserialize(alone(image))
        _check_schema(_schema_of(connection), wanted.schema)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no readable SQLite database: {str(error)[:200]}") from error


def check(connection: sqlite3.Connection) -> None:
    """Look through a database that was loaded. Raises ValueError for one that is damaged or contradicts itself."""
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(f"it is damaged: {' '.join(verdict.split())[:200]}")
        if (broken := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
            raise ValueError(f"its table '{broken[0]}' refers to a {broken[2]} that is not there")
        for table in _tables(connection):
            _check_kinds(connection, table)
        connection.execute(_CHECK_SEARCH)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged: {str(error)[:200]}") from error


def _schema_of(connection: sqlite3.Connection) -> _Schema:
    return Counter(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def _check_header(image: bytes, wanted: bytes) -> None:
    if not image.startswith(_MAGIC) or len(image) < _HEADER_BYTES:
        raise ValueError("it is no SQLite database")
    found, needed = (int.from_bytes(one[_VERSION], signed=True) for one in (image, wanted))
    if found != needed:
        raise ValueError(f"it has schema version {found}, this emulator needs {needed}")
    for name, place in _LAYOUT.items():
        if image[place] != wanted[place]:
            raise ValueError(f"its {name} is not that of this emulator's databases")


def _check_schema(found: _Schema, wanted: _Schema) -> None:
    if foreign := found - wanted:
        raise ValueError(f"its {_named(foreign)} is not as this emulator makes them")
    if missing := wanted - found:
        raise ValueError(f"the {_named(missing)} is missing")


def _named(rows: _Schema) -> str:
    """One of them for all, a table if there is any. Anything at all may stand in a row that was made up."""
    kind, name, *_ = min(rows, key=lambda row: (row[0] != "table", str(row)))
    return f"{str(kind)[:20]} '{str(name)[:100]}'"


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if not name.startswith(("sqlite_", "message_search")):
            yield name


def _check_kinds(connection: sqlite3.Connection, table: str) -> None:
    """Each of our columns has values of one kind, and texts in UTF-8; SQLite itself keeps anything anywhere."""
    columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    tests = [f"typeof(\"{name}\") NOT IN ('{_KINDS[kind]}', 'null')" for name, kind in columns]
    if connection.execute(f'SELECT 1 FROM "{table}" WHERE {" OR ".join(tests)} LIMIT 1').fetchone():
        raise ValueError(f"its table '{table}' has a value of the wrong kind")
    for _ in connection.execute(f'SELECT * FROM "{table}"'):
        # Read, and with that decoded.
        pass
