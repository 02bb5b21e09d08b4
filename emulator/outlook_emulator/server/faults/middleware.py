"""Applies fault rules to requests, before their operation runs or after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import orjson

from outlook_emulator.clock import LATEST
from outlook_emulator.errors import CallsExceeded, ConnectorError, StartedOver
from outlook_emulator.operations.operation import Kind, Scope
from outlook_emulator.server.connector.broken_connection import TRANSPORT, gone, malformed
from outlook_emulator.server.connector.exchange import Exchange, Response
from outlook_emulator.server.connector.polling import nothing_yet, once_more
from outlook_emulator.server.connector.routes import PREFIX
from outlook_emulator.traffic.call_facts import CallFacts, path_below
from outlook_emulator.traffic.faults import EARLY, WORK, CannedResponse, Effect, Hit
from outlook_emulator.traffic.waits import Wait
from outlook_emulator.wire.triggers_convert import without_attachments

PLAN = "x-outlook-emulator-plan"
"""The request header that binds a request to the plans of that name."""
FAULT = b"x-outlook-emulator-fault"
"""The response header that names the fault that shaped a response, and its rule. It is ours."""
_LONGEST_COOLDOWN = 10**9
"""In seconds, three decades. A user may write any number of digits."""


class FaultInjector:
    """Applies to each request the first rule of its sandbox that acts on it."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes

    def has_rules(self, exchange: Exchange) -> bool:
        """Whether there is a rule that may act on a request; most sandboxes have none."""
        book = exchange.sandbox.traffic.faults
        return book.has_request_rules or book.has_trigger_rules or book.doubles_triggers

    async def before(self, exchange: Exchange) -> Response | None:
        """Find a rule and apply what comes before the operation; None to run it.

        Raises BodyTooLarge and InvalidRequest for a body that must be read and cannot be, and StartedOver when the
        sandbox does during a delay.
        """
        book = exchange.sandbox.traffic.faults
        if not (book.has_request_rules or book.has_trigger_rules):
            return None
        if book.reads_bodies:
            await exchange.body(self._max_body_bytes)
        call, header, now = call_facts(exchange), exchange.header(PLAN), exchange.sandbox.clock.now()
        if (early := book.early_hit(call, header, now, monotonic())) is not None:
            exchange.hit = _early(*early)
            exchange.note("fault", exchange.hit.rule.name, EARLY)
            return _replacement(exchange, exchange.hit.effect)
        hit = book.hit(call, header, now)
        if hit is None:
            return None
        _note(exchange, hit)
        exchange.rule_changes = hit.effect.rule_changes
        if hit.effect.delay:
            # Now: once the client has hung up, nobody can read it.
            await exchange.body(self._max_body_bytes)
        if hit.effect.phase == "before":
            await _delay(exchange, hit)
        # Only now: if the sandbox was reset during the delay, nothing more of the rule applies.
        exchange.hit = hit
        return None if hit.effect.phase == "after" else _replacement(exchange, hit.effect)

    async def after(self, exchange: Exchange, response: Response) -> Response:
        """Apply the rest of the rule to the response, or the rules about triggers to the result of a poll."""
        hit = exchange.hit
        try:
            if hit is None:
                return _of_trigger(exchange, response)
            if hit.effect.phase == "after":
                await _delay(exchange, hit)
                response = _replacement(exchange, hit.effect) or response
            response = _finished(response, hit.effect)
            _refuse_until(exchange, hit, response)
            return _named(response, hit)
        except StartedOver as error:
            return exchange.refuse(error)
        finally:
            # The delayed work is done, so a move of the clock that waits for it can go on.
            self.close(exchange)

    def close(self, exchange: Exchange) -> None:
        """Release a move of the clock that waits for this request."""
        if exchange.waiting is not None:
            exchange.waiting.close()


def call_facts(exchange: Exchange) -> CallFacts:
    """A request as rules see it."""
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


async def _delay(exchange: Exchange, hit: Hit) -> None:
    """Wait until the effect's delay is over, or its rule or the client is gone. Raises StartedOver.

    A clock that is moved to the end of the delay waits there until `close`, so that the work is done by then.
    """
    effect, clock = hit.effect, exchange.sandbox.clock
    if not effect.delay:
        return
    # A delay in real time has no instant of the sandbox's clock at which a move would have to stop.
    until = LATEST if effect.delay_by == "real" else clock.now() + effect.delay
    exchange.waiting = ExitStack()
    wait = exchange.waiting.enter_context(exchange.sandbox.traffic.waits.until(until, hit.rule))
    exchange.waiting.enter_context(_watching(exchange, wait))
    if effect.delay_by == "real":
        wait.settle()
        await wait.pass_seconds(effect.delay / 1_000_000)
    else:
        await wait.pass_until(clock)


