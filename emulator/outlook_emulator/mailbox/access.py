"""Access to mailboxes: those shared by address, and owners by key."""

from __future__ import annotations

from outlook_emulator.errors import MailboxDenied, NotFound
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import mailboxes
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner


def open_mailbox(mailbox: Mailbox, address: str | None) -> Mailbox:
    """The mailbox with an address: the caller's own, also without an address, or one that the caller was granted.

    Raises AccessDenied.
    """
    wanted = (address or "").strip().lower()
    if wanted in ("", mailbox.owner.address):
        return mailbox
    owner = mailboxes.owner_by_address(mailbox.db, wanted)
    if owner is None or not mailboxes.has_grant(mailbox.db, mailbox.owner.id, wanted):
        raise MailboxDenied("mailbox_address", wanted)
    return mailbox.beside(owner)


def owner_of(db: Database, mailbox_id: int) -> Owner:
    """The owner of a mailbox. Raises NotFound."""
    owner = mailboxes.owner(db, mailbox_id)
    if owner is None:
        raise NotFound()
    return owner
