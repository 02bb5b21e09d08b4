"""A request on its way to a response, and the two ends of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send

from outlook_emulator.clock import moment
from outlook_emulator.errors import (
    BodyTooLarge,
    ConnectorError,
    InvalidRequest,
    RequestTimeout,
    TooManyAtOnce,
    TooManyRequests,
)
from outlook_emulator.operations.operation import Operation
from outlook_emulator.options import suggestion
from outlook_emulator.sandbox.aside import aside
from outlook_emulator.sandbox.registry import Target
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.content_types import NO_SNIFF
from outlook_emulator.traffic.fault_plan import Break
from outlook_emulator.traffic.faults import Hit
from outlook_emulator.traffic.journal import ANSWERED, CauseKind, ExchangeEntry, Outcome
from outlook_emulator.traffic.limits import Lease

RawHeaders = Sequence[tuple[bytes, bytes]]
JSON: RawHeaders = [(b"content-type", b"application/json; charset=utf-8")]
COMMON = [
    (b"cache-control", b"no-store, no-cache"),
    (b"pragma", b"no-cache"),
    (b"expires", b"-1"),
    NO_SNIFF,
]
"""Headers of every response: those of the recorded ones that a client could rely on."""
WARNING = b"x-outlook-emulator-warning"
"""The response header about limits that are near, and about unknown names. It is ours: the connector does not warn."""
IS_LATE = "outlook-emulator.is-late"
"""The extension of a scope by which a server says for how many seconds it has waited for the body in vain."""
HEAD_SIZE = "outlook-emulator.head-size"
"""The extension of a scope by which a server says how many bytes the URL and the headers have, if they have many."""
WHOLE = "outlook-emulator.whole"
"""The extension of a scope with a pair: the method behind the server's own `send`, and a function that sends a response
in one piece.

The function takes `send`, the status, the lines of the headers and the body, and returns whether it did: not if the
client reads slowly. It stands for `send` only where nothing lies between the server and whoever responds. The pair does
not refer to the request, which would refer to itself then, and only the garbage collector could free it.
"""
_CONTROLS = bytes(code for code in (*range(32), 127) if code != ord("\t"))
"""The characters that no header may hold. A line break would end it."""
_NONE: Mapping[str, Any] = {}
_NEVER = (None, None)
_MOST_WARNINGS = 5
_LONG_BODY = 4 * 1024 * 1024
"""From this many bytes on, a body is put together in a worker thread."""
_PART = 256 * 1024
_LONGEST_NUMBER = 18
_ENDLESS = 10**_LONGEST_NUMBER


class Response(NamedTuple):
    """A finished response; `headers` come on top of those that every response has.

    `breaks` says how the connection breaks instead of delivering it whole, None for a response that arrives.
    """

    status: int
    body: bytes = b""
    headers: RawHeaders = ()
    breaks: Break | None = None


class Request:
    """The headers of a request, and its body, which is read on demand. Lives as long as the request."""

    __slots__ = ("_body", "_digest", "_length", "headers", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request headers by their lower-case names."""
        self._body: bytes | None = None
        self._digest: int | None = None
        self._length: int | None = None

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    async def body(self, limit: int) -> bytes:
        """The whole request body, read once. Raises BodyTooLarge before it reads more than `limit` bytes."""
        if self._body is None:
            self._body = await self._read(limit)
            if len(self._body) >= _LONG_BODY:
                # This call lets other threads run, unlike `hash`.
                self._digest = hash((await aside(sha256, self._body)).digest())
        return self._body

    def received(self, size: int) -> None:
        """Take note of how many bytes of the body have arrived."""

    @property
    def body_digest(self) -> int:
        """A number that is equal for equal bodies."""
        return hash(self.body_so_far) if self._digest is None else self._digest

    @property
    def body_so_far(self) -> bytes:
        """The request body if it has been read, else nothing."""
        return self._body or b""

    @property
    def content_length(self) -> int:
        """The length of the request body by its header, 0 without one. Raises InvalidRequest if it is not a number."""
        if self._length is None:
            text = self.headers.get(b"content-length") or b"0"
            if not text.isdigit():
                raise InvalidRequest("The header Content-Length must be a number.")
            # By its length first: Python refuses to read a number of thousands of digits.
            self._length = int(text) if len(text) <= _LONGEST_NUMBER else _ENDLESS
        return self._length

    async def _read(self, limit: int) -> bytes:
        if self.content_length > limit:
            raise BodyTooLarge(limit)
        return await read_body(self.scope, self.receive, limit, self.received)


