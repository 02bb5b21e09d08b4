"""Saved states of a sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlook_emulator.testing.admin import Admin, path_of


class Snapshots:
    """The snapshots of one sandbox, by name."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def save(self, name: str) -> dict[str, Any]:
        """Save the state of the sandbox; replaces a snapshot of the same name. Returns its description."""
        snapshot: dict[str, Any] = self._admin.request("PUT", path_of("snapshots", name))
        return snapshot

    def restore(self, name: str) -> None:
        """Restore a snapshot. Raises AdminError if it does not exist."""
        self._admin.request("POST", path_of("snapshots", name, "restore"))

    def list(self) -> Sequence[dict[str, Any]]:
        """The name, time and size of every snapshot."""
        snapshots: Sequence[dict[str, Any]] = self._admin.request("GET", "/snapshots")["value"]
        return snapshots

    def delete(self, name: str) -> None:
        """Delete a snapshot. Raises AdminError if it does not exist."""
        self._admin.request("DELETE", path_of("snapshots", name))
