"""Reads times in an iCalendar file: in the zones that it names, or defines itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, time
from itertools import islice
from typing import NamedTuple

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox.formats.ics_definitions import Definition
from outlook_emulator.mailbox.formats.ics_lines import Component, Property, Report, unescaped
from outlook_emulator.mailbox.formats.ics_values import time_of
from outlook_emulator.mailbox.formats.ics_zone_names import guessed_zone, known_zone
from outlook_emulator.timezones import zone

UTC = "UTC"
ZONE = "X-OUTLOOK-ZONE"
"""A parameter of our own with the store's name of the zone, since days and UTC times have no zone in iCalendar."""

MAX_DATES = 100_000
"""So many excluded and added dates are read from a calendar."""
MAX_ZONES = 1000
"""So many different definitions of zones are read from a calendar, if its events use them."""
_MOST_TRIED = 10
"""In so many zones of a file a time in UTC is tried for midnight."""


class Where(NamedTuple):
    """A zone of the file: by the store's name, or by its definition and the name that is likely meant."""

    name: str | None
    definition: Definition | None = None

    def at(self, wall: datetime) -> int:
        """The instant of a wall-clock time; the first one if the time occurs twice."""
        if self.definition is None:
            return microseconds(wall.replace(tzinfo=zone(self.name or UTC)))
        return microseconds((wall - self.definition.offset(wall)).replace(tzinfo=UTC_ZONE))

    def on_the_wall(self, instant: int) -> datetime:
        """The wall-clock time of an instant, without tzinfo."""
        utc = moment(instant)
        if self.definition is None:
            return utc.astimezone(zone(self.name or UTC)).replace(tzinfo=None)
        naive = utc.replace(tzinfo=None)
        return naive + self.definition.offset_at(naive)

    def shown(self, year: int) -> str:
        """The store's name of the zone, for a single event in a year: UTC if no known zone is the same then."""
        return (self.name if self.definition is None else self.definition.name(year, year, self.name)) or UTC

    def lasting(self, first: int, last: int) -> str:
        """The store's name of the zone, for a series from one year to another."""
        if self.definition is None:
            return self.name or UTC
        return self.definition.name(first, last, self.name) or self.definition.custom_name(first)


_IN_UTC = Where(UTC)


class When(NamedTuple):
    """An instant in microseconds since 1970, the store's zone of its text, and whether the text had only a day.

    The instant of a day is midnight UTC. `wall` is the time as the text has it.
    """

    instant: int
    zone: str
    is_day: bool
    wall: datetime
    where: Where

    @property
    def in_zone(self) -> int:
        """The instant at which a day begins in its zone."""
        return self.where.at(self.wall) if self.is_day else self.instant


