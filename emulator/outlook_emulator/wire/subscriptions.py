"""The shapes of subscriptions, and of the notifications that the connector's own back end sends."""

from typing import Annotated, Generic, Required, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.wire.base import DateTime, Filled, ImportanceName, Int32, Int64, Schema
from outlook_emulator.wire.calendar import ItemBody, Recipient
from outlook_emulator.wire.mail import FolderPath

T = TypeVar("T")

_URL = "^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9_.-]+(?::[0-9]{1,4})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:[?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
CallbackUrl = Annotated[str, Schema(callback_url=True, pattern=_URL, grammar="url")]
"""The URL at which a subscriber is called; workflow engines fill it in."""


class ClientSubscription(TypedDict, total=False):
    """A subscriber's request body. Everything else is in the query."""

    NotificationUrl: Required[CallbackUrl]


class SubscriptionResponse(TypedDict):
    """A subscription. Renewing and deleting need the id and the options in its `Location`."""

    id: str
    resource: str
    notificationType: str
    notificationUrl: str


class RenewableSubscription(SubscriptionResponse):
    """A subscription to pokes. The response also has its lifetime in ISO 8601, which is not declared (recorded)."""

    renewInterval: str


class SubscriptionPayloadEntity(TypedDict, Generic[T], total=False):
    """A change, as the mail service reports it."""

    SequenceNumber: Int32
    ChangeType: str
    ClientState: str
    Resource: str
    ResourceData: T


class SubscriptionPayload(TypedDict, Generic[T], total=False):
    """A batch of changes."""

    value: list[SubscriptionPayloadEntity[T]]


class SubscriptionEvent(TypedDict, total=False):
    """The id of a changed event."""

    Id: str


class InternetMessageHeader(TypedDict, total=False):
    """A header of a mail."""

    Name: str
    Value: str


# Not a class, which could have no member of this name.
_AttachmentKind = TypedDict("_AttachmentKind", {"@odata.type": str}, total=False)


class OutlookReceiveAttachment(_AttachmentKind, total=False):
    """An attachment as the mail service describes it; it may be a link to a stored file."""

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
    """The mails for which a subscriber is poked. The poll that follows has more filters."""

    folder_path: FolderPath = "Inbox"


class MentionSubscriptionQuery(_ArrivalQuery):
    """The mentions for which a subscriber is poked, by default in any folder."""

    folder_path: FolderPath | None = None


class RenewalQuery:
    """The token in the subscription's `Location`."""

    options: Filled


class BackendQuery:
    """The state that the connector gave to its back end, and the text to echo in a handshake."""

    state: Filled
    # In lower case here, as the description has it; at a subscriber's URL the name is `validationToken`.
    validation_token: Annotated[str | None, Schema(key="validationtoken")] = None
