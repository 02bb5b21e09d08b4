"""Writes files that only their owner may read, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

OWNER_ONLY = 0o600
"""The mode of every file with data."""
Stamp = list[int]
"""What changes with every change of a file: time, size and number."""


def stamp(status: os.stat_result) -> Stamp:
    """The stamp of a file with this status."""
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a hidden one, so that a killed process leaves the old content or the new."""
    draft = draft_of(path)
    # What an earlier process left may have another mode.
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as stream:
            stream.write(content)
        draft.replace(path)
    except BaseException:
        # On a full disk, the unfinished file would keep the room that others need.
        draft.unlink(missing_ok=True)
        raise


def draft_of(path: Path) -> Path:
    """The hidden file beside a file in which its content is prepared."""
    return path.with_name(f".{path.name}.part")
