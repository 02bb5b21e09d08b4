"""Answering an invitation: in the own copy, in the organizer's list of attendees, and by mail."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from outlook_emulator.enums import ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.calendar import event_store, events, invitations
from outlook_emulator.mailbox.calendar.event_rows import fields_of
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store.records import Event

_ANSWERS = {"accept": "Accepted", "tentativelyaccept": "TentativelyAccepted", "decline": "Declined"}
_MEANINGS = _ANSWERS | {
    "accepted": "Accepted",
    "tentative": "TentativelyAccepted",
    "tentativelyaccepted": "TentativelyAccepted",
    "declined": "Declined",
}
_WORDS = {"Accepted": "Accepted: ", "TentativelyAccepted": "Tentative: ", "Declined": "Declined: "}


class Reply(NamedTuple):
    """What goes with an answer, and whether the organizer is sent a mail."""

    comment: str = ""
    send: bool = True


def respond(mailbox: Mailbox, reply: Reply, *, event_id: str, response: str) -> None:
    """Accept, tentatively accept or decline an invitation, or one occurrence of it.

    Accepting shows the time as the organizer does, declining as free; a declined meeting stays or goes as the
    settings have it (inferred). Raises InvalidRequest for an unknown answer and for one's own event.
    """
    name = _MEANINGS.get(re.sub(r"[\W_]", "", response).lower())
    if name is None:
        raise InvalidRequest(
            f"The path parameter 'response' must be Accept, Tentatively Accept or Decline, not '{response[:50]}'."
        )
    event = events.by_id(mailbox, event_id)
    if event.is_cancelled:
        raise InvalidRequest("Your request can't be completed. The meeting was canceled.")
    if event.is_organizer:
        raise InvalidRequest(
            "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer."
        )
    with mailbox.db.transaction():
        answered = _answer(mailbox, event, name)
        host = delivery.find_owner(mailbox, event.organizer)
        if host is not None:
            address = mailbox.owner.address
            invitations.note_answer(mailbox.beside(host), answered, address, ResponseType[name])
        if reply.send and event.response_requested and "@" in event.organizer:
            invitations.reply(mailbox, answered, _WORDS[name] + event.subject, reply.comment)
        if name == "Declined" and mailbox.rules.declined == "remove":
            event_store.take_out(mailbox, answered)


def _answer(mailbox: Mailbox, event: Event, name: str) -> Event:
    response = ResponseType[name]
    details = fields_of(event)
    attendees = invitations.with_answer(details.attendees, mailbox.owner.address, response, mailbox.now)
    shown = {"Accepted": _intended(mailbox, event), "Declined": ShowAs["Free"]}.get(name, ShowAs["Tentative"])
    answered = replace(details, response=response, responded=mailbox.now, show_as=shown, attendees=attendees)
    return event_store.save(mailbox, event_store.separate(mailbox, event), answered)


def _intended(mailbox: Mailbox, event: Event) -> int:
    """How the organizer shows the time of a meeting."""
    host = delivery.find_owner(mailbox, event.organizer)
    found = invitations.copy_of(mailbox.beside(host), event) if host else None
    return found.show_as if found else ShowAs["Busy"]
