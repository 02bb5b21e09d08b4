"""Creates, reads, changes and deletes events. Lists contain each series once, views contain its occurrences."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, Unpack

from outlook_emulator import odata
from outlook_emulator.enums import NO_RESPONSE, Recurrence, ResponseType
from outlook_emulator.errors import (
    InvalidField,
    InvalidRequest,
    NoSuchOperation,
    NotFound,
    OccurrenceCrossing,
    RefusedByService,
    TooMuchContent,
)
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox import item_folders, recurrence
from outlook_emulator.mailbox.calendar import event_store, invitations, occurrences
from outlook_emulator.mailbox.calendar.event_input import changed, check_series, clamp, new, read_time
from outlook_emulator.mailbox.calendar.event_rows import fields_of, is_own, local
from outlook_emulator.mailbox.event import EventChanges, EventFields, Series, wall_zone
from outlook_emulator.mailbox.item_folders import CALENDARS, Listed
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.odata import Vocabulary
from outlook_emulator.slices import Sliced, in_one_step
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import filters
from outlook_emulator.store.records import Event, ItemFolder

_DAY = 86_400_000_000


def tables(mailbox: Mailbox) -> list[Listed]:
    """The calendars of the mailbox, by name."""
    return item_folders.tables(mailbox, CALENDARS)


def table(mailbox: Mailbox, *, table: str) -> Listed:
    """One calendar, by id or name. Raises InvalidId, FolderNotFound."""
    return item_folders.table(mailbox, CALENDARS, table)


def find(
    mailbox: Mailbox,
    *,
    table: str,
    properties: Vocabulary,
    **options: Unpack[odata.QueryOptions],
) -> list[Event] | Sliced[list[Event]]:
    """The events of a calendar, each series once (recorded), filtered and ordered by `properties`.

    Without `orderby`, the newest start comes first (recorded from the Office 365 twin, series by their own start).
    `top` is the only limit, or a setting without it.
    """
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    # 83 events came in one page (recorded from the Office 365 twin), but a user's report has 50 at most.
    query = odata.read(properties, **options).limited(mailbox.rules.max_events)
    find = partial(filters.find, mailbox.db, properties, calendar.id, query, partial(key_in_filter, mailbox))
    return find() if filters.has_few(mailbox.db, properties) else in_one_step(find)


def view(
    mailbox: Mailbox,
    *,
    calendar_id: str,
    start_date_time_offset: str,
    end_date_time_offset: str,
    properties: Vocabulary,
    search: str | None = None,
    **options: Unpack[odata.QueryOptions],
) -> Sliced[list[Event]]:
    """The events of a calendar between two instants, ordered by start; a series appears as its occurrences.

    `search` selects events with all its words in subject or body. Raises InvalidRequest for a window of more than the
    1825 days that the service allows (recorded), and TooMuchContent if too many events must be looked at.
    """
    calendar = item_folders.resolve(mailbox, CALENDARS, calendar_id)
    since = read_time(start_date_time_offset, "UTC", "start_date_time_offset")
    until = read_time(end_date_time_offset, "UTC", "end_date_time_offset")
    if until < since:
        raise InvalidField("end_date_time_offset", "must not be before the start.")
    longest = mailbox.rules.max_view_days
    if until - since > longest * _DAY:
        raise RefusedByService(
            "The range between the start and end dates is greater than the allowed range. Maximum number of days:"
            f" {longest}"
        )
    query = odata.read(properties, **options)
    key_of = partial(key_in_filter, mailbox)
    # Filtered here and not in SQL, since occurrences have no rows.
    condition, words = odata.Query(query.where), _Words(search)
    # Later events do not count, unless an order brings them to the front.
    enough = None if query.order or query.top is None else query.skip + query.top
    matches: list[Event] = []
    count, most = 0, mailbox.rules.max_view_events
    for event in occurrences.stream(mailbox, calendar.id, clamp(since), clamp(until)):
        yield None
        if event is None:
            continue
        if enough is not None and len(matches) >= enough:
            break
        count += 1
        if 0 < most < count:
            raise TooMuchContent(
                f"The view has more than {most} events. Ask for a shorter time, or for fewer with $top."
            )
        if words.are_in(event):
            matches += odata.apply(condition, (event,), key_of)
    return odata.apply(query._replace(where=None), matches, key_of)


def get(mailbox: Mailbox, *, table: str, id: str) -> Event:
    """One event, series or occurrence of a calendar. Raises InvalidId, NotFound."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    event = by_id(mailbox, id)
    if event.calendar_id != calendar.id:
        raise NotFound()
    return event


