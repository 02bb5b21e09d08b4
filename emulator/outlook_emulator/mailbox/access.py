"""Which mailbox a request opens: by its connection, and when it is not that of its connection."""

from __future__ import annotations

import re

from outlook_emulator.errors import AccessDenied, InvalidRequest, NotFound
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner

_CONNECTION_ID = re.compile(r"(?=.{1,128}\Z)[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*")


def check_connection_id(id: str) -> None:
    """Raise InvalidRequest for what cannot be the id of a connection."""
    if not _CONNECTION_ID.fullmatch(id):
        rule = "1 to 128 letters, digits, -_~ and inner dots"
        raise InvalidRequest(f"A connection id has {rule}, unlike '{id[:130]}'.")


def opened(mailbox: Mailbox, address: str | None) -> Mailbox:
    """The mailbox a read asks for by address: the caller's own, or one it was granted. Raises AccessDenied."""
    wanted = (address or "").strip().lower()
    if wanted in ("", mailbox.owner.address):
        return mailbox
    row = mailbox.db.one(sql.MAILBOX_BY_ADDRESS, {"address": wanted})
    if row is None or mailbox.db.one(sql.GRANT, {"mailbox_id": mailbox.owner.id, "address": wanted}) is None:
        raise AccessDenied(f"Access is denied. Check credentials and try again. (mailboxAddress: {wanted})")
    return mailbox.beside(Owner._make(row))


def owner_of(db: Database, mailbox_id: int) -> Owner:
    """Whose a mailbox is, by its key. Raises NotFound."""
    row = db.one(sql.MAILBOX, {"id": mailbox_id})
    if row is None:
        raise NotFound()
    return Owner._make(row)
