"""One request on its way to an answer, and the two ends of the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send

from outlook_emulator.clock import moment
from outlook_emulator.errors import BodyTooLarge, ConnectorError, InvalidRequest
from outlook_emulator.operations.operation import Operation
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.store.records import Owner
from outlook_emulator.traffic.journal import ANSWERED, ExchangeEntry

RawHeaders = Sequence[tuple[bytes, bytes]]
JSON: RawHeaders = [(b"content-type", b"application/json; charset=utf-8")]
_LONGEST_NUMBER = 18
_ENDLESS = 10**_LONGEST_NUMBER


class Answer(NamedTuple):
    """A finished answer; `headers` come on top of those every answer has.

    `breaks` says how it is kept from arriving whole, None for an answer that arrives.
    """

    status: int
    body: bytes = b""
    headers: RawHeaders = ()
    breaks: str | None = None


class Request:
    """What came in: headers, and a body that is read when somebody asks for it. Lives as long as the request."""

    __slots__ = ("_body", "_headers", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self._headers: dict[bytes, bytes] | None = None
        self._body: bytes | None = None

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        if self._headers is None:
            self._headers = dict(self.scope["headers"])
        value = self._headers.get(name.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    async def body(self, limit: int) -> bytes:
        """The whole request body, for anybody who asks. Raises BodyTooLarge before reading more than `limit` bytes."""
        if self._body is None:
            self._body = await self._read(limit)
        return self._body

    @property
    def body_so_far(self) -> bytes:
        """The request body if anybody has asked for it, else nothing."""
        return self._body or b""

    @property
    def announced(self) -> int:
        """How long the request body says it is. Raises InvalidRequest when that is no number."""
        text = self.header("content-length") or "0"
        if not (text.isascii() and text.isdigit()):
            raise InvalidRequest("The header Content-Length must be a number.")
        # By its length first: Python refuses to read a number of thousands of digits.
        return int(text) if len(text) <= _LONGEST_NUMBER else _ENDLESS

    async def _read(self, limit: int) -> bytes:
        if self.announced > limit:
            raise BodyTooLarge(limit)
        return await read_body(self.receive, limit)


class Exchange(Request):
    """A request to the connector and what is known of it, filled in as it is routed. Lives as long as the request.

    Row, connection id, the `world` that counts and judges the call and when it `arrived` there are known before the
    handlers; the sandbox, its `owner` and `now` only when the row runs. Both instants are of the sandbox's clock, in
    microseconds since 1970. A `refusal` is why there is nothing to run; then what comes after the step that refused
    stays None.

    `changes` are members of the mailbox's rules that differ for this call, `entry` is what the journal has of it.
    `is_done` says that the operation ran through, whatever becomes of its answer; `leaving` is called, last one first,
    with how the answer left.
    """

    __slots__ = (
        "_render",
        "arrived",
        "changes",
        "connection_id",
        "entry",
        "is_done",
        "leaving",
        "now",
        "operation",
        "owner",
        "path_values",
        "refusal",
        "sandbox",
        "world",
    )

    world: Sandbox
    sandbox: Sandbox | None
    owner: Owner | None
    operation: Operation | None
    refusal: ConnectorError | None
    path_values: list[str]
    connection_id: str | None
    arrived: int
    now: int | None

    def __init__(
        self, scope: Scope, receive: Receive, world: Sandbox, render: Callable[[Exchange, ConnectorError], Answer]
    ) -> None:
        super().__init__(scope, receive)
        self._render = render
        self.world = world
        self.operation = None
        self.refusal = None
        self.path_values = []
        self.connection_id = self.sandbox = self.owner = self.now = None
        self.changes: Mapping[str, Any] = {}
        self.entry: ExchangeEntry | None = None
        self.is_done = False
        self.leaving: list[Callable[[str], None]] = []

    def render(self, error: ConnectorError) -> Answer:
        """What an error is as an answer to this request."""
        return self._render(self, error)


Handler = Callable[[Exchange], Awaitable[Answer]]
"""What turns an exchange into an answer. Limits, faults and the journal wrap one handler in another."""
Wrapper = Callable[[Handler], Handler]


async def read_body(receive: Receive, limit: int) -> bytes:
    """A request body from its parts. Raises BodyTooLarge, and InvalidRequest when the caller hangs up half-way."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The request body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit)
        more = message.get("more_body", False)
    return b"".join(parts)


def date_header(instant: int) -> tuple[bytes, bytes]:
    """The header that says when an answer was made."""
    return _date_header(instant // 1_000_000)


@lru_cache(maxsize=256)
def _date_header(second: int) -> tuple[bytes, bytes]:
    return b"date", format_datetime(moment(second * 1_000_000), usegmt=True).encode("ascii")


async def send_answer(send: Send, answer: Answer, common: list[tuple[bytes, bytes]]) -> str:
    """Put an answer on the wire; how it left, for those who wait for that."""
    headers: list[Any] = [*common, (b"content-length", b"%d" % len(answer.body)), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
    return ANSWERED
