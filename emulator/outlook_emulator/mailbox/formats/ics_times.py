"""Reads the times of events in an iCalendar file: their ends, their recurrence, and the starts of their occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidField, InvalidRequest, TooMuchContent
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import EventFields, Rule, wall_zone
from outlook_emulator.mailbox.formats.ics_lines import Component, Property, Report
from outlook_emulator.mailbox.formats.ics_rules import rule_of
from outlook_emulator.mailbox.formats.ics_values import duration_of, rule_parts, time_of
from outlook_emulator.mailbox.formats.ics_zone_names import known_zone
from outlook_emulator.mailbox.formats.ics_zones import UTC, ZONE, When, Zones, at, midnight, on_the_wall

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {"DAILY": 366, "WEEKLY": 52, "MONTHLY": 12, "YEARLY": 1}


class Reading(NamedTuple):
    """What the times of an event are read with: the zones, the report, and the event's name in the report."""

    zones: Zones
    report: Report
    name: str

    def leave_out(self, line: Property, what: str, reason: str) -> None:
        """Report a line that is left out, while its event is taken."""
        self.report.add(f"{what} of {self.name}", line.line, reason)


def as_day(start: When) -> When:
    """A start at midnight of its zone as a day, other starts as they are.

    For the files in which Outlook marks an all-day event beside its times.
    """
    wall = start.wall if start.where.name != "UTC" else on_the_wall(start.instant, start.zone).replace(tzinfo=None)
    if start.is_day or wall.time() != time():
        return start
    return start._replace(instant=midnight(wall.date()), is_day=True, wall=wall)


def end_of(event: Component, start: When, reading: Reading) -> When:
    """When an event ends, by its DTEND or DURATION. One that cannot be read, or is before the start, is left out."""
    stated, duration = event.first("DTEND"), event.first("DURATION")
    if stated is not None:
        try:
            return _stated_end(stated, start, reading.zones)
        except InvalidRequest as error:
            reading.leave_out(stated, "DTEND", error.message)
    if duration is not None:
        try:
            length = duration_of(duration.value)
            if length < timedelta():
                raise InvalidRequest("It is negative.")
            return _after(start, length)
        except InvalidRequest as error:
            reading.leave_out(duration, "DURATION", error.message)
    # Without either, a day lasts one day and a time has no length (RFC 5545).
    return _after(start, timedelta())


