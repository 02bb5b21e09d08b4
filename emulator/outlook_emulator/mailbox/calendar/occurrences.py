"""The occurrences of a series: computed from its rule, except for exceptions, which are stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace, merge
from itertools import chain

import orjson

from outlook_emulator.enums import EventType
from outlook_emulator.errors import NotFound
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.calendar.event_rows import SHORT, instant, local, rule_of, wall_length, wall_time
from outlook_emulator.mailbox.event import wall_zone
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Event

# The key of an occurrence combines the key of its series with the original start, in seconds since the year 1.
# So many bits last beyond the year 9999, and no start is negative.
_BITS = 39
_YEAR_1 = 62_135_596_800
_SECOND = 1_000_000
_DAY = timedelta(days=1)
_PAGE = 200
"""The number of events that are read at once."""


def wire_id(event: Event) -> str:
    """The wire id of an event or occurrence. Occurrences never have the external id of their series."""
    if event.master_id is not None and event.original_start is not None:
        return encode(IdKind.OCCURRENCE, event.mailbox_id, _key(event.master_id, event.original_start))
    return event.external_id or encode(IdKind.EVENT, event.mailbox_id, event.id)


def master_wire_id(event: Event) -> str | None:
    """The wire id of an occurrence's series, None for other events."""
    if event.master_id is None:
        return None
    # An occurrence holds the external id of its series.
    return event.external_id or encode(IdKind.EVENT, event.mailbox_id, event.master_id)


def is_computed(event: Event) -> bool:
    """Whether an event is an occurrence that is computed from its series, not stored."""
    return event.type == EventType.Occurrence


def split_key(key: int) -> tuple[int, int]:
    """The key of the series, and the original start in seconds since 1970, from the key of an occurrence."""
    return key >> _BITS, (key & (1 << _BITS) - 1) - _YEAR_1


def within(mailbox: Mailbox, calendar_id: int, since: int, until: int) -> list[Event]:
    """The events between two instants, ordered by start; a series appears as its occurrences."""
    return [event for event in stream(mailbox, calendar_id, since, until) if event is not None]


def stream(mailbox: Mailbox, calendar_id: int, since: int, until: int) -> Iterator[Event | None]:
    """The events of `within` one after the other; None is a pause before the first one.

    Computed as they are taken, so that the first ones of a view do not cost as much as the whole.
    """
    # By start, then by key and original start, so that pages never overlap.
    waiting: list[tuple[int, int, int, Event, Iterator[Event]]] = []
    rows = _long(mailbox.db, calendar_id, since, until)
    for row in chain((_short(mailbox.db, calendar_id, since, until),), rows):
        if (event := next(row, None)) is not None:
            waiting.append(_place(event, row))
        yield None
    heapify(waiting)
    while waiting:
        *_, event, row = waiting[0]
        if touches(event, since, until):
            yield event
        if (following := next(row, None)) is None:
            heappop(waiting)
        else:
            heapreplace(waiting, _place(following, row))


def expand(master: Event, since: int, until: int) -> Iterator[Event]:
    """The computed occurrences of a series in a window, ordered by start."""
    length = wall_length(master)
    done = set(orjson.loads(master.excluded))
    added = sorted(orjson.loads(master.added))
    starts = _starts(master, since, until, length)
    for start in merge(starts, added) if added else starts:
        if start not in done:
            # A date that was added can be one that the rule has too.
            done.add(start)
            event = _occurrence(master, start, length)
            if touches(event, since, until):
                yield event


def occurrence(mailbox: Mailbox, master: Event, start_second: int) -> Event:
    """The occurrence whose original start lies in a second, stored or computed. Raises NotFound."""
    start = _known_start(master, start_second)
    exception = calendar_store.exception(mailbox.db, master.id, start)
    if exception is not None:
        return exception
    if start in orjson.loads(master.excluded):
        raise NotFound()
    return _occurrence(master, start, wall_length(master))


def is_start(master: Event, start: int) -> bool:
    """Whether an instant is the original start of an occurrence of a series, excluded or not."""
    try:
        return _known_start(master, start // _SECOND) == start
    except NotFound:
        return False


def touches(event: Event, since: int, until: int) -> bool:
    """Whether an event and a window overlap; events without duration count."""
    return event.start_at < until and (event.end_at > since or event.start_at >= since)


def _starts(master: Event, since: int, until: int, length: timedelta) -> Iterator[int]:
    rule = rule_of(master)
    assert rule is not None
    wall, zone = wall_time(master), wall_zone(master)
    # An occurrence that began before the window may reach into it.
    first = local(since, zone) - length - _DAY
    last = local(until, zone) + _DAY
    for day in recurrence.dates(rule, first.date(), last.date()):
        yield instant(datetime.combine(day, wall), zone)


def _short(db: Database, calendar_id: int, since: int, until: int) -> Iterator[Event]:
    """The short events that may reach into a window, ordered by start and key; read page by page."""
    earliest, after = since - SHORT, 0
    while page := calendar_store.short_events(db, calendar_id, earliest, until, after, _PAGE):
        yield from page
        earliest, after = page[-1].start_at, page[-1].id


def _long(db: Database, calendar_id: int, since: int, until: int) -> Iterator[Iterator[Event]]:
    """The long events that may reach into a window, each by itself, and the occurrences of each series."""
    for key in calendar_store.long_events(db, calendar_id, since, until):
        # One by one, since there may be many; it may be gone by now.
        event = calendar_store.event_of_any(db, key)
        if event is not None:
            yield expand(event, since, until) if event.rule is not None else iter((event,))


def _place(event: Event, row: Iterator[Event]) -> tuple[int, int, int, Event, Iterator[Event]]:
    return event.start_at, event.id, event.original_start or 0, event, row


def _known_start(master: Event, second: int) -> int:
    rule = rule_of(master)
    if rule is not None:
        added: list[int] = [start for start in orjson.loads(master.added) if start // _SECOND == second]
        if added:
            return added[0]
        try:
            day = local(second * _SECOND, wall_zone(master)).date()
        except (OverflowError, ValueError):
            raise NotFound() from None
        start = instant(datetime.combine(day, wall_time(master)), wall_zone(master))
        if start // _SECOND == second and recurrence.includes(rule, day):
            return start
    raise NotFound()


def _key(master_id: int, start: int) -> int:
    return master_id << _BITS | start // _SECOND + _YEAR_1


def _occurrence(master: Event, start: int, length: timedelta) -> Event:
    end = instant(local(start, wall_zone(master)) + length, wall_zone(master))
    return master._replace(
        id=_key(master.id, start),
        type=EventType.Occurrence,
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
