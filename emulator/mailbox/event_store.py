"""Writing events: each function changes rows, filter elements and the change feed together, inside a transaction."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import orjson

from emulator.enums import EventType
from emulator.mailbox import changes
from emulator.mailbox.event import Details
from emulator.mailbox.event_rows import columns, details_of, elements, type_of
from emulator.mailbox.mailbox import Mailbox
from emulator.store import sql
from emulator.store.records import Event

_EWS_ID = b"\x00\x00\xff\xfb\xef\xbe"


def insert(mailbox: Mailbox, calendar_id: int, details: Details) -> Event:
    """A new event in a calendar."""
    return _insert(mailbox, calendar_id, details, {"type": type_of(details), "master_id": None, "original_start": None})


def insert_exception(mailbox: Mailbox, master: Event, original_start: int, details: Details) -> Event:
    """An occurrence that from now on is kept by itself."""
    place = {"type": EventType["Exception"], "master_id": master.id, "original_start": original_start}
    exclude(mailbox, master, original_start)
    return _insert(mailbox, master.calendar_id, details, place)


def exclude(mailbox: Mailbox, master: Event, original_start: int) -> None:
    """Take one start out of a series."""
    # Read again: the series may have changed since the caller looked at it.
    current = _read(mailbox, master.id)
    details = details_of(current)
    if original_start not in details.excluded:
        save(mailbox, current, replace(details, excluded=tuple(sorted((*details.excluded, original_start)))))


def save(mailbox: Mailbox, event: Event, details: Details) -> Event:
    """Write an event's new details over the old ones. A series that became something else loses its exceptions."""
    kind = event.type if event.master_id else type_of(details)
    # Both move with every change, even while the clock stands still.
    marks = {"modified": max(mailbox.now, event.modified + 1), "version": event.version + 1}
    values = columns(mailbox, details) | marks | {"type": int(kind), "calendar_id": event.calendar_id}
    values["uid"] = event.uid
    mailbox.db.execute(sql.UPDATE_EVENT, values | {"key": event.id})
    mailbox.db.execute(sql.DELETE_ELEMENTS, {"kind": "event", "owner_id": event.id})
    _index(mailbox, event.id, details)
    saved = event._replace(**values)
    if event.rule is not None and not details.excluded:
        _drop_exceptions(mailbox, saved)
    _tell(mailbox, saved, changes.UPDATED, event)
    return saved


def remove(mailbox: Mailbox, event: Event) -> None:
    """Delete an event, and with a series what became of its occurrences."""
    if event.master_id is None and event.rule is not None:
        _drop_exceptions(mailbox, event)
    _delete(mailbox, event)


def separate(mailbox: Mailbox, event: Event) -> Event:
    """An event that can be changed by itself: of an occurrence as its series has it, an exception is made."""
    if event.master_id is None or event.rule is not None or event.id != event.master_id:
        return event
    assert event.original_start is not None
    master = _read(mailbox, event.master_id)
    return insert_exception(mailbox, master, event.original_start, details_of(event))


def take_out(mailbox: Mailbox, event: Event) -> None:
    """Remove an event from its calendar, or an occurrence from its series; inside a transaction."""
    if event.master_id is None:
        remove(mailbox, event)
        return
    assert event.original_start is not None
    exclude(mailbox, _read(mailbox, event.master_id), event.original_start)
    if event.id != event.master_id:
        remove(mailbox, event)


def exceptions(mailbox: Mailbox, master: Event) -> list[Event]:
    """The occurrences of a series that are kept by themselves, in order of their original start."""
    return [Event._make(row) for row in mailbox.db.all(sql.EXCEPTIONS, {"master_id": master.id})]


def _read(mailbox: Mailbox, key: int) -> Event:
    return Event._make(mailbox.db.one(sql.EVENT, {"id": key, "mailbox_id": mailbox.owner.id}))


def _insert(mailbox: Mailbox, calendar_id: int, details: Details, place: dict[str, Any]) -> Event:
    values = columns(mailbox, details) | place
    values |= {"mailbox_id": mailbox.owner.id, "calendar_id": calendar_id, "version": 1}
    values |= {"created": mailbox.now, "modified": mailbox.now}
    values["uid"] = details.uid or f"040000008200E00074C5B7101A82E008{mailbox.chance.getrandbits(160):040X}"
    if mailbox.rules.ews_ids and details.external_id is None and place["master_id"] is None:
        values["external_id"] = _ews_id(mailbox)
    key = mailbox.db.insert(sql.INSERT_EVENT, values)
    _index(mailbox, key, details)
    event = Event(id=key, **values)
    _tell(mailbox, event, changes.CREATED)
    return event


def _index(mailbox: Mailbox, key: int, details: Details) -> None:
    for row in elements(details):
        mailbox.db.execute(sql.INSERT_ELEMENT, row | {"owner_id": key})


def _drop_exceptions(mailbox: Mailbox, master: Event) -> None:
    for one in exceptions(mailbox, master):
        _delete(mailbox, one)


def _delete(mailbox: Mailbox, event: Event) -> None:
    mailbox.db.execute(sql.DELETE_ELEMENTS, {"kind": "event", "owner_id": event.id})
    mailbox.db.execute(sql.DELETE_EVENT, {"id": event.id})
    _tell(mailbox, event, changes.DELETED, event)


def _tell(mailbox: Mailbox, event: Event, action: str, before: Event | None = None) -> None:
    was = None if before is None else orjson.dumps(tuple(before)).decode()
    changes.append(mailbox.db, event.mailbox_id, action, event.id, event.calendar_id, mailbox.now, changes.EVENT, was)


def _ews_id(mailbox: Mailbox) -> str:
    """An id as the old mail service gave out: plain base64, with at least one slash and one plus."""
    return "AAMkADAw" + b64encode(mailbox.chance.randbytes(48) + _EWS_ID).decode()
