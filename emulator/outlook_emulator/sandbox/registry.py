"""The registry of sandboxes, by name and by connection id."""

from __future__ import annotations

import logging
import re
from bisect import insort
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from outlook_emulator.clock import Clock, SystemClock
from outlook_emulator.errors import (
    Conflict,
    ConnectionUncertain,
    ConnectorError,
    InvalidRequest,
    NotFound,
    SandboxUnusable,
)
from outlook_emulator.mailbox import epochs
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.sandbox import state
from outlook_emulator.sandbox.closed import ClosedSandboxes, Problem
from outlook_emulator.sandbox.connection_ids import DEFAULT, IdRule, sandbox_of
from outlook_emulator.sandbox.failures import Failures
from outlook_emulator.sandbox.sandbox import CheckMore, Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.slices import Sliced
from outlook_emulator.store import awake
from outlook_emulator.store.database import Database, close_all
from outlook_emulator.store.failures import STORAGE_ERRORS, is_passing
from outlook_emulator.store.folder import DataFolder, Summary
from outlook_emulator.store.opening import IncompatibleFile, create_file
from outlook_emulator.store.records import Owner

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_PROBLEMS = 10
"""How many sandboxes that cannot be used the log names at the start."""
_SAVE_EVERY = 500
"""After so many databases were closed, the index is written, which takes some milliseconds."""
_UNREADABLE: tuple[type[Exception], ...] = (ValueError, *STORAGE_ERRORS)
"""What comes of state that cannot be read."""
_log = logging.getLogger("outlook_emulator")


class Target(NamedTuple):
    """The sandbox that a request goes to, and its mailbox unless the connection id is unknown."""

    sandbox: Sandbox
    owner: Owner | None
    generation: int

    @property
    def is_current(self) -> bool:
        """Whether the sandbox still has this content: it was neither reset nor replaced nor deleted since."""
        return not self.sandbox.db.closed and self.sandbox.db.generation == self.generation


