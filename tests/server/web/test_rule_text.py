"""How a series repeats, in words."""

from __future__ import annotations

from datetime import date

import pytest

from outlook_emulator.enums import DayOfWeek, WeekIndex
from outlook_emulator.mailbox.event import Rule
from outlook_emulator.mailbox.recurrence import (
    DAILY,
    MONTHLY_DAY,
    MONTHLY_WEEKDAY,
    WEEKLY,
    YEARLY_DAY,
    YEARLY_WEEKDAY,
)
from outlook_emulator.server.web.rule_text import rule_text

START = date(2026, 3, 2)
MONDAY, WEDNESDAY, FRIDAY = DayOfWeek.Monday, DayOfWeek.Wednesday, DayOfWeek.Friday


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(DAILY, START), "every day"),
        (Rule(DAILY, START, interval=3, count=5), "every 3 days, 5 times"),
        (Rule(WEEKLY, START, days_of_week=(MONDAY,), until=date(2026, 6, 1)), "every week on Monday, until 2026-06-01"),
        (
            Rule(WEEKLY, START, interval=2, days_of_week=(MONDAY, WEDNESDAY, FRIDAY)),
            "every 2 weeks on Monday, Wednesday and Friday",
        ),
        (Rule(MONTHLY_DAY, START, day_of_month=15), "every month on day 15"),
        (
            Rule(MONTHLY_WEEKDAY, START, days_of_week=(FRIDAY,), index=WeekIndex.Last),
            "every month on the last Friday",
        ),
        (Rule(YEARLY_DAY, START, month=12, day_of_month=24), "every year on 24 December"),
        (
            Rule(YEARLY_WEEKDAY, START, month=5, days_of_week=(MONDAY,), index=WeekIndex.Second),
            "every year on the second Monday of May",
        ),
    ],
)
def test_rule_text(rule: Rule, text: str) -> None:
    """A rule reads as a phrase."""
    assert text == rule_text(rule)
