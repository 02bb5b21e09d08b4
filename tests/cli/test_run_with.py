"""What `exec` does on Windows, with that platform's name in place of the real one. `make lint` checks types for it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import Any, cast

import pytest

from outlook_emulator.cli import run_with


class Command:
    """Stands in for the process of a command, and keeps the signals that it gets."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


def test_scripts_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is run by the file that the path has for it, since `npm` is `npm.cmd`; an unknown one stays."""
    monkeypatch.setattr(shutil, "which", {"npm": r"C:\node\npm.CMD"}.get)

    assert [r"C:\node\npm.CMD", "test"] == run_with._runnable(["npm", "test"])
    assert ["missing"] == run_with._runnable(["missing"])


def test_interrupt_is_not_passed_on() -> None:
    """The console sends Ctrl-C to the command itself, and a process cannot send it; other signals are passed on."""
    command = Command()
    for number in (signal.SIGINT, signal.SIGTERM):
        run_with._pass_on(cast("subprocess.Popen[Any]", command), number)

    assert [signal.SIGTERM] == command.signals
