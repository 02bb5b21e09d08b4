"""Where the snapshots of a sandbox are kept: in memory, or as files in a folder beside the sandbox's own."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol

from outlook_emulator.store import sql

TAKEN = "taken"
"""The fact of a snapshot that says when it was taken, in microseconds since 1970."""
NAME = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


class Snapshot(NamedTuple):
    """A snapshot, its `size` in bytes, and when it was taken by the sandbox's clock; None where it cannot be read."""

    name: str
    taken: int | None
    size: int


class Snapshots(Protocol):
    """The snapshots of one sandbox, each the image of a database. Names match `NAME`."""

    def names(self) -> list[str]:
        """The names of all, in order."""

    def every(self) -> list[Snapshot]:
        """All of them, by name."""

    def image(self, name: str) -> bytes:
        """What was kept under a name that there is."""

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        """Keep an image under a name, in place of what had it."""

    def drop(self, name: str) -> None:
        """Forget one that there is."""

    def clear(self) -> None:
        """Forget all of them."""


class SnapshotsInMemory:
    """Snapshots that live as long as this."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, int]] = {}

    def names(self) -> list[str]:
        return sorted(self._kept)

    def every(self) -> list[Snapshot]:
        return [Snapshot(name, taken, len(image)) for name, (image, taken) in sorted(self._kept.items())]

    def image(self, name: str) -> bytes:
        return self._kept[name][0]

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        self._kept[name] = (image, taken)
        return Snapshot(name, taken, len(image))

    def drop(self, name: str) -> None:
        del self._kept[name]

    def clear(self) -> None:
        self._kept.clear()


class SnapshotsInFolder:
    """Snapshots that are files, in a folder that is made for the first one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(one.stem for one in self._folder.glob("*.sqlite") if NAME.fullmatch(one.stem))

    def every(self) -> list[Snapshot]:
        files = ((name, self._path(name)) for name in self.names())
        return [Snapshot(name, _taken(file), file.stat().st_size) for name, file in files]

    def image(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def keep(self, name: str, image: bytes, taken: int) -> Snapshot:
        self._folder.mkdir(exist_ok=True)
        # Written aside, so that a kill leaves the snapshot that had the name, or the new one.
        unfinished = self._folder / f".{name}.part"
        unfinished.write_bytes(image)
        unfinished.replace(self._path(name))
        return Snapshot(name, taken, len(image))

    def drop(self, name: str) -> None:
        self._path(name).unlink()

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite"


def _taken(file: Path) -> int | None:
    # Immutable: nothing is to be made beside it, and it is only ever replaced as a whole.
    where = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(where, uri=True)) as connection:
            return int(connection.execute(sql.STATE, {"key": TAKEN}).fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError):
        return None