@contextmanager
def _watching(exchange: Exchange, wait: Wait) -> Iterator[None]:
    """End the wait of a request whose client hangs up, since it would hold up others."""
    # Without a socket, the client always waits for the whole response.
    if TRANSPORT not in exchange.scope.get("extensions", {}):
        yield
        return
    watch = asyncio.ensure_future(gone(exchange.receive))
    # Not as an error: the operation still runs, so a caller who tries again causes a duplicate.
    watch.add_done_callback(lambda done: wait.end(True))
    try:
        yield
    finally:
        watch.cancel()


def _replacement(exchange: Exchange, effect: Effect) -> Response | None:
    """The response in the operation's place, None where the effect has none for this operation."""
    if effect.response is None or (effect.families and exchange.row.family not in effect.families):
        return None
    response = effect.by_family.get(exchange.row.family, effect.response)
    return exchange.render(response) if isinstance(response, ConnectorError) else _canned(response)


def _canned(response: CannedResponse) -> Response:
    kind = [] if response.content_type is None else [(b"content-type", response.content_type.encode("latin-1"))]
    return Response(response.status, response.body, kind)


def _finished(response: Response, effect: Effect) -> Response:
    """The response with the effect's headers, broken where the effect breaks it."""
    if effect.headers:
        own = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in effect.headers.items()}
        kept = [pair for pair in response.headers if pair[0] not in own]
        response = response._replace(headers=[*kept, *own.items()])
    if effect.breaks == "malformed":
        return malformed(response)
    return response._replace(breaks=effect.breaks)


def _of_trigger(exchange: Exchange, response: Response) -> Response:
    """The response of a poll, as the rules about triggers change it."""
    book, operation = exchange.sandbox.traffic.faults, exchange.operation
    if not (book.has_trigger_rules or book.doubles_triggers) or operation is None or operation.kind is not Kind.POLL:
        return response
    if response.status != 200 or exchange.ran_in is None:
        return response
    call = call_facts(exchange)
    # With the query, which has the cursor: polling again with the same cursor is the same poll.
    state = f"{call.connection} {call.path}?{exchange.scope['query_string'].decode('latin-1')}"
    header, now = exchange.header(PLAN), exchange.sandbox.clock.now()
    held = book.hold_back(call, header, state, now)
    if isinstance(held, Hit):
        _note(exchange, held)
        return _named(nothing_yet(exchange), held)
    if held:
        return nothing_yet(exchange)
    first = without_attachments(orjson.loads(response.body)) if book.doubles_triggers and operation.reads_mail else None
    if first is None or (hit := book.deliver_first(call, header, state, now)) is None:
        return response
    _note(exchange, hit)
    return _named(once_more(exchange, orjson.dumps(first)), hit)


def _refuse_until(exchange: Exchange, hit: Hit, response: Response) -> None:
    """Remember when the client may come back, if the rule has just told it with a 429."""
    seconds = dict(response.headers).get(b"retry-after", b"")
    is_told = response.status == 429 and response.breaks is None and seconds.isdigit()
    sandbox = exchange.sandbox
    # A sequence says itself what each request gets.
    is_ours = hit.effect.fault == EARLY or hit.rule.is_sequence
    if is_told and not is_ours and sandbox.settings.early_retries == "refuse":
        sandbox.traffic.faults.refuse_until(
            hit, exchange.connection_id or "", sandbox.clock.now(), monotonic(), min(int(seconds), _LONGEST_COOLDOWN)
        )


def _early(hit: Hit, seconds: int) -> Hit:
    """The refusal of a request that comes back too early, with the seconds that are left."""
    response = CallsExceeded(seconds) if isinstance(hit.effect.response, CallsExceeded) else hit.effect.response
    headers = {**hit.effect.headers, "retry-after": str(seconds)}
    return Hit(hit.rule, Effect(fault=EARLY, response=response, headers=headers))


def _named(response: Response, hit: Hit) -> Response:
    """The response with a header that names the rule and its fault, unless the rule lets the request work."""
    if hit.effect is WORK:
        return response
    # A header holds neither letters beyond ASCII nor control characters.
    name = f"{hit.rule.name} ({_fault_of(hit.effect)})".encode("unicode_escape")
    return response._replace(headers=[*response.headers, (FAULT, name)])


def _note(exchange: Exchange, hit: Hit) -> None:
    exchange.note("fault", hit.rule.name, _fault_of(hit.effect))


def _fault_of(effect: Effect) -> str:
    return effect.fault or ("work" if effect is WORK else "custom")
