"""Responses over a real socket that do not arrive whole: reset, cut, stalled, or malformed JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.broken_connection import TRANSPORT, HungUp, malformed, send_broken
from outlook_emulator.server.connector.exchange import Response
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.fault_plan import Break
from outlook_emulator.traffic.faults import CUT, MALFORMED, RESET, STALL
from outlook_emulator.traffic.journal import ANSWERED, UNDER_WAY, ExchangeEntry

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MAILS = "/apim/outlook/bob/v2/Mail"
MAIL = {"To": "bob@outlook.com", "Subject": "Hello", "Body": "<p>Hello</p>"}
TOKEN = {"Authorization": "Bearer token"}


class Emulator:
    """A server for one test, with a client for the connector and the admin API."""

    def __init__(self, url: str, sandbox: Sandbox, http: httpx.Client) -> None:
        self.url = url
        self.sandbox = sandbox
        self.http = http

    def breaks(self, how: str, **effect: Any) -> None:
        """Break the connection of the next request to the connector."""
        rule = {"when": {"times": 1}, "effect": {"break": how, **effect}}
        answer = self.http.post("/_emulator/api/sandboxes/default/faults", json={"faults": [rule]})
        assert 201 == answer.status_code, answer.text

    def reset(self) -> None:
        assert 200 == self.http.post("/_emulator/api/sandboxes/default/reset").status_code

    def body(self) -> bytes:
        """The body of a list of mails when the connection is not broken."""
        return self.http.get(MAILS).raise_for_status().content

    def entries(self) -> list[ExchangeEntry]:
        return list(self.sandbox.traffic.journal.exchanges())

    def client(self) -> httpx.Client:
        """Another client, with its own connections."""
        return httpx.Client(base_url=self.url, headers=TOKEN, verify=False, trust_env=False)


@contextmanager
def emulating(**settings: Any) -> Iterator[Emulator]:
    with running(Settings(**settings), VirtualClock(START)) as served:
        sandboxes: Sandboxes = served.app.state.sandboxes
        with httpx.Client(base_url=served.url, headers=TOKEN, verify=False, trust_env=False) as http:
            yield Emulator(served.url, sandboxes.default, http)


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A connection that is broken on purpose logs no warning or error."""
    yield
    warnings = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert ([], "") == (warnings, capfd.readouterr().err)


def received(answer: httpx.Response) -> tuple[bytes, type[Exception] | None]:
    """The part of a body that arrived, and the error that ended it."""
    content = b""
    try:
        for part in answer.iter_raw():
            content += part
    except httpx.TransportError as error:
        return content, type(error)
    return content, None


def first_half(answer: httpx.Response, parts: Iterator[bytes]) -> bytes:
    """Receive the first half of a body."""
    content = b""
    while len(content) < int(answer.headers["content-length"]) // 2:
        content += next(parts)
    return content


def test_reset() -> None:
    """A connection that is reset before the effect ends without a response, and the operation does not run."""
    with emulating() as emulator:
        emulator.breaks(RESET)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            emulator.http.post(MAILS, json=MAIL)
        assert [] == emulator.http.get(MAILS, params={"folderPath": "SentItems"}).json()["value"]

    assert [RESET, ANSWERED] == [entry.outcome for entry in emulator.entries()]


def test_reset_after_the_effect() -> None:
    """When the connection is reset after the effect, the mail is sent though the caller sees an error."""
    with emulating() as emulator:
        emulator.breaks(RESET, phase="after")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            emulator.http.post(MAILS, json=MAIL)
        query: dict[str, Any] = {"folderPath": "SentItems", "fetchOnlyUnread": False}
        assert ["Hello"] == [mail["Subject"] for mail in emulator.http.get(MAILS, params=query).json()["value"]]

    assert (RESET, True) == (emulator.entries()[0].outcome, emulator.entries()[0].effected)


def test_nothing_comes_before_a_reset() -> None:
    """A reset is a TCP reset: the client receives no byte and no orderly close."""
    with emulating() as emulator:
        emulator.breaks(RESET)
        host, port = emulator.http.base_url.host, emulator.http.base_url.port
        with socket.create_connection((host, port or 0)) as caller:
            caller.sendall(f"GET {MAILS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n".encode())
            with pytest.raises(ConnectionResetError):
                caller.recv(1)


