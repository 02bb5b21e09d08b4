"""Writing events: each function changes rows, filter elements and the change feed together, inside a transaction."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import orjson

from outlook_emulator.enums import EventType
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.calendar.event_rows import columns, fields_of, instant, list_entries, local, type_of
from outlook_emulator.mailbox.calendar.occurrences import is_computed, is_start
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event

_EWS_ID = b"\x00\x00\xff\xfb\xef\xbe"
_INHERITED = (
    *("subject", "body", "is_html", "location", "place", "importance", "show_as", "reminder", "response_requested"),
    *("categories", "end_zone", "response", "responded", "is_cancelled"),
)


def insert(mailbox: Mailbox, calendar_id: int, details: EventFields, original_start: int | None = None) -> Event:
    """A new event in a calendar; with an original start it is one occurrence of a series that lies elsewhere."""
    place = {"type": type_of(details), "master_id": None, "original_start": original_start}
    return _insert(mailbox, calendar_id, details, place)


def insert_exception(mailbox: Mailbox, master: Event, original_start: int, details: EventFields) -> Event:
    """An occurrence that from now on is kept by itself."""
    place = {"type": EventType["Exception"], "master_id": master.id, "original_start": original_start}
    exclude(mailbox, master, original_start)
    return _insert(mailbox, master.calendar_id, details, place)


def exclude(mailbox: Mailbox, master: Event, original_start: int) -> None:
    """Take one start out of a series."""
    # Read again: the series may have changed since the caller looked at it.
    current = _read(mailbox, master.id)
    details = fields_of(current)
    if original_start not in details.excluded:
        _write(mailbox, current, replace(details, excluded=tuple(sorted((*details.excluded, original_start)))))


def save(mailbox: Mailbox, event: Event, details: EventFields) -> Event:
    """Write an event's new details over the old ones.

    The occurrences of a series that are kept by themselves take over what changed in the series and was not changed in
    them; those whose start the series no longer has are let go.
    """
    if event.rule is None:
        return _write(mailbox, event, details)
    before = fields_of(event)
    kept = exceptions(mailbox, event)
    saved = _write(mailbox, event, details)
    for one in kept:
        if one.original_start not in details.excluded or not is_start(saved, one.original_start or 0):
            _delete(mailbox, one)
        elif (changed := _inherit(before, details, one)) != fields_of(one):
            _write(mailbox, one, changed)
    still = tuple(start for start in details.excluded if is_start(saved, start))
    return saved if still == details.excluded else _write(mailbox, saved, replace(details, excluded=still))


def remove(mailbox: Mailbox, event: Event) -> None:
    """Delete an event, and with a series what became of its occurrences."""
    if event.master_id is None and event.rule is not None:
        for one in exceptions(mailbox, event):
            _delete(mailbox, one)
    _delete(mailbox, event)


def separate(mailbox: Mailbox, event: Event) -> Event:
    """An event that can be changed by itself: of an occurrence as its series has it, an exception is made."""
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


def exceptions(mailbox: Mailbox, master: Event) -> list[Event]:
    """The occurrences of a series that are kept by themselves, in order of their original start."""
    return calendar_store.exceptions(mailbox.db, master.id)


def as_series(mailbox: Mailbox, event: Event) -> Series:
    """An event with its changed occurrences, whose starts are then no longer left out."""
    details = fields_of(event)
    changed = {
        one.original_start: fields_of(one)
        for one in (exceptions(mailbox, event) if event.rule is not None else ())
        if one.original_start is not None
    }
    kept = tuple(one for one in details.excluded if one not in changed)
    original = event.original_start
    return Series(replace(details, excluded=kept), changed, original, event.version - 1)


def _inherit(before: EventFields, after: EventFields, exception: Event) -> EventFields:
    """An exception's details after its series changed."""
    own = fields_of(exception)
    taken = {
        name: getattr(after, name)
        for name in _INHERITED
        if getattr(own, name) == getattr(before, name) != getattr(after, name)
    }
    if own.start == exception.original_start and own.end - own.start == before.end - before.start:
        length = local(after.end, after.start_zone) - local(after.start, after.start_zone)
        taken["end"] = instant(local(own.start, after.start_zone) + length, after.start_zone)
    return replace(own, **taken, attendees=_inherited_attendees(before, after, own))


def _inherited_attendees(before: EventFields, after: EventFields, own: EventFields) -> tuple[Attendee, ...]:
    old, new = ({one.address.lower(): one for one in details.attendees} for details in (before, after))
    kept = {one.address.lower(): one for one in own.attendees}
    for address in old.keys() - new.keys():
        kept.pop(address, None)
    for address, one in new.items():
        if address not in old or kept.get(address) == old[address]:
            kept[address] = one
    return tuple(sorted(kept.values(), key=lambda one: one.type))


def _read(mailbox: Mailbox, key: int) -> Event:
    event = calendar_store.event(mailbox.db, mailbox.owner.id, key)
    assert event is not None
    return event


def _insert(mailbox: Mailbox, calendar_id: int, details: EventFields, place: dict[str, Any]) -> Event:
    values = columns(mailbox, details) | place
    values |= {"mailbox_id": mailbox.owner.id, "calendar_id": calendar_id, "version": 1}
    values |= {"created": mailbox.now, "modified": mailbox.now}
    values["uid"] = details.uid or f"040000008200E00074C5B7101A82E008{mailbox.rng.getrandbits(160):040X}"
    if mailbox.rules.event_ids == "ews" and details.external_id is None and place["master_id"] is None:
        values["external_id"] = _ews_id(mailbox)
    event = calendar_store.insert_event(mailbox.db, values, list_entries(details))
    _tell(mailbox, event, changes.CREATED)
    return event


def _write(mailbox: Mailbox, event: Event, details: EventFields) -> Event:
    kind = event.type if event.master_id else type_of(details)
    # Both move with every change, even while the clock stands still.
    marks = {"modified": max(mailbox.now, event.modified + 1), "version": event.version + 1}
    values = columns(mailbox, details) | marks | {"type": int(kind), "calendar_id": event.calendar_id}
    values["uid"] = event.uid
    saved = calendar_store.update_event(mailbox.db, event, values, list_entries(details))
    _tell(mailbox, saved, changes.UPDATED, event)
    return saved


def _delete(mailbox: Mailbox, event: Event) -> None:
    calendar_store.delete_event(mailbox.db, event.id)
    _tell(mailbox, event, changes.DELETED, event)


def _tell(mailbox: Mailbox, event: Event, action: str, before: Event | None = None) -> None:
    was = None if before is None else orjson.dumps(tuple(before)).decode()
    changes.append(mailbox.db, event.mailbox_id, action, event.id, event.calendar_id, mailbox.now, changes.EVENT, was)


def _ews_id(mailbox: Mailbox) -> str:
    """An id as the old mail service gave out: plain base64, with at least one slash and one plus."""
    return "AAMkADAw" + b64encode(mailbox.rng.randbytes(48) + _EWS_ID).decode()
