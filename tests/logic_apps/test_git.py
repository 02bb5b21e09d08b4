"""Changed files that git hides, and shows again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from outlook_emulator.logic_apps import git
from outlook_emulator.logic_apps.errors import PatchError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


class Repository:
    """A repository with a committed file and an ignored one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run("init", "-q")
        self.tracked, self.ignored, self.new = (folder / name for name in ("tracked", "ignored", "new [*] file"))
        self.tracked.write_text("1")
        (folder / ".gitignore").write_text("ignored\n")
        self.run("add", "-A")
        self.run("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--no-gpg-sign", "-m", "x")
        self.ignored.write_text("1")

    def run(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def state(self) -> list[str]:
        return self.run("status", "--porcelain").splitlines()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_hide_and_show(repository: Repository) -> None:
    """A modified file and a new one disappear from the status, and appear again; an ignored one needs nothing."""
    exclude = repository.folder / ".git/info/exclude"
    before = exclude.read_bytes()
    hidden = git.hide([repository.tracked, repository.ignored, repository.new])
    repository.tracked.write_text("2")
    repository.new.write_text("2")

    assert ([repository.tracked, repository.new], []) == (hidden, repository.state())
    assert ["tracked"] == git.hidden_files(repository.folder)
    git.show(hidden)
    assert [" M tracked", '?? "new [*] file"'] == repository.state()
    assert (before, []) == (exclude.read_bytes(), git.hidden_files(repository.folder))


def test_file_that_the_user_hides(repository: Repository) -> None:
    """A file that the user hides already is not reported, so that it stays hidden."""
    repository.run("update-index", "--skip-worktree", "tracked")

    assert [] == git.hide([repository.tracked])


def test_without_a_repository(tmp_path: Path) -> None:
    """Outside of a repository there is nothing to hide or to show."""
    path = tmp_path / "file"

    assert ([], []) == (git.hide([path]), git.hidden_files(tmp_path))
    git.show([path])


def test_without_git(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program git, nothing is hidden."""
    monkeypatch.setenv("PATH", "")

    assert [] == git.hide([repository.tracked])


def test_repository_of_a_hook(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a hook, git means the repository of the file, not that of the hook."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))

    assert [repository.tracked] == git.hide([repository.tracked])


def test_busy_index(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has the index, hiding and showing are tried again; at last, showing is an error."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    lock = repository.folder / ".git/index.lock"
    lock.touch()

    assert [] == git.hide([repository.tracked])
    lock.unlink()
    git.hide([repository.tracked])
    lock.touch()
    with pytest.raises(PatchError, match=r"update-index --no-skip-worktree -- tracked` failed: .*index\.lock"):
        git.show([repository.tracked])
    assert len(pauses) > 2


def test_index_that_gets_free(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is hidden as soon as the index is free."""
    lock = repository.folder / ".git/index.lock"
    lock.touch()
    monkeypatch.setattr("time.sleep", lambda _: lock.unlink())

    assert [repository.tracked] == git.hide([repository.tracked])
