"""Stores the snapshots of a sandbox in memory, or as files in a folder beside the sandbox's database."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol

from outlook_emulator.store import sql
from outlook_emulator.store.files import Stamp, stamp, write_whole

TAKEN = "taken"
"""The key of the sandbox state that holds the time of a snapshot, in microseconds since 1970."""
NAME = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


class Snapshot(NamedTuple):
    """A snapshot, its size in bytes, and the time of the sandbox's clock when it was taken; None for a damaged file."""

    name: str
    taken: int | None
    size: int


class Snapshots(Protocol):
    """The snapshots of one sandbox, each an SQLite image. Names match `NAME`."""

    def names(self) -> list[str]:
        """The names of all snapshots, sorted."""

    def every(self) -> list[Snapshot]:
        """All snapshots, sorted by name."""

    def image(self, name: str) -> bytes:
        """The image of an existing snapshot."""

    def is_own(self, name: str) -> bool:
        """Whether this process wrote the image, and nobody has changed it since."""

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        """Store an image under a name; replaces the snapshot of that name."""

    def drop(self, name: str) -> None:
        """Delete an existing snapshot."""

    def clear(self) -> None:
        """Delete all snapshots."""


class SnapshotsInMemory:
    """Snapshots in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, int]] = {}

    def names(self) -> list[str]:
        return sorted(self._kept)

    def every(self) -> list[Snapshot]:
        return [Snapshot(name, taken, len(image)) for name, (image, taken) in sorted(self._kept.items())]

    def image(self, name: str) -> bytes:
        return self._kept[name][0]

    def is_own(self, name: str) -> bool:
        return True

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        self._kept[name] = (image, taken)
        return Snapshot(name, taken, len(image))

    def drop(self, name: str) -> None:
        del self._kept[name]

    def clear(self) -> None:
        self._kept.clear()


class SnapshotsInFolder:
    """Snapshots as files, in a folder that is created with the first snapshot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, Stamp] = {}

    def names(self) -> list[str]:
        return sorted(file.stem for file in self._folder.glob("*.sqlite") if NAME.fullmatch(file.stem))

    def every(self) -> list[Snapshot]:
        files = ((name, self._path(name)) for name in self.names())
        return [Snapshot(name, _taken(file), file.stat().st_size) for name, file in files]

    def image(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def is_own(self, name: str) -> bool:
        return self._written.get(name) == stamp(self._path(name).stat())

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._path(name), image)
        self._written[name] = stamp(self._path(name).stat())
        return Snapshot(name, taken, len(image))

    def drop(self, name: str) -> None:
        self._path(name).unlink()

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite"


def _taken(file: Path) -> int | None:
    # Immutable, so that SQLite creates no files beside it; snapshot files are only replaced as a whole.
    uri = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return int(connection.execute(sql.STATE, {"key": TAKEN}).fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError):
        return None
