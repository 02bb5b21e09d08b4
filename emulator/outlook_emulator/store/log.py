"""The write-ahead log of a database in a file. A thread copies it into the file, since that waits for the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MANY_ROWS = 1500
"""After so many changed rows, the log is copied: after some 300 sends, and 4,000 pages of 4 KiB."""
_BYTES_A_ROW = 11_000
"""How many bytes the log grows by with each changed row, on average; a large value counts as so many more rows."""
_SOON = 50
"""While a copy is under way, after so many rows, a commit looks whether it has ended."""
_FEW_PAGES = 100
"""The thread leaves so many pages to the next commit, which copies them in a few milliseconds."""
_ROUNDS = 4
"""How often the thread copies what was written while it copied."""
_COPY = "PRAGMA wal_checkpoint(PASSIVE)"


class Log:
    """The log of one connection to a file. `check` raises an error if another file has taken its place."""

    def __init__(self, path: Path, connection: sqlite3.Connection, check: Callable[[], None]) -> None:
        self.check = check
        self._path = path
        self._connection = connection
        self._copy: Future[None] | None = None
        self._looks_from = connection.total_changes + MANY_ROWS

    def add(self, size: int) -> None:
        """Count bytes that a transaction writes, beside the number of rows."""
        self._looks_from -= size // _BYTES_A_ROW

    def look(self) -> None:
        """Begin a copy if much was written since the last one, or end the one that was begun. Call it after commits."""
        changes = self._connection.total_changes
        if changes < self._looks_from:
            return
        self._looks_from = changes + _SOON
        if self._copy is None:
            # A system that allows no more threads must not fail a request whose commit is done.
            try:
                self._copy = _worker().submit(self._copy_aside)
            except RuntimeError:
                self._looks_from = changes + MANY_ROWS
        elif self._copy.done():
            self._copy = None
            self._looks_from = changes + MANY_ROWS
            # What was written meanwhile: SQLite begins the log anew only when all of it is copied.
            with suppress(sqlite3.Error):
                self._connection.execute(_COPY).fetchone()

    @property
    def is_being_copied(self) -> bool:
        """Whether a thread copies the log at present. A copy that has not begun does not count: `wait` drops it."""
        return self._copy is not None and self._copy.running()

    def wait(self) -> None:
        """Wait for the end of a copy, and drop one that has not begun. Call it before the connection closes.

        Whoever closes a file last removes its log. A thread that did so later could remove that of a new file.
        """
        copy, self._copy = self._copy, None
        if copy is not None and not copy.cancel():
            copy.result()

    def _copy_aside(self) -> None:
        # As when SQLite copies after a commit: if it fails, the log has everything, and the next copy may succeed.
        with suppress(sqlite3.Error, OSError):
            self.check()
            # By a URI, which never creates a file.
            uri = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                before = 0
                for _ in range(_ROUNDS):
                    _, _, pages = connection.execute(_COPY).fetchone()
                    if pages - before <= _FEW_PAGES:
                        break
                    before = pages


@cache
def _worker() -> ThreadPoolExecutor:
    # Here, since a server that keeps nothing on disk has no need of it.
    from concurrent.futures import ThreadPoolExecutor

    # One: several would share the disk.
    return ThreadPoolExecutor(1, "outlook-emulator-log")
