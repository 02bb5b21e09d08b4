"""Subscriptions as they are asked for and answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import orjson

from outlook_emulator.enums import ImportanceFilter
from outlook_emulator.mailbox.triggers.subscriptions import EVENT, FLAG, MAIL, MENTION, token
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

_POKED = {MAIL: "MailSubscriptionPoke", FLAG: "FlaggedMailSubscriptionPoke", MENTION: "MentionMeMailSubscriptionPoke"}


def notification_url(asked: ClientSubscription) -> str:
    """Where the subscriber wants to be called."""
    return asked["NotificationUrl"]


def reported_mails(payload: SubscriptionPayload[OutlookReceiveMessage]) -> int:
    """How many changes of mail the back end reports."""
    return len(payload.get("value", ()))


def reported_events(payload: SubscriptionPayload[SubscriptionEvent]) -> int:
    """How many changes of events the back end reports."""
    return len(payload.get("value", ()))


def echo(text: str) -> Reply[Any]:
    """The token of a handshake as plain text, or nothing."""
    return Reply(text, {"content-type": "text/plain; charset=utf-8"}) if text else Reply(None)


def created(made: Subscription) -> Reply[SubscriptionResponse]:
    """A new subscription; `Location` is where it is renewed and deleted, which is not where it was made (recorded)."""
    family = "EventSubscription" if made.watched == EVENT else "MailSubscription"
    # Escapes are in lower case, as in recorded addresses.
    options = quote(token(made), safe="").replace("%3D", "%3d").replace("%2B", "%2b").replace("%2F", "%2f")
    return Reply(_shown(made), {"Location": f"{ROOT}/{family}/$subscriptions/{made.id}?options={options}"})


def renewed(found: Subscription) -> Reply[Any]:
    """A subscription that lives on: answered like a new one (recorded), though no body is declared."""
    return Reply(_shown(found))


def _shown(one: Subscription) -> RenewableSubscription:
    return {
        "id": one.id,
        "notificationType": "webhook",
        "notificationUrl": one.url,
        "renewInterval": "PT1H",
        "resource": f"{ROOT}/{_resource(one)}",
    }


def _resource(one: Subscription) -> str:
    """The address a subscription was made at, below its connection, with the query that matters (inferred)."""
    options = orjson.loads(one.options)
    if one.watched == EVENT:
        days = {"incomingDays": options["IncomingDays"], "pastDays": options["PastDays"]}
        return f"{quote(options['Table'], safe='')}/EventSubscriptionPoke/$subscriptions?{urlencode(days)}"
    query = {
        "folderPath": options["FolderPath"],
        "importance": ImportanceFilter(options["Importance"]).name if options["Importance"] else None,
        "fetchOnlyWithAttachment": "True" if options["HasAttachment"] else None,
    }
    given = urlencode({name: value for name, value in query.items() if value is not None}, quote_via=quote)
    return f"{_POKED[one.watched]}/$subscriptions" + (f"?{given}" if given else "")
