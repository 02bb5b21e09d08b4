"""One SQLite database a sandbox, in memory or in a file, used from one thread."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from types import TracebackType
from typing import Any
from weakref import finalize

from outlook_emulator.store import images, sql
from outlook_emulator.store.kept_messages import KeptMessages
from outlook_emulator.store.turn import Turn

SCHEMA_VERSION = 5
"""Stored in each file; a file of another version is refused rather than misread."""


CACHE_KIB = 16 * 1024
"""How much of a file a connection keeps in memory, in KiB."""

_CHECKPOINT_PAGES = 4000
"""After so many pages, the log is copied into the file, and the disk is waited for: less than once in a hundred sends.
The log of a sandbox takes 16 MB at most, but for a single larger write."""

LARGE_VALUE = 64 * 1024
"""From this many bytes on, a value counts as large."""
_LARGE_IMAGE = 8 * 1024 * 1024
"""From this many bytes on, an image is made by way of a file."""
PIECE = 1024 * 1024
"""From this many bytes on, a value is read and written in pieces."""
_LARGE = "large"
"""The key of the sandbox state that says that the database has held a large value."""


class IncompatibleFile(Exception):
    """A data file that is no database of this version of the emulator."""


class FolderLock:
    """Holds a data folder for one process; the system lets go of it when the process ends, however it ends.

    Raises OSError when another process has it. On Windows, nobody is kept out.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / ".lock").open("w")
        # A start that fails half-way lets go of the folder as well.
        finalize(self, self._file.close)
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise OSError(f"another emulator keeps its data in {folder}") from error

    def close(self) -> None:
        self._file.close()


