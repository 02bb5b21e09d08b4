"""The admin operations about callbacks: their journal, subscriptions, and push triggers."""

from __future__ import annotations

import orjson

from outlook_emulator.clock import iso_ticks
from outlook_emulator.enums import CallbackState
from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox.triggers import callbacks, subscriptions
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.webhooks import push_triggers
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.records import Callback, PushTrigger, Subscription

_LONGEST_NAME = 128


def list_callbacks(request: AdminRequest) -> shapes.CallbackJournal:
    return {"value": [_callback(one) for one in callbacks.journal(request.sandbox.db)]}


def list_subscriptions(request: AdminRequest) -> shapes.SubscriptionList:
    name = request.sandbox.name
    return {"value": [_subscription(name, one) for one in subscriptions.living(request.mailbox)]}


def put_trigger(request: AdminRequest) -> shapes.TriggerConfig:
    connection, owner = request.connection
    asked: shapes.TriggerProperties = request.body["properties"]
    mailbox = request.mailbox
    callbacks.check_url(asked["notificationDetails"]["callbackUrl"], "callbackUrl", mailbox.rules.allowed_hosts)
    _check(connection, _name(request), asked)
    operation = push_triggers.operation_named(asked["operationName"])
    parameters = {one["name"]: one.get("value", "") for one in asked.get("parameters", ())}
    wanted = PushTrigger(
        connection_id=connection,
        name=_name(request),
        mailbox_id=owner.id,
        operation=operation.id,
        url=asked["notificationDetails"]["callbackUrl"],
        parameters=orjson.dumps(parameters).decode(),
        split_on=int(asked.get("splitOn", False)),
        cursor="",
        created=mailbox.now,
    )
    return _trigger(push_triggers.register(mailbox, wanted))


def get_trigger(request: AdminRequest) -> shapes.TriggerConfig:
    return _trigger(_found(request))


def list_triggers(request: AdminRequest) -> shapes.TriggerConfigList:
    triggers = trigger_store.push_triggers(request.sandbox.db, request.connection[0])
    return {"value": [_trigger(one) for one in triggers]}


def delete_trigger(request: AdminRequest) -> None:
    push_triggers.delete(request.sandbox.db, _found(request))


def _found(request: AdminRequest) -> PushTrigger:
    trigger = trigger_store.push_trigger(request.sandbox.db, request.connection[0], _name(request))
    if trigger is None:
        raise NotFound(f"No trigger '{_name(request)[:100]}' is registered for this connection.")
    return trigger


def _name(request: AdminRequest) -> str:
    name: str = request.path["name"]
    return name


def _check(connection: str, name: str, asked: shapes.TriggerProperties) -> None:
    if len(name) > _LONGEST_NAME or not (name.isascii() and name.isprintable()):
        raise InvalidRequest(f"A trigger's name has 1 to {_LONGEST_NAME} printable ASCII characters.")
    method = asked["notificationDetails"].get("httpMethod", "Post")
    if method.lower() != "post":
        raise InvalidRequest(f"'httpMethod' must be Post, not '{method[:20]}'.")
    named = asked.get("connectionDetails", {}).get("connectionName", connection)
    if named != connection:
        raise InvalidRequest(f"'connectionName' must be '{connection}' as in the path, not '{named[:130]}'.")


def _trigger(one: PushTrigger) -> shapes.TriggerConfig:
    parameters: dict[str, str] = orjson.loads(one.parameters)
    return {
        "name": one.name,
        "properties": {
            "operationName": one.operation,
            "connectionDetails": {"connectorName": "outlook", "connectionName": one.connection_id},
            "notificationDetails": {"callbackUrl": one.url, "httpMethod": "Post"},
            "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
            "splitOn": bool(one.split_on),
        },
    }


def _subscription(sandbox: str, one: Subscription) -> shapes.SubscriptionFacts:
    return {
        "id": one.id,
        "watches": one.watched,
        "url": one.url,
        "expiresAt": iso_ticks(one.expires),
        "state": subscriptions.state_of(sandbox, one),
    }


def _callback(one: Callback) -> shapes.CallbackFacts:
    waits = one.state == CallbackState.PENDING
    return {
        "id": one.id,
        "kind": one.kind,
        "url": one.url,
        "reference": one.reference,
        "state": one.state,
        "attempts": one.attempts,
        "lastStatus": one.last_status,
        "lastError": one.last_error,
        "createdAt": iso_ticks(one.created),
        "attemptedAt": None if one.attempted is None else iso_ticks(one.attempted),
        "dueAt": iso_ticks(one.due) if waits else None,
        "headers": callbacks.headers_of(one),
        "body": one.body.decode("utf-8", "replace"),
    }


_S = "/sandboxes/{sandbox}"
_T = f"{_S}/connections/{{connection}}/triggerConfigs"

ROWS = (
    AdminOperation(
        id="ListSubscriptions",
        method="GET",
        path=f"{_S}/connections/{{connection}}/subscriptions",
        summary="List the active subscriptions of a connection",
        handler=list_subscriptions,
        returns=shapes.SubscriptionList,
    ),
    AdminOperation(
        id="ListTriggerConfigs",
        method="GET",
        path=_T,
        summary="List the push triggers of a connection",
        handler=list_triggers,
        returns=shapes.TriggerConfigList,
    ),
    AdminOperation(
        id="PutTriggerConfig",
        method="PUT",
        path=f"{_T}/{{name}}",
        summary="Register a push trigger; an existing one starts again from now",
        handler=put_trigger,
        accepts=shapes.NewTriggerConfig,
        returns=shapes.TriggerConfig,
        status=201,
    ),
    AdminOperation(
        id="GetTriggerConfig",
        method="GET",
        path=f"{_T}/{{name}}",
        summary="Get a push trigger",
        handler=get_trigger,
        returns=shapes.TriggerConfig,
    ),
    AdminOperation(
        id="DeleteTriggerConfig",
        method="DELETE",
        path=f"{_T}/{{name}}",
        summary="Delete a push trigger",
        handler=delete_trigger,
        status=204,
    ),
    AdminOperation(
        id="ListCallbacks",
        method="GET",
        path=f"{_S}/callbacks",
        summary="List the callbacks of a sandbox, sent and pending",
        handler=list_callbacks,
        returns=shapes.CallbackJournal,
    ),
)
