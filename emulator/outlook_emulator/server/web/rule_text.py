"""Says in words how a series repeats."""

from __future__ import annotations

from calendar import month_name

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

_UNITS: dict[int, str] = {
    DAILY: "day",
    WEEKLY: "week",
    MONTHLY_DAY: "month",
    MONTHLY_WEEKDAY: "month",
    YEARLY_DAY: "year",
    YEARLY_WEEKDAY: "year",
}


def rule_text(rule: Rule) -> str:
    """A recurrence rule as a phrase, such as `every 2 weeks on Monday and Friday, 10 times`."""
    unit = _UNITS[rule.pattern]
    every = f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"
    days = _joined([DayOfWeek(day).name for day in rule.days_of_week])
    weekday = f"the {WeekIndex(rule.index).name.lower()} {days}"
    where: dict[int, str] = {
        DAILY: "",
        WEEKLY: f" on {days}",
        MONTHLY_DAY: f" on day {rule.day_of_month}",
        MONTHLY_WEEKDAY: f" on {weekday}",
        YEARLY_DAY: f" on {rule.day_of_month} {month_name[rule.month]}",
        YEARLY_WEEKDAY: f" on {weekday} of {month_name[rule.month]}",
    }
    end = ""
    if rule.count is not None:
        end = f", {rule.count} times"
    elif rule.until is not None:
        end = f", until {rule.until.isoformat()}"
    return every + where[rule.pattern] + end


def _joined(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