def _after(start: When, length: timedelta) -> When:
    if start.is_day:
        return start._replace(instant=midnight(start.wall.date() + max(timedelta(length.days), _DAY)))
    # Days are days on the wall, hours are exact (RFC 5545).
    whole_days = timedelta(length.days)
    if whole_days and start.where.name != "UTC":
        return start._replace(instant=start.where.at(start.wall + whole_days) + (length - whole_days) // _MICROSECOND)
    return start._replace(instant=start.instant + length // _MICROSECOND)


def _stated_end(line: Property, start: When, zones: Zones) -> When:
    end = zones.when(line, default=start.where)
    if start.is_day:
        after = _midnight_of(end, start, zones)
        if after is None:
            # The day within which it ends is its last one.
            where = start.where if end.where.name == UTC else end.where
            after = where.on_the_wall(end.instant).date() + _DAY
        end_zone = known_zone(line.param(ZONE)) or start.zone
        # Some programs write the last day of an event as its end.
        return end._replace(instant=midnight(max(after, start.wall.date() + _DAY)), zone=end_zone, is_day=True)
    if end.is_day:
        end = end._replace(instant=end.where.at(end.wall), is_day=False)
    if end.instant < start.instant:
        raise InvalidRequest("It ends before it starts, so it gets no length.")
    return end


class Repetition(NamedTuple):
    """An event with its rule and its other dates, and the occurrences that have a length of their own."""

    event: EventFields
    longer: dict[int, EventFields]


def repeated(component: Component, event: EventFields, start: When, reading: Reading) -> Repetition:
    """The event with its rule, and with its excluded and added starts."""
    rules = {line.value.strip().upper(): line for line in component.all("RRULE") if line.value.strip()}
    if len(rules) > 1 or component.first("EXRULE") is not None:
        raise InvalidRequest("It has more than one RRULE, or an EXRULE, so it has no equivalent in Outlook.")
    added_lines = component.all("RDATE")
    if not rules and not added_lines:
        return Repetition(event, {})
    parts = [rule_parts(text) for text in rules]
    if start.where.definition is not None and not event.is_all_day:
        lasting = start.where.lasting(start.wall.year, _last_year(parts, start.wall.year))
        end_zone = lasting if event.end_zone == event.start_zone else event.end_zone
        event = replace(event, start_zone=lasting, end_zone=end_zone)
    for rule in parts:
        event = _with_rule(event, rule, start, reading.zones)
    excluded = {date: None for date, _ in _dates(component.all("EXDATE"), "EXDATE", event, start, reading)}
    added: dict[int, None] = {}
    longer: dict[int, EventFields] = {}
    length = event.end - event.start
    for first, size in _dates(added_lines, "RDATE", event, start, reading):
        if first != event.start or event.rule is not None:
            added[first] = None
        if size is not None and size != length and not event.is_all_day:
            longer[first] = replace(event, start=first, end=first + size, rule=None)
    if event.rule is None and not added and event.start in excluded:
        raise InvalidRequest("Its only date is excluded, so it never occurs.")
    return Repetition(replace(event, excluded=tuple(excluded), added=tuple(added)), longer)


def _last_year(parts: list[dict[str, list[str]]], first: int) -> int:
    """A year after which no occurrence counts for choosing the zone."""
    for rule in parts:
        if "UNTIL" in rule:
            until = time_of(rule["UNTIL"][0])
            return max(until.year, first)
        if "COUNT" in rule and rule["COUNT"][0].isdigit():
            interval = rule.get("INTERVAL", ["1"])[0]
            per_year = _UNITS.get(rule.get("FREQ", [""])[0], 1)
            return first + int(rule["COUNT"][0]) * (int(interval) if interval.isdigit() else 1) // per_year + 1
    return 9999


def _with_rule(event: EventFields, parts: dict[str, list[str]], when: When, zones: Zones) -> EventFields:
    zone_name = wall_zone(event)
    start = on_the_wall(event.start, zone_name)
    until = _until(parts.pop("UNTIL", []), start, event, when, zones)
    rule = _normalized(rule_of(parts, start.date(), until, start.time()))
    length = on_the_wall(event.end, zone_name).replace(tzinfo=None) - start.replace(tzinfo=None)
    if recurrence.overlaps(rule, length):
        if rule.until == rule.start:
            return event
        raise InvalidRequest("Its occurrences end after the next one starts, which Exchange refuses.")
    if rule.start == start.date():
        return replace(event, rule=rule)
    # In the RFC the start always is the first occurrence; Outlook's series begin on a date that the pattern matches.
    moved = at(rule.start, start.time(), zone_name)
    return replace(event, rule=rule, start=moved, end=moved + event.end - event.start)


def _normalized(rule: Rule) -> Rule:
    """The rule in its stored form; of two ends the earlier one counts."""
    if rule.count is not None and (rule.until is not None or rule.count > recurrence.MOST_OCCURRENCES):
        endless = recurrence.normalize(replace(rule, until=None, count=None), keeps_phase=True)
        last = recurrence.nth(endless, rule.count) if rule.count > 0 else None
        ends = [end for end in (rule.until, last) if end is not None]
        rule = replace(rule, count=None, until=min(ends, default=None))
    try:
        return recurrence.normalize(rule, keeps_phase=True)
    except InvalidField as error:
        if error.field == "recurrence_end":
            raise InvalidRequest("Its RRULE ends before the first occurrence, so it never occurs.") from error
        raise


def _until(values: list[str], start: datetime, event: EventFields, when: When, zones: Zones) -> date | None:
    """The last day that a rule allows: the day of UNTIL, or the day before if UNTIL is before the start time."""
    until = time_of(values[0]) if values else None
    if not isinstance(until, datetime):
        return until
    # Midnight UTC stands for the date itself, so no zone may shift it.
    if event.is_all_day and until.time() == time():
        return until.date()
    if event.is_all_day and until.tzinfo is not None:
        # Exchange writes the midnight at which the last day begins, in UTC.
        begins = zones.day_that_begins(until, when.where)
        if begins is not None:
            return begins
    local = until if until.tzinfo is None else on_the_wall(microseconds(until), event.start_zone)
    is_too_early = not event.is_all_day and local.time() < start.time()
    return local.date() - _DAY if is_too_early else local.date()


def _dates(
    lines: list[Property], what: str, series: EventFields, start: When, reading: Reading
) -> Iterator[tuple[int, int | None]]:
    """The starts in lines of dates, each with a length of its own if it is a period. Unreadable ones are left out."""
    for line in lines:
        values = line.value.split(",")
        reading.zones.count_dates(len(values))
        for value in values:
            if not value.strip():
                continue
            try:
                first, slash, end = value.partition("/")
                instant = occurrence(line, first, series, start, reading.zones, is_added=what == "RDATE")
                yield instant, _period(line, end, instant, reading.zones, start) if slash else None
            except TooMuchContent:
                raise
            except InvalidRequest as error:
                reading.leave_out(line, what, error.message)


def _period(line: Property, end: str, instant: int, zones: Zones, start: When) -> int:
    if end.strip()[:1] in "Pp+-":
        return duration_of(end) // _MICROSECOND
    return max(zones.when(line, end, start.where).instant - instant, 0)


def occurrence(
    line: Property, text: str, series: EventFields, start: When, zones: Zones, *, is_added: bool = False
) -> int:
    """The start of an occurrence: at midnight for an all-day series, at the series' time for a date, else as stated.

    It is added to those of the rule, or one of them.
    """
    when = zones.when(line, text, start.where)
    if series.is_all_day:
        return midnight(_day_of(when, start, zones))
    clock = on_the_wall(series.start, series.start_zone).time()
    if when.is_day:
        return at(when.wall.date(), clock, series.start_zone)
    if not is_added and series.rule is not None and when.where.name == UTC and when.wall.time() == clock:
        # Some programs write the time in the zone of the series, and the Z of UTC behind it.
        return at(when.wall.date(), clock, series.start_zone)
    return when.instant


def _day_of(when: When, start: When, zones: Zones) -> date:
    """The day that a value names: for midnight the day that begins then, for any other time its day in the zone."""
    return _midnight_of(when, start, zones) or start.where.on_the_wall(when.instant).date()


def _midnight_of(when: When, start: When, zones: Zones) -> date | None:
    # The day that begins at a time; None if that is no midnight.
    if when.is_day or when.wall.time() == time():
        return when.wall.date()
    return zones.day_that_begins(moment(when.instant), start.where) if when.where.name == UTC else None
