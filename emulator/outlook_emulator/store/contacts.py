"""Contact folders and contacts in the database: every function runs one or two statements and returns records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outlook_emulator.store import list_entries, sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Contact, ItemFolder, ListEntry


def folders(db: Database, mailbox_id: int) -> list[ItemFolder]:
    """The contact folders of a mailbox, ordered by name."""
    return [ItemFolder._make(row) for row in db.all(sql.CONTACT_FOLDERS, {"mailbox_id": mailbox_id})]


def insert_folder(db: Database, mailbox_id: int, name: str, is_default: bool) -> ItemFolder:
    """Add a contact folder to a mailbox."""
    values = {"mailbox_id": mailbox_id, "name": name, "is_default": int(is_default)}
    return ItemFolder(db.insert(sql.INSERT_CONTACT_FOLDER, values), name, int(is_default))


def contact(db: Database, mailbox_id: int, key: int) -> Contact | None:
    """The contact with a key in a mailbox."""
    row = db.one(sql.CONTACT, {"id": key, "mailbox_id": mailbox_id})
    return None if row is None else Contact._make(row)


def contacts(db: Database, folder_id: int) -> list[Contact]:
    """The contacts of a folder, ordered by display name."""
    return [Contact._make(row) for row in db.all(sql.CONTACTS, {"folder_id": folder_id})]


def insert_contact(db: Database, values: Mapping[str, Any], entries: Iterable[ListEntry]) -> Contact:
    """Add a contact with a value for each column but its id, and the entries of its lists."""
    contact = Contact(id=0, **values)
    key = db.insert(sql.INSERT_CONTACT, contact[1:])
    list_entries.insert(db, "contact", key, entries)
    return contact._replace(id=key)


def update_contact(db: Database, contact: Contact, values: Mapping[str, Any], entries: Iterable[ListEntry]) -> Contact:
    """Write new values over the columns of a contact, and replace the entries of its lists."""
    db.execute(sql.UPDATE_CONTACT, {**values, "key": contact.id})
    list_entries.replace(db, "contact", contact.id, entries)
    return contact._replace(**values)


def delete_contact(db: Database, key: int) -> None:
    """Delete a contact and the entries of its lists."""
    list_entries.delete(db, "contact", key)
    db.execute(sql.DELETE_CONTACT, {"id": key})
