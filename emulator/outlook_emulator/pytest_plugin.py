"""The pytest plugin: hooks and fixtures. It imports nothing else of the package until a fixture is used."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from outlook_emulator.settings import Settings
    from outlook_emulator.testing import (
        Callbacks,
        Clock,
        Connection,
        Faults,
        Journal,
        MakeOutlook,
        Outbox,
        OutlookAnswer,
        Server,
    )
    from outlook_emulator.testing.marker import Marker

_URL = "OUTLOOK_EMULATOR_URL"
_TOKEN = "OUTLOOK_EMULATOR_ADMIN_TOKEN"
_AUTHORIZATION = "OUTLOOK_EMULATOR_AUTHORIZATION"
_IDENTITY_HEADER = "OUTLOOK_EMULATOR_IDENTITY_HEADER"
_MARKER = (
    "outlook(seed=NAME|FOLDER|MAPPING, faults=[RULE, ...], clock=INSTANT, transport='http'|'app',"
    " unused_faults='fail'|'allow'): "
    "set up the sandbox of the fixture outlook, and choose its transport"
)
_CONNECTION = pytest.StashKey["Connection"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("outlook", "Outlook Connector Emulator")
    group.addoption(
        "--outlook-url",
        metavar="URL",
        help=f"test against a running emulator, with a new sandbox there for each test (${_URL})",
    )
    group.addoption(
        "--outlook-transport",
        choices=("http", "app"),
        help="reach the emulator over http (default), or run it as an app in the process of the tests",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("outlook_url") and config.getoption("outlook_transport") == "app":
        raise pytest.UsageError("--outlook-transport=app cannot be combined with --outlook-url")


def pytest_runtest_setup(item: pytest.Item) -> None:
    # A wrong marker is an error even in a test that uses no fixture of this plugin.
    if item.get_closest_marker("outlook") is not None:
        _marker(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    # Here and not in the teardown of a fixture, where pytest reports an error instead of a failed test.
    # If the test fails or is skipped, the exception passes through here, and unused faults do not matter.
    yield
    if (connection := item.stash.get(_CONNECTION, None)) is not None:
        _check_faults(_marker(item), connection.sandbox.faults)


@pytest.fixture(scope="session")
def outlook_settings() -> Settings | None:
    """The settings of the emulator that the run starts. Override it to change them; None means the defaults."""
    return None


@pytest.fixture(scope="session")
def outlook_server(pytestconfig: pytest.Config, outlook_settings: Settings | None) -> Iterator[Server]:
    """The emulator that all tests of the run share: a new one, or the one at `--outlook-url`."""
    if url := pytestconfig.getoption("outlook_url") or os.environ.get(_URL):
        with _server_at(url) as server:
            yield server
        return
    from outlook_emulator.testing import Server

    with Server.started(outlook_settings) as server:
        yield server


@pytest.fixture(scope="session")
def _outlook_app_server(outlook_settings: Settings | None) -> Iterator[Server]:
    """The app that all tests of the run share if they use no socket."""
    from outlook_emulator.testing import Server

    with Server.in_process(outlook_settings) as server:
        yield server


@pytest.fixture
def outlook(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A mailbox and its connection, in a new sandbox that is deleted after the test.

    `outlook.url` is the runtime URL for the code under test, `outlook.http` an httpx client for that URL, and
    `outlook.client()` Microsoft's own client. `outlook.deliver(...)` and `outlook.mails()` use the mailbox,
    `outlook.sandbox` controls everything else. The marker `outlook` sets the sandbox up.

    A test that passes still fails if it leaves a fault unused.
    """
    marker = _marker(request.node)
    # By name, so that only the server that the test needs is started.
    server = request.getfixturevalue(_server_fixture(request, marker))
    connection = server.connect(seed=marker.seed, clock=marker.clock, label=_label(request.node))
    try:
        if marker.faults:
            connection.sandbox.faults.add(*marker.faults)
        request.node.stash[_CONNECTION] = connection
        yield connection
    finally:
        connection.sandbox.close()


@pytest.fixture
def outlook_app(outlook: Connection) -> Connection:
    """The fixture `outlook` without a socket: the emulator is an ASGI app in the process of the test.

    `outlook_app.sandbox.server.app` is the app.
    """
    # The fixture `outlook` chooses its server by the test's arguments, and cannot see a later `getfixturevalue`.
    if outlook.sandbox.server.app is None:
        pytest.fail(
            "The sandbox is on a server already: request outlook_app as an argument of the test.", pytrace=False
        )
    return outlook


