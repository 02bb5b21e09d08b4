"""The calendar triggers: events that are new, modified, changed within a window of days, or about to start.

All state is in the cursor, an instant: a position in the change feed, or how far ahead has been looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import orjson

from outlook_emulator import odata
from outlook_emulator.clock import iso_ticks, microseconds
from outlook_emulator.enums import ActionType, ChangeAction, ItemKind
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.calendar import occurrences
from outlook_emulator.mailbox.calendar.event_input import clamp
from outlook_emulator.mailbox.calendar.events import key_in_filter
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.mailbox.filter_properties import EVENTS
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers.mail_triggers import Poll, check_instant, newest
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Change, Event

_DAY, _MINUTE = 86_400_000_000, 60_000_000
_LONGEST_WINDOW = 1825
_LONGEST_LOOK = 60 * 24 * 366
_BATCH = 50
_STEPS = (1, 7, 31, 366)
"""How far ahead the next event is looked for, in days: mostly it is near."""


class Changed(NamedTuple):
    """An event, and what happened to it as an ActionType."""

    event: Event
    action: int


def on_new_items(
    mailbox: Mailbox,
    *,
    table: str,
    dataset: str = "calendars",
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
    cursor: str | None = None,
) -> Poll:
    """Events that came into a calendar. `top` is how many one poll gives; `skip` says nothing here (inferred)."""
    return _items(mailbox, dataset, table, _Asked(filter, orderby, top, skip), cursor, _is_new)


def on_updated_items(
    mailbox: Mailbox,
    *,
    table: str,
    dataset: str = "calendars",
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
    cursor: str | None = None,
) -> Poll:
    """Events of a calendar that were modified; an occurrence that was changed counts by itself."""
    return _items(mailbox, dataset, table, _Asked(filter, orderby, top, skip), cursor, _is_updated)


def on_changed_items(
    mailbox: Mailbox, *, table: str, incoming_days: int = 300, past_days: int = 50, cursor: str | None = None
) -> Poll:
    """What was added to, updated in or taken out of the part of a calendar around now, series taken apart.

    What leaves the window by a change counts as deleted, what enters it as added (sibling's documentation).
    """
    for name, days in (("incomingDays", incoming_days), ("pastDays", past_days)):
        if not 0 <= days <= _LONGEST_WINDOW:
            raise InvalidRequest(f"The query parameter '{name}' must be between 0 and {_LONGEST_WINDOW}, not {days}.")
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position))
    entries = _entries(mailbox, calendar.id, read_cursor(mailbox, cursor))
    since, until = clamp(mailbox.now - past_days * _DAY), clamp(mailbox.now + incoming_days * _DAY)
    return Poll(_differences(mailbox, entries, since, until), _text(position))


def on_upcoming_events(
    mailbox: Mailbox, *, table: str, look_ahead_time_in_minutes: int = 15, cursor: str | None = None
) -> Poll:
    """Events and occurrences that come within the look-ahead, each once; so does what is put there later on.

    Of a first cursor's look-ahead nothing has been given out yet; its seventh digit of a second, which no instant of
    ours has, says so.
    """
    if not 1 <= look_ahead_time_in_minutes <= _LONGEST_LOOK:
        raise InvalidRequest(
            f"The query parameter 'lookAheadTimeInMinutes' must be between 1 and {_LONGEST_LOOK},"
            f" not {look_ahead_time_in_minutes}."
        )
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    look = look_ahead_time_in_minutes * _MINUTE
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position).replace("0Z", "1Z"))
    last = read_cursor(mailbox, cursor)
    seen_until, ahead = _seen_until(mailbox, cursor, look), position + 1 + look
    entries = _entries(mailbox, calendar.id, last)
    due = [
        one
        for one in occurrences.within(mailbox, calendar.id, clamp(seen_until), clamp(ahead + 1))
        if seen_until < one.start_at <= ahead
    ]
    late = _put_in(mailbox, entries, last, seen_until)
    found = sorted((one for one in (*due, *late) if not one.is_cancelled), key=lambda one: (one.start_at, one.id))
    return Poll(found, _text(position))


def next_upcoming(
    mailbox: Mailbox, *, table: str, look_ahead_time_in_minutes: int = 15, cursor: str | None = None
) -> int | None:
    """The instant at which `on_upcoming_events` will have something for a cursor; None for nothing within a year."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    look = look_ahead_time_in_minutes * _MINUTE
    seen_until = mailbox.now if cursor is None else _seen_until(mailbox, cursor, look)
    for days in _STEPS:
        found = occurrences.within(mailbox, calendar.id, clamp(seen_until), clamp(seen_until + days * _DAY))
        starts = [one.start_at for one in found if one.start_at > seen_until and not one.is_cancelled]
        if starts:
            return min(starts) - look
    return None


def read_cursor(mailbox: Mailbox, cursor: str) -> int:
    """The instant a cursor stands for. Raises InvalidRequest."""
    try:
        if not cursor.endswith("Z") or len(cursor) > 40:
            raise ValueError
        position = microseconds(datetime.fromisoformat(cursor))
    except (ValueError, OverflowError):
        raise InvalidRequest("The query parameter 'triggerstate' is no state of this trigger.") from None
    check_instant(mailbox, position, "triggerstate")
    return position


def _seen_until(mailbox: Mailbox, cursor: str, look: int) -> int:
    """Until when starts have been given out. A position is a microsecond before the instant it was taken at."""
    return read_cursor(mailbox, cursor) + 1 + (0 if cursor.endswith("1Z") else look)


_Wanted = Callable[[Mailbox, Change, Event | None, Event], bool]
_MADE = frozenset({ChangeAction.CREATED})
_WRITTEN = frozenset({ChangeAction.CREATED, ChangeAction.UPDATED})


class _Asked(NamedTuple):
    filter: str | None
    orderby: str | None
    top: int | None
    skip: int | None


def _items(mailbox: Mailbox, dataset: str, table: str, asked: _Asked, cursor: str | None, wanted: _Wanted) -> Poll:
    if dataset.strip("'\"").lower() != "calendars":
        raise InvalidRequest(f"The dataset must be 'calendars', not '{dataset[:50]}'.")
    calendar = item_folders.resolve(mailbox, CALENDARS, table.strip("'\""))
    query = odata.read(EVENTS, filter=asked.filter, orderby=asked.orderby, top=asked.top, skip=asked.skip)
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position))
    batch = _BATCH if query.top is None else max(1, min(query.top, _BATCH))
    entries = _entries(mailbox, calendar.id, read_cursor(mailbox, cursor))
    found = list(islice(_matches(mailbox, entries, wanted, query), batch + 1))
    more = len(found) > batch
    events = _applied(mailbox, odata.Query(order=query.order), [event for _, event in found[:batch]])
    return Poll(events, _text(found[batch - 1][0].at if more else position), more)


