"""The tables of calendars and contacts, and of the list entries of events and contacts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from outlook_emulator.store.schema.tables import flag, instant, key, reference


def folded(optional: bool = False) -> Column[str]:
    # Exchange ignores case in comparisons. NOCASE does so for ASCII, and with an index.
    return Column(Text(collation="NOCASE"), nullable=optional)


def optional() -> Any:
    return Field(default=None, sa_column=folded(optional=True))


class CalendarRow(SQLModel, table=True):
    """A calendar of a mailbox."""

    __tablename__ = "calendar"
    __table_args__ = (Index("calendar_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    name: str = Field(sa_column=folded())
    is_default: int = Field(sa_column=flag())


class EventRow(SQLModel, table=True):
    """A single event, the master of a series, or an occurrence that differs from its series.

    `master_id` and `original_start` identify the occurrence that an exception replaces. `start_zone` and `end_zone` are
    Windows ids, or IANA names if Windows has no id. `rule` is a JSON object, `excluded` and `added` are JSON lists of
    starts. `span_start` to `span_end` covers all occurrences of a series. `reach` tells queries for a time window how
    to find the event: 0 short, 1 long, 2 series; exceptions are short or long. `external_id` is an id of another
    system that also identifies the event. `attendees` (`[address, name, type, response, responded]`), `categories`
    and `place` are JSON; `required`, `optional` and `resources` are the attendees' addresses joined by `;`.
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

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    calendar_id: int = Field(sa_column=reference("calendar"))
    type: int
    master_id: int | None = None
    original_start: int | None = Field(default=None, sa_type=BigInteger)
    uid: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    subject: str = Field(sa_column=folded())
    body: str = Field(sa_column=folded())
    is_html: int = Field(sa_column=flag())
    preview: str = Field(sa_column=folded())
    start_at: int = Field(sa_column=instant())
    end_at: int = Field(sa_column=instant())
    start_zone: str = Field(sa_column=folded())
    end_zone: str = Field(sa_column=folded())
    is_all_day: int = Field(sa_column=flag())
    location: str = Field(sa_column=folded())
    place: str | None = Field(default=None, sa_type=Text)
    importance: int
    show_as: int
    reminder: int | None = None
    response_requested: int = Field(sa_column=flag())
    categories: str = Field(sa_type=Text)
    organizer: str = Field(sa_column=folded())
    organizer_name: str = Field(sa_column=folded())
    is_organizer: int = Field(sa_column=flag())
    is_cancelled: int = Field(sa_column=flag())
    response: int
    responded: int | None = Field(default=None, sa_type=BigInteger)
    attendees: str = Field(sa_type=Text)
    required: str = Field(sa_column=folded())
    optional: str = Field(sa_column=folded())
    resources: str = Field(sa_column=folded())
    recurrence: int
    recurrence_end: int | None = Field(default=None, sa_type=BigInteger)
    occurrences: int | None = None
    rule: str | None = Field(default=None, sa_type=Text)
    excluded: str = Field(sa_type=Text)
    added: str = Field(sa_type=Text)
    span_start: int = Field(sa_column=instant())
    span_end: int = Field(sa_column=instant())
    reach: int
    created: int = Field(sa_column=instant())
    modified: int = Field(sa_column=instant())
    version: int


class ContactFolderRow(SQLModel, table=True):
    """A contact folder of a mailbox."""

    __tablename__ = "contact_folder"
    __table_args__ = (Index("contact_folder_name", "mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    name: str = Field(sa_column=folded())
    is_default: int = Field(sa_column=flag())


class ContactRow(SQLModel, table=True):
    """A contact. Missing texts are null. Lists are JSON; `email_addresses` has items `[address, name]`."""

    __tablename__ = "contact"
    __table_args__ = (
        *(
            Index(f"contact_{name}", "folder_id", name, "id")
            for name in ("display_name", "surname", "given_name", "company_name", "file_as")
        ),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    folder_id: int = Field(sa_column=reference("contact_folder"))
    birthday: int | None = Field(default=None, sa_type=BigInteger)
    file_as: str = Field(sa_column=folded())
    display_name: str = Field(sa_column=folded())
    given_name: str | None = optional()
    initials: str | None = optional()
    middle_name: str | None = optional()
    nick_name: str | None = optional()
    surname: str | None = optional()
    title: str | None = optional()
    generation: str | None = optional()
    email_addresses: str = Field(sa_type=Text)
    im_addresses: str = Field(sa_type=Text)
    job_title: str | None = optional()
    company_name: str | None = optional()
    department: str | None = optional()
    office_location: str | None = optional()
    profession: str | None = optional()
    business_home_page: str | None = optional()
    assistant_name: str | None = optional()
    manager: str | None = optional()
    home_phones: str = Field(sa_type=Text)
    business_phones: str = Field(sa_type=Text)
    mobile_phone1: str | None = optional()
    home_street: str | None = optional()
    home_city: str | None = optional()
    home_state: str | None = optional()
    home_country_or_region: str | None = optional()
    home_postal_code: str | None = optional()
    business_street: str | None = optional()
    business_city: str | None = optional()
    business_state: str | None = optional()
    business_country_or_region: str | None = optional()
    business_postal_code: str | None = optional()
    other_street: str | None = optional()
    other_city: str | None = optional()
    other_state: str | None = optional()
    other_country_or_region: str | None = optional()
    other_postal_code: str | None = optional()
    yomi_company_name: str | None = optional()
    yomi_given_name: str | None = optional()
    yomi_surname: str | None = optional()
    categories: str = Field(sa_type=Text)
    created: int = Field(sa_column=instant())
    modified: int = Field(sa_column=instant())
    version: int


class ListEntryRow(SQLModel, table=True):
    """An entry of a list in an event or a contact, so that a filter over the list can use an index.

    It is derived from the JSON column `member` of the item and written in the same transaction. `kind` is `event` or
    `contact`. An entry of a list of texts has only a `value`. An address has a `name` too, and an attendee also has
    `type` and `response`.
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