@pytest.fixture
def outlook_environment(
    outlook: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str | None]:
    """Environment variables that lead code and its child processes to `outlook`, set for the duration of the test.

    `OUTLOOK_CONNECTION_URL` is the runtime URL. `DefaultAzureCredential` gets its tokens from the emulator. With TLS,
    Python, Node, curl and .NET trust the emulator. Returns the variables; those that are removed are None.
    """
    try:
        variables = outlook.environment(tmp_path_factory.mktemp("outlook"))
    except ValueError as error:
        pytest.fail(f"outlook_environment needs an emulator with a URL: {error}", pytrace=False)
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def make_outlook(outlook: Connection) -> MakeOutlook:
    """A function that adds mailboxes to the test's sandbox; it takes the arguments of `Sandbox.connect`."""
    numbers = count(2)

    def make(name: str | None = None, address: str | None = None, **mailbox: Any) -> Connection:
        # A sample has a name of its own.
        default_name = None if isinstance(mailbox.get("seed"), str | os.PathLike) else f"mailbox{next(numbers)}"
        return outlook.sandbox.connect(name or default_name, address, **mailbox)

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
def outlook_callbacks(outlook: Connection) -> Callbacks:
    """The requests that the test's sandbox sends to others; `wait` waits until they are done."""
    return outlook.sandbox.callbacks


@pytest.fixture
def outlook_journal(outlook: Connection) -> Journal:
    """The requests that the test's sandbox received, its responses, and the callbacks that it sent."""
    return outlook.sandbox.journal


@pytest.fixture
def outlook_answer(request: pytest.FixtureRequest) -> OutlookAnswer:
    """A function that answers the newest open approval mail or mail with options, as a click in the mail does.

    `outlook_answer("Approve", subject="Budget")` selects the mail by a part of its subject, and returns the question as
    the admin API describes it. It looks in the test's sandbox. With `sandbox="t1"`, or in a test that does not use
    `outlook`, it looks in a sandbox of the emulator at `OUTLOOK_EMULATOR_URL`. The test fails if no mail is open.
    """

    def answer(option: str, *, subject: str = "", sandbox: str | None = None) -> dict[str, Any]:
        if sandbox is None and "outlook" in request.fixturenames:
            own: Connection = request.getfixturevalue("outlook")
            return own.sandbox.answer(option, subject=subject)
        from outlook_emulator.client import server_url
        from outlook_emulator.testing import Sandbox

        with _server_at(server_url()) as server:
            # Not closed, since that would delete a sandbox that this test did not create.
            return Sandbox(server, sandbox or "default").answer(option, subject=subject)

    return answer


@contextmanager
def _server_at(url: str) -> Iterator[Server]:
    """A running emulator, with the credentials of the environment. Raises ConnectionError."""
    from outlook_emulator.client import own_ca_file
    from outlook_emulator.testing.emulator import IDENTITY_HEADER
    from outlook_emulator.testing.server import Server, credential_for

    with Server(
        url,
        token=os.environ.get(_TOKEN, ""),
        ca_file=(own_ca_file() or None) if url.startswith("https:") else None,
        credential=credential_for(os.environ.get(_AUTHORIZATION, "")),
        identity_header=os.environ.get(_IDENTITY_HEADER, IDENTITY_HEADER),
    ) as server:
        server.check()
        yield server


def _marker(item: pytest.Item) -> Marker:
    """The keywords of the test's markers. Fails the test if one is wrong."""
    from outlook_emulator.testing.marker import read_marks

    try:
        return read_marks((mark.args, mark.kwargs) for mark in item.iter_markers("outlook"))
    except ValueError as error:
        reason = str(error)
    # Outside of the except block, because pytest would otherwise show the error twice.
    pytest.fail(reason, pytrace=False)


def _server_fixture(request: pytest.FixtureRequest, marker: Marker) -> str:
    transport = marker.transport or request.config.getoption("outlook_transport")
    if "outlook_app" in request.fixturenames:
        if marker.transport == "http":
            pytest.fail("outlook_app cannot be combined with the marker's transport='http'", pytrace=False)
        transport = "app"
    return "_outlook_app_server" if transport == "app" else "outlook_server"


def _label(item: pytest.Item) -> str:
    """The start of the sandbox's name: the worker of pytest-xdist and the test."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"{worker}-{item.name}"


def _check_faults(marker: Marker, faults: Faults) -> None:
    """Fail the test if it armed faults and left one unused."""
    if not faults.armed or marker.unused_faults == "allow":
        return
    if complaint := faults.complaint():
        pytest.fail(complaint, pytrace=False)
