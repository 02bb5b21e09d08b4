"""Connections are bounded, and slow clients are answered; the server goes on serving others meanwhile."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from outlook_emulator.app import create_app
from outlook_emulator.serving import Running, config_of, running
from outlook_emulator.settings import Settings
from outlook_emulator.sockets import Connection

pytestmark = pytest.mark.slow

PATH = "/apim/outlook/bob/v2/Mail"
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\n".encode()
)
READY = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
KEPT = READY.replace(b"connection: close\r\n", b"")
LARGE_HEADER = b"x: " + b"a" * 60_000 + b"\r\nconnection: close\r\n\r\n"
QUICK = Settings(read_timeout=1, max_connections=20)


@pytest.fixture
def served() -> Iterator[Running]:
    with running(QUICK) as server:
        yield server


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(served: Running, clients: ExitStack, sent: bytes = b"") -> socket.socket:
    """A client that has sent something."""
    address = ("127.0.0.1", int(served.url.rpartition(":")[2]))
    client = clients.enter_context(closing(socket.create_connection(address, timeout=10)))
    client.sendall(sent)
    return client


def rest(client: socket.socket) -> str:
    """All that the server sends until it closes the connection."""
    received = b""
    while part := client.recv(65536):
        received += part
    return received.decode()


def status_of(served: Running) -> int:
    return httpx.get(f"{served.url}/readyz", trust_env=False).status_code


def test_slow_clients(served: Running, clients: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    """What does not come in time is a 408, in the journal as well; the log tells of many such clients once."""
    heads = [connected(served, clients, HEAD) for _ in range(3)]
    bodies = [connected(served, clients, HEAD + b"content-length: 100\r\n\r\n{") for _ in range(3)]
    chunks = connected(served, clients, HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
    admin = connected(
        served, clients, b"POST /_emulator/api/sandboxes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"
    )
    silent = [connected(served, clients), connected(served, clients, b"\r\n"), connected(served, clients, KEPT)]
    # Head and body may arrive apart.
    received = b""
    while not received.endswith(b"\r\n\r\nok"):
        part = silent[-1].recv(1000)
        assert part
        received += part
    silent[-1].sendall(b"\r\n")
    dripping = connected(served, clients, HEAD + b"content-length: 100\r\n\r\n")
    with caplog.at_level(logging.WARNING):
        while not dripping_is_over(dripping):
            pass
        answers = [rest(client) for client in (*heads, *bodies, chunks, admin, dripping)]
        assert [""] * 3 == [rest(client) for client in silent]

    assert {"HTTP/1.1 408 Request Timeout"} == {answer.partition("\r\n")[0] for answer in answers}
    text = '{"statusCode":408,"message":"The rest of the request did not come in time (1 s)."}'
    assert all(answer.endswith(text) and "connection: close" in answer for answer in answers)
    journal = httpx.get(f"{served.url}/_emulator/api/sandboxes/default/journal", trust_env=False).json()["value"]
    assert [408] * 5 == [entry["status"] for entry in journal]
    assert len(caplog.messages) == 2


def dripping_is_over(client: socket.socket) -> bool:
    """Send one byte now and then; returns whether the server has answered."""
    client.sendall(b" ")
    client.settimeout(0.05)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        client.settimeout(10)


def test_responses_of_one_connection(served: Running, clients: ExitStack) -> None:
    """Requests that arrive together are answered in order; one to HEAD gets no body, and the last one ends it."""
    path = "/apim/outlook/bob/nothing"
    requests = "".join(
        f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n"
        for method, more in (("GET", ""), ("HEAD", ""), ("GET", "connection: close\r\n"))
    )
    client = connected(served, clients, requests.encode())
    first, head, last = rest(client).split("HTTP/1.1 404 Not Found\r\n")[1:]

    assert head.endswith("\r\n\r\n")
    assert [int(length) > 0 for length in re.findall("content-length: ([0-9]+)", first + head + last)] == [True] * 3
    assert [text.count("connection: close") for text in (first, head, last)] == [0, 0, 1]
    assert json.loads(first.partition("\r\n\r\n")[2]).keys() == json.loads(last.partition("\r\n\r\n")[2]).keys()


@pytest.mark.parametrize("how", ["reset", "cut"])
def test_a_request_behind_a_broken_connection(how: str, served: Running, clients: ExitStack) -> None:
    """A request whose connection a fault breaks is over, also when a further one had arrived behind it."""
    sandbox = f"{served.url}/_emulator/api/sandboxes/default"
    plan = {"faults": [{"effect": {"break": how}}]}
    assert httpx.post(f"{sandbox}/faults", json=plan, trust_env=False).status_code == 201
    request = b"GET /apim/outlook/bob/testconnection HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\r\n"
    client = connected(served, clients, request * 2)
    with suppress(ConnectionError):
        rest(client)

    (used,) = httpx.get(f"{sandbox}/limits", trust_env=False).json()["connections"]
    assert used["concurrentRequests"] == 0


class Transport(asyncio.Transport):
    """Notes what is written, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def resume_reading(self) -> None: ...


