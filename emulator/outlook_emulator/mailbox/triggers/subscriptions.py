"""Subscriptions of the notification triggers: subscribers are poked when a folder or a calendar changes.

A poke is an empty callback that tells the subscriber to poll. Lifetime, options and responses are recorded on the
sibling connector.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from outlook_emulator.enums import CallbackKind, ChangeAction, ImportanceFilter, ItemKind, Watched
from outlook_emulator.errors import InvalidField, NotFound
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.slices import Sliced
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Subscription

LIFETIME = 3_600_000_000
"""How long a subscription is valid unless it is renewed, in microseconds."""
ReadOptions = Callable[[str], Any]
"""Reads the options that a client sends back, as they were written. Raises InvalidField."""
ContentOf = Callable[[str], callbacks.Content]
"""Makes a poke, with an id of the request."""
_LONGEST_NUMBER = 18


class MailWatch(NamedTuple):
    """The mail that a subscription watches; `importance` is a value of ImportanceFilter."""

    watched: Watched
    folder_path: str | None
    importance: int
    only_with_attachment: bool


class EventWatch(NamedTuple):
    """The calendar that a subscription watches, and the days around now."""

    table: str
    incoming_days: int
    past_days: int


def watch_mail(
    mailbox: Mailbox,
    url: str,
    *,
    watched: Watched,
    folder_path: str | None,
    importance: str,
    fetch_only_with_attachment: bool,
    write_options: Callable[[MailWatch], str],
) -> Subscription:
    """Subscribe `url` to mail in a folder, or in any. Raises FolderNotFound and InvalidField.

    `write_options` makes the options by which a client refers to the subscription.
    """
    watch = MailWatch(watched, folder_path, ImportanceFilter[importance].value, fetch_only_with_attachment)
    folder_id = None if folder_path is None else folders.resolve(mailbox, folder_path)
    return _subscribe(mailbox, url, watched, folder_id, write_options(watch))


def watch_events(
    mailbox: Mailbox,
    url: str,
    *,
    table: str,
    incoming_days: int,
    past_days: int,
    write_options: Callable[[EventWatch], str],
) -> Subscription:
    """Subscribe `url` to changes of a calendar. Raises InvalidId, FolderNotFound and InvalidField."""
    calendar = item_folders.resolve(mailbox, item_folders.CALENDARS, table)
    options = write_options(EventWatch(table, incoming_days, past_days))
    return _subscribe(mailbox, url, Watched.EVENT, calendar.id, options)


def renew_mail(mailbox: Mailbox, url: str, *, id: str, options: str, read_options: ReadOptions) -> Subscription:
    """Renew a mail subscription for another hour. Raises NotFound and InvalidField."""
    return _renew(mailbox, url, _subscription(mailbox, id, read_options(options), of_events=False))


def renew_events(mailbox: Mailbox, url: str, *, id: str, options: str, read_options: ReadOptions) -> Subscription:
    """Renew a calendar subscription for another hour. Raises NotFound and InvalidField."""
    return _renew(mailbox, url, _subscription(mailbox, id, read_options(options), of_events=True))


def drop_mail(mailbox: Mailbox, *, id: str, options: str, read_options: ReadOptions) -> None:
    """Delete a mail subscription. Raises NotFound and InvalidField."""
    _drop(mailbox, _subscription(mailbox, id, read_options(options), of_events=False))


def drop_events(mailbox: Mailbox, *, id: str, options: str, read_options: ReadOptions) -> None:
    """Delete a calendar subscription. Raises NotFound and InvalidField."""
    _drop(mailbox, _subscription(mailbox, id, read_options(options), of_events=True))


def state_of(sandbox: str, subscription: Subscription) -> str:
    """The name of a subscription in the URLs that the mail service's back end calls (inferred)."""
    return f"{sandbox}:{subscription.mailbox_id}:{subscription.id}"


def place_of(state: str) -> tuple[str, int]:
    """The sandbox name and the mailbox key in a state. Raises InvalidField."""
    sandbox, _, rest = state.partition(":")
    number = rest.partition(":")[0]
    if not (number.isascii() and number.isdigit() and len(number) < _LONGEST_NUMBER):
        raise InvalidField("state", "must be the state of a subscription.")
    return sandbox, int(number)


def receive(
    mailbox: Mailbox,
    changed: int,
    *,
    state: str,
    validation_token: str | None = None,
    subscribed_connection_id: str | None = None,
    content_of: ContentOf,
) -> str:
    """Receive a notification of the back end: poke the subscriber if anything changed; returns the token to echo.

    Raises NotFound for an unknown or expired subscription.
    """
    subscription = trigger_store.subscription(mailbox.db, mailbox.owner.id, state.rpartition(":")[2])
    if subscription is None or subscription.expires <= mailbox.now:
        raise NotFound(f"No subscription '{state[:100]}' exists.")
    # With a token, the back end only asks whether the address is right.
    if changed and validation_token is None:
        with mailbox.db.transaction():
            _enqueue(mailbox, subscription, content_of)
    return validation_token or ""


def living(mailbox: Mailbox) -> list[Subscription]:
    """The subscriptions of a mailbox that have not expired."""
    subscriptions = trigger_store.live_subscriptions(mailbox.db, mailbox.now)
    return [subscription for subscription in subscriptions if subscription.mailbox_id == mailbox.owner.id]


