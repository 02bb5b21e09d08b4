"""An app without a socket behaves like a server for each of its clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlook_emulator.server.connector.broken_connection import HungUp
from outlook_emulator.testing import Server
from outlook_emulator.testing.aiohttp_session import AppSession
from outlook_emulator.testing.target import APP_URL as URL
from outlook_emulator.testing.target import AppTarget
from tests.stub import Stub

BROKEN: dict[str, tuple[type[Exception], type[Exception]]] = {
    "reset": (httpx.ReadError, aiohttp.ClientOSError),
    "cut": (httpx.RemoteProtocolError, aiohttp.ClientPayloadError),
    "stall": (httpx.ReadTimeout, TimeoutError),
}
"""The errors of httpx and aiohttp for each kind of broken response."""


class Gate:
    """A request handler that waits until the gate is opened."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.passed = threading.Event()

    async def wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._open.wait()
        self.passed.set()

    def open(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._open.set)


async def echo(request: Request) -> Response:
    """Respond with the request as the app received it."""
    seen = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "headers": dict(request.headers),
        "body": (await request.body()).decode(),
    }
    return JSONResponse(seen, headers={"X-Seen": "yes"})


async def fail(request: Request) -> Response:
    request.app.state.asked.append(request.method)
    how: Any = request.query_params.get("how")
    raise HungUp(how) if how else KeyError("a mistake of the app's")


async def gated(request: Request) -> Response:
    await request.app.state.gate.wait()
    return Response(b"late")


@pytest.fixture
def app() -> Iterator[AppTarget]:
    anything = Route("/{path:path}", echo, methods=["GET", "HEAD", "PUT"])
    app = Starlette(routes=[Route("/fail", fail, methods=["GET", "DELETE", "POST"]), Route("/gated", gated), anything])
    app.state.gate, app.state.asked = Gate(), []
    target = AppTarget(app)
    yield target
    target.close()


def client(app: AppTarget, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=URL, transport=app.transport(), **options)


def in_loop(app: AppTarget, method: str, path: str, **what: Any) -> httpx.Response:
    """Send the request from an event loop."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(base_url=URL, transport=app.async_transport()) as http:
            return await http.request(method, path, **what)

    return asyncio.run(ask())


def by_session(app: AppTarget, method: str, path: str, **what: Any) -> tuple[int, str, bytes, str | None]:
    """Send the request with the session of Microsoft's client; return the status, text, bytes and a header."""

    async def ask() -> tuple[int, str, bytes, str | None]:
        async with AppSession(app.thread, 30).request(method, f"{URL}{path}", **what) as answer:
            return answer.status, await answer.text(), await answer.read(), answer.headers.get("x-seen")

    return asyncio.run(ask())


def test_request_arrives_unchanged(app: AppTarget) -> None:
    """Method, escaped path, query, headers and body reach the app, and the response reaches the client."""
    path = "/a%2Fb/ü?x=%20"
    what: dict[str, Any] = {"content": "größer", "headers": {"X-Own": "1"}}
    with client(app) as http:
        answers = [http.put(path, **what), in_loop(app, "PUT", path, **what)]

    for answer in answers:
        seen = answer.json()
        headers = seen.pop("headers")
        assert {"method": "PUT", "path": "/a%2Fb/%C3%BC", "query": "x=%20", "body": "größer"} == seen
        assert ("1", "outlook-emulator.localhost") == (headers["x-own"], headers["host"])
        assert (200, "yes") == (answer.status_code, answer.headers["x-seen"])


def test_request_of_microsofts_client(app: AppTarget) -> None:
    """Microsoft's client sends strings and bytes, a length of 0 without a body, and reads the response as both."""
    sent = by_session(app, "PUT", "/a%2Fb/c d?x=1", headers={"Content-Type": "text/plain"}, data="größer")
    status, text, content, header = sent

    assert (200, text.encode(), "yes") == (status, content, header)
    assert '"path":"/a%2Fb/c%20d","query":"x=1"' in text
    assert '"content-length":"8"' in text
    assert '"body":"größer"' in text
    assert '"body":"raw"' in by_session(app, "PUT", "/x", data=b"raw")[1]
    assert '"content-length":"0"' in by_session(app, "PUT", "/x")[1]


