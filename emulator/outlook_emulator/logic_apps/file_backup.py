"""Files that are changed together and can be put back: all or none, with their originals kept beside them.

The first of the files is the anchor; beside it lies a record of all of them, by which a change made by hand is told.
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
"""A file and what it is to hold, None for no file at all."""


class Refused(ValueError):
    """Why files are left as they are."""


class Change(NamedTuple):
    """What a file holds, and what it is to hold."""

    before: bytes
    after: bytes


class _Kept(NamedTuple):
    """What is known of a changed file: the digests of its original and of what it was changed to."""

    original: str
    patched: str


def read(path: Path) -> bytes:
    """What a file holds. Raises Refused."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def prepared(anchor: Path, changes: Mapping[Path, Change], *, force: bool = False) -> list[Write]:
    """What is to be written so that files are changed and their first originals kept. Raises Refused.

    A file that was changed by hand since it was changed here is refused, unless `force` is given.
    """
    kept = _recorded(anchor) or {}
    originals: list[Write] = []
    for path, change in changes.items():
        now = _digest(change.before)
        known = kept.get(path)
        if known is None:
            originals.append((_original_of(path, change.before), change.before))
            kept[path] = _Kept(now, _digest(change.after))
        elif now in known:
            _check_original(path, known)
            kept[path] = _Kept(known.original, _digest(change.after))
        elif not force:
            raise Refused(_by_hand(path))
        # Else what is known stays, so that putting back does not drop silently what was changed by hand.
    record = (_beside(anchor, _RECORD), _written(anchor, kept))
    # The record before the files: whatever breaks off in between can be put back.
    return [*originals, record, *((path, change.after) for path, change in changes.items())]


def put_back(anchor: Path, *, force: bool = False) -> list[Path]:
    """Make all files of an anchor what they were, and forget their originals; which they are. Raises Refused."""
    kept = _recorded(anchor)
    if kept is None:
        raise Refused(f"{anchor} is not patched, or its originals are gone: {_beside(anchor, _RECORD).name} is missing")
    files: list[Write] = []
    for path, known in kept.items():
        files.append((path, _check_original(path, known)))
        is_ours = path.exists() and _digest(read(path)) in known
        if not is_ours and not force:
            raise Refused(_by_hand(path))
    # The record before the originals: without a record they mean nothing, without them it cannot be followed.
    gone = [_beside(anchor, _RECORD), *(_beside(path, _ORIGINAL) for path in kept)]
    write(files + [(path, None) for path in gone])
    return list(kept)


def write(writes: Sequence[Write]) -> None:
    """Write all files or none, in this order, each as a whole. Raises Refused."""
    aside: list[Path] = []
    with ExitStack() as undone:
        try:
            staged = [(path, _staged(path, content, undone)) for path, content in writes]
            for path, ready in staged:
                if ready is None:
                    aside.append(_set_aside(path, undone))
                else:
                    undone.callback(_undo, path, path.read_bytes() if path.exists() else None)
                    ready.replace(path)
        except OSError as error:
            raise Refused(f"{error.filename or 'a file'} cannot be written: {error.strerror or error}") from error
        undone.pop_all()
    for path in aside:
        _remove(path)


def _staged(path: Path, content: bytes | None, undone: ExitStack) -> Path | None:
    """A file beside another that is ready to take its place."""
    if content is None:
        return None
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    undone.callback(_remove, Path(name))
    with os.fdopen(number, "wb") as file:
        file.write(content)
    # What others may not read, they may not read in a copy of it either.
    like = next((one for one in (path, *_made_from(path)) if one.exists()), None)
    if like is not None:
        shutil.copymode(like, name)
    return Path(name)


def _set_aside(path: Path, undone: ExitStack) -> Path:
    """Take a file away, under a name by which it can come back as it was, permissions included."""
    aside = path.with_name(f".{path.name}.gone")
    path.replace(aside)
    undone.callback(_move, aside, path)
    return aside


def _move(path: Path, to: Path) -> None:
    with suppress(OSError):
        path.replace(to)


def _made_from(path: Path) -> list[Path]:
    """The files whose copy or record a file is, or that is a copy of it."""
    names = [path.name.removesuffix(one) for one in (_ORIGINAL, _RECORD)]
    return [path.with_name(one) for one in names] + [_beside(path, _ORIGINAL)]


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


def _by_hand(path: Path) -> str:
    return f"{path} was changed by hand since it was patched; --force overwrites it all the same"


def _original_of(path: Path, content: bytes) -> Path:
    """Where a file's original is to be kept. Raises Refused when something else lies there."""
    place = _beside(path, _ORIGINAL)
    if place.exists() and read(place) != content:
        raise Refused(f"{place} is in the way: it belongs to another patch, or to one that was cut short")
    return place


def _check_original(path: Path, known: _Kept) -> bytes:
    """What a file was at first. Raises Refused when that is not there any more."""
    place = _beside(path, _ORIGINAL)
    content = read(place)
    if _digest(content) != known.original:
        raise Refused(f"{place} is not what {path} was any more")
    return content


def _written(anchor: Path, kept: Mapping[Path, _Kept]) -> bytes:
    files = {os.path.relpath(path, anchor.parent): one._asdict() for path, one in kept.items()}
    return json.dumps({"files": files}, indent=1).encode()


def _recorded(anchor: Path) -> dict[Path, _Kept] | None:
    """The files of an anchor that are changed, None where there is no record. Raises Refused."""
    record = _beside(anchor, _RECORD)
    if not record.exists():
        return None
    try:
        files = json.loads(read(record))["files"]
        return {_place(anchor, name): _Kept(**one) for name, one in files.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Refused(f"{record} is no record of a patch any more") from None


def _place(anchor: Path, name: str) -> Path:
    return Path(os.path.normpath(anchor.parent / name))
