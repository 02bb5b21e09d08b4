"""A server in a process of its own, somebody who is none, and a stub that records what it is asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from outlook_emulator.cli import main
from outlook_emulator.settings import ENVIRONMENT_PREFIX
from tests.cli.commands import serving
from tests.stub import Stub, stubbed

Said = tuple[int, str, str]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about an emulator."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubbed() as server_stub:
        yield server_stub


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process: its exit code, and what it says on standard output and on standard error."""

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
    """A server for the commands that talk to one."""
    with serving("--port", "0") as (_, line):
        yield line.split()[2].removeprefix("url=")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def babbler() -> Iterator[str]:
    """The URL of something that speaks, but not HTTP."""
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