class Exchange(Request):
    """A request to the connector and what is known about it. Lives as long as the request.

    `operation`, `path_values` and `connection_id` are set when the operation is found. `target` is where the connection
    id leads. `sandbox` counts and records the request: the sandbox of `target`, or the one that a link names. `arrived`
    is the time of its clock when the request came, in microseconds since 1970. `ran_in` is the sandbox in which the
    operation ran, None if it did not; it differs from `sandbox` only if that was deleted meanwhile. `is_done` says that
    the operation ran to its end, even if the client gets an error. `warnings` are sentences about unknown names.

    The rest belongs to the features around the connector: `entry` to the journal, `lease` to the limits, `hit` and
    `waiting` to the faults. `rule_changes` are members of the mailbox's rules that a fault changes for this request.
    """

    __slots__ = (
        "_render",
        "arrived",
        "connection_id",
        "entry",
        "hit",
        "is_done",
        "lease",
        "operation",
        "path_values",
        "ran_in",
        "rule_changes",
        "sandbox",
        "target",
        "waiting",
        "warnings",
    )

    def __init__(
        self, scope: Scope, receive: Receive, target: Target, render: Callable[[Exchange, ConnectorError], Response]
    ) -> None:
        super().__init__(scope, receive)
        self._render = render
        self.target = target
        self.enter(target.sandbox)
        self.operation: Operation | None = None
        self.path_values: list[str] = []
        self.connection_id: str | None = None
        self.ran_in: Sandbox | None = None
        self.is_done = False
        self.entry: ExchangeEntry | None = None
        self.lease: Lease | None = None
        self.hit: Hit | None = None
        self.waiting: ExitStack | None = None
        self.rule_changes: Mapping[str, Any] = {}
        self.warnings: list[str] = []

    def received(self, size: int) -> None:
        """Count what the headers did not announce, as in a body in chunks. Raises TooManyAtOnce."""
        lease = self.lease
        if lease is None or size <= lease.size:
            return
        try:
            lease.admit(size - lease.size)
        except TooManyAtOnce:
            # Like a request that is refused for its announced size: its response does not count.
            lease.release()
            self.lease = None
            raise

    @property
    def row(self) -> Operation:
        """The operation, once it is found."""
        assert self.operation is not None
        return self.operation

    def enter(self, sandbox: Sandbox) -> None:
        """Set the sandbox that the request is about."""
        self.sandbox = sandbox
        self.arrived = sandbox.clock.now()

    def render(self, error: ConnectorError) -> Response:
        """The response that reports an error to this client."""
        return self._render(self, error)

    def refuse(self, error: ConnectorError) -> Response:
        """Report an error to this client in its own terms, and record why."""
        if error.field is not None and self.operation is not None:
            wire = self.operation.wire_name(error.field)
            if wire is not None:
                error.rename(*wire)
        kind: CauseKind = "limit" if isinstance(error, TooManyRequests) else "refusal"
        self.note(kind, type(error).__name__, f"{error.original} {error.hint}".rstrip())
        return self.render(error)

    def warn(self, problem: str, name: str, known: Iterable[str]) -> None:
        """Warn the client of an unknown name."""
        # The first ones will do: the search for similar names takes its time.
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(_about(problem, name, known))

    @staticmethod
    def refuse_name(problem: str, name: str, known: Iterable[str]) -> None:
        """Raise InvalidRequest for an unknown name."""
        raise InvalidRequest(_about(problem, name, known))

    def note(self, kind: CauseKind, name: str, reason: str) -> None:
        """Record what shaped the response, if the journal is on."""
        if self.entry is not None:
            self.entry.add_cause(kind, name, reason)