def test_head(app: AppTarget) -> None:
    """The response to HEAD has a content length and no body."""
    with client(app) as http:
        answer = http.head("/x")

    assert b"" == answer.content
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("how", BROKEN)
def test_broken_response(app: AppTarget, how: str) -> None:
    """A broken response raises the same error in each client as over a socket."""
    for_httpx, for_aiohttp = BROKEN[how]
    with client(app) as http, pytest.raises(for_httpx):
        http.get("/fail", params={"how": how})
    with pytest.raises(for_httpx):
        in_loop(app, "GET", f"/fail?how={how}")
    with pytest.raises(for_aiohttp):
        by_session(app, "GET", f"/fail?how={how}")


@pytest.mark.parametrize(("method", "calls"), [("GET", 2), ("DELETE", 2), ("POST", 1)])
def test_aiohttp_retries_after_a_reset(app: AppTarget, method: str, calls: int) -> None:
    """As over a socket, aiohttp retries an idempotent request once after a reset."""
    asked = app.app.state.asked
    with pytest.raises(aiohttp.ClientOSError):
        by_session(app, method, "/fail?how=reset")

    assert [method] * calls == asked


def test_exception_in_the_app(app: AppTarget) -> None:
    """An exception in the app reaches the test unchanged."""
    with client(app) as http, pytest.raises(KeyError):
        http.get("/fail")
    with pytest.raises(KeyError):
        in_loop(app, "GET", "/fail")
    with pytest.raises(KeyError):
        by_session(app, "GET", "/fail")


def test_read_timeout(app: AppTarget) -> None:
    """A client with a read timeout raises it, and the app continues to handle the request."""
    with client(app, timeout=0) as http, pytest.raises(httpx.ReadTimeout):
        http.get("/gated")
    with client(app) as http:
        # The app has started the first request when it responds to the second.
        http.get("/x")
    app.app.state.gate.open()

    assert app.app.state.gate.passed.wait(10)


def test_read_timeout_in_an_event_loop(app: AppTarget) -> None:
    """The read timeout also applies in an event loop and to Microsoft's client."""
    with pytest.raises(httpx.ReadTimeout):
        in_loop(app, "GET", "/gated", timeout=0)

    async def ask() -> None:
        async with AppSession(app.thread, 1e-9).request("GET", f"{URL}/gated"):
            pass

    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    with client(app) as http:
        http.get("/x")
    app.app.state.gate.open()

    assert app.app.state.gate.passed.wait(10)


def test_concurrent_requests(app: AppTarget) -> None:
    """While one request waits, the app handles other requests from any thread."""
    late: list[bytes] = []
    with client(app) as http:
        caller = threading.Thread(target=lambda: late.append(http.get("/gated").content))
        caller.start()
        answers = [http.get("/x").status_code for _ in range(3)]
        app.app.state.gate.open()
        caller.join()

    assert ([200] * 3, [b"late"]) == (answers, late)


def test_failed_startup() -> None:
    """An error during startup is raised where the app is started, and no thread remains."""

    @asynccontextmanager
    async def fails(app: Starlette) -> AsyncIterator[None]:
        raise OSError("no space left")
        yield

    before = threading.active_count()
    with pytest.raises(OSError, match="no space left"):
        AppTarget(Starlette(lifespan=fails))
    assert before == threading.active_count()


def test_close_cancels_requests(app: AppTarget) -> None:
    """Closing the app cancels requests in progress."""
    late = app.thread.send("GET", httpx.URL(f"{URL}/gated"), [], b"")
    with client(app) as http:
        http.get("/x")
    app.close()

    assert late.cancelled()
    with client(app) as http, pytest.raises(RuntimeError, match="was closed"):
        http.get("/x")


def test_callbacks_are_delivered(listener: Stub) -> None:
    """Callbacks are delivered while the test only waits for them."""
    with Server.in_process() as server:
        ann = server.connect("ann")
        bob = ann.sandbox.connect("bob")
        order = {"NotificationUrl": listener.url, "Message": {"To": bob.address, "Subject": "Q", "Options": "Yes, No"}}
        ann.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
        ann.sandbox.answer("No")
        heard = listener.wait()

    assert [b'{"SelectedOption":"No"}'] == [record.body for record in heard]
