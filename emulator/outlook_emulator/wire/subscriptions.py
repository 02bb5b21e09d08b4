"""What webhook subscriptions look like, and the notifications the connector's own back end sends to it."""

from __future__ import annotations

from typing import Annotated, Generic, Required, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.wire.base import DateTime, ImportanceName, Int32, Int64, Schema
from outlook_emulator.wire.calendar import ItemBody, Recipient
from outlook_emulator.wire.mail import FolderPath

T = TypeVar("T")

CallbackUrl = Annotated[str, Schema(callback_url=True)]
"""Where a subscriber wants to be called; workflow engines fill it in themselves."""


class ClientSubscription(TypedDict, total=False):
    """What a subscriber sends: its callback, since everything else is in the query."""

    NotificationUrl: Required[CallbackUrl]


class SubscriptionResponse(TypedDict):
    """A stored subscription; renewing and deleting need the id and the options of its `Location`."""

    id: str
    resource: str
    notificationType: str
    notificationUrl: str


class RenewableSubscription(SubscriptionResponse):
    """A subscription to pokes: answered with more than is declared, the ISO 8601 time it lives for (recorded)."""

    renewInterval: str


class SubscriptionPayloadEntity(TypedDict, Generic[T], total=False):
    """One change, as the mail service reports it."""

    SequenceNumber: Int32
    ChangeType: str
    ClientState: str
    Resource: str
    ResourceData: T


class SubscriptionPayload(TypedDict, Generic[T], total=False):
    """Changes the mail service reports together."""

    value: list[SubscriptionPayloadEntity[T]]


class SubscriptionEvent(TypedDict, total=False):
    """A changed event, known by its id alone."""

    Id: str


class InternetMessageHeader(TypedDict, total=False):
    """One header line of a mail."""

    Name: str
    Value: str


_AttachmentKind = TypedDict("_AttachmentKind", {"@odata.type": str}, total=False)


class OutlookReceiveAttachment(_AttachmentKind, total=False):
    """An attachment as the mail service describes it, links to stored files included."""

    Id: str
    Name: str
    ContentBytes: str
    ContentType: str
    Size: Int64
    Permission: str
    ProviderType: str
    SourceUrl: str
    IsInline: bool
    LastModifiedDateTime: DateTime
    ContentId: str


class OutlookReceiveMessage(TypedDict, total=False):
    """A mail as the mail service describes it, before the connector flattens it."""

    InternetMessageId: str
    BodyPreview: str
    Id: str
    ConversationId: str
    HasAttachments: bool
    IsRead: bool
    CreatedDateTime: DateTime
    ReceivedDateTime: DateTime
    LastModifiedDateTime: DateTime
    Attachments: list[OutlookReceiveAttachment]
    ToRecipients: list[Recipient]
    CcRecipients: list[Recipient]
    BccRecipients: list[Recipient]
    ReplyTo: list[Recipient]
    Subject: str
    Body: ItemBody
    From: Recipient
    Importance: ImportanceName
    InternetMessageHeaders: list[InternetMessageHeader]


class _ArrivalQuery:
    importance: Annotated[str, Schema(names=enums.ImportanceFilter)] = "Any"
    fetch_only_with_attachment: bool = False


class MailSubscriptionQuery(_ArrivalQuery):
    """The mails a subscriber wants to hear of; polling decides finally, with more filters."""

    folder_path: FolderPath = "Inbox"


class MentionSubscriptionQuery(_ArrivalQuery):
    """The mentions a subscriber wants to hear of, in any folder unless one is named."""

    folder_path: FolderPath | None = None


class RenewalQuery:
    """The token from the subscription's `Location`."""

    options: str


class BackendQuery:
    """The state the connector gave its back end, and the text to echo when an address is being validated."""

    state: str
    validationtoken: str | None = None
