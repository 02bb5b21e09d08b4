"""Events as the store keeps them, and back: what is derived from an event's details is derived here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import orjson

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.enums import AttendeeType, EventType, ResponseType
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.text import preview
from outlook_emulator.store.records import Event, ListEntry
from outlook_emulator.timezones import zone

FOREVER = 2**62
"""Where the span of an endless series ends."""
SHORT = 2 * 86_400_000_000
"""How long an event may be, in microseconds, that a window finds by its start alone."""
_ORGANIZER = ResponseType["Organizer"]


def columns(mailbox: Mailbox, details: EventFields) -> dict[str, Any]:
    """What an event's details put into its row; ids, times of change and the place in a series come on top."""
    rule = details.rule
    organizer = details.organizer or Address(mailbox.owner.address, mailbox.owner.display_name)
    return {
        "subject": details.subject,
        "body": details.body,
        "is_html": int(details.is_html),
        "preview": preview(details.body, details.is_html),
        "start_at": details.start,
        "end_at": details.end,
        "start_zone": details.start_zone,
        "end_zone": details.end_zone,
        "is_all_day": int(details.is_all_day),
        "location": details.location,
        "place": None if details.place is None else orjson.dumps(details.place).decode(),
        "importance": int(details.importance),
        "show_as": int(details.show_as),
        "reminder": details.reminder,
        "response_requested": int(details.response_requested),
        "categories": orjson.dumps(details.categories).decode(),
        "organizer": organizer.address,
        "organizer_name": organizer.name,
        "is_organizer": int(is_own(mailbox, details)),
        "is_cancelled": int(details.is_cancelled),
        "response": int(details.response),
        "responded": details.responded,
        "attendees": orjson.dumps([tuple(one) for one in details.attendees]).decode(),
        "required": _joined(details, "Required"),
        "optional": _joined(details, "Optional"),
        "resources": _joined(details, "Resource"),
        "recurrence": recurrence.word(rule) if rule else 0,
        "recurrence_end": _midnight(rule.until) if rule and rule.until and rule.count is None else None,
        "occurrences": rule.count if rule else None,
        "rule": _rule_text(rule) if rule else None,
        "excluded": orjson.dumps(details.excluded).decode(),
        "added": orjson.dumps(details.added).decode(),
        "external_id": details.external_id,
        **_span(details),
    }


def fields_of(event: Event) -> EventFields:
    """What a stored event or a computed occurrence says."""
    return EventFields(
        subject=event.subject,
        start=event.start_at,
        end=event.end_at,
        start_zone=event.start_zone,
        end_zone=event.end_zone,
        is_all_day=bool(event.is_all_day),
        body=event.body,
        is_html=bool(event.is_html),
        location=event.location,
        place=None if event.place is None else orjson.loads(event.place),
        importance=event.importance,
        show_as=event.show_as,
        reminder=event.reminder,
        response_requested=bool(event.response_requested),
        categories=tuple(orjson.loads(event.categories)),
        attendees=attendees_of(event),
        organizer=None if event.is_organizer else Address(event.organizer, event.organizer_name),
        response=event.response,
        responded=event.responded,
        is_cancelled=bool(event.is_cancelled),
        rule=rule_of(event),
        excluded=tuple(orjson.loads(event.excluded)),
        added=tuple(orjson.loads(event.added)),
        uid=event.uid,
        external_id=event.external_id,
    )


def is_own(mailbox: Mailbox, details: EventFields) -> bool:
    """Whether the mailbox's owner organizes the event."""
    return details.organizer is None or details.organizer.address.lower() == mailbox.owner.address


def attendees_of(event: Event) -> tuple[Attendee, ...]:
    if event.attendees == "[]":
        return ()
    return tuple(Attendee(*one) for one in orjson.loads(event.attendees))


def list_entries(details: EventFields) -> Iterator[ListEntry]:
    """The entries by which a filter finds an event by its categories and attendees."""
    for category in details.categories:
        yield ListEntry("categories", category)
    for attendee in details.attendees:
        yield ListEntry("attendees", attendee.address, attendee.name, int(attendee.type), int(attendee.response))


def rule_of(event: Event) -> Rule | None:
    return None if event.rule is None else _rule(event.rule)


def type_of(details: EventFields) -> int:
    """Whether details without a place in a series are a series themselves."""
    return EventType["SeriesMaster" if details.rule else "SingleInstance"]


def local(instant: int, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, without the zone. Raises OverflowError at the calendar's ends."""
    return moment(instant).astimezone(zone(zone_name)).replace(tzinfo=None)


def instant(wall: datetime, zone_name: str) -> int:
    """The instant of a wall-clock time in a zone; one that a change of the clocks skips counts on from before it."""
    return microseconds(wall.replace(tzinfo=zone(zone_name), fold=0))


def wall_time(event: Event) -> time:
    """When an event starts by the clock on the wall of its start zone."""
    return time() if event.is_all_day else local(event.start_at, event.start_zone).time()


def wall_length(event: Event) -> timedelta:
    """How long an event is by that clock; whole days for an all-day event, whose midnights may be skipped."""
    start, end = local(event.start_at, event.start_zone), local(event.end_at, event.start_zone)
    return end.date() - start.date() if event.is_all_day else end - start


def _joined(details: EventFields, kind: str) -> str:
    wanted = AttendeeType[kind]
    return ";".join(one.address for one in details.attendees if one.type == wanted)


def _span(details: EventFields) -> dict[str, int]:
    if details.rule is None:
        long = details.end - details.start > SHORT
        return {"span_start": details.start, "span_end": details.end, "reach": int(long)}
    length = details.end - details.start
    # A day more on both sides: a change of the clocks moves an occurrence against its wall-clock time.
    margin = 86_400_000_000
    first = min((details.start, *details.added)) - margin
    last = FOREVER
    if details.rule.until is not None:
        wall = local(details.start, details.start_zone).time()
        final = instant(datetime.combine(details.rule.until, wall), details.start_zone)
        last = max((final, *details.added)) + length + margin
    return {"span_start": first, "span_end": last, "reach": 2}


def _midnight(day: date) -> int:
    return microseconds(datetime(day.year, day.month, day.day))


def _rule_text(rule: Rule) -> str:
    return orjson.dumps(asdict(rule)).decode()


@lru_cache(maxsize=1024)
def _rule(text: str) -> Rule:
    stored = orjson.loads(text)
    days = {"start": date.fromisoformat(stored["start"])}
    if stored["until"]:
        days["until"] = date.fromisoformat(stored["until"])
    return Rule(**stored | days | {"days_of_week": tuple(stored["days_of_week"])})