def create(mailbox: Mailbox, changes: EventChanges, *, table: str) -> Event:
    """Create an event and invite its attendees. Raises InvalidRequest."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    fields = _with_own_response(mailbox, new(mailbox, changes))
    with mailbox.db.transaction():
        event = event_store.insert(mailbox, calendar.id, fields)
        invitations.invite(mailbox, event)
    return event


def change(mailbox: Mailbox, changes: EventChanges, *, table: str, id: str, members: Collection[str]) -> Event:
    """Change an event, or one occurrence without its series, and notify the attendees.

    `members` are all fields that the body may set. What becomes of those it left out is a setting. Raises
    InvalidRequest; OccurrenceCrossing for an occurrence that is moved onto or over another one of its series.
    """
    event = get(mailbox, table=table, id=id)
    _check_id(id)
    before = fields_of(event)
    exceptions = event_store.exceptions(mailbox, event) if event.rule is not None else ()
    with mailbox.db.transaction():
        if event.master_id is None:
            after = _with_own_response(mailbox, changed(mailbox, before, changes, members))
            saved = event_store.save(mailbox, event, after)
        else:
            saved = _change_occurrence(mailbox, event, changes, members)
        return invitations.update(mailbox, before, saved, exceptions)


def delete(mailbox: Mailbox, *, table: str, id: str) -> None:
    """Delete an event, or one occurrence of a series; if the owner organizes it, cancel it for its attendees."""
    event = get(mailbox, table=table, id=id)
    _check_id(id)
    with mailbox.db.transaction():
        # Before the event is gone: the cancellation describes it, and reads its exceptions.
        invitations.cancel(mailbox, event)
        event_store.take_out(mailbox, event)


def by_id(mailbox: Mailbox, id: str) -> Event:
    """The event or occurrence with a wire id. Raises InvalidId, NotFound."""
    # First, since an id of another service may be any text, which decoding would refuse as malformed.
    event = calendar_store.event_by_external_id(mailbox.db, mailbox.owner.id, id)
    if event is not None:
        return event
    try:
        return _by_key(mailbox, mailbox.key_of(IdKind.EVENT, id, "id"))
    except NotFound:
        master, second = occurrences.split_key(mailbox.key_of(IdKind.OCCURRENCE, id, "id"))
        return occurrences.occurrence(mailbox, _by_key(mailbox, master), second)


def import_events(mailbox: Mailbox, calendar: ItemFolder, series: Iterable[Series]) -> list[Event]:
    """Add events from a file to a calendar without inviting anybody; call it inside a transaction."""
    return [_import_event(mailbox, calendar, entry) for entry in series]


def export_events(mailbox: Mailbox, calendar: ItemFolder) -> list[Series]:
    """All events of a calendar, ready to be written to a file."""
    return [export_event(mailbox, event) for event in calendar_store.events(mailbox.db, calendar.id)]


def export_event(mailbox: Mailbox, event: Event) -> Series:
    """An event with its exceptions, or an occurrence, ready to be written to a file."""
    return event_store.as_series(mailbox, event)._replace(sequence=0)


def _import_event(mailbox: Mailbox, calendar: ItemFolder, series: Series) -> Event:
    event = _imported(mailbox, series.event, external_id=_free_id(mailbox, series.event.external_id))
    if event.rule is None and event.added:
        # Outlook has no series without a rule, so the start gets a rule with a single occurrence.
        first = local(event.start, wall_zone(event)).date()
        kind = Recurrence.Daily if event.end - event.start <= 86_400_000_000 else Recurrence.Yearly
        event = replace(event, rule=recurrence.normalize(recurrence.simple(kind, first, count=1)))
    check_series(event)
    master = event_store.insert(mailbox, calendar.id, event, series.original)
    for original_start, changed_occurrence in series.changed.items():
        exception = _imported(mailbox, changed_occurrence, uid=master.uid, external_id=master.external_id)
        event_store.insert_exception(mailbox, master, original_start, exception)
    return master


def _free_id(mailbox: Mailbox, id: str | None) -> str | None:
    """The external id to keep: None where it looks like an id of the emulator, or another event has it."""
    if id is None or looks_like_id(id):
        return None
    return None if calendar_store.event_by_external_id(mailbox.db, mailbox.owner.id, id) else id


def _imported(mailbox: Mailbox, event: EventFields, **own: Any) -> EventFields:
    """An event from a file with values of its own; one that the owner organizes needs no response of the owner."""
    if is_own(mailbox, event):
        own["response"] = _organizer_response(mailbox, event)
    # A copy takes longer than the look, and most events stay as they are.
    return replace(event, **own) if any(getattr(event, name) != value for name, value in own.items()) else event


def _with_own_response(mailbox: Mailbox, event: EventFields) -> EventFields:
    """An event with the owner's response, if the owner organizes it."""
    if mailbox.rules.own_response == "organizer" or not is_own(mailbox, event):
        return event
    return replace(event, response=_organizer_response(mailbox, event))


