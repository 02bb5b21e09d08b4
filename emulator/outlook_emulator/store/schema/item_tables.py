"""The tables of calendars and contacts, and of the list entries of events and contacts.

The tables of events and contacts follow from their records: a field is a column, and its type is the column's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_type_hints

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text
from sqlmodel import Field, SQLModel

from outlook_emulator.store import records
from outlook_emulator.store.schema.tables import flag, key, reference


def folded(optional: bool = False) -> Column[str]:
    # Exchange compares without case. SQLite can do so for ASCII, with an index.
    return Column(Text(collation="NOCASE"), nullable=optional)


def optional() -> Any:
    return Field(default=None, sa_column=folded(optional=True))


def record_table(
    name: str,
    record: Any,
    *indexes: Index,
    references: Mapping[str, str],
    instants: Collection[str],
    flags: Collection[str] = (),
    exact: Collection[str] = (),
) -> Table:
    """A table with a column for each field of a record.

    Texts compare without case, except those in `exact`; `references` maps columns to the tables that they refer to.
    """
    columns = []
    for field, hint in get_type_hints(record).items():
        is_optional = hint in (int | None, str | None)
        if field == "id":
            column: Column[Any] = key()
        elif field in references:
            column = reference(references[field])
        elif field in flags:
            column = flag()
        elif field in instants:
            column = Column(BigInteger, nullable=is_optional)
        elif hint in (int, int | None):
            column = Column(Integer, nullable=is_optional)
        else:
            column = Column(Text, nullable=is_optional) if field in exact else folded(is_optional)
        # The helpers make columns without names, as SQLModel names those of a class by its attributes.
        column.name = column.key = field
        columns.append(column)
    return Table(name, SQLModel.metadata, *columns, *indexes, sqlite_autoincrement=True)


class CalendarRow(SQLModel, table=True):
    """A calendar of a mailbox."""

    __tablename__ = "calendar"
    __table_args__ = (Index("calendar_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    name: str = Field(sa_column=folded())
    is_default: int = Field(sa_column=flag())


event = record_table(
    "event",
    records.Event,
    Index("event_start", "calendar_id", "start_at", "id"),
    Index("event_subject", "calendar_id", "subject"),
    Index("event_short", "calendar_id", "start_at", sqlite_where=text("reach = 0")),
    Index("event_span", "calendar_id", "span_end", "span_start", sqlite_where=text("reach > 0")),
    Index("event_master", "master_id", "original_start", unique=True, sqlite_where=text("master_id IS NOT NULL")),
    Index("event_uid", "mailbox_id", "uid"),
    Index("event_external_id", "mailbox_id", "external_id", sqlite_where=text("external_id IS NOT NULL")),
    references={"mailbox_id": "mailbox", "calendar_id": "calendar"},
    instants=(
        *("original_start", "start_at", "end_at", "responded", "recurrence_end", "span_start", "span_end"),
        *("created", "modified"),
    ),
    flags=("is_html", "shown_as_html", "is_all_day", "response_requested", "is_organizer", "is_cancelled"),
    exact=("uid", "external_id", "stored_body", "place", "categories", "attendees", "rule", "excluded", "added"),
)


class ContactFolderRow(SQLModel, table=True):
    """A contact folder of a mailbox."""

    __tablename__ = "contact_folder"
    __table_args__ = (Index("contact_folder_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    name: str = Field(sa_column=folded())
    is_default: int = Field(sa_column=flag())


contact = record_table(
    "contact",
    records.Contact,
    *(
        Index(f"contact_{name}", "folder_id", name, "id")
        for name in ("display_name", "surname", "given_name", "company_name", "file_as")
    ),
    references={"mailbox_id": "mailbox", "folder_id": "contact_folder"},
    instants=("birthday", "created", "modified"),
    exact=("email_addresses", "im_addresses", "home_phones", "business_phones", "categories"),
)


class ListEntryRow(SQLModel, table=True):
    """An entry of a list in an event or a contact, so that a filter over the list can use an index.

    Derived from the item's JSON and written in the same transaction. `kind` is `event` or `contact`, `member` the
    item's column. An entry of a list of texts has only a `value`. An address is in `value` with its `name`; an
    attendee has `type` and `response` too.
    """

    __tablename__ = "list_entry"
    __table_args__ = (
        Index("list_entry_value", "member", "kind", "value", "owner_id"),
        Index("list_entry_owner", "kind", "owner_id"),
    )

    id: int = Field(sa_column=key())
    kind: str = Field(sa_type=Text)
    owner_id: int
    member: str = Field(sa_type=Text)
    value: str = Field(sa_column=folded())
    name: str | None = optional()
    type: int | None = None
    response: int | None = None
