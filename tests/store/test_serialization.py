"""Databases are packed while they are small. For images see `test_images`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from outlook_emulator.store import opening, serialization, sql


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(opening.open_memory(has_small_pages=True)) as connection:
        yield connection


def write(connection: sqlite3.Connection, key: str, size: int) -> None:
    connection.execute(sql.SET_STATE, {"key": key, "value": "x" * size})


def test_unpacked_content_is_the_same(connection: sqlite3.Connection) -> None:
    write(connection, "key", 1000)

    packed = serialization.pack(connection)

    assert packed is not None
    assert len(packed) < 10_000
    with closing(opening.open_memory(serialization.unpack(packed))) as again:
        assert ("x" * 1000,) == again.execute(sql.STATE, {"key": "key"}).fetchone()


def test_a_large_database_is_packed_once_it_is_small_again(connection: sqlite3.Connection) -> None:
    write(connection, "large", 2 * 1024 * 1024)
    assert serialization.pack(connection) is None

    connection.execute(sql.DELETE_STATE, {"named": "large"})
    packed = serialization.pack(connection)

    assert packed is not None
    assert len(serialization.unpack(packed)) < 200_000


def test_a_statement_that_has_not_ended(connection: sqlite3.Connection) -> None:
    """Free pages cannot be removed while rows are still being read."""
    write(connection, "large", 2 * 1024 * 1024)
    connection.execute(sql.DELETE_STATE, {"named": "large"})
    rows = connection.execute("SELECT name FROM sqlite_schema")
    rows.fetchone()

    with pytest.raises(sqlite3.OperationalError):
        serialization.pack(connection)
