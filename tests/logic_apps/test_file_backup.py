"""Files that are changed together and can be put back: all or none, with their originals beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.logic_apps import file_backup
from outlook_emulator.logic_apps.file_backup import Change, PatchError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files; the first is the anchor."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        path.write_bytes(path.stem.encode())
    return paths


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def change(files: list[Path], after: bytes, force: bool = False) -> None:
    changes = {path: Change(path.read_bytes(), after) for path in files}
    file_backup.write(file_backup.prepare(files[0], changes, force=force))


def test_there_and_back(files: list[Path]) -> None:
    """Files change together, come back as they were, and nothing is left beside them."""
    before = everything(files[0].parent)
    change(files, b"new")
    between = [path.read_bytes() for path in files]
    back = file_backup.restore(files[0])

    assert ([b"new", b"new"], files) == (between, back)
    assert before == everything(files[0].parent)


def test_originals_are_beside(files: list[Path]) -> None:
    """Each original lies beside its file, and whoever changes a file again keeps the first one."""
    change(files, b"new")
    change(files[:1], b"newer")

    assert b"newer" == files[0].read_bytes()
    assert [b"one", b"two"] == [path.with_name(f"{path.name}.outlook-emulator.bak").read_bytes() for path in files]
    file_backup.restore(files[0])
    assert [b"one", b"two"] == [path.read_bytes() for path in files]


def test_nothing_to_restore(files: list[Path]) -> None:
    """Files that were not changed cannot be put back, nor twice."""
    reason = f"{files[0]} is not patched, or its originals are gone: one.json.outlook-emulator.patched is missing"
    for _ in range(2):
        with pytest.raises(PatchError) as refused:
            file_backup.restore(files[0])
        assert reason == str(refused.value)
        change(files, b"new")
        file_backup.restore(files[0])


@pytest.mark.parametrize("by_hand", [b"mine", None])
def test_changed_by_hand(files: list[Path], by_hand: bytes | None) -> None:
    """What was changed or removed by hand is not put back, and nothing else is, unless it is forced."""
    change(files, b"new")
    files[1].unlink()
    if by_hand is not None:
        files[1].write_bytes(by_hand)
    before = everything(files[0].parent)
    with pytest.raises(PatchError, match=r"two\.json was edited after it was patched; --force overwrites it"):
        file_backup.restore(files[0])

    assert before == everything(files[0].parent)
    file_backup.restore(files[0], force=True)
    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


def test_changed_again_after_a_change_by_hand(files: list[Path]) -> None:
    """What was changed by hand is not changed again unless it is forced, and is still told from what was not then."""
    change(files, b"new")
    files[1].write_bytes(b"mine")
    with pytest.raises(PatchError, match=r"two\.json was edited"):
        change(files, b"newer")
    assert b"new" == files[0].read_bytes()

    change(files, b"newer", force=True)
    assert [b"newer"] * 2 == [path.read_bytes() for path in files]
    with pytest.raises(PatchError, match=r"two\.json was edited"):
        file_backup.restore(files[0])


def test_put_back_by_hand(files: list[Path]) -> None:
    """A file that somebody put back already is no obstacle, to either way."""
    change(files, b"new")
    files[1].write_bytes(b"two")
    change(files, b"newer")
    files[1].write_bytes(b"two")
    file_backup.restore(files[0])

    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


@pytest.mark.parametrize("content", [b"other", None])
def test_original_that_is_lost(files: list[Path], content: bytes | None) -> None:
    """Without the originals as they were nothing is put back, not even by force."""
    change(files, b"new")
    original = files[1].with_name("two.json.outlook-emulator.bak")
    original.unlink()
    if content is not None:
        original.write_bytes(content)
    for force in (False, True):
        with pytest.raises(
            PatchError,
            match=r"two\.json\.outlook-emulator\.bak( is not the original|: No such file)",
        ):
            file_backup.restore(files[0], force=force)
        with pytest.raises(
            PatchError,
            match=r"two\.json\.outlook-emulator\.bak( is not the original|: No such file)",
        ):
            change(files, b"newer", force=force)

    assert [b"new"] * 2 == [path.read_bytes() for path in files]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"files": []}', b'{"files": {"one.json": 1}}', b'{"files": {"one.json": {}}}', b"\xff"],
)
def test_record_that_is_none(files: list[Path], content: bytes) -> None:
    """A record that somebody spoiled is refused by its name."""
    change(files, b"new")
    files[0].with_name("one.json.outlook-emulator.patched").write_bytes(content)

    with pytest.raises(PatchError, match=r"one\.json\.outlook-emulator\.patched is not a valid record of a patch"):
        file_backup.restore(files[0])


def test_somebody_elses_original(files: list[Path]) -> None:
    """An original of another patch is not overwritten; one that says the same, as a patch cut short leaves it, is."""
    place = files[1].with_name("two.json.outlook-emulator.bak")
    place.write_bytes(b"other")
    with pytest.raises(PatchError, match=r"two\.json\.outlook-emulator\.bak is in the way"):
        change(files, b"new")
    assert {"one.json": b"one", "two.json": b"two", place.name: b"other"} == everything(files[0].parent)

    place.write_bytes(b"two")
    change(files, b"new")
    file_backup.restore(files[0])
    assert [b"one", b"two"] == [path.read_bytes() for path in files]


class Disk:
    """A disk that is full at the nth thing that is done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
        self._left = nth
        for owner, name in ((tempfile, "mkstemp"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise OSError(28, "No space left on device", "somewhere")
            return step(*arguments, **keywords)

        return counted


@pytest.mark.parametrize("nth", range(1, 11))
def test_changed_all_or_none(files: list[Path], monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Whichever step of a change fails, all files are as they were, and nothing is left beside them."""
    before = everything(files[0].parent)
    with monkeypatch.context() as patched:
        Disk(patched, nth)
        with pytest.raises(PatchError, match=r"^cannot write somewhere: No space left"):
            change(files, b"new")

    assert before == everything(files[0].parent)


@pytest.mark.parametrize("nth", range(1, 8))
def test_put_back_all_or_none(files: list[Path], monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Whichever step of putting back fails, all files are as they were, and can still be put back."""
    files[1].chmod(0o600)
    change(files, b"new")
    before = everything(files[0].parent)
    with monkeypatch.context() as patched:
        Disk(patched, nth)
        with pytest.raises(PatchError, match=r"^cannot write somewhere: No space left"):
            file_backup.restore(files[0])

    assert before == everything(files[0].parent)
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files[0].parent.glob("two*")}
    file_backup.restore(files[0])
    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be written is named."""
    with pytest.raises(PatchError, match=r"cannot write .*: No such file or directory"):
        file_backup.write([(tmp_path / "none" / "file", b"")])


def test_permissions_stay(files: list[Path]) -> None:
    """What others may not read they may not read in a copy either, nor afterwards."""
    files[0].chmod(0o644)
    files[1].chmod(0o600)
    change(files, b"new")
    modes = {path.name: path.stat().st_mode & 0o777 for path in files[0].parent.iterdir()}
    file_backup.restore(files[0])

    assert {0o644} == {mode for name, mode in modes.items() if name.startswith("one.json")}
    assert {0o600} == {mode for name, mode in modes.items() if name.startswith("two.json")}
    assert [0o644, 0o600] == [path.stat().st_mode & 0o777 for path in files]
