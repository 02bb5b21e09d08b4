"""One real server a test run, and a fresh sandbox on it for each test that asks for one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple

import httpx
import pytest
from azure.connectors.outlook import OutlookClient
from azure.connectors.sdk.authentication import ConnectionStringTokenProvider
from azure.connectors.sdk.options import ConnectorClientOptions

from outlook_emulator.clock import VirtualClock
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_NUMBERS = count(1)


def half_an_hour_after(start: str) -> str:
    """The same kind of text as `start`, thirty minutes on."""
    end = (datetime.fromisoformat(start) + timedelta(minutes=30)).isoformat()
    return end.replace("+00:00", "Z") if start.endswith("Z") else end


@dataclass
class Server:
    """A running emulator: its URL, and the clock that all its sandboxes follow."""

    url: str
    clock: VirtualClock
    http: httpx.Client


@dataclass
class Connection:
    """A connection as a client sees it. `http` starts at the runtime URL and carries a credential."""

    id: str
    address: str
    url: str
    http: httpx.Client
    admin: httpx.Client

    def sdk(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call one method of Microsoft's own client, unchanged and without retries."""

        async def call() -> Any:
            options = ConnectorClientOptions(max_retry_attempts=1)
            async with OutlookClient(self.url, ConnectionStringTokenProvider("token"), options) as client:
                return await getattr(client, method)(*arguments, **keywords)

        return asyncio.run(call())

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """A POST that must succeed; without `body` nothing is sent, not even a content type."""
        answer = self.http.post(path, params=query, **({} if body is None else {"json": body}))
        assert answer.is_success, answer.text
        return answer

    def send(self, to: str, subject: str = "Hello", body: str = "<p>Hello</p>", **more: Any) -> None:
        self.post("/v2/Mail", {"To": to, "Subject": subject, "Body": body, **more})

    def mails(self, folder: str = "Inbox", **query: Any) -> list[dict[str, Any]]:
        """The mails of a folder, read ones included, newest first."""
        query = {"folderPath": folder, "fetchOnlyUnread": False, "top": 100, **query}
        mails: list[dict[str, Any]] = self.get("/v2/Mail", **query)["value"]
        return mails

    def mail(self, folder: str = "Inbox") -> dict[str, Any]:
        """The only mail of a folder."""
        (one,) = self.mails(folder)
        return one

    def deliver(self, **mail: Any) -> dict[str, Any]:
        """A mail from the outside world; the message it became."""
        answer = self.admin.post(f"/connections/{self.id}/deliver", json={"from": "stranger@example.org", **mail})
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = answer.json()["message"]
        return message

    def meet(self, subject: str = "Review", start: str = "2026-03-04T10:00:00Z", **more: Any) -> dict[str, Any]:
        """A new event in the default calendar, half an hour long unless `End` says otherwise."""
        body = {"Subject": subject, "Start": start, "End": half_an_hour_after(start), **more}
        answer = self.post("/datasets/calendars/v3/tables/Calendar/items", body)
        assert answer.status_code == 201
        made: dict[str, Any] = answer.json()
        return made

    def change(self, event_id: str, **more: Any) -> dict[str, Any]:
        """Change what is given of an event in the default calendar."""
        answer = self.http.patch(f"/datasets/calendars/v3/tables/Calendar/items/{event_id}", json=more)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    def event(self, event_id: str) -> dict[str, Any]:
        event: dict[str, Any] = self.get(f"/datasets/calendars/v2/tables/Calendar/items/{event_id}")
        return event

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """The events of the default calendar, series as one, enumerations as numbers."""
        events: list[dict[str, Any]] = self.get("/datasets/calendars/v3/tables/Calendar/items", **query)["value"]
        return events

    def view(self, since: str = "2026-03-01", until: str = "2026-04-01", **query: Any) -> list[dict[str, Any]]:
        """What the default calendar shows between two instants."""
        window = {"calendarId": "Calendar", "startDateTimeOffset": since, "endDateTimeOffset": until}
        path = "/datasets/calendars/v2/tables/items/calendarview"
        events: list[dict[str, Any]] = self.get(path, **window, **query)["value"]
        return events

    def respond(self, event_id: str, response: str, **body: Any) -> None:
        answer = self.post(f"/codeless/api/v2.0/me/events/{event_id}/{response}", body)
        assert answer.status_code == 202
        assert answer.content == b""

    def mime(self, message_id: str) -> bytes:
        """A message written out as `.eml`."""
        answer = self.admin.get(f"/connections/{self.id}/messages/{message_id}/mime")
        assert answer.status_code == 200, answer.text
        return answer.content


