"""Calendars and contact folders: flat lists of named places that hold items."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outlook_emulator.errors import FolderNotFound, InvalidRequest
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import contacts as contact_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import ItemFolder

MAX_NAME = 255


class ItemFolderKind(NamedTuple):
    """Calendars or contact folders: the kind of their ids, the name of the default one, and their store functions."""

    kind: IdKind
    default: str
    all: Callable[[Database, int], list[ItemFolder]]
    insert: Callable[[Database, int, str, bool], ItemFolder]


CALENDARS = ItemFolderKind(IdKind.CALENDAR, "Calendar", calendar_store.calendars, calendar_store.insert_calendar)
CONTACT_FOLDERS = ItemFolderKind(IdKind.CONTACT_FOLDER, "Contacts", contact_store.folders, contact_store.insert_folder)


class Listed(NamedTuple):
    """A calendar or contact folder as a caller sees it, and whose it is."""

    id: str
    name: str
    owner_name: str
    owner_address: str


def create_defaults(db: Database, mailbox_id: int) -> None:
    """Give a new mailbox the calendar and the contact folder that every mailbox has."""
    for kind in (CALENDARS, CONTACT_FOLDERS):
        kind.insert(db, mailbox_id, kind.default, True)


def tables(mailbox: Mailbox, kind: ItemFolderKind) -> list[Listed]:
    """All calendars or contact folders, by name."""
    # By name, as recorded; sorted here too, since SQLite folds the case of ASCII letters only.
    folders = sorted(kind.all(mailbox.db, mailbox.owner.id), key=lambda folder: (folder.name.casefold(), folder.id))
    return [_listed(mailbox, kind, folder) for folder in folders]


def table(mailbox: Mailbox, kind: ItemFolderKind, table: str) -> Listed:
    """One calendar or contact folder, by id or name. Raises InvalidId, FolderNotFound."""
    return _listed(mailbox, kind, resolve(mailbox, kind, table))


def resolve(mailbox: Mailbox, kind: ItemFolderKind, table: str) -> ItemFolder:
    """The calendar or contact folder with an id or name; the default folder's English name always works (recorded).

    Raises InvalidId, FolderNotFound.
    """
    folders = kind.all(mailbox.db, mailbox.owner.id)
    if looks_like_id(table):
        key = mailbox.key_of(kind.kind, table, "table")
        matches = [folder for folder in folders if folder.id == key]
    else:
        name = table.strip().casefold()
        matches = [folder for folder in folders if folder.name.casefold() == name]
        if not matches and name == kind.default.casefold():
            matches = [folder for folder in folders if folder.is_default]
    if not matches:
        raise FolderNotFound(table)
    return matches[0]


def default(mailbox: Mailbox, kind: ItemFolderKind) -> ItemFolder:
    """The calendar for invitations, or the folder for new contacts."""
    return next(folder for folder in kind.all(mailbox.db, mailbox.owner.id) if folder.is_default)


def ensure(mailbox: Mailbox, kind: ItemFolderKind, name: str) -> ItemFolder:
    """The calendar or contact folder with a name, created if missing. Raises InvalidRequest."""
    # A name in the form of an id would be read as one, and never be found.
    if not name.strip() or len(name) > MAX_NAME or "\x00" in name or looks_like_id(name):
        raise InvalidRequest(
            f"The name of a calendar or contact folder must have 1 to {MAX_NAME} characters, and must not be an id."
        )
    try:
        return resolve(mailbox, kind, name)
    except FolderNotFound:
        return kind.insert(mailbox.db, mailbox.owner.id, name.strip(), False)


def _listed(mailbox: Mailbox, kind: ItemFolderKind, folder: ItemFolder) -> Listed:
    owner = mailbox.owner
    return Listed(mailbox.id_of(kind.kind, folder.id), folder.name, owner.display_name, owner.address)
