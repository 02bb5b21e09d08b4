"""Requests of a test to the admin API go over connections that stay open."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from outlook_emulator.testing.kept_connections import Exchange, KeptConnections

OK = Exchange(200, b"ok")


class Counting:
    """A server that responds to requests without a body, and closes each connection after `most` of them."""

    def __init__(self, most: int) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self.ended = threading.Event()
        self._most = most
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                for _ in range(self._most):
                    if not (request := connection.recv(65536)):
                        break
                    self.requests.append(request.decode())
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                connection.shutdown(socket.SHUT_RDWR)
            self.ended.set()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(params=[100])
def counting(request: pytest.FixtureRequest) -> Iterator[Counting]:
    server = Counting(request.param)
    yield server
    server.close()


@contextmanager
def kept(url: str) -> Iterator[Callable[[str], Exchange]]:
    """A function that requests a path over kept connections."""
    with closing(KeptConnections(url, pytest.fail)) as connections:
        yield lambda path: connections.send("GET", path, {"x-a": "b"}, None, 10)


def test_a_connection_is_used_again(counting: Counting) -> None:
    """Requests one after the other use one connection."""
    with kept(f"http://{counting.url}") as get:
        assert [OK] * 3 == [get("/") for _ in range(3)]

    assert 1 == counting.connections


@pytest.mark.parametrize("counting", [1], indirect=True)
def test_a_connection_that_the_server_closed_is_replaced(counting: Counting) -> None:
    """A request does not fail because the server closed an idle connection."""
    with kept(f"http://{counting.url}") as get:
        get("/")
        assert counting.ended.wait(10)
        assert OK == get("/")

    assert 2 == counting.connections


def test_url_with_a_path_and_a_user(counting: Counting) -> None:
    """A proxy may serve the emulator below a path, and ask for a user."""
    with kept(f"http://ada:p%40ss@{counting.url}/below") as get:
        get("/api")

    first, *headers = counting.requests[0].splitlines()
    assert "GET /below/api HTTP/1.1" == first
    assert {"x-a: b", "Authorization: Basic YWRhOnBAc3M="} <= set(headers)


def test_a_connection_that_another_thread_takes(counting: Counting) -> None:
    """A request makes a connection of its own if the idle one is gone when it takes it."""

    class Contended(list[Any]):
        def __len__(self) -> int:
            return 1

    with closing(KeptConnections(f"http://{counting.url}", pytest.fail)) as connections:
        connections._idle = Contended()
        assert OK == connections.send("GET", "/", {}, None, 10)
        connections._idle = [connections._idle[0]]


def test_a_forked_process_has_connections_of_its_own(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a connection that two processes share, one would get the response to the other."""
    with kept(f"http://{counting.url}") as get:
        get("/")
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert OK == get("/")

    assert 2 == counting.connections


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_an_ipv6_address_without_a_port(scheme: str, port: int) -> None:
    connection = KeptConnections(f"{scheme}://[::1]", ssl.create_default_context)._connection(10)

    assert ("::1", port) == (connection.host, connection.port)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:none", "http://["])
def test_no_server(url: str) -> None:
    """Without a response, the error names the server."""
    with kept(url) as get, pytest.raises(ConnectionError, match="No emulator responds at http://"):
        get("/")
