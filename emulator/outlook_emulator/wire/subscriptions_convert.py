"""Converts subscription bodies into values, and subscriptions into responses."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from outlook_emulator.enums import ImportanceFilter, Watched
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.triggers.callbacks import Content
from outlook_emulator.mailbox.triggers.subscriptions import EventWatch, MailWatch
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


_LONGEST_TOKEN = 4096
_POKE = {"IsPokeNotification": True, "IsGraphApi": True, "OutlookApiVersion": 1, "GraphApiVersion": 1}


def mail_options(watch: MailWatch) -> str:
    """The options of a mail subscription (recorded)."""
    options = {
        "FolderPath": watch.folder_path,
        "Importance": watch.importance,
        "HasAttachment": int(watch.only_with_attachment),
        "IsOnNewMentioningMeEmailNotification": watch.watched == Watched.MENTION,
        "IsOnFlaggedEmailNotification": watch.watched == Watched.FLAG,
        **_POKE,
    }
    return orjson.dumps(options).decode()


def event_options(watch: EventWatch) -> str:
    """The options of a calendar subscription (inferred)."""
    options = {"Table": watch.table, "IncomingDays": watch.incoming_days, "PastDays": watch.past_days, **_POKE}
    return orjson.dumps(options).decode()


def read_options(text: str) -> Any:
    """The options in the token of a subscription's `Location`. Raises InvalidField."""
    try:
        if len(text) > _LONGEST_TOKEN:
            raise ValueError
        # A plus sign that was not escaped arrives as a space.
        return orjson.loads(b64decode(text.replace(" ", "+").encode("ascii"), validate=True))
    except (Error, ValueError):
        raise InvalidField("options", "must be that of the subscription's Location.") from None


def poke(request_id: str) -> Content:
    """An empty callback that tells a subscriber to poll (recorded)."""
    return Content(b"", {"x-ms-client-request-id": request_id})


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
    token = b64encode(subscription.options.encode())
    options = quote(token, safe="").replace("%3D", "%3d").replace("%2B", "%2b").replace("%2F", "%2f")
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
        # One hour for every subscription (notes from live use of the Office 365 twin).
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
