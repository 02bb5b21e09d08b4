"""Subscriptions of the notification triggers: whoever holds one is poked when a folder or a calendar changes.

A poke says nothing but that it is time to poll. Lifetime, options and answers are as recorded on the sibling connector.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson

from outlook_emulator.enums import CallbackKind, ChangeAction, ImportanceFilter, ItemKind, Watched
from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.store import sql
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Message, Subscription

LIFETIME = 3_600_000_000
"""How long a subscription lives unless it is renewed, in microseconds."""
_LONGEST_TOKEN = 4096
_LONGEST_NUMBER = 18


def watch_mail(
    mailbox: Mailbox,
    url: str,
    *,
    watched: Watched,
    folder_path: str | None,
    importance: str,
    fetch_only_with_attachment: bool,
) -> Subscription:
    """Poke `url` for mail in a folder, or in any. Raises FolderNotFound and InvalidRequest."""
    options = {
        "FolderPath": folder_path,
        "Importance": ImportanceFilter[importance].value,
        "HasAttachment": int(fetch_only_with_attachment),
        "IsOnNewMentioningMeEmailNotification": watched == Watched.MENTION,
        "IsOnFlaggedEmailNotification": watched == Watched.FLAG,
        "IsPokeNotification": True,
        "IsGraphApi": True,
        "OutlookApiVersion": 1,
        "GraphApiVersion": 1,
    }
    folder_id = None if folder_path is None else folders.resolve(mailbox, folder_path)
    return _subscribe(mailbox, url, watched, folder_id, options)


def watch_events(mailbox: Mailbox, url: str, *, table: str, incoming_days: int, past_days: int) -> Subscription:
    """Poke `url` for changes of a calendar. Raises InvalidId, FolderNotFound and InvalidRequest."""
    # No recording shows the options of this one: inferred.
    options = {
        "Table": table,
        "IncomingDays": incoming_days,
        "PastDays": past_days,
        "IsPokeNotification": True,
        "IsGraphApi": True,
        "OutlookApiVersion": 1,
        "GraphApiVersion": 1,
    }
    calendar = item_folders.resolve(mailbox, item_folders.CALENDARS, table)
    return _subscribe(mailbox, url, Watched.EVENT, calendar.id, options)


def renew_mail(mailbox: Mailbox, url: str, *, id: str, options: str) -> Subscription:
    """Let a mail subscription live for another hour. Raises NotFound and InvalidRequest."""
    return _renew(mailbox, url, _found(mailbox, id, options, of_events=False))


def renew_events(mailbox: Mailbox, url: str, *, id: str, options: str) -> Subscription:
    """Let a calendar subscription live for another hour. Raises NotFound and InvalidRequest."""
    return _renew(mailbox, url, _found(mailbox, id, options, of_events=True))


def drop_mail(mailbox: Mailbox, *, id: str, options: str) -> None:
    """End a mail subscription. Raises NotFound and InvalidRequest."""
    _drop(mailbox, _found(mailbox, id, options, of_events=False))


def drop_events(mailbox: Mailbox, *, id: str, options: str) -> None:
    """End a calendar subscription. Raises NotFound and InvalidRequest."""
    _drop(mailbox, _found(mailbox, id, options, of_events=True))


def state_of(sandbox: str, subscription: Subscription) -> str:
    """What stands for a subscription in the addresses that the mail service's own back end calls (inferred)."""
    return f"{sandbox}:{subscription.mailbox_id}:{subscription.id}"


def place_of(state: str) -> tuple[str, int]:
    """The sandbox and the mailbox that a state names. Raises InvalidRequest."""
    sandbox, _, rest = state.partition(":")
    number = rest.partition(":")[0]
    if not (number.isascii() and number.isdigit() and len(number) < _LONGEST_NUMBER):
        raise InvalidRequest("The query parameter 'state' is none of a subscription's.")
    return sandbox, int(number)


def receive(
    mailbox: Mailbox,
    changed: int,
    *,
    state: str,
    validationtoken: str | None = None,
    subscribed_connection_id: str | None = None,
) -> str:
    """Take in what the back end reports: pokes the subscriber when anything changed; gives the token to echo, if any.

    Raises NotFound when no such subscription lives.
    """
    found = trigger_store.subscription(mailbox.db, mailbox.owner.id, state.rpartition(":")[2])
    if found is None or found.expires <= mailbox.now:
        raise NotFound(f"No subscription '{state[:100]}' exists.")
    if changed and validationtoken is None:
        with mailbox.db.transaction():
            _enqueue(mailbox, found)
    return validationtoken or ""


