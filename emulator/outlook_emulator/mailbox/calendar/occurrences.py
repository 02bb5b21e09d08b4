"""The occurrences of a series: computed where nobody changed them, stored where somebody did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

import orjson

from outlook_emulator.enums import EventType
from outlook_emulator.errors import NotFound
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.calendar.event_rows import SHORT, instant, local, rule_of, wall_length, wall_time
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event

# An occurrence's id holds its series and its original start in seconds since the year 1, which fit these bits.
_BITS = 39
_YEAR_1 = 62_135_596_800
_SECOND = 1_000_000
_DAY = timedelta(days=1)


def wire_id(event: Event) -> str:
    """The id of an event or occurrence, in its mailbox; an old id is a series', not its occurrences'."""
    if event.master_id is not None and event.original_start is not None:
        return encode(IdKind.OCCURRENCE, event.mailbox_id, _key(event.master_id, event.original_start))
    return event.external_id or encode(IdKind.EVENT, event.mailbox_id, event.id)


def master_wire_id(event: Event) -> str | None:
    """The id of the series an occurrence belongs to."""
    if event.master_id is None:
        return None
    return event.external_id or encode(IdKind.EVENT, event.mailbox_id, event.master_id)


def is_computed(event: Event) -> bool:
    """Whether an occurrence is as its series has it, and stored nowhere."""
    return event.type == EventType["Occurrence"]


def split_key(key: int) -> tuple[int, int]:
    """The key of the series and the original start, in seconds since 1970, in an occurrence's key."""
    return key >> _BITS, (key & (1 << _BITS) - 1) - _YEAR_1


def within(mailbox: Mailbox, calendar_id: int, since: int, until: int) -> list[Event]:
    """All that touches the time from `since` to before `until`, series taken apart, in order of start."""
    events: list[Event] = []
    for event in calendar_store.events_between(mailbox.db, calendar_id, since, until, SHORT):
        if event.rule is not None:
            events.extend(expand(event, since, until))
        elif touches(event, since, until):
            events.append(event)
    events.sort(key=lambda event: (event.start_at, event.id, event.original_start or 0))
    return events


def expand(master: Event, since: int, until: int) -> Iterator[Event]:
    """The unchanged occurrences of a series that touch a window, each as an event of its own."""
    length = wall_length(master)
    taken = set(orjson.loads(master.excluded))
    for start in _starts(master, since, until, length):
        if start not in taken:
            taken.add(start)
            one = _occurrence(master, start, length)
            if touches(one, since, until):
                yield one


def occurrence(mailbox: Mailbox, master: Event, start_second: int) -> Event:
    """The occurrence that was to start in that second: as it was changed, or as its series has it. Raises NotFound."""
    start = _known_start(master, start_second)
    exception = calendar_store.exception(mailbox.db, master.id, start)
    if exception is not None:
        return exception
    if start in orjson.loads(master.excluded):
        raise NotFound()
    return _occurrence(master, start, wall_length(master))


def is_start(master: Event, start: int) -> bool:
    """Whether a series, as it is now, has or had an occurrence that was to start then."""
    try:
        return _known_start(master, start // _SECOND) == start
    except NotFound:
        return False


def touches(event: Event, since: int, until: int) -> bool:
    """Whether an event takes place in a window, if only for an instant."""
    return event.start_at < until and (event.end_at > since or event.start_at >= since)


def _starts(master: Event, since: int, until: int, length: timedelta) -> Iterator[int]:
    rule = rule_of(master)
    assert rule is not None
    wall = wall_time(master)
    first = local(since, master.start_zone) - length - _DAY
    last = local(until, master.start_zone) + _DAY
    for day in recurrence.dates(rule, first.date(), last.date()):
        yield instant(datetime.combine(day, wall), master.start_zone)
    yield from orjson.loads(master.added)


def _known_start(master: Event, second: int) -> int:
    rule = rule_of(master)
    if rule is not None:
        added: list[int] = [one for one in orjson.loads(master.added) if one // _SECOND == second]
        if added:
            return added[0]
        try:
            day = local(second * _SECOND, master.start_zone).date()
        except (OverflowError, ValueError):
            raise NotFound() from None
        start = instant(datetime.combine(day, wall_time(master)), master.start_zone)
        if start // _SECOND == second and recurrence.includes(rule, day):
            return start
    raise NotFound()


def _key(master_id: int, start: int) -> int:
    return master_id << _BITS | start // _SECOND + _YEAR_1


def _occurrence(master: Event, start: int, length: timedelta) -> Event:
    # Of an all-day event the days count: a midnight may be skipped by a change of the clocks.
    wall = local(start, master.start_zone)
    if master.is_all_day:
        wall = datetime.combine(wall.date(), time())
    end = instant(wall + length, master.start_zone)
    return master._replace(
        id=_key(master.id, start),
        type=EventType["Occurrence"],
        master_id=master.id,
        original_start=start,
        start_at=start,
        end_at=end,
        recurrence=0,
        recurrence_end=None,
        occurrences=None,
        rule=None,
        excluded="[]",
        added="[]",
    )
