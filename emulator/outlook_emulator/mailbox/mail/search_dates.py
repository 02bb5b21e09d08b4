"""Reads the dates of a search, such as `2026-03-01` or `last week`, as spans of time.

Source: Outlook REST `$search` and Outlook's own search box; inferred where these say nothing. Days are UTC days, and
weeks start on Sunday as in Outlook's US default.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.frozen import Frozen
from outlook_emulator.patterns import pattern
from outlook_emulator.store.search_tree import Span

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_ISO_DATE = pattern(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_TIME = pattern(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,7})?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)
_US_DATE = pattern(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)


def read_span(text: str, comparison: str, now: int) -> Span:
    """The span that a date restriction selects; `comparison` is one of `=`, `<`, `<=`, `>`, `>=`.

    A date or relative word covers all of its instants: `>` starts after the last one and `<=` ends with it. Raises
    ValueError for a text that is not a date.
    """
    first, dots, last = text.strip().partition("..")
    period = _period(first, now)
    if dots and comparison != "=":
        raise ValueError("a range of dates cannot be compared")
    if dots:
        return Span(period.since, _period(last, now).until)
    return _compared(period, comparison)


def _compared(period: _Period, comparison: str) -> Span:
    if comparison == ">":
        return Span(period.until + 1, None)
    if comparison == ">=":
        return Span(period.since, None)
    if comparison == "<":
        return Span(None, period.since - 1)
    if comparison == "<=":
        return Span(None, period.until)
    return Span(period.since, period.until)


class _Period(Frozen):
    """The instants that one written date covers, both ends included; unlike a span it has no open end."""

    since: int
    until: int


def _period(text: str, now: int) -> _Period:
    normalized = " ".join(text.lower().split())
    return _relative(normalized, moment(now).date()) or _date(normalized) or _time(normalized) or _refuse()


def _refuse() -> _Period:
    raise ValueError("not a date")


def _date(text: str) -> _Period | None:
    if _ISO_DATE.fullmatch(text):
        day = date.fromisoformat(text)
    elif us := _US_DATE.fullmatch(text):
        day = date(int(us[3]), int(us[1]), int(us[2]))
    else:
        return None
    return _days(day, 1)


def _time(text: str) -> _Period | None:
    match = _ISO_TIME.fullmatch(text)
    if not match:
        return None
    day, time, fraction, offset = match.groups(default="")
    # Six digits: .NET callers write seven, and the store keeps microseconds.
    start = microseconds(datetime.fromisoformat(f"{day}T{time}{fraction[:7]}{offset.upper()}"))
    # The wire shows whole seconds, so a whole second must find every mail received within it.
    return _Period(start, start if fraction else start + _SECOND - 1)


def _relative(text: str, today: date) -> _Period | None:
    which, _, unit = text.partition(" ")
    if which in ("this", "last") and unit in ("week", "month", "year"):
        return _calendar_period(unit, today, last=which == "last")
    if text == "today":
        return _days(today, 1)
    if text == "yesterday":
        return _days(today - timedelta(days=1), 1)
    return None


def _calendar_period(unit: str, today: date, *, last: bool) -> _Period:
    start = _start_of(unit, today)
    if last:
        start = _start_of(unit, start - timedelta(days=1))
    # From the start of any unit, this many days later is in the next unit, never past it.
    into_next = start + timedelta(days={"week": 7, "month": 31, "year": 366}[unit])
    return _days(start, (_start_of(unit, into_next) - start).days)


def _start_of(unit: str, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.isoweekday() % 7)
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _days(first: date, count: int) -> _Period:
    start = microseconds(datetime(first.year, first.month, first.day))
    return _Period(start, start + count * _DAY - 1)
