"""Generated requests catch targets that go wrong in one place, and count as cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from outlook_contract.generation import document
from outlook_contract.generation.bridge import Bridge
from outlook_contract.generation.cases import Disagreement, Generator
from outlook_contract.generation.items import Items
from outlook_contract.mailbox import Mailbox, Report
from outlook_contract.routes import routes
from outlook_contract.targets import Party
from outlook_contract.transport import Access, Pace
from outlook_emulator.testing import Connection, Sandbox, Server

pytestmark = pytest.mark.slow

Send = Callable[[httpx.Request], httpx.Response]
Change = Callable[[httpx.Request, Send], httpx.Response]
CALLBACK = "http://127.0.0.1:9/callback"


class Lying(httpx.BaseTransport):
    """A transport that changes requests or responses on the way."""

    def __init__(self, inner: httpx.BaseTransport, change: Change) -> None:
        self._inner = inner
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._change(request, self._inner.handle_request)
        response.read()
        return response


@pytest.fixture
def server() -> Iterator[Server]:
    with Server.in_process() as server:
        yield server


@pytest.fixture
def sandbox(server: Server) -> Sandbox:
    sandbox = server.sandbox("generated")
    sandbox.limits(calls=0)
    return sandbox


def party_on(connection: Connection, sandbox: Sandbox, change: Change) -> Party:
    access = Access(connection.url, lambda: "Bearer token")
    return Party(access, connection.address, lambda: Lying(sandbox.server.transport(), change))


def mailbox_on(sandbox: Sandbox, change: Change) -> Mailbox:
    party = party_on(sandbox.connect("me"), sandbox, change)
    return Mailbox(party, "contract-generated", Pace(0), Report(), microsoft=False, read_only=False, patience=0)


def generator_on(sandbox: Sandbox, change: Change, *, careful: bool = False) -> tuple[Generator, Mailbox]:
    mailbox = mailbox_on(sandbox, change)
    bridge = Bridge(mailbox)
    items = Items(mailbox, CALLBACK, None, sandbox)
    return Generator(mailbox, items, document.load(bridge), bridge, careful=careful), mailbox


def honest(request: httpx.Request, send: Send) -> httpx.Response:
    return send(request)


def on(method: str, end: str, answer: Callable[[httpx.Request, httpx.Response], httpx.Response]) -> Change:
    """Changes the responses to requests with a method, and with a path that has a part."""

    def change(request: httpx.Request, send: Send) -> httpx.Response:
        response = send(request)
        if request.method != method or end not in request.url.path:
            return response
        response.read()
        return answer(request, response)

    return change


def _always(status: int, body: object) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    return lambda request, response: httpx.Response(status, json=body)


def _refused_as_found(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    return httpx.Response(200) if response.status_code == 404 else response


def _refused_as_accepted(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    return httpx.Response(200) if response.status_code == 400 else response


def _open_to_all(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, json=[]) if response.status_code == 401 else response


@pytest.mark.parametrize(
    ("operation", "change", "expected"),
    [
        ("CalendarGetTables", on("GET", "/tables", _always(200, {"value": [{"Name": 7}]})), "Response violates schema"),
        ("CalendarGetTables", on("GET", "/tables", _always(500, {})), "Server error"),
        ("CalendarGetTables", on("GET", "/tables", _always(400, {})), "Schema-valid request rejected"),
        ("CalendarGetTables", on("GET", "/tables", _open_to_all), "auth"),
        ("Flag", on("POST", "/Flag/", _refused_as_found), "404 for a deleted item"),
        ("SendEmailV2", on("POST", "/v2/Mail", _refused_as_accepted), "invalid"),
        ("GetDataSets", on("GET", "/datasets", _always(403, {})), "success for a valid request"),
    ],
)
def test_a_fault_is_caught(sandbox: Sandbox, operation: str, change: Change, expected: str) -> None:
    """A wrong shape, a server error, a refused valid request, an accepted invalid one, a dead id: each is named."""
    generator, _ = generator_on(sandbox, change)

    with pytest.raises(Disagreement) as caught:
        generator.run(routes()[operation], 20)

    assert expected.lower() in str(caught.value).lower()


@pytest.mark.parametrize("operation", ["GetEmail", "ContactPatchItem", "RenewEventSubscription", "ReceiveResponseGet"])
def test_ids_come_from_items(sandbox: Sandbox, operation: str) -> None:
    """Live items are a success, deleted ones a 404, and each request is a case."""
    generator, mailbox = generator_on(sandbox, honest)

    generator.run(routes()[operation], 20)

    assert mailbox.report.cases.total() in range(1, 21)
    statuses = mailbox.report.statuses[operation]
    assert any(status < 300 for status in statuses)
    assert operation == "ReceiveResponseGet" or 404 in statuses


def test_a_careful_run_writes_to_itself_alone(sandbox: Sandbox) -> None:
    """With a real mailbox, what is created carries the marker, and mail goes to the own address."""
    sent = []

    def noted(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/v2/Mail"):
            sent.append(json.loads(request.read()))
        return send(request)

    generator, mailbox = generator_on(sandbox, noted, careful=True)
    generator.run(routes()["SendEmailV2"], 10)

    assert sent
    for body in sent:
        assert (mailbox.address, mailbox.name("Generated")) == (body["To"], body["Subject"])
        assert not {"Cc", "Bcc", "ReplyTo"} & body.keys()
