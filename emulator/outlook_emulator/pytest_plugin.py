"""Hooks and fixtures for tests against the emulator. Loading this imports nothing: a fixture does when it is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from outlook_emulator.settings import Settings
    from outlook_emulator.testing import Clock, Connection, Faults, Journal, Outbox, Server
    from outlook_emulator.testing.marker import Marker

Answer = Callable[..., dict[str, Any]]
MakeOutlook = Callable[..., "Connection"]

_URL = "OUTLOOK_EMULATOR_URL"
_TOKEN = "OUTLOOK_EMULATOR_ADMIN_TOKEN"
_CA_FILE = "OUTLOOK_EMULATOR_CA_FILE"
_AUTHORIZATION = "OUTLOOK_EMULATOR_AUTHORIZATION"
_MARKER = (
    "outlook(seed=NAME, faults=[RULE, ...], clock=INSTANT, transport='http'|'app', unused_faults='fail'|'allow'): "
    "what is in the sandbox that the test gets from the fixture outlook, and how that is reached"
)
_MADE = pytest.StashKey["Connection"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("outlook", "Outlook Connector Emulator")
    group.addoption(
        "--outlook-url",
        metavar="URL",
        help=f"test against an emulator that is up already, each test in a sandbox of its own there (${_URL})",
    )
    group.addoption(
        "--outlook-transport",
        choices=("http", "app"),
        help="reach the emulator over http (default), or as an app inside of the test's process",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("outlook_url") and config.getoption("outlook_transport") == "app":
        raise pytest.UsageError("--outlook-transport=app needs no server: leave --outlook-url away")


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Whether the test uses a fixture of ours or not: a marker that says nothing is a mistake.
    if item.get_closest_marker("outlook") is not None:
        _marker(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    # A test that fails or is skipped goes no further than this: it has a better reason than an unused fault.
    yield
    if (made := item.stash.get(_MADE, None)) is not None:
        _check_faults(_marker(item), made.sandbox.faults)


@pytest.fixture(scope="session")
def outlook_settings() -> Settings | None:
    """How the tests' own server behaves; to be overridden. None means as it comes."""
    return None


@pytest.fixture(scope="session")
def outlook_server(pytestconfig: pytest.Config, outlook_settings: Settings | None) -> Iterator[Server]:
    """The server that the run's tests share: one of its own, or the one that is up at `--outlook-url`."""
    if url := pytestconfig.getoption("outlook_url") or os.environ.get(_URL):
        with _server_at(url) as server:
            yield server
        return
    from outlook_emulator.testing import Server

    with Server.started(outlook_settings) as server:
        yield server


@pytest.fixture(scope="session")
def _outlook_app_server(outlook_settings: Settings | None) -> Iterator[Server]:
    """The app that the run's tests share where there is no socket."""
    from outlook_emulator.testing import Server

    with Server.in_process(outlook_settings) as server:
        yield server


