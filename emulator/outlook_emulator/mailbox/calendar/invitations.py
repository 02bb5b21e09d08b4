"""Meetings: every attendee in the sandbox has a copy of the event, and mails go to and fro about it.

Copies are found by their UID, those of occurrences by their original start as well: whoever is invited to single
occurrences alone has these without their series. All functions are to be called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any

from outlook_emulator.enums import ResponseType, ShowAs
from outlook_emulator.errors import NotFound
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.calendar import event_store
from outlook_emulator.mailbox.calendar.event_input import cadence
from outlook_emulator.mailbox.calendar.event_rows import attendees_of, fields_of
from outlook_emulator.mailbox.calendar.occurrences import occurrence
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event

CANCELLED_PREFIX = "Canceled: "
_PERSONAL = ("categories", "reminder", "show_as", "response", "responded", "excluded", "added", "external_id")
"""What each has for himself: changing it concerns nobody else."""
_ANSWER = ("response", "responded", "show_as")


def invite(mailbox: Mailbox, event: Event) -> None:
    """Put a new event into the calendars of its attendees, and send them the invitation."""
    if not event.is_organizer:
        return
    attendees = attendees_of(event)
    for guest in _guests(mailbox, attendees):
        _place(guest, mailbox, event)
    _send(mailbox, event, attendees, "REQUEST", event.subject)


def update(mailbox: Mailbox, before: EventFields, event: Event) -> Event:
    """Let attendees know what their organizer changed; who is no longer invited is told that the event is off.

    A new time asks everyone again. What concerns only the organizer reaches nobody. Gives the event as it is then.
    """
    after = fields_of(event)
    if not event.is_organizer or _shared(before) == _shared(after):
        return event
    gone = _not_in(mailbox, before.attendees, after.attendees)
    for guest in _guests(mailbox, gone):
        _cancel_copy(guest, event)
    _send(mailbox, event, gone, "CANCEL", CANCELLED_PREFIX + event.subject)
    moved = (before.start, before.end, before.rule) != (after.start, after.end, after.rule)
    if moved:
        event = _unanswered(mailbox, event)
    for guest in _guests(mailbox, after.attendees):
        _refresh(guest, mailbox, event, moved)
    for one in _exceptions(mailbox, event):
        for guest in _guests(mailbox, attendees_of(one)):
            _refresh(guest, mailbox, one, False)
    # Guests that stay hear of a new guest list only by their copies, as Outlook suggests it.
    told = after.attendees
    if _shared(replace(before, attendees=())) == _shared(replace(after, attendees=())):
        told = _not_in(mailbox, after.attendees, before.attendees)
    _send(mailbox, event, told, "REQUEST", event.subject)
    return event


def cancel(mailbox: Mailbox, event: Event) -> None:
    """Call off an event, or one occurrence, in the calendars of its attendees, and tell them."""
    if not event.is_organizer or event.is_cancelled:
        return
    attendees: list[Attendee] = []
    for one in (event, *_exceptions(mailbox, event)):
        for guest in _guests(mailbox, attendees_of(one)):
            _cancel_copy(guest, one)
        attendees += _not_in(mailbox, attendees_of(one), attendees)
    _send(mailbox, event, attendees, "CANCEL", CANCELLED_PREFIX + event.subject)


def note_answer(organizer: Mailbox, copy: Event, address: str, response: int) -> None:
    """Write the answer of an attendee, known by the own address, into the organizer's list of attendees."""
    found = copy_of(organizer, copy)
    if found is None or not found.is_organizer:
        return
    details = fields_of(found)
    answered = with_answer(details.attendees, address, response, organizer.now)
    if answered != details.attendees:
        event_store.save(organizer, event_store.separate(organizer, found), replace(details, attendees=answered))


def with_answer(attendees: Iterable[Attendee], address: str, response: int, now: int) -> tuple[Attendee, ...]:
    """Attendees of whom the one that `address` reaches has answered."""
    return tuple(
        one._replace(response=response, responded=now) if delivery.is_for(address, one.address) else one
        for one in attendees
    )


def reply(mailbox: Mailbox, event: Event, subject: str, comment: str) -> None:
    """Mail the organizer an attendee's answer."""
    own = [one for one in attendees_of(event) if delivery.is_for(mailbox.owner.address, one.address)]
    attendee = own[0] if own else Attendee(mailbox.owner.address, mailbox.owner.display_name)
    details = replace(fields_of(event), attendees=(attendee._replace(response=event.response),))
    organizer = Address(event.organizer, event.organizer_name)
    calendar = _composed(mailbox, Series(details, original=event.original_start), "REPLY", organizer)
    mail = Mail(
        to=(organizer,),
        subject=subject,
        body=f"<p>{escape(comment)}</p>" if comment else "",
        is_html=True,
        importance=event.importance,
        attachments=(calendar,),
    )
    delivery.post(mailbox, mail, None, mailbox.rng.getrandbits(62))


def claim(mailbox: Mailbox) -> None:
    """Bring in the meetings that the owner's address was invited to before it had a mailbox."""
    for event in calendar_store.events_with_attendee(mailbox.db, mailbox.owner.address):
        if event.is_organizer and not event.is_cancelled:
            _place(mailbox, mailbox.beside(owner_of(mailbox.db, event.mailbox_id)), event)


