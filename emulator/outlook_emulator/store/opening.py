"""Opens the SQLite connections of databases: in memory, from an image, and from a file, which may need a migration."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from outlook_emulator.store import images, migrations, sql
from outlook_emulator.store.failures import is_passing
from outlook_emulator.store.files import OWNER_ONLY, draft_of, write_whole

SCHEMA_VERSION = 7
"""Stored in each file; a file of an earlier version is migrated, one of a later version refused."""
CACHE_KIB = 16 * 1024
"""How much of a file a connection keeps in memory, in KiB."""
LOG_SUFFIXES = ("-wal", "-shm")
"""What SQLite adds to the name of a file for its log and the index of that."""
_MOST_LOGGED_PAGES = 16_000
"""After so many pages, a commit copies the log into the file itself, if no thread has done it: a log takes 64 MB at
most, but for a single larger write."""
_SMALL_PAGE_BYTES = 512
"""The size of small pages. Each table and index takes at least one page, and a page 312 bytes besides."""
_LOCKED_FOR = 0.25
"""How long a statement waits, in seconds, while another program has locked the file: all other requests wait too."""
_log = logging.getLogger("outlook_emulator")


class IncompatibleFile(Exception):
    """A data file that is no database of the emulator, or one that is damaged or of a later version."""


@lru_cache(maxsize=2)
def _template(has_small_pages: bool) -> sqlite3.Connection:
    """An empty database with the schema in place; copying its pages beats running the DDL again."""
    connection = connect(":memory:")
    if has_small_pages:
        connection.execute(f"PRAGMA page_size = {_SMALL_PAGE_BYTES}")
    for statement in sql.SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return connection


@lru_cache(maxsize=1)
def _make() -> images.Make:
    return images.make_of(_template(False))


def connect(where: str) -> sqlite3.Connection:
    """A connection to a file, or to an empty database in memory, as all statements need it."""
    # Not bound to its thread: a server may run in another thread than the one that made its sandboxes.
    # Without an isolation level the driver begins no transaction on its own; `Transaction` does.
    # The driver keeps 128 statements prepared by default, fewer than `sql.py` has.
    connection = sqlite3.connect(
        where, timeout=_LOCKED_FOR, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.create_function("lowered", 1, str.lower, deterministic=True)
    return connection


def write_state(connection: sqlite3.Connection, state: Mapping[str, str | None]) -> None:
    """Write values of the sandbox's state, and delete those that are None."""
    for key, value in state.items():
        if value is None:
            connection.execute(sql.DELETE_STATE, {"named": key})
        else:
            connection.execute(sql.SET_STATE, {"key": key, "value": value})


def _tune(connection: sqlite3.Connection, deletion: str = "OFF") -> None:
    # Some builds overwrite what is deleted with zeros, which nobody needs in a test double.
    # A script, since the driver keeps other statements prepared, and each takes more than a kilobyte.
    connection.executescript(f"PRAGMA secure_delete = {deletion}; PRAGMA cache_size = -{CACHE_KIB};")


def open_memory(content: bytes | None = None, *, has_small_pages: bool = False) -> sqlite3.Connection:
    """Open a database in memory: one with the serialized content of another, or an empty one.

    With small pages, a database that is empty or nearly so takes a quarter of the memory, and a large one more than
    others. Images and files have pages of the usual size.
    """
    connection = connect(":memory:")
    # Without remains of what was deleted, a database that is emptied is like a new one.
    _tune(connection, "FAST")
    if content is None:
        _template(has_small_pages).backup(connection)
        return connection
    with closing(sqlite3.connect(":memory:")) as source:
        source.deserialize(content)
        # Copied: a database that was deserialized keeps its content in one piece, and read pages twice.
        source.backup(connection)
    return connection


def open_or_create(path: Path) -> sqlite3.Connection:
    """Open a file, or make it if it is not there or empty. Raises IncompatibleFile if it cannot be used."""
    # A link that leads nowhere is not replaced: its target may be on a disk that is not there at the moment.
    if not os.path.lexists(path) or (path.is_file() and path.stat().st_size == 0):
        create_file(path)
    return open_file(path)