@pytest.fixture
def outlook(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A mailbox and the connection that opens it, in a fresh sandbox that is gone after the test.

    `url` is the runtime URL for the code under test, `http` a client that starts there, `client()` Microsoft's own;
    `deliver` and `mails` are the mailbox, `sandbox` is the world around it. The marker `outlook` says what is in there.
    A test that passes fails all the same where a fault was never used.
    """
    marker = _marker(request.node)
    server = request.getfixturevalue(_server_fixture(request, marker))
    made = server.connect(seed=marker.seed, clock=marker.clock, label=_label(request.node))
    try:
        if marker.faults:
            made.sandbox.faults.add(*marker.faults)
        request.node.stash[_MADE] = made
        yield made
    finally:
        made.sandbox.close()


@pytest.fixture
def outlook_app(outlook: Connection) -> Connection:
    """The same as `outlook`, in this process and without a socket, whatever the run's transport is.

    `outlook_app.sandbox.server.app` is the ASGI app.
    """
    if outlook.sandbox.server.app is None:
        pytest.fail(
            "Ask for outlook_app by the test's arguments: its sandbox has been made on a server.", pytrace=False
        )
    return outlook


@pytest.fixture
def make_outlook(outlook: Connection) -> MakeOutlook:
    """A function that adds mailboxes to the test's sandbox; see `outlook_emulator.testing.Sandbox.connect`."""
    numbers = count(2)

    def make(name: str | None = None, address: str | None = None, **mailbox: Any) -> Connection:
        made_up = name or mailbox.get("seed") or f"mailbox{next(numbers)}"
        return outlook.sandbox.connect(made_up, address, **mailbox)

    return make


@pytest.fixture
def outlook_clock(outlook: Connection) -> Clock:
    """The clock of the test's sandbox."""
    return outlook.sandbox.clock


@pytest.fixture
def outlook_faults(outlook: Connection) -> Faults:
    """The faults of the test's sandbox."""
    return outlook.sandbox.faults


@pytest.fixture
def outlook_outbox(outlook: Connection) -> Outbox:
    """The mails that left the test's sandbox."""
    return outlook.sandbox.outbox


@pytest.fixture
def outlook_journal(outlook: Connection) -> Journal:
    """What was asked of the test's sandbox, and what it answered."""
    return outlook.sandbox.journal


@pytest.fixture
def outlook_answer(request: pytest.FixtureRequest) -> Answer:
    """A function that answers the newest open approval mail or mail with options, as a click in it would.

    `outlook_answer("Approve", subject="Budget")` picks the question by a part of its subject, in the test's sandbox
    where it has one, and gives the question as the admin API has it. With `sandbox="t1"`, or in a test without one, it
    is a sandbox of the emulator at `OUTLOOK_EMULATOR_URL`. The test fails when nothing is open, or when the emulator
    refuses.
    """

    def answer(option: str, *, subject: str = "", sandbox: str | None = None) -> dict[str, Any]:
        if sandbox is None and "outlook" in request.fixturenames:
            own: Connection = request.getfixturevalue("outlook")
            return own.sandbox.answer(option, subject=subject)
        from outlook_emulator.client import server_url
        from outlook_emulator.testing import Sandbox

        with _server_at(server_url()) as server:
            # Not closed, which would delete what is somebody else's.
            return Sandbox(server, sandbox or "default").answer(option, subject=subject)

    return answer


@contextmanager
def _server_at(url: str) -> Iterator[Server]:
    """The emulator that is up at a URL, with what the environment says of the way to it. Raises ConnectionError."""
    from outlook_emulator.testing.server import Server, credential_for

    token, ca_file = os.environ.get(_TOKEN, ""), os.environ.get(_CA_FILE)
    credential = credential_for(os.environ.get(_AUTHORIZATION, ""))
    with Server(url, token=token, ca_file=ca_file, credential=credential) as server:
        server.check()
        yield server


def _marker(item: pytest.Item) -> Marker:
    """What the test's markers ask for. Fails the test where they ask for what there is not."""
    from outlook_emulator.testing.marker import read_marks

    try:
        return read_marks((one.args, one.kwargs) for one in item.iter_markers("outlook"))
    except ValueError as error:
        said = str(error)
    # Not in there, where pytest would show the error a second time.
    pytest.fail(said, pytrace=False)


def _server_fixture(request: pytest.FixtureRequest, marker: Marker) -> str:
    transport = marker.transport or request.config.getoption("outlook_transport")
    if "outlook_app" in request.fixturenames:
        if marker.transport == "http":
            pytest.fail("outlook_app has no socket: leave away the marker's transport='http'", pytrace=False)
        transport = "app"
    return "_outlook_app_server" if transport == "app" else "outlook_server"


def _label(item: pytest.Item) -> str:
    """The beginning of the sandbox's name: which test it is, and on which worker of pytest-xdist."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"{worker}-{item.name}"


def _check_faults(marker: Marker, faults: Faults) -> None:
    if not faults.armed or marker.unused_faults == "allow":
        return
    if complaint := faults.complaint():
        pytest.fail(complaint, pytrace=False)
