"""The wrapper that strikes calls as the rules of their sandbox say: before the operation runs, or after it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from outlook_emulator.clock import LATEST
from outlook_emulator.errors import ConnectorError
from outlook_emulator.operations.operation import Kind, Scope
from outlook_emulator.server.connector.broken_connection import TRANSPORT, gone, malformed
from outlook_emulator.server.connector.exchange import Answer, Exchange, Handler, Wrapper
from outlook_emulator.server.connector.polling import nothing_yet
from outlook_emulator.traffic.call_facts import CallFacts, path_below
from outlook_emulator.traffic.faults import MALFORMED, WORK, CannedResponse, Effect, Hit
from outlook_emulator.traffic.waits import Wait

PLAN = "x-outlook-emulator-plan"
"""The request header that binds a call to the plans of that name."""
PREFIX = b"/apim/outlook/"


def faulting(longest_body: int) -> Wrapper:
    """A wrapper of the connector's handler: calls that a rule is about get what it says.

    Calls that are refused anyway, for their path or credential, are let alone. To compare bodies, it reads at most
    `longest_body` bytes of one.
    """

    def wrap(handler: Handler) -> Handler:
        async def handle(exchange: Exchange) -> Answer:
            book = exchange.world.traffic.faults
            if exchange.refusal is not None or not (book.has_any or book.has_holding):
                return await handler(exchange)
            if book.reads_bodies:
                await exchange.body(longest_body)
            call, plan, now = seen(exchange), exchange.header(PLAN), exchange.world.clock.now()
            hit = book.strike(call, plan, now)
            if hit is not None:
                _note(exchange, hit)
                return await _suffer(exchange, hit, handler, longest_body)
            answer = await handler(exchange)
            return _held(exchange, call, plan, answer) if book.has_holding else answer

        return handle

    return wrap


def seen(exchange: Exchange) -> CallFacts:
    """A call as rules look at it."""
    scope, operation = exchange.scope, exchange.operation
    has_connection = operation is not None and operation.scope is Scope.CONNECTION
    return CallFacts(
        connection=exchange.connection_id or "",
        operation=operation.id if operation else "",
        family=operation.family if operation else "",
        method=scope["method"],
        path=path_below(scope["raw_path"], PREFIX, has_connection),
        query=scope["query_string"],
        body=exchange.body_so_far,
    )


async def _suffer(exchange: Exchange, hit: Hit, handler: Handler, longest_body: int) -> Answer:
    effect = hit.effect
    exchange.changes = effect.changes
    if effect.delay:
        # First of all: once the caller has hung up, nobody can read it.
        await exchange.body(longest_body)
    answer = await handler(exchange) if effect.after else None
    async with _delayed(exchange, hit):
        operation = exchange.operation
        spared = effect.families and operation is not None and operation.family not in effect.families
        if effect.answer is not None and not spared:
            answer = _made(exchange, effect.answer)
        elif answer is None:
            answer = await handler(exchange)
    return _finished(answer, effect)


@asynccontextmanager
async def _delayed(exchange: Exchange, hit: Hit) -> AsyncIterator[None]:
    """A block that begins once the effect's delay is over, or its rule is gone, or the caller.

    Raises StartedOver when the sandbox does meanwhile.
    """
    effect, clock = hit.effect, exchange.world.clock
    if not effect.delay:
        yield
        return
    until = LATEST if effect.in_real_time else clock.now() + effect.delay
    with exchange.world.traffic.waits.until(until, hit.rule) as wait, _heeding(exchange, wait):
        if effect.in_real_time:
            wait.settle()
            await wait.pass_seconds(effect.delay / 1_000_000)
        else:
            await wait.pass_until(clock)
        yield


@contextmanager
def _heeding(exchange: Exchange, wait: Wait) -> Iterator[None]:
    """Let a call go on whose caller hangs up: it shall be in nobody's way."""
    if TRANSPORT not in exchange.scope.get("extensions", {}):
        yield
        return
    watch = asyncio.ensure_future(gone(exchange.receive))
    watch.add_done_callback(lambda done: wait.end(True))
    try:
        yield
    finally:
        watch.cancel()


def _made(exchange: Exchange, answer: ConnectorError | CannedResponse) -> Answer:
    if isinstance(answer, ConnectorError):
        return exchange.render(answer)
    kind = [] if answer.content_type is None else [(b"content-type", answer.content_type.encode("latin-1"))]
    return Answer(answer.status, answer.body, kind)


def _finished(answer: Answer, effect: Effect) -> Answer:
    if effect.headers:
        own = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in effect.headers.items()}
        kept = [pair for pair in answer.headers if pair[0] not in own]
        answer = answer._replace(headers=[*kept, *own.items()])
    if effect.breaks == MALFORMED:
        return malformed(answer)
    return answer._replace(breaks=effect.breaks)


def _held(exchange: Exchange, call: CallFacts, plan: str | None, answer: Answer) -> Answer:
    """What a poll found, or nothing yet where a rule holds it back."""
    operation = exchange.operation
    if operation is None or operation.kind is not Kind.POLL or answer.status != 200 or exchange.sandbox is None:
        return answer
    state = f"{call.connection} {call.path}?{exchange.scope['query_string'].decode('latin-1')}"
    held = exchange.world.traffic.faults.hold_poll(call, plan, state, exchange.world.clock.now())
    if not held:
        return answer
    if isinstance(held, Hit):
        _note(exchange, held)
    return nothing_yet(exchange)


def _note(exchange: Exchange, hit: Hit) -> None:
    effect = hit.effect
    if exchange.entry is not None:
        what = effect.fault or ("work" if effect is WORK else "custom")
        exchange.entry.add_cause("fault", hit.rule.name, what)
