"""A receiver of callbacks in this process, for targets that can reach it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any, NamedTuple

_PATIENCE = 10.0
"""Seconds until a callback that does not come is missing, unless a run is more patient."""


class Callback(NamedTuple):
    """A callback as it was received: its path below the receiver's URL. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """The callbacks received so far, oldest first, at paths below `url`."""

    def __init__(self, url: str, patience: float = _PATIENCE) -> None:
        self.url = url
        self.callbacks: list[Callback] = []
        self._patience = max(patience, _PATIENCE)
        self._received = threading.Condition()

    def add(self, callback: Callback) -> None:
        with self._received:
            self.callbacks.append(callback)
            self._received.notify_all()

    def wait(self, count: int = 1) -> list[Callback]:
        """All callbacks, once there are `count` of them or the patience is at its end."""
        with self._received:
            self._received.wait_for(lambda: len(self.callbacks) >= count, self._patience)
            return list(self.callbacks)


@contextmanager
def receiving(port: int = 0, url: str = "", patience: float = _PATIENCE) -> Iterator[Receiver]:
    """A receiver for as long as the block lasts, on a port of its own unless one is named.

    `url` leads to it from elsewhere, through a tunnel for example, which may remove the path of `url` or not. Callbacks
    to an earlier receiver on the same port are answered and forgotten. Raises OSError if the port is taken.
    """
    own_path = f"/{token_hex(4)}" if url else ""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            _, mine, below = self.path.partition(own_path) if own_path else ("", True, self.path)
            if mine:
                receiver.add(Callback(self.command, below, headers, body))

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    base = url.partition("?")[0].rstrip("/") or f"http://127.0.0.1:{server.server_address[1]}"
    receiver = Receiver(base + own_path, patience)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
