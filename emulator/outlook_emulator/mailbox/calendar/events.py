"""Events: made, read, changed and deleted, alone or in series; lists give series, views give their occurrences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from outlook_emulator import odata
from outlook_emulator.enums import Recurrence, ResponseType
from outlook_emulator.errors import InvalidRequest, NoSuchOperation, NotFound
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox import item_folders, recurrence
from outlook_emulator.mailbox.calendar import event_store, invitations, occurrences
from outlook_emulator.mailbox.calendar.event_input import EventChanges, changed, check_series, clamp, new, read_time
from outlook_emulator.mailbox.calendar.event_rows import fields_of, is_own, local
from outlook_emulator.mailbox.event import EventFields, Series
from outlook_emulator.mailbox.filter_properties import EVENTS
from outlook_emulator.mailbox.item_folders import CALENDARS, Listed
from outlook_emulator.mailbox.mailbox import Mailbox
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
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
) -> list[Event]:
    """The events of a calendar, a series as one (recorded); all of them unless `top` says otherwise."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    query = odata.read(EVENTS, filter=filter, orderby=orderby, top=top, skip=skip)
    return filters.find(mailbox.db, EVENTS, calendar.id, query, lambda text: key_in_filter(mailbox, text))


def view(
    mailbox: Mailbox,
    *,
    calendar_id: str,
    start_date_time_offset: str,
    end_date_time_offset: str,
    search: str | None = None,
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
) -> list[Event]:
    """What a calendar holds between two instants, every occurrence of a series by itself, in order of start.

    `search` lets through what has all its words in subject or body. Raises InvalidRequest for a window beyond the
    1825 days that the service allows (recorded).
    """
    calendar = item_folders.resolve(mailbox, CALENDARS, calendar_id)
    since = read_time(start_date_time_offset, "UTC", "startDateTimeOffset")
    until = read_time(end_date_time_offset, "UTC", "endDateTimeOffset")
    if until < since:
        raise InvalidRequest("'endDateTimeOffset' must not be before 'startDateTimeOffset'.")
    longest = mailbox.rules.max_view_days
    if until - since > longest * _DAY:
        raise InvalidRequest(
            "Your request can't be completed. The range between the start and end dates is greater than the allowed"
            f" range. Maximum number of days: {longest}"
        )
    query = odata.read(EVENTS, filter=filter, orderby=orderby, top=top, skip=skip)
    found = occurrences.within(mailbox, calendar.id, clamp(since), clamp(until))
    return odata.apply(query, _searched(found, search), lambda text: key_in_filter(mailbox, text))


