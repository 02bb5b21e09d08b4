"""Completion of words in a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import CLEAN, command
from tests.processes import HUNG_AFTER


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_scripts(say: Callable[..., Any], shell: str) -> None:
    """`completion` prints a script for the shell that names the command."""
    status, out, error = say("completion", shell)

    assert (0, "") == (status, error)
    assert "outlook-emulator" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("outlook-emulator mail li", ["list"]),
        ("outlook-emulator clock fr", ["freeze"]),
        ("outlook-emulator serve --deleted-mail go", ["gone"]),
    ],
)
@pytest.mark.slow
def test_words(tmp_path: Path, line: str, words: list[str]) -> None:
    """Commands, actions and the values of settings are completed, in the way that the scripts ask for them."""
    answer = tmp_path / "words"
    question = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run(command(), env=CLEAN | question, timeout=HUNG_AFTER, check=True)

    assert words == answer.read_text().split("\n")


def test_without_the_extra(say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its extra, the command says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "argcomplete", None)
    status, out, error = say("completion", "bash")

    assert (1, "") == (status, out)
    assert "pip install 'outlook-connector-emulator[completion]'" in error
