"""The sockets of a server: how many connections it holds, and how long it waits for what a client has to send.

A client that is too slow, sends too many headers, or comes when all connections are in use gets an error, and its
connection is closed. The connection that waits longest without a request makes room for a new one.
"""

from __future__ import annotations

import asyncio
import logging
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from outlook_emulator import descriptors
from outlook_emulator.errors import ConnectorError, HeadersTooLarge, InvalidHttp, RequestTimeout, TooManyConnections
from outlook_emulator.quiet_log import QuietLog
from outlook_emulator.server.connector.broken_connection import TRANSPORT
from outlook_emulator.server.connector.error_responses import error_response
from outlook_emulator.server.connector.exchange import COMMON, HEAD_SIZE, IS_LATE, WHOLE
from outlook_emulator.settings import Settings

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

ACCEPTED_AT_ONCE = 64
"""How many connections the loop accepts before it does anything else; asyncio would take the length of the queue."""
_GOODBYE = 0.05
"""How long an idle client has to answer the end of a TLS connection, in seconds."""
_LINGER = 0.5
"""How long a refused client has to read its error, in seconds."""
_PORTION = 16 * 1024
"""How many bytes of a body must arrive in each period of the read timeout, unless the body ends."""
_MANY = 1 << 20
"""Stands for no limit of open files."""
_LONG_HEAD = 4096
"""Up to so many bytes, a head is not measured."""
_log = logging.getLogger("outlook_emulator")


class Bounds(NamedTuple):
    """What the sockets of a server may take: connections, seconds, and bytes of the head of a request."""

    connections: int
    read_timeout: float
    head: int

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """The bounds that the settings and the system's limit of open files allow."""
        wanted = settings.max_connections
        possible = descriptors.half() or _MANY
        return cls(min(wanted, possible) if wanted else possible, settings.read_timeout, settings.max_header_bytes)


