"""Meetings: keeps a copy of the event in the calendar of each attendee with a mailbox, and mails all attendees.

Copies are found by UID; those of occurrences also by original start, since an attendee of single occurrences has them
without their series. Call all functions inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from outlook_emulator.enums import NO_RESPONSE, AttendeeType, ResponseType, ShowAs
from outlook_emulator.errors import NotFound
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.calendar import event_store
from outlook_emulator.mailbox.calendar.event_input import cadence
from outlook_emulator.mailbox.calendar.event_rows import attendees_of, fields_of
from outlook_emulator.mailbox.calendar.occurrences import is_start, occurrence
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mail import delivery, nondelivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event

CANCELLED_PREFIX = "Canceled: "
_RESPONSE = ("response", "responded", "show_as")


def invite(mailbox: Mailbox, event: Event) -> None:
    """Add a new event to the calendars of its attendees, and mail them the invitation."""
    if not event.is_organizer:
        return
    attendees = attendees_of(event)
    for guest in _guests(mailbox, attendees):
        _place(guest, mailbox, event)
    _send(mailbox, event, attendees, "REQUEST", event.subject)


def update(mailbox: Mailbox, before: EventFields, event: Event, exceptions: Iterable[Event] = ()) -> Event:
    """Send the organizer's changes to the attendees, and a cancellation to those who are no longer invited.

    All who stay get an update, whatever was changed (vendor's page of the Office 365 twin), but none where nothing was
    (inferred). Personal fields of their copies stay. A new time resets all responses. Returns the event as stored
    afterwards. `exceptions` are those that a series had before.
    """
    after = fields_of(event)
    if not event.is_organizer or before == after:
        return event
    gone = _not_in(mailbox, before.attendees, after.attendees)
    for guest in _guests(mailbox, gone):
        _cancel_copy(guest, event)
    _send(mailbox, event, gone, "CANCEL", CANCELLED_PREFIX + event.subject)
    _cancel_singles(mailbox, event, exceptions, before.attendees)
    moved = (before.start, before.end, before.rule) != (after.start, after.end, after.rule)
    if moved:
        # Before the copies are refreshed, which hold the attendee list, too.
        event = _without_responses(mailbox, event)
    for guest in _guests(mailbox, after.attendees):
        _refresh(guest, mailbox, event, moved)
    for exception in _exceptions(mailbox, event):
        for guest in _guests(mailbox, attendees_of(exception)):
            # An occurrence that an attendee declined or deleted does not come back with each change of its series.
            if copy_of(guest, exception) is not None:
                _refresh(guest, mailbox, exception, False)
    _send(mailbox, event, after.attendees, "REQUEST", event.subject)
    return event


def cancel(mailbox: Mailbox, event: Event) -> None:
    """Cancel an event, or one occurrence, in the calendars of its attendees, and mail them."""
    if not event.is_organizer or event.is_cancelled:
        return
    attendees: list[Attendee] = []
    for cancelled in (event, *_exceptions(mailbox, event)):
        for guest in _guests(mailbox, attendees_of(cancelled)):
            _cancel_copy(guest, cancelled)
        # One mail for all: an occurrence may have invited people whom the series did not.
        attendees += _not_in(mailbox, attendees_of(cancelled), attendees)
    _send(mailbox, event, attendees, "CANCEL", CANCELLED_PREFIX + event.subject)


def record_response(organizer: Mailbox, copy: Event, address: str, response: int) -> None:
    """Record the response of the attendee with an address in the organizer's event."""
    if nondelivery.is_named(organizer, organizer.owner.address):
        # The response is a mail, which does not arrive.
        return
    event = copy_of(organizer, copy)
    if event is None or not event.is_organizer:
        return
    fields = fields_of(event)
    attendees = with_response(fields.attendees, address, response, organizer.now)
    if attendees != fields.attendees:
        # Not through `update`: a response sends no new invitations.
        event_store.save(organizer, event_store.separate(organizer, event), replace(fields, attendees=attendees))


def with_response(attendees: Iterable[Attendee], address: str, response: int, now: int) -> tuple[Attendee, ...]:
    """The attendees, with the response of the one that an address reaches."""
    return tuple(
        attendee._replace(response=response, responded=now) if delivery.is_for(address, attendee.address) else attendee
        for attendee in attendees
    )


def mail_response(mailbox: Mailbox, event: Event, answered: EventFields, subject: str, comment: str) -> None:
    """Mail the owner's response to an event, which is in its `answered` fields, to the organizer."""
    own = [attendee for attendee in answered.attendees if delivery.is_for(mailbox.owner.address, attendee.address)]
    attendee = own[0] if own else Attendee(mailbox.owner.address, mailbox.owner.display_name)
    fields = replace(answered, attendees=(attendee._replace(response=answered.response),))
    organizer = Address(event.organizer, event.organizer_name)
    calendar = _attachment(mailbox, Series(fields, original=event.original_start), "REPLY", organizer)
    mail = Mail(
        to=(organizer,),
        subject=subject,
        body=f"<p>{escape(comment)}</p>" if comment else "",
        is_html=True,
        importance=event.importance,
        attachments=(calendar,),
    )
    delivery.post(mailbox, mail, None, mailbox.rng.getrandbits(62))


def deliver_waiting_invitations(mailbox: Mailbox) -> None:
    """Add the meetings to which the owner's address was invited before it had a mailbox."""
    for event in calendar_store.events_with_attendee(mailbox.db, mailbox.owner.address):
        if event.is_organizer and not event.is_cancelled:
            _place(mailbox, mailbox.beside(owner_of(mailbox.db, event.mailbox_id)), event)


def copy_of(mailbox: Mailbox, event: Event) -> Event | None:
    """The copy of another mailbox's event or occurrence in this mailbox, None without one."""
    copies = calendar_store.events_by_uid(mailbox.db, mailbox.owner.id, event.uid)
    if event.original_start is None:
        return next((copy for copy in copies if copy.original_start is None), None)
    for series in copies:
        if series.rule is not None:
            try:
                return occurrence(mailbox, series, event.original_start // 1_000_000)
            except NotFound:
                break
    return next((copy for copy in copies if copy.original_start == event.original_start), None)


def _exceptions(mailbox: Mailbox, event: Event) -> list[Event]:
    return event_store.exceptions(mailbox, event) if event.rule is not None else []


def _send(mailbox: Mailbox, event: Event, attendees: Iterable[Attendee], method: str, subject: str) -> None:
    """Mail an iCalendar message to the attendees with an address; rooms may have only a name.

    The optional ones get a copy, and rooms a blind one: Exchange's type of an attendee is that of a recipient
    (MS-OXOCAL).
    """
    people: dict[int, list[Address]] = {kind: [] for kind in AttendeeType}
    for attendee in attendees:
        if "@" in attendee.address:
            people[attendee.type].append(Address(attendee.address, attendee.name))
    if not any(people.values()):
        return
    organizer = Address(mailbox.owner.address, mailbox.owner.display_name)
    calendar = _attachment(mailbox, event_store.as_series(mailbox, event), method, organizer)
    mail = Mail(
        to=tuple(people[AttendeeType.Required]),
        cc=tuple(people[AttendeeType.Optional]),
        bcc=tuple(people[AttendeeType.Resource]),
        subject=subject,
        body=event.body,
        is_html=bool(event.is_html),
        importance=event.importance,
        attachments=(calendar,),
    )
    delivery.post(mailbox, mail, None, mailbox.rng.getrandbits(62))


def _attachment(mailbox: Mailbox, series: Series, method: str, organizer: Address) -> Attachment:
    # The icalendar package is slow to import, and only meetings and calendar files need it.
    from outlook_emulator.mailbox.formats import ics

    content = ics.compose([series], now=mailbox.now, method=method, organizer=organizer)
    return Attachment("meeting.ics", content, f"text/calendar; method={method}", is_inline=True)


def _guests(mailbox: Mailbox, attendees: Iterable[Attendee]) -> list[Mailbox]:
    """The mailboxes of attendees in this sandbox, each once, without this mailbox."""
    # Events reach attendees by mail, so those whose mail comes back have no copy.
    people = [attendee.address for attendee in attendees if not nondelivery.is_named(mailbox, attendee.address)]
    owners = delivery.find_owners(mailbox, people)
    unique = {owner.id: owner for owner in owners if owner is not None and owner.id != mailbox.owner.id}
    return [mailbox.beside(owner) for owner in unique.values()]


def _place(guest: Mailbox, host: Mailbox, event: Event) -> None:
    """Add a copy of an event and its exceptions to an attendee's calendar."""
    if copy_of(guest, event) is not None:
        return
    calendar = item_folders.default(guest, CALENDARS)
    fields = _as_guest(host, fields_of(event))
    if event.original_start is not None:
        series = _series_with(guest, event.uid, event.original_start)
        if series is None:
            event_store.insert(guest, calendar.id, fields, event.original_start)
        else:
            # The attendee declined or deleted it: it comes back to its series.
            own = replace(fields, external_id=series.external_id)
            event_store.insert_exception(guest, series, event.original_start, own)
        return
    # Single occurrences to which the guest was invited before the series.
    singles = {
        single.original_start: single for single in calendar_store.events_by_uid(guest.db, guest.owner.id, event.uid)
    }
    copy = event_store.insert(guest, calendar.id, fields)
    for exception in _exceptions(host, event):
        if not any(delivery.is_for(guest.owner.address, attendee.address) for attendee in attendees_of(exception)):
            continue
        assert exception.original_start is not None
        changed = _as_guest(host, fields_of(exception))
        if (single := singles.get(exception.original_start)) is not None:
            changed = replace(changed, **_values(fields_of(single), _RESPONSE))
        event_store.insert_exception(guest, copy, exception.original_start, changed)
    # The series takes their place, with the responses that they held.
    for single in singles.values():
        event_store.remove(guest, single)


def _series_with(guest: Mailbox, uid: str, start: int) -> Event | None:
    """The series in a mailbox to which an occurrence belongs, None without one."""
    copies = calendar_store.events_by_uid(guest.db, guest.owner.id, uid)
    return next((copy for copy in copies if copy.rule is not None and is_start(copy, start)), None)


def _values(event: EventFields, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}


def _as_guest(host: Mailbox, event: EventFields) -> EventFields:
    """An organizer's event as a new attendee sees it."""
    return replace(
        event,
        organizer=Address(host.owner.address, host.owner.display_name),
        response=ResponseType.NotResponded,
        responded=None,
        show_as=ShowAs.Tentative,
        categories=(),
        # Ids belong to one mailbox.
        external_id=None,
    )


def _refresh(guest: Mailbox, host: Mailbox, event: Event, moved: bool) -> None:
    """Update an attendee's copy. Personal fields are kept; the response is kept unless the event `moved`."""
    copy = copy_of(guest, event)
    if copy is None:
        _place(guest, host, event)
        return
    old, fresh = fields_of(copy), _as_guest(host, fields_of(event))
    kept = _values(old, ("categories", "reminder", "external_id"))
    # The occurrences that this attendee declined or deleted; other starts make them meaningless.
    kept["excluded"] = old.excluded if cadence(old) == cadence(fresh) else ()
    # An event that was cancelled and is held after all is a new invitation.
    if not (moved or old.is_cancelled):
        kept |= _values(old, _RESPONSE)
    current = replace(fresh, **kept)
    if current != old:
        event_store.save(guest, event_store.separate(guest, copy), current)


def _cancel_copy(guest: Mailbox, event: Event) -> None:
    copy = copy_of(guest, event)
    if copy is None or copy.is_cancelled:
        return
    for exception in _exceptions(guest, copy):
        event_store.save(guest, exception, _cancelled(fields_of(exception)))
    event_store.save(guest, event_store.separate(guest, copy), _cancelled(fields_of(copy)))


def _cancelled(event: EventFields) -> EventFields:
    # The series may be cancelled after one of its occurrences: the prefix stands once.
    subject = CANCELLED_PREFIX + event.subject.removeprefix(CANCELLED_PREFIX)
    return replace(event, subject=subject, is_cancelled=True, show_as=ShowAs.Free)


def _cancel_singles(mailbox: Mailbox, event: Event, exceptions: Iterable[Event], in_series: Iterable[Attendee]) -> None:
    """Cancel the copies of exceptions that are gone, or without the attendee, where no series holds the copy."""
    left = {exception.original_start: attendees_of(exception) for exception in _exceptions(mailbox, event)}
    for exception in exceptions:
        gone = _not_in(mailbox, attendees_of(exception), left.get(exception.original_start, ()))
        for guest in _guests(mailbox, gone):
            copy = copy_of(guest, exception)
            if copy is not None and copy.master_id is None:
                _cancel_copy(guest, exception)
        # Those whom the series invites get a mail about the series.
        _send(mailbox, exception, _not_in(mailbox, gone, in_series), "CANCEL", CANCELLED_PREFIX + exception.subject)


def _without_responses(mailbox: Mailbox, event: Event) -> Event:
    """Reset the responses of all attendees."""
    fields = fields_of(event)
    attendees = tuple(attendee._replace(response=NO_RESPONSE, responded=None) for attendee in fields.attendees)
    if attendees == fields.attendees:
        return event
    return event_store.save(mailbox, event, replace(fields, attendees=attendees))


def _not_in(mailbox: Mailbox, attendees: Iterable[Attendee], others: Iterable[Attendee]) -> tuple[Attendee, ...]:
    """The attendees that are not among others; the addresses of one mailbox count as one person."""
    candidates, people = [*attendees], _people(mailbox, [*others])
    return tuple(
        attendee
        for attendee, person in zip(candidates, _people(mailbox, candidates), strict=True)
        if person not in people
    )


def _people(mailbox: Mailbox, attendees: Sequence[Attendee]) -> list[int | str]:
    """Who each attendee is: a mailbox, or an address outside the sandbox."""
    addresses = [attendee.address for attendee in attendees]
    owners = delivery.find_owners(mailbox, addresses)
    return [address.lower() if owner is None else owner.id for address, owner in zip(addresses, owners, strict=True)]
