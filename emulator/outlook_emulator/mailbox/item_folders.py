"""Calendars and contact folders: flat lists of named places that hold items."""

from __future__ import annotations

from typing import NamedTuple

from outlook_emulator.errors import FolderNotFound, InvalidRequest
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import ItemFolder

MAX_NAME = 255


class ItemFolderKind(NamedTuple):
    """One of the two kinds: its ids, its default's name, and where it is stored."""

    kind: IdKind
    default: str
    select: str
    insert: str


CALENDARS = ItemFolderKind(IdKind.CALENDAR, "Calendar", sql.CALENDARS, sql.INSERT_CALENDAR)
CONTACT_FOLDERS = ItemFolderKind(IdKind.CONTACT_FOLDER, "Contacts", sql.CONTACT_FOLDERS, sql.INSERT_CONTACT_FOLDER)


class Listed(NamedTuple):
    """A calendar or contact folder as a caller sees it, and whose it is."""

    id: str
    name: str
    owner_name: str
    owner_address: str


def create_defaults(db: Database, mailbox_id: int) -> None:
    """Give a new mailbox the calendar and the contact folder every mailbox has."""
    for shelves in (CALENDARS, CONTACT_FOLDERS):
        db.execute(shelves.insert, {"mailbox_id": mailbox_id, "name": shelves.default, "is_default": 1})


def tables(mailbox: Mailbox, shelves: ItemFolderKind) -> list[Listed]:
    """All calendars or contact folders, by name."""
    found = sorted(_all(mailbox, shelves), key=lambda one: (one.name.casefold(), one.id))
    return [_listed(mailbox, shelves, one) for one in found]


def table(mailbox: Mailbox, shelves: ItemFolderKind, table: str) -> Listed:
    """One calendar or contact folder, by id or name. Raises InvalidId, FolderNotFound."""
    return _listed(mailbox, shelves, resolve(mailbox, shelves, table))


def resolve(mailbox: Mailbox, shelves: ItemFolderKind, table: str) -> ItemFolder:
    """The calendar or contact folder with that id or name; the default's own English name always works (recorded).

    Raises InvalidId, FolderNotFound.
    """
    found = _all(mailbox, shelves)
    if looks_like_id(table):
        key = mailbox.key_of(shelves.kind, table, "table")
        match = [one for one in found if one.id == key]
    else:
        wanted = table.strip().casefold()
        match = [one for one in found if one.name.casefold() == wanted]
        if not match and wanted == shelves.default.casefold():
            match = [one for one in found if one.is_default]
    if not match:
        raise FolderNotFound(table)
    return match[0]


def default(mailbox: Mailbox, shelves: ItemFolderKind) -> ItemFolder:
    """The calendar that invitations go to, or the folder of new contacts."""
    return next(one for one in _all(mailbox, shelves) if one.is_default)


def ensure(mailbox: Mailbox, shelves: ItemFolderKind, name: str) -> ItemFolder:
    """The calendar or contact folder of that name, made where it is missing. Raises InvalidRequest."""
    if not name.strip() or len(name) > MAX_NAME or "\x00" in name or looks_like_id(name):
        raise InvalidRequest(f"A name of a calendar or contact folder has 1 to {MAX_NAME} characters, and is no id.")
    try:
        return resolve(mailbox, shelves, name)
    except FolderNotFound:
        values = {"mailbox_id": mailbox.owner.id, "name": name.strip(), "is_default": 0}
        return ItemFolder(mailbox.db.insert(shelves.insert, values), name.strip(), 0)


def _listed(mailbox: Mailbox, shelves: ItemFolderKind, one: ItemFolder) -> Listed:
    owner = mailbox.owner
    return Listed(mailbox.id_of(shelves.kind, one.id), one.name, owner.display_name, owner.address)


def _all(mailbox: Mailbox, shelves: ItemFolderKind) -> list[ItemFolder]:
    return [ItemFolder._make(row) for row in mailbox.db.all(shelves.select, {"mailbox_id": mailbox.owner.id})]
