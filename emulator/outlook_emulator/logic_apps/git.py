"""Hides changed files from git, so that a patch is never committed, and shows them again.

A tracked file gets the bit that git calls skip-worktree, and a new one a line in the `info/exclude` of the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from outlook_emulator.logic_apps.errors import PatchError
from outlook_emulator.logic_apps.report import Report, counted, silent

_SPECIAL = re.compile(r"[\\*?\[\] ]")
_TRIES, _PAUSE = 20, 0.05
"""How often, and after how many seconds, the index is tried again while another process has it."""


def hide(paths: Sequence[Path], report: Report = silent) -> list[Path]:
    """Let git show files as unmodified, whatever their content is; returns the files that git does hide.

    Without git, outside of a repository and for ignored files there is nothing to hide.
    """
    hidden = []
    for path in counted(paths, "hiding from git", report):
        # What git refuses only stays visible; it must not keep a project from being patched.
        with suppress(PatchError):
            flag = _flag(path)
            if flag == "S" or (not flag and _is_ignored(path)):
                continue
            if flag:
                _update_index(path, "--skip-worktree")
            else:
                _exclude(path, add=True)
            hidden.append(path)
    return hidden


def show(paths: Sequence[Path], report: Report = silent) -> None:
    """Let git show modifications of files again. Raises PatchError."""
    for path in counted(paths, "showing to git", report):
        try:
            flag = _flag(path)
        except PatchError:
            # There is no repository any more.
            continue
        if flag == "S":
            _update_index(path, "--no-skip-worktree")
        elif not flag:
            _exclude(path, add=False)


def hidden_files(folder: Path) -> list[str]:
    """The files in a folder and below whose modifications git does not show; none without git."""
    try:
        lines = _git(folder, "ls-files", "-v").splitlines()
    except PatchError:
        return []
    return [name for flag, _, name in (line.partition(" ") for line in lines) if flag == "S"]


def _flag(path: Path) -> str:
    """The letter that `git ls-files -v` shows for a tracked file, empty for any other."""
    return _git(path.parent, "ls-files", "-v", "--", f":(literal){path.name}").partition(" ")[0]


def _is_ignored(path: Path) -> bool:
    try:
        _git(path.parent, "check-ignore", "--quiet", "--", path.name)
    except PatchError:
        return False
    return True


def _update_index(path: Path, flag: str) -> None:
    for left in reversed(range(_TRIES)):
        try:
            _git(path.parent, "update-index", flag, "--", path.name)
        except PatchError as error:
            if not left or "index.lock" not in str(error):
                raise
            time.sleep(_PAUSE)
        else:
            return


def _exclude(path: Path, *, add: bool) -> None:
    """Add or remove the line of a file in `info/exclude`."""
    prefix = _git(path.parent, "rev-parse", "--show-prefix").rstrip("\n")
    line = "/" + _SPECIAL.sub(r"\\\g<0>", prefix + path.name)
    file = path.parent / _git(path.parent, "rev-parse", "--git-path", "info/exclude").rstrip("\n")
    try:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        lines = [other for other in lines if other != line] + [line] * add
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{each}\n" for each in lines), "utf-8")
    except OSError as error:
        raise PatchError(f"cannot write {file}: {error.strerror or error}") from None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    # Git sets these for its hooks, and they would name another repository than that of the folder.
    environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_INDEX_FILE")}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8")
    except OSError as error:
        raise PatchError(f"git cannot be run: {error.strerror or error}") from None
    except subprocess.CalledProcessError as error:
        raise PatchError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from None
    return done.stdout
