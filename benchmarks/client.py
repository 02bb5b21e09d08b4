"""A cheap client: it sends prepared bytes over persistent connections."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
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
        lines = [f"{self.method} {self.path} HTTP/1.1".encode(), *(b": ".join(header) for header in self.headers())]
        return b"\r\n".join([*lines, b"", self.body])


def connect(port: int) -> socket.socket:
    """A connection that sends without delay."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def fetch(port: int, request: Request) -> bytes:
    """The body of one response, over a new connection."""
    with connect(port) as connection:
        return exchange(connection, request)


def exchange(connection: socket.socket, request: Request) -> bytes:
    """Send a request and return the body of the response. Raises RuntimeError for a status other than 2xx."""
    connection.sendall(request.to_bytes())
    return _response(connection, request)


def _response(connection: socket.socket, request: Request) -> bytes:
    head, body = _receive(connection)
    if not head.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(f"{request.method} {request.path}: {head.decode()} {body[:300]!r}")
    return body


def rate(port: int, request: Request, seconds: float) -> float:
    """Responses per second, with a few requests always in flight. Raises RuntimeError for a status other than 2xx."""
    count, duration = count_responses(port, request, seconds)
    return count / duration


def count_responses(port: int, request: Request, seconds: float) -> tuple[int, float]:
    """The number of responses in about `seconds`, and the exact duration. Raises as `rate` does."""
    sockets = [connect(port) for _ in range(CONNECTIONS)]
    data = request.to_bytes()
    try:
        for connection in sockets:
            connection.sendall(data)
        count, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < seconds:
            for connection in sockets:
                _response(connection, request)
                connection.sendall(data)
            count += CONNECTIONS
        return count, now - start
    finally:
        for connection in sockets:
            connection.close()


def _receive(connection: socket.socket) -> tuple[bytes, bytes]:
    data = connection.recv(262144)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    start = data.lower().find(b"content-length:", 0, end) + 15
    if start < 15:
        return data[:end], b""
    length = int(data[start : data.find(b"\r\n", start)])
    while len(data) < end + 4 + length:
        data += _more(connection)
    return data[:end], data[end + 4 :]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(262144)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data
