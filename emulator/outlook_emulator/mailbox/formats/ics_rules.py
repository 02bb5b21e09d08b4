"""Recurrence rules as the RRULE property of iCalendar (RFC 5545), for the rules that Outlook has a pattern for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
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


def rule_of(parts: Mapping[str, Sequence[Any]], start: date, until: date | None) -> Rule:
    """The rule of an RRULE's parts, not normalized yet; the start completes what they leave open.

    The caller reads UNTIL. BYMONTHDAY=31 means the last day of each month, as in Outlook, and so does -1. Raises
    InvalidRequest for a rule that Outlook has no pattern for.
    """
    texts = {name.upper(): [str(value).strip().upper() for value in values] for name, values in parts.items() if values}
    frequency = _single(texts, "FREQ", "")
    if frequency not in _READERS:
        raise _no_pattern("FREQ", [frequency])
    allowed, read = _READERS[frequency]
    for name in sorted(texts.keys() - allowed - _ALWAYS):
        raise _no_pattern(name, texts[name])
    interval, count = _number(texts, "INTERVAL", 1), _number(texts, "COUNT", None)
    return replace(read(texts, start), interval=interval, until=until, count=count)


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
