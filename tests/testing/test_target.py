"""An app without a socket: what it is asked, what its clients see, and how it is as a server is."""

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
"""What httpx and what aiohttp make of each way to break off an answer."""


class Gate:
    """A request that is under way until the gate is opened."""

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
    """The request as it came."""
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
    """The same request, made in an event loop."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(base_url=URL, transport=app.async_transport()) as http:
            return await http.request(method, path, **what)

    return asyncio.run(ask())


def by_session(app: AppTarget, method: str, path: str, **what: Any) -> tuple[int, str, bytes, str | None]:
    """The same as Microsoft's client does it: status, text, bytes and a header."""

    async def ask() -> tuple[int, str, bytes, str | None]:
        async with AppSession(app.thread, 30).request(method, f"{URL}{path}", **what) as answer:
            return answer.status, await answer.text(), await answer.read(), answer.headers.get("x-seen")

    return asyncio.run(ask())


def test_a_request_arrives_as_it_is(app: AppTarget) -> None:
    """Method, path as it was escaped, query, headers and body reach the app, and its answer the client."""
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


def test_a_request_of_microsofts_client(app: AppTarget) -> None:
    """Text and bytes are sent as such, without a body the length is none, and what comes back can be read both ways."""
    sent = by_session(app, "PUT", "/a%2Fb/c d?x=1", headers={"Content-Type": "text/plain"}, data="größer")
    status, text, content, header = sent

    assert (200, text.encode(), "yes") == (status, content, header)
    assert '"path":"/a%2Fb/c%20d","query":"x=1"' in text
    assert '"content-length":"8"' in text
    assert '"body":"größer"' in text
    assert '"body":"raw"' in by_session(app, "PUT", "/x", data=b"raw")[1]
    assert '"content-length":"0"' in by_session(app, "PUT", "/x")[1]


def test_head(app: AppTarget) -> None:
    """The answer to a HEAD has no body, but says how long it would be."""
    with client(app) as http:
        answer = http.head("/x")

    assert b"" == answer.content
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_answer(app: AppTarget, how: str) -> None:
    """An answer that the app breaks off looks to each client as it does over a socket."""
    for_httpx, for_aiohttp = BROKEN[how]
    with client(app) as http, pytest.raises(for_httpx):
        http.get("/fail", params={"how": how})
    with pytest.raises(for_httpx):
        in_loop(app, "GET", f"/fail?how={how}")
    with pytest.raises(for_aiohttp):
        by_session(app, "GET", f"/fail?how={how}")


@pytest.mark.parametrize(("method", "calls"), [("GET", 2), ("DELETE", 2), ("POST", 1)])
def test_a_reset_is_repeated_by_aiohttp(app: AppTarget, method: str, calls: int) -> None:
    """As over a socket, Microsoft's client asks again by itself where that can do no harm, and once only."""
    asked = app.app.state.asked
    with pytest.raises(aiohttp.ClientOSError):
        by_session(app, method, "/fail?how=reset")

    assert [method] * calls == asked


def test_a_failure_of_the_app(app: AppTarget) -> None:
    """What goes wrong in the app reaches the test as it is."""
    with client(app) as http, pytest.raises(KeyError):
        http.get("/fail")
    with pytest.raises(KeyError):
        in_loop(app, "GET", "/fail")
    with pytest.raises(KeyError):
        by_session(app, "GET", "/fail")


def test_an_impatient_client(app: AppTarget) -> None:
    """Who waits no longer than the timeout for reading sees a timeout; the app goes on with what it was asked."""
    with client(app, timeout=0) as http, pytest.raises(httpx.ReadTimeout):
        http.get("/gated")
    with client(app) as http:
        # The app has begun with the one by the time it answers another.
        http.get("/x")
    app.app.state.gate.open()

    assert app.app.state.gate.passed.wait(10)


def test_an_impatient_client_in_a_loop(app: AppTarget) -> None:
    """The same in an event loop, and for Microsoft's client."""
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


def test_a_call_under_way_holds_up_no_other(app: AppTarget) -> None:
    """While one call waits others are answered, from any thread."""
    late: list[bytes] = []
    with client(app) as http:
        caller = threading.Thread(target=lambda: late.append(http.get("/gated").content))
        caller.start()
        answers = [http.get("/x").status_code for _ in range(3)]
        app.app.state.gate.open()
        caller.join()

    assert ([200] * 3, [b"late"]) == (answers, late)


def test_an_app_that_does_not_start() -> None:
    """What keeps an app from starting is raised where it was to start, and no thread is left."""

    @asynccontextmanager
    async def fails(app: Starlette) -> AsyncIterator[None]:
        raise OSError("no space left")
        yield

    before = threading.active_count()
    with pytest.raises(OSError, match="no space left"):
        AppTarget(Starlette(lifespan=fails))
    assert before == threading.active_count()


def test_an_app_that_is_stopped_half_way(app: AppTarget) -> None:
    """Calls that are under way when the app is closed end with it."""
    late = app.thread.send("GET", httpx.URL(f"{URL}/gated"), [], b"")
    with client(app) as http:
        http.get("/x")
    app.close()

    assert late.cancelled()
    with client(app) as http, pytest.raises(RuntimeError, match="was closed"):
        http.get("/x")


def test_callbacks_are_delivered_meanwhile(listener: Stub) -> None:
    """Who subscribed is called though the test does nothing more than wait for it."""
    with Server.in_process() as server:
        ann = server.connect("ann")
        bob = ann.sandbox.connect("bob")
        order = {"NotificationUrl": listener.url, "Message": {"To": bob.address, "Subject": "Q", "Options": "Yes, No"}}
        ann.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
        ann.sandbox.answer("No")
        heard = listener.wait()

    assert [b'{"SelectedOption":"No"}'] == [record.body for record in heard]
