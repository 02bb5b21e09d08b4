"""Writes events: every function changes rows, list entries and the change feed together, inside a transaction."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import fields, replace
from typing import Any

import orjson

from outlook_emulator.enums import ChangeAction, EventType, ItemKind
from outlook_emulator.ids import event_uid
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.calendar.event_rows import columns, fields_of, instant, list_entries, local, type_of
from outlook_emulator.mailbox.calendar.occurrences import is_computed, is_start
from outlook_emulator.mailbox.event import Attendee, EventFields, Series, wall_zone
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event

# Reads `AAD/++++AAA=` in base64 after any number of bytes that three divides: the characters that break URLs.
_EWS_ID = b"\x00\x00\xff\xfb\xef\xbe\x00\x00"
_OWN = (
    *("start", "end", "start_zone", "is_all_day", "organizer", "attendees"),
    *("rule", "excluded", "added", "uid", "external_id"),
)
_INHERITED = tuple(field.name for field in fields(EventFields) if field.name not in _OWN)
"""The fields that an exception takes over from its series as long as they are equal."""


def insert(mailbox: Mailbox, calendar_id: int, event: EventFields, original_start: int | None = None) -> Event:
    """Add an event to a calendar; with an original start it is one occurrence of a series in another mailbox."""
    position = {"type": type_of(event), "master_id": None, "original_start": original_start}
    return _insert(mailbox, calendar_id, event, position)


def insert_exception(mailbox: Mailbox, master: Event, original_start: int, event: EventFields) -> Event:
    """Store an occurrence of a series as an event of its own."""
    position = {"type": EventType.Exception, "master_id": master.id, "original_start": original_start}
    # An occurrence is computed or stored, never both: the series leaves out each start that has an event of its own.
    exclude(mailbox, master, original_start)
    return _insert(mailbox, master.calendar_id, event, position)


def exclude(mailbox: Mailbox, master: Event, original_start: int) -> None:
    """Remove one start from a series."""
    # Read again: the series may have changed since the caller read it.
    current = _read(mailbox, master.id)
    series = fields_of(current)
    if original_start not in series.excluded:
        _write(mailbox, current, replace(series, excluded=tuple(sorted((*series.excluded, original_start)))))


def save(mailbox: Mailbox, event: Event, after: EventFields) -> Event:
    """Write the new fields of an event.

    Exceptions of a series take over the changed fields that they had not changed themselves. Exceptions whose start no
    longer belongs to the series are deleted.
    """
    if event.rule is None:
        return _write(mailbox, event, after)
    before = fields_of(event)
    kept = exceptions(mailbox, event)
    saved = _write(mailbox, event, after)
    for exception in kept:
        if exception.original_start not in after.excluded or not is_start(saved, exception.original_start or 0):
            _delete(mailbox, exception)
        elif (inherited := _inherit(before, after, exception)) != fields_of(exception):
            _write(mailbox, exception, inherited)
    # Only the saved series can tell which starts it has now, hence a second write if some are gone.
    excluded = tuple(start for start in after.excluded if is_start(saved, start))
    return saved if excluded == after.excluded else _write(mailbox, saved, replace(after, excluded=excluded))


def remove(mailbox: Mailbox, event: Event) -> None:
    """Delete an event; with a series, also its exceptions."""
    if event.master_id is None and event.rule is not None:
        for exception in exceptions(mailbox, event):
            _delete(mailbox, exception)
    _delete(mailbox, event)


def separate(mailbox: Mailbox, event: Event) -> Event:
    """The stored event behind an event; a computed occurrence is stored as an exception first."""
    if not is_computed(event):
        return event
    assert event.master_id is not None
    assert event.original_start is not None
    return insert_exception(mailbox, _read(mailbox, event.master_id), event.original_start, fields_of(event))


def take_out(mailbox: Mailbox, event: Event) -> None:
    """Remove an event from its calendar, or an occurrence from its series."""
    if event.master_id is not None:
        assert event.original_start is not None
        exclude(mailbox, _read(mailbox, event.master_id), event.original_start)
    if not is_computed(event):
        remove(mailbox, event)


def recreate(mailbox: Mailbox, event: Event, after: EventFields) -> Event:
    """Replace an event by a new one, with a new id and creation time; a series takes its exceptions along."""
    # Saved first, so that the exceptions take over what they share with their series.
    saved = save(mailbox, event, after)
    kept = exceptions(mailbox, saved) if saved.rule is not None else []
    remove(mailbox, saved)
    # The UID stays, by which the organizer's later changes find the new event.
    fields = replace(fields_of(saved), external_id=None)
    new = insert(mailbox, saved.calendar_id, fields, saved.original_start)
    for exception in kept:
        assert exception.original_start is not None
        own = replace(fields_of(exception), external_id=new.external_id)
        insert_exception(mailbox, new, exception.original_start, own)
    return new


def exceptions(mailbox: Mailbox, master: Event) -> list[Event]:
    """The exceptions of a series, ordered by original start."""
    return calendar_store.exceptions(mailbox.db, master.id)


def as_series(mailbox: Mailbox, event: Event) -> Series:
    """An event with its exceptions, whose original starts are then not excluded."""
    master = fields_of(event)
    changed = {
        exception.original_start: fields_of(exception)
        for exception in (exceptions(mailbox, event) if event.rule is not None else ())
        if exception.original_start is not None
    }
    excluded = tuple(start for start in master.excluded if start not in changed)
    # iCalendar counts the revisions of an event from 0, the store from 1.
    return Series(replace(master, excluded=excluded), changed, event.original_start, event.version - 1)


def _inherit(before: EventFields, after: EventFields, exception: Event) -> EventFields:
    """The fields of an exception after its series changed."""
    own = fields_of(exception)
    inherited = {
        name: getattr(after, name)
        for name in _INHERITED
        if getattr(own, name) == getattr(before, name) != getattr(after, name)
    }
    if "response" not in inherited and before.response != after.response:
        # It shows as the response to this occurrence says, not as that to the series.
        inherited.pop("show_as", None)
    # The length is inherited like other fields, unless the exception moved or has a length of its own.
    if own.start == exception.original_start and own.end - own.start == before.end - before.start:
        zone = wall_zone(after)
        length = local(after.end, zone) - local(after.start, zone)
        inherited["end"] = instant(local(own.start, zone) + length, zone)
    return replace(own, **inherited, attendees=_inherited_attendees(before, after, own))


def _inherited_attendees(before: EventFields, after: EventFields, own: EventFields) -> tuple[Attendee, ...]:
    old, new, kept = (
        {attendee.address.lower(): attendee for attendee in event.attendees} for event in (before, after, own)
    )
    for address in old.keys() - new.keys():
        kept.pop(address, None)
    for address, attendee in new.items():
        # An attendee whom the exception changed or left out stays so.
        if address not in old or kept.get(address) == old[address]:
            kept[address] = attendee
    return tuple(sorted(kept.values(), key=lambda attendee: attendee.type))


def _read(mailbox: Mailbox, key: int) -> Event:
    event = calendar_store.event(mailbox.db, mailbox.owner.id, key)
    assert event is not None
    return event


def _insert(mailbox: Mailbox, calendar_id: int, event: EventFields, position: dict[str, Any]) -> Event:
    values = columns(mailbox, event) | position
    values |= {"mailbox_id": mailbox.owner.id, "calendar_id": calendar_id, "version": 1}
    values |= {"created": mailbox.now, "modified": mailbox.now}
    values["uid"] = event.uid or event_uid(mailbox.now, mailbox.rng.getrandbits(128))
    # Not for an exception: its id is that of the occurrence it replaces.
    if mailbox.rules.event_ids == "ews" and event.external_id is None and position["master_id"] is None:
        values["external_id"] = _ews_id(mailbox)
    stored = calendar_store.insert_event(mailbox.db, values, list_entries(event))
    _append_change(mailbox, stored, ChangeAction.CREATED)
    return stored


def _write(mailbox: Mailbox, event: Event, after: EventFields) -> Event:
    kind = event.type if event.master_id else type_of(after)
    # Both change with every update, even while the clock is frozen.
    version = {"modified": max(mailbox.now, event.modified + 1), "version": event.version + 1}
    values = columns(mailbox, after) | version | {"type": int(kind), "calendar_id": event.calendar_id}
    # Kept from the row: an update never makes another meeting of it.
    values["uid"] = event.uid
    saved = calendar_store.update_event(mailbox.db, event, values, list_entries(after))
    _append_change(mailbox, saved, ChangeAction.UPDATED, event)
    return saved


def _delete(mailbox: Mailbox, event: Event) -> None:
    calendar_store.delete_event(mailbox.db, event.id)
    _append_change(mailbox, event, ChangeAction.DELETED, event)


def _append_change(mailbox: Mailbox, event: Event, action: ChangeAction, before: Event | None = None) -> None:
    # The changed-items trigger compares the event with its window before and after, also when the row is gone.
    old = "" if before is None else orjson.dumps(tuple(before)).decode()
    changes.append(mailbox.db, event.mailbox_id, action, event.id, event.calendar_id, mailbox.now, ItemKind.EVENT, old)


def _ews_id(mailbox: Mailbox) -> str:
    """An id in the form of Exchange Web Services: plain base64 with a slash and a plus, as long as other ids."""
    return "AAMkADAw" + b64encode(mailbox.rng.randbytes(90) + _EWS_ID).decode()
