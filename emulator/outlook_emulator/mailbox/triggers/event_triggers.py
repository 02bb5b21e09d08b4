"""The calendar triggers: events that are new, modified, changed within a window of days, or about to start.

All state is in the cursor, which is an instant: a position in the change feed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import NamedTuple, Unpack

import orjson

from outlook_emulator import odata
from outlook_emulator.clock import iso_ticks, microseconds
from outlook_emulator.enums import ActionType, ChangeAction, ItemKind
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.calendar import occurrences
from outlook_emulator.mailbox.calendar.event_input import clamp
from outlook_emulator.mailbox.calendar.events import key_in_filter
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers.earlier_events import EventsAt, event_before
from outlook_emulator.mailbox.triggers.mail_triggers import Poll, check_position
from outlook_emulator.odata import Vocabulary
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.store.records import Change, Event

_DAY, _MINUTE = 86_400_000_000, 60_000_000
# Days. Recorded for the calendar view of the Office 365 twin; that the trigger has the same limit is inferred.
_LONGEST_WINDOW = 1825
_LONGEST_LOOK = 60 * 24 * 366
_BATCH = 50
_FARTHEST = 366
"""How far ahead the next event is searched, in days."""


class Changed(NamedTuple):
    """An event, what happened to it as a value of ActionType, and the series of an occurrence, None for others."""

    event: Event
    action: int
    series: Event | None


def on_new_items(
    mailbox: Mailbox,
    *,
    table: str,
    properties: Vocabulary,
    dataset: str = "calendars",
    cursor: str | None = None,
    **options: Unpack[odata.QueryOptions],
) -> Poll | Sliced[Poll]:
    """Events that were added to a calendar, at most `top` for each poll; `skip` is ignored (inferred)."""
    query = odata.read(properties, **options)
    return _items(mailbox, dataset, table, query, cursor, _is_new)


def on_updated_items(
    mailbox: Mailbox,
    *,
    table: str,
    properties: Vocabulary,
    dataset: str = "calendars",
    cursor: str | None = None,
    **options: Unpack[odata.QueryOptions],
) -> Poll | Sliced[Poll]:
    """Events of a calendar that were modified; a changed occurrence is an item of its own."""
    query = odata.read(properties, **options)
    return _items(mailbox, dataset, table, query, cursor, _is_updated)


def on_changed_items(
    mailbox: Mailbox, *, table: str, incoming_days: int = 300, past_days: int = 50, cursor: str | None = None
) -> Sliced[Poll]:
    """Events that were added, updated or deleted in a window around now; a series appears as its occurrences.

    An event that a change moves out of the window counts as deleted, one that it moves in as added (documentation of
    the sibling connector).
    """
    for name, days in (("incoming_days", incoming_days), ("past_days", past_days)):
        if not 0 <= days <= _LONGEST_WINDOW:
            raise InvalidField(name, f"must be between 0 and {_LONGEST_WINDOW}, not {days}.")
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position))
    last = read_cursor(mailbox, cursor)
    entries = yield from _entries(mailbox, calendar.id, last, position, _pages(mailbox, last))
    since, until = clamp(mailbox.now - past_days * _DAY), clamp(mailbox.now + incoming_days * _DAY)
    return Poll((yield from _differences(EventsAt(mailbox, position), entries, since, until)), _text(position))


def on_upcoming_events(
    mailbox: Mailbox, *, table: str, look_ahead_time_in_minutes: int = 15, cursor: str | None = None
) -> Sliced[Poll]:
    """Events and occurrences that start within the look-ahead, each once, also those added to it later.

    A first cursor means that nothing in the look-ahead was returned yet. It is marked by a seventh fractional digit,
    which no instant in microseconds has.
    """
    if not 1 <= look_ahead_time_in_minutes <= _LONGEST_LOOK:
        problem = f"must be between 1 and {_LONGEST_LOOK}, not {look_ahead_time_in_minutes}."
        raise InvalidField("look_ahead_time_in_minutes", problem)
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    look = look_ahead_time_in_minutes * _MINUTE
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position).replace("0Z", "1Z"))
    last = read_cursor(mailbox, cursor)
    # The look-ahead counts from now, one microsecond after the position.
    returned_until, ahead = _returned_until(mailbox, cursor, look), position + 1 + look
    entries = yield from _entries(mailbox, calendar.id, last, position, _pages(mailbox, last))
    events = EventsAt(mailbox, position)
    upcoming: list[Event] = []
    for event in occurrences.stream(mailbox, calendar.id, clamp(returned_until), clamp(ahead + 1)):
        yield None
        # The stream also has events that started earlier and still last.
        if event is not None and returned_until < event.start_at <= ahead:
            upcoming.append(event)
            if len(upcoming) > mailbox.rules.max_view_events > 0:
                problem = f"leads to more than {mailbox.rules.max_view_events} events in one poll."
                raise InvalidField("look_ahead_time_in_minutes", problem)
    added = yield from _added_since(events, entries, last, returned_until)
    # Without a pause from here on. What has changed meanwhile is returned as it was, since the next poll starts there.
    changed = events.changed()
    upcoming = [event for event in upcoming if _stored_key(event) not in changed]
    for event in changed.values():
        if event is not None and event.calendar_id == calendar.id:
            visible = _visible(event, clamp(returned_until), clamp(ahead + 1))
            upcoming += [face for face in visible if returned_until < face.start_at <= ahead]
    items = [event for event in (*upcoming, *added) if not event.is_cancelled]
    return Poll(sorted(items, key=lambda event: (event.start_at, event.id)), _text(position))


def next_upcoming(
    mailbox: Mailbox, *, table: str, look_ahead_time_in_minutes: int = 15, cursor: str | None = None
) -> int | None:
    """The next instant at which `on_upcoming_events` has an item for a cursor, None if there is none within a year."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    look = look_ahead_time_in_minutes * _MINUTE
    returned_until = mailbox.now if cursor is None else _returned_until(mailbox, cursor, look)
    # In order, and computed as they are taken: most often the next event is near.
    for event in occurrences.stream(
        mailbox, calendar.id, clamp(returned_until), clamp(returned_until + _FARTHEST * _DAY)
    ):
        if event is not None and event.start_at > returned_until and not event.is_cancelled:
            return event.start_at - look
    return None