def living(mailbox: Mailbox) -> list[Subscription]:
    """The subscriptions of a mailbox that have not run out."""
    subscriptions = trigger_store.live_subscriptions(mailbox.db, mailbox.now)
    return [one for one in subscriptions if one.mailbox_id == mailbox.owner.id]


def token(subscription: Subscription) -> str:
    """The options as they stand in the subscription's address."""
    return b64encode(subscription.options.encode()).decode("ascii")


def poke(db: Database, now: int, opened: Callable[[int], Mailbox]) -> None:
    """Enqueue one poke for each live subscription whose folder or calendar has changed since it was last looked at.

    One that still waits to be made is enough, whatever has happened since. `opened` gives the mailbox with a key.
    """
    newest = changes.newest(db)
    behind = [one for one in trigger_store.live_subscriptions(db, now) if one.seen < newest]
    if not behind:
        return
    with db.transaction():
        for one in behind:
            mailbox = opened(one.mailbox_id)
            if _has_news(mailbox, one):
                _enqueue(mailbox, one)
        trigger_store.set_subscriptions_seen(db, now, newest)


def _enqueue(mailbox: Mailbox, one: Subscription) -> None:
    if callbacks.is_waiting(mailbox.db, one.url, CallbackKind.POKE, one.id):
        return
    headers = {"x-ms-client-request-id": _guid(mailbox)}
    callbacks.enqueue(mailbox, one.url, b"", kind=CallbackKind.POKE, headers=headers, reference=one.id)


def _drop(mailbox: Mailbox, found: Subscription) -> None:
    with mailbox.db.transaction():
        trigger_store.delete_subscription(mailbox.db, found.id)
        callbacks.cancel(mailbox.db, CallbackKind.POKE, found.id)


def _subscribe(
    mailbox: Mailbox, url: str, watched: Watched, folder_id: int | None, options: dict[str, Any]
) -> Subscription:
    callbacks.check_url(url, "NotificationUrl", mailbox.rules.allowed_hosts)
    text, expires = orjson.dumps(options).decode(), mailbox.now + LIFETIME
    made = Subscription(
        _guid(mailbox), mailbox.owner.id, watched, folder_id, url, text, expires, changes.newest(mailbox.db)
    )
    with mailbox.db.transaction():
        trigger_store.delete_expired_subscriptions(mailbox.db, mailbox.now)
        trigger_store.insert_subscription(mailbox.db, made)
    return made


def _found(mailbox: Mailbox, id: str, options: str, of_events: bool) -> Subscription:
    wanted = _read(options)
    found = trigger_store.subscription(mailbox.db, mailbox.owner.id, id)
    if found is None or found.expires <= mailbox.now or (found.watched == Watched.EVENT) != of_events:
        raise NotFound(f"No subscription '{id[:100]}' exists.")
    if wanted != orjson.loads(found.options):
        raise InvalidRequest("The query parameter 'options' does not belong to this subscription.")
    return found


def _read(options: str) -> Any:
    try:
        if len(options) > _LONGEST_TOKEN:
            raise ValueError
        # A plus sign that was not escaped arrives as a space.
        return orjson.loads(b64decode(options.replace(" ", "+").encode("ascii"), validate=True))
    except (Error, ValueError):
        raise InvalidRequest("The query parameter 'options' must be that of the subscription's Location.") from None


def _renew(mailbox: Mailbox, url: str, found: Subscription) -> Subscription:
    callbacks.check_url(url, "NotificationUrl", mailbox.rules.allowed_hosts)
    expires = mailbox.now + LIFETIME
    trigger_store.renew_subscription(mailbox.db, found.id, url, expires)
    return found._replace(url=url, expires=expires)


def _has_news(mailbox: Mailbox, one: Subscription) -> bool:
    kind = ItemKind.EVENT if one.watched == Watched.EVENT else ItemKind.MESSAGE
    for entry in changes.of(mailbox.db, one.mailbox_id, kind, one.seen):
        if one.folder_id not in (None, entry.folder_id):
            continue
        if one.watched == Watched.EVENT:
            return True
        if entry.action != ChangeAction.DELETED and (
            one.watched != Watched.FLAG or _is_flagged(mailbox, entry.item_id)
        ):
            return True
    return False


def _is_flagged(mailbox: Mailbox, message_id: int) -> bool:
    row = mailbox.db.one(sql.MESSAGE, {"id": message_id, "mailbox_id": mailbox.owner.id})
    return row is not None and bool(Message._make(row).is_flagged)


def _guid(mailbox: Mailbox) -> str:
    return str(UUID(int=mailbox.rng.getrandbits(128), version=4))