class Database:
    """A sandbox's state. Lives as long as its sandbox; `close` it.

    Starts empty, from its file, or in memory from an `image`. Raises IncompatibleFile for an unusable file, ValueError
    for an unusable image; both say why.

    Reads outside a transaction see the latest commit: there is one connection and no await between statements.
    """

    def __init__(self, path: Path | None = None, *, image: bytes | None = None) -> None:
        self._connection = _open(path) if image is None else _load(image)
        # Tests drop apps without stopping them; their connections must close too.
        finalize(self, self._connection.close)
        self.path = path
        # Bound once: every statement of every request goes through it.
        self.execute = self._connection.execute
        self._transaction = Transaction(self._connection, self._undo)
        self.turn = Turn()
        self._borrowed: RLock | None = None
        self.last_change: int | None = None
        """The instant of the newest entry of the change feed; None until it is first read."""
        self.epoch: int | None = None
        """The current epoch; None until it is first read."""
        self.callback_work: bool | None = None
        """Whether there may be somebody to call; None until somebody looks, and after a write that may change it."""
        self.feed_start: int | None = None
        """The instant before which the change feed has no entries; None until it is first read."""
        self.appended = self.appended_bytes = 0
        """Entries of the change feed, and bytes of earlier states in them, since the feed was last trimmed."""
        self.generation = 0
        """Incremented when the content is dropped or replaced; results from an earlier generation are invalid."""
        self.kept_messages = KeptMessages()
        self.is_taken_over = False
        """Whether the content came from another database, and not from writes since the last drop."""
        self.closed = False
        self._has_large: bool | None = None

    @property
    def has_large(self) -> bool:
        """Whether the database has ever held a large value, so that reading may take long."""
        if self._has_large is None:
            self._has_large = self.one(sql.STATE, {"key": _LARGE}) is not None
        return self._has_large

    def note_size(self, size: int) -> None:
        """Remember if a value that is written is large. Call it in the transaction that writes it."""
        if size >= LARGE_VALUE:
            self.execute(sql.SET_STATE, {"key": _LARGE, "value": "yes"})
            self._has_large = True

    @property
    def writes(self) -> int:
        """A number that changes with every write; an equal value means that nothing was written."""
        # SQLite counts no rows where all of them are replaced.
        return self._connection.total_changes + self.generation

    def one(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """The first row as a tuple, or None."""
        return self.execute(statement, parameters).fetchone()

    def all(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        return self.execute(statement, parameters).fetchall()

    def insert(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any]) -> int:
        """Run an insert, with values by name or in the order of the columns; returns the id of the new row."""
        return self.execute(statement, parameters).lastrowid or 0

    def read_bytes(self, table: str, column: str, key: int) -> bytes:
        """The bytes in a column, in pieces: reading many in one step stops all threads of the process."""
        with self._connection.blobopen(table, column, key, readonly=True) as blob:
            return b"".join(iter(lambda: blob.read(PIECE), b""))

    def write_bytes(self, table: str, column: str, key: int, content: bytes) -> None:
        """Write bytes into a column that has room for just as many, in pieces as well."""
        view = memoryview(content)
        with self._connection.blobopen(table, column, key) as blob:
            for start in range(0, len(content), PIECE):
                blob.write(view[start : start + PIECE])

    def transaction(self) -> Transaction:
        """A block whose statements take effect together, or not at all when it raises."""
        if self._borrowed is not None:
            self._wait()
        return self._transaction

    @contextmanager
    def lent(self) -> Iterator[None]:
        """A block during which the database belongs to the calling thread.

        A statement of another thread waits for the end of the block, since it would join the block's transaction.
        """
        lock, execute = RLock(), self.execute

        def execute_in_turn(statement: str, parameters: Mapping[str, Any] | Sequence[Any] = {}) -> sqlite3.Cursor:
            with lock:
                return execute(statement, parameters)

        with lock:
            self._borrowed, self.execute = lock, execute_in_turn  # type: ignore[assignment]
            try:
                yield
            finally:
                self._borrowed, self.execute = None, execute

    def _wait(self) -> None:
        if (lock := self._borrowed) is not None:
            with lock:
                pass

    def _undo(self) -> None:
        self._connection.rollback()
        # The keys of rows that are undone are used again.
        self._forget()

    def _forget(self) -> None:
        """Forget what is remembered of rows that are no longer there."""
        self.epoch = self.callback_work = None
        self.kept_messages.clear()

    def clear(self) -> None:
        """Delete everything and recreate the schema. Call it in a transaction."""
        self.generation += 1
        self.last_change = self.feed_start = None
        self._forget()
        self.is_taken_over = False
        self._has_large = None
        for (name,) in self.all("SELECT name FROM sqlite_schema WHERE type = 'table'", {}):
            # The search table takes its own helper tables along.
            if not name.startswith(("sqlite_", "message_search_")):
                self.execute(f"DROP TABLE {name}")
        for statement in sql.SCHEMA:
            self.execute(statement)

    def image(self, state: Mapping[str, str] = {}) -> bytes:
        """The database as the bytes of an SQLite file, with `state` added. Call it outside a transaction."""
        if self.size >= _LARGE_IMAGE:
            with suppress(OSError, sqlite3.OperationalError):
                return self._image_by_file(state)
        self.execute("BEGIN IMMEDIATE")
        try:
            # Rolled back below: the image has these values, the database itself never does.
            for key, value in state.items():
                self.execute(sql.SET_STATE, {"key": key, "value": value})
            return images.alone(self._connection.serialize())
        finally:
            self.execute("ROLLBACK")

    @property
    def size(self) -> int:
        """The number of bytes of the database."""
        (pages,), (size,) = self.one("PRAGMA page_count", {}), self.one("PRAGMA page_size", {})
        return int(pages * size)

    def _image_by_file(self, state: Mapping[str, str]) -> bytes:
        """The image by way of a file, since to serialize a large database stops all threads of the process."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "image.sqlite"
            with closing(_connect(str(file))) as copy:
                copy.execute("PRAGMA synchronous = OFF")
                self._connection.backup(copy)
                for key, value in state.items():
                    copy.execute(sql.SET_STATE, {"key": key, "value": value})
                copy.execute("PRAGMA journal_mode = DELETE")
            return file.read_bytes()

    def check(self) -> None:
        """Check the integrity. Raises ValueError that names the damage."""
        # Checks a copy that replaces the content of a database in use, as an import does: SQLite caches some findings
        # per connection, and so finds some damage only there.
        with closing(Database()) as trial:
            trial.one(sql.STATE, {"key": ""})
            trial.take_over(self)
            images.check(trial._connection)

    def take_over(self, other: Database) -> None:
        """Replace the content with that of `other`; unchanged on error. Call it outside a transaction."""
        other._connection.backup(self._connection)
        self.generation += 1
        self.last_change = self.feed_start = None
        self._forget()
        self.is_taken_over = True
        self._has_large = None

    def close(self) -> None:
        self._wait()
        self.closed = True
        self._connection.close()


class Transaction:
    """The write transaction of a database. An inner block joins the outer one."""

    def __init__(self, connection: sqlite3.Connection, undo: Callable[[], None]) -> None:
        self._execute = connection.execute
        self._undo = undo
        # A depth and no savepoints: an error that leaves an inner block leaves the outer one too, which undoes both.
        self._depth = 0

    def __enter__(self) -> None:
        if self._depth == 0:
            self._execute("BEGIN IMMEDIATE")
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        if kind is not None:
            self._undo()
            return
        try:
            self._execute("COMMIT")
        except sqlite3.Error:
            # A refused commit leaves the transaction open, which would refuse every later one.
            self._undo()
            raise


@lru_cache(maxsize=1)
def _template() -> sqlite3.Connection:
    """An empty database with the schema in place; copying its pages beats running the DDL again."""
    connection = _connect(":memory:")
    for statement in sql.SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return connection


@lru_cache(maxsize=1)
def _make() -> images.Make:
    return images.make_of(_template())


def _connect(where: str) -> sqlite3.Connection:
    # Not bound to its thread: a server may run in another thread than the one that made its sandboxes.
    # Without an isolation level the driver begins no transaction on its own; `Transaction` does.
    # The driver keeps 128 statements prepared by default, fewer than `sql.py` has.
    connection = sqlite3.connect(where, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.create_function("lowered", 1, str.lower, deterministic=True)
    return connection


def _tune(connection: sqlite3.Connection) -> None:
    # Some builds overwrite what is deleted with zeros, which nobody needs in a test double.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def _open(path: Path | None) -> sqlite3.Connection:
    if path is None:
        connection = _connect(":memory:")
        _tune(connection)
        _template().backup(connection)
        return connection
    try:
        connection = _connect(str(path))
    except sqlite3.OperationalError as error:
        raise IncompatibleFile(f"{path} cannot be opened: {error}") from error
    try:
        _tune(connection)
        _prepare_file(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise IncompatibleFile(f"{path} is no readable SQLite database: {error}") from error
    except IncompatibleFile:
        connection.close()
        raise
    return connection


def _load(image: bytes) -> sqlite3.Connection:
    connection = _connect(":memory:")
    try:
        images.load(connection, image, _make())
    except ValueError:
        connection.close()
        raise
    return connection


def _prepare_file(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    # A new file has version 0 and no tables. Tables at version 0 belong to another program.
    if version != SCHEMA_VERSION and (version or tables):
        raise IncompatibleFile(f"{path} has schema version {version}, this emulator needs {SCHEMA_VERSION}")
    # WAL with synchronous=NORMAL: a killed process loses nothing that was committed.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if version == SCHEMA_VERSION:
        return
    with Transaction(connection, connection.rollback):
        for statement in sql.SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
