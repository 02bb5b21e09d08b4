"""Changes several files together, all or none, and restores them.

One of the files is the anchor. The originals of all changed files and a record of the changes are kept in a folder
beside the anchor, which git ignores: the originals may contain keys.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from outlook_emulator.logic_apps import git
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.report import Report, counted, silent
from outlook_emulator.logic_apps.value_edits import ValueEdit, merged, revert

FOLDER = ".outlook-emulator"
"""The folder beside the anchor that contains originals and record."""
_IGNORE_ALL = b"# Made by `outlook-emulator connections patch`; `connections restore` removes this folder.\n*\n"

Write = tuple[Path, bytes | None]
"""A file and its new content, None to delete it."""


class Change(NamedTuple):
    """A change of a file: its content before, None for a new file, its content after, and the values that differ."""

    before: bytes | None
    after: bytes
    values: Sequence[ValueEdit] = ()


class Restored(NamedTuple):
    """A restored file, and whether it keeps edits that were made after the patch."""

    path: Path
    keeps_edits: bool


@dataclass(kw_only=True)
class _FileRecord:
    """What is known about a changed file. `original` is the digest of its original, None for a new file."""

    original: str | None
    patched: str
    copy: str
    values: list[ValueEdit] = field(default_factory=list)
    hidden: bool = False

    def is_edited(self, content: bytes | None) -> bool:
        """Whether a content is neither the changed one nor the original."""
        return _digest(content) not in (self.patched, self.original)


def read(path: Path) -> bytes:
    """The content of a file. Raises PatchError."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise PatchError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def read_if_exists(path: Path) -> bytes | None:
    """The content of a file, None if it does not exist. Raises PatchError."""
    return read(path) if path.exists() else None


def change(anchor: Path, changes: Mapping[Path, Change], *, hide: bool = True, report: Report = silent) -> bool:
    """Change files, and keep what is needed to restore them. Raises PatchError; then no file was changed.

    A file that was edited after an earlier change keeps the edits, also when it is restored. With `hide`, git does not
    show the changed files as modified or new. Returns whether it hides any of them.
    """
    records = _read_records(anchor) or {}
    originals: list[Write] = []
    for path, new in changes.items():
        known = records.get(path)
        if known is None:
            known = records[path] = _FileRecord(
                original=_digest(new.before), patched="", copy=_copy_name(anchor, path, records)
            )
            originals.append((_folder(anchor) / known.copy, new.before))
        else:
            original = _original_for_next_change(anchor, path, new.before, known)
            known.original = _digest(original)
            originals.append((_folder(anchor) / known.copy, original))
        known.values = merged(known.values, new.values)
        known.patched = sha256(new.after).hexdigest()
    hidden = git.hide([path for path in changes if not records[path].hidden], report) if hide else []
    for path in hidden:
        records[path].hidden = True
    # The record comes before the files, so that an interrupted change can be restored.
    writes: list[Write] = [
        (_folder(anchor) / ".gitignore", _IGNORE_ALL),
        *((path, content) for path, content in originals if content is not None),
        (_record(anchor), _format_records(anchor, records)),
        *((path, new.after) for path, new in changes.items()),
    ]
    try:
        _write_with_folder(anchor, writes, report)
    except PatchError:
        git.show(hidden)
        raise
    return any(known.hidden for known in records.values())


def restore(anchor: Path, *, force: bool = False, report: Report = silent) -> list[Restored]:
    """Restore all files of an anchor and delete what was kept for it. Raises PatchError; then no file was changed.

    A file that was edited since gets its original values back and keeps the edits. If it cannot, because these values
    were edited, that is an error, or with `force` the file gets its original content.
    """
    records = _read_records(anchor)
    if records is None:
        hidden = " ".join(git.hidden_files(anchor.parent))
        hint = f"; git hides {hidden}: `git update-index --no-skip-worktree {hidden}` ends this" if hidden else ""
        raise PatchError(f"{anchor} is not patched, or its backup is gone: there is no {_record(anchor)}{hint}")
    writes: list[Write] = []
    restored: list[Restored] = []
    for path, known in records.items():
        content = read_if_exists(path)
        if known.is_edited(content):
            before, keeps_edits = _restored_from_edited(anchor, path, content, known, force)
        else:
            before, keeps_edits = _restored_from_unedited(anchor, path, content, known), False
        if before != content:
            writes.append((path, before))
        restored.append(Restored(path, keeps_edits))
    git.show([path for path, known in records.items() if known.hidden], report)
    # The record goes before the originals: originals without a record are harmless, a record without them is not.
    leftovers = [_record(anchor), *(_folder(anchor) / known.copy for known in records.values())]
    write(writes + [(path, None) for path in leftovers if path.exists()], report)
    _remove_folder(anchor)
    return restored


def edited_files(anchor: Path) -> list[Path] | None:
    """The files that were edited after they were changed; None if the anchor is not patched. Raises PatchError."""
    records = _read_records(anchor)
    if records is None:
        return None
    return [path for path, known in records.items() if _digest(read_if_exists(path)) != known.patched]


def write(writes: Sequence[Write], report: Report = silent) -> None:
    """Write all files or none, in order, each atomically. Raises PatchError."""
    aside: list[Path] = []
    with ExitStack() as undo:
        try:
            # All new contents first: an error such as a full disk then comes before any file is replaced.
            counted_writes = counted(writes, "writing", report)
            staged = [(path, _staged(path, content, undo)) for path, content in counted_writes]
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


