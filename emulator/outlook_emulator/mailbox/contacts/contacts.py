"""Lists, creates, reads, changes and deletes contacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, Unpack

import orjson

from outlook_emulator import odata
from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.errors import ConnectorError, InvalidField, NotFound, TooManyEntries
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes, item_folders
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.item_folders import CONTACT_FOLDERS, Listed
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.odata import Vocabulary
from outlook_emulator.slices import Sliced, in_one_step
from outlook_emulator.store import contacts as contact_store
from outlook_emulator.store import filters
from outlook_emulator.store.records import Contact, ItemFolder, ListEntry

_FIELDS = tuple(field.name for field in fields(Card))
_LISTS = ("email_addresses", "im_addresses", "home_phones", "business_phones", "categories")
_MOST_ENTRIES = {"email_addresses": 3, "business_phones": 2, "home_phones": 2}
"""How many entries the mail service takes (recorded on Graph); that of home phones is inferred."""
_EMPTY_TEXTS = ("file_as", "assistant_name", "manager", "mobile_phone1")
"""The texts that read as empty where they are not set; all others read as null (recorded)."""


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
) -> list[Contact] | Sliced[list[Contact]]:
    """The contacts of a folder, filtered and ordered by `properties`.

    `top` is the only limit (recorded), or a setting without it: a user reports 10 at most.
    """
    folder_id = _folder_id(mailbox, table)
    query = odata.read(properties, **options).limited(mailbox.rules.max_contacts)
    find = partial(filters.find, mailbox.db, properties, folder_id, query, partial(_key, mailbox))
    return find() if filters.has_few(mailbox.db, properties) else in_one_step(find)


def get(mailbox: Mailbox, *, table: str, id: str) -> Contact:
    """One contact of a folder; contacts of other folders are not found (inferred). Raises InvalidId, NotFound."""
    folder_id = _folder_id(mailbox, table)
    key = mailbox.key_of(IdKind.CONTACT, id, "id")
    contact = contact_store.contact(mailbox.db, mailbox.owner.id, key)
    # A contact's id does not name its folder, so the table in the path is compared here.
    if contact is None or contact.folder_id != folder_id:
        raise NotFound()
    return contact


def create(mailbox: Mailbox, card: Card, *, table: str) -> Contact:
    """Create a contact in a folder. Raises InvalidField without a given name, and TooManyEntries."""
    folder_id = _folder_id(mailbox, table)
    if not _text(card.given_name):
        raise InvalidField("given_name", "is required.")
    _check_lists(card)
    with mailbox.db.transaction():
        return insert(mailbox, folder_id, card)


def insert(mailbox: Mailbox, folder_id: int, card: Card) -> Contact:
    """Create a contact in a folder; call it inside a transaction.

    Lists may be longer than requests may make them, so that an imported address book loses nothing (inferred).
    """
    card = filled(card)
    now = _whole_second(mailbox.now)
    values = _columns(card) | {"mailbox_id": mailbox.owner.id, "folder_id": folder_id, "version": 1}
    values |= {"created": now, "modified": now}
    contact = contact_store.insert_contact(mailbox.db, values, _entries(card))
    _append_change(mailbox, contact, ChangeAction.CREATED)
    return contact


def change(mailbox: Mailbox, changes: Mapping[str, Any], *, table: str, id: str) -> Contact:
    """Change a contact by fields of Card; None clears a text.

    Recorded: fields without an entry stay, but lists without one are emptied, and the display name is made afresh from
    the names. The given name may be cleared as long as another name remains (inferred). Raises InvalidField without
    any, and TooManyEntries.
    """
    contact = get(mailbox, table=table, id=id)
    unsent: dict[str, Any] = dict.fromkeys(_LISTS, ())
    # The order matters: what was sent wins over what an update without it clears.
    card = filled(replace(card_of(contact), **{**unsent, "display_name": None, **changes}))
    # Empty only if there is nothing that it could be made of.
    if not card.display_name:
        raise InvalidField("given_name", "is required.")
    _check_lists(card)
    # The version changes with every update, even within a second.
    values = _columns(card) | {"version": contact.version + 1}
    values |= {"modified": max(_whole_second(mailbox.now), contact.modified)}
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
    return [card_of(contact) for contact in contact_store.contacts(mailbox.db, folder.id)]


def filled(card: Card) -> Card:
    """A card with the display name that Outlook generates; the order of its choices is inferred.

    A file-as name is not generated: it was empty in every recording, with and without a display name.
    """
    given_names = _joined(card.given_name, card.middle_name)
    full = _joined(given_names, card.surname, card.generation)
    email = card.email_addresses[0].address if card.email_addresses else None
    display = _first(card.display_name, full, card.company_name, email, card.nick_name, card.file_as)
    return card if display == card.display_name else replace(card, display_name=display)


def _check_lists(card: Card) -> None:
    for name, most in _MOST_ENTRIES.items():
        if (count := len(getattr(card, name))) > most:
            raise TooManyEntries(name, count, most)


def _whole_second(instant: int) -> int:
    """The second of an instant: contacts have no finer times (recorded), so that filters agree with what they show."""
    return instant - instant % 1_000_000


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
    # Not asdict, which copies each value: it takes most of the time that the import of an address book takes.
    values = {name: getattr(card, name) for name in _FIELDS}
    values |= {name: values[name] or "" for name in _EMPTY_TEXTS}
    return values | {name: orjson.dumps([_plain(entry) for entry in values[name]]).decode() for name in _LISTS}


def card_of(contact: Contact) -> Card:
    """The fields of a stored contact."""
    values = {name: getattr(contact, name) for name in _FIELDS}
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
