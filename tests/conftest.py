"""The server that all tests share, and a fresh sandbox on it for each test that asks for one."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings

from outlook_emulator import certificates, testing
from outlook_emulator.clock import VirtualClock, microseconds
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.stub import Stub, stubbed

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_NUMBERS = count(1)
_FAST_CASES = 2
_SLOW_MODULE = "\npytestmark = pytest.mark.slow\n"


def half_an_hour_after(start: str) -> str:
    """The same kind of text as `start`, thirty minutes on."""
    end = (datetime.fromisoformat(start) + timedelta(minutes=30)).isoformat()
    return end.replace("+00:00", "Z") if start.endswith("Z") else end


class Server(testing.Server):
    """A running emulator. All its sandboxes follow `clock`; `http` starts at its URL and returns errors as they are."""

    def __init__(self, url: str, clock: VirtualClock) -> None:
        super().__init__(url)
        self.clock = clock
        self.http = httpx.Client(base_url=self.url, transport=self.transport(), trust_env=False)

    def close(self) -> None:
        self.http.close()
        super().close()


class Sandbox(testing.Sandbox):
    """A sandbox of one test. `api` starts at its admin URL and returns errors as they are."""

    server: Server

    @property
    def api(self) -> httpx.Client:
        return self.admin.http

    def connect(self, name: str | None = None, address: str | None = None, **mailbox: Any) -> Connection:
        if name and "seed" not in mailbox:
            mailbox = {"display_name": name.title(), **mailbox}
        connection = super().connect(name, address, **mailbox)
        return Connection(self, connection.id, connection.address)

    def advance(self, by: str = "0s") -> None:
        """Move the clock on; all work due by then, callbacks included, is done when this returns."""
        self.clock.advance(by)

    def made_callbacks(self) -> list[dict[str, Any]]:
        """The callbacks of the sandbox, those that are due delivered."""
        self.advance()
        callbacks: list[dict[str, Any]] = self.admin.request("GET", "/callbacks")["value"]
        return callbacks


class Connection(testing.Connection):
    """A connection with short forms of the calls that tests make most; each fails unless the response is a success."""

    sandbox: Sandbox

    @property
    def api(self) -> httpx.Client:
        return self.sandbox.api

    def sdk(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call one method of Microsoft's own client, unchanged and without retries."""

        async def call() -> Any:
            async with self.client(max_retry_attempts=1) as client:
                return await getattr(client, method)(*arguments, **keywords)

        return asyncio.run(call())

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET."""
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """A POST; without `body` nothing is sent, not even a content type."""
        response = self.http.post(path, params=query, **({} if body is None else {"json": body}))
        assert response.is_success, response.text
        return response

    def send(self, to: str, subject: str = "Hello", body: str = "<p>Hello</p>", **more: Any) -> None:
        self.post("/v2/Mail", {"To": to, "Subject": subject, "Body": body, **more})

    def mail(self, folder: str = "Inbox") -> dict[str, Any]:
        """The only mail of a folder."""
        (mail,) = self.mails(folder)
        return mail

    def meet(self, subject: str = "Review", start: str = "2026-03-04T10:00:00Z", **more: Any) -> dict[str, Any]:
        """A new event in the default calendar, half an hour long unless `End` says otherwise."""
        body = {"Subject": subject, "Start": start, "End": half_an_hour_after(start), **more}
        response = self.post("/datasets/calendars/v3/tables/Calendar/items", body)
        assert response.status_code == 201
        event: dict[str, Any] = response.json()
        return event

    def change(self, event_id: str, **changes: Any) -> dict[str, Any]:
        """Change members of an event of the default calendar; the others are sent as they are, so that they stay."""
        body = self.event(event_id)
        if "NumberOfOccurrences" in changes or "RecurrenceEnd" in changes:
            body |= {"NumberOfOccurrences": None, "RecurrenceEnd": None}
        return self.patch(event_id, body | changes)

    def patch(self, event_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Update an event of the default calendar with a body as it is."""
        response = self.http.patch(f"/datasets/calendars/v3/tables/Calendar/items/{event_id}", json=body)
        assert response.status_code == 200, response.text
        event: dict[str, Any] = response.json()
        return event

    def event(self, event_id: str) -> dict[str, Any]:
        event: dict[str, Any] = self.get(f"/datasets/calendars/v2/tables/Calendar/items/{event_id}")
        return event

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """The events of the default calendar, a series as one event, enumerations as numbers."""
        events: list[dict[str, Any]] = self.get("/datasets/calendars/v3/tables/Calendar/items", **query)["value"]
        return events

    def view(self, since: str = "2026-03-01", until: str = "2026-04-01", **query: Any) -> list[dict[str, Any]]:
        """The events and occurrences of the default calendar between two instants."""
        window = {"calendarId": "Calendar", "startDateTimeOffset": since, "endDateTimeOffset": until}
        path = "/datasets/calendars/v2/tables/items/calendarview"
        events: list[dict[str, Any]] = self.get(path, **window, **query)["value"]
        return events

    def respond(self, event_id: str, response: str, **body: Any) -> None:
        """Accept, decline or tentatively accept an invitation."""
        answer = self.post(f"/codeless/api/v2.0/me/events/{event_id}/{response}", body)
        assert answer.status_code == 202
        assert answer.content == b""

    def mime(self, message_id: str) -> bytes:
        """A message as `.eml`."""
        return self.sandbox.admin.send("GET", f"/connections/{self.id}/messages/{message_id}/mime").content


