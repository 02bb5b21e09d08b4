"""When a series repeats: checks recurrence rules and computes their dates.

All occurrences of a series start at the same local wall-clock time, so a series is a set of local dates here. Callers
handle time zones.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from outlook_emulator.enums import DayOfWeek, PatternType, Recurrence, WeekIndex
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.event import Rule

DAILY, WEEKLY = PatternType.Daily, PatternType.Weekly
MONTHLY_DAY, MONTHLY_WEEKDAY = PatternType.AbsoluteMonthly, PatternType.RelativeMonthly
YEARLY_DAY, YEARLY_WEEKDAY = PatternType.AbsoluteYearly, PatternType.RelativeYearly


class Pattern(NamedTuple):
    """A pattern's value of Recurrence, its iCalendar frequency, and the fields of a rule that it uses."""

    kind: int
    frequency: str
    uses: tuple[str, ...] = ()


PATTERNS: dict[int, Pattern] = {
    DAILY: Pattern(Recurrence.Daily, "DAILY"),
    WEEKLY: Pattern(Recurrence.Weekly, "WEEKLY", ("days_of_week", "first_day_of_week")),
    MONTHLY_DAY: Pattern(Recurrence.Monthly, "MONTHLY", ("day_of_month",)),
    MONTHLY_WEEKDAY: Pattern(Recurrence.Monthly, "MONTHLY", ("days_of_week", "index")),
    YEARLY_DAY: Pattern(Recurrence.Yearly, "YEARLY", ("month", "day_of_month")),
    YEARLY_WEEKDAY: Pattern(Recurrence.Yearly, "YEARLY", ("month", "days_of_week", "index")),
}

MOST_OCCURRENCES = 999
"""Exchange's limit for a number of occurrences."""

_BOUNDS = {
    "interval": (1, 999),
    "month": (1, 12),
    "day_of_month": (1, 31),
    "days_of_week": (min(DayOfWeek), max(DayOfWeek)),
    "first_day_of_week": (min(DayOfWeek), max(DayOfWeek)),
    "index": (min(WeekIndex), max(WeekIndex)),
    "count": (1, MOST_OCCURRENCES),
}
"""The least and greatest values of a rule's numbers."""

_DAY = timedelta(days=1)
SHORTEST_MONTH = 28
POSITIONS: dict[int, int] = dict(zip(WeekIndex, (1, 2, 3, 4, -1), strict=True))

# --- Simple rules ---


def simple(kind: int, start: date, until: date | None = None, count: int | None = None) -> Rule:
    """The rule for a value of Recurrence, not normalized yet; the day that repeats is that of the start.

    Raises InvalidField for a value without a rule.
    """
    rules: dict[int, Rule] = {
        Recurrence.Daily: Rule(DAILY, start),
        Recurrence.Weekly: Rule(WEEKLY, start, days_of_week=(weekday(start),)),
        Recurrence.Monthly: Rule(MONTHLY_DAY, start, day_of_month=start.day),
        Recurrence.Yearly: Rule(YEARLY_DAY, start, month=start.month, day_of_month=start.day),
    }
    rule = rules.get(kind)
    if rule is None:
        raise InvalidField("recurrence", "must be Daily, Weekly, Monthly or Yearly.")
    return replace(rule, until=until, count=count)


def kind_of(rule: Rule) -> int:
    """The value of Recurrence that is closest to a rule."""
    return PATTERNS[rule.pattern].kind


# --- Normalizing ---


def normalize(rule: Rule, *, keeps_phase: bool = False) -> Rule:
    """A rule, checked and in the form that is stored; normalizing it again changes nothing.

    `start` moves to the first date on or after it that the pattern matches, and intervals count from there (inferred
    from what Outlook's dialog does); if the rule keeps its phase, they count from the given start, as in RFC 5545.
    `until` becomes the date of the last occurrence, unless there is no end. Fields that the pattern does not use get
    their defaults. Raises InvalidField for a rule that has no meaning or no occurrence, or with two contradicting ends.
    """
    _check(rule)
    plain = _with_used_only(rule)
    # In steps of 1 where the intervals count from the date that is looked for.
    step = _step(plain) if keeps_phase else 1
    start = next(_walk(plain, _in_its_month(plain) if keeps_phase else plain.start, date.max, step), None)
    if start is None:
        raise InvalidField("start", "is too late: the recurrence has no occurrence on or after it.")
    aligned = replace(plain, start=start)
    if aligned.count is not None:
        return replace(aligned, until=_last_of(aligned, aligned.count))
    if aligned.until is not None:
        return replace(aligned, until=_last_by(aligned, aligned.until))
    return aligned