def read_cursor(mailbox: Mailbox, cursor: str) -> int:
    """The position of a cursor. Raises InvalidField."""
    try:
        if not cursor.endswith("Z") or len(cursor) > 40:
            raise ValueError
        position = microseconds(datetime.fromisoformat(cursor))
    except (ValueError, OverflowError):
        raise InvalidField("cursor", "is not a state of this trigger.") from None
    check_position(mailbox, position)
    return position


def _returned_until(mailbox: Mailbox, cursor: str, look: int) -> int:
    """The latest start that polls have returned. A position is one microsecond before its poll."""
    return read_cursor(mailbox, cursor) + 1 + (0 if cursor.endswith("1Z") else look)


_Fires = Callable[[EventsAt, Change, Event | None, Event], bool]
_CREATED = frozenset({ChangeAction.CREATED})
_WRITTEN = frozenset({ChangeAction.CREATED, ChangeAction.UPDATED})


def _items(
    mailbox: Mailbox, dataset: str, table: str, query: odata.Query, cursor: str | None, fires: _Fires
) -> Poll | Sliced[Poll]:
    """The result of a poll; as sliced work where much has changed."""
    if dataset.strip("'\"").lower() != "calendars":
        raise InvalidField("dataset", f"must be 'calendars', not '{dataset[:50]}'.")
    calendar = item_folders.resolve(mailbox, CALENDARS, table.strip("'\""))
    position = changes.position(mailbox.db, mailbox.now)
    if cursor is None:
        return Poll((), _text(position))
    last = read_cursor(mailbox, cursor)
    pages = _pages(mailbox, last)
    first = next(pages)
    work = _batch(
        mailbox, query, fires, position, _entries(mailbox, calendar.id, last, position, chain([first], pages))
    )
    return work if len(first) == changes.PAGE else whole(work)


def _batch(
    mailbox: Mailbox, query: odata.Query, fires: _Fires, position: int, entries: Sliced[list[Change]]
) -> Sliced[Poll]:
    # At least one: the cursor moves on with the last item of a batch.
    batch = _BATCH if query.top is None else max(1, min(query.top, _BATCH))
    matches: list[tuple[Change, Event]] = []
    for match in _matches(EventsAt(mailbox, position), mailbox, (yield from entries), fires, query):
        yield None
        if match is not None:
            matches.append(match)
            # One more than fits, to know whether there are more.
            if len(matches) > batch:
                break
    more = len(matches) > batch
    # Sorted within the batch only, since the cursor follows the order of the feed.
    events = _apply(mailbox, odata.Query(order=query.order), [event for _, event in matches[:batch]])
    return Poll(events, _text(matches[batch - 1][0].at if more else position), more)


def _matches(
    events: EventsAt, mailbox: Mailbox, entries: list[Change], fires: _Fires, query: odata.Query
) -> Iterator[tuple[Change, Event] | None]:
    """The events that a trigger fires for, each with its entry in the change feed; None stands for another event."""
    # The first entry of each item knows the event before all of the changes.
    first = {entry.item_id: entry for entry in _first_entries(entries)}
    # An item is created once, so polls in batches find it wherever they split, even if it was changed since.
    actions = _CREATED if fires is _is_new else _WRITTEN
    for entry in changes.newest_of_each(entry for entry in entries if entry.action in actions):
        event = events.get(entry.item_id)
        if event is None or not fires(events, entry, event_before(first[entry.item_id]), event):
            yield None
            continue
        if _apply(mailbox, odata.Query(query.where), [event]):
            yield entry, event
        else:
            yield None


def _apply(mailbox: Mailbox, query: odata.Query, events: Iterable[Event]) -> list[Event]:
    return odata.apply(query, events, lambda text: key_in_filter(mailbox, text))


