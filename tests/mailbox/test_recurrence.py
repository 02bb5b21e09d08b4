"""Dates of recurring series: examples, a day-by-day check, and a comparison with dateutil."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from typing import Any

import dateutil.rrule
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outlook_emulator.enums import NO_RECURRENCE, DayOfWeek, PatternType, Recurrence, WeekIndex
from outlook_emulator.errors import InvalidField, InvalidRequest
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import Rule
from outlook_emulator.mailbox.recurrence import dates, includes, kind_of, normalize, simple

DAILY, WEEKLY, MONTHLY_DAY, MONTHLY_WEEKDAY, YEARLY_DAY, YEARLY_WEEKDAY = PatternType
SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = DayOfWeek
WORKDAYS = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)
FIRST, SECOND, THIRD, FOURTH, LAST = WeekIndex
DAY = timedelta(days=1)

UNHURRIED = settings(deadline=None)

# A Thursday.
NEW_YEAR = date(2026, 1, 1)


def day(text: str) -> date:
    return date.fromisoformat(text)


def days(text: str) -> list[date]:
    return [day(part) for part in text.split()]


def first_dates(rule: Rule, count: int) -> list[date]:
    return list(islice(dates(normalize(rule), date.min, date.max), count))


# --- Patterns ---

EXAMPLES: list[tuple[Rule, str]] = [
    (Rule(DAILY, NEW_YEAR), "2026-01-01 2026-01-02 2026-01-03"),
    (Rule(DAILY, NEW_YEAR, 30), "2026-01-01 2026-01-31 2026-03-02"),
    (Rule(WEEKLY, NEW_YEAR, days_of_week=(THURSDAY,)), "2026-01-01 2026-01-08 2026-01-15"),
    # The start moves to the first matching day, and the two-week interval counts from there.
    (Rule(WEEKLY, NEW_YEAR, 2, days_of_week=(TUESDAY,)), "2026-01-06 2026-01-20 2026-02-03"),
    (Rule(WEEKLY, NEW_YEAR, days_of_week=(FRIDAY, MONDAY)), "2026-01-02 2026-01-05 2026-01-09"),
    # Saturday and Sunday are in the same week unless weeks start on Sunday.
    (
        Rule(WEEKLY, day("2026-01-03"), 2, days_of_week=(SUNDAY, SATURDAY), first_day_of_week=MONDAY),
        "2026-01-03 2026-01-04 2026-01-17 2026-01-18",
    ),
    (
        Rule(WEEKLY, day("2026-01-03"), 2, days_of_week=(SUNDAY, SATURDAY), first_day_of_week=SUNDAY),
        "2026-01-03 2026-01-11 2026-01-17 2026-01-25",
    ),
    (Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=15), "2026-01-15 2026-02-15 2026-03-15"),
    (Rule(MONTHLY_DAY, day("2026-01-16"), 2, day_of_month=15), "2026-02-15 2026-04-15 2026-06-15"),
    (Rule(MONTHLY_DAY, day("2027-12-01"), day_of_month=31), "2027-12-31 2028-01-31 2028-02-29 2028-03-31 2028-04-30"),
    (Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=29), "2026-01-29 2026-02-28 2026-03-29"),
    (
        Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(TUESDAY,), index=SECOND),
        "2026-01-13 2026-02-10 2026-03-10",
    ),
    (Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=WORKDAYS, index=FIRST), "2026-01-01 2026-02-02 2026-03-02"),
    (Rule(MONTHLY_WEEKDAY, NEW_YEAR, 3, days_of_week=WORKDAYS, index=LAST), "2026-01-30 2026-04-30 2026-07-31"),
    (Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=tuple(DayOfWeek), index=LAST), "2026-01-31 2026-02-28 2026-03-31"),
    (
        Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(SATURDAY, SUNDAY), index=FOURTH),
        "2026-01-11 2026-02-14 2026-03-14",
    ),
    (Rule(YEARLY_DAY, NEW_YEAR, month=6, day_of_month=30), "2026-06-30 2027-06-30"),
    (Rule(YEARLY_DAY, NEW_YEAR, month=1, day_of_month=31), "2026-01-31 2027-01-31"),
    (Rule(YEARLY_DAY, day("2026-03-01"), month=2, day_of_month=29), "2027-02-28 2028-02-29 2029-02-28"),
    (Rule(YEARLY_DAY, NEW_YEAR, 2, month=4, day_of_month=31), "2026-04-30 2028-04-30"),
    (
        Rule(YEARLY_WEEKDAY, day("2026-03-09"), month=3, days_of_week=(SUNDAY,), index=SECOND),
        "2027-03-14 2028-03-12",
    ),
    (
        Rule(YEARLY_WEEKDAY, NEW_YEAR, 4, month=11, days_of_week=(THURSDAY,), index=FOURTH),
        "2026-11-26 2030-11-28",
    ),
]


@pytest.mark.parametrize(("rule", "expected"), EXAMPLES)
def test_pattern(rule: Rule, expected: str) -> None:
    """Each pattern gives the same dates as Outlook."""
    assert first_dates(rule, len(days(expected))) == days(expected)


@pytest.mark.parametrize(
    ("kind", "start", "expected"),
    [
        ("Daily", "2026-01-31", "2026-01-31 2026-02-01"),
        ("Weekly", "2026-01-31", "2026-01-31 2026-02-07"),
        ("Weekly", "2026-02-01", "2026-02-01 2026-02-08"),
        ("Monthly", "2026-01-31", "2026-01-31 2026-02-28 2026-03-31"),
        ("Yearly", "2028-02-29", "2028-02-29 2029-02-28 2030-02-28 2031-02-28 2032-02-29"),
    ],
)
def test_simple(kind: str, start: str, expected: str) -> None:
    """A simple rule takes its day from the start and keeps its kind."""
    rule = simple(Recurrence[kind], day(start), count=len(days(expected)))

    assert normalize(rule) == replace(rule, until=days(expected)[-1])
    assert list(dates(normalize(rule), date.min, date.max)) == days(expected)
    assert kind_of(rule) == Recurrence[kind]


@pytest.mark.parametrize("kind", [NO_RECURRENCE, 5, -1])
def test_no_kind(kind: int) -> None:
    """A kind that does not repeat is rejected."""
    with pytest.raises(InvalidRequest, match="'recurrence'"):
        simple(kind, NEW_YEAR)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [*zip(PatternType, ("Daily", "Weekly", "Monthly", "Monthly", "Yearly", "Yearly"), strict=True)],
)
def test_kind(pattern: int, expected: str) -> None:
    """The kind of a rule is the period of its pattern."""
    assert kind_of(Rule(pattern, NEW_YEAR)) == Recurrence[expected]


# --- Normalizing ---


def test_last_occurrence() -> None:
    """A rule ends on its last occurrence, whether the end was a date or a count."""
    rule = Rule(MONTHLY_DAY, day("2026-01-20"), 2, day_of_month=31)

    assert normalize(replace(rule, until=day("2026-05-30"))).until == day("2026-03-31")
    assert normalize(replace(rule, until=day("2026-05-31"))).until == day("2026-05-31")
    assert normalize(replace(rule, until=day("2026-02-01"))).until == day("2026-01-31")
    assert normalize(replace(rule, count=3)).until == day("2026-05-31")
    assert normalize(rule).until is None


def test_unused_members() -> None:
    """Fields that a pattern does not use are ignored and reset; days are sorted."""
    rule = Rule(DAILY, NEW_YEAR, 1, 77, 99, (0, 8), -1, 42)
    weekly = Rule(WEEKLY, NEW_YEAR, 1, 77, 99, (SATURDAY, THURSDAY, SATURDAY), MONDAY, 42)

    assert normalize(rule) == Rule(DAILY, NEW_YEAR)
    assert normalize(weekly) == Rule(WEEKLY, NEW_YEAR, days_of_week=(THURSDAY, SATURDAY), first_day_of_week=MONDAY)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("type", Rule(0, NEW_YEAR)),
        ("type", Rule(7, NEW_YEAR)),
        ("interval", Rule(DAILY, NEW_YEAR, 0)),
        ("interval", Rule(DAILY, NEW_YEAR, 1000)),
        ("days_of_week", Rule(WEEKLY, NEW_YEAR)),
        ("days_of_week", Rule(WEEKLY, NEW_YEAR, days_of_week=(0,))),
        ("days_of_week", Rule(WEEKLY, NEW_YEAR, days_of_week=(MONDAY, 8))),
        ("days_of_week", Rule(MONTHLY_WEEKDAY, NEW_YEAR)),
        ("days_of_week", Rule(YEARLY_WEEKDAY, NEW_YEAR, month=1)),
        ("first_day_of_week", Rule(WEEKLY, NEW_YEAR, days_of_week=(MONDAY,), first_day_of_week=8)),
        ("day_of_month", Rule(MONTHLY_DAY, NEW_YEAR)),
        ("day_of_month", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=32)),
        ("day_of_month", Rule(YEARLY_DAY, NEW_YEAR, month=1, day_of_month=-1)),
        ("month", Rule(YEARLY_DAY, NEW_YEAR, day_of_month=1)),
        ("month", Rule(YEARLY_WEEKDAY, NEW_YEAR, month=13, days_of_week=(MONDAY,))),
        ("index", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,), index=0)),
        ("index", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,), index=6)),
        ("number_of_occurrences", Rule(DAILY, NEW_YEAR, count=0)),
        ("number_of_occurrences", Rule(DAILY, NEW_YEAR, count=1000)),
        ("number_of_occurrences", Rule(DAILY, day("9999-12-30"), count=3)),
        ("number_of_occurrences", Rule(WEEKLY, day("9999-12-27"), days_of_week=(MONDAY, SATURDAY), count=2)),
        ("recurrence_end", Rule(DAILY, NEW_YEAR, until=day("2025-12-31"))),
        ("recurrence_end", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=15, until=day("2026-01-14"))),
        ("recurrence_end", Rule(DAILY, NEW_YEAR, until=day("2026-01-03"), count=2)),
        ("start", Rule(MONTHLY_DAY, day("9999-12-31"), day_of_month=30)),
        ("start", Rule(WEEKLY, day("9999-12-31"), days_of_week=(SUNDAY,))),
        ("start", Rule(YEARLY_DAY, day("9999-02-01"), month=1, day_of_month=1)),
    ],
)
def test_invalid_rule(field: str, rule: Rule) -> None:
    """An invalid rule is rejected with an error that names the field."""
    with pytest.raises(InvalidField, match=f"'{field}'"):
        normalize(rule)


def test_ends_of_the_calendar() -> None:
    """The first and the last possible dates work."""
    weekly = normalize(Rule(WEEKLY, date.min, 5, days_of_week=tuple(DayOfWeek)))
    until = normalize(Rule(MONTHLY_WEEKDAY, date.min, days_of_week=(MONDAY,), until=date.min)).until

    assert weekly.start == date.min == until
    assert list(dates(weekly, date.min, date(1, 2, 10))) == [
        each for each in between(date.min, date(1, 2, 10)) if matches(weekly, each)
    ]
    assert list(dates(replace(weekly, interval=1), day("9999-12-30"), date.max)) == days("9999-12-30 9999-12-31")
    assert list(dates(normalize(Rule(DAILY, day("9999-12-30"))), date.min, date.max)) == days("9999-12-30 9999-12-31")
    assert normalize(Rule(WEEKLY, NEW_YEAR, days_of_week=(FRIDAY,), until=date.max)).until == day("9999-12-31")


# --- Windows ---


def test_includes() -> None:
    """A date is in a series only if it is an occurrence."""
    rule = normalize(Rule(WEEKLY, NEW_YEAR, 2, days_of_week=(THURSDAY,), until=day("2026-02-01")))

    assert [day for day in days("2025-12-18 2026-01-01 2026-01-08 2026-01-29 2026-02-12") if includes(rule, day)] == (
        days("2026-01-01 2026-01-29")
    )


def test_empty_window() -> None:
    """A series has no dates before its start, after its end, or in a reversed window."""
    rule = normalize(Rule(DAILY, NEW_YEAR, count=3))

    for since, until in (("2025-01-01", "2025-12-31"), ("2026-01-04", "2027-01-01"), ("2026-01-03", "2026-01-01")):
        assert not list(dates(rule, day(since), day(until)))


@pytest.mark.parametrize(
    "rule",
    [
        Rule(DAILY, day("1950-01-01")),
        Rule(WEEKLY, day("1950-01-01"), days_of_week=(SUNDAY, WEDNESDAY)),
        Rule(MONTHLY_DAY, day("1950-01-01"), day_of_month=3),
        Rule(YEARLY_WEEKDAY, day("1950-01-01"), month=1, days_of_week=WORKDAYS),
    ],
)
def test_age_costs_nothing(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates a century after the start are computed from few candidates."""
    normalized = normalize(rule)
    seen: list[date] = []
    walk = recurrence._walk

    def counted(*arguments: Any) -> Iterator[date]:
        for candidate in walk(*arguments):
            seen.append(candidate)
            yield candidate

    monkeypatch.setattr(recurrence, "_walk", counted)
    week = list(dates(normalized, day("2050-01-02"), day("2050-01-08")))

    assert week == [
        candidate for candidate in between(day("2050-01-02"), day("2050-01-08")) if matches(normalized, candidate)
    ]
    assert 0 < len(week) <= len(seen) <= 8


