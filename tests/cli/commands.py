"""Run the command `outlook-emulator`: in a process of its own, as a user does, or in this one, which is quicker."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

from outlook_emulator.certificates import FOLDER
from outlook_emulator.cli import main
from outlook_emulator.settings import ENVIRONMENT_PREFIX
from tests.processes import HUNG_AFTER

READY = re.compile(r"outlook-emulator ready url=(http://\S+) store=(.+)\n")
CLEAN = {name: value for name, value in os.environ.items() if name == FOLDER or not name.startswith(ENVIRONMENT_PREFIX)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "outlook_emulator", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        command(*arguments), env=CLEAN | environment, capture_output=True, text=True, timeout=HUNG_AFTER
    )


def run_here(*arguments: str, content: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run a command in this process, with `content` on its standard input. Not for commands that serve."""
    streams = [io.TextIOWrapper(io.BytesIO(initial), encoding="utf-8") for initial in (content, b"", b"")]
    stdin, stdout, stderr = streams
    with patch.object(sys, "stdin", stdin), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            status = main(arguments)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
    texts = []
    for stream in (stdout, stderr):
        stream.seek(0)
        texts.append(stream.read())
    return subprocess.CompletedProcess(arguments, status, *texts)


def run_with_input(content: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with `content` on its standard input."""
    done = subprocess.run(command(*arguments), env=CLEAN, capture_output=True, input=content, timeout=HUNG_AFTER)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """Return the single line that a failed command wrote to standard error; its standard output must be empty."""
    assert (1, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    return line.removeprefix("outlook-emulator: ")


@contextmanager
def default_signals() -> Iterator[None]:
    """Processes started in the block react to Ctrl-C and hang-ups, even if this process ignores them as under nohup."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda number, frame: None)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server and wait until it is ready; yield the process and its first line of output."""
    whole = command("serve", *arguments)
    with default_signals():
        process = subprocess.Popen(
            whole, env=CLEAN | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()
