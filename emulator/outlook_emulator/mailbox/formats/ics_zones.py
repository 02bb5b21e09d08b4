"""Reads times in an iCalendar file: in the zones that it names, or defines itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from typing import Any, NamedTuple

from icalendar import Timezone, vText

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.timezones import canonical, zone

UTC = "UTC"
ZONE = "X-OUTLOOK-ZONE"
"""A parameter of our own with the store's name of the zone, since days and UTC times have no zone in iCalendar."""

_HIDDEN = "X-OUTLOOK-TZID"
_ZONE_NAMES = re.compile(r'^((?:(?:[^":\r\n]|"[^"\r\n]*")*;)?)TZID(?=[=:;])', re.IGNORECASE | re.MULTILINE)
# Other parts could produce millions of transitions a year.
_RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST"}


def hide_zones(text: str) -> str:
    """An unfolded calendar whose TZID properties and parameters are renamed, so that icalendar ignores them.

    The package keeps all zones that a file defines for the life of the process, and reads later files with them.
    """
    return _ZONE_NAMES.sub(rf"\1{_HIDDEN}", text)


class When(NamedTuple):
    """An instant in microseconds since 1970, the zone of its text, and whether the text had only a day.

    The instant of a day is midnight UTC.
    """

    instant: int
    zone: str
    is_day: bool

    @property
    def in_zone(self) -> int:
        """The instant at which a day begins in its zone."""
        return at(moment(self.instant).date(), time(), self.zone) if self.is_day else self.instant


def on_the_wall(instant: int, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, with tzinfo."""
    return moment(instant).astimezone(zone(zone_name))


def at(day: date, clock: time, zone_name: str) -> int:
    """The instant of a wall-clock time in a zone; the first one if the time occurs twice."""
    return microseconds(datetime.combine(day, clock, zone(zone_name)))


def midnight(day: date) -> int:
    """The instant at which an all-day event on a day begins: midnight UTC in every zone."""
    return at(day, time(), UTC)


def known(name: object) -> str | None:
    """The store's name of a zone, found by a name or by the end of one, as in `/example.org/Europe/Paris`."""
    words = str(name).strip("/ ").split("/") if name else []
    for first in range(len(words)):
        try:
            return canonical("/".join(words[first:]), "TZID")
        except InvalidRequest:
            continue
    return None


@dataclass(frozen=True)
class Zones:
    """The zones of a calendar: its default zone, and those that it defines."""

    default: str = UTC
    defined: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, calendar: Any) -> Zones:
        """The zones of a calendar after `hide_zones`."""
        zones = [part for part in calendar.subcomponents if part.name == "VTIMEZONE"]
        defined = {str(part.get(_HIDDEN)): part for part in zones}
        default = calendar.get("X-WR-TIMEZONE")
        return cls((cls(defined=defined)._named(str(default)) if default else None) or UTC, defined)

    def when(self, value: object, params: Mapping[str, Any], default: str | None = None) -> When:
        """The meaning of a value with parameters. Raises InvalidRequest unless it is a day or time in a known zone."""
        exact = known(params.get(ZONE))
        name = params.get(_HIDDEN) or params.get("TZID")
        if not isinstance(value, date):
            raise InvalidRequest(f"'{value}' is neither a day nor a time.")
        if not isinstance(value, datetime):
            day_zone = exact or (self._named(name) if name else default or self.default) or UTC
            return When(midnight(value), day_zone, True)
        # A time in UTC; our own parameter says in which zone its event is shown.
        if value.tzinfo is not None and "TZID" not in params:
            return When(microseconds(value), exact or UTC, False)
        wall = value.replace(tzinfo=None)
        wall_zone = exact or (self._named(name) if name else default or self.default)
        if wall_zone is None:
            return When(microseconds(wall.replace(tzinfo=self._custom(str(name)))), UTC, False)
        return When(microseconds(wall.replace(tzinfo=zone(wall_zone))), wall_zone, False)

    def _named(self, name: object) -> str | None:
        definition = self.defined.get(str(name), {})
        # libical writes the usual name here. With it the event keeps a zone; by its definition it would be in UTC.
        return known(name) or known(definition.get("X-LIC-LOCATION"))

    def _custom(self, name: str) -> tzinfo:
        definition = self.defined.get(name)
        if definition is None:
            raise InvalidRequest(f"The time zone '{name[:100]}' is neither known nor defined in the calendar.")
        return _tzinfo(name, definition)


def _tzinfo(name: str, definition: Any) -> tzinfo:
    for part in definition.subcomponents:
        rule = part.get("RRULE", {})
        if isinstance(rule, list) or (rule and (rule.keys() - _RULE_PARTS or rule.get("FREQ") != ["YEARLY"])):
            raise InvalidRequest(f"The definition of the time zone '{name[:100]}' has a rule that is not yearly.")
    copy = Timezone()
    # `hide_zones` took the name away, but the package needs one. Without a look-up, only the definition counts.
    copy.add("TZID", vText("custom"))
    for part in definition.subcomponents:
        copy.add_component(part)
    zone_rules: tzinfo = copy.to_tz(lookup_tzid=False)
    return zone_rules
