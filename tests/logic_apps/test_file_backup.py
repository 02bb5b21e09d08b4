"""Files that change together, with their originals kept: either all change or none, and all can be restored."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.logic_apps import file_backup
from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.file_backup import Change
from outlook_emulator.logic_apps.value_edits import ValueEdit


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files; the first is the anchor."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        path.write_bytes(path.stem.encode())
    return paths


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(files: list[Path], after: bytes) -> None:
    changes = {path: Change(path.read_bytes() if path.exists() else None, after) for path in files}
    file_backup.change(files[0], changes)


def kept(files: list[Path]) -> Path:
    """Return the folder of the originals."""
    return files[0].with_name(".outlook-emulator")


def unedited(files: list[Path]) -> list[tuple[Path, bool]]:
    return [(path, False) for path in files]


def test_change_and_restore(files: list[Path]) -> None:
    """Files change together and are restored exactly, and no other files remain."""
    before = everything(files[0].parent)
    change(files, b"new")
    between = [path.read_bytes() for path in files]
    back = file_backup.restore(files[0])

    assert ([b"new", b"new"], unedited(files)) == (between, back)
    assert before == everything(files[0].parent)
    assert not kept(files).exists()


def test_new_file(files: list[Path], tmp_path: Path) -> None:
    """A file that the change made is removed by a restore, also if the user has removed it."""
    new = tmp_path / "three.json"
    for is_removed in (False, True):
        change([*files, new], b"new")
        assert b"new" == new.read_bytes()
        if is_removed:
            new.unlink()
        file_backup.restore(files[0])
        assert {"one.json": b"one", "two.json": b"two"} == everything(tmp_path)


def test_second_change_keeps_the_original(files: list[Path]) -> None:
    """Each original is kept, and a second change keeps the first original."""
    change(files, b"new")
    change(files[:1], b"newer")

    assert b"newer" == files[0].read_bytes()
    names = ["one.json.0.one.json", "one.json.1.two.json"]
    assert [b"one", b"two"] == [(kept(files) / name).read_bytes() for name in names]
    file_backup.restore(files[0])
    assert [b"one", b"two"] == [path.read_bytes() for path in files]


def test_folder_ignores_itself(files: list[Path]) -> None:
    """The folder of the originals tells git to ignore everything in it."""
    change(files, b"new")

    assert ["*"] == (kept(files) / ".gitignore").read_text().splitlines()[-1:]


def test_two_anchors_in_a_folder(files: list[Path]) -> None:
    """Two anchors in one folder are restored independently."""
    change(files[:1], b"new")
    change(files[1:], b"new")

    for path in files:
        file_backup.restore(path)
    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


def test_nothing_to_restore(files: list[Path]) -> None:
    """Files without a patch cannot be restored, also after a restore."""
    place = kept(files) / "one.json.record"
    reason = f"{files[0]} is not patched, or its backup is gone: there is no {place}"
    for _ in range(2):
        with pytest.raises(PatchError) as refused:
            file_backup.restore(files[0])
        assert reason == str(refused.value)
        change(files, b"new")
        file_backup.restore(files[0])


@pytest.mark.parametrize(("by_hand", "reason"), [(b"mine", "edited"), (None, "deleted")])
def test_restore_of_an_edited_file(files: list[Path], by_hand: bytes | None, reason: str) -> None:
    """If a file was edited or removed after the patch, nothing is restored without force."""
    change(files, b"new")
    files[1].unlink()
    if by_hand is not None:
        files[1].write_bytes(by_hand)
    before = everything(files[0].parent)
    with pytest.raises(PatchError, match=rf"two\.json was {reason} after it was patched; --force"):
        file_backup.restore(files[0])

    assert before == everything(files[0].parent)
    file_backup.restore(files[0], force=True)
    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


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
    original = kept(files) / "one.json.1.two.json"
    original.unlink()
    if content is not None:
        original.write_bytes(content)
    reason = r"one\.json\.1\.two\.json(; restore the file from version control| was edited)"
    for force in (False, True):
        with pytest.raises(PatchError, match=reason):
            file_backup.restore(files[0], force=force)
    with pytest.raises(PatchError, match=reason):
        change(files, b"newer")

    assert [b"new"] * 2 == [path.read_bytes() for path in files]


@pytest.mark.parametrize("content", [b"other", None])
def test_original_rebuilt_from_the_values(files: list[Path], content: bytes | None) -> None:
    """Without its original, a file is restored from the changed values, if this gives the original bytes."""
    files[1].write_bytes(b'{"a": 1, "b" : "x"}')
    values = [ValueEdit(("a",), "1", "2"), ValueEdit(("c",), None, "3")]
    file_backup.change(files[0], {files[1]: Change(files[1].read_bytes(), b'{"a": 2, "b" : "x", "c": 3}', values)})
    original = kept(files) / "one.json.0.two.json"
    original.unlink()
    if content is not None:
        original.write_bytes(content)

    assert unedited(files[1:]) == file_backup.restore(files[0])
    assert {"one.json": b"one", "two.json": b'{"a": 1, "b" : "x"}'} == everything(files[0].parent)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": []}',
        b'{"files": {"one.json": 1}}',
        b'{"files": {"one.json": {}}}',
        b'{"files": {"one.json": {"original": null, "patched": "", "copy": "../one.json"}}}',
        b"\xff",
    ],
)
def test_invalid_record(files: list[Path], content: bytes) -> None:
    """An invalid record of a patch is rejected by name, with the place of the originals."""
    change(files, b"new")
    (kept(files) / "one.json.record").write_bytes(content)

    reason = r"one\.json\.record is not a valid record of a patch; the originals are in .*\.outlook-emulator, if they"
    with pytest.raises(PatchError, match=reason):
        file_backup.restore(files[0])


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


@pytest.mark.parametrize("nth", range(1, 13))
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
    assert 0o600 == files[1].stat().st_mode & 0o777
    file_backup.restore(files[0])
    assert {"one.json": b"one", "two.json": b"two"} == everything(files[0].parent)


def test_missing_folder(tmp_path: Path) -> None:
    """A file that cannot be written is named in the error."""
    with pytest.raises(PatchError, match=r"cannot write .*: No such file or directory"):
        file_backup.write([(tmp_path / "none" / "file", b"")])


def test_permissions_stay(files: list[Path]) -> None:
    """Files keep their permissions, and only their owner can read the originals."""
    files[0].chmod(0o644)
    files[1].chmod(0o600)
    change(files, b"new")
    changed = [path.stat().st_mode & 0o777 for path in files]
    originals = {path.stat().st_mode & 0o777 for path in kept(files).iterdir()}
    file_backup.restore(files[0])

    assert ([0o644, 0o600], {0o600}) == (changed, originals)
    assert [0o644, 0o600] == [path.stat().st_mode & 0o777 for path in files]