def poke(db: Database, now: int, mailbox_of: Callable[[int], Mailbox], content_of: ContentOf) -> Sliced[None]:
    """Enqueue a poke for each subscription whose folder or calendar changed since the last look.

    A subscriber with a poke that was not attempted yet gets no second one. `mailbox_of` opens a mailbox by its key.
    """
    newest = changes.newest(db)
    live = trigger_store.live_subscriptions(db, now)
    behind = [subscription for subscription in live if subscription.seen < newest]
    if not behind:
        return
    with_news: list[tuple[Mailbox, Subscription]] = []
    for subscription in behind:
        mailbox = mailbox_of(subscription.mailbox_id)
        if (yield from _has_news(mailbox, subscription, newest)):
            with_news.append((mailbox, subscription))
    with db.transaction():
        for mailbox, subscription in with_news:
            # Not one that was dropped during a pause.
            if (current := trigger_store.subscription(db, mailbox.owner.id, subscription.id)) is not None:
                _enqueue(mailbox, current, content_of)
        # In the transaction of the pokes, so that a crash neither loses nor repeats one.
        trigger_store.set_subscriptions_seen(db, now, newest)


def poke_now(mailbox: Mailbox, id: str, content_of: ContentOf) -> int:
    """Enqueue a poke for one subscription, whether or not anything changed; returns the id of the callback.

    Raises NotFound.
    """
    subscription = trigger_store.subscription(mailbox.db, mailbox.owner.id, id)
    if subscription is None or subscription.expires <= mailbox.now:
        raise NotFound(f"No subscription '{id[:100]}' exists in this mailbox.")
    with mailbox.db.transaction():
        content = content_of(_guid(mailbox))
        return callbacks.enqueue(mailbox, subscription.url, content, kind=CallbackKind.POKE, reference=id)


def _enqueue(mailbox: Mailbox, subscription: Subscription, content_of: ContentOf) -> None:
    if callbacks.is_waiting(mailbox.db, subscription.url, CallbackKind.POKE, subscription.id):
        return
    content = content_of(_guid(mailbox))
    callbacks.enqueue(mailbox, subscription.url, content, kind=CallbackKind.POKE, reference=subscription.id)


def _drop(mailbox: Mailbox, subscription: Subscription) -> None:
    with mailbox.db.transaction():
        trigger_store.delete_subscription(mailbox.db, subscription.id)
        callbacks.cancel(mailbox.db, CallbackKind.POKE, subscription.id)


def _subscribe(mailbox: Mailbox, url: str, watched: Watched, folder_id: int | None, options: str) -> Subscription:
    callbacks.check_url(url, "notification_url", mailbox.rules.hosts_of_callbacks)
    subscription = Subscription(
        id=_guid(mailbox),
        mailbox_id=mailbox.owner.id,
        watched=watched,
        folder_id=folder_id,
        url=url,
        options=options,
        expires=mailbox.now + LIFETIME,
        # What happened before the subscription is no news.
        seen=changes.newest(mailbox.db),
    )
    with mailbox.db.transaction():
        # Every reader takes an expired subscription for a missing one, so any time will do.
        trigger_store.delete_expired_subscriptions(mailbox.db, mailbox.now)
        trigger_store.insert_subscription(mailbox.db, subscription)
    return subscription


def _subscription(mailbox: Mailbox, id: str, options: Any, of_events: bool) -> Subscription:
    subscription = trigger_store.subscription(mailbox.db, mailbox.owner.id, id)
    if (
        subscription is None
        or subscription.expires <= mailbox.now
        or (subscription.watched == Watched.EVENT) != of_events
    ):
        raise NotFound(f"No subscription '{id[:100]}' exists.")
    # Compared as values, so that the order of the members does not count.
    if options != orjson.loads(subscription.options):
        raise InvalidField("options", "does not belong to this subscription.")
    return subscription


def _renew(mailbox: Mailbox, url: str, subscription: Subscription) -> Subscription:
    # A renewal may name another URL.
    callbacks.check_url(url, "notification_url", mailbox.rules.hosts_of_callbacks)
    expires = mailbox.now + LIFETIME
    trigger_store.renew_subscription(mailbox.db, subscription.id, url, expires)
    return subscription._replace(url=url, expires=expires)


def _has_news(mailbox: Mailbox, subscription: Subscription, newest: int) -> Sliced[bool]:
    """Whether the change feed has an entry after `seen` that the subscription watches, up to the position `newest`."""
    kind = ItemKind.EVENT if subscription.watched == Watched.EVENT else ItemKind.MESSAGE
    pages = changes.pages_of(mailbox.db, subscription.mailbox_id, kind, subscription.seen)
    for entry in chain.from_iterable(pages):
        yield None
        if entry.at > newest:
            break
        if subscription.folder_id not in (None, entry.folder_id):
            continue
        if subscription.watched == Watched.EVENT:
            # Any change, also a deletion: the trigger for changed items reports those as well.
            return True
        # No mail trigger fires for a deletion. A poke too many does no harm, since the poll that follows decides.
        if entry.action != ChangeAction.DELETED and (
            subscription.watched != Watched.FLAG or _is_flagged(mailbox, entry.item_id)
        ):
            return True
    return False


def _is_flagged(mailbox: Mailbox, message_id: int) -> bool:
    message = mail_store.message(mailbox.db, mailbox.owner.id, message_id)
    return message is not None and bool(message.is_flagged)


def _guid(mailbox: Mailbox) -> str:
    # From the sandbox's random numbers, so that a seed gives the same ids again.
    return str(UUID(int=mailbox.rng.getrandbits(128), version=4))