def on_the_wall(instant: int, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, with tzinfo."""
    return moment(instant).astimezone(zone(zone_name))


def at(day: date, clock: time, zone_name: str) -> int:
    """The instant of a wall-clock time in a zone; the first one if the time occurs twice."""
    return microseconds(datetime.combine(day, clock, zone(zone_name)))


def midnight(day: date) -> int:
    """The instant at which an all-day event on a day begins: midnight UTC in every zone."""
    return microseconds(datetime(day.year, day.month, day.day))


class Zones:
    """The zones of a calendar: its default zone, and those that it defines. Each is looked up and built once."""

    def __init__(self, calendar: Component, report: Report) -> None:
        self._report = report
        self._components: dict[str, Component] = {}
        for part in calendar.parts:
            name = part.first("TZID") if part.name == "VTIMEZONE" else None
            if name is not None:
                self._components.setdefault(_plain(unescaped(name.value)), part)
        self._named: dict[str, Where | None] = {}
        self._dates = 0
        self._built: dict[tuple[object, ...], Definition | None] = {}
        self.default = _IN_UTC
        default = calendar.first("X-WR-TIMEZONE")
        if default is not None and default.value.strip():
            self.default = self._where(unescaped(default.value), default.line)

    def when(self, line: Property, text: str | None = None, default: Where | None = None) -> When:
        """The meaning of the line's value, or of a `text` in it. Raises InvalidRequest unless it is a day or time.

        `default` is the zone of a value without one, the calendar's if missing.
        """
        value = time_of(line.value if text is None else text)
        params = line.params
        name, exact = (params.get("TZID"), params.get(ZONE)) if params else (None, None)
        store_name = known_zone(exact) if exact else None
        if isinstance(value, datetime):
            # Some programs call the time of a start or an end a day. Of other values the day is enough.
            is_day = text is not None or value.time() == time()
            if is_day and params and params.get("VALUE", "").upper() == "DATE":
                value = value.date()
            elif value.tzinfo is not None:
                return When(microseconds(value), store_name or UTC, False, value.replace(tzinfo=None), _IN_UTC)
        if store_name is not None:
            where = Where(store_name)
        else:
            where = self._where(name, line.line) if name else default or self.default
        if not isinstance(value, datetime):
            return When(midnight(value), where.shown(value.year), True, datetime.combine(value, time()), where)
        return When(where.at(value), where.shown(value.year), False, value, where)

    def count_dates(self, number: int) -> None:
        """Count excluded and added dates. Raises TooMuchContent above 100,000 in a calendar."""
        self._dates += number
        if self._dates > MAX_DATES:
            raise TooMuchContent(f"The calendar has more than {MAX_DATES} excluded and added dates.")

    def day_that_begins(self, utc: datetime, first: Where | None = None) -> date | None:
        """The day that begins at a time in UTC, in the first of the file's zones where one does."""
        instant = microseconds(utc)
        for where in self._tried(first):
            wall = where.on_the_wall(instant)
            if wall.time() == time():
                return wall.date()
        return None

    def _tried(self, first: Where | None) -> Iterator[Where]:
        if first is not None:
            yield first
        yield self.default
        for name in islice(self._components, _MOST_TRIED):
            yield self._where(name, None)

    def _where(self, text: str, line: int | None) -> Where:
        name = _plain(text)
        if name not in self._named:
            self._named[name] = self._find(name)
            if self._named[name] is None:
                zone_name = (self.default.name or UTC) if self.default.definition is None else "the calendar's zone"
                reason = f"It is neither known nor defined in the calendar, so its times are read in {zone_name}."
                self._report.add(f'time zone "{name[:100]}"', line, reason)
        return self._named[name] or self.default

    def _find(self, name: str) -> Where | None:
        component = self._components.get(name)
        known = known_zone(name)
        if component is None:
            likely = known or guessed_zone(name)
            return Where(likely) if likely is not None else None
        location = component.first("X-LIC-LOCATION")
        # libical writes the usual name here. With it the event keeps a zone that clients know.
        known = known or (known_zone(unescaped(location.value)) if location is not None else None)
        definition = self._definition(component, name, is_needed=known is None)
        if known is not None and (definition is None or not _is_another(known, definition)):
            return Where(known)
        if definition is None:
            likely = guessed_zone(name)
            return Where(likely) if likely is not None else None
        return Where(known or guessed_zone(name), definition)

    def _definition(self, component: Component, name: str, *, is_needed: bool) -> Definition | None:
        """The rules of a definition, built once for all that say the same; None if they cannot be read."""
        key = _content(component)
        if key not in self._built:
            if len(self._built) == MAX_ZONES:
                raise TooMuchContent(f"The events of the calendar have more than {MAX_ZONES} different time zones.")
            try:
                self._built[key] = Definition(component)
            except (InvalidRequest, ValueError, ArithmeticError) as error:
                self._built[key] = None
                if is_needed:
                    message = error.message if isinstance(error, InvalidRequest) else str(error)
                    self._report.add(f'definition of the time zone "{name[:100]}"', component.line, message[:300])
        return self._built[key]


def _plain(name: str) -> str:
    return " ".join(name.strip().strip('"').replace("\\,", ",").split())


def _content(component: Component) -> tuple[object, ...]:
    """What a definition says, without its name."""
    return tuple(
        (part.name, *((name, line.value) for name, lines in part.properties.items() for line in lines))
        for part in component.parts
    )


def _is_another(known: str, definition: Definition) -> bool:
    """Whether a known name without daylight saving time, such as EST, stands for a zone that has it."""
    rules = zone(known)
    offsets = {datetime(2007, month, 1, tzinfo=rules).utcoffset() for month in (1, 7)}
    return len(offsets) == 1 and not definition.same_as(known, 2007, 2007)
