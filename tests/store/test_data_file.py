"""A file of a database is known again, and one that took its place is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from outlook_emulator.store import data_file
from outlook_emulator.store.data_file import DataFile
from outlook_emulator.store.failures import FileLost


@pytest.fixture
def file(tmp_path: Path) -> DataFile:
    path = tmp_path / "box.sqlite"
    path.touch()
    file = DataFile(path)
    file.note_opened()
    return file


def test_a_file_that_was_written(file: DataFile) -> None:
    file.path.write_bytes(b"more")

    file.check()
    assert not file.is_lost


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_lost_file(file: DataFile, is_replaced: bool) -> None:
    """A file that was deleted or replaced is lost until it is back, also if it is opened again."""
    kept = file.path.rename(file.path.with_name("kept"))
    if is_replaced:
        shutil.copy(kept, file.path)
    file.note_opened()

    with pytest.raises(FileLost, match=r"box\.sqlite was deleted or replaced"):
        file.check()
    kept.replace(file.path)
    assert not file.is_lost


def test_it_is_looked_for_once_a_second(file: DataFile, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([5.0, 5.9, 6.0, 6.5])
    monkeypatch.setattr(data_file, "monotonic", lambda: next(times))

    assert [True, False, True, False] == [file.look_is_due() for _ in range(4)]