def _is_new(events: EventsAt, entry: Change, before: Event | None, event: Event) -> bool:
    # An exception of a series is stored as an event of its own, but nobody added it.
    return event.master_id is None


def _is_updated(events: EventsAt, entry: Change, before: Event | None, event: Event) -> bool:
    if event.master_id is not None:
        # An exception is stored when its occurrence is changed.
        return True
    return entry.action == ChangeAction.UPDATED and not _only_excluded_exceptions(events, before, event)


def _only_excluded_exceptions(events: EventsAt, before: Event | None, event: Event) -> bool:
    """Whether a series changed only because its occurrences became exceptions, which are items of their own."""
    if before is None or event.rule is None or _content(before) != _content(event)._replace(excluded=before.excluded):
        return False
    excluded = set(orjson.loads(event.excluded)) - set(orjson.loads(before.excluded))
    return bool(excluded) and all(events.has_exception(event.id, start) for start in excluded)


def _pages(mailbox: Mailbox, position: int) -> Iterator[list[Change]]:
    return changes.pages_of(mailbox.db, mailbox.owner.id, ItemKind.EVENT, position)


def _entries(
    mailbox: Mailbox, calendar_id: int, position: int, end: int, pages: Iterable[list[Change]]
) -> Sliced[list[Change]]:
    """The entries about a calendar from one position to another.

    Raises InvalidField if the change feed has forgotten later ones during a pause.
    """
    entries: list[Change] = []
    for page in pages:
        check_position(mailbox, position)
        # What is written during a pause is for the next poll.
        entries += [entry for entry in page if entry.at <= end]
        position = entries[-1].at if entries else position
        yield None
    return [entry for entry in entries if entry.folder_id == calendar_id]


def _stored_key(event: Event) -> int | None:
    """The key of the event, of which a computed occurrence has none: then that of its series."""
    return event.master_id if occurrences.is_computed(event) else event.id


def _differences(events_at: EventsAt, entries: Iterable[Change], since: int, until: int) -> Sliced[list[Changed]]:
    before: dict[str, Event] = {}
    after: dict[str, Event] = {}
    rewritten: set[str] = set()
    for entry in _first_entries(entries):
        yield None
        old, new = event_before(entry), events_at.get(entry.item_id)
        for events_by_id, version in ((before, old), (after, new)):
            for event in _visible(version, since, until):
                events_by_id[wire_id(event)] = event
                yield None
        # Any write to a single event is an update. Of a series only the occurrences that differ are, or all would be.
        rewritten.update(wire_id(event) for event in (old, new) if event is not None and event.rule is None)
    actions = {id: ActionType.deleted for id in before if id not in after}
    actions |= {id: ActionType.added for id in after if id not in before}
    actions |= {
        id: ActionType.updated
        for id in after
        if id in before and (id in rewritten or _content(before[id]) != _content(after[id]))
    }
    # What was deleted appears as it was before, everything else as the poll meets it.
    series, events = _Series(events_at), before | after
    differences = [Changed(events[id], action, series.of(events[id])) for id, action in actions.items()]
    return sorted(differences, key=lambda changed: (changed.event.modified, changed.event.start_at, changed.event.id))


class _Series:
    """The series of occurrences, each read once."""

    def __init__(self, events: EventsAt) -> None:
        self._events = events
        self._known: dict[int, Event | None] = {}

    def of(self, event: Event) -> Event | None:
        """The series of an occurrence if it still exists, None for other events."""
        key = event.master_id
        if key is None:
            return None
        if key not in self._known:
            self._known[key] = self._events.get(key)
        return self._known[key]


def _first_entries(entries: Iterable[Change]) -> list[Change]:
    """The first entry of each item."""
    first: dict[int, Change] = {}
    for entry in entries:
        first.setdefault(entry.item_id, entry)
    return list(first.values())


def _visible(event: Event | None, since: int, until: int) -> Iterator[Event]:
    """The event, or the occurrences of a series, in a window."""
    if event is None:
        return
    if event.rule is not None:
        yield from occurrences.expand(event, since, until)
    elif occurrences.touches(event, since, until):
        yield event


def _content(event: Event) -> Event:
    # Without what each write changes, and what tells an exception from an occurrence of its series.
    return event._replace(id=0, modified=0, version=0, type=0)


def _added_since(events: EventsAt, entries: Iterable[Change], last: int, returned_until: int) -> Sliced[list[Event]]:
    """The events that changes put into the part of the calendar that earlier polls have covered."""
    before: set[tuple[str, int]] = set()
    after: dict[str, Event] = {}
    for entry in _first_entries(entries):
        yield None
        for event in _visible(event_before(entry), last, returned_until + 1):
            # With the start: an event that was moved within the covered part is returned again.
            before.add((wire_id(event), event.start_at))
            yield None
        for event in _visible(events.get(entry.item_id), last, returned_until + 1):
            after[wire_id(event)] = event
            yield None
    return [
        event
        for id, event in after.items()
        if last < event.start_at <= returned_until and (id, event.start_at) not in before
    ]


def _text(position: int) -> str:
    return iso_ticks(position).replace("+00:00", "Z")
