"""Meetings: every attendee in the sandbox has a copy of the event, and mails go to and fro about it.

Copies are found by their UID. All functions are to be called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any

from emulator.enums import ResponseType, ShowAs
from emulator.errors import NotFound
from emulator.mailbox import delivery, event_store, shelves
from emulator.mailbox.event import Attendee, Details, Series
from emulator.mailbox.event_input import cadence
from emulator.mailbox.event_rows import attendees_of, details_of
from emulator.mailbox.mailbox import Mailbox
from emulator.mailbox.message import Address, Attachment, Mail
from emulator.mailbox.occurrences import occurrence
from emulator.mailbox.shelves import CALENDARS
from emulator.store import sql
from emulator.store.records import Event, Owner

CANCELLED_PREFIX = "Canceled: "
_PERSONAL = ("categories", "reminder", "show_as", "response", "responded", "excluded", "added", "external_id")
"""What each has for himself: changing it concerns nobody else."""
_NOT_RESPONDED = ResponseType["NotResponded"]


def invite(mailbox: Mailbox, event: Event) -> None:
    """Put a new event into the calendars of its attendees, and send them the invitation."""
    if not event.is_organizer:
        return
    attendees = attendees_of(event)
    for one in attendees:
        if (owner := _owner(mailbox, one)) is not None:
            _place(mailbox.beside(owner), mailbox, event)
    _send(mailbox, event, attendees, "REQUEST", event.subject)


def update(mailbox: Mailbox, before: Details, event: Event) -> None:
    """Let attendees know what their organizer changed; who is no longer invited is told that the event is off.

    A new time asks everyone again. What concerns only the organizer reaches nobody.
    """
    after = details_of(event)
    if not event.is_organizer or _shared(before) == _shared(after):
        return
    gone = _not_in(before.attendees, after.attendees)
    for one in gone:
        if (owner := _owner(mailbox, one)) is not None:
            _cancel_copy(mailbox.beside(owner), event)
    _send(mailbox, event, gone, "CANCEL", CANCELLED_PREFIX + event.subject)
    moved = (before.start, before.end, before.rule) != (after.start, after.end, after.rule)
    if moved:
        event = _unanswered(mailbox, event)
    for one in after.attendees:
        if (owner := _owner(mailbox, one)) is not None:
            _refresh(mailbox.beside(owner), mailbox, event, moved)
    # Guests that stay hear of a new guest list only by their copies, as Outlook suggests it.
    told = after.attendees
    if _shared(replace(before, attendees=())) == _shared(replace(after, attendees=())):
        told = _not_in(after.attendees, before.attendees)
    _send(mailbox, event, told, "REQUEST", event.subject)


def cancel(mailbox: Mailbox, event: Event) -> None:
    """Call off an event, or one occurrence, in the calendars of its attendees, and tell them."""
    if not event.is_organizer or event.is_cancelled:
        return
    attendees = attendees_of(event)
    for one in attendees:
        if (owner := _owner(mailbox, one)) is not None:
            _cancel_copy(mailbox.beside(owner), event)
    _send(mailbox, event, attendees, "CANCEL", CANCELLED_PREFIX + event.subject)


def note_answer(organizer: Mailbox, copy: Event, address: str, response: int) -> None:
    """Write an attendee's answer into the organizer's list of attendees."""
    found = copy_of(organizer, copy)
    if found is None or not found.is_organizer:
        return
    details = details_of(found)
    answered = tuple(
        one._replace(response=response, responded=organizer.now) if one.address.lower() == address else one
        for one in details.attendees
    )
    if answered != details.attendees:
        event_store.save(organizer, event_store.separate(organizer, found), replace(details, attendees=answered))


def claim(mailbox: Mailbox) -> None:
    """Bring in the meetings that the owner's address was invited to before it had a mailbox."""
    for (key,) in mailbox.db.all(sql.INVITATIONS, {"address": mailbox.owner.address}):
        event = Event._make(mailbox.db.one(sql.EVENT_ANYWHERE, {"id": key}))
        owner = Owner._make(mailbox.db.one(sql.MAILBOX, {"id": event.mailbox_id}))
        if event.is_organizer and event.master_id is None and not event.is_cancelled:
            _place(mailbox, mailbox.beside(owner), event)


def message(event: Event, to: Iterable[Address], subject: str, calendar: bytes, method: str, comment: str = "") -> Mail:
    """A mail that carries an iCalendar message about an event beside words for people."""
    return Mail(
        to=tuple(to),
        subject=subject,
        body=comment or event.body,
        is_html=True if comment else bool(event.is_html),
        importance=event.importance,
        attachments=(Attachment("meeting.ics", calendar, f"text/calendar; method={method}", is_inline=True),),
    )


