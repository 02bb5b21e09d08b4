"""The tables, declared once. Instants are microseconds since 1970 (UTC), flags are 0 or 1.

Read by `compile.py` only; `sql.py` holds the DDL that a server runs.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field, SQLModel


def _key() -> Column[int]:
    # Where rows are deleted, tables add AUTOINCREMENT: the id of something gone must never name something else.
    return Column(Integer, primary_key=True, autoincrement=True)


def _reference(table: str) -> Column[int]:
    return Column(Integer, ForeignKey(f"{table}.id"), nullable=False)


def _instant() -> Column[int]:
    return Column(BigInteger, nullable=False)


def _flag() -> Column[int]:
    return Column(Integer, nullable=False, server_default=text("0"))


def _folded(optional: bool = False) -> Column[str]:
    # Exchange compares without case; SQLite knows that for ASCII, and can look it up in an index.
    return Column(Text(collation="NOCASE"), nullable=optional)


class Fact(SQLModel, table=True):
    """A fact about the sandbox itself, such as how far the search index has read the change feed."""

    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class MailboxRow(SQLModel, table=True):
    """A mailbox and its owner; the folders that mail operations need most are at hand."""

    __tablename__ = "mailbox"
    __table_args__ = (Index("mailbox_address", "address", unique=True), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=_key())
    address: str = Field(sa_type=Text)
    display_name: str = Field(sa_type=Text)
    inbox_id: int | None = None
    sent_id: int | None = None
    deleted_id: int | None = None


class ConnectionRow(SQLModel, table=True):
    """A connection id of the URL space, and the mailbox it opens."""

    __tablename__ = "connection"

    id: str = Field(primary_key=True, sa_type=Text)
    mailbox_id: int = Field(sa_column=_reference("mailbox"))


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

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    parent_id: int | None = None
    name: str = Field(sa_type=Text)
    well_known: str | None = Field(default=None, sa_type=Text)


class CalendarRow(SQLModel, table=True):
    """A calendar of a mailbox."""

    __tablename__ = "calendar"
    __table_args__ = (Index("calendar_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    name: str = Field(sa_column=_folded())
    is_default: int = Field(sa_column=_flag())


class EventRow(SQLModel, table=True):
    """A single event, the master of a series, or an occurrence that differs from its series.

    `master_id` and `original_start` say which occurrence an exception replaces. `start_zone` and `end_zone` are
    Windows ids, or IANA names where Windows has none. `rule` is a JSON object, `excluded` and `added` JSON lists of
    starts; `span_start` to `span_end` is all the time a series may touch. `reach` sorts events by how a window finds
    them: 0 short, 1 long, 2 series; exceptions are short or long. `external_id` is an id from elsewhere that the event
    goes by. `attendees` (`[address, name, type, response, responded]`), `categories` and `place` are JSON;
    `required`, `optional` and `resources` repeat the attendees' addresses the flat way.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("event_start", "calendar_id", "start_at", "id"),
        Index("event_subject", "calendar_id", "subject"),
        Index("event_short", "calendar_id", "start_at", sqlite_where=text("reach = 0")),
        Index("event_span", "calendar_id", "span_end", "span_start", sqlite_where=text("reach > 0")),
        Index("event_master", "master_id", "original_start", unique=True, sqlite_where=text("master_id IS NOT NULL")),
        Index("event_uid", "mailbox_id", "uid"),
        Index("event_external_id", "mailbox_id", "external_id", sqlite_where=text("external_id IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    calendar_id: int = Field(sa_column=_reference("calendar"))
    type: int
    master_id: int | None = None
    original_start: int | None = Field(default=None, sa_type=BigInteger)
    uid: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    subject: str = Field(sa_column=_folded())
    body: str = Field(sa_column=_folded())
    is_html: int = Field(sa_column=_flag())
    preview: str = Field(sa_column=_folded())
    start_at: int = Field(sa_column=_instant())
    end_at: int = Field(sa_column=_instant())
    start_zone: str = Field(sa_column=_folded())
    end_zone: str = Field(sa_column=_folded())
    is_all_day: int = Field(sa_column=_flag())
    location: str = Field(sa_column=_folded())
    place: str | None = Field(default=None, sa_type=Text)
    importance: int
    show_as: int
    reminder: int | None = None
    response_requested: int = Field(sa_column=_flag())
    categories: str = Field(sa_type=Text)
    organizer: str = Field(sa_column=_folded())
    organizer_name: str = Field(sa_column=_folded())
    is_organizer: int = Field(sa_column=_flag())
    is_cancelled: int = Field(sa_column=_flag())
    response: int
    responded: int | None = Field(default=None, sa_type=BigInteger)
    attendees: str = Field(sa_type=Text)
    required: str = Field(sa_column=_folded())
    optional: str = Field(sa_column=_folded())
    resources: str = Field(sa_column=_folded())
    recurrence: int
    recurrence_end: int | None = Field(default=None, sa_type=BigInteger)
    occurrences: int | None = None
    rule: str | None = Field(default=None, sa_type=Text)
    excluded: str = Field(sa_type=Text)
    added: str = Field(sa_type=Text)
    span_start: int = Field(sa_column=_instant())
    span_end: int = Field(sa_column=_instant())
    reach: int
    created: int = Field(sa_column=_instant())
    modified: int = Field(sa_column=_instant())
    version: int


class ContactFolderRow(SQLModel, table=True):
    """A contact folder of a mailbox."""

    __tablename__ = "contact_folder"
    __table_args__ = (Index("contact_folder_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    name: str = Field(sa_column=_folded())
    is_default: int = Field(sa_column=_flag())


class ContactRow(SQLModel, table=True):
    """A contact; texts that are not set are null. Lists are JSON: `email_addresses` of `[address, name]`."""

    __tablename__ = "contact"
    __table_args__ = (
        *(
            Index(f"contact_{name}", "folder_id", name, "id")
            for name in ("display_name", "surname", "given_name", "company_name", "file_as")
        ),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    folder_id: int = Field(sa_column=_reference("contact_folder"))
    birthday: int | None = Field(default=None, sa_type=BigInteger)
    file_as: str = Field(sa_column=_folded())
    display_name: str = Field(sa_column=_folded())
    given_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    initials: str | None = Field(default=None, sa_column=_folded(optional=True))
    middle_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    nick_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    surname: str | None = Field(default=None, sa_column=_folded(optional=True))
    title: str | None = Field(default=None, sa_column=_folded(optional=True))
    generation: str | None = Field(default=None, sa_column=_folded(optional=True))
    email_addresses: str = Field(sa_type=Text)
    im_addresses: str = Field(sa_type=Text)
    job_title: str | None = Field(default=None, sa_column=_folded(optional=True))
    company_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    department: str | None = Field(default=None, sa_column=_folded(optional=True))
    office_location: str | None = Field(default=None, sa_column=_folded(optional=True))
    profession: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_home_page: str | None = Field(default=None, sa_column=_folded(optional=True))
    assistant_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    manager: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_phones: str = Field(sa_type=Text)
    business_phones: str = Field(sa_type=Text)
    mobile_phone1: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_street: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_city: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_state: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_country_or_region: str | None = Field(default=None, sa_column=_folded(optional=True))
    home_postal_code: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_street: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_city: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_state: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_country_or_region: str | None = Field(default=None, sa_column=_folded(optional=True))
    business_postal_code: str | None = Field(default=None, sa_column=_folded(optional=True))
    other_street: str | None = Field(default=None, sa_column=_folded(optional=True))
    other_city: str | None = Field(default=None, sa_column=_folded(optional=True))
    other_state: str | None = Field(default=None, sa_column=_folded(optional=True))
    other_country_or_region: str | None = Field(default=None, sa_column=_folded(optional=True))
    other_postal_code: str | None = Field(default=None, sa_column=_folded(optional=True))
    yomi_company_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    yomi_given_name: str | None = Field(default=None, sa_column=_folded(optional=True))
    yomi_surname: str | None = Field(default=None, sa_column=_folded(optional=True))
    categories: str = Field(sa_type=Text)
    created: int = Field(sa_column=_instant())
    modified: int = Field(sa_column=_instant())
    version: int


class Element(SQLModel, table=True):
    """One member of a list that an event or a contact holds, so that a filter over the list needs no scan.

    Derived from the item's JSON and written in the same transaction. `kind` is `event` or `contact`, `member` the
    item's column. A list of texts fills `value` alone; an address is in `value` with its `name`, and an attendee has
    its `type` and `response` as well.
    """

    __table_args__ = (
        Index("element_value", "member", "kind", "value", "owner_id"),
        Index("element_owner", "kind", "owner_id"),
    )

    id: int = Field(sa_column=_key())
    kind: str = Field(sa_type=Text)
    owner_id: int
    member: str = Field(sa_type=Text)
    value: str = Field(sa_column=_folded())
    name: str | None = Field(default=None, sa_column=_folded(optional=True))
    type: int | None = None
    response: int | None = None


class Content(SQLModel, table=True):
    """What a mail says: written once, shared by every copy. Address columns hold bare addresses joined by `;`.

    `headers` is a JSON list of the internet headers as sent, display names included; `raw` the bytes of a mail that
    came from outside.
    """

    __table_args__ = (Index("content_message_id", "message_id"),)

    id: int = Field(sa_column=_key())
    message_id: str = Field(sa_type=Text)
    conversation_id: int
    sent: int = Field(sa_column=_instant())
    sender: str | None = Field(default=None, sa_type=Text)
    recipients_to: str | None = Field(default=None, sa_type=Text)
    recipients_cc: str | None = Field(default=None, sa_type=Text)
    reply_to: str | None = Field(default=None, sa_type=Text)
    subject: str = Field(sa_type=Text)
    is_html: int = Field(sa_column=_flag())
    importance: int
    has_attachments: int = Field(sa_column=_flag())
    has_files: int = Field(sa_column=_flag())
    is_encrypted: int = Field(sa_column=_flag())
    preview: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    headers: str = Field(sa_type=Text)
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)


class AttachmentRow(SQLModel, table=True):
    """A file of a mail; `skipped` marks kinds the connector keeps to itself (EML, MSG, ICS)."""

    __tablename__ = "attachment"
    __table_args__ = (Index("attachment_content", "content_id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=_key())
    content_id: int = Field(sa_column=_reference("content"))
    name: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    size: int
    is_inline: int = Field(sa_column=_flag())
    skipped: int = Field(sa_column=_flag())
    cid: str | None = Field(default=None, sa_type=Text)
    modified: int = Field(sa_column=_instant())
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

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    folder_id: int = Field(sa_column=_reference("folder"))
    content_id: int = Field(sa_column=_reference("content"))
    received: int = Field(sa_column=_instant())
    is_read: int = Field(sa_column=_flag())
    is_flagged: int = Field(sa_column=_flag())
    importance: int
    has_attachments: int = Field(sa_column=_flag())
    last_verb: str | None = Field(default=None, sa_type=Text)
    recipients_bcc: str | None = Field(default=None, sa_type=Text)


class ChangeRow(SQLModel, table=True):
    """One entry of the change feed, appended in the transaction that made the change."""

    __tablename__ = "change"
    __table_args__ = (Index("change_mailbox", "mailbox_id", "kind", "seq"),)

    seq: int = Field(sa_column=_key())
    mailbox_id: int
    kind: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    item_id: int
    folder_id: int
    at: int = Field(sa_column=_instant())


class Departure(SQLModel, table=True):
    """A mail that left the sandbox, and to whom: the outbox."""

    __table_args__ = (
        Index("departure_content", "content_id"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=_key())
    mailbox_id: int = Field(sa_column=_reference("mailbox"))
    content_id: int = Field(sa_column=_reference("content"))
    recipients: str = Field(sa_type=Text)
    at: int = Field(sa_column=_instant())


class Indexed(SQLModel, table=True):
    """Where a message stands in the search index."""

    message_id: int = Field(sa_column=Column(Integer, primary_key=True))
    rowid_: int = Field(sa_column=_instant())


# Full text search is SQLite's own; another store would bring its own here. A row's id grows with the time its mail
# was received, so that the newest matches come first without sorting them all.
SEARCH_TABLE = """
CREATE VIRTUAL TABLE message_search USING fts5(
    message_id UNINDEXED, subject, body, sender, recipients_to, recipients_cc, recipients_bcc, attachments, tags,
    tokenize = 'unicode61 remove_diacritics 2'
)
"""
