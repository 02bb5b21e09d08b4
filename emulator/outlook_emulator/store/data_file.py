"""The file of a database, and whether it is still the one that was opened."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from outlook_emulator.store.failures import FileLost

LOOK_EVERY = 1.0
"""How often a database that is in use looks for its file, in seconds."""


class DataFile:
    """A file by its path. SQLite would go on writing to a file that was deleted, and so has no name any more."""

    __slots__ = ("_identity", "_looks_at", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None
        self._looks_at = 0.0

    def note_opened(self) -> None:
        """Remember which file it is, at the first call."""
        if self._identity is None:
            self._identity = _identity(self.path)

    @property
    def is_lost(self) -> bool:
        """Whether the file was deleted or replaced. Raises OSError where its folder cannot be read."""
        return _identity(self.path) != self._identity

    def look_is_due(self) -> bool:
        """Whether it is time to look for the file again, which the caller then does."""
        if (now := monotonic()) < self._looks_at:
            return False
        self._looks_at = now + LOOK_EVERY
        return True

    def check(self) -> None:
        """Raise FileLost if the file was deleted or replaced, OSError where its folder cannot be read."""
        if self.is_lost:
            raise FileLost(f"the file {self.path.name} was deleted or replaced while the emulator ran")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