def test_connections_without_a_further_request() -> None:
    """A connection is closed when no request comes for the time that proxies keep one, and not before."""

    async def closed_at(*, requests: int, blank: bool = False) -> int:
        connection = Connection(config_of(create_app(Settings())), ServerState(), {})
        transport = Transport()
        connection.connection_made(transport)
        connection.look(0, 30)
        for number in range(requests):
            connection.data_received(KEPT)
            while transport.written.count(b"HTTP/1.1 200") <= number:
                await asyncio.sleep(0)
            connection.look(50 * number, 30)
        if blank:
            connection.data_received(b"\r\n")
        for second in range(50 * (requests - 1), 1000):
            connection.look(second, 30)
            if transport.is_closed:
                return second
        return -1

    async def run() -> list[int]:
        return [
            await closed_at(requests=1),
            await closed_at(requests=3),
            await closed_at(requests=1, blank=True),
            await closed_at(requests=0),
        ]

    assert asyncio.run(run()) == [75, 175, 30, 30]


@pytest.mark.parametrize("path", ["/apim/outlook/bob/v2/Mail", "/readyz"])
def test_a_request_is_freed_when_it_ends(path: str) -> None:
    """Nothing of it is left for the garbage collector."""
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\r\n".encode()

    async def left(requests: int) -> int:
        connection = Connection(config_of(create_app(Settings())), ServerState(), {})
        transport = Transport()
        connection.connection_made(transport)
        for number in range(requests):
            connection.data_received(request)
            while transport.written.count(b"HTTP/1.1 200") <= number:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        return sum(isinstance(item, RequestResponseCycle) and item.flow is connection.flow for item in gc.get_objects())

    gc.disable()
    try:
        # The connection has the last one.
        assert asyncio.run(left(10)) == 1
    finally:
        gc.enable()


def test_a_connection_whose_body_never_comes() -> None:
    """After a response to the head of a request, it is closed as if it were idle, even without a limit for bodies."""

    async def closed_at(limit: int) -> int:
        connection = Connection(config_of(create_app(Settings(read_timeout=limit))), ServerState(), {})
        transport = Transport()
        connection.connection_made(transport)
        connection.data_received(
            b"PUT /apim/outlook/bob/nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n"
        )
        while not transport.written.endswith(b"}"):
            await asyncio.sleep(0)
        for second in range(1000):
            connection.look(second, limit)
            if transport.is_closed:
                return second
        return -1

    async def run() -> list[int]:
        return [await closed_at(30), await closed_at(0)]

    assert asyncio.run(run()) == [30, 75]


def test_more_connections_than_the_bound(served: Running, clients: ExitStack) -> None:
    """Connections without a request make room for new ones, whatever their number."""
    idle = [connected(served, clients) for _ in range(100)]

    assert status_of(served) == 200
    assert rest(idle[0]) == ""


@pytest.mark.parametrize(
    ("request_line", "body"),
    [(f"GET {PATH}", b'{"value":[]}'), (f"HEAD {PATH}", b""), (f"GET {PATH}/x/y/z", b"}")],
)
def test_a_response_is_written_at_once(
    served: Running, clients: ExitStack, monkeypatch: pytest.MonkeyPatch, request_line: str, body: bytes
) -> None:
    """The head of a response and its body leave together, also where the connection ends behind them."""
    written: list[bytes] = []
    send = socket.socket.send

    def spied(sender: socket.socket, data: bytes) -> int:
        written.append(data)
        return send(sender, data)

    monkeypatch.setattr(socket.socket, "send", spied)
    head = f"{request_line} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer x\r\nconnection: close\r\n\r\n"
    received = rest(connected(served, clients, head.encode()))

    (response,) = written
    assert response.startswith(b"HTTP/1.1 ")
    assert response.endswith(body)
    assert received == response.decode()


