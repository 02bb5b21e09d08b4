"""Recurrence rules as the RRULE property of iCalendar (RFC 5545), for the rules that Outlook has a pattern for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any, TypeVar

from outlook_emulator.enums import DayOfWeek
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Rule
from outlook_emulator.mailbox.recurrence import (
    DAILY,
    MONTHLY_DAY,
    MONTHLY_WEEKDAY,
    PATTERNS,
    POSITIONS,
    SHORTEST_MONTH,
    WEEKLY,
    YEARLY_DAY,
    YEARLY_WEEKDAY,
    by_parts,
    weekday,
)

T = TypeVar("T")

_Parts = Mapping[str, list[str]]

_DAY_CODES: dict[int, str] = dict(zip(DayOfWeek, ("SU", "MO", "TU", "WE", "TH", "FR", "SA"), strict=True))
_DAYS = {code: day for day, code in _DAY_CODES.items()}
_INDEXES: dict[int | None, int] = {position: index for index, position in POSITIONS.items()}
_IN_A_DAY = {"HOURLY": 24, "MINUTELY": 24 * 60, "SECONDLY": 24 * 60 * 60}
_ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_DAY_ENTRY = re.compile(r"([+-]?\d{1,2})?([A-Z]{2})")


def parts_of(rule: Rule) -> dict[str, list[Any]]:
    """The parts of the RRULE of a normalized rule, except UNTIL, whose form depends on the zone."""
    parts: dict[str, list[Any]] = {"FREQ": [PATTERNS[rule.pattern].frequency]}
    if rule.interval > 1:
        parts["INTERVAL"] = [rule.interval]
    if rule.count is not None:
        parts["COUNT"] = [rule.count]
    if rule.pattern == WEEKLY:
        # Only here: Outlook's other patterns do not depend on the first day of the week.
        parts["WKST"] = [_DAY_CODES[rule.first_day_of_week]]
    parts |= by_parts(rule)
    codes = [_DAY_CODES[day] for day in rule.days_of_week]
    if len(codes) == 1 and "BYSETPOS" in parts:
        # Equivalent to BYSETPOS, and more programs understand it.
        codes = [f"{parts.pop('BYSETPOS')[0]}{codes[0]}"]
    return parts | {"BYDAY": codes} if codes else parts


def rule_of(parts: Mapping[str, Sequence[Any]], start: date, until: date | None, clock: time = time()) -> Rule:
    """The rule of an RRULE's parts, not normalized yet; the start and its `clock` complete what they leave open.

    The caller reads UNTIL. BYMONTHDAY=31 means the last day of each month, as in Outlook, and so does -1. A rule that
    says the same as one of Outlook's patterns in other words is read as that pattern. Raises InvalidRequest for a rule
    that Outlook has no pattern for.
    """
    texts = {name.upper(): [str(value).strip().upper() for value in values] for name, values in parts.items() if values}
    texts = _in_outlooks_words(texts, start, clock)
    frequency = _single(texts, "FREQ", "")
    if frequency not in _READERS:
        raise _no_pattern("FREQ", [frequency])
    allowed, read = _READERS[frequency]
    for name in sorted(texts.keys() - allowed - _ALWAYS):
        raise _no_pattern(name, texts[name])
    interval, count = _number(texts, "INTERVAL", 1), _number(texts, "COUNT", None)
    return replace(read(texts, start), interval=interval, until=until, count=count)


# --- Other words for the same ---


def _in_outlooks_words(parts: dict[str, list[str]], start: date, clock: time) -> dict[str, list[str]]:
    """The parts in the words that the readers of the patterns know, where Outlook can say the same."""
    parts = {name: values for name, values in parts.items() if not name.startswith("X-")}
    for name, value in (("BYHOUR", clock.hour), ("BYMINUTE", clock.minute), ("BYSECOND", clock.second)):
        _drop(parts, name, {str(value), f"{value:02}"})
    _drop(parts, "RSCALE", {"GREGORIAN"})
    # Outlook moves a date that a month lacks to its last day, as BACKWARD says; without the part so does BYMONTHDAY.
    _drop(parts, "SKIP", {"OMIT", "BACKWARD"})
    _to_days(parts)
    if parts.get("FREQ") == ["DAILY"] and "BYMONTHDAY" in parts and _is_every(parts):
        parts["FREQ"] = ["MONTHLY"]
    if parts.get("FREQ") in (["DAILY"], ["WEEKLY"]) and "BYDAY" in parts:
        # A position has no meaning in a week, and other readers pass over it.
        parts["BYDAY"] = [entry.lstrip("+-0123456789") for entry in parts["BYDAY"]]
    if parts.get("FREQ") in (["MONTHLY"], ["YEARLY"]):
        _to_position(parts)
        _to_month(parts)
        _to_months(parts, start)
        _without_months(parts, start)
        _to_weeks(parts)
    return parts


def _drop(parts: dict[str, list[str]], name: str, meaningless: set[str]) -> None:
    if len(parts.get(name, ())) == 1 and parts[name][0] in meaningless:
        del parts[name]


def _is_every(parts: _Parts) -> bool:
    """Whether a rule leaves out no day, week, month or year."""
    return parts.get("INTERVAL", ["1"]) == ["1"]


def _to_days(parts: dict[str, list[str]]) -> None:
    """Hours, minutes and seconds that make whole days."""
    size = _IN_A_DAY.get(parts.get("FREQ", [""])[0])
    if size is None or any(name.startswith("BY") for name in parts):
        return
    interval = _number(parts, "INTERVAL", 1)
    if interval > 0 and interval % size == 0:
        parts |= {"FREQ": ["DAILY"], "INTERVAL": [str(interval // size)]}


def _to_position(parts: dict[str, list[str]]) -> None:
    """The Tuesday from the 8th to the 14th is the second one."""
    days = parts.get("BYMONTHDAY", [])
    is_in_each_month = parts["FREQ"] == ["YEARLY"] and "BYMONTH" not in parts
    if (
        len(days) == 7
        and len(parts.get("BYDAY", ())) == 1
        and all(day.isdigit() for day in days)
        and (_is_every(parts) or not is_in_each_month)
    ):
        first, *rest = sorted(int(day) for day in days)
        if first in (1, 8, 15, 22) and rest == list(range(first + 1, first + 7)) and parts["BYDAY"][0] in _DAYS:
            parts["BYDAY"] = [f"{first // 7 + 1}{parts['BYDAY'][0]}"]
            del parts["BYMONTHDAY"]
            if is_in_each_month:
                parts["FREQ"] = ["MONTHLY"]
    if len(parts.get("BYDAY", ())) == 1 and parts["BYDAY"][0] not in _DAYS and len(parts.get("BYMONTH", ())) < 2:
        # Of a single day, the first and the last are the day itself.
        _drop(parts, "BYSETPOS", {"1", "-1"})


def _to_month(parts: dict[str, list[str]]) -> None:
    """Days of the year that are the same in every year, with a month."""
    if parts["FREQ"] != ["YEARLY"] or "BYMONTH" in parts or "BYMONTHDAY" in parts:
        return
    if len(parts.get("BYYEARDAY", ())) == 1 and "BYDAY" not in parts:
        number = _numbers(parts, "BYYEARDAY")[0]
        # Before March counted from the beginning of the year, from March on counted from its end.
        if 1 <= number <= 59 or -306 <= number <= -1:
            day = date(2001, 1, 1) + timedelta(days=number - 1 if number > 0 else 365 + number)
            del parts["BYYEARDAY"]
            parts |= {"BYMONTH": [str(day.month)], "BYMONTHDAY": [str(day.day)]}
    elif "BYDAY" in parts and "BYWEEKNO" not in parts and "BYYEARDAY" not in parts:
        # A position counts through the whole year. The first four and the last are always in the same month.
        match = _DAY_ENTRY.fullmatch(parts["BYDAY"][0]) if len(parts["BYDAY"]) == 1 else None
        position = parts.get("BYSETPOS", [match[1] if match else None])
        if position[0] is not None and position[0].lstrip("+") in ("1", "2", "3", "4", "-1"):
            parts["BYMONTH"] = ["12" if position == ["-1"] else "1"]


def _to_weeks(parts: dict[str, list[str]]) -> None:
    """Every Saturday of every month is every Saturday."""
    if (
        _is_every(parts)
        and parts.get("BYDAY")
        and all(entry in _DAYS for entry in parts["BYDAY"])
        and not any(name.startswith("BY") for name in parts.keys() - {"BYDAY"})
    ):
        parts["FREQ"] = ["WEEKLY"]


def _without_months(parts: dict[str, list[str]], start: date) -> None:
    """Months that the interval reaches in any case, or the only month of a year."""
    if "BYMONTH" not in parts or parts["FREQ"] != ["MONTHLY"]:
        return
    months, interval = set(_numbers(parts, "BYMONTH")), _number(parts, "INTERVAL", 1)
    reached = {(start.month - 1 + interval * step) % 12 + 1 for step in range(12)}
    if reached <= months:
        del parts["BYMONTH"]
    elif len(months) == 1 and interval == 1:
        parts["FREQ"] = ["YEARLY"]


def _to_months(parts: dict[str, list[str]], start: date) -> None:
    """Every year in months that follow each other at equal distances."""
    # BYSETPOS counts the days of all months of a year together.
    if parts["FREQ"] != ["YEARLY"] or not _is_every(parts) or "BYSETPOS" in parts:
        return
    if "BYMONTH" in parts:
        months = sorted(set(_numbers(parts, "BYMONTH")))
        distance, rest = divmod(12, len(months))
        is_even = not rest and months == list(range(months[0], 13, distance))
        if len(months) > 1 and start.month in months and is_even:
            parts |= {"FREQ": ["MONTHLY"], "INTERVAL": [str(distance)]}
            del parts["BYMONTH"]
    elif "BYMONTHDAY" in parts and not any(name.startswith("BY") for name in parts.keys() - {"BYMONTHDAY"}):
        # In the RFC this is a day in every month of the year.
        parts["FREQ"] = ["MONTHLY"]


# --- Outlook's patterns ---


def _read_daily(parts: _Parts, start: date) -> Rule:
    if "BYDAY" not in parts:
        return Rule(DAILY, start)
    # Every third day, if it is a Monday: that is not the same as a weekly pattern.
    if _number(parts, "INTERVAL", 1) != 1:
        raise _no_pattern("INTERVAL", parts["INTERVAL"])
    return _read_weekly(parts, start)


def _read_weekly(parts: _Parts, start: date) -> Rule:
    entries = _day_entries(parts) if "BYDAY" in parts else [(None, weekday(start))]
    if any(position is not None for position, _ in entries):
        raise _no_pattern("BYDAY", parts["BYDAY"])
    first_day = _single(parts, "WKST", "MO")
    if first_day not in _DAYS:
        raise _no_pattern("WKST", [first_day])
    days = tuple(day for _, day in entries)
    return Rule(WEEKLY, start, days_of_week=days, first_day_of_week=_DAYS[first_day])


def _read_monthly(parts: _Parts, start: date) -> Rule:
    if "BYDAY" not in parts:
        return Rule(MONTHLY_DAY, start, day_of_month=_day_of_month(parts, start))
    if "BYMONTHDAY" in parts:
        raise _no_pattern("BYMONTHDAY", parts["BYMONTHDAY"])
    entries = _day_entries(parts)
    # A position stands before the only day or, for several days together, in BYSETPOS.
    positions = {position for position, _ in entries}
    position = _number(parts, "BYSETPOS", None)
    if position is None and len(entries) == 1:
        position = entries[0][0]
    elif positions != {None}:
        raise _no_pattern("BYDAY", parts["BYDAY"])
    if position not in _INDEXES:
        raise _no_pattern("BYDAY", parts["BYDAY"])
    return Rule(MONTHLY_WEEKDAY, start, days_of_week=tuple(day for _, day in entries), index=_INDEXES[position])


def _read_yearly(parts: _Parts, start: date) -> Rule:
    if "BYMONTHDAY" in parts and "BYMONTH" not in parts:
        # In the RFC this is a day in every month of the year.
        raise _no_pattern("BYMONTHDAY", parts["BYMONTHDAY"])
    monthly = _read_monthly(parts, start)
    pattern = YEARLY_DAY if monthly.pattern == MONTHLY_DAY else YEARLY_WEEKDAY
    return replace(monthly, pattern=pattern, month=_number(parts, "BYMONTH", start.month))


_READERS: dict[str, tuple[set[str], Callable[[_Parts, date], Rule]]] = {
    "DAILY": ({"BYDAY"}, _read_daily),
    "WEEKLY": ({"BYDAY"}, _read_weekly),
    "MONTHLY": ({"BYDAY", "BYMONTHDAY", "BYSETPOS"}, _read_monthly),
    "YEARLY": ({"BYDAY", "BYMONTHDAY", "BYSETPOS", "BYMONTH"}, _read_yearly),
}
"""By frequency: the parts that may choose days, and the function that reads them."""


def _day_of_month(parts: _Parts, start: date) -> int:
    days = sorted(_numbers(parts, "BYMONTHDAY")) if "BYMONTHDAY" in parts else [start.day]
    position = _number(parts, "BYSETPOS", None)
    # Of a single day, the first and the last are the day itself.
    if len(days) == 1 and position in (None, 1, -1):
        return 31 if days == [-1] else days[0]
    # As `parts_of` writes day 30: the last one of 28, 29 and 30 that the month has, as Outlook understands it.
    if position == -1 and days == list(range(SHORTEST_MONTH, days[-1] + 1)):
        return days[-1]
    raise _no_pattern("BYMONTHDAY", parts.get("BYMONTHDAY", ()))


def _day_entries(parts: _Parts) -> list[tuple[int | None, int]]:
    """The days of BYDAY, each with its position, None without one."""
    matches = [_DAY_ENTRY.fullmatch(entry) for entry in parts["BYDAY"]]
    entries = [(match[1], _DAYS[match[2]]) for match in matches if match and match[2] in _DAYS]
    if len(entries) < len(matches):
        raise _no_pattern("BYDAY", parts["BYDAY"])
    return [(None if position is None else int(position), day) for position, day in entries]


def _single(parts: _Parts, name: str, default: str) -> str:
    values = parts.get(name, [default])
    if len(values) != 1:
        raise _no_pattern(name, values)
    return values[0]


def _number(parts: _Parts, name: str, default: T) -> int | T:
    if name not in parts:
        return default
    _single(parts, name, "")
    return _numbers(parts, name)[0]


def _numbers(parts: _Parts, name: str) -> list[int]:
    try:
        return [int(value) for value in parts[name]]
    except ValueError:
        raise _no_pattern(name, parts[name]) from None


def _no_pattern(name: str, values: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(f"The RRULE has no equivalent in Outlook: {name}={','.join(values)[:100]}.")