def new_sandbox(server: Server) -> Sandbox:
    """A fresh sandbox; `close` deletes it."""
    sandbox = Sandbox(server, f"t{next(_NUMBERS)}")
    server.http.put(f"/_emulator/api/sandboxes/{sandbox.name}").raise_for_status()
    return sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Keep the certificate authority of the tests apart from the user's own; processes that tests start inherit it.

    Property tests have no deadline: the first example may import what it needs, and the machine may be busy.
    """
    settings.register_profile("tests", deadline=None)
    settings.load_profile("tests")
    folder = tempfile.TemporaryDirectory(prefix="outlook-emulator-ca-")
    config.add_cleanup(folder.cleanup)
    os.environ[certificates.FOLDER] = folder.name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors: many tests wait for a process of their own."""
    return (os.cpu_count() or 1) + 1


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules out of the fast tier that are slow as a whole: importing them takes seconds."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    if is_test and config.option.markexpr == "not slow" and _SLOW_MODULE in collection_path.read_text("utf-8"):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long tests first, and leave at most two cases of a parametrized test in the fast tier, spread over its cases.

    A long test that starts last would keep one worker busy while the others have nothing left to do.
    """
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for group in cases.values():
        sample = group[:: -(-len(group) // _FAST_CASES)]
        for item in set(group).difference(sample):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server in a thread, on a port of its own. Its clock stands still until a test moves it."""
    clock = VirtualClock(START)
    with running(Settings(max_calls=0), clock) as running_server, Server(running_server.url, clock) as server:
        yield server


@pytest.fixture
def sandbox(server: Server) -> Iterator[Sandbox]:
    """A fresh sandbox; deleted after the test, which must not move the clock that all tests share."""
    with new_sandbox(server) as sandbox:
        yield sandbox
    assert microseconds(START) == server.clock.now()


@pytest.fixture
def configured() -> Iterator[Callable[..., Sandbox]]:
    """Makes a sandbox on a server of its own, with the settings in the keywords."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Sandbox:
            clock = VirtualClock(START)
            running_server = stack.enter_context(running(Settings(max_calls=0, **settings), clock))
            server = stack.enter_context(Server(running_server.url, clock))
            return stack.enter_context(new_sandbox(server))

        yield make


@pytest.fixture
def alice(sandbox: Sandbox) -> Connection:
    return sandbox.connect("alice")


@pytest.fixture
def bob(sandbox: Sandbox) -> Connection:
    return sandbox.connect("bob")


@pytest.fixture
def listener() -> Iterator[Stub]:
    """An HTTP server that callbacks can be delivered to."""
    with stubbed() as stub:
        yield stub