def copy_of(mailbox: Mailbox, event: Event) -> Event | None:
    """The event of another mailbox, or the same occurrence of it, in this one; None where there is none."""
    row = mailbox.db.one(sql.EVENT_BY_UID, {"mailbox_id": mailbox.owner.id, "uid": event.uid})
    if row is None:
        return None
    found = Event._make(row)
    if event.original_start is None or found.rule is None:
        return found
    try:
        return occurrence(mailbox, found, event.original_start // 1_000_000)
    except NotFound:
        return None


def _send(mailbox: Mailbox, event: Event, attendees: Iterable[Attendee], method: str, subject: str) -> None:
    """Mail an iCalendar message to those attendees that have an address; rooms may be mere names."""
    from emulator.mailbox import ics

    people = [one for one in attendees if "@" in one.address]
    if not people:
        return
    organizer = Address(mailbox.owner.address, mailbox.owner.display_name)
    series = Series(replace(details_of(event), is_cancelled=method == "CANCEL"))
    calendar = ics.compose([series], now=mailbox.now, method=method, organizer=organizer)
    to = [Address(one.address, one.name) for one in people]
    delivery.post(mailbox, message(event, to, subject, calendar, method), None, mailbox.chance.getrandbits(62))


def reply(mailbox: Mailbox, event: Event, subject: str, comment: str) -> None:
    """Mail the organizer an attendee's answer."""
    from emulator.mailbox import ics

    own = tuple(one for one in attendees_of(event) if one.address.lower() == mailbox.owner.address)
    answer = Attendee(mailbox.owner.address, mailbox.owner.display_name, response=event.response)
    answers = tuple(one._replace(response=event.response) for one in own) or (answer,)
    details = replace(details_of(event), attendees=answers)
    organizer = Address(event.organizer, event.organizer_name)
    calendar = ics.compose([Series(details)], now=mailbox.now, method="REPLY", organizer=organizer)
    text = f"<p>{escape(comment)}</p>" if comment else ""
    mail = message(event._replace(body="", is_html=1), [organizer], subject, calendar, "REPLY", text)
    delivery.post(mailbox, mail, None, mailbox.chance.getrandbits(62))


def _owner(mailbox: Mailbox, attendee: Attendee) -> Owner | None:
    owner = delivery.find_owner(mailbox, attendee.address)
    return None if owner is None or owner.id == mailbox.owner.id else owner


def _place(guest: Mailbox, host: Mailbox, event: Event) -> None:
    """A copy of an event, changed occurrences included, in an attendee's own calendar."""
    if copy_of(guest, event) is not None:
        return
    calendar = shelves.default(guest, CALENDARS)
    copy = event_store.insert(guest, calendar.id, _as_guest(host, details_of(event)))
    if event.rule is not None:
        for one in event_store.exceptions(host, event):
            assert one.original_start is not None
            event_store.insert_exception(guest, copy, one.original_start, _as_guest(host, details_of(one)))


def _as_guest(host: Mailbox, details: Details) -> Details:
    """An organizer's event as it first looks to a guest."""
    return replace(
        details,
        organizer=Address(host.owner.address, host.owner.display_name),
        response=_NOT_RESPONDED,
        responded=None,
        show_as=ShowAs["Tentative"],
        categories=(),
        external_id=None,
    )


def _refresh(guest: Mailbox, host: Mailbox, event: Event, moved: bool) -> None:
    """Bring an attendee's copy up to date; what is personal stays, the answer only while the time does."""
    copy = copy_of(guest, event)
    if copy is None:
        _place(guest, host, event._replace(master_id=None, original_start=None))
        return
    old, fresh = details_of(copy), _as_guest(host, details_of(event))
    kept: dict[str, Any] = {"categories": old.categories, "reminder": old.reminder, "external_id": old.external_id}
    kept["excluded"] = old.excluded if cadence(old) == cadence(fresh) else ()
    if not moved:
        kept |= {"response": old.response, "responded": old.responded, "show_as": old.show_as}
    event_store.save(guest, event_store.separate(guest, copy), replace(fresh, **kept))


def _cancel_copy(guest: Mailbox, event: Event) -> None:
    copy = copy_of(guest, event)
    if copy is None:
        return
    for one in event_store.exceptions(guest, copy) if copy.rule is not None else ():
        event_store.save(guest, one, _called_off(details_of(one)))
    event_store.save(guest, event_store.separate(guest, copy), _called_off(details_of(copy)))


def _called_off(details: Details) -> Details:
    subject = CANCELLED_PREFIX + details.subject.removeprefix(CANCELLED_PREFIX)
    return replace(details, subject=subject, is_cancelled=True, show_as=ShowAs["Free"])


def _unanswered(mailbox: Mailbox, event: Event) -> Event:
    details = details_of(event)
    asked = tuple(one._replace(response=ResponseType["None"], responded=None) for one in details.attendees)
    return event if asked == details.attendees else event_store.save(mailbox, event, replace(details, attendees=asked))


def _not_in(these: Iterable[Attendee], those: Iterable[Attendee]) -> tuple[Attendee, ...]:
    known = {one.address.lower() for one in those}
    return tuple(one for one in these if one.address.lower() not in known)


def _shared(details: Details) -> Details:
    """The part of an event that its attendees have in common; answers are no part of it."""
    blank = Details(start=0, end=0)
    people = tuple(Attendee(one.address, one.name, one.type) for one in details.attendees)
    return replace(details, **{name: getattr(blank, name) for name in _PERSONAL}, attendees=people)
