"""Serves data files with one strange value each, as somebody leaves them who edits a file by hand.

`python -m tests.edited_values [SECONDS]` changes every column of a sandbox's file to values that the emulator never
writes, starts with that file, and reads, exports and changes everything in it. A response may be a 503 that names the
row; every other server error is printed. The test suite tries some of them.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from random import Random

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from tests import imported_values
from tests.imported_values import Change, change_everything, changes, exported, read_everything
from tests.server.test_fuzz import START


def edited(file: bytes, change: Change) -> bytes | None:
    """The file with a change, None if SQLite refuses it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(file)
        db.create_function("lowered", 1, str.lower, deterministic=True)
        with suppress(sqlite3.Error):
            imported_values.apply(db, change)
            return db.serialize()
    return None


def check(folder: Path, file: bytes) -> None:
    """Start with a file, and read, export and change everything in it; each server error must name the row."""
    (folder / "default.sqlite").write_bytes(file)
    app = create_app(Settings(max_calls=0, data=str(folder)), VirtualClock(START))
    try:
        read_everything(app)
        change_everything(app)
    finally:
        app.state.sandboxes.close()


def original() -> bytes:
    """The file of a sandbox with rows in every table."""
    for app in imported_values.running():
        return exported(app)
    raise AssertionError


def main(seconds: float = 60, first: float = 0) -> int:
    log = imported_values.Log()
    log.install()
    file = original()
    possible = changes(file)
    Random(int(first)).shuffle(possible)
    end, failures, tried = time.monotonic() + seconds, Counter[str](), 0
    for change in possible:
        if time.monotonic() > end:
            break
        if (broken := edited(file, change)) is None:
            continue
        tried += 1
        log.last = ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(Path(folder), broken)
            except Exception as error:
                table, column, value = change
                failures[f"{table}.{column}"] += 1
                print(
                    f"{table}.{column} = {str(value)[:40]!r}", f"{type(error).__name__}: {str(error)[:120]}", log.last
                )
    print(f"{tried} of {len(possible)} changes, {failures.total()} failures: {dict(failures)}")
    return failures.total()


if __name__ == "__main__":
    sys.exit(min(main(*map(float, sys.argv[1:3])), 1))