class Watch:
    """Watches over the connections of one server."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._quiet_log = QuietLog()
        self._leaving: set[Connection] = set()
        self._open: set[Connection] = set()
        self._shortage: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at all connections from now on, several times in each period of the read timeout."""
        loop.set_exception_handler(self._report)
        self._sweep_again(loop)

    def stop(self) -> None:
        """Close what waits for its client: on stop, nothing more of a request can come."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.leave()

    def abort(self) -> None:
        """Close all connections, whatever they are doing."""
        for connection in [*self._open, *self._leaving]:
            connection.transport.abort()

    def enter(self, connection: Connection) -> bool:
        """Take a new connection; returns whether it may stay."""
        connection.since = connection.loop.time()
        has_room = len(self._open) < self.bounds.connections or self._make_room()
        if has_room:
            self._open.add(connection)
            return True
        self.tell(f"All {self.bounds.connections} connections are in use; a client was refused.")
        if len(self._leaving) >= min(ACCEPTED_AT_ONCE, max(self.bounds.connections // 4, 1)):
            connection.transport.abort()
        return False

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        self._leaving.discard(connection)

    def linger(self, connection: Connection) -> None:
        """Count a refused connection until it is closed, apart from the others."""
        self._open.discard(connection)
        self._leaving.add(connection)

    def tell(self, text: str) -> None:
        """Log a warning, but the same one no more than once a minute."""
        if self._quiet_log.is_new(text):
            _log.warning("%s Further ones are not logged for a minute.", text)

    def _end_shortage(self) -> None:
        """Give the files of clients that wait to those that come."""
        self._shortage = None
        self.tell("The system's limit of open files is reached.")
        # asyncio accepts no more for a second, and as many may be waiting.
        self._make_room(self.bounds.connections // 2)

    def _make_room(self, least: int = 1) -> bool:
        idle = [connection for connection in self._open if connection.is_idle]
        if not idle:
            return False
        # Several at once: whoever opens a connection too many usually opens many.
        for connection in nsmallest(max(self.bounds.connections // 20, least), idle, key=lambda other: other.since):
            self._open.discard(connection)
            connection.transport.abort()
        return True

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping = loop.call_later(min(1.0, self.bounds.read_timeout / 4 or 1.0), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._open):
            connection.look(now, self.bounds.read_timeout)
        self._sweep_again(loop)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", ""))
        if message.startswith("socket.accept() out of system resource"):
            # asyncio reports it once for each connection that it tried to accept, and tries again after a second.
            if self._shortage is None:
                self._shortage = loop.call_soon(self._end_shortage)
        elif "_start_serving" not in message:
            # Such a further try fails if the server has stopped in the meantime.
            loop.default_exception_handler(context)


class Connection(HttpToolsProtocol):
    """A connection that a watch bounds. It ignores upgrades and gives the app its transport, for faults that break it.

    It closes idle TLS connections on stop: a client that keeps one in a pool does not read from it, so it never answers
    the end of the TLS connection.

    `since` is when it last got ahead, as far as the watch has seen. The watch also closes it when no further request
    comes, which spares each response a timer.
    """

    def __init__(self, config: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(config, *arguments, **more)
        self._watch: Watch = config.watch
        self.since = 0.0
        self._seen: tuple[Any, ...] = ()
        self._arrived = self._requests = 0
        # How much had arrived when the last response left; None before the first one.
        self._arrived_before: int | None = None
        # Bytes without a part of a body, of a head or of trailers, after the part with which they began.
        self._head = self._part = 0
        self._in_head = self._is_refused = False
        self._responding: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        if self._watch.enter(self):
            super().connection_made(transport)
        else:
            self.flow = FlowControl(transport)
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.leave(self)
        super().connection_lost(exc)
        # uvicorn tells only the request that came last, which may wait for the response to an earlier one.
        if (cycle := self._responding) is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._in_head and (self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body))

    def look(self, now: float, timeout: float) -> None:
        """Close the connection, or end its request, if the client has done nothing for so many seconds."""
        doing = self._doing()
        if doing != self._seen:
            self._seen, self.since = doing, now
            return
        if doing and doing[0] == "quiet":
            timeout = self.timeout_keep_alive
        elif doing and doing[0] == "body" and self.cycle.response_complete:
            # Nobody waits for the rest of the body, but a further request may follow it.
            timeout = timeout or self.timeout_keep_alive
        if doing and timeout and now >= self.since + timeout:
            self._time_out(doing[0], timeout)

    def _doing(self) -> tuple[Any, ...]:
        """What the server waits for from the client, and how far that is; empty if it waits for nothing."""
        cycle = self.cycle
        if self.flow.write_paused:
            return "reading", self.transport.get_write_buffer_size()
        if self._in_head:
            # Not how far it is: a head must be there as a whole in time.
            return "head", id(self.scope)
        if self.is_idle:
            # Blank lines are no request: they do not keep a connection open.
            return "quiet" if self._arrived == self._arrived_before else "idle", self._requests
        if cycle.more_body and not self.flow.read_paused and not cycle.waiting_for_100_continue:
            return "body", id(cycle), self._arrived // _PORTION
        return ()

    def _time_out(self, doing: str, timeout: float) -> None:
        cycle = self.cycle
        if doing in ("idle", "quiet"):
            self.transport.close()
        elif doing == "reading":
            self.transport.abort()
        elif doing == "head":
            self._watch.tell("A client did not send the head of its request in time.")
            self._refuse(RequestTimeout(timeout))
        elif cycle.response_started:
            self.transport.close()
        else:
            # Whoever reads the body answers.
            self._watch.tell("A client did not send the body of its request in time.")
            cycle.scope["extensions"][IS_LATE] = timeout  # type: ignore[assignment]
            cycle.keep_alive = False
            cycle.message_event.set()

    def leave(self) -> None:
        """Close the connection if its client has not sent all of a request."""
        if self._in_head or self.cycle is None or self.cycle.more_body:
            self.transport.abort()

    def _refuse(self, error: ConnectorError) -> None:
        """Answer with an error instead of a request's own response, and close the connection."""
        self._is_refused = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The app that reads the body, or still answers an earlier request, learns that nobody listens.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self.pipeline:
                self.transport.abort()
                return
        self._watch.linger(self)
        response = error_response(error, "", "", "")
        headers = [(b"content-length", b"%d" % len(response.body)), (b"connection", b"close")]
        headers += [*response.headers, *COMMON]
        content = [STATUS_LINE[response.status], *(b"%b: %b\r\n" % header for header in headers)]
        self.transport.write(b"".join((*content, b"\r\n", response.body)))
        # A socket that is closed while bytes arrive is reset, and the client may lose the response.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER, self.transport.abort)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head = 0
        # The types of uvicorn only allow dicts as extensions.
        self.scope["extensions"] = {TRANSPORT: self.transport, WHOLE: _WHOLE}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        self._in_head = False
        # What arrived with the head may belong to the body, or to requests before it.
        if self._head + self._part > _LONG_HEAD:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._watch.bounds.head:
                raise _HeadTooLarge
            self.scope["extensions"][HEAD_SIZE] = size  # type: ignore[assignment]
        self._head = 0
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._responding = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._head = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on with the next request, if it is there."""
        self._requests += 1
        self._arrived_before = self._arrived
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def data_received(self, data: bytes) -> None:
        """Parse what arrived. A request that asks for an upgrade is parsed again as one that does not.

        Java's HttpClient and `curl --http2` offer HTTP/2 with every plain request, and a server may ignore the offer
        (RFC 9110, 7.8). httptools stops before the body of such a request, and uvicorn then serves it without the body.
        """
        if self._is_refused:
            return
        self._arrived += len(data)
        self._head += len(data)
        self._part = len(data)
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    if not self._should_upgrade():
                        return
                    data = data[upgrade.args[0] :]
                    self._ignore_upgrade()
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _HeadTooLarge):
                self._refuse(HeadersTooLarge(self._watch.bounds.head))
            else:
                self._watch.tell("A client sent bytes that are no valid HTTP request.")
                self._refuse(InvalidHttp())
            return
        if self._head > self._watch.bounds.head and (self.is_idle or self._in_head or self.cycle.more_body):
            self._refuse(HeadersTooLarge(self._watch.bounds.head))

    def _should_upgrade(self) -> bool:
        # uvicorn does not start a request for which this is true, so the second parsing can. A CONNECT has no body to
        # lose, and httptools would stop again.
        return bool(self.parser.get_method() != b"CONNECT")

    def _ignore_upgrade(self) -> None:
        """Start the request whose head was read, with a new parser that goes on to its body."""
        headers = self.headers
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in headers:
            if name != b"upgrade":
                head += name, b": ", value, b"\r\n"
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does for its own parser: requests may follow one that closes the connection.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join((*head, b"\r\n")))
        # The journal shows what the client sent.
        self.headers[:] = headers

    def shutdown(self) -> None:
        super().shutdown()
        if self.scheme == "https" and (self.cycle is None or self.cycle.response_complete):
            self.loop.call_later(_GOODBYE, self.transport.abort)


def _send_whole(send: Any, status: int, lines: bytes, body: bytes) -> bool:
    """Send a response in one piece; returns whether it was sent, or nobody listens. `lines` are those of its headers.

    It does what `RequestResponseCycle.send` does in two calls, with a check and a join for each header. Each of those
    calls writes on its own, which would wake the client twice.
    """
    cycle: RequestResponseCycle = send.__self__
    if cycle.disconnected:
        return True
    if cycle.flow.write_paused:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    shown = b"" if cycle.scope["method"] == "HEAD" else body
    cycle.transport.write(b"".join((STATUS_LINE[status], lines, end, shown)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


_WHOLE = RequestResponseCycle.send, _send_whole


class _HeadTooLarge(Exception):
    """The head of a request is larger than it may be."""