def get(mailbox: Mailbox, *, table: str, id: str) -> Event:
    """An event, a series or an occurrence of one, in the calendar it lies in. Raises InvalidId, NotFound."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    event = by_id(mailbox, id)
    if event.calendar_id != calendar.id:
        raise NotFound()
    return event


def create(mailbox: Mailbox, asked: EventChanges, *, table: str) -> Event:
    """Make an event, and invite its attendees. Raises InvalidRequest."""
    calendar = item_folders.resolve(mailbox, CALENDARS, table)
    details = new(mailbox, asked)
    with mailbox.db.transaction():
        event = event_store.insert(mailbox, calendar.id, details)
        invitations.invite(mailbox, event)
    return event


def change(mailbox: Mailbox, asked: EventChanges, *, table: str, id: str) -> Event:
    """Change what is given of an event; a changed occurrence leaves its series as it is. Attendees hear of it."""
    event = get(mailbox, table=table, id=id)
    _check_id(id)
    before = fields_of(event)
    with mailbox.db.transaction():
        if event.master_id is None:
            saved = event_store.save(mailbox, event, changed(mailbox, before, asked))
        else:
            saved = _change_occurrence(mailbox, event, asked)
        return invitations.update(mailbox, before, saved)


def delete(mailbox: Mailbox, *, table: str, id: str) -> None:
    """Delete an event, or one occurrence of a series; what its owner organized is cancelled for those invited."""
    event = get(mailbox, table=table, id=id)
    _check_id(id)
    with mailbox.db.transaction():
        invitations.cancel(mailbox, event)
        event_store.take_out(mailbox, event)


def by_id(mailbox: Mailbox, id: str) -> Event:
    """The event or occurrence with that wire id. Raises InvalidId, NotFound."""
    event = calendar_store.event_by_external_id(mailbox.db, mailbox.owner.id, id)
    if event is not None:
        return event
    try:
        return _by_key(mailbox, mailbox.key_of(IdKind.EVENT, id, "id"))
    except NotFound:
        master, second = occurrences.split_key(mailbox.key_of(IdKind.OCCURRENCE, id, "id"))
        return occurrences.occurrence(mailbox, _by_key(mailbox, master), second)


def bring_in(mailbox: Mailbox, calendar: ItemFolder, found: Iterable[Series]) -> list[Event]:
    """Put events that came from elsewhere into a calendar, as they are: nobody is invited. Inside a transaction."""
    return [_bring_in(mailbox, calendar, one) for one in found]


def carry_out(mailbox: Mailbox, calendar: ItemFolder) -> list[Series]:
    """All a calendar holds, ready to travel."""
    events = calendar_store.events(mailbox.db, calendar.id)
    return [event_store.as_series(mailbox, event)._replace(original=None, sequence=0) for event in events]


def _bring_in(mailbox: Mailbox, calendar: ItemFolder, series: Series) -> Event:
    event = replace(_owned(mailbox, series.event), external_id=_free_id(mailbox, series.event.external_id))
    if event.rule is None and event.added:
        # Outlook has no series of mere dates: its start is made a rule that gives nothing but itself.
        first = local(event.start, event.start_zone).date()
        event = replace(event, rule=recurrence.settle(recurrence.simple(Recurrence["Daily"], first, count=1)))
    check_series(event)
    master = event_store.insert(mailbox, calendar.id, event)
    for original_start, details in series.changed.items():
        exception = replace(_owned(mailbox, details), uid=master.uid, external_id=master.external_id)
        event_store.insert_exception(mailbox, master, original_start, exception)
    return master


def _free_id(mailbox: Mailbox, id: str | None) -> str | None:
    """An old id that an event may go by: none that looks like ours, or that another event has."""
    if id is None or looks_like_id(id):
        return None
    return None if calendar_store.event_by_external_id(mailbox.db, mailbox.owner.id, id) else id


def _owned(mailbox: Mailbox, details: EventFields) -> EventFields:
    """Details from elsewhere; of what its owner organizes, nobody waits for the owner's answer."""
    is_guest = details.organizer is not None and not is_own(mailbox, details)
    return details if is_guest else replace(details, response=ResponseType["Organizer"])


def _change_occurrence(mailbox: Mailbox, event: Event, asked: EventChanges) -> Event:
    # An occurrence has no rule of its own; whole bodies name its series' word all the same.
    own: EventChanges = asked.copy()
    for name in ("repeats", "repeats_until", "repeats_count", "rule"):
        own.pop(name, None)  # type: ignore[misc]
    details = changed(mailbox, fields_of(event), own)
    return event_store.save(mailbox, event_store.separate(mailbox, event), details)


def _by_key(mailbox: Mailbox, key: int) -> Event:
    event = calendar_store.event(mailbox.db, mailbox.owner.id, key)
    # An exception has the id of the occurrence that it replaces.
    if event is None or event.master_id is not None:
        raise NotFound()
    return event


def key_in_filter(mailbox: Mailbox, text: str) -> int | None:
    """The key of an event by its id in a filter; None for what names nothing here."""
    try:
        return by_id(mailbox, text).id
    except (InvalidRequest, NotFound):
        return None


def _check_id(id: str) -> None:
    """Ids of the old mail service go astray in updates and deletes, however they are escaped (Learn page)."""
    if "/" in id:
        raise NoSuchOperation(id)


def _searched(found: list[Event], search: str | None) -> list[Event]:
    words = (search or "").casefold().split()
    if not words:
        return found
    texts = ((one, f"{one.subject}\n{one.body}".casefold()) for one in found)
    return [one for one, text in texts if all(word in text for word in words)]
