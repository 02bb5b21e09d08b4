"""A folder with a sample mailbox, packed to be sent to an emulator, which may run on another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

DESCRIPTION = "mailbox.toml"
"""The file that makes a folder a sample mailbox."""
ZIP = "application/zip"


def connection_id(folder: str | Path) -> str:
    """The connection id of a seed folder or sample: its name. A path such as `.` or `box/..` has one too."""
    return Path(folder).resolve().name


def packed(folder: Path, on_file: Callable[[int, int], object] | None = None) -> bytes:
    """A zip file with all files of a folder. Raises OSError, and ValueError if the folder describes no mailbox.

    `on_file` is called after each file with the number of files so far, and of all.
    """
    # Not for every command: the import takes longer than most of them.
    from io import BytesIO
    from zipfile import ZIP_DEFLATED, ZipFile

    if not (folder / DESCRIPTION).is_file():
        raise ValueError(f"the folder {folder} has no {DESCRIPTION}; `outlook-emulator init` makes one")
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for number, path in enumerate(files, start=1):
            # Without the time of the file, which a zip file cannot hold before 1980.
            archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
            if on_file is not None:
                on_file(number, len(files))
    return buffer.getvalue()
