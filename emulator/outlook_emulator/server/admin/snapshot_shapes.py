"""The JSON shapes of snapshots."""

from __future__ import annotations

from typing_extensions import TypedDict

from outlook_emulator.wire.base import DateTime, Int64


class SnapshotFacts(TypedDict):
    """A snapshot, the time of the sandbox's clock when it was taken, and its size.

    `takenAt` is null for a damaged file, which cannot be restored.
    """

    name: str
    takenAt: DateTime | None
    bytes: Int64


class SnapshotList(TypedDict):
    """The snapshots of a sandbox, by name."""

    value: list[SnapshotFacts]


class ImportQuery:
    """A prefix for the connection ids of an imported sandbox, to keep ids unique on the server."""

    connection_prefix: str = ""
