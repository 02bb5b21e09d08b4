"""The table of questions: approval mails and mails with options, which wait for an answer."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from outlook_emulator.store.schema.tables import flag, instant, key, reference


class QuestionRow(SQLModel, table=True):
    """A mail that asks its recipients to choose an option, and the answer.

    `token` identifies it in links. `kind` is `approval` or `options`. `recipients` are joined by `;`, `options` is a
    JSON list. A withdrawn question is kept, so that a late answer gets a proper response.
    """

    __tablename__ = "question"
    __table_args__ = (Index("question_token", "token", unique=True), {"sqlite_autoincrement": True})

    id: int = Field(sa_column=key())
    mailbox_id: int = Field(sa_column=reference("mailbox"))
    token: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    recipients: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    options: str = Field(sa_type=Text)
    callback_url: str = Field(sa_type=Text)
    created: int = Field(sa_column=instant())
    answer: str | None = Field(default=None, sa_type=Text)
    answered: int | None = Field(default=None, sa_type=BigInteger)
    withdrawn: int = Field(sa_column=flag())
