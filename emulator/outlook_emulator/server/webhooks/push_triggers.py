"""Push triggers: registered as in a connector namespace, polled here, and their items sent as callbacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import GeneratorType
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
from outlook_emulator.quiet_log import QuietLog
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.failures import STORAGE_ERRORS
from outlook_emulator.store.records import PushTrigger
from outlook_emulator.wire.base import snake_case
from outlook_emulator.wire.large_json import write_json

GATEWAY = "outlook-emulator"
"""The name of the connector namespace in callbacks."""

FirstDelivery = Callable[[PushTrigger, Mapping[str, Any]], Mapping[str, Any] | None]
"""What a trigger sends before a batch, None for nothing."""
RuleChanges = Callable[[PushTrigger], Mapping[str, Any]]
"""How the rules of the mailbox differ for a batch of a trigger."""

_log = logging.getLogger("outlook_emulator")
_quiet = QuietLog()


def operation_named(name: str) -> Operation:
    """The trigger with an operation id, in any case. Raises InvalidRequest."""
    operation = _operations().get(name.lower())
    if operation is None:
        raise InvalidRequest(f"'operationName' must be a trigger of the connector, not '{name[:100]}'.")
    return operation


def arguments_of(operation: Operation, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a trigger's `run`, read from parameters as text. Raises InvalidRequest."""
    # Headers belong to a single request, and a registration has none.
    declared = [parameter for parameter in operation.parameters if parameter.schema.location == "query"]
    required = {parameter.name.lower(): parameter.required for parameter in declared}
    required |= {name.lower(): True for name in operation.path_parameters}
    texts = {name.lower(): text for name, text in parameters.items()}
    for name in (*operation.path_parameters, *(parameter.name for parameter in declared)):
        if required[name.lower()] and not texts.get(name.lower()):
            raise InvalidRequest(f"The trigger parameter '{name}' is required.")
    for name in parameters:
        if name.lower() not in required:
            raise InvalidRequest(f"The trigger '{operation.id}' has no parameter '{name[:100]}'.")
    # As a query string, so that parameters are read just as those of a poll.
    query = {parameter.name: texts[parameter.name.lower()] for parameter in declared if parameter.name.lower() in texts}
    arguments = QueryReader(declared).read(urlencode(query).encode("ascii"), lambda name: None)
    return arguments | {snake_case(name): texts[name.lower()] for name in operation.path_parameters}


def register(mailbox: Mailbox, trigger: PushTrigger) -> PushTrigger:
    """Start a push trigger in the place of the one with its name, and send the items of its first poll.

    Raises InvalidRequest for wrong parameters, and the errors of the trigger's `run`.
    """
    operation = operation_named(trigger.operation)
    poll = whole(_poll(mailbox, operation, trigger, None))
    trigger = trigger._replace(operation=operation.id, cursor=poll.cursor)
    with mailbox.db.transaction():
        # Those of the trigger that had the name before.
        callbacks.cancel(mailbox.db, CallbackKind.PUSH, reference_of(trigger))
        trigger_store.set_push_trigger(mailbox.db, trigger)
        if poll.items:
            _enqueue(mailbox, trigger, operation.render(poll.items))
    return trigger


def delete(db: Database, trigger: PushTrigger) -> None:
    """Delete a push trigger and cancel its pending callbacks."""
    with db.transaction():
        trigger_store.delete_push_trigger(db, trigger)
        callbacks.cancel(db, CallbackKind.PUSH, reference_of(trigger))


def check_all(db: Database) -> None:
    """Check the push triggers of a database from elsewhere. Raises ValueError for one that nobody could poll."""
    for trigger in trigger_store.push_triggers(db):
        try:
            arguments_of(operation_named(trigger.operation), orjson.loads(trigger.parameters))
        except ConnectorError as error:
            reason = error.message.rstrip(".")
            raise ValueError(f"its push trigger '{reference_of(trigger)[:200]}' cannot be polled: {reason}") from error


def known_triggers(db: Database) -> Iterator[PushTrigger]:
    """The push triggers that can be polled; the log names those that an earlier version left and nobody knows."""
    for trigger in trigger_store.push_triggers(db):
        try:
            operation_named(trigger.operation)
        except InvalidRequest as error:
            text = f"The push trigger '{reference_of(trigger)}' is not polled: {error.message}"
            if _quiet.is_new(text):
                _log.warning("%s", text)
        else:
            yield trigger


def have_filters(db: Database) -> bool:
    """Whether a push trigger has a filter."""
    return any("$filter" in trigger.parameters.lower() for trigger in trigger_store.push_triggers(db))


def reference_of(trigger: PushTrigger) -> str:
    """The name of a push trigger in the journal; its own name is unique only within its connection."""
    return f"{trigger.connection_id}/{trigger.name}"


