"""The write transaction of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import TracebackType

from outlook_emulator.store.log import Log


class Transaction:
    """The write transaction of a database. An inner block joins the outer one."""

    def __init__(self, connection: sqlite3.Connection, undo: Callable[[], None], log: Log | None = None) -> None:
        self.log = log
        self._execute = connection.execute
        self._undo = undo
        # A depth and no savepoints: an error that leaves an inner block leaves the outer one too, which undoes both.
        self._depth = 0

    def __enter__(self) -> None:
        if self._depth == 0:
            if self.log is not None:
                self.log.check()
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
        if self.log is not None:
            self.log.look()
