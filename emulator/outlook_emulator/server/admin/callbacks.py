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
from outlook_emulator.traffic.secrets import redacted, redacted_values

_LONGEST_NAME = 128


def list_callbacks(request: AdminRequest) -> shapes.CallbackJournal:
    return {"value": [_callback(callback) for callback in callbacks.journal(request.sandbox.db)]}


def list_subscriptions(request: AdminRequest) -> shapes.SubscriptionList:
    name = request.sandbox.name
    return {"value": [_subscription(name, subscription) for subscription in subscriptions.living(request.mailbox)]}


def poke(request: AdminRequest) -> shapes.Poked:
    from outlook_emulator.wire.subscriptions_convert import poke as content_of

    return {"callback": subscriptions.poke_now(request.mailbox, request.path["subscription"], content_of)}


def put_trigger(request: AdminRequest) -> shapes.TriggerConfig:
    connection, owner = request.connection
    properties: shapes.TriggerProperties = request.body["properties"]
    mailbox = request.mailbox
    callbacks.check_url(
        properties["notificationDetails"]["callbackUrl"], "callbackUrl", mailbox.rules.hosts_of_callbacks
    )
    _check(connection, _name(request), properties)
    operation = push_triggers.operation_named(properties["operationName"])
    parameters = {parameter["name"]: parameter.get("value", "") for parameter in properties.get("parameters", ())}
    trigger = PushTrigger(
        connection_id=connection,
        name=_name(request),
        mailbox_id=owner.id,
        operation=operation.id,
        url=properties["notificationDetails"]["callbackUrl"],
        parameters=orjson.dumps(parameters).decode(),
        split_on=int(properties.get("splitOn", False)),
        cursor="",
        created=mailbox.now,
    )
    return _trigger(push_triggers.register(mailbox, trigger))


def get_trigger(request: AdminRequest) -> shapes.TriggerConfig:
    return _trigger(_registered(request))


def list_triggers(request: AdminRequest) -> shapes.TriggerConfigList:
    triggers = trigger_store.push_triggers(request.sandbox.db, request.connection[0])
    return {"value": [_trigger(trigger) for trigger in triggers]}


def delete_trigger(request: AdminRequest) -> None:
    push_triggers.delete(request.sandbox.db, _registered(request))


def _registered(request: AdminRequest) -> PushTrigger:
    trigger = trigger_store.push_trigger(request.sandbox.db, request.connection[0], _name(request))
    if trigger is None:
        raise NotFound(f"No trigger '{_name(request)[:100]}' is registered for this connection.")
    return trigger


def _name(request: AdminRequest) -> str:
    name: str = request.path["name"]
    return name


def _check(connection: str, name: str, properties: shapes.TriggerProperties) -> None:
    if len(name) > _LONGEST_NAME or not (name.isascii() and name.isprintable()):
        raise InvalidRequest(f"A trigger's name has 1 to {_LONGEST_NAME} printable ASCII characters.")
    method = properties["notificationDetails"].get("httpMethod", "Post")
    if method.lower() != "post":
        raise InvalidRequest(f"'httpMethod' must be Post, not '{method[:20]}'.")
    connection_name = properties.get("connectionDetails", {}).get("connectionName", connection)
    if connection_name != connection:
        raise InvalidRequest(f"'connectionName' must be '{connection}' as in the path, not '{connection_name[:130]}'.")


def _trigger(trigger: PushTrigger) -> shapes.TriggerConfig:
    parameters: dict[str, str] = orjson.loads(trigger.parameters)
    return {
        "name": trigger.name,
        "properties": {
            "operationName": trigger.operation,
            "connectionDetails": {"connectorName": "outlook", "connectionName": trigger.connection_id},
            "notificationDetails": {"callbackUrl": redacted(trigger.url), "httpMethod": "Post"},
            "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
            "splitOn": bool(trigger.split_on),
        },
    }


def _subscription(sandbox: str, subscription: Subscription) -> shapes.SubscriptionFacts:
    return {
        "id": subscription.id,
        "watches": subscription.watched,
        "url": redacted(subscription.url),
        "expiresAt": iso_ticks(subscription.expires),
        "state": subscriptions.state_of(sandbox, subscription),
    }


def _callback(callback: Callback) -> shapes.CallbackFacts:
    is_pending = callback.state == CallbackState.PENDING
    return {
        "id": callback.id,
        "kind": callback.kind,
        "url": redacted(callback.url),
        "reference": callback.reference,
        "state": callback.state,
        "attempts": callback.attempts,
        "lastStatus": callback.last_status,
        "lastError": None if callback.last_error is None else redacted(callback.last_error),
        "createdAt": iso_ticks(callback.created),
        "attemptedAt": None if callback.attempted is None else iso_ticks(callback.attempted),
        "dueAt": iso_ticks(callback.due) if is_pending else None,
        "headers": redacted_values(callbacks.headers_of(callback)),
        "body": redacted(callback.body.decode("utf-8", "replace")),
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
        id="Poke",
        method="POST",
        path=f"{_S}/connections/{{connection}}/subscriptions/{{subscription}}/poke",
        summary="Poke a subscriber now, whether or not anything changed",
        handler=poke,
        returns=shapes.Poked,
        status=202,
    ),
    # Not strict: these requests are those of Azure's management API, which have a version and more members.
    AdminOperation(
        id="ListTriggerConfigs",
        method="GET",
        path=_T,
        summary="List the push triggers of a connection",
        handler=list_triggers,
        strict=False,
        returns=shapes.TriggerConfigList,
    ),
    AdminOperation(
        id="PutTriggerConfig",
        method="PUT",
        path=f"{_T}/{{name}}",
        summary="Register a push trigger; an existing one starts again from now",
        handler=put_trigger,
        # The first poll reads the filter, of which the very first takes long.
        is_long=True,
        accepts=shapes.NewTriggerConfig,
        strict=False,
        returns=shapes.TriggerConfig,
        status=201,
    ),
    AdminOperation(
        id="GetTriggerConfig",
        method="GET",
        path=f"{_T}/{{name}}",
        summary="Get a push trigger",
        handler=get_trigger,
        strict=False,
        returns=shapes.TriggerConfig,
    ),
    AdminOperation(
        id="DeleteTriggerConfig",
        method="DELETE",
        path=f"{_T}/{{name}}",
        summary="Delete a push trigger",
        handler=delete_trigger,
        strict=False,
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
