"""Faults of triggers, for triggers that call back: pokes of subscribers, and the items of push triggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from outlook_emulator.enums import CallbackKind, Watched
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Operation
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.webhooks import push_triggers
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.records import Callback, PushTrigger, Subscription
from outlook_emulator.traffic.call_facts import CallFacts
from outlook_emulator.wire.triggers_convert import without_attachments

_SUBSCRIBE_OPERATIONS = {row.watches: row for row in OPERATIONS if row.watches is not None}
"""The operation that makes each kind of subscription. A fault rule for it applies to its pokes."""


def delay_of(sandbox: Sandbox, callback: Callback) -> int:
    """By how many microseconds a fault rule delays a callback, 0 if none does.

    Call it once for each callback, since it counts as a use of the rule.
    """
    faults = sandbox.traffic.faults
    if not faults.has_trigger_rules:
        return 0
    for facts in _call_facts(sandbox, callback):
        if (hit := faults.trigger_hit(facts, None, sandbox.clock.now())) is not None:
            return hit.effect.trigger_delay
    return 0


def first_delivery(sandbox: Sandbox, trigger: PushTrigger, batch: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a push trigger sends before a batch, because a fault rule makes it fire twice; None if none does."""
    faults = sandbox.traffic.faults
    if not faults.doubles_triggers or not push_triggers.operation_named(trigger.operation).reads_mail:
        return None
    first = without_attachments(batch)
    if first is None or faults.double_hit(_push_facts(trigger), None, sandbox.clock.now()) is None:
        return None
    return first


def rule_changes(sandbox: Sandbox, trigger: PushTrigger) -> Mapping[str, Any]:
    """How a fault rule changes the rules of the mailbox for one batch of a push trigger; empty if none does.

    Call it once for each batch, since it counts as a use of the rule.
    """
    faults = sandbox.traffic.faults
    if not faults.has_request_rules:
        return {}
    hit = faults.mailbox_hit(_push_facts(trigger), None, sandbox.clock.now())
    return {} if hit is None else hit.effect.rule_changes


def _call_facts(sandbox: Sandbox, callback: Callback) -> Iterator[CallFacts]:
    """A callback in the form that fault rules match, once for each connection that it belongs to."""
    if callback.kind == CallbackKind.PUSH:
        for trigger in push_triggers.known_triggers(sandbox.db):
            if push_triggers.reference_of(trigger) == callback.reference:
                yield _push_facts(trigger)
    elif callback.kind == CallbackKind.POKE:
        for subscription in trigger_store.live_subscriptions(sandbox.db, sandbox.clock.now()):
            if subscription.id == callback.reference:
                yield from _poke_facts(sandbox, subscription)


def _push_facts(trigger: PushTrigger) -> CallFacts:
    query = urlencode(orjson.loads(trigger.parameters)).encode("ascii")
    return _facts(trigger.connection_id, push_triggers.operation_named(trigger.operation), query)


def _poke_facts(sandbox: Sandbox, subscription: Subscription) -> Iterator[CallFacts]:
    operation = _SUBSCRIBE_OPERATIONS[Watched(subscription.watched)]
    for connection, owner in sandbox.connections().items():
        if owner.id == subscription.mailbox_id:
            # Without a query: nobody keeps the one of the subscribing request, and rules with one do not apply to
            # pokes.
            yield _facts(connection, operation, b"")


def _facts(connection: str, operation: Operation, query: bytes) -> CallFacts:
    return CallFacts(
        connection=connection,
        operation=operation.id,
        family=operation.family,
        method=operation.method,
        path=operation.path,
        query=query,
        body=b"",
    )