def _organizer_response(mailbox: Mailbox, event: EventFields) -> ResponseType:
    """The response of the owner to an event of their own.

    It is Organizer in all recordings of the Office 365 twin. Users report None for events that invite nobody.
    """
    is_organizer = mailbox.rules.own_response == "organizer" or event.attendees
    return ResponseType.Organizer if is_organizer else NO_RESPONSE


def _change_occurrence(mailbox: Mailbox, event: Event, changes: EventChanges, members: Collection[str]) -> Event:
    # An occurrence has no rule of its own, but clients that send whole bodies repeat that of its series.
    own: EventChanges = changes.copy()
    for name in ("recurrence", "recurrence_end", "number_of_occurrences", "rule"):
        own.pop(name, None)  # type: ignore[misc]
    before = fields_of(event)
    after = _with_own_response(mailbox, changed(mailbox, before, own, members))
    if (before.start, before.end) != (after.start, after.end):
        _refuse_crossing(mailbox, event, after)
    return event_store.save(mailbox, event_store.separate(mailbox, event), after)


def _refuse_crossing(mailbox: Mailbox, event: Event, after: EventFields) -> None:
    """Raise OccurrenceCrossing if the new time of an occurrence overlaps another one of its series, or passes it."""
    original = event.original_start
    if event.master_id is None or original is None:
        return
    master = calendar_store.event(mailbox.db, mailbox.owner.id, event.master_id)
    assert master is not None
    # The order of occurrences never changes, so whatever the new time passes or overlaps lies between old and new.
    since, until = min(original, after.start), max(original, after.end) + 1
    others = chain(occurrences.expand(master, since, until), event_store.exceptions(mailbox, master))
    if any(_is_crossed(other, original, after) for other in others):
        raise OccurrenceCrossing()


def _is_crossed(other: Event, original: int, after: EventFields) -> bool:
    assert other.original_start is not None
    if other.original_start < original:
        return other.end_at > after.start or other.start_at >= after.start
    return other.original_start > original and (other.start_at < after.end or other.start_at <= after.start)


def _by_key(mailbox: Mailbox, key: int) -> Event:
    event = calendar_store.event(mailbox.db, mailbox.owner.id, key)
    # An exception has the id of the occurrence that it replaces.
    if event is None or event.master_id is not None:
        raise NotFound()
    return event


def key_in_filter(mailbox: Mailbox, text: str) -> int | None:
    """The key of the event that an id in a filter names, None where there is none."""
    try:
        return by_id(mailbox, text).id
    except (InvalidRequest, NotFound):
        return None


def _check_id(id: str) -> None:
    """Refuse ids with a slash, which updates and deletes cannot route however they are escaped (Learn page)."""
    if "/" in id:
        raise NoSuchOperation(id)


class _Words:
    """The words of a search, all of which an event must have in subject or body."""

    def __init__(self, search: str | None) -> None:
        self._words = (search or "").casefold().split()
        self._series: dict[int, bool] = {}

    def are_in(self, event: Event) -> bool:
        if not self._words:
            return True
        if event.master_id is None or not occurrences.is_computed(event):
            return self._are_in(event)
        # All computed occurrences have the text of their series.
        if event.master_id not in self._series:
            self._series[event.master_id] = self._are_in(event)
        return self._series[event.master_id]

    def _are_in(self, event: Event) -> bool:
        text = f"{event.subject}\n{event.body}".casefold()
        return all(word in text for word in self._words)
