"""The registry of sandboxes: which there are, and which of them a connection id in a URL belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from outlook_emulator.clock import Clock, SystemClock
from outlook_emulator.errors import Conflict, InvalidRequest, NotFound
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import Database, FolderLock, IncompatibleFile
from outlook_emulator.store.records import Owner

DEFAULT = "default"
"""The sandbox that connection ids nobody made belong to."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Sandboxes:
    """All sandboxes of a server, and which of them each connection id belongs to."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self._by_name: dict[str, Sandbox] = {}
        self._by_connection: dict[str, tuple[Sandbox, Owner]] = {}
        self._ids: dict[str, tuple[str, ...]] = {}
        self._lock = self._held()
        for name in self._stored_names():
            self._open(name)
        if DEFAULT not in self._by_name:
            self._open(DEFAULT)

    def find(self, connection_id: str) -> tuple[Sandbox, Owner]:
        """The sandbox and mailbox a connection id opens; an unknown one is made on first use, unless refused."""
        found = self._by_connection.get(connection_id)
        if found is not None:
            return found
        if self.settings.unknown_connections == "refuse":
            raise NotFound(f"No connection '{connection_id[:130]}' exists.")
        self.connect(self.default, connection_id, f"{connection_id}@{self.settings.domain}")
        return self._by_connection[connection_id]

    def connect(
        self, sandbox: Sandbox, connection_id: str, address: str, display_name: str = "", send_as: Sequence[str] = ()
    ) -> Owner:
        """Add a connection to a sandbox. Raises Conflict when any sandbox has the id."""
        with self.connecting(sandbox, connection_id):
            return sandbox.connect(connection_id, address, display_name, send_as)

    @contextmanager
    def connecting(self, sandbox: Sandbox, connection_id: str) -> Iterator[None]:
        """A block that adds a connection and what belongs to it: all of it or, when it raises, nothing.

        Raises Conflict when any sandbox has the id.
        """
        if connection_id in self._by_connection:
            raise Conflict(f"The connection '{connection_id[:130]}' exists already.")
        with sandbox.db.transaction():
            yield
        self.refresh(sandbox)

    def seed(self, sandbox: Sandbox, name: str, connection_id: str) -> Owner:
        """Load a sample mailbox under a connection id. Raises Conflict and InvalidRequest."""
        with self.connecting(sandbox, connection_id):
            return sandbox.seed(name, connection_id)

    @property
    def default(self) -> Sandbox:
        return self._by_name[DEFAULT]

    def connection_ids(self) -> frozenset[str]:
        """Every connection id that is taken, in any sandbox."""
        return frozenset(self._by_connection)

    def all(self) -> list[Sandbox]:
        return list(self._by_name.values())

    def clock_of(self, name: str | None = None, connection_id: str | None = None) -> Clock:
        """The clock of the sandbox that has a name or a connection; the server's own where there is none such."""
        sandbox = self._by_name.get(name or "")
        if connection_id in self._by_connection:
            sandbox = self._by_connection[connection_id][0]
        return self.clock if sandbox is None else sandbox.clock

    def sandbox_of(self, connection_id: str) -> Sandbox:
        """The sandbox that a connection id belongs to; the default one for an id that nobody has."""
        found = self._by_connection.get(connection_id)
        return self.default if found is None else found[0]

    def get(self, name: str) -> Sandbox | None:
        """The sandbox of that name, if there is one."""
        return self._by_name.get(name)

    def named(self, name: str) -> Sandbox:
        """The sandbox of that name. Raises NotFound."""
        if name not in self._by_name:
            raise NotFound(f"No sandbox '{name[:100]}' exists.")
        return self._by_name[name]

    def create(self, name: str) -> Sandbox:
        """A new, empty sandbox. Raises InvalidRequest for a bad name, Conflict for a taken one."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"A sandbox name has 1 to 64 letters, digits, - or _, unlike '{name[:70]}'.")
        if name in self._by_name:
            raise Conflict(f"A sandbox '{name}' exists already.")
        try:
            made = self._open(name)
        except IncompatibleFile as error:
            raise Conflict(str(error)) from error
        # A kill may have kept the one that had the name before from taking them along.
        made.drop_snapshots()
        return made

    def reset(self, name: str) -> Sandbox:
        """Reset a sandbox; see `Sandbox.reset`."""
        sandbox = self.named(name)
        sandbox.reset()
        self.refresh(sandbox)
        return sandbox

    def restore(self, name: str, snapshot: str) -> Sandbox:
        """Take a sandbox back to a snapshot; see `Sandbox.restore`. Raises Conflict where others have a connection."""
        sandbox = self.named(name)
        sandbox.restore(snapshot, partial(self._check_free, sandbox))
        self.refresh(sandbox)
        return sandbox

    def bring_in(self, name: str, file: bytes, prefix: str = "") -> Sandbox:
        """Put an exported sandbox in the place of one; see `Sandbox.bring_in`. Raises Conflict as `restore` does."""
        sandbox = self.named(name)
        sandbox.bring_in(file, prefix, partial(self._check_free, sandbox))
        self.refresh(sandbox)
        return sandbox

    def delete(self, name: str) -> None:
        """Remove a sandbox with everything in it, its file included. The default one stays (Conflict)."""
        if name == DEFAULT:
            raise Conflict("The default sandbox cannot be deleted; reset it instead.")
        sandbox = self.named(name)
        self._forget(sandbox)
        del self._by_name[name]
        sandbox.close()
        if sandbox.db.path is not None:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{sandbox.db.path}{suffix}").unlink(missing_ok=True)
        sandbox.drop_snapshots()

    def close(self) -> None:
        for sandbox in self._by_name.values():
            sandbox.close()
        if self._lock:
            self._lock.close()

    def _check_free(self, sandbox: Sandbox, ids: Collection[str]) -> None:
        for id in ids:
            other, _ = self._by_connection.get(id, (sandbox, None))
            if other is not sandbox:
                raise Conflict(f"The connection '{id}' belongs to the sandbox '{other.name}'.")

    def _held(self) -> FolderLock | None:
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
        return sorted(one.stem for one in folder.glob("*.sqlite") if _NAME.fullmatch(one.stem))

    def _open(self, name: str) -> Sandbox:
        path = Path(self.settings.data) / f"{name}.sqlite" if self.settings.data else None
        sandbox = Sandbox(name, Database(path), self.clock, self.settings)
        self._by_name[name] = sandbox
        self.refresh(sandbox)
        return sandbox

    def refresh(self, sandbox: Sandbox) -> None:
        """Read a sandbox's connections again, after they were changed on the sandbox itself."""
        self._forget(sandbox)
        found = sandbox.connections()
        self._ids[sandbox.name] = tuple(found)
        self._by_connection |= {id: (sandbox, owner) for id, owner in found.items()}

    def _forget(self, sandbox: Sandbox) -> None:
        for id in self._ids.pop(sandbox.name, ()):
            del self._by_connection[id]
