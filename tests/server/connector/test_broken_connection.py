"""Answers that do not arrive, as a client sees them over a real socket: reset, cut, stalled, or no JSON at last."""

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
    """A server of a test's own. `http` calls the connector and the admin API, `entries` is what the journal has."""

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
        """What a list of mails is where nothing breaks it."""
        return self.http.get(MAILS).raise_for_status().content

    def entries(self) -> list[ExchangeEntry]:
        return list(self.sandbox.traffic.journal.exchanges())

    def client(self) -> httpx.Client:
        """Another client, with a connection of its own."""
        return httpx.Client(base_url=self.url, headers=TOKEN, verify=False, trust_env=False)


@contextmanager
def emulating(**settings: Any) -> Iterator[Emulator]:
    with running(Settings(**settings), VirtualClock(START)) as served:
        sandboxes: Sandboxes = served.app.state.sandboxes
        with httpx.Client(base_url=served.url, headers=TOKEN, verify=False, trust_env=False) as http:
            yield Emulator(served.url, sandboxes.default, http)


@pytest.fixture(autouse=True)
def nothing_is_complained_of(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A connection that is broken on purpose leaves no error in the server's log."""
    yield
    complaints = [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.WARNING]
    assert ([], "") == (complaints, capfd.readouterr().err)


def received(answer: httpx.Response) -> tuple[bytes, type[Exception] | None]:
    """What came of a body, and the error that ended it."""
    found = b""
    try:
        for part in answer.iter_raw():
            found += part
    except httpx.TransportError as error:
        return found, type(error)
    return found, None


def first_half(answer: httpx.Response, parts: Iterator[bytes]) -> bytes:
    """As much of a body as comes of one that is cut in two."""
    found = b""
    while len(found) < int(answer.headers["content-length"]) // 2:
        found += next(parts)
    return found


def test_reset() -> None:
    """A connection that is reset ends with an error before any response, and nothing was run."""
    with emulating() as one:
        one.breaks(RESET)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            one.http.post(MAILS, json=MAIL)
        assert [] == one.http.get(MAILS, params={"folderPath": "SentItems"}).json()["value"]

    assert [RESET, ANSWERED] == [entry.outcome for entry in one.entries()]


def test_reset_after_the_effect() -> None:
    """A connection that is reset after the effect leaves the caller in the dark about a mail that was sent."""
    with emulating() as one:
        one.breaks(RESET, phase="after")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            one.http.post(MAILS, json=MAIL)
        query: dict[str, Any] = {"folderPath": "SentItems", "fetchOnlyUnread": False}
        assert ["Hello"] == [mail["Subject"] for mail in one.http.get(MAILS, params=query).json()["value"]]

    assert (RESET, True) == (one.entries()[0].outcome, one.entries()[0].effected)


def test_nothing_comes_before_a_reset() -> None:
    """Below HTTP a reset is one: not a byte comes, and no goodbye either."""
    with emulating() as one:
        one.breaks(RESET)
        host, port = one.http.base_url.host, one.http.base_url.port
        with socket.create_connection((host, port or 0)) as caller:
            caller.sendall(f"GET {MAILS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n".encode())
            with pytest.raises(ConnectionResetError):
                caller.recv(1)


def test_cut() -> None:
    """A body that is cut ends in its middle, with a length announced that does not come."""
    with emulating() as one:
        whole = one.body()
        one.breaks(CUT)
        with one.http.stream("GET", MAILS) as answer:
            found, error = received(answer)

        assert (200, str(len(whole))) == (answer.status_code, answer.headers["content-length"])
        assert (whole[: len(whole) // 2], httpx.RemoteProtocolError) == (found, error)
        assert whole == one.body()


def test_cut_of_an_empty_body() -> None:
    """A response without a body is cut as well: it announces a byte that never comes."""
    with emulating() as one:
        one.breaks(CUT)
        with one.http.stream("POST", MAILS, json=MAIL) as answer:
            found, error = received(answer)

        assert (200, "1", b"") == (answer.status_code, answer.headers["content-length"], found)
        assert httpx.RemoteProtocolError is error


def test_stall_until_the_client_gives_up() -> None:
    """A body that stalls stops half-way and stays open; others are served meanwhile, and giving up ends it."""
    with emulating() as one:
        whole = one.body()
        one.breaks(STALL)
        with one.client() as stalled, stalled.stream("GET", MAILS) as answer:
            parts = answer.iter_raw()
            found = first_half(answer, parts)
            assert whole == one.body()
            assert UNDER_WAY == one.entries()[1].outcome

    assert (200, str(len(whole))) == (answer.status_code, answer.headers["content-length"])
    assert whole[: len(whole) // 2] == found
    assert [ANSWERED, STALL, ANSWERED] == [entry.outcome for entry in one.entries()]


def test_stall_until_a_reset() -> None:
    """The rest of a stalled body never arrives, and a reset of the sandbox ends it."""
    with emulating() as one:
        one.body()
        one.breaks(STALL)
        with one.client() as stalled, stalled.stream("GET", MAILS) as answer:
            parts = answer.iter_raw()
            first_half(answer, parts)
            one.reset()
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                next(parts)

        assert 200 == one.http.get(MAILS).status_code


def test_malformed() -> None:
    """A malformed response arrives with a right length, and its JSON ends in the middle."""
    with emulating() as one:
        whole = one.body()
        one.breaks(MALFORMED)
        answer = one.http.get(MAILS)

        assert (200, whole[: len(whole) // 2]) == (answer.status_code, answer.content)
        assert str(len(answer.content)) == answer.headers["content-length"]
        assert "application/json; charset=utf-8" == answer.headers["content-type"]
        with pytest.raises(json.JSONDecodeError):
            answer.json()

    assert [ANSWERED, ANSWERED] == [entry.outcome for entry in one.entries()]


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"value":[]}'])
def test_malformed_body(body: bytes) -> None:
    """A malformed response is never JSON; its status and headers stay the same."""
    answer = malformed(Response(200, body, [(b"x-own", b"1")]))

    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)
    assert (200, [(b"x-own", b"1")]) == (answer.status, answer.headers)


@pytest.mark.parametrize("how", [RESET, CUT, STALL])
def test_breaks_over_tls(how: str) -> None:
    """A connection is broken below TLS as well, without a word by the server."""
    with emulating(tls="yes") as one:
        one.body()
        one.breaks(how)
        with one.client() as other:
            if how == STALL:
                with other.stream("GET", MAILS) as answer:
                    parts = answer.iter_raw()
                    first_half(answer, parts)
            else:
                with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                    other.get(MAILS)
        assert 200 == one.http.get(MAILS).status_code


class Transport:
    """A transport below ASGI, which records what is done to it."""

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
def test_connection_that_has_gone(idle_sandbox: Sandbox, closing: bool, done: list[str]) -> None:
    """A connection that the client has closed is left alone, since its socket may be gone."""
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
    """Without a connection to break an error says how it would be broken, and nothing is sent."""

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
