"""One SQLite database a sandbox, in memory or in a file, used from one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any
from weakref import finalize

from outlook_emulator.recent import Recent
from outlook_emulator.store import images, opening, pages, serialization, sql
from outlook_emulator.store.awake import AwakeDatabases
from outlook_emulator.store.data_file import DataFile
from outlook_emulator.store.fresh_rows import FreshRows
from outlook_emulator.store.kept_messages import KeptMessages
from outlook_emulator.store.log import Log
from outlook_emulator.store.records import Owner
from outlook_emulator.store.spare import SpareDatabases
from outlook_emulator.store.transaction import Transaction
from outlook_emulator.store.turn import Turn

_ROWS_AT_ONCE = 8
"""How many rows one insert adds: the driver keeps a prepared statement for each number of rows."""
LARGE_VALUE = 64 * 1024
"""From this many bytes on, a value counts as large."""
_GROWN = 256 * 1024
"""A database with small pages gets usual ones when it has more bytes: from about there on, they take less memory."""
_LOOK_ROWS = 200
"""After so many rows, a database with small pages looks whether it has grown."""
_LARGEST_COPIED = 8 * 1024 * 1024
"""A database with small pages and more bytes keeps them: to copy it takes 30 ms, in which no request is served."""
_LARGEST_COPIED_ASIDE = 64 * 1024 * 1024
"""In a thread, others are served meanwhile."""
_MANY_ITEMS = 500
"""So many items take more than a database with small pages should hold."""
PIECE = 1024 * 1024
"""From this many bytes on, a value is read and written in pieces."""
_MOST_OWNERS = 256
_CLOSED_AT_ONCE = 16
_LARGE = "large"
"""The key of the sandbox state that says that the database has held a large value."""


class Database:
    """A sandbox's state. Lives as long as its sandbox; `close` it.

    Starts empty, from its file, or in memory from an `image`. Raises IncompatibleFile for an unusable file, ValueError
    for an unusable image; both say why. A file or an image of an earlier version is migrated, the old file kept.

    A database may `rest` until the next statement: its file is closed, or its content in memory is packed. `awake`
    decides when; without it, the database never rests. One in memory comes from the `spares` if there are any, and goes
    back there.

    One in memory begins with small pages, and gets usual ones when it grows, or takes over another one.

    Reads outside a transaction see the latest commit: there is one connection and no await between statements.
    """

    execute: Callable[..., sqlite3.Cursor]
    """Run a statement with its parameters."""
    _connection: sqlite3.Connection

    def __init__(
        self,
        path: Path | None = None,
        *,
        image: bytes | None = None,
        awake: AwakeDatabases | None = None,
        spares: SpareDatabases | None = None,
    ) -> None:
        self.path = path
        self._spares = spares
        self.is_resting = False
        self._awake = awake
        self._packed: bytes | None = None
        self._earlier_writes = 0
        self.turn = Turn()
        self.used = False
        """Whether a request has come lately; a database that was not used rests first."""
        self.before_rest: Callable[[], Callable[[], None]] | None = None
        """Called before a file is closed; the result is called afterwards."""
        self._file = None if path is None else DataFile(path)
        self._borrowed: RLock | None = None
        # After how many changed rows the database looks whether it has grown; None for one with usual pages.
        self._looks_from = _LOOK_ROWS if image is None and path is None else None
        if image is not None:
            self._bind(opening.load(image))
        elif path is not None:
            self._bind(opening.open_or_create(path))
        else:
            self._bind(opening.open_memory(has_small_pages=True) if spares is None else spares.take())
        self.last_change: int | None = None
        """The instant of the newest entry of the change feed; None until it is first read."""
        self.epoch: int | None = None
        """The current epoch; None until it is first read."""
        self.callback_work: bool | None = None
        """Whether there is somebody to call; None until somebody looks, and after a write that may change it."""
        self.feed_start: int | None = None
        """The instant before which the change feed has no entries; None until it is first read."""
        self.appended = self.appended_bytes = 0
        """Entries of the change feed, and bytes of earlier states in them, since the feed was last trimmed."""
        self.generation = 0
        """Incremented when the content is dropped or replaced; results from an earlier generation are invalid."""
        self.kept_messages = KeptMessages()
        self.kept_owners: Recent[str, Owner] = Recent(_MOST_OWNERS)
        """Owners by address, since every mail looks for those of its recipients."""
        self.fresh: FreshRows | None = None
        """What was just written; None while nobody follows it."""
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
        if (log := self._transaction.log) is not None:
            log.add(size)
        if size >= LARGE_VALUE:
            self.execute(sql.SET_STATE, {"key": _LARGE, "value": "yes"})
            self._has_large = True
            self._look_soon()

    @property
    def writes(self) -> int:
        """A number that changes with every write; an equal value means that nothing was written."""
        # SQLite counts no rows where all of them are replaced.
        return self._earlier_writes + self.generation + (0 if self.is_resting else self._connection.total_changes)

    def one(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """The first row as a tuple, or None."""
        return self.execute(statement, parameters).fetchone()

    def all(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        return self.execute(statement, parameters).fetchall()

    def insert(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any]) -> int:
        """Run an insert, with values by name or in the order of the columns; returns the id of the new row."""
        return self.execute(statement, parameters).lastrowid or 0

    def insert_rows(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> range:
        """Run an insert for several rows, with values in the order of the columns; returns the ids, in their order."""
        last = 0
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            last = self.insert(_for_rows(statement, len(part)), [*chain.from_iterable(part)])
        # SQLite takes the next higher id for each row.
        return range(last - len(rows) + 1, last + 1)

    def read_bytes(self, table: str, column: str, key: int) -> bytes:
        """The bytes in a column, in pieces: reading many in one step stops all threads of the process."""
        self.wake()
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
        if self.is_resting:
            self.wake()
        if (start := self._looks_from) is not None and self._connection.total_changes >= start:
            self._look_at_size()
        return self._transaction

    def expect(self, items: int) -> None:
        """Prepare for a transaction that adds so many items. Call it outside a transaction."""
        if items >= _MANY_ITEMS:
            self.wake()
            if self.size <= _LARGEST_COPIED:
                self._give_usual_pages()

    @property
    def _has_small_pages(self) -> bool:
        # No attribute: with more than 30, each database takes a kilobyte more.
        return self._looks_from is not None

    def _look_soon(self) -> None:
        if self._has_small_pages:
            self._looks_from = 0

    def _look_at_size(self, most: int = _LARGEST_COPIED) -> None:
        self._looks_from = self._connection.total_changes + _LOOK_ROWS
        if _GROWN < self.size <= most:
            self._give_usual_pages()

    def _give_usual_pages(self) -> None:
        if not self._has_small_pages or self._connection.in_transaction:
            return
        # Where it is not possible, the small pages do as well.
        with suppress(sqlite3.Error):
            self._replace(pages.with_usual_pages(self._connection))

    def _replace(self, connection: sqlite3.Connection) -> None:
        """Go on with another connection in memory, which has usual pages."""
        earlier = self._connection
        # One right after the other, since other threads may look at `writes` meanwhile.
        self._earlier_writes += earlier.total_changes
        self._connection = connection
        self._looks_from = None
        # Detached, since it would be kept until the program ends.
        self._finalizer.detach()
        self._go_on_with(connection)
        # Last, for the same reason.
        earlier.close()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """A block during which the database belongs to the calling thread.

        A statement of another thread waits for the end of the block, since it would join the block's transaction.
        """
        self.wake()
        lock = RLock()

        def execute_in_turn(statement: str, parameters: Mapping[str, Any] | Sequence[Any] = {}) -> sqlite3.Cursor:
            with lock:
                # The block may replace the connection, or give it away.
                return (self._execute_awake if self.is_resting else self._connection.execute)(statement, parameters)

        with lock:
            self._borrowed, self.execute = lock, execute_in_turn
            try:
                yield
                if self._has_small_pages and not self.closed:
                    self._look_at_size(_LARGEST_COPIED_ASIDE)
            finally:
                self._borrowed = None
                # A database that was closed in the block may have given its connection away.
                if not self.closed:
                    self.execute = self._connection.execute

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
        self.kept_owners.clear()
        if self.fresh is not None:
            self.fresh.lose()

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

    def image(self, state: Mapping[str, str | None] = {}) -> bytes:
        """The database as the bytes of an SQLite file, with this state. Call it outside a transaction.

        A value that is None is left out of the image.
        """
        self._wait()
        self.wake()
        return serialization.image_of(self._connection, state, has_small_pages=self._has_small_pages)

    @property
    def size(self) -> int:
        """The number of bytes of the database."""
        self._wait()
        self.wake()
        return pages.size_of(self._connection)

    def check(self) -> None:
        """Check the integrity. Raises ValueError that names the damage."""
        # Checks a copy that replaces the content of a database in use, as an import does: SQLite caches some findings
        # per connection, and so finds some damage only there.
        self.wake()
        with closing(opening.open_memory(has_small_pages=self._has_small_pages)) as trial:
            trial.execute(sql.STATE, {"key": ""}).fetchone()
            self._connection.backup(trial)
            images.check(trial)

    def check_rows(self) -> None:
        """Check the values in all rows. Raises ValueError that names the table and the row."""
        self.wake()
        images.check_rows(self._connection)

    def take_over(self, other: Database) -> None:
        """Replace the content with that of `other`; unchanged on error. Call it outside a transaction."""
        other.wake()
        self.wake()
        if self._file is not None:
            self._file.check()
        self._take_pages(other)
        self.generation += 1
        self.last_change = self.feed_start = None
        self._forget()
        self.is_taken_over = True
        self._has_large = None
        # Last, since the content is new even if its size cannot be read.
        if (log := self._transaction.log) is not None:
            log.add(self.size)

    def _take_pages(self, other: Database) -> None:
        if self._has_small_pages == other._has_small_pages:
            other._connection.backup(self._connection)
        elif self._has_small_pages:
            if self._connection.in_transaction:
                raise sqlite3.OperationalError("destination database is in use")
            self._replace(pages.copy_of(other._connection))
        else:
            with closing(pages.with_usual_pages(other._connection)) as source:
                source.backup(self._connection)

    def close(self) -> None:
        self._wait()
        is_open = not (self.closed or self.is_resting)
        # First, since another thread may be about to use the database.
        self.closed = True
        if is_open:
            if self._spares is None:
                self._close_file()
            else:
                self._give_to(self._spares)
        self._packed = None

    def use(self) -> None:
        """Note that a request has come. If the file turns out to be lost, the request's statements raise FileLost."""
        self.used = True
        if self._file is None or not self._file.look_is_due():
            return
        # Where the folder cannot be read, the statements say so.
        with suppress(OSError):
            if self._file.is_lost:
                # To open it again raises the error, unless the file has come back.
                self.rest(waits=True)

    def rest(self, *, waits: bool = False) -> bool:
        """Close the file, or pack the content in memory, until the next statement; returns whether that was possible.

        A database in memory is not packed while it is large. A file is not closed while its log is being copied, unless
        the caller `waits` for the end of that.
        """
        if self.closed or self.is_resting or self._borrowed is not None or self.turn.is_taken:
            return False
        if self._connection.in_transaction:
            return False
        if not waits and (log := self._transaction.log) is not None and log.is_being_copied:
            return False
        if self.path is None:
            try:
                self._packed = serialization.pack(self._connection)
            except sqlite3.OperationalError:
                return False
            if self._packed is None:
                if self._awake is not None:
                    self._awake.note_large(self)
                return False
        self._earlier_writes += self._connection.total_changes
        # Detached: a database that often rests would gather them.
        self._finalizer.detach()
        self._close_file()
        # There may be thousands of databases that rest.
        self.kept_messages.clear()
        self.kept_owners.clear()
        self.is_resting = True
        self.execute = self._execute_awake
        return True

    def _close_file(self) -> None:
        note = self._read_before_close()
        self._close_connection()
        self._note_closed(note)

    def _close_connection(self) -> None:
        if self._transaction.log is not None:
            self._transaction.log.wait()
        self._connection.close()

    def _give_to(self, spares: SpareDatabases) -> None:
        self._finalizer.detach()
        # As if it rested: a late statement must not reach the sandbox that gets the connection.
        self.is_resting = True
        self.execute = self._execute_awake
        connection = self._connection
        del self._connection, self._transaction
        self._note_closed(None)
        spares.keep(connection)

    def _read_before_close(self) -> Callable[[], None] | None:
        if self.before_rest is not None:
            # On a damaged file, nothing can be read.
            with suppress(sqlite3.Error, OSError):
                # Of a file that took the place of this one, nothing is known.
                return None if self._file is not None and self._file.is_lost else self.before_rest()
        return None

    def _note_closed(self, note: Callable[[], None] | None) -> None:
        if self._awake is not None:
            self._awake.remove(self)
        if note is not None:
            note()

    def wait_for_disk(self, waits: bool) -> None:
        """Whether writes wait for the disk where SQLite needs that to survive a power failure, as they do at first."""
        if self.path is None:
            return
        self.execute(f"PRAGMA synchronous = {'NORMAL' if waits else 'OFF'}")

    def wake(self) -> None:
        """Open or unpack the database if it rests. Call it on the event loop before a thread gets the database."""
        if not self.is_resting:
            return
        if self.closed:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        if self._file is not None:
            self._file.check()
            self._bind(opening.open_file(self._file.path))
            return
        assert self._packed is not None
        content = serialization.unpack(self._packed)
        self._bind(opening.open_memory(content))
        self._packed = None
        if len(content) > _GROWN:
            self._look_soon()

    def _execute_awake(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any] = {}) -> sqlite3.Cursor:
        self.wake()
        return self.execute(statement, parameters)

    def _bind(self, connection: sqlite3.Connection) -> None:
        self._go_on_with(connection)
        if self._file is not None:
            self._file.note_opened()
        if self._awake is not None:
            self._awake.add(self)

    def _go_on_with(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_resting = False
        if self._has_small_pages:
            # A connection that was used before has changed rows already.
            self._looks_from = connection.total_changes + _LOOK_ROWS
        # Tests drop apps without stopping them; their connections must close too.
        self._finalizer = finalize(self, connection.close)
        if self._borrowed is None:
            # Bound once: every statement of every request goes through it.
            self.execute = connection.execute
        log = None if self._file is None else Log(self._file.path, connection, self._file.check)
        self._transaction = Transaction(connection, self._undo, log)


def close_all(databases: Iterable[Database]) -> None:
    """Close databases, several at once: each waits for the disk."""
    # Here, since a server that keeps nothing on disk has no need of it.
    from concurrent.futures import ThreadPoolExecutor

    notes: dict[Database, Callable[[], None] | None] = {}
    for database in databases:
        database._wait()
        if not (database.closed or database.is_resting):
            notes[database] = database._read_before_close()
        database.closed = True
    with ThreadPoolExecutor(_CLOSED_AT_ONCE) as threads:
        for _ in threads.map(Database._close_connection, notes):
            pass
    for database, note in notes.items():
        database._note_closed(note)


@cache
def _for_rows(statement: str, count: int) -> str:
    """An insert of one row, for several rows."""
    head, values, row = statement.partition(" VALUES ")
    return head + values + ", ".join([row] * count)
