"""Files that change together, with backups beside them: either all change or none, and all can be restored."""

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


def test_change_and_restore(files: list[Path]) -> None:
    """Files change together and are restored exactly, and no other files remain."""
    before = everything(files[0].parent)
    change(files, b"new")
    between = [path.read_bytes() for path in files]
    back = file_backup.restore(files[0])

    assert ([b"new", b"new"], files) == (between, back)
    assert before == everything(files[0].parent)


def test_second_change_keeps_the_original(files: list[Path]) -> None:
    """Each original is kept beside its file, and a second change keeps the first original."""
    change(files, b"new")
    change(files[:1], b"newer")

    assert b"newer" == files[0].read_bytes()
    assert [b"one", b"two"] == [path.with_name(f"{path.name}.outlook-emulator.bak").read_bytes() for path in files]
    file_backup.restore(files[0])
    assert [b"one", b"two"] == [path.read_bytes() for path in files]


def test_nothing_to_restore(files: list[Path]) -> None:
    """Files without a patch cannot be restored, also after a restore."""
    reason = f"{files[0]} is not patched, or its originals are gone: one.json.outlook-emulator.patched is missing"
    for _ in range(2):
        with pytest.raises(PatchError) as refused:
            file_backup.restore(files[0])
        assert reason == str(refused.value)
        change(files, b"new")
        file_backup.restore(files[0])


@pytest.mark.parametrize("by_hand", [b"mine", None])
def test_restore_of_an_edited_file(files: list[Path], by_hand: bytes | None) -> None:
    """If a file was edited or removed after the patch, nothing is restored without force."""
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


def test_change_of_an_edited_file(files: list[Path]) -> None:
    """An edited file is not changed again without force, and after a forced change it still counts as edited."""
    change(files, b"new")
    files[1].write_bytes(b"mine")
    with pytest.raises(PatchError, match=r"two\.json was edited"):
        change(files, b"newer")
    assert b"new" == files[0].read_bytes()

    change(files, b"newer", force=True)
    assert [b"newer"] * 2 == [path.read_bytes() for path in files]
    with pytest.raises(PatchError, match=r"two\.json was edited"):
        file_backup.restore(files[0])


def test_file_restored_by_hand(files: list[Path]) -> None:
    """A file that was already restored by hand does not prevent another change or a restore."""
    change(files, b"new")
    files[1].write_bytes(b"two")
    change(files, b"newer")
    files[1].write_bytes(b"two")
    file_backup.restore(files[0])

    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


@pytest.mark.parametrize("content", [b"other", None])
def test_missing_original(files: list[Path], content: bytes | None) -> None:
    """If an original is missing or different, nothing is restored or changed, even with force."""
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
def test_invalid_record(files: list[Path], content: bytes) -> None:
    """An invalid record of a patch is rejected by name."""
    change(files, b"new")
    files[0].with_name("one.json.outlook-emulator.patched").write_bytes(content)

    with pytest.raises(PatchError, match=r"one\.json\.outlook-emulator\.patched is not a valid record of a patch"):
        file_backup.restore(files[0])


def test_existing_backup(files: list[Path]) -> None:
    """A different existing backup is not overwritten, but one with the same content, as after a crash, is."""
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
    """A disk that is full at the nth operation."""

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
def test_change_all_or_none(files: list[Path], monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """If any step of a change fails, all files keep their content and no other files remain."""
    before = everything(files[0].parent)
    with monkeypatch.context() as patched:
        Disk(patched, nth)
        with pytest.raises(PatchError, match=r"^cannot write somewhere: No space left"):
            change(files, b"new")

    assert before == everything(files[0].parent)


@pytest.mark.parametrize("nth", range(1, 8))
def test_restore_all_or_none(files: list[Path], monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """If any step of a restore fails, all files keep their content and can still be restored."""
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


def test_missing_folder(tmp_path: Path) -> None:
    """A file that cannot be written is named in the error."""
    with pytest.raises(PatchError, match=r"cannot write .*: No such file or directory"):
        file_backup.write([(tmp_path / "none" / "file", b"")])


def test_permissions_stay(files: list[Path]) -> None:
    """Backups have the permissions of their files, and so do the restored files."""
    files[0].chmod(0o644)
    files[1].chmod(0o600)
    change(files, b"new")
    modes = {path.name: path.stat().st_mode & 0o777 for path in files[0].parent.iterdir()}
    file_backup.restore(files[0])

    assert {0o644} == {mode for name, mode in modes.items() if name.startswith("one.json")}
    assert {0o600} == {mode for name, mode in modes.items() if name.startswith("two.json")}
    assert [0o644, 0o600] == [path.stat().st_mode & 0o777 for path in files]
