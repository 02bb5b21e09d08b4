"""A receiver of callbacks in this process, for emulators that can reach it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_PATIENCE = 10.0
"""Seconds until a callback that does not come is missing."""


class Callback(NamedTuple):
    """A callback as it was received. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """The callbacks received so far, oldest first, at paths below `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.callbacks: list[Callback] = []
        self._received = threading.Condition()

    def add(self, callback: Callback) -> None:
        with self._received:
            self.callbacks.append(callback)
            self._received.notify_all()

    def wait(self, count: int = 1) -> list[Callback]:
        """All callbacks, once there are `count` of them or ten seconds have passed."""
        with self._received:
            self._received.wait_for(lambda: len(self.callbacks) >= count, _PATIENCE)
            return list(self.callbacks)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            receiver.add(Callback(self.command, self.path, headers, body))

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
