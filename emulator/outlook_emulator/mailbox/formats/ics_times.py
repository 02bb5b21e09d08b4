"""Reads the times of events in an iCalendar file: their ends, their recurrence, and the starts of their occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from icalendar import Component, vDDDTypes

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import EventFields, wall_zone
from outlook_emulator.mailbox.formats.ics_rules import rule_of
from outlook_emulator.mailbox.formats.ics_zones import ZONE, When, Zones, at, known, midnight, on_the_wall

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def all_of(component: Component, name: str) -> list[Any]:
    """The properties with a name, in order."""
    value = component.get(name, [])
    return value if isinstance(value, list) else [value]


def first_of(component: Component, name: str) -> Any | None:
    """The first property with a name, None without one."""
    return next(iter(all_of(component, name)), None)


def as_day(start: When) -> When:
    """A start at midnight of its zone as a day, other starts as they are.

    For the files in which Outlook marks an all-day event beside its times.
    """
    wall = on_the_wall(start.instant, start.zone)
    if start.is_day or wall.time() != time():
        return start
    return When(midnight(wall.date()), start.zone, True)


def end_of(event: Component, start: When, zones: Zones) -> When:
    """When an event ends, by its DTEND or DURATION. Raises InvalidRequest for an end before the start."""
    # Without either, a day lasts one day and a time has no length (RFC 5545).
    stated = first_of(event, "DTEND")
    duration = first_of(event, "DURATION")
    if start.is_day:
        first = moment(start.instant).date()
        if stated is not None:
            after = _day_of(stated.dt, zones.when(stated.dt, stated.params, start.zone), start.zone)
        else:
            after = first + (duration.dt if duration is not None else _DAY)
        # Some programs write the last day of an event as its end.
        end_zone = (known(stated.params.get(ZONE)) if stated is not None else None) or start.zone
        return When(midnight(max(after, first + _DAY)), end_zone, True)
    if stated is not None:
        end = zones.when(stated.dt, stated.params, start.zone)
    else:
        length = duration.dt if duration is not None else timedelta()
        end = start._replace(instant=start.instant + length // _MICROSECOND)
    if end.instant < start.instant:
        raise InvalidRequest("It ends before it starts.")
    return end


def repeated(component: Component, event: EventFields, zones: Zones) -> EventFields:
    """The event with its rule, and with its excluded and added starts."""
    rules = all_of(component, "RRULE")
    if len(rules) > 1 or "EXRULE" in component:
        raise InvalidRequest("It has more than one RRULE, or an EXRULE, so it has no equivalent in Outlook.")
    for rule in rules:
        # A copy, since UNTIL is taken out of it.
        event = _with_rule(event, {name: list(values) for name, values in rule.items()})
    return replace(
        event,
        excluded=tuple(_occurrences(component, "EXDATE", event, zones)),
        added=tuple(_occurrences(component, "RDATE", event, zones)),
    )


def _with_rule(event: EventFields, parts: dict[str, list[Any]]) -> EventFields:
    start = on_the_wall(event.start, wall_zone(event))
    until = _until(parts.pop("UNTIL", []), start, event)
    rule = recurrence.normalize(rule_of(parts, start.date(), until))
    if rule.start == start.date():
        return replace(event, rule=rule)
    # In the RFC the start always is the first occurrence; Outlook's series begin on a date that the pattern matches.
    moved = at(rule.start, start.time(), wall_zone(event))
    return replace(event, rule=rule, start=moved, end=moved + event.end - event.start)


def _until(values: list[Any], start: datetime, event: EventFields) -> date | None:
    """The last day that a rule allows: the day of UNTIL, or the day before if UNTIL is before the start time."""
    until = values[0] if values else None
    if not isinstance(until, datetime):
        return until
    # Midnight UTC stands for the date itself, so no zone may shift it.
    if event.is_all_day and until.time() == time():
        return until.date()
    local = until if until.tzinfo is None else on_the_wall(microseconds(until), event.start_zone)
    is_too_early = not event.is_all_day and local.time() < start.time()
    return local.date() - _DAY if is_too_early else local.date()


def _occurrences(component: Component, name: str, series: EventFields, zones: Zones) -> Iterator[int]:
    for line in all_of(component, name):
        for value in line.dts:
            yield occurrence(value, line.params, series, zones)


def occurrence(value: vDDDTypes, params: Any, series: EventFields, zones: Zones) -> int:
    """The start of an occurrence: at midnight for an all-day series, at the series' time for a date, else as stated."""
    # An RDATE may be a period.
    start: Any = value.dt[0] if isinstance(value.dt, tuple) else value.dt
    when = zones.when(start, params, series.start_zone)
    if series.is_all_day:
        return midnight(_day_of(start, when, series.start_zone))
    if when.is_day:
        return at(start, on_the_wall(series.start, series.start_zone).time(), series.start_zone)
    return when.instant


def _day_of(value: date, when: When, zone_name: str) -> date:
    """The day that a value names: for midnight the day that begins then, for any other time its day in the zone."""
    if not isinstance(value, datetime):
        return value
    return value.date() if value.time() == time() else on_the_wall(when.instant, zone_name).date()
