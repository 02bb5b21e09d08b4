"""The outermost wrapper: whatever is asked of the connector is noted, with its answer and what shaped it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from urllib.parse import unquote

from outlook_emulator.clock import Clock
from outlook_emulator.errors import ConnectorError
from outlook_emulator.operations.operation import Operation, Scope
from outlook_emulator.server.connector.exchange import Answer, Exchange, Handler
from outlook_emulator.traffic.journal import About, ExchangeEntry, Journal
from outlook_emulator.traffic.retry_report import has_failed, is_tried_again

_SECONDS = 0.1
"""How long a call that failed waits for the rest of its body: as a rule all of it is there."""


def journaling(handler: Handler) -> Handler:
    """Wrap the connector's handler: each exchange has an entry in its sandbox's journal."""

    async def handle(exchange: Exchange) -> Answer:
        journal = exchange.world.traffic.journal
        if not journal.cap:
            return await handler(exchange)
        begun = time.perf_counter_ns()
        entry = exchange.entry = journal.open(exchange.arrived, time.time_ns() // 1000)
        _note_request(entry, exchange)

        # Without the exchange in it, which would have to be found as garbage if it led back to itself.
        exchange.leaving.append(partial(_end, journal, exchange.world.clock, entry, begun))
        try:
            answer = await handler(exchange)
        finally:
            entry.effected = exchange.is_done and entry.method != "GET"
        if answer.breaks is not None or is_tried_again(answer.status):
            await _read(exchange)
        _note_answer(entry, exchange, answer, journal.body_bytes)
        return answer

    return handle


def _end(journal: Journal, clock: Clock, entry: ExchangeEntry, begun: int, how: str) -> None:
    journal.close(entry, time.perf_counter_ns() - begun, how)
    if has_failed(entry):
        entry.left = clock.now()


async def _read(exchange: Exchange) -> None:
    """Know the body of a call that failed unread: without it, nobody could tell that a later one repeats it."""
    with suppress(ConnectorError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await exchange.body(exchange.world.settings.max_body_bytes)


def _note_request(entry: ExchangeEntry, exchange: Exchange) -> None:
    scope, operation = exchange.scope, exchange.operation
    entry.method = scope["method"]
    entry.raw_path = scope["raw_path"]
    entry.query = scope["query_string"]
    entry.raw_request_headers = scope["headers"]
    entry.connection = exchange.connection_id or ""
    if operation is None:
        return
    entry.about = _about(operation)
    if not entry.connection and entry.about.has_connection:
        entry.connection = unquote(exchange.path_values[0])


def _about(operation: Operation) -> About:
    return About(operation.id, operation.family, operation.creates, operation.scope is Scope.CONNECTION)


def _note_answer(entry: ExchangeEntry, exchange: Exchange, answer: Answer, kept: int) -> None:
    body = exchange.body_so_far
    entry.request_size, entry.request_body = len(body), body[:kept]
    entry.request_digest = hash(body)
    entry.status = answer.status
    entry.raw_response_headers = answer.headers
    entry.response_size, entry.response_body = len(answer.body), answer.body[:kept]
