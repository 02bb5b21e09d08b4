"""Records each exchange in the journal of its sandbox: the request, the response and what shaped it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from logging import INFO
from urllib.parse import unquote

from outlook_emulator.errors import ConnectorError
from outlook_emulator.operations.operation import Operation, Scope
from outlook_emulator.server.connector.exchange import HEAD_SIZE, Exchange, Response
from outlook_emulator.server.journal.paths import path_of
from outlook_emulator.traffic.journal import NOT_KEPT, About, ExchangeEntry, Outcome
from outlook_emulator.traffic.request_log import REQUESTS, line_of
from outlook_emulator.traffic.retry_report import has_failed, is_retryable

_NONE: Mapping[str, int] = {}
_SECONDS = 0.1
"""How long to wait for the body of a failed request that was not read. Usually all of it has arrived."""


class Recorder:
    """Keeps the journals of all sandboxes whose journal is on, and writes the request log."""

    def __init__(self) -> None:
        self._about: dict[str, About] = {}

    def open(self, exchange: Exchange) -> None:
        """Start an entry with what is known about the request."""
        journal = exchange.sandbox.traffic.journal
        if journal.cap:
            entry = journal.open(exchange.arrived, time.time_ns() // 1000)
        elif REQUESTS.isEnabledFor(INFO):
            entry = ExchangeEntry(NOT_KEPT, exchange.arrived, time.time_ns() // 1000)
        else:
            return
        exchange.entry = entry
        entry.started = time.perf_counter_ns()
        scope, operation = exchange.scope, exchange.operation
        entry.method = scope["method"]
        entry.raw_path = scope["raw_path"]
        entry.query = scope["query_string"]
        entry.raw_request_headers = scope["headers"]
        entry.connection = exchange.connection_id or ""
        if operation is None:
            return
        entry.about = self._about_of(operation)
        if not entry.connection and entry.about.has_connection:
            entry.connection = unquote(exchange.path_values[0])

    def needs_body(self, exchange: Exchange, response: Response) -> bool:
        """Whether the client may repeat the request: without its body, it could not be told from another one."""
        return exchange.entry is not None and (response.breaks is not None or is_retryable(response.status))

    async def read_body(self, exchange: Exchange) -> None:
        """Read the body of a request, if it has arrived."""
        with suppress(ConnectorError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await exchange.body(exchange.sandbox.settings.max_body_bytes)

    def note(self, exchange: Exchange, response: Response) -> None:
        """Add the response, and the request body as far as it is known."""
        entry = exchange.entry
        if entry is None:
            return
        _note_effect(entry, exchange)
        journal, body = exchange.sandbox.traffic.journal, exchange.body_so_far
        kept = journal.body_bytes
        if body:
            entry.request_size, entry.request_body = len(body), body[:kept]
            # Of the whole body: the part that is kept may end before two requests differ.
            entry.request_digest = exchange.body_digest
        entry.status = response.status
        entry.raw_response_headers = response.headers
        if response.body:
            # A copy: the bytes that the JSON library makes take 4 KB and more, however few they are.
            entry.response_size, entry.response_body = len(response.body), b"%b" % response.body[:kept]
        head = exchange.scope.get("extensions", _NONE).get(HEAD_SIZE, 0)
        journal.weigh(entry, head + len(entry.request_body) + len(entry.response_body))

    def close(self, exchange: Exchange, outcome: Outcome) -> None:
        """End the entry; `outcome` says how the response left."""
        entry = exchange.entry
        if entry is None:
            return
        _note_effect(entry, exchange)
        traffic = exchange.sandbox.traffic
        traffic.journal.close(entry, time.perf_counter_ns() - entry.started, outcome)
        if has_failed(entry):
            entry.left = exchange.sandbox.clock.now()
        if traffic.followers:
            traffic.changed()
        if REQUESTS.isEnabledFor(INFO):
            REQUESTS.info("%s", line_of(entry, path_of(entry)))

    def _about_of(self, operation: Operation) -> About:
        about = self._about.get(operation.id)
        if about is None:
            has_connection = operation.scope is Scope.CONNECTION
            about = About(operation.id, operation.family, operation.creates, has_connection)
            self._about[operation.id] = about
        return about


def _note_effect(entry: ExchangeEntry, exchange: Exchange) -> None:
    # Reading changes nothing, so a client may repeat it without harm.
    entry.effected = exchange.is_done and entry.method != "GET"
