"""Rows as they leave the store: field order is column order, so a row becomes a record without a lookup."""

from __future__ import annotations

from typing import NamedTuple


class Owner(NamedTuple):
    """A mailbox, its owner, and its Inbox, Sent Items and Deleted Items."""

    id: int
    address: str
    display_name: str
    inbox_id: int
    sent_id: int
    deleted_id: int


class Folder(NamedTuple):
    """A mail folder; `parent_id` is None at the root."""

    id: int
    parent_id: int | None
    name: str
    well_known: str | None


class Message(NamedTuple):
    """A copy of a mail in a folder, with what the mail says; flags are 0 or 1, addresses joined by `;`."""

    id: int
    mailbox_id: int
    folder_id: int
    content_id: int
    received: int
    is_read: int
    is_flagged: int
    recipients_bcc: str | None
    message_id: str
    conversation_id: int
    sender: str | None
    recipients_to: str | None
    recipients_cc: str | None
    reply_to: str | None
    subject: str
    is_html: int
    importance: int
    has_attachments: int
    has_files: int
    is_encrypted: int
    preview: str
    body: str


class AttachmentFacts(NamedTuple):
    """All of an attachment but its bytes; `size` is in bytes."""

    id: int
    content_id: int
    name: str
    content_type: str
    size: int
    is_inline: int
    skipped: int
    cid: str | None
    modified: int


class StoredMail(NamedTuple):
    """What is needed to write a mail out again as MIME."""

    id: int
    message_id: str
    sent: int
    subject: str
    is_html: int
    importance: int
    is_encrypted: int
    body: str
    headers: str
    raw: bytes | None


class Departed(NamedTuple):
    """An entry of the outbox; `recipients` are joined by `;`."""

    id: int
    content_id: int
    recipients: str
    at: int
    sender: str | None
    subject: str
    message_id: str


class Change(NamedTuple):
    """An entry of the change feed: `kind` is `message`, `action` one of created, updated, deleted."""

    seq: int
    mailbox_id: int
    kind: str
    action: str
    item_id: int
    folder_id: int
    at: int


def facet_key(unread: bool, flagged: bool, attachment: bool, importance: str) -> str:
    """The variant of `LIST_MESSAGES` for these filters; importance is `low`, `normal`, `high` or empty for any."""
    wanted = ("unread" * unread, "flagged" * flagged, "attachment" * attachment, importance)
    return "+".join(name for name in wanted if name)
