"""A small HTTP server for tests: it records the requests it receives and returns the response that a test sets."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as it was received. Header names are in lower case; the path includes the query."""

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
    """The requests received so far, and the response: a status, a body (JSON or bytes) and further headers.

    `respond` replaces the response with one that depends on the request: status, media type, content.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    respond: Callable[[Request], tuple[int, str, bytes]] | None = None
    _received: threading.Condition = field(default_factory=threading.Condition)

    @property
    def content(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()

    def last(self) -> Request:
        return self.requests[-1]

    def wait(self, count: int = 1) -> list[Request]:
        """All requests so far, once there are at least `count`. Fails after ten seconds."""
        with self._received:
            assert self._received.wait_for(lambda: len(self.requests) >= count, 10), self.requests
            return list(self.requests)

    def answer_with(self, *statuses: int) -> None:
        """Respond to the next requests with these statuses, and to all later ones with the last status."""
        remaining = list(statuses)
        self.respond = lambda _: (remaining.pop(0) if len(remaining) > 1 else remaining[0], "text/plain", b"")

    def receive(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """Record a request; the status, headers and content of its response."""
        with self._received:
            self.requests.append(request)
            self._received.notify_all()
        if self.respond is None:
            return self.status, self.headers, self.content
        status, media_type, content = self.respond(request)
        # A redirect that a client must not follow: its target is recorded like any other request.
        location = {"Location": f"{self.url}/elsewhere"} if status == 302 else {}
        return status, {"Content-Type": media_type, **location}, content


@contextmanager
def stubbed(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """A stub in a thread, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            status, more, content = stub.receive(Request(self.command, self.path, headers, body))
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print nothing when a client hangs up, for example because it does not trust the certificate."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    stub = Stub(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
