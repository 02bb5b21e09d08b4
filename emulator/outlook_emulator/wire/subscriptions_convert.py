"""Converts subscription bodies into values, and subscriptions into responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from outlook_emulator.enums import ImportanceFilter, Watched
from outlook_emulator.mailbox.triggers.subscriptions import token
from outlook_emulator.store.records import Subscription
from outlook_emulator.wire.base import ROOT, Reply
from outlook_emulator.wire.subscriptions import (
    ClientSubscription,
    OutlookReceiveMessage,
    RenewableSubscription,
    SubscriptionEvent,
    SubscriptionPayload,
    SubscriptionResponse,
)

Paths = Mapping[Watched, str]
"""Where each kind of subscription is made, below the connection."""


def notification_url(subscription: ClientSubscription) -> str:
    """The URL at which the subscriber wants to be called."""
    return subscription["NotificationUrl"]


def reported_mails(payload: SubscriptionPayload[OutlookReceiveMessage]) -> int:
    """How many changed mails the back end reports."""
    return len(payload.get("value", ()))


def reported_events(payload: SubscriptionPayload[SubscriptionEvent]) -> int:
    """How many changed events the back end reports."""
    return len(payload.get("value", ()))


def echo(text: str) -> Reply[Any]:
    """The token of a handshake as plain text; no body without a token."""
    return Reply(text, {"content-type": "text/plain; charset=utf-8"}) if text else Reply(None)


def created(subscription: Subscription, paths: Paths, renewal_path: str) -> Reply[SubscriptionResponse]:
    """A new subscription. `Location` is where it is renewed and deleted, which is not where it was made (recorded)."""
    # Escapes are in lower case, as in recorded addresses.
    options = quote(token(subscription), safe="").replace("%3D", "%3d").replace("%2B", "%2b").replace("%2F", "%2f")
    location = f"{ROOT}{renewal_path.format(id=subscription.id)}?options={options}"
    return Reply(_shape(subscription, paths), {"Location": location})


def renewed(subscription: Subscription, paths: Paths) -> Reply[Any]:
    """A renewed subscription. It is answered like a new one (recorded), though no body is declared."""
    return Reply(_shape(subscription, paths))


def _shape(subscription: Subscription, paths: Paths) -> RenewableSubscription:
    return {
        "id": subscription.id,
        "notificationType": "webhook",
        "notificationUrl": subscription.url,
        "renewInterval": "PT1H",
        "resource": ROOT + _resource(subscription, paths),
    }


def _resource(subscription: Subscription, paths: Paths) -> str:
    """The path at which a subscription was made, with the query that matters (inferred)."""
    options = orjson.loads(subscription.options)
    path = paths[Watched(subscription.watched)]
    if subscription.watched == Watched.EVENT:
        days = {"incomingDays": options["IncomingDays"], "pastDays": options["PastDays"]}
        return f"{path.format(table=quote(options['Table'], safe=''))}?{urlencode(days)}"
    query = {
        "folderPath": options["FolderPath"],
        "importance": ImportanceFilter(options["Importance"]).name if options["Importance"] else None,
        "fetchOnlyWithAttachment": "True" if options["HasAttachment"] else None,
    }
    parameters = urlencode({name: value for name, value in query.items() if value is not None}, quote_via=quote)
    return path + (f"?{parameters}" if parameters else "")