def copy_of(mailbox: Mailbox, event: Event) -> Event | None:
    """The event of another mailbox, or the same occurrence of it, in this one; None where there is none."""
    found = calendar_store.events_by_uid(mailbox.db, mailbox.owner.id, event.uid)
    if event.original_start is None:
        return next((one for one in found if one.original_start is None), None)
    for series in found:
        if series.rule is not None:
            try:
                return occurrence(mailbox, series, event.original_start // 1_000_000)
            except NotFound:
                break
    return next((one for one in found if one.original_start == event.original_start), None)


def _exceptions(mailbox: Mailbox, event: Event) -> list[Event]:
    return event_store.exceptions(mailbox, event) if event.rule is not None else []


def _send(mailbox: Mailbox, event: Event, attendees: Iterable[Attendee], method: str, subject: str) -> None:
    """Mail an iCalendar message to those attendees that have an address; rooms may be mere names."""
    people = tuple(Address(one.address, one.name) for one in attendees if "@" in one.address)
    if not people:
        return
    organizer = Address(mailbox.owner.address, mailbox.owner.display_name)
    calendar = _composed(mailbox, event_store.as_series(mailbox, event), method, organizer)
    mail = Mail(
        to=people,
        subject=subject,
        body=event.body,
        is_html=bool(event.is_html),
        importance=event.importance,
        attachments=(calendar,),
    )
    delivery.post(mailbox, mail, None, mailbox.rng.getrandbits(62))


def _composed(mailbox: Mailbox, series: Series, method: str, organizer: Address) -> Attachment:
    # The icalendar package is slow to import, and only meetings need it.
    from outlook_emulator.mailbox.formats import ics

    content = ics.compose([series], now=mailbox.now, method=method, organizer=organizer)
    return Attachment("meeting.ics", content, f"text/calendar; method={method}", is_inline=True)


def _guests(mailbox: Mailbox, attendees: Iterable[Attendee]) -> list[Mailbox]:
    """The mailboxes of those attendees that have one in the sandbox, each once."""
    owners = (delivery.find_owner(mailbox, one.address) for one in attendees)
    unique = {owner.id: owner for owner in owners if owner is not None and owner.id != mailbox.owner.id}
    return [mailbox.beside(owner) for owner in unique.values()]


def _place(guest: Mailbox, host: Mailbox, event: Event) -> None:
    """A copy of an event, changed occurrences included, in an attendee's own calendar."""
    if copy_of(guest, event) is not None:
        return
    calendar = item_folders.default(guest, CALENDARS)
    details = _as_guest(host, fields_of(event))
    if event.original_start is not None:
        event_store.insert(guest, calendar.id, details, event.original_start)
        return
    copies = calendar_store.events_by_uid(guest.db, guest.owner.id, event.uid)
    alone = {one.original_start: one for one in copies}
    copy = event_store.insert(guest, calendar.id, details)
    for one in _exceptions(host, event):
        if not any(delivery.is_for(guest.owner.address, attendee.address) for attendee in attendees_of(one)):
            continue
        assert one.original_start is not None
        exception = _as_guest(host, fields_of(one))
        if (known := alone.get(one.original_start)) is not None:
            exception = replace(exception, **_taken(fields_of(known), _ANSWER))
        event_store.insert_exception(guest, copy, one.original_start, exception)
    for known in alone.values():
        event_store.remove(guest, known)


def _taken(details: EventFields, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(details, name) for name in names}


def _as_guest(host: Mailbox, details: EventFields) -> EventFields:
    """An organizer's event as it first looks to a guest."""
    return replace(
        details,
        organizer=Address(host.owner.address, host.owner.display_name),
        response=ResponseType["NotResponded"],
        responded=None,
        show_as=ShowAs["Tentative"],
        categories=(),
        external_id=None,
    )


def _refresh(guest: Mailbox, host: Mailbox, event: Event, moved: bool) -> None:
    """Bring an attendee's copy up to date; what is personal stays, the answer only while the time does."""
    copy = copy_of(guest, event)
    if copy is None:
        _place(guest, host, event)
        return
    old, fresh = fields_of(copy), _as_guest(host, fields_of(event))
    kept = _taken(old, ("categories", "reminder", "external_id"))
    kept["excluded"] = old.excluded if cadence(old) == cadence(fresh) else ()
    if not (moved or old.is_cancelled):
        kept |= _taken(old, _ANSWER)
    current = replace(fresh, **kept)
    if current != old:
        event_store.save(guest, event_store.separate(guest, copy), current)


def _cancel_copy(guest: Mailbox, event: Event) -> None:
    copy = copy_of(guest, event)
    if copy is None or copy.is_cancelled:
        return
    for one in _exceptions(guest, copy):
        event_store.save(guest, one, _called_off(fields_of(one)))
    event_store.save(guest, event_store.separate(guest, copy), _called_off(fields_of(copy)))


def _called_off(details: EventFields) -> EventFields:
    subject = CANCELLED_PREFIX + details.subject.removeprefix(CANCELLED_PREFIX)
    return replace(details, subject=subject, is_cancelled=True, show_as=ShowAs["Free"])


def _unanswered(mailbox: Mailbox, event: Event) -> Event:
    details = fields_of(event)
    asked = tuple(one._replace(response=ResponseType["None"], responded=None) for one in details.attendees)
    return event if asked == details.attendees else event_store.save(mailbox, event, replace(details, attendees=asked))


def _not_in(mailbox: Mailbox, these: Iterable[Attendee], those: Iterable[Attendee]) -> tuple[Attendee, ...]:
    """Those people of one list whom the other does not name, by whatever address."""
    known = {_person(mailbox, one) for one in those}
    return tuple(one for one in these if _person(mailbox, one) not in known)


def _person(mailbox: Mailbox, attendee: Attendee) -> int | str:
    owner = delivery.find_owner(mailbox, attendee.address)
    return attendee.address.lower() if owner is None else owner.id


def _shared(details: EventFields) -> EventFields:
    """The part of an event that its attendees have in common; answers are no part of it."""
    blank = EventFields(start=0, end=0)
    people = tuple(Attendee(one.address, one.name, one.type) for one in details.attendees)
    return replace(details, **_taken(blank, _PERSONAL), attendees=people)
