"""A lock on a folder, so that only one process at a time changes the files in it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    @contextmanager
    def locked(folder: Path) -> Iterator[None]:
        """Wait for the lock of a folder and hold it. The system releases it if the process ends."""
        name = sha256(str(folder.resolve()).encode()).hexdigest()[:32]
        with Path(tempfile.gettempdir(), f"outlook-emulator-{name}.lock").open("a+b") as file:
            file.seek(0)
            # It tries for ten seconds.
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl
    import os

    @contextmanager
    def locked(folder: Path) -> Iterator[None]:
        """Wait for the lock of a folder and hold it. The system releases it if the process ends."""
        try:
            number = os.open(folder, os.O_RDONLY)
        except OSError:
            # A folder that is missing or unreadable fails later, with the name of the file.
            yield
            return
        try:
            # Some network file systems have no locks; then there is no protection.
            with suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)