# --- Properties ---


def between(since: date, until: date) -> Iterator[date]:
    return (since + DAY * number for number in range((until - since).days + 1))


def outlook_day(day: date) -> int:
    return day.isoweekday() % 7 + 1


def picked_in_month(rule: Rule, year: int, month: int) -> date:
    """Return the date that a monthly or yearly pattern matches in a month."""
    everything = [date(year, month, number + 1) for number in range(monthrange(year, month)[1])]
    if rule.pattern in (MONTHLY_DAY, YEARLY_DAY):
        return everything[: rule.day_of_month][-1]
    candidates = [candidate for candidate in everything if outlook_day(candidate) in rule.days_of_week]
    return candidates[-1] if rule.index == LAST else candidates[rule.index - FIRST]


def matches(rule: Rule, day: date) -> bool:
    """Return whether a normalized rule has an occurrence on a day, by plain calendar arithmetic."""
    if day < rule.start or (rule.until is not None and day > rule.until):
        return False
    if rule.pattern == DAILY:
        return (day - rule.start).days % rule.interval == 0
    if rule.pattern == WEEKLY:
        weeks = [(each.toordinal() - (rule.first_day_of_week - SUNDAY)) // 7 for each in (rule.start, day)]
        return outlook_day(day) in rule.days_of_week and (weeks[1] - weeks[0]) % rule.interval == 0
    if rule.pattern in (YEARLY_DAY, YEARLY_WEEKDAY):
        due = day.month == rule.month and (day.year - rule.start.year) % rule.interval == 0
    else:
        due = ((day.year - rule.start.year) * 12 + day.month - rule.start.month) % rule.interval == 0
    return due and day == picked_in_month(rule, day.year, day.month)


FREQUENCIES = dict(
    zip(
        PatternType,
        (
            dateutil.rrule.DAILY,
            dateutil.rrule.WEEKLY,
            dateutil.rrule.MONTHLY,
            dateutil.rrule.MONTHLY,
            dateutil.rrule.YEARLY,
            dateutil.rrule.YEARLY,
        ),
        strict=True,
    )
)
WEEKDAYS = dict(zip(DayOfWeek, ("SU", "MO", "TU", "WE", "TH", "FR", "SA"), strict=True))


def naive(rule: Rule, until: date) -> Iterator[date]:
    """Return all dates of a normalized rule up to a day, as dateutil computes them."""
    options: dict[str, Any] = {"wkst": getattr(dateutil.rrule, WEEKDAYS[DayOfWeek(rule.first_day_of_week)])}
    if rule.pattern in (WEEKLY, MONTHLY_WEEKDAY, YEARLY_WEEKDAY):
        options["byweekday"] = [getattr(dateutil.rrule, WEEKDAYS[DayOfWeek(weekday)]) for weekday in rule.days_of_week]
    if rule.pattern in (MONTHLY_WEEKDAY, YEARLY_WEEKDAY):
        options["bysetpos"] = -1 if rule.index == LAST else rule.index
    if rule.pattern in (MONTHLY_DAY, YEARLY_DAY):
        options |= {"bymonthday": range(min(28, rule.day_of_month), rule.day_of_month + 1), "bysetpos": -1}
    if rule.pattern in (YEARLY_DAY, YEARLY_WEEKDAY):
        options["bymonth"] = rule.month
    last = until if rule.count is not None or rule.until is None else min(until, rule.until)
    occurrences = dateutil.rrule.rrule(
        FREQUENCIES[PatternType(rule.pattern)],
        dtstart=rule.start,
        interval=rule.interval,
        count=rule.count,
        **options,
    )
    for moment in occurrences:
        if moment.date() > last:
            return
        yield moment.date()


starts = st.dates(day("1980-01-01"), day("2040-12-31"))


@st.composite
def normalized_rules(draw: st.DrawFn) -> Rule:
    start = draw(starts)
    rule = Rule(
        pattern=draw(st.sampled_from(PatternType)),
        start=start,
        interval=draw(st.integers(1, 6) | st.integers(1, 60)),
        month=draw(st.integers(1, 12)),
        day_of_month=draw(st.integers(1, 31)),
        days_of_week=tuple(draw(st.sets(st.sampled_from(DayOfWeek), min_size=1))),
        first_day_of_week=draw(st.sampled_from(DayOfWeek)),
        index=draw(st.sampled_from(WeekIndex)),
    )
    end = draw(st.sampled_from(["none", "until", "count"]))
    if end == "until":
        # Far enough for the first occurrence of any pattern.
        return normalize(replace(rule, until=start + DAY * draw(st.integers(400, 20_000))))
    return normalize(replace(rule, count=draw(st.integers(1, 60)))) if end == "count" else normalize(rule)


@st.composite
def windows(draw: st.DrawFn) -> tuple[date, date]:
    since = draw(starts)
    return since, since + DAY * draw(st.integers(-5, 90) | st.integers(90, 1500))


@pytest.mark.slow
@UNHURRIED
@given(normalized_rules(), windows())
def test_window(rule: Rule, window: tuple[date, date]) -> None:
    """A window has the same dates as dateutil and plain calendar arithmetic."""
    window_dates = list(dates(rule, *window))

    assert window_dates == [candidate for candidate in naive(rule, window[1]) if candidate >= window[0]]
    assert window_dates == [candidate for candidate in between(*window) if matches(rule, candidate)]


@pytest.mark.slow
@UNHURRIED
@given(normalized_rules())
def test_normalized(rule: Rule) -> None:
    """A normalized rule starts and ends on an occurrence, normalizes to itself and has `count` dates."""
    assert normalize(rule) == rule
    assert matches(rule, rule.start)
    if rule.until is not None:
        assert matches(rule, rule.until)
    if rule.count is not None:
        assert len(list(dates(rule, date.min, date.max))) == rule.count


@pytest.mark.slow
@UNHURRIED
@given(normalized_rules(), st.integers(0, 400))
def test_end_moves_back(rule: Rule, later: int) -> None:
    """An end moves back to the last occurrence."""
    end = rule.start + DAY * later
    normalized = normalize(replace(rule, until=end, count=None))

    endless = replace(rule, until=None, count=None)
    assert normalized.until == [candidate for candidate in between(rule.start, end) if matches(endless, candidate)][-1]


@pytest.mark.slow
@UNHURRIED
@given(st.dates(), normalized_rules())
def test_start_moves_forward(start: date, rule: Rule) -> None:
    """A start moves forward to the first day that matches the pattern, for any interval."""
    try:
        normalized = normalize(replace(rule, start=start, until=None, count=None))
    except InvalidRequest:
        assume(start.year == 9999)
        return
    each = replace(normalized, start=start, interval=1)
    assert normalized.start == next(candidate for candidate in between(start, date.max) if matches(each, candidate))


int32 = st.integers(-(2**31), 2**31 - 1)
small = st.integers(-1, 40)


@pytest.mark.slow
@UNHURRIED
@given(
    st.builds(
        Rule,
        pattern=st.sampled_from(PatternType) | int32,
        start=st.dates(),
        interval=small | int32,
        month=small | int32,
        day_of_month=small | int32,
        days_of_week=st.lists(st.integers(0, 8) | int32, max_size=8).map(tuple),
        first_day_of_week=st.integers(0, 8) | int32,
        index=st.integers(0, 6) | int32,
        until=st.none() | st.dates(),
        count=st.none() | small | int32,
    )
)
def test_garbage(rule: Rule) -> None:
    """Any rule is either normalized or rejected, and a normalized rule has dates."""
    try:
        normalized = normalize(rule)
    except InvalidRequest:
        return
    assert normalize(normalized) == normalized
    assert next(dates(normalized, date.min, date.max)) == normalized.start >= rule.start
    assert len(list(dates(normalized, date.max - 40 * DAY, date.max))) <= 41
