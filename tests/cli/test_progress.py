"""The progress of long work: a line on a terminal, and nothing where standard error is not one."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from outlook_emulator.cli import progress
from outlook_emulator.testing import Connection
from tests.cli.commands import CLEAN, command


class Terminal(io.StringIO):
    """A stream that is a terminal; `is_drawn` is set when a line was written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_drawn = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        length = super().write(text)
        self.is_drawn.set()
        return length


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal as standard error, on which progress shows at once."""
    terminal = Terminal()
    # pytest sets sys.stderr itself before the test begins.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setattr(progress, "_DELAY", 0)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


@pytest.mark.parametrize(
    ("unit", "done", "total", "expected"),
    [
        ("files", 0, 0, "packing  3 s"),
        ("files", 7, 0, "packing  7 files  3 s"),
        ("files", 0, 8, "packing  [--------------------]    0%  0 of 8 files  3 s"),
        ("files", 2, 8, "packing  [#####---------------]   25%  2 of 8 files  3 s"),
        ("files", 8, 8, "packing  [####################]  100%  8 of 8 files  3 s"),
        (progress.BYTES, 1_250_000, 5_000_000, "packing  [#####---------------]   25%  1.2 of 5.0 MB  3 s"),
    ],
)
def test_line(unit: str, done: int, total: int, expected: str) -> None:
    """A line has a bar if the total is known, and counts if there are any."""
    work = progress.Progress("packing", unit)
    work.count(done, total)

    assert expected == work.line(3.2)


def test_line_is_erased(terminal: Terminal) -> None:
    """At the end of the work, blanks replace the line, also if the work fails."""
    with suppress(ValueError), progress.shown("packing", "files"):
        assert terminal.is_drawn.wait(10)
        raise ValueError

    assert terminal.getvalue().startswith("\rpacking  0 s")
    assert terminal.getvalue().endswith(f"\r{' ' * len('packing  0 s')}\r")


def test_inner_work_is_not_shown(terminal: Terminal) -> None:
    """A request inside of longer work does not draw over its line, and later work shows again."""
    with progress.shown("outer"):
        assert terminal.is_drawn.wait(10)
        with progress.shown("inner"):
            pass
    terminal.is_drawn.clear()
    with progress.shown("later"):
        assert terminal.is_drawn.wait(10)

    assert "inner" not in terminal.getvalue()
    assert "later" in terminal.getvalue()


def test_dumb_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot redraw a line shows nothing."""
    monkeypatch.setenv("TERM", "dumb")
    threads = threading.active_count()
    with progress.shown("packing"):
        assert threads == threading.active_count()

    assert terminal.getvalue() == ""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo terminals")
def test_commands(alice: Connection) -> None:
    """A command that takes long shows it on a terminal, and writes nothing to a pipe; both print the same result."""
    sandbox = alice.sandbox
    server = ["--url", sandbox.server.url, "--sandbox", sandbox.name]
    wait = command("mail", "wait", "--connection", alice.id, "--timeout", "60", *server)
    environment = CLEAN | {"TERM": "xterm"}
    terminal, device = os.openpty()
    with (
        os.fdopen(terminal, "rb", buffering=0) as screen,
        subprocess.Popen(wait, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as piped,
        subprocess.Popen(wait, env=environment, stdout=subprocess.PIPE, stderr=device, text=True) as shown,
    ):
        os.close(device)
        drawn = b""
        while b"waiting for the emulator  1 s" not in drawn:
            drawn += screen.read(1000)
        alice.deliver(subject="Hello")
        # Read while the terminal is open: what its last user wrote may be lost otherwise.
        result, _ = shown.communicate()
        drawn = screen.read(1000)
        expected = piped.communicate()

    assert drawn.endswith(b" \r")
    assert "Hello" in result
    assert (result, "") == expected