def create_file(path: Path, state: Mapping[str, str | None] = {}) -> None:
    """Make the file of an empty database with these values of the sandbox's state, whole or not at all."""
    with closing(connect(":memory:")) as connection:
        _template(False).backup(connection)
        write_state(connection, state)
        # With the mark of a log: to switch to one makes SQLite wait for the disk.
        content = images.with_log(connection.serialize())
    # SQLite would add the log of a deleted database to the new one.
    for suffix in LOG_SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    try:
        write_whole(path, content)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise IncompatibleFile(f"{path} cannot be opened: {error.strerror}") from error


def open_file(path: Path) -> sqlite3.Connection:
    """Open an existing file. Raises IncompatibleFile if it cannot be used."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        # To open a pipe would wait for its other end.
        raise IncompatibleFile(f"{path} cannot be opened: it is a pipe or a device")
    try:
        # SQLite says of every file that it cannot open only that; and it would take a folder for a damaged database.
        path.open("rb").close()
        connection = connect(str(path))
    except (IsADirectoryError, PermissionError) as error:
        raise IncompatibleFile(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _tune(connection)
        version = _check_version(connection, path)
        if version == SCHEMA_VERSION and migrations.schema_of(connection) == _schema():
            # WAL with synchronous=NORMAL: a killed process loses nothing that was committed.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_MOST_LOGGED_PAGES}")
            return connection
        migrations.check(connection)
        # With DELETE, the file holds everything, and no log stays beside it.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        _migrate_file(path, version)
    except ValueError as error:
        connection.close()
        raise IncompatibleFile(f"{path} cannot be used: {error}") from error
    except sqlite3.Error as error:
        connection.close()
        if is_passing(error):
            raise
        raise IncompatibleFile(f"{path} is no readable SQLite database: {error}") from error
    except BaseException:
        connection.close()
        raise
    return open_file(path)


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 < version <= SCHEMA_VERSION:
        raise IncompatibleFile(
            f"{path} has schema version {version}, this emulator needs {SCHEMA_VERSION}"
            + (": it was written by a later version of the emulator, or by another program" if version else "")
        )
    return version


@lru_cache(maxsize=1)
def _schema() -> frozenset[migrations.SchemaRow]:
    return migrations.schema_of(_template(False))


def _migrate_file(path: Path, version: int) -> None:
    """Replace a file of an earlier version by its migration, and keep the old one beside it."""
    image, draft = path.read_bytes(), draft_of(path)
    draft.unlink(missing_ok=True)
    kept = path.with_name(f"{path.name}.v{version}")
    try:
        # Created first, because SQLite would make it readable for others.
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
        with closing(connect(str(draft))) as connection:
            _template(False).backup(connection)
            repaired = _migrate(image, connection)
        write_whole(kept, image)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _log.warning(
        "%s was migrated from schema version %d to %d; %s is the old file%s",
        path,
        version,
        SCHEMA_VERSION,
        kept,
        _replaced(repaired),
    )


def _migrate(image: bytes, new: sqlite3.Connection) -> list[str]:
    """Fill a new database with the content of an image of an earlier version, and return what had to be replaced.

    Raises ValueError.
    """
    with closing(connect(":memory:")) as old:
        images.deserialize(old, image)
        repaired = migrations.migrate(old, new)
    images.check(new)
    return repaired


def _replaced(repaired: Sequence[str]) -> str:
    return f"; values that cannot be read were replaced: {', '.join(repaired)}" if repaired else ""


def load(image: bytes) -> sqlite3.Connection:
    """Open a copy of an image in memory. Raises ValueError that says why it cannot be used."""
    connection = connect(":memory:")
    try:
        if 0 < images.version_of(image) < SCHEMA_VERSION:
            _template(False).backup(connection)
            if repaired := _migrate(image, connection):
                _log.warning("An image of an earlier schema version was migrated%s", _replaced(repaired))
        else:
            images.load(connection, image, _make())
    except ValueError:
        connection.close()
        raise
    return connection
