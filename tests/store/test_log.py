"""The log of a database in a file: a thread copies it into the file, and nothing is lost on the way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
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


class BusyWorker:
    """Copies that are under way, until somebody waits for them."""

    class Copy(Future[None]):
        def result(self, timeout: float | None = None) -> None:
            self.set_result(None)

    def submit(self, _: object) -> BusyWorker.Copy:
        copy = self.Copy()
        copy.set_running_or_notify_cancel()
        return copy


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
    are_open: list[bool] = []

    def noted(_: BusyWorker.Copy, timeout: float | None = None) -> None:
        are_open.append(database.one(sql.STATE, {"key": "0"}) is not None)

    monkeypatch.setattr(log, "_worker", BusyWorker)
    monkeypatch.setattr(BusyWorker.Copy, "result", noted)
    database = Database(path)
    write(database, 0, MANY_ROWS)

    is_resting = database.rest()
    database.close()

    assert (is_resting, are_open, log_of(database).is_being_copied) == (False, [True], False)
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.parametrize("end", [Database.close, Database.rest])
def test_a_copy_that_has_not_begun_is_dropped(path: Path, end: Callable[[Database], object]) -> None:
    """A database closes or rests at once, although the thread still copies another log."""
    go_on = threading.Event()
    other_copy = log._worker().submit(go_on.wait, 10)
    db = Database(path)
    write(db, 0, MANY_ROWS)

    end(db)

    has_waited, rows = other_copy.done(), rows_without_log(path)
    go_on.set()
    db.close()
    assert (has_waited, rows) == (False, MANY_ROWS)


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer x"}
    with (
        running(Settings(data=str(folder))) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as http,
    ):
        yield http


@pytest.mark.parametrize("way", ["mails", "restore"])
def test_large_values_count_as_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A few large mails, and a snapshot that is restored, fill the log as much as many rows: a thread copies them."""
    monkeypatch.setattr(log, "MANY_ROWS", 150)
    order = {"To": "alice@outlook.com", "Subject": "Hello", "Body": "x" * 1_000_000}
    snapshot = "/_emulator/api/sandboxes/default/snapshots/large"
    with served(tmp_path) as http:
        http.post("/apim/outlook/alice/v2/Mail", json=order).raise_for_status()
        if way == "restore":
            http.put(snapshot).raise_for_status()
            http.post(f"{snapshot}/restore").raise_for_status()
            order["Body"] = "x"
        http.post("/apim/outlook/alice/v2/Mail", json=order).raise_for_status()
        # The worker has one thread: this runs after the copy.
        log._worker().submit(int).result()
        size = (tmp_path / "default.sqlite").stat().st_size

    assert size > 1_000_000


def test_a_commit_succeeds_without_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can begin, as at a limit of the system, a request has its effect and its response."""

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(log, "MANY_ROWS", 1)
    monkeypatch.setattr(log, "_worker", refuse)
    order = {"To": "alice@outlook.com", "Subject": "Hello", "Body": "x"}
    with served(tmp_path) as http:
        statuses = [http.post("/apim/outlook/alice/v2/Mail", json=order).status_code for _ in range(2)]
        mails = http.get("/apim/outlook/alice/v2/Mail").json()["value"]

    assert ([200, 200], 2) == (statuses, len(mails))


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
