"""The log of a database in a file: a thread copies it into the file, and nothing is lost on the way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import closing
from pathlib import Path

import pytest

from outlook_emulator.store import log, sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.log import MANY_ROWS, Log

VALUE = "x" * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "box 1 %41.sqlite"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    database = Database(path)
    yield database
    database.close()


def write(db: Database, first: int, count: int) -> None:
    """Write rows, each in a transaction of its own."""
    for number in range(first, first + count):
        with db.transaction():
            db.execute(sql.SET_STATE, {"key": str(number), "value": VALUE})


def log_of(db: Database) -> Log:
    own_log = db._transaction.log
    assert own_log is not None
    return own_log


def end_copy(db: Database) -> None:
    """Wait for the thread, but leave what it did not copy to the next commit."""
    if (copy := log_of(db)._copy) is not None:
        wait([copy])


def rows_without_log(path: Path) -> int:
    """How many rows the file itself holds."""
    copy = path.with_name("copy.sqlite")
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(f"{copy.as_uri()}?immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM sandbox_state WHERE value = ?", (VALUE,)).fetchone()[0])


def log_size(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def test_few_rows_stay_in_the_log(db: Database, path: Path) -> None:
    """A copy waits for the disk, so a few rows are not worth it."""
    write(db, 0, MANY_ROWS - 1)

    assert (not log_of(db).is_being_copied, rows_without_log(path)) == (True, 0)


def test_many_rows_are_copied_by_a_thread(db: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After many rows, a thread copies them into the file; commits do not wait for it."""
    threads, copy_aside = [], Log._copy_aside

    def noted(self: Log) -> None:
        threads.append(threading.current_thread())
        copy_aside(self)

    monkeypatch.setattr(Log, "_copy_aside", noted)

    write(db, 0, MANY_ROWS)
    end_copy(db)

    assert rows_without_log(path) == MANY_ROWS
    assert [thread is threading.main_thread() for thread in threads] == [False]


def test_the_log_begins_anew(db: Database, path: Path) -> None:
    """What was written during the copy is copied by a later commit, after which SQLite uses the log from its start."""
    write(db, 0, MANY_ROWS)
    end_copy(db)
    write(db, MANY_ROWS, 100)
    size = log_size(path)

    write(db, MANY_ROWS + 100, MANY_ROWS - 200)

    assert log_size(path) == size
    assert rows_without_log(path) >= MANY_ROWS + 50


def test_steady_writes_keep_the_log_small(db: Database, path: Path) -> None:
    """The log does not grow with the number of commits, however many there are."""
    sizes = []
    for number in range(6):
        write(db, number * MANY_ROWS, MANY_ROWS)
        end_copy(db)
        sizes.append(log_size(path))

    assert sizes[-1] < 3 * sizes[0]


def test_close_waits_for_the_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is closed has no thread left, which might touch a later file with the same name."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    copy_aside = Log._copy_aside

    def slow(self: Log) -> None:
        begun.set()
        go_on.wait(10)
        copy_aside(self)
        ended.set()

    monkeypatch.setattr(Log, "_copy_aside", slow)
    db = Database(path)
    write(db, 0, MANY_ROWS)
    assert begun.wait(10)
    is_resting = db.rest()
    threading.Timer(0.01, go_on.set).start()

    db.close()

    assert (is_resting, ended.is_set(), log_of(db).is_being_copied) == (False, True, False)
    assert not path.with_name(path.name + "-wal").exists()


def test_a_copy_that_has_not_begun_is_dropped(path: Path) -> None:
    """A database closes at once, although the thread still copies another log."""
    go_on = threading.Event()
    log._worker().submit(go_on.wait, 10)
    db = Database(path)
    write(db, 0, MANY_ROWS)

    db.close()

    is_waiting = not go_on.is_set()
    go_on.set()
    assert (is_waiting, rows_without_log(path)) == (True, MANY_ROWS)


def test_a_lost_file_is_not_created_again(db: Database, path: Path) -> None:
    """A copy leaves a file alone that took the place of the database's own, and creates none."""
    go_on = threading.Event()
    log._worker().submit(go_on.wait, 10)
    write(db, 0, MANY_ROWS)
    path.unlink()

    go_on.set()
    end_copy(db)

    assert not path.exists()


def test_a_failed_copy_is_repeated(db: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a copy fails, as on a full disk, commits go on, and a later copy has everything."""

    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", refuse)
        write(db, 0, MANY_ROWS)
        end_copy(db)
    before = rows_without_log(path)

    write(db, MANY_ROWS, MANY_ROWS)
    write(db, 2 * MANY_ROWS, 100)
    end_copy(db)

    assert before == 0
    assert rows_without_log(path) >= 2 * MANY_ROWS
