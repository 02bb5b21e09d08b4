"""When the events of an iCalendar file are: their ends, how they repeat, and which of their occurrences are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from icalendar import Component, vDDDTypes

from outlook_emulator.clock import microseconds
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import EventFields
from outlook_emulator.mailbox.formats.ics_rules import rule_of
from outlook_emulator.mailbox.formats.ics_zones import ZONE, When, Zones, at, known, midnight, on_the_wall

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def all_of(component: Component, name: str) -> list[Any]:
    """The properties of a name, in order."""
    value = component.get(name, [])
    return value if isinstance(value, list) else [value]


def first_of(component: Component, name: str) -> Any | None:
    """The first property of a name, if there is one."""
    return next(iter(all_of(component, name)), None)


def end_of(event: Component, start: When, zones: Zones) -> When:
    stated = first_of(event, "DTEND")
    duration = first_of(event, "DURATION")
    if start.is_day:
        first = on_the_wall(start.instant, start.zone).date()
        if stated is not None:
            after = stated.dt if not isinstance(stated.dt, datetime) else stated.dt.date()
        else:
            after = first + (duration.dt if duration is not None else _DAY)
        # Careless programs write the last day of an event, or its only one, as its end.
        end_zone = (known(stated.params.get(ZONE)) if stated is not None else None) or start.zone
        return When(midnight(max(after, first + _DAY), start.zone), end_zone, True)
    if stated is not None:
        end = zones.when(stated.dt, stated.params, start.zone)
    else:
        length = duration.dt if duration is not None else timedelta()
        end = start._replace(instant=start.instant + length // _MICROSECOND)
    if end.instant < start.instant:
        raise InvalidRequest("It ends before it starts.")
    return end


def repeated(event: Component, details: EventFields, zones: Zones) -> EventFields:
    """The event with its rule, and with the dates that are left out and added."""
    rules = all_of(event, "RRULE")
    if len(rules) > 1 or "EXRULE" in event:
        raise InvalidRequest("It has more than one RRULE, or an EXRULE, and so no equivalent in Outlook.")
    for rule in rules:
        details = _with_rule(details, {name: list(values) for name, values in rule.items()})
    return replace(
        details,
        excluded=tuple(_occurrences(event, "EXDATE", details, zones)),
        added=tuple(_occurrences(event, "RDATE", details, zones)),
    )


def _with_rule(details: EventFields, parts: dict[str, list[Any]]) -> EventFields:
    start = on_the_wall(details.start, details.start_zone)
    until = _until(parts.pop("UNTIL", []), start, details)
    rule = recurrence.normalize(rule_of(parts, start.date(), until))
    late = rule.start - start.date()
    if not late:
        return replace(details, rule=rule)
    moved = at(rule.start, start.time(), details.start_zone)
    end = moved + details.end - details.start
    if details.is_all_day:
        end = midnight(on_the_wall(details.end, details.start_zone).date() + late, details.start_zone)
    return replace(details, rule=rule, start=moved, end=end)


def _until(values: list[Any], start: datetime, details: EventFields) -> date | None:
    """The last day that a rule allows: not the one on which UNTIL comes before the event's own time of day."""
    until = values[0] if values else None
    if not isinstance(until, datetime):
        return until
    local = until if until.tzinfo is None else on_the_wall(microseconds(until), details.start_zone)
    is_too_early = not details.is_all_day and local.time() < start.time()
    return local.date() - _DAY if is_too_early else local.date()


def _occurrences(event: Component, name: str, series: EventFields, zones: Zones) -> Iterator[int]:
    for line in all_of(event, name):
        for one in line.dts:
            yield occurrence(one, line.params, series, zones)


def occurrence(value: vDDDTypes, params: Any, series: EventFields, zones: Zones) -> int:
    """When an occurrence starts, as its series has it: at midnight when that lasts all day, else at its own time."""
    # An RDATE may be a period.
    start: Any = value.dt[0] if isinstance(value.dt, tuple) else value.dt
    when = zones.when(start, params, series.start_zone)
    if series.is_all_day:
        day = start if when.is_day else on_the_wall(when.instant, series.start_zone).date()
        return midnight(day, series.start_zone)
    if when.is_day:
        return at(start, on_the_wall(series.start, series.start_zone).time(), series.start_zone)
    return when.instant
