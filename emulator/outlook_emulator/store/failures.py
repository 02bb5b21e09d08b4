"""Says what went wrong when the emulator could not read or write its data."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from outlook_emulator.errors import ConnectorError, StorageFull, StorageUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PASSING = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_UNAVAILABLE = _PASSING | {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
STORAGE_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
"""The errors of a failed access to data."""
_LEAST_ROOM = 64 * 1024
"""With fewer free bytes than this, a failed access is put down to the full disk."""


class FileLost(sqlite3.OperationalError):
    """The file of an open database was deleted or replaced by somebody else."""

    sqlite_errorcode = sqlite3.SQLITE_IOERR
    sqlite_errorname = "SQLITE_IOERR"


def storage_error(error: BaseException, folder: str) -> ConnectorError | None:
    """The error that a client sees for a failed access to the data in `folder`; None for an error of another kind."""
    if isinstance(error, FileLost):
        return StorageUnavailable(str(error))
    if isinstance(error, sqlite3.Error):
        # The driver's own errors, such as the use of a closed database, have no code.
        return _of_sqlite(error, getattr(error, "sqlite_errorcode", 0) & 0xFF, folder)
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageFull(_of_system(error))
    # Errors of the network have no file.
    if isinstance(error, OSError) and error.filename is not None:
        return StorageUnavailable(_of_system(error))
    return None


def is_passing(error: Exception) -> bool:
    """Whether an error comes from the disk or a limit of the system, so that the file itself may be in order."""
    return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def _of_sqlite(error: sqlite3.Error, code: int, folder: str) -> ConnectorError | None:
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full")
    if code not in _UNAVAILABLE:
        return None
    # SQLite reports a full disk as such only when it writes a database or its log, not the index of the log. A limit on
    # the size of files is an error of writing to it.
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(folder):
        return StorageFull(f"{error}, and the disk is full")
    if error.sqlite_errorcode in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE):
        return StorageFull(f"{error} when it wrote a file; the disk or the limit on the size of files may be reached")
    return StorageUnavailable(f"{error} ({error.sqlite_errorname})")


def _is_full(folder: str) -> bool:
    try:
        return bool(folder) and shutil.disk_usage(folder).free < _LEAST_ROOM
    except OSError:
        return False


def _of_system(error: OSError) -> str:
    reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or os.strerror(error.errno or 0)
    # The name alone: the path is no business of a client.
    return reason if error.filename is None else f"{reason}: {Path(error.filename).name}"
