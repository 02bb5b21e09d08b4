"""The folder in which a server keeps its sandboxes: one database each, and an index of what is in them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from weakref import finalize

import orjson

from outlook_emulator.store.files import OWNER_ONLY, Stamp, stamp, write_whole
from outlook_emulator.store.opening import LOG_SUFFIXES, SCHEMA_VERSION

_INDEX = ".index.json"
_SUFFIX = ".sqlite"


class Summary(NamedTuple):
    """What a server must know of a sandbox whose database it has not opened."""

    connection_ids: Sequence[str]
    has_work: bool
    """Whether there may be callbacks to make."""


class FolderLock:
    """Holds a data folder for one process; the system lets go of it when the process ends, however it ends.

    Raises OSError when another process has it. On Windows, nobody is kept out.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = os.fdopen(os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, OWNER_ONLY), "w")
        except OSError as error:
            raise OSError(f"cannot keep data in {folder}: {error.strerror}") from error
        # A start that fails half-way lets go of the folder as well.
        finalize(self, self._file.close)
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise OSError(f"another emulator keeps its data in {folder}") from error

    def close(self) -> None:
        self._file.close()


class DataFolder:
    """A data folder, held for this process until it is closed. Raises OSError if it cannot be used.

    The index saves opening every database at the start: it holds summaries of databases that were closed. A summary
    counts as long as its file has not changed. Of a file that can no longer be read, its summary still says which
    connections it has. The index is no more than a help, and may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot keep data in {folder}: {error.strerror}") from error
        # Before any file is opened: two servers with one folder would write over each other's state.
        self._lock = FolderLock(folder)
        self._index = self._read_index()
        self._written = self._known()

    def path(self, name: str) -> Path:
        """The file of a sandbox's database."""
        return self._folder / f"{name}{_SUFFIX}"

    def summaries(self) -> Iterator[tuple[str, Summary | None]]:
        """All sandboxes with a file, by name; None where the database must be opened."""
        with os.scandir(self._folder) as entries:
            files = {entry.name: entry for entry in entries}
        for file in sorted(files):
            if not file.endswith(_SUFFIX):
                continue
            name = file.removesuffix(_SUFFIX)
            # A database with a log was not closed.
            is_current = (
                self.knows(name) and f"{file}-wal" not in files and self._index[name][0] == _stamp_of(files[file])
            )
            yield name, self.last_summary(name) if is_current else None

    def last_summary(self, name: str) -> Summary:
        """The summary of a sandbox in the index, however old."""
        _, ids, has_work = self._index.get(name) or ([], [], False)
        return Summary(ids, has_work)

    def knows(self, name: str) -> bool:
        """Whether the index has all connections of a sandbox."""
        row = self._index.get(name)
        return row is not None and row[0] is not None

    def forget(self, name: str) -> None:
        """Note, also in the file of the index, that the connections of a sandbox are about to change."""
        if (row := self._index.get(name)) is not None:
            row[0] = None
        if name in self._written:
            self.save()

    def note(self, name: str, summary: Summary) -> None:
        """Put the summary of a database that was just closed into the index, which `save` writes."""
        with suppress(OSError):
            self._index[name] = [stamp(self.path(name).stat()), list(summary.connection_ids), summary.has_work]

    def save(self) -> None:
        """Write the index."""
        content = orjson.dumps({"version": SCHEMA_VERSION, "sandboxes": self._index})
        # On a full disk, the next start is slower.
        with suppress(OSError):
            write_whole(self._folder / _INDEX, content)
            self._written = self._known()

    def delete(self, name: str) -> None:
        """Delete a sandbox's database, then its snapshots: after a kill in between, it does not come back."""
        path = self.path(name)
        for suffix in ("", *LOG_SUFFIXES):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(".snapshots"), ignore_errors=True)
        self._index.pop(name, None)

    def close(self) -> None:
        self._lock.close()

    def _known(self) -> set[str]:
        return set(filter(self.knows, self._index))

    def _read_index(self) -> dict[str, Any]:
        try:
            content = orjson.loads((self._folder / _INDEX).read_bytes())
            rows = {
                str(name): [stamp and list(stamp), list(ids), bool(work)]
                for name, (stamp, ids, work) in content["sandboxes"].items()
            }
            # A file of an earlier version must be migrated, and so be opened.
            return (
                rows
                if content["version"] == SCHEMA_VERSION
                else {name: [stamp and [], *rest] for name, (stamp, *rest) in rows.items()}
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def _stamp_of(entry: os.DirEntry[str]) -> Stamp | None:
    """The stamp of a file, None for a link that leads nowhere."""
    try:
        return stamp(entry.stat())
    except OSError:
        return None
