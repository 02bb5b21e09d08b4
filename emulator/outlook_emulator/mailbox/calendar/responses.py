"""Responds to an invitation: in the attendee's copy, in the organizer's attendee list, and by mail."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from outlook_emulator.enums import ResponseType, ShowAs
from outlook_emulator.errors import InvalidField, RefusedByService
from outlook_emulator.mailbox.calendar import event_store, events, invitations
from outlook_emulator.mailbox.calendar.event_rows import fields_of
from outlook_emulator.mailbox.event import EventFields
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store.records import Event

_RESPONSES = {
    "accept": "Accepted",
    "accepted": "Accepted",
    "tentativelyaccept": "TentativelyAccepted",
    "tentativelyaccepted": "TentativelyAccepted",
    "tentative": "TentativelyAccepted",
    "decline": "Declined",
    "declined": "Declined",
}
_SUBJECT_PREFIXES = {"Accepted": "Accepted: ", "TentativelyAccepted": "Tentative: ", "Declined": "Declined: "}


class Reply(NamedTuple):
    """The comment of a response, and whether to mail the organizer."""

    comment: str = ""
    send: bool = True


def respond(mailbox: Mailbox, reply: Reply, *, event_id: str, response: str) -> None:
    """Accept, tentatively accept or decline an invitation, or one occurrence of it.

    An accepted event shows the time as the organizer's does. Settings decide whether accepting makes the event anew and
    whether a declined one leaves the calendar. Without `reply.send` the organizer's mailbox stays as it is: the
    response is known there only by its mail. Raises InvalidRequest for an unknown response, for an own event, and where
    a response is to be sent to an organizer who wants none.
    """
    # The definition's words have blanks (`Tentatively Accept`), the mail service's have none.
    name = _RESPONSES.get(re.sub(r"[\W_]", "", response).lower())
    if name is None:
        raise InvalidField("response", f"must be Accept, Tentatively Accept or Decline, not '{response[:50]}'.")
    event = events.by_id(mailbox, event_id)
    if event.is_cancelled:
        raise RefusedByService("The meeting was canceled.")
    if event.is_organizer:
        raise RefusedByService("You can't respond to this meeting because you're the meeting organizer.")
    if reply.send and not event.response_requested:
        raise RefusedByService("The meeting organizer hasn't requested a response.")
    with mailbox.db.transaction():
        answered = _answered(mailbox, event, name)
        if reply.send:
            _tell_organizer(mailbox, event, answered, name, reply.comment)
        if name == "Declined" and mailbox.rules.declined == "remove":
            event_store.take_out(mailbox, event)
        elif name == "Accepted" and mailbox.rules.accepted == "recreate" and event.master_id is None:
            # An occurrence cannot have a new id: its id says to which series it belongs (inferred).
            event_store.recreate(mailbox, event, answered)
        else:
            event_store.save(mailbox, event_store.separate(mailbox, event), answered)


def _answered(mailbox: Mailbox, event: Event, name: str) -> EventFields:
    """The attendee's copy after a response."""
    response = ResponseType[name]
    fields = fields_of(event)
    attendees = invitations.with_response(fields.attendees, mailbox.owner.address, response, mailbox.now)
    shown = {"Accepted": _organizer_show_as(mailbox, event), "Declined": ShowAs.Free}.get(name, ShowAs.Tentative)
    return replace(fields, response=response, responded=mailbox.now, show_as=shown, attendees=attendees)


def _tell_organizer(mailbox: Mailbox, event: Event, answered: EventFields, name: str, comment: str) -> None:
    host = delivery.find_owner(mailbox, event.organizer)
    if host is not None:
        invitations.record_response(mailbox.beside(host), event, mailbox.owner.address, ResponseType[name])
    if "@" in event.organizer:
        subject = _SUBJECT_PREFIXES[name] + event.subject
        invitations.mail_response(mailbox, event, answered, subject, comment)


def _organizer_show_as(mailbox: Mailbox, event: Event) -> int:
    """The ShowAs of a meeting in the organizer's calendar."""
    host = delivery.find_owner(mailbox, event.organizer)
    copy = invitations.copy_of(mailbox.beside(host), event) if host else None
    return copy.show_as if copy else ShowAs.Busy
