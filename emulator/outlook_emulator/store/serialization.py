"""Turns a database into bytes: an image, which is the content of an SQLite file, or packed, to take little memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import compress, decompress

from outlook_emulator.store import images, opening, pages

_LARGE_IMAGE = 8 * 1024 * 1024
"""From this many bytes on, an image is made by way of a file."""
_LARGEST_PACKED = 1024 * 1024
"""A database with more content is not packed. It could be packed in a thread, but not unpacked in one: that holds
other requests, 15 to 75 ms for 2 MiB (measured)."""
_FAST = 1
"""The level of compression. An empty database has mostly zeros, and so takes 5 KB at any level."""


def image_of(connection: sqlite3.Connection, state: Mapping[str, str | None], *, has_small_pages: bool) -> bytes:
    """The image of a database, with this state of the sandbox. Call it outside a transaction.

    A value that is None is left out of the image. Images always have pages of the usual size.
    """
    if pages.size_of(connection) >= _LARGE_IMAGE:
        with suppress(OSError, sqlite3.OperationalError):
            return _image_by_file(connection, state, has_small_pages)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not has_small_pages:
            # Rolled back below: the image has these values, the database itself never does.
            opening.write_state(connection, state)
            return images.alone(connection.serialize())
        # Some builds of SQLite protect the tables of the search index.
        with suppress(sqlite3.OperationalError), closing(pages.with_usual_pages(connection)) as copy:
            opening.write_state(copy, state)
            return images.alone(copy.serialize())
    finally:
        connection.execute("ROLLBACK")
    return _image_by_file(connection, state, has_small_pages)


def _image_by_file(connection: sqlite3.Connection, state: Mapping[str, str | None], has_small_pages: bool) -> bytes:
    """The image by way of a file, since to serialize a large database stops all threads of the process."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "image.sqlite"
        with closing(opening.connect(str(file))) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            connection.backup(copy)
            opening.write_state(copy, state)
            copy.execute("PRAGMA journal_mode = DELETE")
            if has_small_pages:
                pages.give_usual_pages(copy)
        return file.read_bytes()


def pack(connection: sqlite3.Connection) -> bytes | None:
    """The content of a database in memory, compressed; None if it is too large.

    Raises sqlite3.OperationalError while a statement has not ended.
    """
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    size = pages.size_of(connection)
    if size - free * page_bytes > _LARGEST_PACKED:
        return None
    if size > _LARGEST_PACKED:
        # It was large once; a reset leaves the pages, with what was in them.
        connection.execute("VACUUM")
    return compress(connection.serialize(), _FAST)


def unpack(packed: bytes) -> bytes:
    """The content that was packed, which `opening.open_memory` takes."""
    return decompress(packed)
