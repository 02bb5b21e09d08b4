"""Places events in the days of a calendar: bars over several days, blocks of a day side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from outlook_emulator.enums import EventType, ShowAs
from outlook_emulator.mailbox.calendar.event_rows import local
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.store.records import Event

DAY = timedelta(days=1)
WEEK = 7
_SHORTEST = timedelta(minutes=30)
"""The least duration that a block is drawn with, so that its text can be read."""
_MICROSECOND = timedelta(microseconds=1)
_MOST_BLOCKS = 60
"""How many blocks a day has at most, so that a week stays small."""
_MOST_COLUMNS = 6
"""How many blocks stand side by side at most."""
_HOUR = 48
"""The height of an hour in pixels."""
_SERIES: dict[int, str] = {
    EventType.Occurrence: "series",
    EventType.Exception: "changed",
    EventType.SeriesMaster: "series",
}


class Item(NamedTuple):
    """An event in the wall-clock time of the zone that a calendar shows; an all-day event has the days of its own.

    It takes place on the days from `first` to `last`; one that ends at midnight does not reach into the next day.
    """

    event: Event
    start: datetime
    end: datetime
    first: date
    last: date

    @property
    def id(self) -> str:
        return wire_id(self.event)

    @property
    def is_all_day(self) -> bool:
        return self.event.is_all_day == 1

    @property
    def is_bar(self) -> bool:
        """Whether the event is drawn across days."""
        return self.is_all_day or self.end - self.start >= DAY

    @property
    def kind(self) -> str:
        """`series` for an occurrence, `changed` for an exception, empty for a single event."""
        return _SERIES.get(self.event.type, "")

    @property
    def style(self) -> str:
        """The classes that show what kind of event it is and how its time is shown."""
        shown = ShowAs(self.event.show_as).name.lower()
        return " ".join(filter(None, (self.kind, shown, "cancelled" if self.event.is_cancelled else "")))


class Bar(NamedTuple):
    """A cell of a row of bars: an event over a number of days, or a day without an item.

    `is_cut` says that the event goes on before or after the days that are shown.
    """

    days: int
    item: Item | None = None
    is_cut: bool = False


class Block(NamedTuple):
    """An event in a column of a day: `x` and `width` in percent of the day, `y` and `height` in pixels."""

    item: Item
    x: float
    y: float
    width: float
    height: float


class Day(NamedTuple):
    """A day of a week with its blocks; `more` events have no room."""

    date: date
    blocks: list[Block]
    more: int


class Hours(NamedTuple):
    """The hours of a day that a week shows, from `first` to before `end`."""

    first: int
    end: int

    @property
    def height(self) -> int:
        return (self.end - self.first) * _HOUR

    def y(self, hour: float) -> float:
        """The position of an hour in pixels."""
        return (hour - self.first) * _HOUR


def item_of(event: Event, zone: str) -> Item:
    """An event in a zone."""
    shown = "UTC" if event.is_all_day else zone
    start, end = local(event.start_at, shown), local(event.end_at, shown)
    # Clocks that are set back can make the end of a short event read earlier than its start.
    end = max(start, end)
    first = start.date()
    last = first if end.date() == first else max(first, (end - _MICROSECOND).date())
    return Item(event, start, end, first, last)


def on(items: Iterable[Item], first: date, days: int) -> list[Item]:
    """The items that take place within a number of days."""
    last = first + (days - 1) * DAY
    return [item for item in items if item.first <= last and item.last >= first]


def bars(items: Iterable[Item], first: date, most: int) -> tuple[list[list[Bar]], list[Item]]:
    """Rows of bars for a week from `first`, `most` rows at most, and the items without room."""
    last = first + (WEEK - 1) * DAY
    rows: list[list[Item]] = []
    left_out: list[Item] = []
    for item in sorted(items, key=lambda item: (item.first, -(item.last - item.first), item.start)):
        row = next((row for row in rows if row[-1].last < max(item.first, first)), None)
        if row is not None:
            row.append(item)
        elif len(rows) < most:
            rows.append([item])
        else:
            left_out.append(item)
    return [list(_cells(row, first, last)) for row in rows], left_out


def _cells(row: Sequence[Item], first: date, last: date) -> Iterator[Bar]:
    day = first
    for item in row:
        start, end = max(item.first, first), min(item.last, last)
        yield from [Bar(1)] * (start - day).days
        yield Bar((end - start).days + 1, item, (start, end) != (item.first, item.last))
        day = end + DAY
    yield from [Bar(1)] * ((last - day).days + 1)


def hours_of(items: Iterable[Item]) -> Hours:
    """The hours that a week shows: the working day, and what its events need."""
    first, end = 8, 18
    for item in items:
        if item.first != item.last:
            return Hours(0, 24)
        first = min(first, item.start.hour)
        end = max(end, ceil(_minutes(max(item.end, item.start + _SHORTEST), item.first) / 60))
    return Hours(first, min(end, 24))


def day_of(items: Iterable[Item], day: date, hours: Hours) -> Day:
    """A day with the items that take place on it, those at the same time side by side."""
    blocks: list[Block] = []
    ordered = sorted(items, key=lambda item: (item.start, -(item.end - item.start)))
    more = max(len(ordered) - _MOST_BLOCKS, 0)
    for group in _groups(ordered[:_MOST_BLOCKS], day):
        columns: list[list[tuple[float, float, Item]]] = []
        for start, end, item in group:
            column = next((column for column in columns if column[-1][1] <= start), None)
            if column is not None:
                column.append((start, end, item))
            elif len(columns) < _MOST_COLUMNS:
                columns.append([(start, end, item)])
            else:
                more += 1
        width = 100 / len(columns)
        for number, column in enumerate(columns):
            for start, end, item in column:
                y = hours.y(start / 60)
                blocks.append(Block(item, number * width, y, width, hours.y(end / 60) - y))
    # In the order of time, in which the keyboard goes through them.
    return Day(day, sorted(blocks, key=lambda block: (block.y, block.x)), more)


def _groups(items: Iterable[Item], day: date) -> Iterator[list[tuple[float, float, Item]]]:
    """The items of a day with their minutes, in groups that overlap."""
    group: list[tuple[float, float, Item]] = []
    reach = 0.0
    for item in items:
        start = max(0.0, _minutes(item.start, day))
        end = min(24 * 60.0, max(_minutes(item.end, day), start + _SHORTEST.total_seconds() / 60))
        if group and start >= reach:
            yield group
            group, reach = [], 0.0
        group.append((start, end, item))
        reach = max(reach, end)
    if group:
        yield group


def _minutes(when: datetime, day: date) -> float:
    """The minutes from the beginning of a day."""
    return (when - datetime(day.year, day.month, day.day)).total_seconds() / 60
