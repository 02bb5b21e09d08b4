"""Converts the fields of an event to the columns of its row and back; derived columns are computed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.enums import AttendeeType, EventType
from outlook_emulator.errors import ConnectorError
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import FIRST, LAST, Attendee, EventFields, Rule, wall_zone
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.stored_body import stored_body
from outlook_emulator.mailbox.text import preview
from outlook_emulator.store import calendar, change_feed
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Event, ListEntry
from outlook_emulator.timezones import canonical, zone

FOREVER = 2**62
"""Where the span of an endless series ends."""
SHORT = 2 * 86_400_000_000
"""The longest duration, in microseconds, of events that a window finds by their start alone."""
_CONVERTED = ("place", "categories", "attendees", "organizer", "rule", "excluded", "added")
_FLAGS = tuple(field.name for field in fields(EventFields) if field.type == "bool")
_COPIED = tuple(
    field.name
    for field in fields(EventFields)
    if field.name in Event._fields and field.name not in (*_CONVERTED, *_FLAGS, "uid")
)
"""The fields that a row holds unchanged, under the same name."""
# One call for all fields: events are converted in every view and every list.
_flags, _copied = attrgetter(*_FLAGS), attrgetter(*_COPIED)


def columns(mailbox: Mailbox, event: EventFields) -> dict[str, Any]:
    """The columns of an event's row, except for ids, times of change and its place in a series."""
    rule = event.rule
    stored = stored_body(event.body, event.is_html) if mailbox.rules.bodies == "stored" else None
    organizer = event.organizer or Address(mailbox.owner.address, mailbox.owner.display_name)
    return {
        **dict(zip(_COPIED, map(_plain, _copied(event)), strict=True)),
        **dict(zip(_FLAGS, map(int, _flags(event)), strict=True)),
        "start_at": event.start,
        "end_at": event.end,
        "stored_body": stored,
        "shown_as_html": int(event.is_html or stored is not None),
        "preview": preview(event.body, event.is_html),
        "place": None if event.place is None else orjson.dumps(event.place).decode(),
        "categories": orjson.dumps(event.categories).decode(),
        "organizer": organizer.address,
        "organizer_name": organizer.name,
        "is_organizer": int(is_own(mailbox, event)),
        "attendees": orjson.dumps([tuple(attendee) for attendee in event.attendees]).decode(),
        "required": _addresses(event, "Required"),
        "optional": _addresses(event, "Optional"),
        "resources": _addresses(event, "Resource"),
        "recurrence": recurrence.kind_of(rule) if rule else 0,
        # A rule with a count has a last date too, but clients see the end that was given: a date or a number.
        "recurrence_end": _midnight(rule.until) if rule and rule.until and rule.count is None else None,
        "occurrences": rule.count if rule else None,
        "rule": _rule_text(rule) if rule else None,
        "excluded": orjson.dumps(event.excluded).decode(),
        "added": orjson.dumps(event.added).decode(),
        **_span(event),
    }


def fields_of(event: Event) -> EventFields:
    """The fields of a stored event or a computed occurrence."""
    values: dict[str, Any] = dict(zip(_COPIED, _copied(event), strict=True))
    flags: dict[str, Any] = dict(zip(_FLAGS, map(bool, _flags(event)), strict=True))
    return EventFields(
        **values,
        **flags,
        start=event.start_at,
        end=event.end_at,
        place=None if event.place is None else orjson.loads(event.place),
        categories=tuple(orjson.loads(event.categories)),
        attendees=attendees_of(event),
        organizer=None if event.is_organizer else Address(event.organizer, event.organizer_name),
        rule=rule_of(event),
        excluded=tuple(orjson.loads(event.excluded)),
        added=tuple(orjson.loads(event.added)),
        uid=event.uid,
    )


def is_own(mailbox: Mailbox, event: EventFields) -> bool:
    """Whether the mailbox's owner organizes the event."""
    return event.organizer is None or event.organizer.address.lower() == mailbox.owner.address


def attendees_of(event: Event) -> tuple[Attendee, ...]:
    """The attendees of a stored event."""
    # Most events have none, and need no JSON reader.
    if event.attendees == "[]":
        return ()
    return tuple(Attendee(*values) for values in orjson.loads(event.attendees))


