"""Running a command beside an emulator that lasts as long: two child processes, and signals for the right one."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import outlook_emulator
from outlook_emulator import client
from outlook_emulator.cli import output
from outlook_emulator.settings import ENVIRONMENT_PREFIX, options

_READY = "outlook-emulator ready "
_FACT = re.compile(r"(url|store|ca)=(.*?)(?= (?:url|store|ca)=|$)")
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")
_PATIENCE = 10.0
"""Seconds that a server has to stop before it is killed."""
_NOT_EXECUTABLE, _NOT_FOUND, _SIGNALLED = 126, 127, 128
"""Exit codes as shells give them; to the last one the number of a signal is added."""


def run(arguments: argparse.Namespace) -> int:
    """Run `arguments.command` with an emulator set up as `given` says; the exit code."""
    signals = _Signals()
    with signals.caught(), _started(arguments) as server:
        signals.lead_to(lambda number: server.terminate())
        ready = _ready(server)
        signals.lead_to(None)
        if signals.last:
            return _SIGNALLED + signals.last
        if ready is None:
            return 1
        status = _run_beside(arguments.command, environment(arguments, ready), signals)
        if server.poll() is not None:
            output.fail(f"the emulator ended before the command did, with exit code {server.returncode}")
        return status


def environment(arguments: argparse.Namespace, ready: str) -> dict[str, str]:
    """What the command finds in its environment, by the line that the server said it is ready with."""
    facts = dict(_FACT.findall(ready))
    found = {**os.environ, client.URL: facts["url"]}
    if "ca" in facts:
        found |= {client.CA_FILE: facts["ca"], "NODE_EXTRA_CA_CERTS": facts["ca"]}
    if token := getattr(arguments, "admin_token", None):
        found[client.TOKEN] = token
    if authorization := getattr(arguments, "authorization", None):
        # The setting's variable: the pytest plugin shows by it what the server wants to see.
        found[f"{ENVIRONMENT_PREFIX}AUTHORIZATION"] = authorization
    return found


class _Signals:
    """Passes signals on. One that comes while they lead nowhere is kept until they lead somewhere."""

    def __init__(self) -> None:
        self.last = 0
        self._kept = 0
        self._pass_on: Callable[[int], object] | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
        # One that is ignored stays so, as it does for what nohup runs.
        before = {one: signal.getsignal(one) for one in numbers if signal.getsignal(one) != signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._take)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def lead_to(self, pass_on: Callable[[int], object] | None) -> None:
        self._pass_on = pass_on
        if pass_on is not None and self._kept:
            kept, self._kept = self._kept, 0
            pass_on(kept)

    def _take(self, number: int, frame: object) -> None:
        self.last = number
        if self._pass_on is None:
            self._kept = number
        else:
            self._pass_on(number)


@contextmanager
def _started(arguments: argparse.Namespace) -> Iterator[subprocess.Popen[str]]:
    """A server that is on its way up; it is gone when the block ends."""
    chosen = {option.flag: getattr(arguments, option.name) for option in options()}
    flags = [f"{flag}={value}" for flag, value in chosen.items() if value is not None]
    # The child is to find this very package, whatever lies in the folder that the command is run in.
    path = [str(Path(outlook_emulator.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "outlook_emulator.cli.child_server", "serve", "--port=0", *flags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # What is typed at a terminal is for the command alone.
    ) as server:
        try:
            yield server
        finally:
            _stop(server)


def _stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()


def _ready(server: subprocess.Popen[str]) -> str | None:
    """The line that says where the server answers, None from one that does not start."""
    assert server.stdout is not None
    return next((line.rstrip("\n") for line in server.stdout if line.startswith(_READY)), None)


def _run_beside(command: Sequence[str], environment: dict[str, str], signals: _Signals) -> int:
    """Run the command to its end; its exit code as a shell would give it."""
    try:
        with subprocess.Popen(command, env=environment) as process:
            signals.lead_to(partial(_tell, process))
            status = process.wait()
            signals.lead_to(None)
    except FileNotFoundError:
        output.fail(f"{command[0]}: command not found")
        return _NOT_FOUND
    except OSError as error:
        output.fail(f"{command[0]} cannot be run: {error.strerror}")
        return _NOT_EXECUTABLE
    return status if status >= 0 else _SIGNALLED - status


def _tell(process: subprocess.Popen[bytes], number: int) -> None:
    # Ctrl-C at a terminal reaches the command without us, and twice is more than once: pytest gives up on it.
    if number != signal.SIGINT or not _is_in_the_foreground():
        process.send_signal(number)


def _is_in_the_foreground() -> bool:
    """Whether what is typed at the terminal that this process belongs to is meant for it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