def _about(problem: str, name: str, known: Iterable[str]) -> str:
    """A text about an unknown name, in one line."""
    shown = "".join(character if character.isprintable() else "?" for character in name[:100])
    return f"{problem} '{shown}'. {suggestion(name, known)}"


async def read_body(scope: Scope, receive: Receive, limit: int, received: Callable[[int], None] | None = None) -> bytes:
    """A request body from its parts; `received` is called after each part with the size of all so far.

    Raises BodyTooLarge, InvalidRequest if the client disconnects half-way, RequestTimeout if it is too slow, and what
    `received` raises.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The request body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        # After each part, because a body in chunks announces no length.
        if size > limit:
            raise BodyTooLarge(limit)
        if received is not None:
            received(size)
        more = message.get("more_body", False)
        if more and not parts[-1] and (seconds := scope.get("extensions", {}).get(IS_LATE)):
            raise RequestTimeout(seconds)
    return b"".join(parts) if size < _LONG_BODY else await aside(b"".join, parts)


def common_headers(instant: int) -> list[tuple[bytes, bytes]]:
    """The headers that every response has, sent at this instant."""
    return [*COMMON, date_header(instant)]


@lru_cache(maxsize=256)
def _common_lines(second: int) -> bytes:
    return _lines_of([*COMMON, _date_header(second)])


def _lines_of(headers: RawHeaders) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_JSON_LINES = _lines_of(JSON)


def date_header(instant: int) -> tuple[bytes, bytes]:
    """The header that says when a response was made."""
    return _date_header(instant // 1_000_000)


@lru_cache(maxsize=256)
def _date_header(second: int) -> tuple[bytes, bytes]:
    # Kept for a while: formatting takes 20 µs, and all responses of a second share the text.
    return b"date", format_datetime(moment(second * 1_000_000), usegmt=True).encode("ascii")


async def send_response(scope: Scope, send: Send, response: Response, instant: int) -> Outcome:
    """Send a response with the headers that every response has at this instant; returns the outcome for the journal."""
    body = response.body
    length = b"%d" % len(body)
    own_send, send_whole = scope.get("extensions", _NONE).get(WHOLE, _NEVER)
    if own_send is not None and getattr(send, "__func__", None) is own_send and len(body) <= _PART:
        own = _own_lines(response.headers)
        if own is not None:
            lines = b"%bcontent-length: %b\r\n%b" % (_common_lines(instant // 1_000_000), length, own)
            if send_whole(send, response.status, lines, body):
                return ANSWERED
    headers: list[Any] = [*common_headers(instant), (b"content-length", length), *response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send_body(send, body)
    return ANSWERED


def _own_lines(headers: RawHeaders) -> bytes | None:
    """The lines of a response's own headers, None if the server must look at them itself."""
    if not headers:
        return b""
    if headers is JSON:
        return _JSON_LINES
    lines = _lines_of(headers)
    # The line breaks at the ends are the only ones. A pattern would take 12 µs, longer than all else here.
    is_safe = len(lines) - len(lines.translate(None, _CONTROLS)) == 2 * len(headers)
    return lines if is_safe else None


async def send_body(send: Send, body: bytes) -> None:
    """Send the body of a response: a large one in parts, since the server copies what it cannot send at once."""
    if len(body) <= _PART:
        await send({"type": "http.response.body", "body": body})
        return
    for start in range(0, len(body), _PART):
        part = body[start : start + _PART]
        await send({"type": "http.response.body", "body": part, "more_body": start + _PART < len(body)})
        # A client that reads as fast as the server writes would keep all others waiting.
        await asyncio.sleep(0)
