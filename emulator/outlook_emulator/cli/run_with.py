"""Runs a command with an emulator: two child processes, and signals passed on to the right one."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import outlook_emulator
from outlook_emulator import client
from outlook_emulator.cli import output, serve
from outlook_emulator.environment import changes
from outlook_emulator.seed_folder import connection_id
from outlook_emulator.settings import ENVIRONMENT_PREFIX, Settings, listed, options

_READY = "outlook-emulator ready "
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")
_STOP_TIMEOUT = 10.0
"""Seconds to wait for the server to stop before it is killed."""
_LOG = f"{ENVIRONMENT_PREFIX}LOG"
_NOT_EXECUTABLE, _NOT_FOUND, _SIGNALLED = 126, 127, 128
"""Exit codes as in a shell; the number of a signal is added to the last one."""


def run(arguments: argparse.Namespace) -> int:
    """Run `arguments.command` with an emulator of its own; returns the exit code of the command."""
    try:
        settings = serve.settings_of(arguments)
    except ValueError as error:
        return output.fail(str(error))
    signals = _Signals()
    with TemporaryDirectory(prefix="outlook-emulator-") as folder, signals.caught(), _started(arguments) as server:
        # A signal during the start ends the server, and with it the wait for its first line.
        signals.send_to(lambda number: server.terminate())
        ready = _ready(server)
        signals.send_to(None)
        if signals.last:
            return _SIGNALLED + signals.last
        if ready is None:
            return 1
        status = _run_command(arguments.command, environment(settings, ready, Path(folder)), signals)
        if server.poll() is not None:
            output.fail(f"the emulator ended before the command did, with exit code {server.returncode}")
        return status


def environment(settings: Settings, ready: str, folder: Path) -> dict[str, str]:
    """The environment of the command; `ready` is the line that the server printed when it was ready.

    Certificates for the command are written to `folder`.
    """
    facts = client.ready_facts(ready)
    # The first sample, which has a connection of its own name.
    connection = next((connection_id(seed) for seed in listed(settings.seed)), "me")
    variables: dict[str, str | None] = {**os.environ}
    variables |= changes(
        facts["url"], f"{facts['url']}/apim/outlook/{connection}", settings.identity_header, facts.get("ca"), folder
    )
    if settings.admin_token:
        variables[client.TOKEN] = settings.admin_token
    # From the variables of these settings, the pytest plugin takes the credentials of its connections.
    for option in options():
        if option.name in ("authorization", "identity_header") and getattr(settings, option.name) != option.default:
            variables[option.variable] = getattr(settings, option.name)
    return {name: value for name, value in variables.items() if value is not None}


class _Signals:
    """Passes signals on to a receiver. Without a receiver, it keeps the last signal for the next one."""

    def __init__(self) -> None:
        self.last = 0
        self._kept = 0
        self._pass_on: Callable[[int], object] | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
        # An ignored signal stays ignored, as it does for any command under nohup.
        handlers = {number: signal.getsignal(number) for number in numbers}
        before = {number: handler for number, handler in handlers.items() if handler != signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._take)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def send_to(self, pass_on: Callable[[int], object] | None) -> None:
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
    """Start a server process; it is stopped when the block ends."""
    chosen = {option.flag: getattr(arguments, option.name) for option in options()}
    flags = [f"{flag}={value}" for flag, value in chosen.items() if value is not None]
    # The child must find this package, not a folder of the same name in the current directory.
    path = [str(Path(outlook_emulator.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "outlook_emulator.cli.child_server", "serve", "--port=0", *flags],
        # Without lines of requests between those of the command, unless the user asked for them.
        env={_LOG: "none", **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        # Nothing is written to it: its end tells the child that this process is gone.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        # Signals of the terminal must only reach the command.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    ) as server:
        try:
            yield server
        finally:
            _stop(server)


def _stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()


def _ready(server: subprocess.Popen[str]) -> str | None:
    """The line that a server prints when it is ready, None if it does not start."""
    assert server.stdout is not None
    return next((line.rstrip("\n") for line in server.stdout if line.startswith(_READY)), None)


def _run_command(command: Sequence[str], environment: dict[str, str], signals: _Signals) -> int:
    """Run the command to its end; returns its exit code as a shell does."""
    try:
        with subprocess.Popen(_runnable(command), env=environment) as process:
            signals.send_to(partial(_pass_on, process))
            status = process.wait()
            signals.send_to(None)
    except FileNotFoundError:
        output.fail(f"{command[0]}: command not found")
        return _NOT_FOUND
    except OSError as error:
        output.fail(f"{command[0]} cannot be run: {error.strerror}")
        return _NOT_EXECUTABLE
    return status if status >= 0 else _SIGNALLED - status


def _runnable(command: Sequence[str]) -> Sequence[str]:
    """A command as the system can run it: Windows finds `npm.cmd` only by its whole name, not by `npm`."""
    if sys.platform != "win32":
        return command
    return [shutil.which(command[0]) or command[0], *command[1:]]


def _pass_on(process: subprocess.Popen[bytes], number: int) -> None:
    # The terminal sends Ctrl-C to the command itself, and pytest aborts on a second one.
    if number != signal.SIGINT or not _is_in_the_foreground():
        process.send_signal(number)


def _is_in_the_foreground() -> bool:
    """Whether this process is in the foreground of its terminal, which then sends Ctrl-C to the command as well."""
    if sys.platform == "win32":
        return True
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
