"""Opens the files of sandboxes when they are needed, and sets aside those that cannot be used, such as copies."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from outlook_emulator.errors import ConnectorError, NotFound, SandboxUnusable
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.sandbox import state
from outlook_emulator.sandbox.closed import ClosedSandboxes, Problem
from outlook_emulator.sandbox.imports import check_state
from outlook_emulator.sandbox.opened import OpenedSandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.store.awake import AwakeDatabases
from outlook_emulator.store.database import Database
from outlook_emulator.store.failures import STORAGE_ERRORS, is_passing
from outlook_emulator.store.folder import DataFolder, Summary
from outlook_emulator.store.opening import IncompatibleFile, create_file

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The names that a sandbox may have."""
_MOST_PROBLEMS = 10
"""How many sandboxes that cannot be used the log names at the start."""
_SAVE_EVERY = 500
"""After so many databases were closed, the index is written, which takes some milliseconds."""
_UNREADABLE: tuple[type[Exception], ...] = (ValueError, *STORAGE_ERRORS)
"""What comes of state that cannot be read."""
_log = logging.getLogger("outlook_emulator")


class SandboxFiles:
    """The files of sandboxes in a data folder: those `closed`, which include unusable ones, and those `opened`.

    `make` makes the sandbox with a name in a database.
    """

    def __init__(
        self,
        folder: DataFolder,
        closed: ClosedSandboxes,
        opened: OpenedSandboxes,
        awake: AwakeDatabases,
        make: Callable[[str, Database], Sandbox],
    ) -> None:
        self._folder = folder
        self._closed = closed
        self._opened = opened
        self._awake = awake
        self._make = make
        self._renamed: dict[str, str | None] = {}
        """For each file that was used under another name before, that name; None if it holds no name."""
        self._unsaved = 0

    def read_folder(self) -> list[str]:
        """Learn which sandboxes there are, and open those that the index does not know or that have callbacks.

        Returns the names of all.
        """
        known, unknown = [], []
        for name, summary in self._folder.summaries():
            if not NAME.fullmatch(name):
                continue
            if summary is None:
                unknown.append(name)
            else:
                known.append(name)
                self._closed.add(name, summary.connection_ids)
        for name in unknown:
            self._closed.add(name)
            self._try(name)
        for name in self._closed:
            if self._closed.problem_of(name) is None and self._folder.last_summary(name).has_work:
                self._try(name)
        problems = [f"The sandbox '{name}' cannot be used: {problem.text}" for name, problem in self._closed.problems()]
        for problem in problems[:_MOST_PROBLEMS]:
            _log.error("%s", problem)
        if len(problems) > _MOST_PROBLEMS:
            _log.error(
                "%d more sandboxes cannot be used; the list of sandboxes says why", len(problems) - _MOST_PROBLEMS
            )
        return [name for name in (*known, *unknown) if name in self._closed or name in self._opened.by_name]

    def _try(self, name: str) -> None:
        with suppress(ConnectorError, *STORAGE_ERRORS):
            self.open(name)

    def open(self, name: str) -> Sandbox:
        """Open a closed sandbox. Raises SandboxUnusable, NotFound, or the error of a failed access to its file."""
        problem = self._closed.problem_of(name)
        if problem is not None and not problem.is_passing:
            raise SandboxUnusable(name, problem.text)
        if name not in self._closed:
            raise NotFound(f"No sandbox '{name[:100]}' exists.")
        try:
            self._check_not_emptied(name)
            db = Database(self._folder.path(name), awake=self._awake)
            try:
                return self._of_file(name, db)
            except BaseException:
                db.close()
                raise
        except IncompatibleFile as error:
            self._set_aside(name, str(error))
            raise SandboxUnusable(name, str(error)) from error
        except STORAGE_ERRORS as error:
            self._set_aside(name, str(error), is_passing=True)
            raise

    def is_there(self, name: str) -> bool:
        """Whether there is a file with the name of a sandbox."""
        return self._folder.path(name).exists()

    def create(self, name: str, *, unfinished: bool) -> Sandbox:
        """Create the file of an empty sandbox. Raises IncompatibleFile if it cannot be used."""
        path = self._folder.path(name)
        create_file(path, state.of_new(name, unfinished=unfinished))
        try:
            sandbox = self._make(name, Database(path, awake=self._awake))
        except BaseException:
            self._folder.delete(name)
            raise
        # If the server was killed while it deleted an earlier sandbox with this name, its snapshots may still be there.
        sandbox.drop_snapshots()
        if unfinished:
            # What would be lost does not exist yet, and a disk may take longer than all the rest.
            sandbox.db.wait_for_disk(False)
        return self._add(sandbox)

    def delete(self, name: str) -> None:
        """Delete the file of a sandbox, and its snapshots."""
        self._folder.delete(name)

    def forget_summary(self, name: str) -> None:
        """Before the connections of a sandbox change, so that the index never names others than its file has."""
        self._folder.forget(name)

    def close(self) -> None:
        """Write the index, and let go of the folder. The databases are closed by then."""
        self._folder.save()
        self._folder.close()

    def _check_not_emptied(self, name: str) -> None:
        """Raise IncompatibleFile for an empty file of a sandbox that had connections, as a power failure leaves it."""
        path = self._folder.path(name)
        if self._folder.last_summary(name).connection_ids and path.is_file() and path.stat().st_size == 0:
            raise IncompatibleFile(f"{path} is empty, and so its content is lost")

    def _of_file(self, name: str, db: Database) -> Sandbox:
        """The sandbox in an opened file. Raises IncompatibleFile if it cannot be used, NotFound if it is unfinished."""
        assert db.path is not None
        if not state.is_finished(db):
            self._closed.remove(name)
            db.close()
            self._folder.delete(name)
            raise NotFound(f"The sandbox '{name}' was never finished.")
        try:
            sandbox = self._make(name, db)
            connections = sandbox.connections()
            check_state(db, now=sandbox.clock.now() - sandbox.clock.shift)
            recorded = state.read_name(db)
        except _UNREADABLE as error:
            if is_passing(error):
                raise
            raise IncompatibleFile(f"{db.path} cannot be read: {error}") from error
        self._check_copies(name, recorded, connections)
        if recorded != name:
            self._renamed[name] = recorded
            # On a full disk, the next start does it.
            with suppress(*STORAGE_ERRORS):
                state.write_name(db, name)
        self._closed.remove(name)
        return self._add(sandbox)

    def _check_copies(self, name: str, recorded: str | None, ids: Collection[str]) -> None:
        """Set a copy aside: the other sandbox with the same connections, or by IncompatibleFile the one at hand.

        The file of a sandbox holds the name under which it was created or opened last.
        """
        holders = {holder: id for id in ids if (holder := self._holder(id)) not in (None, name)}
        for other, id in holders.items():
            assert other is not None
            if recorded != name or self._renamed.get(other) != name:
                # They were read, and so are known.
                self._closed.add(name, ids)
                raise IncompatibleFile(_copy_text(name, other, id))
            # The copy was opened first.
            self._set_aside(other, _copy_text(other, name, id))

    def _holder(self, id: str) -> str | None:
        return self._opened.holder(id) or self._closed.holder(id)

    def _set_aside(self, name: str, problem: str, *, is_passing: bool = False) -> None:
        """Go on without a sandbox."""
        before = self._closed.problem_of(name)
        is_read = bool(self._closed.ids_of(name)) if before is None else not before.hides_connections
        ids = self._opened.ids_of(name) or self._closed.ids_of(name) or self._folder.last_summary(name).connection_ids
        sandbox = self._opened.remove(name)
        is_known = sandbox is not None or is_read or self._folder.knows(name)
        if sandbox is not None:
            sandbox.close()
        others = self._opened.by_connection
        self._closed.add(name, [id for id in ids if id not in others], Problem(problem, is_passing, not is_known))

    def _add(self, sandbox: Sandbox) -> Sandbox:
        self._opened.add(sandbox)
        sandbox.db.before_rest = partial(self._summarize, sandbox)
        return sandbox

    def _summarize(self, sandbox: Sandbox) -> Callable[[], None]:
        """Read what the index says of a sandbox, before its file is closed; the result notes it afterwards."""
        if not state.is_finished(sandbox.db):
            return lambda: None
        summary = Summary(self._opened.ids_of(sandbox.name), callbacks.has_work(sandbox.db))

        def note() -> None:
            if self._opened.by_name.get(sandbox.name) is not sandbox:
                return
            self._folder.note(sandbox.name, summary)
            self._unsaved += 1
            # Now and then, for a start after a kill.
            if self._unsaved >= _SAVE_EVERY:
                self._unsaved = 0
                self._folder.save()

        return note


def _copy_text(name: str, other: str, id: str) -> str:
    return (
        f"{name}.sqlite is a copy of the sandbox '{other}': both have the connection '{id}'. Move it away, or import it"
        " into another sandbox with a prefix for its connections"
    )
