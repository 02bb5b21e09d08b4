"""Reading a request's headers and body, and sending a response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from outlook_emulator.errors import BodyTooLarge, InvalidRequest
from outlook_emulator.server.connector.exchange import COMMON, JSON, WHOLE, Request, Response, read_body, send_response

GONE = {"type": "http.disconnect"}


class Wire:
    """The messages of a request; `left` are those not yet received."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.left = list(messages)

    async def receive(self) -> dict[str, Any]:
        return self.left.pop(0)


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def body_of(wire: Wire, limit: int = 10, **headers: bytes) -> bytes:
    raw = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return asyncio.run(Request({"type": "http", "headers": raw}, wire.receive).body(limit))


def test_header() -> None:
    """A header is looked up by its lower-case name and decoded as Latin-1; a missing header is None."""
    exchange = Request({"headers": [(b"x-name", b"caf\xe9"), (b"x-empty", b"")]}, Wire().receive)

    assert ("café", "", None) == tuple(map(exchange.header, ("x-name", "x-empty", "x-other")))


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abcde", more=False)],
        [part(b"ab"), part(b""), part(b"cde", more=False)],
        [part(b"abcde"), part(b"", more=False)],
        [part(b"abcde"), {"type": "http.request"}],
        [{"type": "http.request", "body": b"abcde"}],
    ],
)
def test_body(messages: list[dict[str, Any]]) -> None:
    """A body is joined from its parts, and nothing is received beyond its end."""
    wire = Wire(*messages, GONE)

    assert (b"abcde", [GONE]) == (body_of(wire), wire.left)


def test_no_body() -> None:
    """The body of a request without one is empty."""
    assert body_of(Wire({"type": "http.request"}), content_length=b"0") == b""


def test_full_body() -> None:
    """A body of exactly the limit is read."""
    assert body_of(Wire(part(b"x" * 6), part(b"x" * 4, more=False)), content_length=b"10") == b"x" * 10


@pytest.mark.parametrize("announced", [b"11", b"0000000000000000000011", b"9" * 5000])
def test_announced_too_large(announced: bytes) -> None:
    """A body whose Content-Length is too large is an error before any of it is read."""
    wire = Wire(part(b"x"))

    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        body_of(wire, content_length=announced)
    assert len(wire.left) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"x" * 11, more=False)],
        [part(b"x" * 11), GONE],
        [part(b"x" * 6), part(b"x" * 5), GONE],
        [part(b"x" * 6), part(b"x" * 5, more=False)],
    ],
)
def test_turns_out_too_large(messages: list[dict[str, Any]]) -> None:
    """A body with a missing or wrong Content-Length is an error as soon as it is too large."""
    without: dict[str, Any] = {}
    for headers in (without, {"content_length": b"3"}):
        wire = Wire(*messages)
        with pytest.raises(BodyTooLarge):
            body_of(wire, **headers)
        assert wire.left in ([], [GONE])


@pytest.mark.parametrize("announced", [b"-1", b"+1", b" 1", b"1.0", b"x", b"\xb2", b"1,1", b"0x1"])
def test_length_that_is_not_a_number(announced: bytes) -> None:
    """A Content-Length that is not a number is an error that names the header."""
    with pytest.raises(InvalidRequest, match="Content-Length must be a number"):
        body_of(Wire(part(b"x", more=False)), content_length=announced)


@pytest.mark.parametrize("messages", [[GONE], [part(b"ab"), GONE], [part(b""), part(b"ab"), GONE]])
def test_disconnect(messages: list[dict[str, Any]]) -> None:
    """A client that disconnects before the end of the body causes an error, even if a part arrived."""
    with pytest.raises(InvalidRequest, match="ended early"):
        asyncio.run(read_body({}, Wire(*messages).receive, 10))


DATE = (b"date", b"Thu, 01 Jan 1970 00:00:02 GMT")


def test_response() -> None:
    """A response has the common headers, its length and its own headers."""
    sent: list[Any] = []
    response = Response(201, b"body", [(b"x-own", b"1")])
    asyncio.run(send_response({"type": "http"}, _into(sent), response, 2_999_999))

    assert sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [*COMMON, DATE, (b"content-length", b"4"), (b"x-own", b"1")],
        },
        {"type": "http.response.body", "body": b"body"},
    ]


def test_empty_response() -> None:
    """A response without a body has a Content-Length of zero."""
    sent: list[Any] = []
    asyncio.run(send_response({"type": "http"}, _into(sent), Response(202), 0))

    assert (b"content-length", b"0") in sent[0]["headers"]
    assert sent[1]["body"] == b""


class Server:
    """A server with a method that sends, and that notes what is sent."""

    def __init__(self, sent: list[Any]) -> None:
        self._sent = sent

    async def send(self, message: Any) -> None:
        self._sent.append(message)


@pytest.mark.parametrize("headers", [[], JSON, [(b"x-own", b"1"), (b"x-more", b"a b")]])
def test_response_in_one_piece(headers: list[tuple[bytes, bytes]]) -> None:
    """A server that can send a response whole gets the same headers as lines."""
    whole: list[Any] = []
    parts: list[Any] = []
    response = Response(200, b"{}", headers)

    def send_whole(send: Any, *response: Any) -> bool:
        whole.append((send, *response))
        return True

    server = Server(parts)
    scope = {"type": "http", "extensions": {WHOLE: (Server.send, send_whole)}}
    asyncio.run(send_response(scope, server.send, response, 2_000_000))
    assert parts == []
    # Whoever looks at what is sent gets to see it.
    asyncio.run(send_response(scope, _into(parts), response, 2_000_000))
    lines = b"".join(b"%b: %b\r\n" % header for header in parts[0]["headers"])
    assert whole == [(server.send, 200, lines, b"{}")]


@pytest.mark.parametrize(
    ("response", "takes"),
    [
        (Response(200, b"{}", [(b"x-own", b"1\r\nx-other: 2")]), True),
        (Response(200, bytes(300_000)), True),
        (Response(200, b"{}"), False),
    ],
    ids=["a header that would end early", "a large body", "a client that reads slowly"],
)
def test_response_that_is_not_sent_in_one_piece(response: Response, takes: bool) -> None:
    """The server looks at each header itself, or waits for the client."""
    parts: list[Any] = []
    scope = {"type": "http", "extensions": {WHOLE: (Server.send, lambda *_: takes)}}
    asyncio.run(send_response(scope, Server(parts).send, response, 0))

    assert parts[0]["headers"][-len(response.headers) or None :] == [*response.headers] or not response.headers
    assert b"".join(part["body"] for part in parts[1:]) == response.body


def _into(sent: list[Any]) -> Callable[[Any], Any]:
    async def send(message: Any) -> None:
        sent.append(message)

    return send
