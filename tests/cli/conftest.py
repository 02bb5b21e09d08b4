"""Fixtures for the command line: a server process, unreachable servers, and a stub that records requests."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from outlook_emulator.certificates import FOLDER
from outlook_emulator.cli import main
from outlook_emulator.settings import ENVIRONMENT_PREFIX
from tests.cli.commands import serving
from tests.stub import Stub, stubbed

Said = tuple[int, str, str]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all variables of the emulator from the environment, except the folder of the tests' own CA."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX) and name != FOLDER]:
        monkeypatch.delenv(name)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubbed() as server_stub:
        yield server_stub


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command in this process and return its exit code, standard output and standard error."""

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with serving("--port", "0") as (_, line):
        yield line.split()[2].removeprefix("url=")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A bound port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def babbler() -> Iterator[str]:
    """The URL of a server that does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            wire, _ = listener.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(b"Hello, who is there?\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
