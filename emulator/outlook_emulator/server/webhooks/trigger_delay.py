"""Rules that hold back what triggers find, as far as others are called: pokes, and items that are pushed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import orjson

from outlook_emulator.enums import CallbackKind, Watched
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Operation
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.webhooks import push_trigger
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.records import Callback, PushTrigger, Subscription
from outlook_emulator.traffic.call_facts import CallFacts

_SUBSCRIBING = {row.watches: row for row in OPERATIONS if row.watches is not None}
"""The operation that makes each kind of subscription. A rule about it is about its pokes."""


def late_by(sandbox: Sandbox, callback: Callback) -> int:
    """How much later than now a call is to be made, in microseconds; 0 where no rule holds it back.

    To be asked once for each call: the rule's count goes on.
    """
    faults = sandbox.traffic.faults
    if not faults.has_trigger_rules:
        return 0
    for call in _finds(sandbox, callback):
        if (hit := faults.trigger_hit(call, None, sandbox.clock.now())) is not None:
            return hit.effect.trigger_delay
    return 0


def _finds(sandbox: Sandbox, callback: Callback) -> Iterator[CallFacts]:
    """What a call tells of, as a rule looks at it: once for each connection that it may be told to."""
    if callback.kind == CallbackKind.PUSH:
        for one in trigger_store.push_triggers(sandbox.db):
            if push_trigger.reference_of(one) == callback.reference:
                yield _pushed(one)
    elif callback.kind == CallbackKind.POKE:
        for made in trigger_store.live_subscriptions(sandbox.db, sandbox.clock.now()):
            if made.id == callback.reference:
                yield from _poked(sandbox, made)


def _pushed(one: PushTrigger) -> CallFacts:
    query = urlencode(orjson.loads(one.parameters)).encode("ascii")
    return _seen(one.connection_id, push_trigger.trigger(one.operation), query)


def _poked(sandbox: Sandbox, one: Subscription) -> Iterator[CallFacts]:
    operation = _SUBSCRIBING[Watched(one.watched)]
    for connection, owner in sandbox.connections().items():
        if owner.id == one.mailbox_id:
            yield _seen(connection, operation, b"")


def _seen(connection: str, operation: Operation, query: bytes) -> CallFacts:
    return CallFacts(
        connection=connection,
        operation=operation.id,
        family=operation.family,
        method=operation.method,
        path=operation.path,
        query=query,
        body=b"",
    )