def push_all(
    db: Database, mailbox_of: Callable[[int], Mailbox], first_delivery: FirstDelivery, rule_changes: RuleChanges
) -> Sliced[bool]:
    """Poll every push trigger and enqueue its new items; returns whether there are any triggers.

    A trigger that fails is logged, and the others continue. `mailbox_of` opens a mailbox by its key, `first_delivery`
    says what comes before a batch, `rule_changes` what differs for it.
    """
    triggers = list(known_triggers(db))
    for trigger in triggers:
        try:
            yield from _push(mailbox_of(trigger.mailbox_id), trigger, first_delivery, rule_changes)
        except STORAGE_ERRORS:
            # The others would fail as well.
            raise
        except Exception:
            _log.exception("Polling the push trigger '%s' failed.", reference_of(trigger))
    return bool(triggers)


def upcoming(db: Database, mailbox_of: Callable[[int], Mailbox]) -> Iterator[tuple[int, PushTrigger]]:
    """The push triggers that time alone gives an item, each with the next instant at which it does."""
    for trigger in known_triggers(db):
        try:
            operation = operation_named(trigger.operation)
            if operation.next_at is None:
                continue
            arguments = arguments_of(operation, orjson.loads(trigger.parameters))
            instant = operation.next_at(mailbox_of(trigger.mailbox_id), **arguments, cursor=trigger.cursor)
            if instant is not None:
                yield instant, trigger
        except ConnectorError:
            # Its calendar was deleted.
            continue
        except STORAGE_ERRORS:
            raise
        except Exception:
            _log.exception("Looking ahead for the push trigger '%s' failed.", reference_of(trigger))


def next_at(db: Database, mailbox_of: Callable[[int], Mailbox]) -> int | None:
    """The next instant at which time alone gives a push trigger an item, None without one."""
    return min((instant for instant, _ in upcoming(db, mailbox_of)), default=None)


def _poll(mailbox: Mailbox, operation: Operation, trigger: PushTrigger, cursor: str | None) -> Sliced[Poll]:
    arguments = arguments_of(operation, orjson.loads(trigger.parameters))
    result = operation.run(mailbox, **arguments, cursor=cursor)
    poll: Poll = (yield from result) if isinstance(result, GeneratorType) else result
    return poll


def _push(
    mailbox: Mailbox, trigger: PushTrigger, first_delivery: FirstDelivery, rule_changes: RuleChanges
) -> Sliced[None]:
    operation = operation_named(trigger.operation)
    cursor: str | None = trigger.cursor
    more, rules = True, mailbox.rules
    while more:
        try:
            poll = yield from _poll(mailbox, operation, trigger, cursor)
            if poll.items and (differences := rule_changes(trigger)):
                # Polled again, since only a batch counts as a use of a fault rule, not each look for one.
                mailbox.rules = replace(rules, **differences)
                poll = yield from _poll(mailbox, operation, trigger, cursor)
        except ConnectorError as error:
            if cursor is None or error.field != "cursor":
                # Its folder or calendar was deleted; one with the same name may come back.
                return
            # When it came back, the sandbox had forgotten what was new then.
            _log.warning("The push trigger '%s' starts again: %s", reference_of(trigger), error)
            cursor = None
            continue
        finally:
            mailbox.rules = rules
        if poll.items or poll.cursor != trigger.cursor:
            if trigger_store.push_trigger(mailbox.db, trigger.connection_id, trigger.name) != trigger:
                # It was deleted or replaced during a pause.
                return
            # A batch and the cursor behind it in one transaction, so that a crash neither loses nor repeats an item.
            with mailbox.db.transaction():
                if poll.items:
                    batch = operation.render(poll.items)
                    if (first := first_delivery(trigger, batch)) is not None:
                        _enqueue(mailbox, trigger, first)
                    _enqueue(mailbox, trigger, batch)
                trigger_store.move_push_trigger(mailbox.db, trigger, poll.cursor)
            trigger = trigger._replace(cursor=poll.cursor)
        cursor, more = poll.cursor, poll.more
        yield None


def _enqueue(mailbox: Mailbox, trigger: PushTrigger, batch: Mapping[str, Any]) -> None:
    headers = {
        "Content-Type": "application/json",
        # Microsoft's extension for Azure Functions refuses a request without these two (its source).
        "x-ms-trigger-name": trigger.name,
        "x-ms-gateway-resource-name": GATEWAY,
    }
    # As Microsoft's SDKs read callbacks: one item each with splitOn, else the whole batch.
    for body in batch["value"] if trigger.split_on else [batch]:
        content = callbacks.Content(write_json({"body": body}), headers)
        callbacks.enqueue(mailbox, trigger.url, content, kind=CallbackKind.PUSH, reference=reference_of(trigger))


@cache
def _operations() -> dict[str, Operation]:
    return {row.id.lower(): row for row in OPERATIONS if row.kind is Kind.POLL}
