"""The emulator and the recurring-ical-events library expand an exported series to the same occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import icalendar
import pytest
import recurring_ical_events
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import VirtualClock, microseconds, moment
from outlook_emulator.enums import DayOfWeek, PatternType
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import item_folders, recurrence
from outlook_emulator.mailbox.calendar import event_store, events, occurrences
from outlook_emulator.mailbox.calendar.event_rows import instant, local
from outlook_emulator.mailbox.event import EventFields, Rule, Series, wall_zone
from outlook_emulator.mailbox.formats import ics
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import Database

ZONES = ("UTC", "GMT Standard Time", "Pacific Standard Time", "AUS Eastern Standard Time", "India Standard Time")
"""Zones of both hemispheres, with daylight saving time, with a half-hour offset, and plain UTC."""
EXAMPLES = 50
DAYS = sorted(int(day) for day in DayOfWeek)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    sandbox = Sandbox("expansion", Database(), VirtualClock(datetime(2026, 3, 2)), Settings())
    yield sandbox.mailbox(sandbox.connect("me", "me@example.com"))
    sandbox.close()


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    pattern = draw(st.sampled_from(list(PatternType)))
    start = draw(st.dates(date(2019, 1, 1), date(2027, 12, 31)))
    end = draw(st.sampled_from(["none", "until", "count"]))
    named = pattern.name in ("Weekly", "RelativeMonthly", "RelativeYearly")
    return Rule(
        pattern,
        start,
        interval=draw(st.integers(1, 4 if "Yearly" in pattern.name else 14)),
        month=draw(st.integers(1, 12)) if "Yearly" in pattern.name else 0,
        day_of_month=draw(st.integers(1, 31)) if pattern.name.startswith("Absolute") else 0,
        days_of_week=tuple(draw(st.sets(st.sampled_from(DAYS), min_size=1, max_size=5).map(sorted))) if named else (),
        first_day_of_week=draw(st.sampled_from(DAYS)),
        index=draw(st.integers(1, 5)) if pattern.name.startswith("Relative") else 1,
        until=start + timedelta(days=draw(st.integers(40, 2500))) if end == "until" else None,
        count=draw(st.integers(1, 60)) if end == "count" else None,
    )


@st.composite
def series(draw: st.DrawFn, zone: str) -> EventFields:
    try:
        rule = recurrence.normalize(draw(rules()))
    except InvalidRequest:
        assume(False)
    all_day = draw(st.booleans())
    at = time() if all_day else draw(st.times(time(0), time(23, 59))).replace(microsecond=0)
    begin = datetime.combine(rule.start, at)
    gap = recurrence.shortest_gap(rule)
    # Whole days are at midnight UTC in every zone.
    days_zone = "UTC" if all_day else zone
    days, minutes = st.integers(1, min(3, gap)), st.integers(0, min(3000, gap * 1440))
    length = timedelta(days=draw(days)) if all_day else timedelta(minutes=draw(minutes))
    return EventFields(
        subject="Series",
        start=instant(begin, days_zone),
        end=instant(begin + length, days_zone),
        start_zone=zone,
        end_zone=zone,
        is_all_day=all_day,
        rule=rule,
    )


def ours(mailbox: Mailbox, imported: Series, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    with mailbox.db.transaction():
        home = item_folders.default(mailbox, CALENDARS)
        (event,) = events.import_events(mailbox, home, [imported])
    rows = occurrences.within(mailbox, home.id, microseconds(since), microseconds(until))
    with mailbox.db.transaction():
        event_store.remove(mailbox, event)
    return sorted((moment(row.start_at), moment(row.end_at)) for row in rows)


def theirs(raw: bytes, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Return the library's occurrences as instants; a date counts as midnight UTC."""

    def as_instant(value: date | datetime) -> datetime:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.combine(value, time(), UTC)

    # The library compares all-day events by date, so ask for a wider window and filter below.
    wide = recurring_ical_events.of(icalendar.Calendar.from_ical(raw)).between(
        since - timedelta(days=5), until + timedelta(days=5)
    )
    spans = ((as_instant(occurrence.start), as_instant(occurrence.end)) for occurrence in wide)
    return sorted(span for span in spans if span[0] < until and (span[1] > since or span[0] >= since))


def comparable(spans: list[tuple[datetime, datetime]], fields: EventFields) -> list[tuple[datetime, datetime | None]]:
    """Spans without the ends of those that start at a time of day which the clocks skip that day.

    The library then takes away from the end what the clocks skip, down to nothing; the RFC keeps the length.
    """
    wall = local(fields.start, wall_zone(fields)).time()
    return [
        (start, end if local(microseconds(start), wall_zone(fields)).time() == wall else None) for start, end in spans
    ]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_both_find_the_same_occurrences(mailbox: Mailbox, zone: str) -> None:
    compared = nonempty = crossing = 0

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        nonlocal compared, nonempty, crossing
        fields = data.draw(series(zone))
        rule = fields.rule
        assert rule is not None
        lasts = 1500 if rule.until is None else min(1500, (rule.until - rule.start).days)
        since = datetime.combine(rule.start, time(), UTC) + timedelta(days=data.draw(st.integers(-30, lasts)))
        until = since + timedelta(days=data.draw(st.integers(20, 400)))
        added = fields.start + data.draw(st.integers(0, 300)) * 3_600_000_000
        starts = [microseconds(start) for start, _ in ours(mailbox, Series(fields), since, until)]
        excluded = tuple(data.draw(st.lists(st.sampled_from(starts), max_size=2, unique=True))) if starts else ()
        if not fields.is_all_day and data.draw(st.booleans()):
            fields = replace(fields, added=(added,))
        exported = Series(replace(fields, excluded=excluded))
        raw = ics.compose([exported], now=0)
        compared += 1

        spans = ours(mailbox, exported, since, until)
        assert comparable(spans, fields) == comparable(theirs(raw, since, until), fields)
        nonempty += bool(spans)
        hours = {local(microseconds(start), "UTC").time() for start, _ in spans}
        crossing += len(hours) > 1 and not fields.added

    check()
    assert compared >= EXAMPLES
    assert nonempty > EXAMPLES // 4
    assert (crossing > 0) == (zone not in ("UTC", "India Standard Time")), crossing