def _matches(
    mailbox: Mailbox, entries: list[Change], wanted: _Wanted, query: odata.Query
) -> Iterator[tuple[Change, Event]]:
    first = {entry.item_id: _was(entry) for entry in reversed(entries)}
    # An item is made once, so polls in parts find it wherever they divide, even if it was changed since.
    for entry in newest(entries, _MADE if wanted is _is_new else _WRITTEN):
        event = _current(mailbox, entry)
        if event is None or not wanted(mailbox, entry, first[entry.item_id], event):
            continue
        if _applied(mailbox, odata.Query(query.where), [event]):
            yield entry, event


def _applied(mailbox: Mailbox, query: odata.Query, events: Iterable[Event]) -> list[Event]:
    return odata.apply(query, events, lambda text: key_in_filter(mailbox, text))


def _is_new(mailbox: Mailbox, entry: Change, was: Event | None, event: Event) -> bool:
    return event.master_id is None


def _is_updated(mailbox: Mailbox, entry: Change, was: Event | None, event: Event) -> bool:
    if event.master_id is not None:
        # An occurrence that differs is made when it is changed.
        return True
    return entry.action == ChangeAction.UPDATED and not _only_made_room(mailbox, was, event)


def _only_made_room(mailbox: Mailbox, was: Event | None, event: Event) -> bool:
    """Whether all that happened to a series is that occurrences were changed, which count by themselves."""
    if was is None or event.rule is None or _content(was) != _content(event)._replace(excluded=was.excluded):
        return False
    made = set(orjson.loads(event.excluded)) - set(orjson.loads(was.excluded))
    return bool(made) and all(calendar_store.exception(mailbox.db, event.id, start) is not None for start in made)


def _entries(mailbox: Mailbox, calendar_id: int, position: int) -> list[Change]:
    found = changes.of(mailbox.db, mailbox.owner.id, ItemKind.EVENT, position)
    return [one for one in found if one.folder_id == calendar_id]


def _current(mailbox: Mailbox, entry: Change) -> Event | None:
    return calendar_store.event(mailbox.db, mailbox.owner.id, entry.item_id)


def _was(entry: Change) -> Event | None:
    return None if entry.before is None else Event._make(orjson.loads(entry.before))


def _differences(mailbox: Mailbox, entries: Iterable[Change], since: int, until: int) -> list[Changed]:
    before: dict[str, Event] = {}
    after: dict[str, Event] = {}
    touched: set[str] = set()
    first: set[int] = set()
    for entry in entries:
        if entry.item_id in first:
            continue
        first.add(entry.item_id)
        was, now = _was(entry), _current(mailbox, entry)
        before |= {wire_id(one): one for one in _faces(was, since, until)}
        after |= {wire_id(one): one for one in _faces(now, since, until)}
        touched.update(wire_id(one) for one in (was, now) if one is not None and one.rule is None)
    found = [Changed(after[id], ActionType["added"]) for id in after if id not in before]
    found += [Changed(before[id], ActionType["deleted"]) for id in before if id not in after]
    found += [
        Changed(after[id], ActionType["updated"])
        for id in after
        if id in before and (id in touched or _content(before[id]) != _content(after[id]))
    ]
    return sorted(found, key=lambda one: (one.event.modified, one.event.start_at, one.event.id))


def _faces(event: Event | None, since: int, until: int) -> Iterator[Event]:
    """What of an event can be seen in a window: itself, or its occurrences."""
    if event is None:
        return
    if event.rule is not None:
        yield from occurrences.expand(event, since, until)
    elif occurrences.touches(event, since, until):
        yield event


def _content(event: Event) -> Event:
    return event._replace(id=0, modified=0, version=0, type=0)


def _put_in(mailbox: Mailbox, entries: Iterable[Change], last: int, seen_until: int) -> Iterator[Event]:
    """What a change put between the last look and where that looked to."""
    before: set[tuple[str, int]] = set()
    after: dict[str, Event] = {}
    first: set[int] = set()
    for entry in entries:
        if entry.item_id in first:
            continue
        first.add(entry.item_id)
        before |= {(wire_id(one), one.start_at) for one in _faces(_was(entry), last, seen_until + 1)}
        after |= {wire_id(one): one for one in _faces(_current(mailbox, entry), last, seen_until + 1)}
    for id, event in after.items():
        if last < event.start_at <= seen_until and (id, event.start_at) not in before:
            yield event


def _text(position: int) -> str:
    return iso_ticks(position).replace("+00:00", "Z")
