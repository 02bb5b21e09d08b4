"""The wrapper that strikes calls as the rules of their sandbox say: before the operation runs, or after it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emulator.conduct.calls import Seen, path_below
from emulator.conduct.faults import MALFORMED, WORK, Effect, Given, Struck
from emulator.errors import ConnectorError
from emulator.operations.operation import Kind, Scope
from emulator.sandbox import Sandbox
from emulator.server.breaking import malformed
from emulator.server.exchange import Answer, Exchange, Handler, Wrapper
from emulator.server.polling import nothing_yet

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
            book = exchange.world.conduct.faults
            if exchange.refusal is not None or not (book.has_any or book.has_holding):
                return await handler(exchange)
            if book.reads_bodies:
                await exchange.body(longest_body)
            call, plan, now = seen(exchange), exchange.header(PLAN), exchange.world.clock.now()
            struck = book.strike(call, plan, now)
            if struck is not None:
                _note(exchange, struck)
                return await _suffer(exchange, struck.effect, handler)
            answer = await handler(exchange)
            return _held(exchange, call, plan, answer) if book.has_holding else answer

        return handle

    return wrap


def seen(exchange: Exchange) -> Seen:
    """A call as rules look at it."""
    scope, operation = exchange.scope, exchange.operation
    has_connection = operation is not None and operation.scope is Scope.CONNECTION
    return Seen(
        connection=exchange.connection_id or "",
        operation=operation.id if operation else "",
        family=operation.family if operation else "",
        method=scope["method"],
        path=path_below(scope["raw_path"], PREFIX, has_connection),
        query=scope["query_string"],
        body=exchange.body_so_far,
    )


async def _suffer(exchange: Exchange, effect: Effect, handler: Handler) -> Answer:
    exchange.changes = effect.changes
    answer = await handler(exchange) if effect.after else None
    async with _delayed(exchange.world, effect):
        operation = exchange.operation
        spared = effect.families and operation is not None and operation.family not in effect.families
        if effect.answer is not None and not spared:
            answer = _made(exchange, effect.answer)
        elif answer is None:
            answer = await handler(exchange)
    return _finished(answer, effect)


@asynccontextmanager
async def _delayed(world: Sandbox, effect: Effect) -> AsyncIterator[None]:
    """A block that begins once the effect's delay is over. Raises StartedOver when the sandbox does meanwhile."""
    waits, clock = world.conduct.waits, world.clock
    if effect.delay and not effect.in_real_time:
        with waits.until(clock.now() + effect.delay) as wait:
            await wait.pass_until(clock)
            yield
        return
    if effect.delay:
        await waits.sleep(effect.delay / 1_000_000)
    yield


def _made(exchange: Exchange, answer: ConnectorError | Given) -> Answer:
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


def _held(exchange: Exchange, call: Seen, plan: str | None, answer: Answer) -> Answer:
    """What a poll found, or nothing yet where a rule holds it back."""
    operation = exchange.operation
    if operation is None or operation.kind is not Kind.POLL or answer.status != 200 or exchange.sandbox is None:
        return answer
    state = f"{call.connection} {call.path}?{exchange.scope['query_string'].decode('latin-1')}"
    held = exchange.world.conduct.faults.hold_poll(call, plan, state, exchange.world.clock.now())
    if not held:
        return answer
    if isinstance(held, Struck):
        _note(exchange, held)
    return nothing_yet(exchange)


def _note(exchange: Exchange, struck: Struck) -> None:
    effect = struck.effect
    if exchange.entry is not None:
        what = effect.fault or ("work" if effect is WORK else "custom")
        exchange.entry.add_cause("fault", struck.rule.name, what)
