"""When a series repeats: arithmetic on its rule, and its rule in iCalendar's words.

All occurrences of a series start at the same local wall-clock time, so a series is a set of local dates here; zones
are the caller's affair.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice, pairwise
from typing import Any, NamedTuple, TypeVar

from outlook_emulator.enums import DayOfWeek, PatternType, Recurrence, WeekIndex
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Rule

T = TypeVar("T")

_DAILY, _WEEKLY = PatternType["Daily"], PatternType["Weekly"]
_MONTHLY_DAY, _MONTHLY_WEEKDAY = PatternType["AbsoluteMonthly"], PatternType["RelativeMonthly"]
_YEARLY_DAY, _YEARLY_WEEKDAY = PatternType["AbsoluteYearly"], PatternType["RelativeYearly"]


class _Pattern(NamedTuple):
    """What a pattern is called in flat events and in iCalendar, and which members of a rule it uses."""

    word: int
    frequency: str
    uses: tuple[str, ...] = ()


_PATTERNS: dict[int, _Pattern] = {
    _DAILY: _Pattern(Recurrence["Daily"], "DAILY"),
    _WEEKLY: _Pattern(Recurrence["Weekly"], "WEEKLY", ("days_of_week", "first_day_of_week")),
    _MONTHLY_DAY: _Pattern(Recurrence["Monthly"], "MONTHLY", ("day_of_month",)),
    _MONTHLY_WEEKDAY: _Pattern(Recurrence["Monthly"], "MONTHLY", ("days_of_week", "index")),
    _YEARLY_DAY: _Pattern(Recurrence["Yearly"], "YEARLY", ("month", "day_of_month")),
    _YEARLY_WEEKDAY: _Pattern(Recurrence["Yearly"], "YEARLY", ("month", "days_of_week", "index")),
}

_BOUNDS = {
    "interval": ("Interval", 1, 999),
    "month": ("Month", 1, 12),
    "day_of_month": ("DayOfMonth", 1, 31),
    "days_of_week": ("DaysOfWeek", min(DayOfWeek), max(DayOfWeek)),
    "first_day_of_week": ("FirstDayOfWeek", min(DayOfWeek), max(DayOfWeek)),
    "index": ("Index", min(WeekIndex), max(WeekIndex)),
    "count": ("NumberOfOccurrences", 1, 999),
}
"""The wire names of a rule's numbers, and their least and greatest values; 999 is Exchange's limit."""

_DAY = timedelta(days=1)
_SHORTEST_MONTH = 28
_POSITIONS: dict[int, int] = dict(zip(WeekIndex, (1, 2, 3, 4, -1), strict=True))
_DAY_CODES: dict[int, str] = dict(zip(DayOfWeek, ("SU", "MO", "TU", "WE", "TH", "FR", "SA"), strict=True))
_INDEXES: dict[int | None, int] = {position: index for index, position in _POSITIONS.items()}
_DAYS = {code: day for day, code in _DAY_CODES.items()}

# --- Flat events ---


def simple(kind: int, start: date, until: date | None = None, count: int | None = None) -> Rule:
    """The rule, not settled yet, behind a value of Recurrence: what repeats is taken from the start.

    Raises InvalidRequest for a value that repeats nothing.
    """
    rules: dict[int, Rule] = {
        Recurrence["Daily"]: Rule(_DAILY, start),
        Recurrence["Weekly"]: Rule(_WEEKLY, start, days_of_week=(_weekday(start),)),
        Recurrence["Monthly"]: Rule(_MONTHLY_DAY, start, day_of_month=start.day),
        Recurrence["Yearly"]: Rule(_YEARLY_DAY, start, month=start.month, day_of_month=start.day),
    }
    rule = rules.get(kind)
    if rule is None:
        raise InvalidRequest("The property 'Recurrence' must be Daily, Weekly, Monthly or Yearly.")
    return replace(rule, until=until, count=count)


def word(rule: Rule) -> int:
    """The value of Recurrence that comes closest to a rule."""
    return _PATTERNS[rule.pattern].word


# --- Settling ---


def settle(rule: Rule) -> Rule:
    """A rule checked and brought into the one form that is stored; settling it again changes nothing.

    `start` moves to the first date on or after it that the pattern matches, and intervals count from there (inferred
    from what Outlook's dialog does). `until` is the date of the last occurrence, unless there is no end. What the
    pattern does not use gets its default. Raises InvalidRequest, naming the wire member, for a rule that has no
    meaning or no occurrence, or whose end is given twice.
    """
    _check(rule)
    plain = _with_used_only(rule)
    start = next(_walk(plain, plain.start, date.max, 1), None)
    if start is None:
        raise InvalidRequest("The property 'StartDate' is invalid: the recurrence has no occurrence on or after it.")
    aligned = replace(plain, start=start)
    if aligned.count is not None:
        return replace(aligned, until=_last_of(aligned, aligned.count))
    if aligned.until is not None:
        return replace(aligned, until=_last_by(aligned, aligned.until))
    return aligned


def _check(rule: Rule) -> None:
    pattern = _PATTERNS.get(rule.pattern)
    if pattern is None:
        raise InvalidRequest(f"The property 'Type' must be one of {', '.join(PatternType.__members__)}.")
    counted = ("count",) if rule.count is not None else ()
    for name in ("interval", *pattern.uses, *counted):
        wire_name, least, most = _BOUNDS[name]
        value = getattr(rule, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise InvalidRequest(f"The property '{wire_name}' must not be empty for this recurrence.")
        if not all(least <= one <= most for one in values):
            raise InvalidRequest(f"The property '{wire_name}' must be from {least:d} to {most:d}.")


def _with_used_only(rule: Rule) -> Rule:
    used = {name: getattr(rule, name) for name in _PATTERNS[rule.pattern].uses}
    if "days_of_week" in used:
        used["days_of_week"] = tuple(sorted(set(rule.days_of_week)))
    return Rule(rule.pattern, rule.start, rule.interval, until=rule.until, count=rule.count, **used)


def _last_of(rule: Rule, count: int) -> date:
    """The last of so many occurrences."""
    found = list(islice(_walk(rule, rule.start, date.max, _step(rule)), count))
    if len(found) < count:
        raise InvalidRequest(f"The property 'NumberOfOccurrences' is invalid: {count} reach beyond the year 9999.")
    if rule.until not in (None, found[-1]):
        raise InvalidRequest("The property 'EndDate' must not be given together with 'NumberOfOccurrences'.")
    return found[-1]


def _last_by(rule: Rule, until: date) -> date:
    """The last occurrence on or before a day."""
    if until < rule.start:
        raise InvalidRequest(f"The property 'EndDate' must not be before the first occurrence, {rule.start}.")
    first = _whole_intervals(rule, until)
    if first > rule.start:
        # The last month may only begin before `until`, its occurrence be later: the one before has one in any case.
        first = _whole_intervals(rule, first - _DAY)
    *_, last = _walk(rule, first, until, _step(rule))
    return last


# --- Dates ---


def dates(rule: Rule, since: date, until: date) -> Iterator[date]:
    """The dates of a settled rule from `since` to `until`, both included, in order; how old it is costs nothing."""
    last = until if rule.until is None else min(rule.until, until)
    for day in _walk(rule, _whole_intervals(rule, since), last, _step(rule)):
        if day >= since:
            yield day


def shortest_gap(rule: Rule) -> int:
    """How many days lie at least between an occurrence and the next, to within a day or two of a month's length."""
    if rule.pattern == _DAILY:
        return rule.interval
    if rule.pattern == _WEEKLY:
        days = sorted((day - rule.first_day_of_week) % 7 for day in rule.days_of_week)
        return min([7 * rule.interval + days[0] - days[-1], *(two - one for one, two in pairwise(days))])
    return (28 if rule.pattern in (_MONTHLY_DAY, _MONTHLY_WEEKDAY) else 365) * rule.interval


def includes(rule: Rule, day: date) -> bool:
    """Whether a settled rule has an occurrence on a day."""
    return next(dates(rule, day, day), None) is not None


def _step(rule: Rule) -> int:
    """The interval in days, weeks or months: a year is walked as twelve months, of which dateutil looks at one."""
    return rule.interval * 12 if _PATTERNS[rule.pattern].frequency == "YEARLY" else rule.interval


def _whole_intervals(rule: Rule, day: date) -> date:
    """The last day on or before `day` that lies whole intervals after a rule's start; the start itself if none does.

    Months are counted from their first day, except the month of the start. A week that is entered on the weekday of
    the start loses only days that lie before the answer.
    """
    if day <= rule.start:
        return rule.start
    if rule.pattern in (_DAILY, _WEEKLY):
        days = rule.interval * (7 if rule.pattern == _WEEKLY else 1)
        return day - timedelta(days=(day - rule.start).days % days)
    gone = _months(day) - _months(rule.start)
    whole = gone - gone % _step(rule)
    year, month = divmod(_months(rule.start) + whole, 12)
    return date(year, month + 1, 1) if whole else rule.start


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _weekday(day: date) -> int:
    return DayOfWeek(day.isoweekday() % 7 + 1)


def _walk(rule: Rule, first: date, last: date, step: int) -> Iterator[date]:
    """The dates a pattern matches from `first` to `last`, in each `step`th day, week or month from that of `first`."""
    # Not at the top: whoever only sends mail need not wait for it.
    from dateutil import rrule

    choice = _choice(rule)
    frequencies: dict[int, int] = {_DAILY: rrule.DAILY, _WEEKLY: rrule.WEEKLY}
    found = rrule.rrule(
        frequencies.get(rule.pattern, rrule.MONTHLY),
        dtstart=first,
        until=last,
        interval=step,
        wkst=_from_monday(rule.first_day_of_week),
        bymonth=choice.get("BYMONTH"),
        bymonthday=choice.get("BYMONTHDAY"),
        byweekday=[_from_monday(day) for day in rule.days_of_week] or None,
        bysetpos=choice.get("BYSETPOS"),
    )
    # In the last week of the year 9999 dateutil fails where it should end, after the last date there is.
    with suppress(OverflowError, ValueError):
        for moment in found:
            yield moment.date()


def _from_monday(day_of_week: int) -> int:
    return (day_of_week - DayOfWeek["Monday"]) % 7


def _choice(rule: Rule) -> dict[str, list[int]]:
    """Which days a rule picks, in the BY parts of RFC 5545, but with values of DayOfWeek for weekdays.

    A day that a month lacks is its last, as in Outlook; the RFC would skip the month.
    """
    choice = {"BYMONTH": [rule.month]} if rule.month else {}
    if rule.days_of_week:
        choice["BYDAY"] = list(rule.days_of_week)
    if rule.pattern in (_MONTHLY_WEEKDAY, _YEARLY_WEEKDAY):
        choice["BYSETPOS"] = [_POSITIONS[rule.index]]
    if rule.day_of_month:
        choice["BYMONTHDAY"] = [rule.day_of_month]
        always_there = monthrange(2001, rule.month)[1] if rule.month else _SHORTEST_MONTH
        if rule.day_of_month > always_there:
            choice |= {"BYMONTHDAY": list(range(_SHORTEST_MONTH, rule.day_of_month + 1)), "BYSETPOS": [-1]}
    return choice


# --- iCalendar ---


def parts_of(rule: Rule) -> dict[str, list[Any]]:
    """The parts of the RRULE that means a settled rule, but for UNTIL: its form depends on the zone."""
    parts: dict[str, list[Any]] = {"FREQ": [_PATTERNS[rule.pattern].frequency]}
    if rule.interval > 1:
        parts["INTERVAL"] = [rule.interval]
    if rule.count is not None:
        parts["COUNT"] = [rule.count]
    if rule.pattern == _WEEKLY:
        parts["WKST"] = [_DAY_CODES[rule.first_day_of_week]]
    parts |= _choice(rule)
    codes = [_DAY_CODES[day] for day in rule.days_of_week]
    if len(codes) == 1 and "BYSETPOS" in parts:
        # Means the same as BYSETPOS, and is what more programs understand.
        codes = [f"{parts.pop('BYSETPOS')[0]}{codes[0]}"]
    return parts | {"BYDAY": codes} if codes else parts


_Parts = Mapping[str, list[str]]

_ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_DAY_ENTRY = re.compile(r"([+-]?\d{1,2})?([A-Z]{2})")


def rule_of(parts: Mapping[str, Sequence[Any]], start: date, until: date | None) -> Rule:
    """The rule, not settled yet, that the parts of an RRULE mean; what they leave open is taken from the start.

    UNTIL is the caller's to read. BYMONTHDAY=31 is read as Outlook reads it, and so is -1: as a month's last day.
    Raises InvalidRequest for what Outlook has no pattern for.
    """
    given = {name.upper(): [str(one).strip().upper() for one in values] for name, values in parts.items() if values}
    frequency = _word(given, "FREQ", "")
    if frequency not in _READERS:
        raise _no_pattern("FREQ", [frequency])
    allowed, read = _READERS[frequency]
    for name in sorted(given.keys() - allowed - _ALWAYS):
        raise _no_pattern(name, given[name])
    interval, count = _number(given, "INTERVAL", 1), _number(given, "COUNT", None)
    return replace(read(given, start), interval=interval, until=until, count=count)


def _read_daily(given: _Parts, start: date) -> Rule:
    if "BYDAY" not in given:
        return Rule(_DAILY, start)
    if _number(given, "INTERVAL", 1) != 1:
        raise _no_pattern("INTERVAL", given["INTERVAL"])
    return _read_weekly(given, start)


def _read_weekly(given: _Parts, start: date) -> Rule:
    entries = _day_entries(given) if "BYDAY" in given else [(None, _weekday(start))]
    if any(position is not None for position, _ in entries):
        raise _no_pattern("BYDAY", given["BYDAY"])
    first_day = _word(given, "WKST", "MO")
    if first_day not in _DAYS:
        raise _no_pattern("WKST", [first_day])
    days = tuple(day for _, day in entries)
    return Rule(_WEEKLY, start, days_of_week=days, first_day_of_week=_DAYS[first_day])


def _read_monthly(given: _Parts, start: date) -> Rule:
    if "BYDAY" not in given:
        return Rule(_MONTHLY_DAY, start, day_of_month=_day_of_month(given, start))
    if "BYMONTHDAY" in given:
        raise _no_pattern("BYMONTHDAY", given["BYMONTHDAY"])
    entries = _day_entries(given)
    positions = {position for position, _ in entries}
    position = _number(given, "BYSETPOS", None)
    if position is None and len(entries) == 1:
        position = entries[0][0]
    elif positions != {None}:
        raise _no_pattern("BYDAY", given["BYDAY"])
    if position not in _INDEXES:
        raise _no_pattern("BYDAY", given["BYDAY"])
    return Rule(_MONTHLY_WEEKDAY, start, days_of_week=tuple(day for _, day in entries), index=_INDEXES[position])


def _read_yearly(given: _Parts, start: date) -> Rule:
    if "BYMONTHDAY" in given and "BYMONTH" not in given:
        # A day in each month of the year, by the RFC.
        raise _no_pattern("BYMONTHDAY", given["BYMONTHDAY"])
    within = _read_monthly(given, start)
    pattern = _YEARLY_DAY if within.pattern == _MONTHLY_DAY else _YEARLY_WEEKDAY
    return replace(within, pattern=pattern, month=_number(given, "BYMONTH", start.month))


_READERS: dict[str, tuple[set[str], Callable[[_Parts, date], Rule]]] = {
    "DAILY": ({"BYDAY"}, _read_daily),
    "WEEKLY": ({"BYDAY"}, _read_weekly),
    "MONTHLY": ({"BYDAY", "BYMONTHDAY", "BYSETPOS"}, _read_monthly),
    "YEARLY": ({"BYDAY", "BYMONTHDAY", "BYSETPOS", "BYMONTH"}, _read_yearly),
}
"""By frequency: the parts that may choose days, and what makes a rule of them."""


def _day_of_month(given: _Parts, start: date) -> int:
    days = sorted(_numbers(given, "BYMONTHDAY")) if "BYMONTHDAY" in given else [start.day]
    position = _number(given, "BYSETPOS", None)
    if len(days) == 1 and position in (None, 1, -1):
        return 31 if days == [-1] else days[0]
    if position == -1 and days == list(range(_SHORTEST_MONTH, days[-1] + 1)):
        return days[-1]
    raise _no_pattern("BYMONTHDAY", given.get("BYMONTHDAY", ()))


def _day_entries(given: _Parts) -> list[tuple[int | None, int]]:
    """The days of BYDAY, each with the position it was given, if any."""
    found = [_DAY_ENTRY.fullmatch(entry) for entry in given["BYDAY"]]
    entries = [(one[1], _DAYS[one[2]]) for one in found if one and one[2] in _DAYS]
    if len(entries) < len(found):
        raise _no_pattern("BYDAY", given["BYDAY"])
    return [(None if position is None else int(position), day) for position, day in entries]


def _word(given: _Parts, name: str, default: str) -> str:
    values = given.get(name, [default])
    if len(values) != 1:
        raise _no_pattern(name, values)
    return values[0]


def _number(given: _Parts, name: str, default: T) -> int | T:
    if name not in given:
        return default
    _word(given, name, "")
    return _numbers(given, name)[0]


def _numbers(given: _Parts, name: str) -> list[int]:
    try:
        return [int(value) for value in given[name]]
    except ValueError:
        raise _no_pattern(name, given[name]) from None


def _no_pattern(name: str, values: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(f"The RRULE has no equivalent in Outlook: {name}={','.join(values)[:100]}.")
