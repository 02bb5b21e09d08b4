"""The files of a sample mailbox: a folder, a folder in a zip file, or none at all. Names are relative, with slashes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import BadZipFile, ZipFile

from outlook_emulator.errors import BodyTooLarge, InvalidRequest

# Which of them depends on whether the file is damaged, encrypted or compressed in an unknown way.
_ZIP_ERRORS = (BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError, zlib.error, LZMAError)


class SampleFiles(Protocol):
    """Where the files of a sample are."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None if there is no such file; files outside of the sample do not exist."""

    def below(self, folder: str, suffix: str) -> Iterator[str]:
        """The names of the files with a suffix in a folder and the folders in it, sorted."""


class Folder:
    """A folder on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def read(self, name: str) -> bytes | None:
        try:
            path = (self._path / name).resolve()
            is_there = path.is_relative_to(self._path) and path.is_file()
        except (OSError, ValueError):
            # No file can have such a name.
            return None
        try:
            return path.read_bytes() if is_there else None
        except OSError as error:
            raise InvalidRequest(f"The file '{path}' cannot be read: {error.strerror or error}.") from error

    def below(self, folder: str, suffix: str) -> Iterator[str]:
        files = (path.relative_to(self._path) for path in (self._path / folder).rglob("*") if path.is_file())
        return iter(sorted(path.as_posix() for path in files if path.suffix.lower() == suffix))


class Zip:
    """A zip file of a folder. Raises InvalidRequest for other content, and BodyTooLarge if it unpacks to too much."""

    def __init__(self, content: bytes, most_bytes: int) -> None:
        try:
            self._zip = ZipFile(BytesIO(content))
        except _ZIP_ERRORS as error:
            raise InvalidRequest(f"The body is not a zip file: {error}.") from error
        if sum(info.file_size for info in self._zip.infolist()) > most_bytes:
            raise BodyTooLarge(most_bytes)
        self._names = {info.filename for info in self._zip.infolist() if not info.is_dir()}

    def read(self, name: str) -> bytes | None:
        if name not in self._names:
            return None
        try:
            return self._zip.read(name)
        except _ZIP_ERRORS as error:
            raise InvalidRequest(f"The file '{name[:200]}' cannot be read from the zip file: {error}.") from error

    def below(self, folder: str, suffix: str) -> Iterator[str]:
        return iter(
            sorted(
                name
                for name in self._names
                if name.startswith(f"{folder}/") and PurePosixPath(name).suffix.lower() == suffix
            )
        )


class NoFiles:
    """No files: the sample holds everything itself."""

    def read(self, name: str) -> bytes | None:
        return None

    def below(self, folder: str, suffix: str) -> Iterator[str]:
        return iter(())
