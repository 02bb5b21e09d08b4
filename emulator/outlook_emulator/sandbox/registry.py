"""The registry of sandboxes, by name and by connection id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
)
from outlook_emulator.sandbox import state
from outlook_emulator.sandbox.closed import ClosedSandboxes
from outlook_emulator.sandbox.connection_ids import DEFAULT, IdRule, sandbox_of
from outlook_emulator.sandbox.failures import Failures
from outlook_emulator.sandbox.files import NAME, SandboxFiles
from outlook_emulator.sandbox.opened import OpenedSandboxes
from outlook_emulator.sandbox.sandbox import CheckMore, Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.slices import Sliced
from outlook_emulator.store import awake
from outlook_emulator.store.database import Database, close_all
from outlook_emulator.store.failures import STORAGE_ERRORS
from outlook_emulator.store.folder import DataFolder
from outlook_emulator.store.opening import IncompatibleFile
from outlook_emulator.store.records import Owner
from outlook_emulator.store.spare import SpareDatabases

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample


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
        self._closed = ClosedSandboxes()
        self._opened = OpenedSandboxes()
        # Every request looks here.
        self._by_connection = self._opened.by_connection
        self._by_name = self._opened.by_name
        self._files: SandboxFiles | None = None
        self._names: dict[str, None] = {}
        self._awake = awake.in_files() if settings.data else awake.in_memory()
        self._spares = SpareDatabases()
        self._stand_in: Sandbox | None = None
        if settings.data:
            folder = DataFolder(Path(settings.data))
            self._files = SandboxFiles(folder, self._closed, self._opened, self._awake, self._made)
            self._names |= dict.fromkeys(self._files.read_folder())
        if DEFAULT in self._closed:
            self.get(DEFAULT)
        if DEFAULT in self._closed:
            # Requests that reach no other sandbox are recorded there; none can change anything in it.
            self._stand_in = self._made(DEFAULT, Database())
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
        self._opened.connect(sandbox, connection_id, added)

    def fill(self, sandbox: Sandbox, sample: Sample, connection_id: str) -> Owner:
        """Create a connection with the mailbox of a sample, which a reset empties. Raises Conflict, InvalidRequest."""
        sandbox.db.expect(sample.size)
        with self.connecting(sandbox, connection_id):
            return sandbox.load_sample(sample, connection_id)

    def load_sample(self, sandbox: Sandbox, name: str, connection_id: str) -> Owner:
        """Create a connection with a sample mailbox, which a reset loads again. Raises Conflict, InvalidRequest."""
        from outlook_emulator.sandbox.samples import load

        sample = load(name)
        sandbox.db.expect(sample.size)
        with self.connecting(sandbox, connection_id):
            return sandbox.load_named_sample(name, sample, connection_id)

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
        return tuple(self._opened.ids_of(name) or self._closed.ids_of(name))

    def problem_of(self, name: str) -> str | None:
        """Why a sandbox cannot be used, None if it can."""
        problem = self._closed.problem_of(name)
        return None if problem is None else problem.text

    def opened(self) -> list[Sandbox]:
        """The sandboxes that were needed so far."""
        return list(self._by_name.values())

    def rest_unused(self) -> Sliced[None]:
        """Let sandboxes in memory rest that were not used since the last call, one in each step."""
        self._spares.close_unused()
        # An open file costs little until there are many.
        if self._files is None:
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
        if not NAME.fullmatch(name):
            raise InvalidRequest(f"A sandbox name has 1 to 64 letters, digits, - or _, unlike '{name[:70]}'.")
        problem = self.problem_of(name)
        if name in self._by_name or (name in self._closed and problem is None):
            raise Conflict(f"A sandbox '{name}' exists already.")
        if self._files is not None and self._files.is_there(name):
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

    def prepare(self) -> None:
        """Do what the next sandbox in memory needs, while nobody waits for it."""
        if self._files is None:
            self._spares.prepare()

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
            self._opened.remove(name)
            sandbox.close()
            sandbox.drop_snapshots()
        self._closed.remove(name)
        self._names.pop(name, None)
        if self._files is not None:
            self._files.delete(name)
        if name == DEFAULT:
            self._create(DEFAULT)

    def close(self) -> None:
        """Close all sandboxes."""
        sandboxes = [*self._by_name.values(), *([] if self._stand_in is None else [self._stand_in])]
        for sandbox in sandboxes:
            sandbox.end_waits()
        close_all(sandbox.db for sandbox in sandboxes)
        self._spares.close()
        if self._files is not None:
            self._files.close()

    def _check_free(self, sandbox: Sandbox, ids: Collection[str]) -> None:
        self.id_rule.check(sandbox.name, ids)
        for id in ids:
            if (holder := self._holder(id)) not in (None, sandbox.name):
                raise Conflict(f"The connection '{id}' belongs to the sandbox '{holder}'.")
        self._forget_summary(sandbox.name)

    def _forget_summary(self, name: str) -> None:
        if self._files is not None:
            self._files.forget_summary(name)

    def _holder(self, id: str) -> str | None:
        """The name of the sandbox that has a connection."""
        return self._opened.holder(id) or self._closed.holder(id)

    def _open_for(self, connection_id: str) -> tuple[Sandbox, Owner] | None:
        """Open the sandbox of a connection if it was not needed so far; None if that has no such connection."""
        if (name := self._closed.holder(connection_id)) is not None:
            self.get(name)
        return self._by_connection.get(connection_id)

    def _opened_now(self, name: str) -> Sandbox:
        """Open a sandbox that was not needed so far. Raises as `named` does."""
        if self._files is None:
            raise NotFound(f"No sandbox '{name[:100]}' exists.")
        try:
            return self._files.open(name)
        except NotFound:
            self._names.pop(name, None)
            raise

    def _create(self, name: str, *, unfinished: bool = False) -> Sandbox:
        if self._files is None:
            sandbox = self._made(name, Database(awake=self._awake, spares=self._spares))
            self._opened.add(sandbox)
        else:
            sandbox = self._files.create(name, unfinished=unfinished)
        self._names[name] = None
        return sandbox

    def _made(self, name: str, db: Database) -> Sandbox:
        return Sandbox(name, db, self.clock, self.settings)

    def refresh(self, sandbox: Sandbox) -> None:
        """Read the connections of a sandbox again, after a change on the sandbox itself."""
        self._opened.refresh(sandbox)
