"""Loads a database from the bytes of an SQLite file, and checks that the bytes are a database of this emulator."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from outlook_emulator.store import value_checks

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_LOG_MARKS = slice(18, 20)
"""The versions for writing and reading a file, in its header: 2 with a write-ahead log, otherwise 1."""
_NO_LOG, _LOG = b"\x01\x01", b"\x02\x02"
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
"""Other header fields that a connection reads only once, so a replacement must have the same values."""
_KINDS = {"INTEGER": "integer", "BIGINT": "integer", "TEXT": "text", "BLOB": "blob"}
_CHECK_SEARCH = "INSERT INTO message_search (message_search) VALUES ('integrity-check')"
_Schema = Counter[tuple[str, str, str, str | None]]
"""The rows of `sqlite_schema`: type, name, table and SQL text."""


class Make(NamedTuple):
    """The header and schema of a database; one database can only replace another if both are equal."""

    header: bytes
    schema: _Schema


def make_of(connection: sqlite3.Connection) -> Make:
    """The header and schema of an open database."""
    return Make(connection.serialize()[:_HEADER_BYTES], _schema_of(connection))


def alone(image: bytes) -> bytes:
    """The image without the mark of a write-ahead log, because SQLite would look for the log in a file beside it."""
    return image if image[_LOG_MARKS] == _NO_LOG else _marked(image, _NO_LOG)


def with_log(image: bytes) -> bytes:
    """The image with the mark of a write-ahead log, for a file that is to have one."""
    return _marked(image, _LOG)


def _marked(image: bytes, mark: bytes) -> bytes:
    marked = bytearray(image)
    marked[_LOG_MARKS] = mark
    return bytes(marked)


def load(connection: sqlite3.Connection, image: bytes, wanted: Make) -> None:
    """Load an image into an empty in-memory database. Raises ValueError if it is not a database of this emulator.

    The schema is compared before any table is read, so code in a foreign schema, such as a view, never runs.
    """
    _check_header(image, wanted.header)
    try:
        deserialize(connection, image)
        _check_schema(_schema_of(connection), wanted.schema)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not a readable SQLite database: {str(error)[:200]}") from error


def deserialize(connection: sqlite3.Connection, image: bytes) -> None:
    """Load an image that may come from anybody: nothing in its schema may call functions, and damage is noticed."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.deserialize(alone(image))


def version_of(image: bytes) -> int:
    """The schema version in the header of an image. Raises ValueError if it is no database."""
    if not image.startswith(_MAGIC) or len(image) < _HEADER_BYTES:
        raise ValueError("it is not an SQLite database")
    return int.from_bytes(image[_VERSION], signed=True)


def check(connection: sqlite3.Connection) -> None:
    """Check the content of a loaded database. Raises ValueError if it is damaged or inconsistent."""
    try:
        # The first damage is enough for the error text.
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(f"it is damaged: {' '.join(verdict.split())[:200]}")
        check_rows(connection)
        connection.execute(_CHECK_SEARCH)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged: {str(error)[:200]}") from error


def check_rows(connection: sqlite3.Connection) -> None:
    """Check the rows of a database. Raises ValueError that names the table and, where there is one, the row."""
    if (broken := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
        raise ValueError(f"its table '{broken[0]}' refers to a missing {broken[2]} in row {broken[1]}")
    tables = [*_tables(connection)]
    for table in tables:
        _check_kinds(connection, table)
    value_checks.check(connection, tables)


def _schema_of(connection: sqlite3.Connection) -> _Schema:
    return Counter(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def _check_header(image: bytes, wanted: bytes) -> None:
    version, needed = version_of(image), version_of(wanted)
    if version != needed:
        raise ValueError(f"it has schema version {version}, this emulator needs {needed}")
    for name, place in _LAYOUT.items():
        if image[place] != wanted[place]:
            raise ValueError(f"its {name} differs from that of this emulator's databases")


def _check_schema(schema: _Schema, wanted: _Schema) -> None:
    if foreign := schema - wanted:
        raise ValueError(f"its {_first(foreign)} does not belong to this emulator's schema")
    if missing := wanted - schema:
        raise ValueError(f"the {_first(missing)} is missing")


def _first(rows: _Schema) -> str:
    """The first of the rows for an error text, preferably a table. Rows of a foreign file can contain any value."""
    kind, name, *_ = min(rows, key=lambda row: (row[0] != "table", str(row)))
    return f"{str(kind)[:20]} '{str(name)[:100]}'"


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        # The helper tables of the search index hold values of any type. FTS5's own check covers them.
        if not name.startswith(("sqlite_", "message_search")):
            yield name


def _check_kinds(connection: sqlite3.Connection, table: str) -> None:
    """Check that each value has the type of its column and texts are UTF-8; SQLite itself enforces neither."""
    columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    tests = [f"typeof(\"{name}\") NOT IN ('{_KINDS[kind]}', 'null')" for name, kind in columns]
    if row := connection.execute(f'SELECT rowid FROM "{table}" WHERE {" OR ".join(tests)} LIMIT 1').fetchone():
        raise ValueError(f"its table '{table}' has a value of the wrong kind in row {row[0]}")
    last = None
    try:
        # Reading a row decodes its texts.
        for values in connection.execute(f'SELECT rowid, * FROM "{table}" ORDER BY rowid'):
            last = values[0]
    except sqlite3.OperationalError as error:
        # The driver's own errors have no code.
        if hasattr(error, "sqlite_errorcode"):
            raise
        where = "" if last is None else f" WHERE rowid > {last}"
        (broken,) = connection.execute(f'SELECT min(rowid) FROM "{table}"{where}').fetchone()
        raise ValueError(f"its table '{table}' has a text that is no UTF-8 in row {broken}") from error