@dataclass
class World:
    """A sandbox of a test's own; `admin` starts at its admin URL."""

    name: str
    server: Server
    admin: httpx.Client
    _clients: list[httpx.Client] = field(default_factory=list)

    def connect(self, name: str, **more: Any) -> Connection:
        """Add a connection whose owner is `NAME@example.com`."""
        order = {"id": f"{self.name}-{name}", "address": f"{name}@example.com", "displayName": name.title(), **more}
        answer = self.admin.post("/connections", json=order)
        assert answer.status_code == 201, answer.text
        facts = answer.json()
        http = httpx.Client(base_url=facts["runtimeUrl"], headers={"Authorization": "Bearer token"}, verify=False)
        self._clients.append(http)
        return Connection(facts["id"], facts["address"], facts["runtimeUrl"], http, self.admin)

    def outbox(self) -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = self.admin.get("/outbox").json()["value"]
        return mails

    def advance(self, by: str = "0s") -> None:
        """Move the sandbox's clock on; what is due by then, calls to others included, is done when this returns."""
        answer = self.admin.post("/clock", json={"advance": by})
        assert answer.status_code == 200, answer.text

    def callbacks(self) -> list[dict[str, Any]]:
        """The journal of calls, all that are due made."""
        self.advance()
        found: list[dict[str, Any]] = self.admin.get("/callbacks").json()["value"]
        return found

    def close(self) -> None:
        for client in self._clients:
            client.close()


class Heard(NamedTuple):
    """A call that came in; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """Somebody who is called back. `respond` makes each answer, while the caller waits: status, media type, body."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Heard] = []
        self.respond: Callable[[Heard], tuple[int, str, bytes]] = lambda heard: (200, "text/plain", b"")
        self._news = threading.Condition()

    def take(self, heard: Heard) -> tuple[int, str, bytes]:
        with self._news:
            self.heard.append(heard)
            self._news.notify_all()
        return self.respond(heard)

    def wait(self, count: int = 1) -> list[Heard]:
        """All calls so far, once there are that many; only a broken test waits until this gives up."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, 10), self.heard
            return list(self.heard)

    def answer_with(self, *statuses: int) -> None:
        """Answer the next calls with these, and all later ones with the last of them."""
        left = list(statuses)
        self.respond = lambda heard: (left.pop(0) if len(left) > 1 else left[0], "text/plain", b"")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server in a thread, on a port of its own, with a clock that only moves when told to."""
    clock = VirtualClock(START)
    with running(Settings(max_calls=0), clock) as served, httpx.Client(base_url=served.url, verify=False) as http:
        yield Server(served.url, clock, http)


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    """A fresh sandbox; gone after the test."""
    name = f"t{next(_NUMBERS)}"
    root = f"{server.url}/_emulator/api/sandboxes"
    assert server.http.post(root, json={"name": name}).status_code == 201
    with httpx.Client(base_url=f"{root}/{name}", verify=False) as admin:
        made = World(name, server, admin)
        yield made
        made.close()
    server.http.delete(f"{root}/{name}")


@pytest.fixture
def alice(world: World) -> Connection:
    return world.connect("alice")


@pytest.fixture
def bob(world: World) -> Connection:
    return world.connect("bob")


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A real HTTP server, on a port of its own, that can be called back."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            named = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(named.get("content-length", "0")))
            status, kind, content = made.take(Heard(self.path, named, body))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{made.url}/elsewhere")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.daemon_threads = True
    made = Listener(f"http://127.0.0.1:{serving.server_address[1]}")
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    serving.shutdown()
    serving.server_close()
    thread.join()