def list_entries(event: EventFields) -> Iterator[ListEntry]:
    """The entries by which a filter finds an event by its categories and attendees."""
    for category in event.categories:
        yield ListEntry("categories", category)
    for attendee in event.attendees:
        yield ListEntry("attendees", attendee.address, attendee.name, int(attendee.type), int(attendee.response))


def rule_of(event: Event) -> Rule | None:
    """The recurrence rule of a stored event, None unless it is a series."""
    return None if event.rule is None else _rule(event.rule)


def check_all(db: Database) -> None:
    """Check the events of a database from elsewhere, their earlier states included.

    Raises ValueError that names the table and the row.
    """
    for event in calendar.all_events(db):
        _check(event, f"its table 'event' has an invalid row {event.id}")
    for number, before in change_feed.earlier_states(db):
        _check(Event._make(orjson.loads(before)), f"its table 'change' has an invalid row {number}")


def _check(event: Event, problem: str) -> None:
    """Check what an event from elsewhere holds beyond its types: zones, times and rule.

    Raises ValueError with the problem and the reason.
    """
    try:
        for name in (event.start_zone, event.end_zone):
            if canonical(name, "zone") != name:
                raise ValueError(f"'{name[:100]}' is no stored name of a time zone")
        if not FIRST <= event.start_at <= event.end_at < LAST:
            raise ValueError("an event is not between the years 1601 and 4500")
        rule = rule_of(event)
        if rule is not None and recurrence.normalize(rule) != rule:
            raise ValueError("a recurrence rule is not in its stored form")
    except (ConnectorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{problem}: {error}") from error


def type_of(event: EventFields) -> int:
    """The EventType of an event that is not part of a series."""
    return EventType.SeriesMaster if event.rule else EventType.SingleInstance


def local(instant: int, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, without tzinfo. Raises OverflowError outside the years 1 to 9999."""
    return moment(instant).astimezone(zone(zone_name)).replace(tzinfo=None)


def instant(wall: datetime, zone_name: str) -> int:
    """The instant of a wall-clock time in a zone; a skipped time is read with the offset from before the change."""
    return microseconds(wall.replace(tzinfo=zone(zone_name), fold=0))


def wall_time(event: Event) -> time:
    """The wall-clock time at which an event starts."""
    return local(event.start_at, wall_zone(event)).time()


def wall_length(event: Event) -> timedelta:
    """The wall-clock duration of an event."""
    return local(event.end_at, wall_zone(event)) - local(event.start_at, wall_zone(event))


def _plain(value: Any) -> Any:
    # Members of enumerations become plain integers.
    return int(value) if isinstance(value, int) else value


def _addresses(event: EventFields, kind: str) -> str:
    if not event.attendees:
        return ""
    people = (person.address for person in event.attendees if person.type == AttendeeType[kind] and person.address)
    # The last address ends in a semicolon too, unlike in mails. Two projects noted it from live use.
    return "".join(f"{address};" for address in people)


def _span(event: EventFields) -> dict[str, int]:
    if event.rule is None:
        long = event.end - event.start > SHORT
        return {"span_start": event.start, "span_end": event.end, "reach": int(long)}
    length = event.end - event.start
    # One day more on both sides: a change of the clocks moves an occurrence against its wall-clock time.
    margin = 86_400_000_000
    first = min((event.start, *event.added)) - margin
    last = FOREVER
    if event.rule.until is not None:
        wall = local(event.start, wall_zone(event)).time()
        # `until` is a local date: the last occurrence starts on it at the wall-clock time of all others.
        final = instant(datetime.combine(event.rule.until, wall), wall_zone(event))
        last = max((final, *event.added)) + length + margin
    return {"span_start": first, "span_end": last, "reach": 2}


def _midnight(day: date) -> int:
    return microseconds(datetime(day.year, day.month, day.day))


def _rule_text(rule: Rule) -> str:
    return orjson.dumps(asdict(rule)).decode()


@lru_cache(maxsize=1024)
# Cached by its text: a view asks for the same rules again and again.
def _rule(text: str) -> Rule:
    stored = orjson.loads(text)
    days = {"start": date.fromisoformat(stored["start"])}
    if stored["until"]:
        days["until"] = date.fromisoformat(stored["until"])
    return Rule(**stored | days | {"days_of_week": tuple(stored["days_of_week"])})
