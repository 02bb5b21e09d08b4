"""What the admin API's verbs about snapshots read and answer."""

from __future__ import annotations

from typing_extensions import TypedDict

from outlook_emulator.wire.base import DateTime, Int64


class SnapshotFacts(TypedDict):
    """A snapshot, when it was taken by the sandbox's clock, and its size.

    `takenAt` is null for a file that was damaged; such a one is not restored.
    """

    name: str
    takenAt: DateTime | None
    bytes: Int64


class SnapshotList(TypedDict):
    """The snapshots of a sandbox, by name."""

    value: list[SnapshotFacts]


class ImportQuery:
    """What the connection ids of an imported sandbox begin with from now on, so that they are free here."""

    connection_prefix: str = ""
