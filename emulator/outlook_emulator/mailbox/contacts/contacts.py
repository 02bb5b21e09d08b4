"""Lists, creates, reads, changes and deletes contacts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any, Unpack

import orjson

from outlook_emulator import odata
from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.errors import ConnectorError, InvalidField, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.item_folders import CONTACT_FOLDERS, Listed
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.odata import Vocabulary
from outlook_emulator.store import contacts as contact_store
from outlook_emulator.store import filters
from outlook_emulator.store.records import Contact, ItemFolder, ListEntry

_LISTS = ("email_addresses", "im_addresses", "home_phones", "business_phones", "categories")


def tables(mailbox: Mailbox) -> list[Listed]:
    """The contact folders of the mailbox, by name."""
    return item_folders.tables(mailbox, CONTACT_FOLDERS)


def table(mailbox: Mailbox, *, table: str) -> Listed:
    """One contact folder, by id or name. Raises InvalidId, FolderNotFound."""
    return item_folders.table(mailbox, CONTACT_FOLDERS, table)


def find(
    mailbox: Mailbox,
    *,
    table: str,
    properties: Vocabulary,
    **options: Unpack[odata.QueryOptions],
) -> list[Contact]:
    """The contacts of a folder, filtered and ordered by `properties`; `top` is the only limit (recorded)."""
    folder_id = _folder_id(mailbox, table)
    query = odata.read(properties, **options)
    return filters.find(mailbox.db, properties, folder_id, query, lambda text: _key(mailbox, text))


def get(mailbox: Mailbox, *, table: str, id: str) -> Contact:
    """One contact of a folder; contacts of other folders are not found (inferred). Raises InvalidId, NotFound."""
    folder_id = _folder_id(mailbox, table)
    key = mailbox.key_of(IdKind.CONTACT, id, "id")
    contact = contact_store.contact(mailbox.db, mailbox.owner.id, key)
    if contact is None or contact.folder_id != folder_id:
        raise NotFound()
    return contact


def create(mailbox: Mailbox, card: Card, *, table: str) -> Contact:
    """Create a contact in a folder. Raises InvalidField without a given name."""
    folder_id = _folder_id(mailbox, table)
    if not _text(card.given_name):
        raise InvalidField("given_name", "is required.")
    with mailbox.db.transaction():
        return insert(mailbox, folder_id, card)


def insert(mailbox: Mailbox, folder_id: int, card: Card) -> Contact:
    """Create a contact in a folder; call it inside a transaction."""
    card = filled(card)
    values = _columns(card) | {"mailbox_id": mailbox.owner.id, "folder_id": folder_id, "version": 1}
    values |= {"created": mailbox.now, "modified": mailbox.now}
    contact = contact_store.insert_contact(mailbox.db, values, _entries(card))
    _append_change(mailbox, contact, ChangeAction.CREATED)
    return contact


def change(mailbox: Mailbox, card: Card, *, table: str, id: str) -> Contact:
    """Replace all fields of a contact, so that fields without a value are cleared (recorded).

    The given name may be cleared as long as another name remains (inferred). Raises InvalidField without any.
    """
    contact = get(mailbox, table=table, id=id)
    card = filled(card)
    if not card.display_name:
        raise InvalidField("given_name", "is required.")
    # Both change with every update, even while the clock is frozen.
    values = _columns(card) | {"modified": max(mailbox.now, contact.modified + 1), "version": contact.version + 1}
    with mailbox.db.transaction():
        saved = contact_store.update_contact(mailbox.db, contact, values, _entries(card))
        _append_change(mailbox, saved, ChangeAction.UPDATED)
    return saved


def delete(mailbox: Mailbox, *, table: str, id: str) -> None:
    """Delete a contact permanently."""
    contact = get(mailbox, table=table, id=id)
    with mailbox.db.transaction():
        contact_store.delete_contact(mailbox.db, contact.id)
        _append_change(mailbox, contact, ChangeAction.DELETED)


def export_contacts(mailbox: Mailbox, folder: ItemFolder) -> list[Card]:
    """All contacts of a folder, ready to be written to a file."""
    return [_card(contact) for contact in contact_store.contacts(mailbox.db, folder.id)]


def filled(card: Card) -> Card:
    """A card with the display name and the file-as name that Outlook generates (inferred, as is their order)."""
    given_names = _joined(card.given_name, card.middle_name)
    full = _joined(given_names, card.surname, card.generation)
    email = card.email_addresses[0].address if card.email_addresses else None
    display = _first(card.display_name, full, card.company_name, email, card.nick_name, card.file_as)
    surname_first = f"{_text(card.surname)}, {given_names}" if given_names and _text(card.surname) else None
    return replace(card, display_name=display, file_as=_first(card.file_as, surname_first, display))


def _folder_id(mailbox: Mailbox, table: str) -> int:
    return item_folders.resolve(mailbox, CONTACT_FOLDERS, table).id


def _key(mailbox: Mailbox, text: str) -> int | None:
    """The key of the contact that an id in a filter names, None unless it is an id of this mailbox."""
    try:
        return mailbox.key_of(IdKind.CONTACT, text, "id")
    except ConnectorError:
        return None


def _columns(card: Card) -> dict[str, Any]:
    """The columns of a contact's row, except for ids and times."""
    values = asdict(card)
    return values | {name: orjson.dumps([_plain(entry) for entry in values[name]]).decode() for name in _LISTS}


def _card(contact: Contact) -> Card:
    values = {field.name: getattr(contact, field.name) for field in fields(Card)}
    lists = {name: tuple(orjson.loads(values[name])) for name in _LISTS}
    addresses = tuple(Address(*entry) for entry in lists["email_addresses"])
    return Card(**values | lists | {"email_addresses": addresses})


def _plain(entry: Any) -> Any:
    return entry if isinstance(entry, str) else list(entry)


def _entries(card: Card) -> Iterator[ListEntry]:
    """The entries by which a filter finds a contact by its lists."""
    for member in _LISTS:
        for entry in getattr(card, member):
            yield ListEntry(member, entry) if isinstance(entry, str) else ListEntry(member, *entry)


def _append_change(mailbox: Mailbox, contact: Contact, action: ChangeAction) -> None:
    changes.append(
        mailbox.db, contact.mailbox_id, action, contact.id, contact.folder_id, mailbox.now, kind=ItemKind.CONTACT
    )


def _first(*texts: str | None) -> str:
    """The first text that is not blank, unchanged; empty without one."""
    return next((text for text in texts if _text(text)), None) or ""


def _joined(*texts: str | None) -> str:
    return " ".join(filter(None, map(_text, texts)))


def _text(text: str | None) -> str:
    return (text or "").strip()
