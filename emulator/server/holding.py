"""Rules that hold back what triggers find, as far as others are called: pokes, and items that are pushed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import orjson

from emulator.conduct.calls import Seen
from emulator.mailbox import subscriptions
from emulator.operations import OPERATIONS
from emulator.operations.operation import Operation
from emulator.sandbox import Sandbox
from emulator.server import pushing
from emulator.store import sql
from emulator.store.records import Callback, Push, Subscription

_POKES = {
    subscriptions.MAIL: "CreateOnNewEmailPokeSubscription",
    subscriptions.FLAG: "CreateOnFlaggedEmailPokeSubscription",
    subscriptions.MENTION: "CreateOnNewMentionMeEmailPokeSubscription",
    subscriptions.EVENT: "CreateOnChangedEventPokeSubscription",
}
"""The operation by which each kind of subscription was made: a rule about it is about its pokes."""


def late_by(sandbox: Sandbox, callback: Callback) -> int:
    """How much later than now a call is to be made, in microseconds; 0 where no rule holds it back.

    To be asked once for each call: the rule's count goes on.
    """
    faults = sandbox.conduct.faults
    if not faults.has_holding:
        return 0
    for call in _finds(sandbox, callback):
        if (struck := faults.hold(call, None, sandbox.clock.now())) is not None:
            return struck.effect.holds
    return 0


def _finds(sandbox: Sandbox, callback: Callback) -> Iterator[Seen]:
    """What a call tells of, as a rule looks at it: once for each connection that it may be told to."""
    if callback.kind == pushing.PUSH:
        for one in pushing.pushes(sandbox.db):
            if pushing.reference_of(one) == callback.reference:
                yield _pushed(one)
    elif callback.kind == subscriptions.POKE:
        rows = sandbox.db.all(sql.LIVE_SUBSCRIPTIONS, {"now": sandbox.clock.now()})
        for made in map(Subscription._make, rows):
            if made.id == callback.reference:
                yield from _poked(sandbox, made)


def _pushed(one: Push) -> Seen:
    query = urlencode(orjson.loads(one.parameters)).encode("ascii")
    return _seen(one.connection_id, pushing.trigger(one.operation), query)


def _poked(sandbox: Sandbox, one: Subscription) -> Iterator[Seen]:
    operation = next(row for row in OPERATIONS if row.id == _POKES[one.watched])
    for connection, owner in sandbox.connections().items():
        if owner.id == one.mailbox_id:
            yield _seen(connection, operation, b"")


def _seen(connection: str, operation: Operation, query: bytes) -> Seen:
    return Seen(
        connection=connection,
        operation=operation.id,
        family=operation.family,
        method=operation.method,
        path=operation.path,
        query=query,
        body=b"",
    )