class Sandboxes:
    """All sandboxes of a server, by name and by connection id.

    A sandbox whose file was not opened yet is known by its name and connection ids, and opened when a request needs it.
    One whose file cannot be used is known by its problem; the others are not affected.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.failures = Failures(settings.data)
        self.id_rule = IdRule(settings)
        self._by_name: dict[str, Sandbox] = {}
        self._by_connection: dict[str, tuple[Sandbox, Owner]] = {}
        self._ids: dict[str, list[str]] = {}
        self._closed = ClosedSandboxes()
        self._renamed: dict[str, str | None] = {}
        self._names: dict[str, None] = {}
        self._folder = DataFolder(Path(settings.data)) if settings.data else None
        self._awake = awake.in_memory() if self._folder is None else awake.in_files()
        self._unsaved = 0
        self._stand_in: Sandbox | None = None
        if self._folder is not None:
            self._read_folder(self._folder)
        if DEFAULT in self._closed:
            self.get(DEFAULT)
        if DEFAULT in self._closed:
            # Requests that reach no other sandbox are recorded there; none can change anything in it.
            self._stand_in = Sandbox(DEFAULT, Database(), self.clock, settings)
        elif DEFAULT not in self._by_name:
            self._create(DEFAULT)

    def find(self, connection_id: str) -> tuple[Sandbox, Owner]:
        """The sandbox and the owner of a connection; an unknown connection is created unless the settings refuse it.

        Raises NotFound, SandboxUnusable if the file of its sandbox cannot be used, ConnectionUncertain if it may be in
        a file that cannot be used, and the error of a file that cannot be opened now.
        """
        connection = self._by_connection.get(connection_id)
        if connection is not None:
            return connection
        if (name := self._closed.holder(connection_id)) is not None:
            self.named(name)
            # After another try, the sandbox may turn out to be without it.
            if connection_id in self._by_connection:
                return self._by_connection[connection_id]
        if not self.id_rule.strict and (opened := self._search_unreadable(connection_id)) is not None:
            return opened
        if self.settings.unknown_connections == "refuse":
            raise NotFound(f"No connection '{connection_id[:130]}' exists.")
        sandbox = self.named(sandbox_of(connection_id) if self.id_rule.strict else DEFAULT)
        self.connect(sandbox, connection_id, f"{connection_id}@{self.settings.domain}")
        return self._by_connection[connection_id]

    def _search_unreadable(self, connection_id: str) -> tuple[Sandbox, Owner] | None:
        """Look for a connection in the files that could not be opened, after another try where that is of use.

        Raises ConnectionUncertain if it may be in one that cannot be opened: a new mailbox would look like lost mail.
        """
        for name, problem in list(self._closed.problems()):
            if not problem.hides_connections:
                continue
            if problem.is_passing and self.get(name) is not None:
                if connection_id in self._by_connection:
                    return self._by_connection[connection_id]
            else:
                raise ConnectionUncertain(connection_id, name, problem.text)
        return None

    def connect(
        self, sandbox: Sandbox, connection_id: str, address: str, display_name: str = "", send_as: Sequence[str] = ()
    ) -> Owner:
        """Add a connection to a sandbox. Raises Conflict when any sandbox has the id."""
        with self.connecting(sandbox, connection_id):
            return sandbox.connect(connection_id, address, display_name, send_as)

    @contextmanager
    def connecting(self, sandbox: Sandbox, connection_id: str) -> Iterator[None]:
        """A block that adds a connection with its content; nothing is added if the block raises.

        Raises Conflict when any sandbox has the id.
        """
        if self.has_connection(connection_id):
            raise Conflict(f"The connection '{connection_id[:130]}' exists already.")
        self.id_rule.check(sandbox.name, [connection_id])
        self._forget_summary(sandbox.name)
        # The registry changes after the commit: what is rolled back was never in it.
        with sandbox.db.transaction():
            yield
        # Only what the connection changes: a sandbox may have thousands. Another one may have a new name of its owner.
        added = sandbox.connections_beside(connection_id)
        self._by_connection |= {id: (sandbox, owner) for id, owner in added.items()}
        insort(self._ids[sandbox.name], connection_id)

    def fill(self, sandbox: Sandbox, sample: Sample, connection_id: str) -> Owner:
        """Create a connection with the mailbox of a sample, which a reset empties. Raises Conflict, InvalidRequest."""
        with self.connecting(sandbox, connection_id):
            return sandbox.load_sample(sample, connection_id)

    def load_sample(self, sandbox: Sandbox, name: str, connection_id: str) -> Owner:
        """Create a connection with a sample mailbox, which a reset loads again. Raises Conflict, InvalidRequest."""
        with self.connecting(sandbox, connection_id):
            return sandbox.load_named_sample(name, connection_id)

    @property
    def default(self) -> Sandbox:
        """The sandbox of unknown connections; if its file cannot be used, an empty one that stands in for it."""
        sandbox = self._by_name.get(DEFAULT) or self._stand_in
        assert sandbox is not None
        return sandbox

    def has_connection(self, connection_id: str) -> bool:
        """Whether any sandbox has a connection."""
        return self._holder(connection_id) is not None

    def connection_ids(self) -> frozenset[str]:
        """The connection ids of all sandboxes."""
        return frozenset((*self._by_connection, *self._closed.connection_ids()))

    def names(self) -> list[str]:
        """The names of all sandboxes, also of those that cannot be used."""
        return list(self._names)

    def ids_of(self, name: str) -> tuple[str, ...]:
        """The connection ids of a sandbox, as far as they are known."""
        return tuple(self._ids.get(name) or self._closed.ids_of(name))

    def problem_of(self, name: str) -> str | None:
        """Why a sandbox cannot be used, None if it can."""
        problem = self._closed.problem_of(name)
        return None if problem is None else problem.text

    def opened(self) -> list[Sandbox]:
        """The sandboxes that were needed so far."""
        return list(self._by_name.values())

    def rest_unused(self) -> Sliced[None]:
        """Let sandboxes in memory rest that were not used since the last call, one in each step."""
        # An open file costs little until there are many.
        if self._folder is None:
            yield from self._awake.rest_unused()

    def clock_of(self, name: str | None = None, connection_id: str | None = None) -> Clock:
        """The clock of the sandbox with a name or a connection; the server's own if there is no such sandbox."""
        sandbox = self._by_name.get(name or "")
        if connection_id in self._by_connection:
            sandbox = self._by_connection[connection_id][0]
        return self.clock if sandbox is None else sandbox.clock

    def look_up(self, connection_id: str) -> Target:
        """Where a request with a connection id goes: without a mailbox to the default sandbox for an unknown id."""
        sandbox, owner = (
            self._by_connection.get(connection_id)
            or self._open_for(connection_id)
            or (self._place_of(connection_id), None)
        )
        sandbox.db.use()
        return Target(sandbox, owner, sandbox.db.generation)

    def _place_of(self, connection_id: str) -> Sandbox:
        """The sandbox that counts and records requests with an unknown connection id."""
        return (self.id_rule.strict and self.get(sandbox_of(connection_id))) or self.default

    def get(self, name: str) -> Sandbox | None:
        """The sandbox with a name, None if there is none that can be used now."""
        sandbox = self._by_name.get(name)
        if sandbox is None and name in self._closed:
            with suppress(ConnectorError, *STORAGE_ERRORS):
                sandbox = self._opened_now(name)
        return sandbox

    def named(self, name: str) -> Sandbox:
        """The sandbox with a name. Raises NotFound, SandboxUnusable, or the error of a failed access to its file."""
        sandbox = self._by_name.get(name)
        if sandbox is None:
            sandbox = self._opened_now(name)
        sandbox.db.use()
        return sandbox

    def create(self, name: str, *, unfinished: bool = False) -> Sandbox:
        """Create an empty sandbox. Raises InvalidRequest for an invalid name, Conflict for a taken one.

        An `unfinished` one does not exist after a restart, unless `finish` has declared it whole by then.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"A sandbox name has 1 to 64 letters, digits, - or _, unlike '{name[:70]}'.")
        problem = self.problem_of(name)
        if name in self._by_name or (name in self._closed and problem is None):
            raise Conflict(f"A sandbox '{name}' exists already.")
        if self._folder is not None and self._folder.path(name).exists():
            problem = problem or "it appeared while the emulator ran; a restart reads it"
            raise Conflict(
                f"The file {name}.sqlite is in the way of a new sandbox '{name}': {problem}. Move it away, or delete"
                " the sandbox."
            )
        self._closed.remove(name)
        try:
            return self._create(name, unfinished=unfinished)
        except IncompatibleFile as error:
            raise Conflict(str(error)) from error

    def finish(self, sandbox: Sandbox) -> None:
        """Declare a sandbox whole that was created as unfinished."""
        sandbox.db.wait_for_disk(True)
        state.finish(sandbox.db)

    def reset(self, name: str) -> Sandbox:
        """Reset a sandbox; see `Sandbox.reset`."""
        sandbox = self.named(name)
        sandbox.reset()
        self.refresh(sandbox)
        return sandbox

    def restore(self, name: str, snapshot: str, check_more: CheckMore = lambda db: None) -> Sandbox:
        """Restore a snapshot of a sandbox; see `Sandbox.restore`.

        Raises Conflict, too, if another sandbox has one of its connections.
        """
        sandbox = self.named(name)
        sandbox.restore(snapshot, partial(self._check_free, sandbox), check_more)
        self.refresh(sandbox)
        return sandbox

    def import_file(self, name: str, file: bytes, prefix: str = "", check_more: CheckMore = lambda db: None) -> Sandbox:
        """Replace a sandbox with an exported one; see `Sandbox.import_file`. Raises Conflict as `restore` does."""
        sandbox = self.named(name)
        sandbox.import_file(file, prefix, partial(self._check_free, sandbox), check_more)
        self.refresh(sandbox)
        return sandbox

    def delete(self, name: str) -> None:
        """Delete a sandbox with its file and snapshots. Raises NotFound, and Conflict for the default one.

        A default sandbox that cannot be used is replaced by an empty one.
        """
        is_usable = self.problem_of(name) is None
        if name == DEFAULT and is_usable:
            raise Conflict("The default sandbox cannot be deleted; reset it instead.")
        if is_usable:
            sandbox = self.named(name)
            self._forget(sandbox)
            del self._by_name[name]
            sandbox.close()
            sandbox.drop_snapshots()
        self._closed.remove(name)
        self._names.pop(name, None)
        if self._folder is not None:
            self._folder.delete(name)
        if name == DEFAULT:
            self._create(DEFAULT)

    def close(self) -> None:
        """Close all sandboxes."""
        sandboxes = [*self._by_name.values(), *([] if self._stand_in is None else [self._stand_in])]
        for sandbox in sandboxes:
            sandbox.end_waits()
        close_all(sandbox.db for sandbox in sandboxes)
        if self._folder is not None:
            self._folder.save()
            self._folder.close()

    def _check_free(self, sandbox: Sandbox, ids: Collection[str]) -> None:
        self.id_rule.check(sandbox.name, ids)
        for id in ids:
            if (holder := self._holder(id)) not in (None, sandbox.name):
                raise Conflict(f"The connection '{id}' belongs to the sandbox '{holder}'.")
        self._forget_summary(sandbox.name)

    def _forget_summary(self, name: str) -> None:
        """Before the connections of a sandbox change, so that the index never names others than its file has."""
        if self._folder is not None:
            self._folder.forget(name)

    def _holder(self, id: str) -> str | None:
        """The name of the sandbox that has a connection."""
        if id in self._by_connection:
            return self._by_connection[id][0].name
        return self._closed.holder(id)

    def _read_folder(self, folder: DataFolder) -> None:
        """Learn which sandboxes there are, and open those that the index does not know or that have callbacks."""
        unknown = []
        for name, summary in folder.summaries():
            if not _NAME.fullmatch(name):
                continue
            if summary is None:
                unknown.append(name)
                continue
            self._names[name] = None
            self._closed.add(name, summary.connection_ids)
        for name in unknown:
            self._names[name] = None
            self._closed.add(name)
            self.get(name)
        for name in self._closed:
            if self.problem_of(name) is None and folder.last_summary(name).has_work:
                self.get(name)
        problems = [f"The sandbox '{name}' cannot be used: {problem.text}" for name, problem in self._closed.problems()]
        for problem in problems[:_MOST_PROBLEMS]:
            _log.error("%s", problem)
        if len(problems) > _MOST_PROBLEMS:
            _log.error(
                "%d more sandboxes cannot be used; the list of sandboxes says why", len(problems) - _MOST_PROBLEMS
            )

    def _open_for(self, connection_id: str) -> tuple[Sandbox, Owner] | None:
        """Open the sandbox of a connection if it was not needed so far; None if that has no such connection."""
        if (name := self._closed.holder(connection_id)) is not None:
            self.get(name)
        return self._by_connection.get(connection_id)

    def _opened_now(self, name: str) -> Sandbox:
        """Open a sandbox that was not needed so far. Raises as `named` does."""
        problem = self._closed.problem_of(name)
        if problem is not None and not problem.is_passing:
            raise SandboxUnusable(name, problem.text)
        if self._folder is None or name not in self._closed:
            raise NotFound(f"No sandbox '{name[:100]}' exists.")
        try:
            self._check_not_emptied(self._folder, name)
            db = Database(self._folder.path(name), awake=self._awake)
            try:
                sandbox = self._of_file(name, db)
            except BaseException:
                db.close()
                raise
        except IncompatibleFile as error:
            self._set_aside(name, str(error))
            raise SandboxUnusable(name, str(error)) from error
        except STORAGE_ERRORS as error:
            self._set_aside(name, str(error), is_passing=True)
            raise
        return sandbox

    def _check_not_emptied(self, folder: DataFolder, name: str) -> None:
        """Raise IncompatibleFile for an empty file of a sandbox that had connections, as a power failure leaves it."""
        path = folder.path(name)
        if folder.last_summary(name).connection_ids and path.is_file() and path.stat().st_size == 0:
            raise IncompatibleFile(f"{path} is empty, and so its content is lost")

    def _of_file(self, name: str, db: Database) -> Sandbox:
        """The sandbox in an opened file. Raises IncompatibleFile if it cannot be used, NotFound if it is unfinished."""
        assert db.path is not None
        assert self._folder is not None
        if not state.is_finished(db):
            self._closed.remove(name)
            del self._names[name]
            db.close()
            self._folder.delete(name)
            raise NotFound(f"The sandbox '{name}' was never finished.")
        try:
            sandbox = Sandbox(name, db, self.clock, self.settings)
            connections = sandbox.connections()
            epochs.valid(db)
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
        self._add(sandbox)
        return sandbox

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

    def _set_aside(self, name: str, problem: str, *, is_passing: bool = False) -> None:
        """Go on without a sandbox."""
        assert self._folder is not None
        sandbox = self._by_name.pop(name, None)
        before = self._closed.problem_of(name)
        is_read = bool(self._closed.ids_of(name)) if before is None else not before.hides_connections
        is_known = sandbox is not None or is_read or self._folder.knows(name)
        ids = self.ids_of(name) or self._folder.last_summary(name).connection_ids
        if sandbox is not None:
            self._forget(sandbox)
            sandbox.close()
        self._closed.add(
            name, [id for id in ids if id not in self._by_connection], Problem(problem, is_passing, not is_known)
        )

    def _create(self, name: str, *, unfinished: bool = False) -> Sandbox:
        if self._folder is None:
            return self._add(Sandbox(name, Database(awake=self._awake), self.clock, self.settings))
        path = self._folder.path(name)
        create_file(path, state.of_new(name, unfinished=unfinished))
        try:
            sandbox = Sandbox(name, Database(path, awake=self._awake), self.clock, self.settings)
        except BaseException:
            self._folder.delete(name)
            raise
        # If the server was killed while it deleted an earlier sandbox with this name, its snapshots may still be there.
        sandbox.drop_snapshots()
        if unfinished:
            # What would be lost does not exist yet, and a disk may take longer than all the rest.
            sandbox.db.wait_for_disk(False)
        return self._add(sandbox)

    def _add(self, sandbox: Sandbox) -> Sandbox:
        self._names[sandbox.name] = None
        self._by_name[sandbox.name] = sandbox
        self.refresh(sandbox)
        if self._folder is not None:
            sandbox.db.before_rest = partial(self._summarize, sandbox)
        return sandbox

    def _summarize(self, sandbox: Sandbox) -> Callable[[], None]:
        """Read what the index says of a sandbox, before its file is closed; the result notes it afterwards."""
        if not state.is_finished(sandbox.db):
            return lambda: None
        summary = Summary(self._ids.get(sandbox.name, ()), callbacks.has_work(sandbox.db))

        def note() -> None:
            folder = self._folder
            if folder is None or self._by_name.get(sandbox.name) is not sandbox:
                return
            folder.note(sandbox.name, summary)
            self._unsaved += 1
            # Now and then, for a start after a kill.
            if self._unsaved >= _SAVE_EVERY:
                self._unsaved = 0
                folder.save()

        return note

    def refresh(self, sandbox: Sandbox) -> None:
        """Read the connections of a sandbox again, after a change on the sandbox itself."""
        self._forget(sandbox)
        connections = sandbox.connections()
        self._ids[sandbox.name] = list(connections)
        self._by_connection |= {id: (sandbox, owner) for id, owner in connections.items()}

    def _forget(self, sandbox: Sandbox) -> None:
        for id in self._ids.pop(sandbox.name, ()):
            del self._by_connection[id]


def _copy_text(name: str, other: str, id: str) -> str:
    return (
        f"{name}.sqlite is a copy of the sandbox '{other}': both have the connection '{id}'. Move it away, or import it"
        " into another sandbox with a prefix for its connections"
    )
