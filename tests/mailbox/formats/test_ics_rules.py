"""Recurrence rules as RRULE: writing, reading, and rules without an Outlook pattern."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import dateutil.rrule
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Rule
from outlook_emulator.mailbox.formats.ics_rules import parts_of, rule_of
from outlook_emulator.mailbox.recurrence import dates, normalize
from tests.mailbox.test_recurrence import (
    DAILY,
    FOURTH,
    FRIDAY,
    LAST,
    MONDAY,
    MONTHLY_DAY,
    MONTHLY_WEEKDAY,
    NEW_YEAR,
    SATURDAY,
    SECOND,
    SUNDAY,
    THIRD,
    THURSDAY,
    TUESDAY,
    UNHURRIED,
    WEEKLY,
    WORKDAYS,
    YEARLY_DAY,
    YEARLY_WEEKDAY,
    normalized_rules,
    windows,
)


def as_text(parts: dict[str, list[Any]], until: date | None) -> str:
    text = ";".join(f"{name}={','.join(map(str, values))}" for name, values in parts.items())
    return text if until is None else f"{text};UNTIL={until:%Y%m%d}T000000"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(DAILY, NEW_YEAR, count=3), "FREQ=DAILY;COUNT=3"),
        (
            Rule(WEEKLY, NEW_YEAR, 2, days_of_week=(FRIDAY, MONDAY), first_day_of_week=MONDAY),
            "FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=MO,FR",
        ),
        (Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=28), "FREQ=MONTHLY;BYMONTHDAY=28"),
        (Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=30), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(TUESDAY,), index=SECOND), "FREQ=MONTHLY;BYDAY=2TU"),
        (
            Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(SUNDAY, SATURDAY), index=LAST),
            "FREQ=MONTHLY;BYDAY=SU,SA;BYSETPOS=-1",
        ),
        (Rule(YEARLY_DAY, NEW_YEAR, month=1, day_of_month=31), "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31"),
        (
            Rule(YEARLY_DAY, NEW_YEAR, month=2, day_of_month=29),
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            Rule(YEARLY_WEEKDAY, NEW_YEAR, month=10, days_of_week=(SUNDAY,), index=LAST),
            "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        ),
    ],
)
def test_parts(rule: Rule, expected: str) -> None:
    """A rule has the expected RRULE."""
    assert as_text(parts_of(normalize(rule)), None) == expected


@pytest.mark.slow
@UNHURRIED
@given(normalized_rules(), windows())
def test_parts_mean_the_same(rule: Rule, window: tuple[date, date]) -> None:
    """An independent reader of the RRULE finds the same dates."""
    until = None if rule.count is not None else rule.until
    start = datetime.combine(rule.start, datetime.min.time())
    since, last = (datetime.combine(day, datetime.min.time()) for day in window)
    read = dateutil.rrule.rrulestr(as_text(parts_of(rule), until), dtstart=start)

    assert [start.date() for start in read.between(since, last, inc=True)] == list(dates(rule, *window))


@pytest.mark.slow
@UNHURRIED
@given(normalized_rules(), st.booleans())
def test_parts_round_trip(rule: Rule, spelled: bool) -> None:
    """The parts of a rule read back as the same rule, both as values and as text."""
    parts = parts_of(rule)
    if spelled:
        parts = {name.lower(): [str(value).lower() for value in values] for name, values in parts.items()}

    assert normalize(rule_of(parts, rule.start, rule.until)) == rule


def parts(text: str) -> dict[str, list[str]]:
    return {name: values.split(",") for name, _, values in (part.partition("=") for part in text.split(";"))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY", Rule(DAILY, NEW_YEAR)),
        ("FREQ=DAILY;WKST=SU;INTERVAL=3;COUNT=5", Rule(DAILY, NEW_YEAR, 3, count=5)),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", Rule(WEEKLY, NEW_YEAR, days_of_week=WORKDAYS, first_day_of_week=MONDAY)),
        ("FREQ=WEEKLY", Rule(WEEKLY, NEW_YEAR, days_of_week=(THURSDAY,), first_day_of_week=MONDAY)),
        ("FREQ=WEEKLY;BYDAY=SU;WKST=SA", Rule(WEEKLY, NEW_YEAR, days_of_week=(SUNDAY,), first_day_of_week=SATURDAY)),
        ("FREQ=MONTHLY", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=1)),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=31)),
        ("FREQ=MONTHLY;BYMONTHDAY=31", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=31)),
        ("FREQ=MONTHLY;BYMONTHDAY=30,29,28;BYSETPOS=-1", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=30)),
        ("FREQ=MONTHLY;BYDAY=+1MO", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,))),
        ("FREQ=MONTHLY;BYDAY=-1FR", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(FRIDAY,), index=LAST)),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=3", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,), index=THIRD)),
        ("FREQ=YEARLY", Rule(YEARLY_DAY, NEW_YEAR, month=1, day_of_month=1)),
        ("FREQ=YEARLY;BYMONTH=5", Rule(YEARLY_DAY, NEW_YEAR, month=5, day_of_month=1)),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", Rule(YEARLY_DAY, NEW_YEAR, month=2, day_of_month=31)),
        (
            "FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
            Rule(YEARLY_WEEKDAY, NEW_YEAR, month=3, days_of_week=(SUNDAY,), index=SECOND),
        ),
        (
            "FREQ=YEARLY;BYMONTH=3;BYDAY=SA,SU;BYSETPOS=4",
            Rule(YEARLY_WEEKDAY, NEW_YEAR, month=3, days_of_week=(SATURDAY, SUNDAY), index=FOURTH),
        ),
        ("FREQ=YEARLY;BYDAY=1TH", Rule(YEARLY_WEEKDAY, NEW_YEAR, month=1, days_of_week=(THURSDAY,))),
        ("FREQ=YEARLY;BYDAY=-1TH", Rule(YEARLY_WEEKDAY, NEW_YEAR, month=12, days_of_week=(THURSDAY,), index=LAST)),
        ("FREQ=YEARLY;BYDAY=TH", Rule(WEEKLY, NEW_YEAR, days_of_week=(THURSDAY,), first_day_of_week=MONDAY)),
        ("FREQ=YEARLY;BYMONTHDAY=5", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=5)),
        ("FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=5", Rule(MONTHLY_DAY, NEW_YEAR, 6, day_of_month=5)),
        (
            "FREQ=YEARLY;BYDAY=MO;BYMONTHDAY=15,16,17,18,19,20,21",
            Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,), index=THIRD),
        ),
        (
            "FREQ=YEARLY;BYDAY=MO,TU;BYSETPOS=-1",
            Rule(YEARLY_WEEKDAY, NEW_YEAR, month=12, days_of_week=(MONDAY, TUESDAY), index=LAST),
        ),
        ("FREQ=YEARLY;BYMONTH=1,4,7,10", Rule(MONTHLY_DAY, NEW_YEAR, 3, day_of_month=1)),
        ("FREQ=YEARLY;BYYEARDAY=32", Rule(YEARLY_DAY, NEW_YEAR, month=2, day_of_month=1)),
        ("FREQ=YEARLY;BYYEARDAY=-1", Rule(YEARLY_DAY, NEW_YEAR, month=12, day_of_month=31)),
        ("FREQ=MONTHLY;BYDAY=TH", Rule(WEEKLY, NEW_YEAR, days_of_week=(THURSDAY,), first_day_of_week=MONDAY)),
        ("FREQ=MONTHLY;BYMONTH=3;BYMONTHDAY=5", Rule(YEARLY_DAY, NEW_YEAR, month=3, day_of_month=5)),
        ("FREQ=MONTHLY;INTERVAL=6;BYMONTH=1,7;BYMONTHDAY=5", Rule(MONTHLY_DAY, NEW_YEAR, 6, day_of_month=5)),
        (
            "FREQ=MONTHLY;BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14",
            Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(SUNDAY,), index=SECOND),
        ),
        ("FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=1", Rule(MONTHLY_WEEKDAY, NEW_YEAR, days_of_week=(MONDAY,))),
        ("FREQ=WEEKLY;BYDAY=1MO", Rule(WEEKLY, NEW_YEAR, days_of_week=(MONDAY,), first_day_of_week=MONDAY)),
        ("FREQ=DAILY;BYMONTHDAY=5", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=5)),
        ("FREQ=DAILY;BYHOUR=0;BYMINUTE=00;BYSECOND=0", Rule(DAILY, NEW_YEAR)),
        ("FREQ=HOURLY;INTERVAL=48", Rule(DAILY, NEW_YEAR, 2)),
        ("FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=BACKWARD;X-A=B", Rule(MONTHLY_DAY, NEW_YEAR, day_of_month=1)),
    ],
)
def test_rule_of(text: str, expected: Rule) -> None:
    """A rule of another program is read; the start supplies its missing parts."""
    assert rule_of(parts(text), NEW_YEAR, None) == expected


@pytest.mark.parametrize(
    "text",
    [
        "INTERVAL=2",
        "FREQ=",
        "FREQ=HOURLY",
        "FREQ=HOURLY;INTERVAL=36",
        "FREQ=SECONDLY;INTERVAL=86400;BYHOUR=9",
        "FREQ=DAILY,WEEKLY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYMONTH=6",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
        "FREQ=DAILY;INTERVAL=often",
        "FREQ=DAILY;INTERVAL=1,2",
        "FREQ=DAILY;COUNT=1.5",
        f"FREQ=DAILY;COUNT={'9' * 5000}",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=MO,",
        "FREQ=WEEKLY;BYDAY=MO;WKST=XX",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYMONTHDAY=1,15;BYSETPOS=-1",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=MONTHLY;BYMONTHDAY=5;BYSETPOS=2",
        "FREQ=MONTHLY;BYMONTHDAY=,",
        "FREQ=MONTHLY;BYDAY=1MO,1TU",
        "FREQ=MONTHLY;BYDAY=1MO,1TU;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=-2MO",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1,2",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=5",
        "FREQ=YEARLY;BYMONTH=5L",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=YEARLY;BYDAY=5MO",
        "FREQ=YEARLY;BYYEARDAY=60",
        "FREQ=YEARLY;BYMONTH=1,6;BYMONTHDAY=5",
        "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=5;BYSETPOS=1",
        "FREQ=YEARLY;BYMONTH=1,7;BYDAY=1MO;BYSETPOS=1",
        "FREQ=YEARLY;INTERVAL=2;BYDAY=MO;BYMONTHDAY=1,2,3,4,5,6,7",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "FREQ=MONTHLY;BYMONTH=1,2;BYMONTHDAY=5",
        "FREQ=MONTHLY;RSCALE=CHINESE;BYMONTHDAY=5",
        "FREQ=MONTHLY;SKIP=FORWARD;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=1;BYDAY=20MO",
    ],
)
def test_no_outlook_pattern(text: str) -> None:
    """A rule without an Outlook pattern is refused."""
    with pytest.raises(InvalidRequest, match="no equivalent in Outlook") as error:
        rule_of(parts(text), NEW_YEAR, None)

    assert len(error.value.message) < 200


@pytest.mark.parametrize("months", ["3,5,7,9,11", "6,7,8,9,10,11,12"])
def test_months_of_a_part_of_the_year(months: str) -> None:
    """Months at equal distances that leave out a part of the year are no interval."""
    start = date(2026, int(months[0]), 1)

    with pytest.raises(InvalidRequest, match="BYMONTH"):
        rule_of(parts(f"FREQ=YEARLY;BYMONTH={months}"), start, None)


@pytest.mark.parametrize(
    "text", ["FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=-1", "FREQ=MONTHLY;BYMONTHDAY=-2", "FREQ=YEARLY;BYMONTH=13"]
)
def test_bounds_are_checked_later(text: str) -> None:
    """Numbers out of bounds are refused when the rule is normalized."""
    with pytest.raises(InvalidRequest):
        normalize(rule_of(parts(text), NEW_YEAR, None))


part_names = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYHOUR"]
part_values = (
    st.integers(-40, 40)
    | st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "MO", "SU", "1MO", "-1FR", "99SU"])
    | st.text(max_size=5)
)


@pytest.mark.slow
@UNHURRIED
@given(st.dictionaries(st.sampled_from(part_names), st.lists(part_values, max_size=4)), st.dates())
def test_any_parts(some_parts: dict[str, list[Any]], start: date) -> None:
    """Any RRULE parts are either read or raise InvalidRequest."""
    try:
        normalized = normalize(rule_of(some_parts, start, None))
    except InvalidRequest:
        return
    assert normalize(rule_of(parts_of(normalized), normalized.start, normalized.until)) == normalized
