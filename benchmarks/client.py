"""A client that costs little: prepared bytes over kept-alive sockets, on a core of its own."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

CONNECTIONS = 8


@dataclass(frozen=True)
class Call:
    """A request as bytes."""

    method: str
    path: str
    body: bytes = b""

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"host", b"localhost"),
            (b"authorization", b"Bearer bench"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body)),
        ]

    def to_bytes(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1".encode(), *(b": ".join(one) for one in self.headers())]
        return b"\r\n".join([*lines, b"", self.body])


def connect(port: int) -> socket.socket:
    """A connection that sends at once."""
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def fetch(port: int, call: Call) -> bytes:
    """The body of one answer, over a connection of its own."""
    with connect(port) as one:
        return ask(one, call)


def ask(one: socket.socket, call: Call) -> bytes:
    """The body of one answer. Raises RuntimeError unless it is a 2xx."""
    one.sendall(call.to_bytes())
    return _answered(one, call)


def _answered(one: socket.socket, call: Call) -> bytes:
    head, body = _receive(one)
    if not head.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(f"{call.method} {call.path}: {head.decode()} {body[:300]!r}")
    return body


def rate(port: int, call: Call, seconds: float) -> float:
    """Answers a second, with a few calls always under way. Raises RuntimeError unless each is a 2xx."""
    done, taken = answers(port, call, seconds)
    return done / taken


def answers(port: int, call: Call, seconds: float) -> tuple[int, float]:
    """How many answers came in about so many seconds, and how many it were exactly; as `rate` asks."""
    sockets = [connect(port) for _ in range(CONNECTIONS)]
    request = call.to_bytes()
    try:
        for one in sockets:
            one.sendall(request)
        done, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < seconds:
            for one in sockets:
                _answered(one, call)
                one.sendall(request)
            done += CONNECTIONS
        return done, now - start
    finally:
        for one in sockets:
            one.close()


def _receive(one: socket.socket) -> tuple[bytes, bytes]:
    data = one.recv(262144)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(one)
    start = data.lower().find(b"content-length:", 0, end) + 15
    if start < 15:
        return data[:end], b""
    length = int(data[start : data.find(b"\r\n", start)])
    while len(data) < end + 4 + length:
        data += _more(one)
    return data[:end], data[end + 4 :]


def _more(one: socket.socket) -> bytes:
    data = one.recv(262144)
    if not data:
        raise RuntimeError("the server hung up")
    return data
