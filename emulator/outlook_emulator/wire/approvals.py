"""The shapes of mails that ask for an answer: approvals and mails with options."""

from typing import Annotated, Required

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.wire.base import Filled, FilledEmails, Schema
from outlook_emulator.wire.mail import ClientSendAttachment
from outlook_emulator.wire.subscriptions import CallbackUrl


class _Question(TypedDict, total=False):
    To: Required[FilledEmails]
    HeaderText: str
    SelectionText: str
    Body: str
    Importance: Annotated[str, Schema(names=enums.Importance, default="Normal")]
    Attachments: list[ClientSendAttachment]
    UseOnlyHTMLMessage: bool
    HideHTMLMessage: Annotated[bool, Schema(default=False)]
    ShowHTMLConfirmationDialog: Annotated[bool, Schema(default=False)]


class MessageWithOptions(_Question, total=False):
    """A mail that asks its recipients to pick one of several options."""

    Subject: Annotated[str, Schema(default="Your input is required")]
    Options: Annotated[str, Schema(default="Choice1, Choice2, Choice3", separator=",", grammar="options")]


class ApprovalMessage(_Question, total=False):
    """A mail that asks its recipients to approve or reject."""

    Subject: Annotated[str, Schema(default="Approval Request")]
    Options: Annotated[str, Schema(default="Approve, Reject", separator=",", grammar="options")]


class OptionsEmailSubscription(TypedDict, total=False):
    """A mail with options, and where its answer goes."""

    NotificationUrl: Required[CallbackUrl]
    Message: Required[MessageWithOptions]


class ApprovalEmailSubscription(TypedDict, total=False):
    """An approval mail, and where its answer goes."""

    NotificationUrl: Required[CallbackUrl]
    Message: Required[ApprovalMessage]


class ApprovalEmailResponse(TypedDict):
    """The body of the callback after a recipient has chosen."""

    SelectedOption: str


class _AnswerQuery:
    state: Filled
    sig: str | None = None


class LinkAnswerQuery(_AnswerQuery):
    """The query of the link behind an option."""

    show_confirm: bool = False


class FormAnswerQuery(_AnswerQuery):
    """The query of the confirmation page's form, or of an actionable card."""

    from_confirm: bool = False
