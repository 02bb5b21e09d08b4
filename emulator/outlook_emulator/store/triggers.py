"""Subscriptions, push triggers and callbacks in the database: functions that run a statement and return records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Callback, PushTrigger, Subscription

# --- Callbacks ---


def insert_callback(db: Database, values: Mapping[str, Any]) -> int:
    """Add a callback that was not attempted yet; returns its id."""
    db.callback_work = None
    return db.insert(sql.INSERT_CALLBACK, values)


def callbacks(db: Database) -> list[Callback]:
    """Every callback, oldest first."""
    return [Callback._make(row) for row in db.all(sql.CALLBACKS, {})]


def callback(db: Database, key: int) -> Callback | None:
    """One callback."""
    row = db.one(sql.CALLBACK, {"id": key})
    return None if row is None else Callback._make(row)


def callback_page(db: Database, after: int, until: int) -> list[Callback]:
    """The callbacks with keys after one and up to another, oldest first."""
    return [Callback._make(row) for row in db.all(sql.CALLBACK_PAGE, {"after": after, "until": until})]


def newest_callback(db: Database) -> int:
    """The greatest key of a callback, 0 when there is none."""
    (key,) = db.one(sql.NEWEST["callback"], {})
    return int(key)


def first_pending_callback(db: Database, url: str) -> Callback | None:
    """The oldest pending callback to a URL."""
    row = db.one(sql.FIRST_CALLBACK, {"url": url})
    return None if row is None else Callback._make(row)


def first_callbacks_due(db: Database) -> dict[str, int]:
    """The URLs with pending callbacks, and when the oldest one of each is due."""
    return dict(db.all(sql.CALLBACKS_DUE, {}))


def has_unattempted_callback(db: Database, url: str, kind: str, reference: str) -> bool:
    """Whether a pending callback with this kind and reference has not been attempted yet."""
    return db.one(sql.WAITING_CALLBACK, {"url": url, "kind": kind, "reference": reference}) is not None


def has_callback_work(db: Database) -> bool:
    """Whether there is a subscription, a push trigger or a pending callback."""
    if db.callback_work is None:
        db.callback_work = db.one(sql.ANYONE_CALLED, {}) is not None
    return db.callback_work


def cancel_callbacks(db: Database, kind: str, reference: str) -> None:
    """Mark the pending callbacks with this kind and reference as cancelled."""
    db.callback_work = None
    db.execute(sql.CANCEL_CALLBACKS, {"of": kind, "named": reference})


def prefix_callback_references(db: Database, kind: str, prefix: str) -> None:
    """Put a prefix before the references of all callbacks of a kind."""
    db.execute(sql.RENAME_REFERENCES, {"of": kind, "prefix": prefix})


def delete_finished_callbacks(db: Database, up_to: int) -> None:
    """Delete the callbacks with an id of at most `up_to` that are not pending."""
    db.execute(sql.TRIM_CALLBACKS, {"below": up_to})


def postpone_callback(db: Database, key: int, due: int) -> None:
    """Set when a callback is due."""
    db.callback_work = None
    db.execute(sql.POSTPONE_CALLBACK, {"key": key, "until": due})


def begin_attempt(db: Database, key: int, attempted: int) -> None:
    """Record when the running attempt of a callback started."""
    db.execute(sql.BEGIN_ATTEMPT, {"key": key, "attempted": attempted})


def record_attempt(
    db: Database,
    key: int,
    *,
    state: str,
    attempts: int,
    due: int,
    attempted: int | None,
    status: int | None,
    error: str | None,
) -> None:
    """Record the outcome of an attempt; a callback that was cancelled meanwhile keeps its row as it is."""
    values = {
        "key": key,
        "state": state,
        "attempts": attempts,
        "due": due,
        "attempted": attempted,
        "last_status": status,
        "last_error": error,
    }
    db.callback_work = None
    db.execute(sql.RECORD_ATTEMPT, values)


# --- Subscriptions ---


def insert_subscription(db: Database, subscription: Subscription) -> None:
    """Add a subscription."""
    db.callback_work = None
    db.execute(sql.INSERT_SUBSCRIPTION, subscription._asdict())


def subscription(db: Database, mailbox_id: int, key: str) -> Subscription | None:
    """The subscription with an id in a mailbox, expired or not."""
    row = db.one(sql.SUBSCRIPTION, {"id": key, "mailbox_id": mailbox_id})
    return None if row is None else Subscription._make(row)


def live_subscriptions(db: Database, now: int) -> list[Subscription]:
    """The subscriptions of all mailboxes that have not expired, those that expire first first."""
    return [Subscription._make(row) for row in db.all(sql.LIVE_SUBSCRIPTIONS, {"now": now})]


def renew_subscription(db: Database, key: str, url: str, expires: int) -> None:
    """Set the URL of a subscription and when it expires."""
    db.callback_work = None
    db.execute(sql.RENEW_SUBSCRIPTION, {"key": key, "url": url, "expires": expires})


def set_subscriptions_seen(db: Database, now: int, position: int) -> None:
    """Record up to which position in the change feed the live subscriptions were poked; newer ones are ahead of it."""
    db.execute(sql.SUBSCRIPTIONS_SEEN, {"now": now, "position": position})


def delete_subscription(db: Database, key: str) -> None:
    """Delete a subscription."""
    db.callback_work = None
    db.execute(sql.DELETE_SUBSCRIPTION, {"id": key})


def delete_expired_subscriptions(db: Database, now: int) -> None:
    """Delete the subscriptions that have expired."""
    db.callback_work = None
    db.execute(sql.DELETE_EXPIRED_SUBSCRIPTIONS, {"now": now})


# --- Push triggers ---


def set_push_trigger(db: Database, trigger: PushTrigger) -> None:
    """Add a push trigger, or replace the one with its connection and name."""
    db.callback_work = None
    db.execute(sql.SET_PUSH, trigger._asdict())


def push_trigger(db: Database, connection_id: str, name: str) -> PushTrigger | None:
    """The push trigger with a name in a connection."""
    row = db.one(sql.PUSH, {"connection_id": connection_id, "name": name})
    return None if row is None else PushTrigger._make(row)


def push_triggers(db: Database, connection_id: str | None = None) -> list[PushTrigger]:
    """The push triggers of a connection, or of all, ordered by connection and name."""
    if connection_id is None:
        return [PushTrigger._make(row) for row in db.all(sql.PUSHES, {})]
    return [PushTrigger._make(row) for row in db.all(sql.PUSHES_OF, {"connection_id": connection_id})]


def move_push_trigger(db: Database, trigger: PushTrigger, cursor: str) -> None:
    """Set the cursor from which a push trigger polls next."""
    db.execute(sql.MOVE_PUSH, {"of": trigger.connection_id, "named": trigger.name, "cursor": cursor})


def delete_push_trigger(db: Database, trigger: PushTrigger) -> None:
    """Delete a push trigger."""
    db.callback_work = None
    db.execute(sql.DELETE_PUSH, {"connection_id": trigger.connection_id, "name": trigger.name})
