"""Reads time zones that an iCalendar file defines itself, and finds the known zones that are the same."""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from operator import itemgetter

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.formats.ics_lines import Component
from outlook_emulator.mailbox.formats.ics_values import rule_parts, time_of
from outlook_emulator.mailbox.formats.ics_zone_names import posix_offset
from outlook_emulator.timezones import CUSTOM, WINDOWS_IDS, zone

_MAX_OBSERVANCES = 1000
_MAX_RULES = 100
_MAX_ONSETS = 20_000
_LONGEST_INTERVAL = 100
_LONGEST_SPAN = 10
"""For so many years of a series the zone has to be the same."""

_OFFSET = re.compile(r"([+-]?)(\d\d):?(\d\d)?:?(\d\d)?")
_DAY_ENTRY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_WEEKDAYS = {code: number for number, code in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
_RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST"}
_CLOCK_PARTS = ("BYHOUR", "BYMINUTE", "BYSECOND")
_NO_TIME = timedelta()
_EARLIEST, _LATEST = datetime.min + timedelta(days=3), datetime.max - timedelta(days=3)


@dataclass(slots=True, eq=False)
class _Yearly:
    """An observance that begins every year: on the chosen day of a month, at the time of `start`."""

    start: datetime
    before: timedelta
    after: timedelta
    month: int
    days: Sequence[tuple[int | None, int]]
    month_days: Sequence[int]
    position: int | None
    interval: int
    last_year: int
    last: datetime
    onsets: dict[int, datetime | None] = field(default_factory=dict)

    def onset(self, year: int) -> datetime | None:
        """The wall-clock time at which the observance begins in a year, by the offset before."""
        if year not in self.onsets:
            self.onsets[year] = self._onset(year)
        return self.onsets[year]

    def _onset(self, year: int) -> datetime | None:
        if not self.start.year <= year <= self.last_year or (year - self.start.year) % self.interval:
            return None
        matching = [day for day in range(1, monthrange(year, self.month)[1] + 1) if self._matches(year, day)]
        index = (self.position or 1) - (1 if (self.position or 1) > 0 else 0)
        if not -len(matching) <= index < len(matching):
            return None
        when = datetime(year, self.month, matching[index], self.start.hour, self.start.minute, self.start.second)
        return when if self.start <= when <= self.last else None

    def _matches(self, year: int, day: int) -> bool:
        length = monthrange(year, self.month)[1]
        if self.month_days and day not in self.month_days and day - length - 1 not in self.month_days:
            return False
        weekday = date(year, self.month, day).weekday()
        return not self.days or any(
            weekday == wanted and position in (None, (day + 6) // 7, -((length - day) // 7 + 1))
            for position, wanted in self.days
        )

    def latest(self, when: datetime, shift: timedelta) -> datetime | None:
        """The last onset that, moved by `shift`, is not after `when`."""
        year = min(when.year + 1, self.last_year)
        for candidate in range(year, max(year - self.interval - 2, self.start.year - 1), -1):
            onset = self.onset(candidate)
            if onset is not None and onset + shift <= when:
                return onset
        return None

    @property
    def gap(self) -> timedelta:
        return max(self.after - self.before, _NO_TIME)


class Definition:
    """The rules of a zone as a file defines it.

    Times that the clocks skip have the offset from before, and of times that occur twice the first is meant. Raises
    InvalidRequest for rules that are not yearly, or without end.
    """

    def __init__(self, component: Component) -> None:
        observances = [part for part in component.parts if part.name in ("STANDARD", "DAYLIGHT")]
        if not observances or len(observances) > _MAX_OBSERVANCES:
            raise InvalidRequest(f"It has {len(observances)} rules; from 1 to {_MAX_OBSERVANCES} are read.")
        self._rules: list[_Yearly] = []
        onsets: list[tuple[datetime, timedelta, timedelta]] = []
        for observance in observances:
            onsets.extend(self._read(observance))
            if len(onsets) > _MAX_ONSETS or len(self._rules) > _MAX_RULES:
                raise InvalidRequest(f"It has more than {_MAX_ONSETS} changes, or more than {_MAX_RULES} yearly rules.")
        onsets.sort(key=itemgetter(0))
        self._onsets = onsets
        self._by_wall = [onset + max(after - before, _NO_TIME) for onset, before, after in onsets]
        self._by_utc = [onset - before for onset, before, _ in onsets]
        starts = [(rule.start, rule.before) for rule in self._rules] + [(onset, before) for onset, before, _ in onsets]
        self._first = min(starts, key=itemgetter(0))[1]
        self._names: dict[tuple[int, int], str | None] = {}
        self._last_name: str | None = None

    def _read(self, observance: Component) -> Iterator[tuple[datetime, timedelta, timedelta]]:
        start_line = observance.first("DTSTART")
        before, after = _offset(observance, "TZOFFSETFROM"), _offset(observance, "TZOFFSETTO")
        if start_line is None or after is None:
            raise InvalidRequest("A rule has no DTSTART or no TZOFFSETTO.")
        start = _wall(start_line.value)
        before = after if before is None else before
        rules = {line.value.strip().upper() for line in observance.all("RRULE")}
        if not rules:
            yield start, before, after
        for text in rules:
            self._rules.append(_yearly(rule_parts(text), start, before, after))
        for line in observance.all("RDATE"):
            for value in line.value.split(","):
                yield _wall(value.partition("/")[0]), before, after

    def offset(self, wall: datetime) -> timedelta:
        """The offset at a wall-clock time."""
        best, offset = None, self._first
        place = bisect_right(self._by_wall, wall)
        if place:
            best, _, offset = self._onsets[place - 1]
        for rule in self._rules:
            onset = rule.latest(wall, rule.gap)
            if onset is not None and (best is None or onset >= best):
                best, offset = onset, rule.after
        return offset

    def offset_at(self, utc: datetime) -> timedelta:
        """The offset at a time in UTC without tzinfo."""
        best, offset = None, self._first
        place = bisect_right(self._by_utc, utc)
        if place:
            onset, before, offset = self._onsets[place - 1]
            best = onset - before
        for rule in self._rules:
            latest = rule.latest(utc, -rule.before)
            if latest is not None and (best is None or latest - rule.before >= best):
                best, offset = latest - rule.before, rule.after
        return offset

    def same_as(self, name: str, first: int, last: int) -> bool:
        """Whether a known zone has the same offsets in the years from `first` to `last`."""
        known = zone(name)
        return all(
            when.replace(tzinfo=UTC).astimezone(known).utcoffset() == offset
            for when, offset in self._probes(first, last)
        )

    def name(self, first: int, last: int, hint: str | None = None) -> str | None:
        """The known zone that is the same in some years, the hinted one by preference; None without one."""
        last = min(last, first + _LONGEST_SPAN)
        if (first, last) not in self._names:
            candidates = [name for name in (hint, self._last_name) if name is not None]
            self._names[first, last] = next(
                (name for name in (*candidates, *_candidates()) if self.same_as(name, first, last)), None
            )
            self._last_name = self._names[first, last] or self._last_name
        return self._names[first, last]

    def custom_name(self, year: int) -> str:
        """The name of a zone of its own, by the rules of a year."""
        rules = [rule for rule in self._rules if rule.onset(year) is not None]
        halves = [_posix_rule(rule) for rule in rules]
        if len(rules) != 2 or None in halves or rules[0].after == rules[1].after:
            return CUSTOM + posix_offset(_seconds(self.offset(datetime(year, 1, 1))))
        winter, summer = sorted(range(2), key=lambda number: rules[number].after)
        offsets = posix_offset(_seconds(rules[winter].after)) + posix_offset(_seconds(rules[summer].after))
        return f"{CUSTOM}{offsets},{halves[summer]},{halves[winter]}"

    def _probes(self, first: int, last: int) -> Iterator[tuple[datetime, timedelta]]:
        for year in range(max(first, 2), min(last, 9998) + 1):
            for month in (1, 7, *range(2, 7), *range(8, 13)):
                when = datetime(year, month, 1)
                yield when, self.offset_at(when)
            changes = [onset - rule.before for rule in self._rules if (onset := rule.onset(year)) is not None]
            for change in changes:
                yield change - timedelta(seconds=1), self.offset_at(change - timedelta(seconds=1))
                yield change, self.offset_at(change)


@cache
def _candidates() -> tuple[str, ...]:
    """The Windows zones, those with plain names first: of zones that are the same, these are better known."""
    return tuple(sorted(dict.fromkeys(WINDOWS_IDS.values()), key=lambda name: "(" in name))


def _yearly(parts: dict[str, list[str]], start: datetime, before: timedelta, after: timedelta) -> _Yearly:
    hour, minute, second = (
        _whole(parts.pop(name, [str(number)]))
        for name, number in zip(_CLOCK_PARTS, (start.hour, start.minute, start.second), strict=True)
    )
    if parts.get("FREQ") != ["YEARLY"] or parts.keys() - _RULE_PARTS:
        raise InvalidRequest("It has a rule that is not yearly.")
    start = start.replace(hour=hour, minute=minute, second=second)
    entries = [_DAY_ENTRY.fullmatch(entry) for entry in parts.get("BYDAY", [])]
    days = [(int(match[1]) if match[1] else None, _WEEKDAYS[match[2]]) for match in entries if match is not None]
    month_days = [int(value) for value in parts.get("BYMONTHDAY", [] if days else [str(start.day)])]
    interval = max(_whole(parts["INTERVAL"]), 1) if "INTERVAL" in parts else 1
    if interval > _LONGEST_INTERVAL:
        raise InvalidRequest("It has a rule that cannot be read.")
    last_year = start.year + interval * (_whole(parts["COUNT"]) - 1) if "COUNT" in parts else 9999
    last = _LATEST
    if "UNTIL" in parts:
        until = time_of(parts["UNTIL"][0])
        if not isinstance(until, datetime):
            last = datetime.combine(until, datetime.max.time())
        else:
            last = until.replace(tzinfo=None) + before if until.tzinfo is not None else until
    month = _whole(parts["BYMONTH"]) if "BYMONTH" in parts else start.month
    if len(entries) > len(days) or not 1 <= month <= 12:
        raise InvalidRequest("It has a rule that cannot be read.")
    position = _whole(parts["BYSETPOS"]) if "BYSETPOS" in parts else None
    return _Yearly(
        start, before, after, month, days, month_days, position, interval, min(last_year, last.year, 9999), last
    )


def _whole(values: list[str]) -> int:
    if len(values) != 1:
        raise InvalidRequest("It has a rule with several values of one part, so it is not yearly.")
    return int(values[0])


def _wall(text: str) -> datetime:
    value = time_of(text)
    # A time in UTC is an error here, and is read by its digits, as others do.
    when = value.replace(tzinfo=None) if isinstance(value, datetime) else datetime.combine(value, datetime.min.time())
    return min(max(when, _EARLIEST), _LATEST)


def _offset(observance: Component, name: str) -> timedelta | None:
    line = observance.first(name)
    if line is None:
        return None
    match = _OFFSET.fullmatch(line.value.strip())
    if match is None:
        raise InvalidRequest(f"{name} is '{line.value[:20]}', which is not an offset.")
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0), seconds=int(match[4] or 0))
    if size >= timedelta(days=1):
        raise InvalidRequest(f"{name} is '{line.value[:20]}', which is more than a day.")
    return -size if match[1] == "-" else size


def _seconds(offset: timedelta) -> int:
    return int(offset.total_seconds())


def _posix_rule(rule: _Yearly) -> str | None:
    """When the observance begins, in the form of POSIX; None if that form cannot say it."""
    clock = f"/{rule.start:%H:%M:%S}"
    if not rule.days and len(rule.month_days) == 1 and rule.month_days[0] > 0:
        return f"J{date(2001, rule.month, min(rule.month_days[0], 28)).timetuple().tm_yday}{clock}"
    if len(rule.days) != 1:
        return None
    position, weekday = rule.days[0]
    if rule.month_days:
        first, *_ = sorted(rule.month_days)
        if sorted(rule.month_days) != list(range(first, first + 7)) or first % 7 != 1:
            return None
        position = first // 7 + 1
    position = position or rule.position or 1
    week = 5 if position == -1 else position
    return f"M{rule.month}.{week}.{(weekday + 1) % 7}{clock}" if 1 <= week <= 5 else None
