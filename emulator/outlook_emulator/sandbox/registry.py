"""The registry of sandboxes, by name and by connection id."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from outlook_emulator.clock import Clock, SystemClock
from outlook_emulator.errors import Conflict, InvalidRequest, NotFound
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import Database, FolderLock, IncompatibleFile
from outlook_emulator.store.records import Owner

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample

DEFAULT = "default"
"""The name of the sandbox that unknown connection ids belong to."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def sandbox_of(connection_id: str) -> str:
    """The sandbox that a connection id names by the rule `SANDBOX.NAME`."""
    name, dot, _ = connection_id.partition(".")
    return name if dot else DEFAULT


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
    """All sandboxes of a server, by name and by connection id."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self._by_name: dict[str, Sandbox] = {}
        self._by_connection: dict[str, tuple[Sandbox, Owner]] = {}
        self._ids: dict[str, list[str]] = {}
        # Before any file is opened: two servers with one folder would write over each other's state.
        self._lock = self._lock_folder()
        for name in self._stored_names():
            self._open(name)
        if DEFAULT not in self._by_name:
            self._open(DEFAULT)

    def find(self, connection_id: str) -> tuple[Sandbox, Owner]:
        """The sandbox and the owner of a connection; an unknown connection is created unless the settings refuse it.

        Raises NotFound.
        """
        connection = self._by_connection.get(connection_id)
        if connection is not None:
            return connection
        if self.settings.unknown_connections == "refuse":
            raise NotFound(f"No connection '{connection_id[:130]}' exists.")
        sandbox = self.named(sandbox_of(connection_id)) if self.has_rule else self.default
        self.connect(sandbox, connection_id, f"{connection_id}@{self.settings.domain}")
        return self._by_connection[connection_id]

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
        if connection_id in self._by_connection:
            raise Conflict(f"The connection '{connection_id[:130]}' exists already.")
        self._check_rule(sandbox, [connection_id])
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
        return self._by_name[DEFAULT]

    @property
    def has_rule(self) -> bool:
        """Whether connection ids must name their sandbox."""
        return self.settings.connection_ids == "sandbox"

    def id_of(self, sandbox: Sandbox, name: str, separator: str = "") -> str:
        """A connection id for a name that follows the rule; without one, the name, with a separator also the sandbox.

        A name that has the form already stays.
        """
        if not self.has_rule:
            return f"{sandbox.name}{separator}{name}" if separator else name
        return name if sandbox_of(name) == sandbox.name else f"{sandbox.name}.{name}"

    def has_connection(self, connection_id: str) -> bool:
        """Whether any sandbox has a connection."""
        return connection_id in self._by_connection

    def connection_ids(self) -> frozenset[str]:
        """The connection ids of all sandboxes."""
        return frozenset(self._by_connection)

    def ids_of(self, sandbox: Sandbox) -> tuple[str, ...]:
        """The connection ids of a sandbox."""
        return tuple(self._ids.get(sandbox.name, ()))

    def all(self) -> list[Sandbox]:
        return list(self._by_name.values())

    def clock_of(self, name: str | None = None, connection_id: str | None = None) -> Clock:
        """The clock of the sandbox with a name or a connection; the server's own if there is no such sandbox."""
        sandbox = self._by_name.get(name or "")
        if connection_id in self._by_connection:
            sandbox = self._by_connection[connection_id][0]
        return self.clock if sandbox is None else sandbox.clock

    def look_up(self, connection_id: str) -> Target:
        """Where a request with a connection id goes: without a mailbox to the default sandbox for an unknown id."""
        sandbox, owner = self._by_connection.get(connection_id) or (self._place_of(connection_id), None)
        return Target(sandbox, owner, sandbox.db.generation)

    def _place_of(self, connection_id: str) -> Sandbox:
        """The sandbox that counts and records requests with an unknown connection id."""
        return (self.has_rule and self._by_name.get(sandbox_of(connection_id))) or self.default

    def get(self, name: str) -> Sandbox | None:
        """The sandbox with a name, None if there is none."""
        return self._by_name.get(name)

    def named(self, name: str) -> Sandbox:
        """The sandbox with a name. Raises NotFound."""
        if name not in self._by_name:
            raise NotFound(f"No sandbox '{name[:100]}' exists.")
        return self._by_name[name]

    def create(self, name: str) -> Sandbox:
        """Create an empty sandbox. Raises InvalidRequest for an invalid name, Conflict for a taken one."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"A sandbox name has 1 to 64 letters, digits, - or _, unlike '{name[:70]}'.")
        if name in self._by_name:
            raise Conflict(f"A sandbox '{name}' exists already.")
        try:
            sandbox = self._open(name)
        except IncompatibleFile as error:
            raise Conflict(str(error)) from error
        # If the server was killed while it deleted an earlier sandbox with this name, its snapshots may still be there.
        sandbox.drop_snapshots()
        return sandbox

    def reset(self, name: str) -> Sandbox:
        """Reset a sandbox; see `Sandbox.reset`."""
        sandbox = self.named(name)
        sandbox.reset()
        self.refresh(sandbox)
        return sandbox

    def restore(self, name: str, snapshot: str) -> Sandbox:
        """Restore a snapshot of a sandbox; see `Sandbox.restore`.

        Raises Conflict, too, if another sandbox has one of its connections.
        """
        sandbox = self.named(name)
        sandbox.restore(snapshot, partial(self._check_free, sandbox))
        self.refresh(sandbox)
        return sandbox

    def import_file(self, name: str, file: bytes, prefix: str = "") -> Sandbox:
        """Replace a sandbox with an exported one; see `Sandbox.import_file`. Raises Conflict as `restore` does."""
        sandbox = self.named(name)
        sandbox.import_file(file, prefix, partial(self._check_free, sandbox))
        self.refresh(sandbox)
        return sandbox

    def delete(self, name: str) -> None:
        """Delete a sandbox with its file and snapshots. Raises NotFound, and Conflict for the default one."""
        if name == DEFAULT:
            raise Conflict("The default sandbox cannot be deleted; reset it instead.")
        sandbox = self.named(name)
        self._forget(sandbox)
        del self._by_name[name]
        sandbox.close()
        # The database before the snapshots: if the server is killed in between, the sandbox does not come back.
        if sandbox.db.path is not None:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{sandbox.db.path}{suffix}").unlink(missing_ok=True)
        sandbox.drop_snapshots()

    def close(self) -> None:
        for sandbox in self._by_name.values():
            sandbox.close()
        if self._lock:
            self._lock.close()

    def _check_rule(self, sandbox: Sandbox, ids: Collection[str]) -> None:
        for id in ids if self.has_rule else ():
            if sandbox_of(id) != sandbox.name:
                form = "without a dot" if sandbox.name == DEFAULT else f"that start with '{sandbox.name}.'"
                raise InvalidRequest(
                    f"The sandbox '{sandbox.name}' takes connection ids {form}, unlike '{id[:130]}'; see the setting"
                    " connection_ids."
                )

    def _check_free(self, sandbox: Sandbox, ids: Collection[str]) -> None:
        self._check_rule(sandbox, ids)
        for id in ids:
            other, _ = self._by_connection.get(id, (sandbox, None))
            if other is not sandbox:
                raise Conflict(f"The connection '{id}' belongs to the sandbox '{other.name}'.")

    def _lock_folder(self) -> FolderLock | None:
        if not self.settings.data:
            return None
        folder = Path(self.settings.data)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot keep data in {folder}: {error.strerror}") from error
        return FolderLock(folder)

    def _stored_names(self) -> list[str]:
        if not self.settings.data:
            return []
        folder = Path(self.settings.data)
        return sorted(file.stem for file in folder.glob("*.sqlite") if _NAME.fullmatch(file.stem))

    def _open(self, name: str) -> Sandbox:
        path = Path(self.settings.data) / f"{name}.sqlite" if self.settings.data else None
        sandbox = Sandbox(name, Database(path), self.clock, self.settings)
        self._by_name[name] = sandbox
        self.refresh(sandbox)
        return sandbox

    def refresh(self, sandbox: Sandbox) -> None:
        """Read the connections of a sandbox again, after a change on the sandbox itself."""
        self._forget(sandbox)
        connections = sandbox.connections()
        self._ids[sandbox.name] = list(connections)
        self._by_connection |= {id: (sandbox, owner) for id, owner in connections.items()}

    def _forget(self, sandbox: Sandbox) -> None:
        for id in self._ids.pop(sandbox.name, ()):
            del self._by_connection[id]
