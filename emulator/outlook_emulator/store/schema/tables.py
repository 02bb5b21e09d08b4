"""The tables of sandboxes and mail, declared once; those of calendars and contacts are in `item_tables`.

Instants are microseconds since 1970 (UTC), flags are 0 or 1. Read by `compile.py` only; `sql.py` holds the DDL that a
server runs.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field, SQLModel


def key() -> Column[int]:
    # Where rows are deleted, tables add AUTOINCREMENT: the id of something gone must never name something else.
    return Column(Integer, primary_key=True, autoincrement=True)


def reference(table: str) -> Column[int]:
    return Column(Integer, ForeignKey(f"{table}.id"), nullable=False)


def instant() -> Column[int]:
    return Column(BigInteger, nullable=False)


def flag() -> Column[int]:
    return Column(Integer, nullable=False, server_default=text("0"))


class SandboxState(SQLModel, table=True):
    """A named value of the sandbox itself, such as how far the search index has read the change feed."""

    __tablename__ = "sandbox_state"

    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class MailboxRow(SQLModel, table=True):
    """A mailbox and its owner; the folders that mail operations need most are at hand."""

    __tablename__ = "mailbox"
    __table_args__ = (Index("mailbox_address", "address", unique=True), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    address: str = Field(sa_type=Text)
    display_name: str = Field(sa_type=Text)
    inbox_id: int | None = None
    sent_id: int | None = None
    deleted_id: int | None = None


class ConnectionRow(SQLModel, table=True):
    """A connection id of the URL space, and the mailbox it opens."""

    __tablename__ = "connection"

    id: str = Field(primary_key=True, sa_type=Text)
    mailbox_id: int = Field(sa_column=reference("mailbox"))


class Grant(SQLModel, table=True):
    """An address that a mailbox's owner may send as, and whose mailbox it may read."""

    __tablename__ = "send_as"

    mailbox_id: int = Field(sa_column=Column(Integer, ForeignKey("mailbox.id"), primary_key=True))
    address: str = Field(primary_key=True, sa_type=Text)


class FolderRow(SQLModel, table=True):
    """A mail folder; `well_known` is Outlook's fixed name, such as `sentitems`."""

    __tablename__ = "folder"
    __table_args__ = (
        Index("folder_parent", "mailbox_id", "parent_id", "name"),
        Index("folder_well_known", "mailbox_id", "well_known"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    parent_id: int | None = None
    name: str = Field(sa_type=Text)
    well_known: str | None = Field(default=None, sa_type=Text)


class Content(SQLModel, table=True):
    """What a mail says: written once, shared by every copy. Address columns hold bare addresses joined by `;`.

    `headers` is a JSON list of the internet headers as sent, display names included; `raw` the bytes of a mail that
    came from outside.
    """

    __table_args__ = (Index("content_message_id", "message_id"),)

    id: int = Field(sa_column=key())
    message_id: str = Field(sa_type=Text)
    conversation_id: int
    sent: int = Field(sa_column=instant())
    sender: str | None = Field(default=None, sa_type=Text)
    recipients_to: str | None = Field(default=None, sa_type=Text)
    recipients_cc: str | None = Field(default=None, sa_type=Text)
    reply_to: str | None = Field(default=None, sa_type=Text)
    subject: str = Field(sa_type=Text)
    is_html: int = Field(sa_column=flag())
    importance: int
    has_attachments: int = Field(sa_column=flag())
    has_files: int = Field(sa_column=flag())
    is_encrypted: int = Field(sa_column=flag())
    preview: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    headers: str = Field(sa_type=Text)
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)


class AttachmentRow(SQLModel, table=True):
    """A file of a mail; `skipped` marks kinds the connector keeps to itself (EML, MSG, ICS)."""

    __tablename__ = "attachment"
    __table_args__ = (Index("attachment_content", "content_id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    content_id: int = Field(sa_column=reference("content"))
    name: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    size: int
    is_inline: int = Field(sa_column=flag())
    skipped: int = Field(sa_column=flag())
    cid: str | None = Field(default=None, sa_type=Text)
    modified: int = Field(sa_column=instant())
    content: bytes = Field(sa_type=LargeBinary)


def _facet(name: str, condition: str) -> Index:
    # Partial: a filtered list costs the same in a folder of 100,000, and a copy pays only for what it is.
    return Index(f"message_{name}", "folder_id", "received", "id", sqlite_where=text(condition))


FACETS = {
    "unread": "is_read = 0",
    "attachment": "has_attachments = 1",
    "flagged": "is_flagged = 1",
    "high": "importance = 2",
    "low": "importance = 0",
}
"""Filters of a mail list, rarest last: of two indexes that fit, SQLite takes the one that was made last."""


class MessageRow(SQLModel, table=True):
    """One copy of a mail in one folder. Moving it makes a new row, since a moved mail has a new id."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_folder", "folder_id", "received", "id"),
        *(_facet(name, condition) for name, condition in FACETS.items()),
        Index("message_content", "content_id", "mailbox_id"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    folder_id: int = Field(sa_column=reference("folder"))
    content_id: int = Field(sa_column=reference("content"))
    received: int = Field(sa_column=instant())
    is_read: int = Field(sa_column=flag())
    is_flagged: int = Field(sa_column=flag())
    importance: int
    has_attachments: int = Field(sa_column=flag())
    last_verb: str | None = Field(default=None, sa_type=Text)
    recipients_bcc: str | None = Field(default=None, sa_type=Text)


class ChangeRow(SQLModel, table=True):
    """One entry of the change feed, appended in the transaction that made the change.

    No two entries have the same `at`, so that an instant is a position in the feed. `before` is what an event was until
    then, as JSON.
    """

    __tablename__ = "change"
    __table_args__ = (Index("change_mailbox", "mailbox_id", "kind", "at"),)

    seq: int = Field(sa_column=key())
    mailbox_id: int
    kind: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    item_id: int
    folder_id: int
    at: int = Field(sa_column=instant())
    before: str | None = Field(default=None, sa_type=Text)


class OutboxMailRow(SQLModel, table=True):
    """A mail to recipients outside the sandbox; `recipients` are joined by `;`."""

    __tablename__ = "outbox_mail"
    __table_args__ = (
        Index("outbox_mail_content", "content_id"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    content_id: int = Field(sa_column=reference("content"))
    recipients: str = Field(sa_type=Text)
    at: int = Field(sa_column=instant())


class SearchEntry(SQLModel, table=True):
    """The row of the search index that holds a message."""

    __tablename__ = "search_entry"

    message_id: int = Field(sa_column=Column(Integer, primary_key=True))
    rowid_: int = Field(sa_column=instant())


# Full text search is SQLite's own; another store would bring its own here. A row's id grows with the time its mail
# was received, so that the newest matches come first without sorting them all.
SEARCH_TABLE = """
CREATE VIRTUAL TABLE message_search USING fts5(
    message_id UNINDEXED, subject, body, sender, recipients_to, recipients_cc, recipients_bcc, attachments, tags,
    tokenize = 'unicode61 remove_diacritics 2'
)
"""
