"""The admin operations that look into a mailbox. They leave it, its limits and its journal as they are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import orjson

from outlook_emulator.clock import iso_seconds
from outlook_emulator.errors import InvalidField
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import addresses, item_folders
from outlook_emulator.mailbox.calendar import events, occurrences
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mail import folders, listing, reading
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.stored_body import shown_body
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.server.admin import content_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.schemas import parse_query, query_of
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.times import read_instant
from outlook_emulator.slices import Sliced
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.records import AttachmentInfo, Contact, Event, Message
from outlook_emulator.traffic.content_filters import ContactFilter, EventFilter, MailFilter
from outlook_emulator.wire.filter_properties import CONTACTS, EVENTS

_DAY = 86_400_000_000
_WINDOW = 30 * _DAY
_IMPORTANCES = ("low", "normal", "high")
_Item = TypeVar("_Item")


async def list_mails(request: AdminRequest) -> shapes.MailList:
    filters = parse_query(MailFilter, request.query)
    views = listing.find_or_search(
        request.mailbox,
        folder_path=filters.folder,
        fetch_only_unread=filters.unread,
        search_query=filters.search,
        top=filters.top,
        skip=filters.skip,
    )
    if not isinstance(views, list):
        views = await in_slices(views, request.sandbox)
    return {"value": [_mail(request.mailbox, view.message) for view in views]}


def get_mail(request: AdminRequest) -> shapes.MailDetails:
    mailbox = request.mailbox
    message = reading.message_of(mailbox, request.path["message"], "message")
    folder = mail_store.folder(mailbox.db, mailbox.owner.id, message.folder_id)
    assert folder is not None
    body = shown_body(message)
    return {
        **_mail(mailbox, message),
        "folder": folders.path_of(mailbox, folder),
        "cc": addresses.split(message.recipients_cc),
        "bcc": addresses.split(message.recipients_bcc),
        "replyTo": addresses.split(message.reply_to),
        "importance": _IMPORTANCES[message.importance],
        "internetMessageId": message.message_id,
        "text": plain_text(message.body) if message.is_html else message.body,
        "html": body if message.shown_as_html else None,
        "attachments": [attachment_facts(info) for info in reading.files_of(mailbox, message.content_id)],
    }


async def list_events(request: AdminRequest) -> shapes.EventList:
    filters, mailbox = parse_query(EventFilter, request.query), request.mailbox
    if filters.since is None and filters.until is None:
        listed = events.find(mailbox, table=filters.calendar, properties=EVENTS)
    else:
        calendar = item_folders.resolve(mailbox, CALENDARS, filters.calendar)
        most = filters.skip + filters.top
        listed = _first(occurrences.stream(mailbox, calendar.id, *_window(mailbox, filters)), most)
    if not isinstance(listed, list):
        listed = await in_slices(listed, request.sandbox)
    return {"value": [_event(event) for event in _page(listed, filters.top, filters.skip)]}


async def list_contacts(request: AdminRequest) -> shapes.ContactList:
    filters, mailbox = parse_query(ContactFilter, request.query), request.mailbox
    listed = contacts.find(mailbox, table=filters.folder, properties=CONTACTS)
    if not isinstance(listed, list):
        listed = await in_slices(listed, request.sandbox)
    return {"value": [_contact(mailbox, contact) for contact in _page(listed, filters.top, filters.skip)]}


def _first(events: Iterable[Event | None], most: int) -> Sliced[list[Event]]:
    """The first events of a stream, which are as many as a page can have."""
    first: list[Event] = []
    for event in events:
        yield None
        if len(first) >= most:
            break
        first += () if event is None else (event,)
    return first


def _window(mailbox: Mailbox, filters: EventFilter) -> tuple[int, int]:
    since = None if filters.since is None else read_instant(filters.since, "since")
    until = None if filters.until is None else read_instant(filters.until, "until")
    if since is None:
        assert until is not None
        since = until - _WINDOW
    if until is None:
        until = since + _WINDOW
    if not 0 <= until - since <= mailbox.rules.max_view_days * _DAY:
        raise InvalidField("until", f"must be after 'since', by at most {mailbox.rules.max_view_days} days.")
    return since, until


def _page(items: Iterable[_Item], top: int, skip: int) -> list[_Item]:
    return list(islice(items, skip, skip + top))


def _mail(mailbox: Mailbox, message: Message) -> shapes.MailFacts:
    return {
        "id": mailbox.id_of(IdKind.MESSAGE, message.id),
        "from": message.sender,
        "to": addresses.split(message.recipients_to),
        "subject": message.subject,
        "receivedAt": iso_seconds(message.received),
        "isRead": message.is_read == 1,
        "isFlagged": message.is_flagged == 1,
        "hasAttachments": message.has_attachments == 1,
        "preview": message.preview,
    }


def attachment_facts(info: AttachmentInfo) -> shapes.AttachmentFacts:
    """An attachment as JSON."""
    return {
        "name": info.name,
        "contentType": info.content_type,
        "size": info.size,
        "isInline": info.is_inline == 1,
        "isShown": not info.skipped,
    }


def _event(event: Event) -> shapes.EventFacts:
    return {
        "id": occurrences.wire_id(event),
        "subject": event.subject,
        "start": iso_seconds(event.start_at),
        "end": iso_seconds(event.end_at),
        "timeZone": event.start_zone,
        "isAllDay": event.is_all_day == 1,
        "isSeries": event.rule is not None,
        "location": event.location,
        "organizer": event.organizer,
        "attendees": [
            address
            for joined in (event.required, event.optional, event.resources)
            for address in addresses.split(joined)
        ],
    }


def _contact(mailbox: Mailbox, contact: Contact) -> shapes.ContactFacts:
    return {
        "id": mailbox.id_of(IdKind.CONTACT, contact.id),
        "displayName": contact.display_name,
        "emailAddresses": [address for address, _ in orjson.loads(contact.email_addresses)],
        "companyName": contact.company_name,
        "mobilePhone": contact.mobile_phone1,
    }


_C = "/sandboxes/{sandbox}/connections/{connection}"

ROWS = (
    AdminOperation(
        id="ListMails",
        method="GET",
        path=f"{_C}/messages",
        summary="List the mails of a folder",
        handler=list_mails,
        query=query_of(MailFilter),
        returns=shapes.MailList,
    ),
    AdminOperation(
        id="GetMail",
        method="GET",
        path=f"{_C}/messages/{{message}}",
        summary="Get a mail with all its recipients, its text, and the names of its attachments",
        handler=get_mail,
        returns=shapes.MailDetails,
    ),
    AdminOperation(
        id="ListEvents",
        method="GET",
        path=f"{_C}/events",
        summary="List the events of a calendar",
        handler=list_events,
        query=query_of(EventFilter),
        returns=shapes.EventList,
    ),
    AdminOperation(
        id="ListContacts",
        method="GET",
        path=f"{_C}/contacts",
        summary="List the contacts of a folder",
        handler=list_contacts,
        query=query_of(ContactFilter),
        returns=shapes.ContactList,
    ),
)
