"""The tables of subscriptions, push triggers and callbacks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from outlook_emulator.store.schema.tables import flag, instant, key, reference


class CallbackRow(SQLModel, table=True):
    """A callback, an HTTP request to a URL of the workflow engine, with its delivery state.

    `state` is pending, done, failed or cancelled. While it is pending, `due` is the time of the next attempt.
    `headers` is a JSON object. `last_status` and `last_error` describe the last attempt.
    """

    __tablename__ = "callback"
    __table_args__ = (
        Index("callback_due", "state", "due", "id"),
        # Partial, so that old callbacks do not slow down the queue.
        Index("callback_url", "url", "id", sqlite_where=text("state = 'pending'")),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_column=key())
    kind: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    headers: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    state: str = Field(sa_type=Text)
    attempts: int
    due: int = Field(sa_column=instant())
    created: int = Field(sa_column=instant())
    attempted: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_status: int | None = None
    last_error: str | None = Field(default=None, sa_type=Text)


class SubscriptionRow(SQLModel, table=True):
    """A subscription to the changes of a folder or a calendar, valid until `expires`.

    A null `folder_id` means all folders. `options` is a JSON object. `seen` is the position in the change feed up to
    which notifications were queued.
    """

    __tablename__ = "subscription"
    __table_args__ = (Index("subscription_expires", "expires", "id"),)

    id: str = Field(primary_key=True, sa_type=Text)
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    watched: str = Field(sa_type=Text)
    folder_id: int | None = None
    url: str = Field(sa_type=Text)
    options: str = Field(sa_type=Text)
    expires: int = Field(sa_column=instant())
    seen: int = Field(sa_column=instant())


class PushRow(SQLModel, table=True):
    """A trigger whose items are pushed to a URL. `cursor` is its position in the feed, `parameters` a JSON object."""

    __tablename__ = "push"

    connection_id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    operation: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    parameters: str = Field(sa_type=Text)
    split_on: int = Field(sa_column=flag())
    cursor: str = Field(sa_type=Text)
    created: int = Field(sa_column=instant())
