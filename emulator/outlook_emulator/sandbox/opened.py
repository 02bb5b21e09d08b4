"""The sandboxes in use, by name and by connection id."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.store.records import Owner


class OpenedSandboxes:
    """Sandboxes whose database is open or rests. A connection belongs to one of them at most."""

    def __init__(self) -> None:
        self.by_name: dict[str, Sandbox] = {}
        self.by_connection: dict[str, tuple[Sandbox, Owner]] = {}
        self._ids: dict[str, list[str]] = {}

    def ids_of(self, name: str) -> list[str]:
        """The connection ids of a sandbox, in order; none if it is not in use."""
        return self._ids.get(name, [])

    def holder(self, connection_id: str) -> str | None:
        """The name of the sandbox that has a connection, None if it is none of these."""
        held = self.by_connection.get(connection_id)
        return None if held is None else held[0].name

    def add(self, sandbox: Sandbox) -> None:
        """Add a sandbox with its connections."""
        self.by_name[sandbox.name] = sandbox
        self.refresh(sandbox)

    def remove(self, name: str) -> Sandbox | None:
        """Remove a sandbox with its connections; returns it, None if it is not in use."""
        sandbox = self.by_name.pop(name, None)
        self._forget(name)
        return sandbox

    def refresh(self, sandbox: Sandbox) -> None:
        """Read the connections of a sandbox again, after a change on the sandbox itself."""
        self._forget(sandbox.name)
        connections = sandbox.connections()
        self._ids[sandbox.name] = list(connections)
        self.by_connection |= {id: (sandbox, owner) for id, owner in connections.items()}

    def connect(self, sandbox: Sandbox, connection_id: str, owners: Mapping[str, Owner]) -> None:
        """Add a connection to a sandbox; `owners` has its owner, and those of connections that changed with it."""
        self.by_connection |= {id: (sandbox, owner) for id, owner in owners.items()}
        insort(self._ids[sandbox.name], connection_id)

    def _forget(self, name: str) -> None:
        for id in self._ids.pop(name, ()):
            del self.by_connection[id]
