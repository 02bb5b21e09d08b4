"""The JSON shapes of what a mailbox holds: short forms for lists, and a mail with all its headers."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from outlook_emulator.wire.base import DateTime, Email, Int64, Schema

_Sender = TypedDict("_Sender", {"from": Email | None})


class MailFacts(_Sender):
    """A mail in a list."""

    id: str
    to: list[Email]
    subject: str
    receivedAt: DateTime
    isRead: bool
    isFlagged: bool
    hasAttachments: bool
    preview: str


class MailList(TypedDict):
    """The mails of a folder, newest first."""

    value: list[MailFacts]


class AttachmentFacts(TypedDict):
    """An attachment. `isShown` is false for the kinds that the connector leaves out of its responses."""

    name: str
    contentType: str
    size: Int64
    isInline: bool
    isShown: bool


class MailDetails(MailFacts):
    """A mail with everything but the content of its attachments; `text` is the visible text of its body."""

    folder: str
    cc: list[Email]
    bcc: list[Email]
    replyTo: list[Email]
    importance: Annotated[str, Schema(choices=("low", "normal", "high"))]
    internetMessageId: str
    text: str
    html: str | None
    attachments: list[AttachmentFacts]


class EventFacts(TypedDict):
    """An event in a list. The instants are in UTC; `isSeries` says that it stands for all occurrences of a series."""

    id: str
    subject: str
    start: DateTime
    end: DateTime
    timeZone: str
    isAllDay: bool
    isSeries: bool
    location: str
    organizer: Email
    attendees: list[Email]


class EventList(TypedDict):
    """The events of a calendar."""

    value: list[EventFacts]


class ContactFacts(TypedDict):
    """A contact in a list."""

    id: str
    displayName: str
    emailAddresses: list[Email]
    companyName: str | None
    mobilePhone: str | None


class ContactList(TypedDict):
    """The contacts of a folder."""

    value: list[ContactFacts]
