"""A small HTTP server that stands in for an emulator: it records what is asked and answers what it was told to."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class EventChanges(NamedTuple):
    """A request that came in; header names are in lower case, the path is as it was sent, query included."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stub:
    """What was asked so far, and what is answered: a status, JSON or bytes, and headers on top."""

    url: str
    asked: list[EventChanges] = field(default_factory=list)
    status: int = 200
    answer: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if self.answer is None or isinstance(self.answer, bytes):
            return self.answer or b""
        return json.dumps(self.answer).encode()

    def last(self) -> EventChanges:
        return self.asked[-1]


@contextmanager
def stubbed(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """A stub that listens on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            named = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(named.get("content-length", "0")))
            made.asked.append(EventChanges(self.command, self.path, named, body))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.content)))
            self.end_headers()
            self.wfile.write(made.content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up, as one does that does not trust the certificate, is no news."""

    serving = Quiet(("127.0.0.1", 0), Handler)
    if tls is not None:
        serving.socket = tls.wrap_socket(serving.socket, server_side=True)
    made = Stub(f"http{'s' if tls else ''}://127.0.0.1:{serving.server_address[1]}")
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