def test_cut() -> None:
    """A cut body ends in the middle, though the Content-Length is that of the whole body."""
    with emulating() as emulator:
        whole = emulator.body()
        emulator.breaks(CUT)
        with emulator.http.stream("GET", MAILS) as answer:
            content, error = received(answer)

        assert (200, str(len(whole))) == (answer.status_code, answer.headers["content-length"])
        assert (whole[: len(whole) // 2], httpx.RemoteProtocolError) == (content, error)
        assert whole == emulator.body()


def test_cut_of_an_empty_body() -> None:
    """A cut response without a body announces one byte that never arrives."""
    with emulating() as emulator:
        emulator.breaks(CUT)
        with emulator.http.stream("POST", MAILS, json=MAIL) as answer:
            content, error = received(answer)

        assert (200, "1", b"") == (answer.status_code, answer.headers["content-length"], content)
        assert httpx.RemoteProtocolError is error


def test_stall_until_the_client_gives_up() -> None:
    """A stalled body stops half-way until the client disconnects; other requests are served meanwhile."""
    with emulating() as emulator:
        whole = emulator.body()
        emulator.breaks(STALL)
        with emulator.client() as stalled, stalled.stream("GET", MAILS) as answer:
            parts = answer.iter_raw()
            content = first_half(answer, parts)
            assert whole == emulator.body()
            assert UNDER_WAY == emulator.entries()[1].outcome

    assert (200, str(len(whole))) == (answer.status_code, answer.headers["content-length"])
    assert whole[: len(whole) // 2] == content
    assert [ANSWERED, STALL, ANSWERED] == [entry.outcome for entry in emulator.entries()]


def test_stall_until_a_reset() -> None:
    """A reset of the sandbox closes the connection of a stalled response."""
    with emulating() as emulator:
        emulator.body()
        emulator.breaks(STALL)
        with emulator.client() as stalled, stalled.stream("GET", MAILS) as answer:
            parts = answer.iter_raw()
            first_half(answer, parts)
            emulator.reset()
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                next(parts)

        assert 200 == emulator.http.get(MAILS).status_code


def test_malformed() -> None:
    """A malformed response has a correct Content-Length, and its JSON ends in the middle."""
    with emulating() as emulator:
        whole = emulator.body()
        emulator.breaks(MALFORMED)
        answer = emulator.http.get(MAILS)

        assert (200, whole[: len(whole) // 2]) == (answer.status_code, answer.content)
        assert str(len(answer.content)) == answer.headers["content-length"]
        assert "application/json; charset=utf-8" == answer.headers["content-type"]
        with pytest.raises(json.JSONDecodeError):
            answer.json()

    assert [ANSWERED, ANSWERED] == [entry.outcome for entry in emulator.entries()]


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"value":[]}'])
def test_malformed_body(body: bytes) -> None:
    """A malformed response is never JSON; its status and headers stay the same."""
    answer = malformed(Response(200, body, [(b"x-own", b"1")]))

    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)
    assert (200, [(b"x-own", b"1")]) == (answer.status, answer.headers)


@pytest.mark.parametrize("how", [RESET, CUT, STALL])
def test_breaks_over_tls(how: str) -> None:
    """A connection over TLS is broken in the same ways, and the server logs nothing."""
    with emulating(tls="yes") as emulator:
        emulator.body()
        emulator.breaks(how)
        with emulator.client() as other:
            if how == STALL:
                with other.stream("GET", MAILS) as answer:
                    parts = answer.iter_raw()
                    first_half(answer, parts)
            else:
                with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                    other.get(MAILS)
        assert 200 == emulator.http.get(MAILS).status_code


class Transport:
    """A transport that records the calls to it."""

    def __init__(self, closing: bool) -> None:
        self.done: list[str] = []
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str) -> None:
        self.done.append(name)

    def abort(self) -> None:
        self.done.append("abort")


@pytest.mark.parametrize(("closing", "done"), [(False, ["socket", "abort"]), (True, [])])
def test_connection_that_is_closing(idle_sandbox: Sandbox, closing: bool, done: list[str]) -> None:
    """A connection that the client has closed is not reset, since its socket may no longer exist."""
    transport, messages = Transport(closing), [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope: dict[str, Any] = {"type": "http", "extensions": {TRANSPORT: transport}}
    answer = Response(200, b"{}", breaks=RESET)

    assert RESET == asyncio.run(send_broken(scope, receive, send, answer, [], idle_sandbox))
    assert (done, []) == (transport.done, messages)


@pytest.mark.parametrize("how", [RESET, CUT, STALL])
@pytest.mark.parametrize("scope", [{"type": "http"}, {"type": "http", "extensions": {}}])
def test_no_socket(idle_sandbox: Sandbox, how: Break, scope: dict[str, Any]) -> None:
    """Without a socket to break, an error names the way of breaking, and nothing is sent."""

    async def untouched(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(HungUp, match=f"as a fault rule says: {how}") as hung:
        asyncio.run(send_broken(scope, untouched, untouched, Response(200, b"{}", breaks=how), [], idle_sandbox))
    assert how == hung.value.how


@pytest.fixture
def idle_sandbox() -> Iterator[Sandbox]:
    """The default sandbox of a server that does not run."""
    sandboxes = Sandboxes(Settings(), VirtualClock(START))
    yield sandboxes.default
    sandboxes.close()