def _write_with_folder(anchor: Path, writes: Sequence[Write], report: Report) -> None:
    folder = _folder(anchor)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise PatchError(f"cannot write {folder}: {error.strerror or error}") from None
    try:
        write(writes, report)
    except PatchError:
        _remove_folder(anchor)
        raise


def _remove_folder(anchor: Path) -> None:
    """Remove the folder, unless it still has files of another anchor."""
    folder = _folder(anchor)
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] in ([".gitignore"], []):
            _remove(folder / ".gitignore")
            folder.rmdir()


def _original_for_next_change(anchor: Path, path: Path, content: bytes | None, known: _FileRecord) -> bytes | None:
    """The original of a file that changes again. Raises PatchError.

    If the file was edited since, its original is its content without the earlier change. A value that was itself
    edited stays as it is, and is forgotten.
    """
    if content is not None and _digest(content) == known.patched:
        return _restored_from_unedited(anchor, path, content, known)
    if content is None or _digest(content) == known.original:
        known.values = []
        return content
    try:
        text, known.values, _ = revert(content.decode(), known.values)
    except ValueError as error:
        raise PatchError(f"{path} was edited after it was patched, and is not valid: {error}") from None
    return text.encode()


def _restored_from_unedited(anchor: Path, path: Path, content: bytes | None, known: _FileRecord) -> bytes | None:
    # An interrupted restore has restored some files already.
    if _digest(content) == known.original:
        return content
    try:
        return _original(anchor, path, known)
    except PatchError:
        # The copy is missing or damaged. The record may still be enough.
        with suppress(ValueError):
            rebuilt = revert((content or b"").decode(), known.values).text.encode()
            if _digest(rebuilt) == known.original:
                return rebuilt
        raise


def _restored_from_edited(
    anchor: Path, path: Path, content: bytes | None, known: _FileRecord, force: bool
) -> tuple[bytes | None, bool]:
    problem = "deleted" if content is None else "edited"
    if content is not None and known.values:
        with suppress(ValueError):
            text, _, kept = revert(content.decode(), known.values)
            if not kept:
                return text.encode(), True
            problem += f" ({', '.join('.'.join(edit.path) for edit in kept)})"
    if not force:
        raise PatchError(f"{path} was {problem} after it was patched; --force restores the original file")
    return _original(anchor, path, known), False


def _original(anchor: Path, path: Path, known: _FileRecord) -> bytes | None:
    """The original content of a file. Raises PatchError if its copy is missing or damaged."""
    if known.original is None:
        return None
    place = _folder(anchor) / known.copy
    content = read_if_exists(place)
    if content is None:
        raise PatchError(f"the original of {path} is gone: there is no {place}; restore the file from version control")
    if _digest(content) != known.original:
        raise PatchError(f"{place} was edited, so it is not the original of {path}")
    return content


def _staged(path: Path, content: bytes | None, undo: ExitStack) -> Path | None:
    """Write the new content to a temporary file in the same folder."""
    if content is None:
        return None
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    undo.callback(_remove, Path(name))
    with os.fdopen(number, "wb") as file:
        file.write(content)
    if path.exists():
        shutil.copymode(path, name)
    elif path.parent.name != FOLDER:
        # A new file is readable as other new files are; what is kept stays private, since it may contain keys.
        Path(name).chmod(0o666 & ~_umask())
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _set_aside(path: Path, undo: ExitStack) -> Path:
    """Rename a file instead of deleting it, so that an undo restores it with its permissions."""
    aside = path.with_name(f".{path.name}.deleted")
    path.replace(aside)
    undo.callback(_move, aside, path)
    return aside


def _move(path: Path, to: Path) -> None:
    with suppress(OSError):
        path.replace(to)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _undo(path: Path, before: bytes | None) -> None:
    with suppress(OSError):
        if before is None:
            path.unlink()
        elif not path.exists() or path.read_bytes() != before:
            path.write_bytes(before)


def _digest(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


def _folder(anchor: Path) -> Path:
    return anchor.with_name(FOLDER)


def _record(anchor: Path) -> Path:
    return _folder(anchor) / f"{anchor.name}.record"


def _copy_name(anchor: Path, path: Path, records: Mapping[Path, _FileRecord]) -> str:
    return f"{anchor.name}.{len(records)}.{path.name}"


def _format_records(anchor: Path, records: Mapping[Path, _FileRecord]) -> bytes:
    files = {os.path.relpath(path, anchor.parent): vars(known) for path, known in records.items()}
    return json.dumps({"files": files}, indent=1).encode()


def _read_records(anchor: Path) -> dict[Path, _FileRecord] | None:
    """The records of an anchor by file, None without any. Raises PatchError."""
    record = _record(anchor)
    content = read_if_exists(record)
    if content is None:
        return None
    try:
        files = json.loads(content)["files"]
        return {_place(anchor, name): _file_record(members) for name, members in files.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise PatchError(
            f"{record} is not a valid record of a patch; the originals are in {record.parent}, if they are left"
        ) from None


def _file_record(members: Any) -> _FileRecord:
    known = _FileRecord(**members)
    if Path(known.copy).name != known.copy or not isinstance(known.patched, str):
        raise ValueError("not a record")
    known.values = [ValueEdit(tuple(path), before, after) for path, before, after in known.values]
    return known


def _place(anchor: Path, name: str) -> Path:
    return Path(os.path.normpath(anchor.parent / name))
