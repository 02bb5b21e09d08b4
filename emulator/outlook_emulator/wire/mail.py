"""The shapes of mails, and the query parameters that select them."""

from typing import Annotated, Generic, NamedTuple, Required, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.errors import AttachmentWithoutContent
from outlook_emulator.ids import ITEM_PATTERN
from outlook_emulator.mailbox import addresses
from outlook_emulator.wire.base import (
    DateTime,
    Email,
    Emails,
    Filled,
    FilledEmails,
    Html,
    ImportanceName,
    ImportanceNumber,
    Int64,
    Schema,
)

T = TypeVar("T")

FolderPath = Annotated[str, Schema(values_from="OnFilePickerOpen")]
"""A folder's id as the picker shows it or bare, its path, or a well-known name such as Inbox."""


FileName = Annotated[str, Schema(pattern=r"\S")]
_BASE64 = (
    r"^(?:[Dd][Aa][Tt][Aa]:[^,]*;[Bb][Aa][Ss][Ee]64,)?(?:[A-Za-z0-9+/]{4})*"
    r"(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
)
"""Matches base64 whose unused bits are zero, alone or in a data URI."""


Top = Annotated[int, Schema(format="int32", least=1, most=1000)]
SearchText = Annotated[str, Schema(grammar="kql")]


class Binary(NamedTuple):
    """A body of raw bytes instead of JSON."""

    content: bytes
    content_type: str


class ClientReceiveFileAttachment(TypedDict):
    """A file of a received mail; its content is null unless it was requested."""

    Id: str
    Name: str
    # Null rather than absent, as recorded bodies write all members that have no value (inferred).
    ContentBytes: Annotated[str | None, Schema(format="byte")]
    ContentType: str
    Size: Int64
    IsInline: bool
    LastModifiedDateTime: DateTime
    ContentId: str | None


class ClientReceiveMessage(TypedDict):
    """A received mail with its importance as a number; address lists are null when empty."""

    Id: str
    DateTimeReceived: DateTime
    HasAttachment: bool
    InternetMessageId: str
    Subject: str
    BodyPreview: str
    # Clients parse strictly: .NET fails on a word where its model has a number, and the other way round.
    Importance: ImportanceNumber
    ConversationId: str
    IsRead: bool
    IsHtml: bool
    Body: str
    From: Email | None
    To: Emails | None
    Cc: Emails | None
    Bcc: Emails | None
    ReplyTo: Emails | None
    Attachments: list[ClientReceiveFileAttachment]


class ClientReceiveMessageStringEnums(TypedDict):
    """A received mail with its importance as text, as the first version and Move return it."""

    # The members stand in another order than above (recorded from the Office 365 twin).
    From: Email | None
    To: Emails | None
    Cc: Emails | None
    Bcc: Emails | None
    ReplyTo: Emails | None
    Subject: str
    Body: str
    Importance: ImportanceName
    BodyPreview: str
    HasAttachment: bool
    Id: str
    InternetMessageId: str
    ConversationId: str
    DateTimeReceived: DateTime
    IsRead: bool
    Attachments: list[ClientReceiveFileAttachment]
    IsHtml: bool


class BatchResponse(TypedDict, Generic[T]):
    """A list of mails."""

    value: Annotated[list[T], Schema(read_only=True)]


class TriggerBatchResponse(TypedDict, Generic[T]):
    """Mails for which a trigger fires."""

    value: list[T]


class ClientSendAttachment(TypedDict, total=False):
    """A file to send, its content in base64."""

    Name: Required[FileName]
    ContentBytes: Required[
        Annotated[str, Schema(format="byte", pattern=_BASE64, grammar="base64", null_error=AttachmentWithoutContent)]
    ]


class _Draft(TypedDict, total=False):
    To: Required[FilledEmails]
    Subject: Required[str]
    Cc: Emails
    Bcc: Emails
    Attachments: list[ClientSendAttachment]
    ReplyTo: Emails
    Importance: Annotated[str, Schema(names=enums.Importance, default="Normal")]


class ClientSendMessage(_Draft, total=False):
    """A mail to send, as plain text unless it says otherwise."""

    # Required by the description, but public workflows send mails without it.
    Body: Required[Annotated[str, Schema(lenient=True)]]
    IsHtml: bool


class ClientSendHtmlMessage(_Draft, total=False):
    """A mail to send, always as HTML, possibly in another's name."""

    Body: Required[Annotated[str, Schema(format="html", lenient=True)]]
    From: Email


class _Reply(TypedDict, total=False):
    To: Emails
    Cc: Emails
    Bcc: Emails
    Subject: str
    ReplyAll: bool
    # Without a default here: the Learn page has Low for replies, where new mails are Normal.
    Importance: ImportanceName
    Attachments: list[ClientSendAttachment]


class ReplyMessage(_Reply, total=False):
    """A reply that may be plain text or HTML."""

    Body: str
    IsHtml: bool


class ReplyHtmlMessage(_Reply, total=False):
    """A reply that is always HTML."""

    Body: Html


class DirectForwardMessage(TypedDict, total=False):
    """The recipients of a forward, and the comment above it."""

    Comment: str
    # One text, where the mail service itself takes a list (recorded from the Office 365 twin).
    ToRecipients: Required[Annotated[str, Schema(separator=";", pattern=addresses.FILLED_PATTERN, grammar="addresses")]]


class MailFilter:
    """The filters that reads and triggers share."""

    to: Emails | None = None
    cc: Emails | None = None
    to_or_cc: Emails | None = None
    from_: Emails | None = None
    importance: Annotated[str, Schema(names=enums.ImportanceFilter)] = "Any"
    fetch_only_with_attachment: bool = False
    subject_filter: str | None = None
    include_attachments: bool = False


class FirstEmailsQuery:
    """Which mails the first version lists; paging by `skip` was never documented."""

    folder_path: FolderPath = "Inbox"
    fetch_only_unread: bool = True
    include_attachments: bool = False
    search_query: SearchText | None = None
    top: Top = 10
    skip: Annotated[int, Schema(format="int32", least=0, hidden=True)] = 0


class EmailsQuery(MailFilter):
    """Which mails the second version lists."""

    folder_path: FolderPath = "Inbox"
    fetch_only_unread: bool = True
    fetch_only_flagged: Annotated[bool, Schema(hidden=True)] = False
    mailbox_address: Annotated[str | None, Schema(hidden=True)] = None
    search_query: SearchText | None = None
    top: Top = 10


class EmailQuery:
    """How one mail is read; an internet message id finds it after its own id has changed."""

    include_attachments: bool = False
    internet_message_id: str | None = None


class MoveQuery:
    """The folder to which a mail is moved."""

    folder_path: Annotated[str, Schema(values_from="OnFilePickerOpen", shortest=1)]


class ReplyQuery:
    """A reply of the first version, which has no body."""

    comment: Filled
    reply_all: bool = False


class FlaggedMailQuery(MailFilter):
    """The flagged mails for which a trigger fires."""

    folder_path: FolderPath = "Inbox"


class NewMailQuery(FlaggedMailQuery):
    """The new mails for which a trigger fires; the header `simulate` requests a recent one instead."""

    x_ms_operation_context: Annotated[
        str | None, Schema(key="x-ms-operation-context", location="header", hidden=True)
    ] = None


class MentionQuery(MailFilter):
    """The mentions for which a trigger fires, by default in any folder."""

    folder_path: FolderPath | None = None
    message_id_to_fire_on_first_trigger_run: Annotated[
        str | None, Schema(pattern=ITEM_PATTERN, grammar="item-id", hidden=True)
    ] = None