def test_no_connection_is_left(served: Running, clients: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    """If all connections have a request under way, a new client gets a 503 at once, and the log tells of it once."""
    for _ in range(20):
        connected(served, clients, HEAD)
    with caplog.at_level(logging.WARNING):
        while (refused := httpx.get(f"{served.url}/readyz", trust_env=False)).status_code == 200:
            pass
        again = rest(connected(served, clients, HEAD))

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {"statusCode": 503, "message": "All connections of this server are in use."}
    assert again.startswith("HTTP/1.1 503 ")
    assert len(caplog.messages) == 1


TRAILERS = b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"x: " + b"a" * 70_000 + b"\r\n\r\n",
        b"".join(b"x%d: a\r\n" % number for number in range(20_000)) + b"\r\n",
        # Without an end, more than arrives in one piece.
        b"x: " + b"a" * 400_000,
        TRAILERS + b"x: " + b"a" * 400_000,
        TRAILERS + b"x: a\r\n" * 100_000,
    ],
    ids=["long", "many", "endless", "endless trailer", "many trailers"],
)
def test_large_head(served: Running, clients: ExitStack, sent: bytes) -> None:
    """Headers above the limit are a 431, trailers too; those below are not."""
    below = httpx.get(f"{served.url}/readyz", headers={"x": "a" * 60_000}, trust_env=False)
    client = connected(served, clients)
    with suppress(OSError):
        client.sendall(HEAD + sent)
    answer = rest(client)

    assert below.status_code == 200
    assert answer.startswith("HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert "larger than 65536 bytes" in answer
    assert "x-content-type-options: nosniff" in answer


def test_many_requests_at_once(served: Running, clients: ExitStack) -> None:
    """Requests that are sent before the responses to earlier ones are all answered."""
    client = connected(served, clients)
    sender = threading.Thread(target=client.sendall, args=(KEPT * 3000 + READY,))
    sender.start()
    answer = rest(client)
    sender.join()

    assert answer.count("HTTP/1.1 200 OK") == 3001


def test_large_head_and_body_of_two_requests(served: Running, clients: ExitStack) -> None:
    """What arrives together with a head does not count as one."""
    body = b'{"To": "bob@outlook.com", "Subject": "Hello", "Body": "%b"}' % (b"a" * 90_000)
    request = HEAD + b"content-length: %d\r\n" % len(body)
    client = connected(served, clients, request + b"\r\n" + body + request + b"connection: close\r\n\r\n" + body)

    assert rest(client).count("HTTP/1.1 200 OK") == 2


def test_journal_keeps_few_large_headers(clients: ExitStack) -> None:
    """Headers count towards the bytes that the journal keeps."""
    with running(Settings(journal_bytes=150_000)) as served:
        answers = {rest(connected(served, clients, HEAD + LARGE_HEADER)).partition("\r\n")[0] for _ in range(5)}
        journal = httpx.get(f"{served.url}/_emulator/api/sandboxes/default/journal", trust_env=False).json()

    assert answers == {"HTTP/1.1 400 Bad Request"}
    assert [4, 5] == [entry["id"] for entry in journal["value"]]


def test_chunks_count_while_they_arrive(clients: ExitStack) -> None:
    """A body in chunks is refused as soon as all bodies of its connection are too large together."""
    with running(Settings(max_bytes_in_flight=100_000)) as served:
        parts = HEAD + b"transfer-encoding: chunked\r\n\r\n" + (b"1000\r\n%b\r\n" % (b" " * 4096)) * 15
        first = connected(served, clients, parts)
        answer = connected(served, clients, parts).recv(100)
        first.sendall(b"0\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 429 ")
        assert first.recv(100).startswith(b"HTTP/1.1 400 ")


def test_invalid_requests_fill_no_log(served: Running, clients: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that are no request are a 400 in the gateway's form; the log tells of it once a minute."""
    with caplog.at_level(logging.WARNING):
        answers = [rest(connected(served, clients, b"nonsense\r\n\r\n")) for _ in range(3)]

    assert ["HTTP/1.1 400 Bad Request"] * 3 == [answer.partition("\r\n")[0] for answer in answers]
    head, _, body = answers[0].partition("\r\n\r\n")
    assert {"x-content-type-options: nosniff", "content-type: application/json; charset=utf-8"} <= {
        *head.lower().split("\r\n")
    }
    assert {"statusCode": 400, "message": "The bytes that were sent are no valid HTTP request."} == json.loads(body)
    assert len(caplog.messages) == 1


def test_a_file_limit_that_is_reached(clients: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    """If the system has no file left, the clients that wait longest make room."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running(Settings(read_timeout=1)) as served, caplog.at_level(logging.WARNING):
        last = max(connected(served, clients).fileno() for _ in range(10))
        assert status_of(served) == 200
        # One file for the client, and none for the server; all lower numbers are taken.
        while (free := clients.enter_context(socket.socket())).fileno() <= last + 1:
            pass
        resource.setrlimit(resource.RLIMIT_NOFILE, (free.fileno() + 1, before[1]))
        free.close()
        try:
            waiting = connected(
                served, clients, b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            )
            assert rest(waiting).startswith("HTTP/1.1 200 OK")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert len(caplog.messages) == 1


@pytest.mark.parametrize("sent", [HEAD, HEAD + b"content-length: 9\r\n\r\n{", b""], ids=["head", "body", "idle"])
def test_half_a_request_does_not_delay_the_end(
    clients: ExitStack, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """A client that has sent half a request does not keep the server from stopping."""
    with running() as served:
        connected(served, clients, sent)
        assert status_of(served) == 200
        started = time.perf_counter()

    assert time.perf_counter() - started < 1
    assert caplog.messages == []
