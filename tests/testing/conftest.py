"""Fixtures that run each test over a socket and in process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.testing import Connection, Sandbox, Server
from tests.conftest import START


@pytest.fixture(scope="session")
def hosted() -> Iterator[Server]:
    """An app in this process with a clock at `START`."""
    with Server.in_process(clock=VirtualClock(START)) as server:
        yield server


@pytest.fixture(params=["http", "app"])
def place(request: pytest.FixtureRequest) -> Iterator[Server]:
    """An emulator, reached over a socket or in process; its sandboxes are deleted after the test."""
    if request.param == "app":
        yield request.getfixturevalue("hosted")
        return
    with Server(request.getfixturevalue("server").url) as server:
        yield server


@pytest.fixture
def box(place: Server) -> Iterator[Sandbox]:
    with place.sandbox("box") as sandbox:
        yield sandbox


@pytest.fixture
def ann(box: Sandbox) -> Connection:
    return box.connect("ann")
