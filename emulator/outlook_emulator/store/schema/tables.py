"""The tables of sandboxes and mail.

Instants are microseconds since 1970 (UTC), flags are 0 or 1. Only `compile.py` reads the tables; a server runs the DDL
in `sql.py`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text
from sqlmodel import Field, SQLModel


def key() -> Column[int]:
    # Tables whose rows are deleted add AUTOINCREMENT, so that the id of a deleted row is never used again.
    return Column(Integer, primary_key=True, autoincrement=True)


def reference(table: str) -> Column[int]:
    return Column(Integer, ForeignKey(f"{table}.id"), nullable=False)


def instant() -> Column[int]:
    return Column(BigInteger, nullable=False)


def flag() -> Column[int]:
    return Column(Integer, nullable=False, server_default=text("0"))


def table_of(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


class SandboxState(SQLModel, table=True):
    """A named value of the sandbox, such as the search index's position in the change feed."""

    __tablename__ = "sandbox_state"

    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class MailboxRow(SQLModel, table=True):
    """A mailbox with its owner and the ids of its most used folders."""

    __tablename__ = "mailbox"
    __table_args__ = (Index("mailbox_address", "address", unique=True), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    address: str = Field(sa_type=Text)
    display_name: str = Field(sa_type=Text)
    inbox_id: int | None = None
    sent_id: int | None = None
    deleted_id: int | None = None


class ConnectionRow(SQLModel, table=True):
    """A connection id, as it appears in URLs, and the mailbox that it opens."""

    __tablename__ = "connection"
    __table_args__ = (Index("connection_mailbox", "mailbox_id"),)

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
    """The content of a mail, shared by all copies. Address columns contain addresses without names, joined by `;`.

    `body` and `is_html` are as sent. `stored_body` is the HTML in which the mail service keeps the body if it differs,
    and empty for a fragment or a text in the usual document.
    `headers` is a JSON list of the internet headers as sent, with display names. `raw` contains the original bytes of
    an imported mail.
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
    stored_body: str | None = Field(default=None, sa_type=Text)
    headers: str = Field(sa_type=Text)
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)


class AttachmentRow(SQLModel, table=True):
    """An attachment of a mail. `skipped` marks the types that the connector does not return (EML, MSG, ICS)."""

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
    # Partial, so that a filtered list costs the same in a folder of 100,000, and a row is in few indexes.
    return Index(f"message_{name}", "folder_id", "received", "id", sqlite_where=text(condition))


FACETS = {
    "unread": "is_read = 0",
    "attachment": "has_attachments = 1",
    "flagged": "is_flagged = 1",
    "high": "importance = 2",
    "low": "importance = 0",
}
"""The filters of a mail list, rarest last: if two indexes fit, SQLite uses the one that was created last."""


class MessageRow(SQLModel, table=True):
    """A copy of a mail in a folder. A move creates a new row, since a moved mail gets a new id."""

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
    """An entry of the change feed, appended in the transaction of the change.

    `at` is unique, so an instant is a position in the feed. `before` is the previous state of an event, as JSON.
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
    """The row id of a message in the search index."""

    __tablename__ = "search_entry"

    message_id: int = Field(sa_column=Column(Integer, primary_key=True))
    rowid_: int = Field(sa_column=instant())


# A row id in the search index grows with the time of receipt, so that the newest matches come first without a sort.
SEARCH_TABLE = """
CREATE VIRTUAL TABLE message_search USING fts5(
    message_id UNINDEXED, subject, body, sender, recipients_to, recipients_cc, recipients_bcc, attachments, tags,
    tokenize = 'unicode61 remove_diacritics 2'
)
"""
