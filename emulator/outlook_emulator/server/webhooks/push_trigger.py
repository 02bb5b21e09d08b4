"""Triggers whose items are pushed: registered as in a connector namespace, polled here, delivered by the courier."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import orjson

from outlook_emulator.enums import CallbackKind
from outlook_emulator.errors import ConnectorError, InvalidRequest
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.mailbox.triggers.mail_triggers import Poll
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import PushTrigger
from outlook_emulator.wire.base import snake_case

_log = logging.getLogger("outlook_emulator")
GATEWAY = "outlook-emulator"
"""What calls name as the connector namespace they come from."""


def trigger(name: str) -> Operation:
    """The trigger with that operation id. Raises InvalidRequest."""
    found = _triggers().get(name.lower())
    if found is None:
        raise InvalidRequest(f"'operationName' must be a trigger of the connector, not '{name[:100]}'.")
    return found


def values_of(operation: Operation, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What a trigger's `run` takes, from parameters as text. Raises InvalidRequest, naming the parameter."""
    # Headers say something about one call; a registration makes none.
    asked = [one for one in operation.parameters if one.schema.location == "query"]
    required = {one.name.lower(): one.required for one in asked}
    required |= {name.lower(): True for name in operation.path_parameters}
    given = {name.lower(): text for name, text in parameters.items()}
    for name in (*operation.path_parameters, *(one.name for one in asked)):
        if required[name.lower()] and not given.get(name.lower()):
            raise InvalidRequest(f"The trigger parameter '{name}' is required.")
    for name in parameters:
        if name.lower() not in required:
            raise InvalidRequest(f"The trigger '{operation.id}' has no parameter '{name[:100]}'.")
    paths = {name.lower() for name in operation.path_parameters}
    query = {one.name: given[one.name.lower()] for one in asked if one.name.lower() in given}
    values = QueryReader(asked).read(urlencode(query).encode("ascii"), lambda name: None)
    return values | {
        snake_case(name): given[name.lower()] for name in operation.path_parameters if name.lower() in paths
    }


def poll(mailbox: Mailbox, operation: Operation, values: Mapping[str, Any], cursor: str | None) -> Poll:
    """Ask a trigger what is new since a cursor; without one, where it begins."""
    found: Poll = operation.run(mailbox, **values, cursor=cursor)
    return found


def register(mailbox: Mailbox, made: PushTrigger) -> PushTrigger:
    """Push from now on what a trigger finds, and at once what its first poll gives; whatever had its name has ended.

    Raises InvalidRequest, naming the parameter, and what the trigger raises.
    """
    operation = trigger(made.operation)
    begin = poll(mailbox, operation, values_of(operation, orjson.loads(made.parameters)), None)
    made = made._replace(operation=operation.id, cursor=begin.cursor)
    with mailbox.db.transaction():
        callbacks.cancel(mailbox.db, CallbackKind.PUSH, reference_of(made))
        trigger_store.set_push_trigger(mailbox.db, made)
        if begin.items:
            _enqueue(mailbox, made, operation.render(begin.items))
    return made


def end(db: Database, found: PushTrigger) -> None:
    """Push nothing more for a registration, not even what is waiting to be."""
    with db.transaction():
        trigger_store.delete_push_trigger(db, found)
        callbacks.cancel(db, CallbackKind.PUSH, reference_of(found))


def reference_of(one: PushTrigger) -> str:
    """What names a registration in the journal: names are unique within their connection only."""
    return f"{one.connection_id}/{one.name}"


def push_all(db: Database, opened: Callable[[int], Mailbox]) -> bool:
    """Poll every registered trigger, and enqueue a call for what it found; whether there are any.

    One that fails is logged and does not stop the others. `opened` gives the mailbox with a key.
    """
    found = trigger_store.push_triggers(db)
    for one in found:
        try:
            _push(opened(one.mailbox_id), one)
        except Exception:
            _log.exception("Polling the push trigger %s failed.", reference_of(one))
    return bool(found)


def next_at(db: Database, opened: Callable[[int], Mailbox]) -> int | None:
    """The instant at which time alone gives a registered trigger something to push, None for none."""
    waiting = []
    for one in trigger_store.push_triggers(db):
        try:
            operation = trigger(one.operation)
            if operation.next_at is not None:
                values = values_of(operation, orjson.loads(one.parameters))
                waiting.append(operation.next_at(opened(one.mailbox_id), **values, cursor=one.cursor))
        except ConnectorError:
            # Its calendar has gone.
            continue
        except Exception:
            _log.exception("Scheduling the push trigger %s failed.", reference_of(one))
    return min((at for at in waiting if at is not None), default=None)


def _push(mailbox: Mailbox, one: PushTrigger) -> None:
    operation = trigger(one.operation)
    cursor, more = one.cursor, True
    with mailbox.db.transaction():
        while more:
            try:
                found = poll(mailbox, operation, values_of(operation, orjson.loads(one.parameters)), cursor)
            except ConnectorError:
                # Its folder or calendar has gone; the registration waits for another.
                break
            if found.items:
                _enqueue(mailbox, one, operation.render(found.items))
            cursor, more = found.cursor, found.more
        if cursor != one.cursor:
            trigger_store.move_push_trigger(mailbox.db, one, cursor)


def _enqueue(mailbox: Mailbox, one: PushTrigger, batch: Mapping[str, Any]) -> None:
    headers = {
        "Content-Type": "application/json",
        "x-ms-trigger-name": one.name,
        "x-ms-gateway-resource-name": GATEWAY,
    }
    for body in batch["value"] if one.split_on else [batch]:
        content = orjson.dumps({"body": body})
        callbacks.enqueue(
            mailbox, one.url, content, kind=CallbackKind.PUSH, headers=headers, reference=reference_of(one)
        )


@cache
def _triggers() -> dict[str, Operation]:
    return {one.id.lower(): one for one in OPERATIONS if one.kind is Kind.POLL}
