"""Calendars and events in the database: every function runs one or two statements and returns records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from outlook_emulator.store import list_entries, sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Event, ItemFolder, ListEntry


def calendars(db: Database, mailbox_id: int) -> list[ItemFolder]:
    """The calendars of a mailbox, ordered by name."""
    return [ItemFolder._make(row) for row in db.all(sql.CALENDARS, {"mailbox_id": mailbox_id})]


def insert_calendar(db: Database, mailbox_id: int, name: str, is_default: bool) -> ItemFolder:
    """Add a calendar to a mailbox."""
    values = {"mailbox_id": mailbox_id, "name": name, "is_default": int(is_default)}
    return ItemFolder(db.insert(sql.INSERT_CALENDAR, values), name, int(is_default))


def event(db: Database, mailbox_id: int, key: int) -> Event | None:
    """The event with a key in a mailbox; exceptions of a series are events of their own here."""
    row = db.one(sql.EVENT, {"id": key, "mailbox_id": mailbox_id})
    return None if row is None else Event._make(row)


def event_of_any(db: Database, key: int) -> Event | None:
    """The event with a key, in whichever mailbox it is."""
    row = db.one(sql.EVENT_ANYWHERE, {"id": key})
    return None if row is None else Event._make(row)


def event_page(db: Database, after: int, until: int) -> list[Event]:
    """The events and series of all mailboxes with keys after one and up to another, in their order."""
    return [Event._make(row) for row in db.all(sql.EVENT_PAGE, {"after": after, "until": until})]


def all_events(db: Database) -> Iterator[Event]:
    """The events, series and exceptions of all mailboxes."""
    return map(Event._make, db.execute(sql.ALL_EVENTS, {}))


def newest_event(db: Database) -> int:
    """The greatest key of an event, 0 when there is none."""
    (key,) = db.one(sql.NEWEST["event"], {})
    return int(key)


def event_by_external_id(db: Database, mailbox_id: int, external_id: str) -> Event | None:
    """The event or series with an id of another service."""
    row = db.one(sql.EVENT_BY_EXTERNAL_ID, {"mailbox_id": mailbox_id, "external_id": external_id})
    return None if row is None else Event._make(row)


def events_by_uid(db: Database, mailbox_id: int, uid: str) -> list[Event]:
    """The copies of a meeting in one mailbox: the event or series, or single occurrences without their series."""
    return [Event._make(row) for row in db.all(sql.EVENTS_BY_UID, {"mailbox_id": mailbox_id, "uid": uid})]


def events(db: Database, calendar_id: int) -> list[Event]:
    """The events and series of a calendar, ordered by start; exceptions are left out."""
    return [Event._make(row) for row in db.all(sql.EVENTS, {"calendar_id": calendar_id})]


def short_events(db: Database, calendar_id: int, since: int, until: int, after: int, top: int) -> list[Event]:
    """Up to `top` of the short events of a calendar that start in a window, ordered by start and key.

    Of those that start at its first instant, only those with keys after one. Series are no short events.
    """
    window = {"calendar_id": calendar_id, "earliest": since, "until": until, "after": after, "top": top}
    return [Event._make(row) for row in db.all(sql.SHORT_EVENTS, window)]


def long_events(db: Database, calendar_id: int, since: int, until: int) -> list[int]:
    """The keys of the long events of a calendar, and of its series, that may take place in a window. Not ordered."""
    window = {"calendar_id": calendar_id, "since": since, "until": until}
    return [key for (key,) in db.all(sql.LONG_EVENTS, window)]


def exceptions(db: Database, master_id: int) -> list[Event]:
    """The stored exceptions of a series, ordered by original start."""
    return [Event._make(row) for row in db.all(sql.EXCEPTIONS, {"master_id": master_id})]


def exception(db: Database, master_id: int, original_start: int) -> Event | None:
    """The exception that replaces the occurrence of a series with an original start."""
    row = db.one(sql.EXCEPTION, {"master_id": master_id, "original_start": original_start})
    return None if row is None else Event._make(row)


def events_with_attendee(db: Database, address: str) -> list[Event]:
    """The events of any mailbox that list an address as an attendee, with or without a `+tag` after its local part."""
    local, _, domain = address.rpartition("@")
    # The comma follows the plus sign.
    entries = db.all(sql.INVITATIONS, {"address": address, "since": f"{local}+", "until": f"{local},"})
    ending = f"@{domain}".lower()
    keys = [key for key, value in entries if value.lower().endswith(ending)]
    return [Event._make(db.one(sql.EVENT_ANYWHERE, {"id": key})) for key in keys]


def insert_event(db: Database, values: Mapping[str, Any], entries: Iterable[ListEntry]) -> Event:
    """Add an event with a value for each column but its id, and the entries of its lists."""
    db.note_size(len(values["body"] or ""))
    # What was written is what would be read back, so no statement reads it.
    event = Event(id=0, **values)
    key = db.insert(sql.INSERT_EVENT, event[1:])
    list_entries.insert(db, "event", key, entries)
    return event._replace(id=key)


def update_event(db: Database, event: Event, values: Mapping[str, Any], entries: Iterable[ListEntry]) -> Event:
    """Write new values over the columns of an event, and replace the entries of its lists."""
    db.execute(sql.UPDATE_EVENT, {**values, "key": event.id})
    list_entries.replace(db, "event", event.id, entries)
    return event._replace(**values)


def delete_event(db: Database, key: int) -> None:
    """Delete an event and the entries of its lists."""
    list_entries.delete(db, "event", key)
    db.execute(sql.DELETE_EVENT, {"id": key})
