"""Changes several files together, all or none, and restores them. The originals are kept beside the files.

One of the files is the anchor. A record beside it lists all changed files with their digests, so that later edits by
hand are noticed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_ORIGINAL = ".outlook-emulator.bak"
_RECORD = ".outlook-emulator.patched"

Write = tuple[Path, bytes | None]
"""A file and its new content, None to delete it."""


class PatchError(ValueError):
    """The files cannot be changed or restored; none of them was touched."""


class Change(NamedTuple):
    """The content of a file before and after a change."""

    before: bytes
    after: bytes


class _Record(NamedTuple):
    """The record of a changed file: the digests of its original and of its changed content."""

    original: str
    patched: str


def read(path: Path) -> bytes:
    """The content of a file. Raises PatchError."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise PatchError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def prepare(anchor: Path, changes: Mapping[Path, Change], *, force: bool = False) -> list[Write]:
    """The writes that change files and keep their first originals. Raises PatchError.

    Without `force`, a file that was edited after it was changed here is an error.
    """
    records = _read_records(anchor) or {}
    originals: list[Write] = []
    for path, change in changes.items():
        now = _digest(change.before)
        known = records.get(path)
        if known is None:
            originals.append((_original_of(path, change.before), change.before))
            records[path] = _Record(now, _digest(change.after))
        elif now in known:
            # Without its original, the file could never be restored.
            _check_original(path, known)
            records[path] = _Record(known.original, _digest(change.after))
        elif not force:
            raise PatchError(_edited(path))
        # With force, the old record stays, so that a restore does not silently drop the edits.
    record = (_beside(anchor, _RECORD), _format_records(anchor, records))
    # The record comes before the files, so that an interrupted change can be restored.
    return [*originals, record, *((path, change.after) for path, change in changes.items())]


def restore(anchor: Path, *, force: bool = False) -> list[Path]:
    """Restore all files of an anchor, delete their originals and return the files. Raises PatchError."""
    records = _read_records(anchor)
    if records is None:
        raise PatchError(
            f"{anchor} is not patched, or its originals are gone: {_beside(anchor, _RECORD).name} is missing"
        )
    files: list[Write] = []
    for path, known in records.items():
        files.append((path, _check_original(path, known)))
        # Either content will do: an interrupted restore has put back some originals already.
        is_unedited = path.exists() and _digest(read(path)) in known
        if not is_unedited and not force:
            raise PatchError(_edited(path))
    # The record goes before the originals: originals without a record are harmless, a record without them is not.
    leftovers = [_beside(anchor, _RECORD), *(_beside(path, _ORIGINAL) for path in records)]
    write(files + [(path, None) for path in leftovers])
    return list(records)


def write(writes: Sequence[Write]) -> None:
    """Write all files or none, in order, each atomically. Raises PatchError."""
    aside: list[Path] = []
    with ExitStack() as undo:
        try:
            # All new contents first: an error such as a full disk then comes before any file is replaced.
            staged = [(path, _staged(path, content, undo)) for path, content in writes]
            for path, ready in staged:
                if ready is None:
                    aside.append(_set_aside(path, undo))
                else:
                    undo.callback(_undo, path, path.read_bytes() if path.exists() else None)
                    ready.replace(path)
        except OSError as error:
            raise PatchError(f"cannot write {error.filename or 'a file'}: {error.strerror or error}") from error
        undo.pop_all()
    for path in aside:
        _remove(path)


def _staged(path: Path, content: bytes | None, undo: ExitStack) -> Path | None:
    """Write the new content to a temporary file in the same folder."""
    if content is None:
        return None
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    undo.callback(_remove, Path(name))
    with os.fdopen(number, "wb") as file:
        file.write(content)
    # A copy must not be readable by more users than its source.
    like = next((related for related in (path, *_related_files(path)) if related.exists()), None)
    if like is not None:
        shutil.copymode(like, name)
    return Path(name)


def _set_aside(path: Path, undo: ExitStack) -> Path:
    """Rename a file instead of deleting it, so that an undo restores it with its permissions."""
    aside = path.with_name(f".{path.name}.deleted")
    path.replace(aside)
    undo.callback(_move, aside, path)
    return aside


def _move(path: Path, to: Path) -> None:
    with suppress(OSError):
        path.replace(to)


def _related_files(path: Path) -> list[Path]:
    """The source of a copy or record, and the copy of the file itself."""
    names = [path.name.removesuffix(suffix) for suffix in (_ORIGINAL, _RECORD)]
    return [path.with_name(name) for name in names] + [_beside(path, _ORIGINAL)]


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _undo(path: Path, before: bytes | None) -> None:
    with suppress(OSError):
        if before is None:
            path.unlink()
        elif not path.exists() or path.read_bytes() != before:
            path.write_bytes(before)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _edited(path: Path) -> str:
    return f"{path} was edited after it was patched; --force overwrites it"


def _original_of(path: Path, content: bytes) -> Path:
    """The path for a file's original. Raises PatchError if another file is there."""
    place = _beside(path, _ORIGINAL)
    # The same content is left by a crash between the copy and the record.
    if place.exists() and read(place) != content:
        raise PatchError(f"{place} is in the way: it belongs to another or an interrupted patch")
    return place


def _check_original(path: Path, known: _Record) -> bytes:
    """The original content of a file. Raises PatchError if its copy is missing or was edited."""
    place = _beside(path, _ORIGINAL)
    content = read(place)
    if _digest(content) != known.original:
        raise PatchError(f"{place} is not the original of {path}")
    return content


def _format_records(anchor: Path, records: Mapping[Path, _Record]) -> bytes:
    files = {os.path.relpath(path, anchor.parent): known._asdict() for path, known in records.items()}
    return json.dumps({"files": files}, indent=1).encode()


def _read_records(anchor: Path) -> dict[Path, _Record] | None:
    """The records of an anchor, None without any. Raises PatchError."""
    record = _beside(anchor, _RECORD)
    if not record.exists():
        return None
    try:
        files = json.loads(read(record))["files"]
        return {_place(anchor, name): _Record(**digests) for name, digests in files.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise PatchError(f"{record} is not a valid record of a patch") from None


def _place(anchor: Path, name: str) -> Path:
    return Path(os.path.normpath(anchor.parent / name))