def _in_its_month(rule: Rule) -> date:
    """The start of a rule; for a rule of another month, the first day of that month in the years that it reaches."""
    if rule.month in (0, rule.start.month):
        return rule.start
    year = rule.start.year if rule.month > rule.start.month else rule.start.year + rule.interval
    return date(min(year, date.max.year), rule.month, 1)


def _check(rule: Rule) -> None:
    pattern = PATTERNS.get(rule.pattern)
    if pattern is None:
        raise InvalidField("type", f"must be one of {', '.join(PatternType.__members__)}.")
    counted = ("count",) if rule.count is not None else ()
    for name in ("interval", *pattern.uses, *counted):
        least, most = _BOUNDS[name]
        field = "number_of_occurrences" if name == "count" else name
        value = getattr(rule, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise InvalidField(field, "must not be empty for this recurrence.")
        if not all(least <= number <= most for number in values):
            raise InvalidField(field, f"must be from {least:d} to {most:d}.")


def _with_used_only(rule: Rule) -> Rule:
    used = {name: getattr(rule, name) for name in PATTERNS[rule.pattern].uses}
    if "days_of_week" in used:
        used["days_of_week"] = tuple(sorted(set(rule.days_of_week)))
    return Rule(rule.pattern, rule.start, rule.interval, until=rule.until, count=rule.count, **used)


def _last_of(rule: Rule, count: int) -> date:
    """The date of the occurrence with a number, counted from 1, of a rule that starts on its first."""
    last = nth(rule, count)
    if last is None:
        raise InvalidField("number_of_occurrences", f"is too large: {count} occurrences reach beyond the year 9999.")
    # A normalized rule has both, and they agree; it may be normalized again.
    if rule.until not in (None, last):
        raise InvalidField("recurrence_end", "cannot be combined with a number of occurrences.")
    return last


def nth(rule: Rule, number: int) -> date | None:
    """The date of an occurrence by its number, from 1, of a rule that starts on its first; None after the year 9999."""
    try:
        if rule.pattern == DAILY:
            return rule.start + timedelta(days=rule.interval * (number - 1))
        if rule.pattern == WEEKLY:
            places = sorted((day - rule.first_day_of_week) % 7 for day in rule.days_of_week)
            place = (weekday(rule.start) - rule.first_day_of_week) % 7
            weeks, index = divmod(places.index(place) + number - 1, len(places))
            return rule.start + timedelta(days=weeks * 7 * rule.interval + places[index] - place)
        # The other patterns have one date in each month that they reach.
        year, month = divmod(_months(rule.start) + _step(rule) * (number - 1), 12)
        first = date(year, month + 1, 1)
    except (OverflowError, ValueError):
        return None
    return next(_walk(rule, first, date(first.year, first.month, monthrange(first.year, first.month)[1]), 1), None)


def _last_by(rule: Rule, until: date) -> date:
    """The last occurrence on or before a day."""
    if until < rule.start:
        raise InvalidField("recurrence_end", f"must not be before the first occurrence, {rule.start}.")
    first = _whole_intervals(rule, until)
    if first > rule.start:
        # The occurrence in the month of `until` may be after `until`; the interval before has one in any case.
        first = _whole_intervals(rule, first - _DAY)
    *_, last = _walk(rule, first, until, _step(rule))
    return last


# --- Dates ---


def dates(rule: Rule, since: date, until: date) -> Iterator[date]:
    """The dates of a normalized rule from `since` to `until` inclusive; the cost does not depend on the rule's age."""
    last = until if rule.until is None else min(rule.until, until)
    for day in _walk(rule, _whole_intervals(rule, since), last, _step(rule)):
        if day >= since:
            yield day


def shortest_gap(rule: Rule) -> int:
    """The fewest days from an occurrence to the next; months count 28 days, years 365."""
    if rule.pattern == DAILY:
        return rule.interval
    if rule.pattern == WEEKLY:
        days = sorted((day - rule.first_day_of_week) % 7 for day in rule.days_of_week)
        return min([7 * rule.interval + days[0] - days[-1], *(later - earlier for earlier, later in pairwise(days))])
    return (28 if rule.pattern in (MONTHLY_DAY, MONTHLY_WEEKDAY) else 365) * rule.interval


def overlaps(rule: Rule, length: timedelta) -> bool:
    """Whether occurrences of a length end after the next one starts, which Exchange refuses."""
    return length > timedelta(days=shortest_gap(rule))


def includes(rule: Rule, day: date) -> bool:
    """Whether a normalized rule has an occurrence on a day."""
    return next(dates(rule, day, day), None) is not None


def _step(rule: Rule) -> int:
    """The interval in days, weeks or months; for years, dateutil is faster with months in steps of twelve."""
    return rule.interval * 12 if PATTERNS[rule.pattern].frequency == "YEARLY" else rule.interval


def _whole_intervals(rule: Rule, day: date) -> date:
    """The last day on or before `day` that is a whole number of intervals after a rule's start, at least the start.

    Months count from their first day, except the month of the start. In a week that begins on another weekday than the
    start, only days before the result are skipped.
    """
    if day <= rule.start:
        return rule.start
    if rule.pattern in (DAILY, WEEKLY):
        days = rule.interval * (7 if rule.pattern == WEEKLY else 1)
        return day - timedelta(days=(day - rule.start).days % days)
    elapsed = _months(day) - _months(rule.start)
    whole = elapsed - elapsed % _step(rule)
    year, month = divmod(_months(rule.start) + whole, 12)
    return date(year, month + 1, 1) if whole else rule.start


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def weekday(day: date) -> int:
    """The DayOfWeek of a date."""
    return DayOfWeek(day.isoweekday() % 7 + 1)


def _walk(rule: Rule, first: date, last: date, step: int) -> Iterator[date]:
    """The dates that a pattern matches from `first` to `last`, in every `step`th day, week or month."""
    if rule.pattern in (DAILY, WEEKLY):
        # Much faster than dateutil, and the commonest patterns.
        with suppress(OverflowError):
            yield from _walk_days(rule, first, last, step)
        return
    # Imported late: it is slow to import, and requests about mail do not need it.
    from dateutil import rrule

    choice = by_parts(rule)
    starts = rrule.rrule(
        rrule.MONTHLY,
        dtstart=first,
        until=last,
        interval=step,
        bymonth=choice.get("BYMONTH"),
        bymonthday=choice.get("BYMONTHDAY"),
        byweekday=[_from_monday(day) for day in rule.days_of_week] or None,
        bysetpos=choice.get("BYSETPOS"),
    )
    # In the last week of the year 9999 dateutil raises after the last possible date.
    with suppress(OverflowError, ValueError):
        for start in starts:
            yield start.date()


def _walk_days(rule: Rule, first: date, last: date, step: int) -> Iterator[date]:
    """The dates of a daily or weekly pattern. Raises OverflowError after the year 9999."""
    if rule.pattern == DAILY:
        while first <= last:
            yield first
            first += timedelta(days=step)
        return
    places = sorted((day - rule.first_day_of_week) % 7 for day in rule.days_of_week)
    # As a number, since the first week may begin before the year 1.
    week = first.toordinal() - (weekday(first) - rule.first_day_of_week) % 7
    while week <= last.toordinal():
        for place in places:
            if first.toordinal() <= week + place <= last.toordinal():
                yield date.fromordinal(week + place)
        week += 7 * step


def _from_monday(day_of_week: int) -> int:
    return (day_of_week - DayOfWeek.Monday) % 7


def by_parts(rule: Rule) -> dict[str, list[int]]:
    """The BY parts of RFC 5545 for the days of a rule, with values of DayOfWeek for weekdays.

    A day that a month lacks is its last day, as in Outlook; the RFC skips such a month.
    """
    parts = {"BYMONTH": [rule.month]} if rule.month else {}
    if rule.days_of_week:
        parts["BYDAY"] = list(rule.days_of_week)
    if rule.pattern in (MONTHLY_WEEKDAY, YEARLY_WEEKDAY):
        parts["BYSETPOS"] = [POSITIONS[rule.index]]
    if rule.day_of_month:
        parts["BYMONTHDAY"] = [rule.day_of_month]
        always_there = monthrange(2001, rule.month)[1] if rule.month else SHORTEST_MONTH
        if rule.day_of_month > always_there:
            parts |= {"BYMONTHDAY": list(range(SHORTEST_MONTH, rule.day_of_month + 1)), "BYSETPOS": [-1]}
    return parts
