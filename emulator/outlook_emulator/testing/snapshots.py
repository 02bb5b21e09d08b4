"""States of a sandbox to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlook_emulator.testing.admin import Admin, below


class Snapshots:
    """Named states of one sandbox."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def save(self, name: str) -> dict[str, Any]:
        """Keep the state that the sandbox is in, in place of one of that name."""
        facts: dict[str, Any] = self._admin.ask("PUT", below("snapshots", name))
        return facts

    def restore(self, name: str) -> None:
        """Put the sandbox back into that state. Raises Refused where there is none of that name."""
        self._admin.ask("POST", below("snapshots", name, "restore"))

    def list(self) -> Sequence[dict[str, Any]]:
        """Name, time and size of each."""
        found: Sequence[dict[str, Any]] = self._admin.ask("GET", "/snapshots")["value"]
        return found

    def delete(self, name: str) -> None:
        """Drop one. Raises Refused where there is none of that name."""
        self._admin.ask("DELETE", below("snapshots", name))
