"""The outbox: mails to recipients that have no mailbox in the sandbox."""

from __future__ import annotations

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import OutboxMail, OutboxSource


def insert(db: Database, *, mailbox_id: int, content_id: int, recipients: str, at: int) -> int:
    """Add a mail and return its key; `recipients` are joined by `;`."""
    values = {"mailbox_id": mailbox_id, "content_id": content_id, "recipients": recipients, "at": at}
    if db.fresh is not None:
        db.fresh.add_outbox_mail()
    return db.insert(sql.INSERT_OUTBOX_MAIL, values)


def mails(db: Database) -> list[OutboxMail]:
    """All mails, oldest first."""
    return [OutboxMail._make(row) for row in db.all(sql.OUTBOX_MAILS, {})]


def mail(db: Database, key: int) -> OutboxMail | None:
    """One mail."""
    row = db.one(sql.OUTBOX_MAIL, {"id": key})
    return None if row is None else OutboxMail._make(row)


def page(db: Database, after: int, until: int, *, newer: int = 0, subject: str = "") -> list[OutboxMail]:
    """The mails with keys after one and up to another, oldest first.

    Only mails with a content newer than `newer` and with `subject`, in lower case, in their subject.
    """
    values = {"after": after, "until": until, "newer": newer, "subject": subject}
    return [OutboxMail._make(row) for row in db.all(sql.OUTBOX_PAGE, values)]


def before(db: Database, key: int, top: int) -> list[OutboxMail]:
    """The newest mails with keys below one, newest first."""
    return [OutboxMail._make(row) for row in db.all(sql.OUTBOX_BEFORE, {"before": key, "top": top})]


def newest(db: Database) -> int:
    """The greatest key of a mail, 0 when there is none."""
    (key,) = db.one(sql.NEWEST["outbox_mail"], {})
    return int(key)


def source(db: Database, key: int) -> OutboxSource | None:
    """The content of a mail and the mailbox that sent it."""
    row = db.one(sql.OUTBOX_MAIL_SOURCE, {"id": key})
    return None if row is None else OutboxSource._make(row)


def set_recipients(db: Database, key: int, recipients: str) -> None:
    """Replace the recipients of a mail."""
    db.execute(sql.SET_OUTBOX_RECIPIENTS, {"outbox_id": key, "left": recipients})


def delete(db: Database, key: int) -> None:
    """Remove a mail."""
    db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": key})


def count(db: Database) -> int:
    """How many mails are in the outbox."""
    (mails,) = db.one(sql.COUNT_OUTBOX, {})
    return int(mails)
