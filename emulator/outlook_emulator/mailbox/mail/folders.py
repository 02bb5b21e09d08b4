"""The folder tree of a mailbox: well-known folders, paths, and ids from the picker."""

from __future__ import annotations

from typing import NamedTuple

from outlook_emulator.errors import Conflict, FolderNotFound, InvalidRequest, NotFound
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.access import opened
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Folder


class PickedFolder(NamedTuple):
    """A folder as a picker shows it: wire id, name, and path from the root."""

    id: str
    name: str
    path: str


WELL_KNOWN = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
    "conversationhistory": "Conversation History",
}
"""Outlook's fixed folder names and what they are called in a new mailbox."""

MAX_DEPTH = 300
"""Exchange's own limit on nested folders."""
MAX_NAME = 255


def create_well_known(db: Database, mailbox_id: int) -> None:
    """Give a new mailbox the folders every mailbox has."""
    keys = {
        name: db.insert(
            sql.INSERT_FOLDER,
            {"mailbox_id": mailbox_id, "parent_id": None, "name": display, "well_known": name},
        )
        for name, display in WELL_KNOWN.items()
    }
    db.execute(
        sql.SET_MAILBOX_FOLDERS,
        {
            "mailbox_id": mailbox_id,
            "inbox_id": keys["inbox"],
            "sent_id": keys["sentitems"],
            "deleted_id": keys["deleteditems"],
        },
    )
    item_folders.create_defaults(db, mailbox_id)


def resolve(mailbox: Mailbox, folder_path: str) -> int:
    """The key of the folder that a client names by well-known name, path (`Parent/Child`) or id.

    Names are compared without case. A folder whose own name holds a `/` has no path; its id works (Learn page).
    Raises FolderNotFound.
    """
    if folder_path in ("Inbox", "inbox"):
        return mailbox.owner.inbox_id
    if looks_like_id(folder_path):
        return _by_id(mailbox, folder_path, "folderPath").id
    parent: Folder | None = None
    for name in _segments(folder_path):
        parent = _child_named(mailbox, parent, name)
        if parent is None:
            raise FolderNotFound(folder_path)
    if parent is None:
        raise FolderNotFound(folder_path)
    return parent.id


def children(mailbox: Mailbox, parent_id: int | None) -> list[Folder]:
    """The folders directly below a folder, or at the root, by name."""
    if parent_id is None:
        rows = mailbox.db.all(sql.ROOT_FOLDERS, {"mailbox_id": mailbox.owner.id})
    else:
        rows = mailbox.db.all(sql.CHILD_FOLDERS, {"mailbox_id": mailbox.owner.id, "parent_id": parent_id})
    return sorted(map(Folder._make, rows), key=lambda one: (one.name.casefold(), one.id))


def picker_root(mailbox: Mailbox, operation: str, top: int, skip: int, mailbox_address: str) -> list[PickedFolder]:
    """A page of the root folders, each with its path, for the designer's folder picker."""
    return _page(opened(mailbox, mailbox_address), None, "", operation, top, skip)


def picker_children(
    mailbox: Mailbox, operation: str, id: str, top: int, skip: int, mailbox_address: str
) -> list[PickedFolder]:
    """A page of the folders below the one with that picker id."""
    mailbox = opened(mailbox, mailbox_address)
    folder = _by_id(mailbox, id, "id")
    return _page(mailbox, folder.id, path_of(mailbox, folder) + "/", operation, top, skip)


def path_of(mailbox: Mailbox, folder: Folder) -> str:
    """The names from the root down to a folder, split by `/`."""
    names = [folder.name]
    while folder.parent_id is not None:
        folder = _by_key(mailbox, folder.parent_id)
        names.append(folder.name)
    return "/".join(reversed(names))


def ensure(mailbox: Mailbox, names: tuple[str, ...]) -> int:
    """The key of the folder at that path of names, made where it is missing. Raises InvalidRequest."""
    parent: Folder | None = None
    for name in names:
        parent = _child_named(mailbox, parent, name) or create(mailbox, parent.id if parent else None, name)
    if parent is None:
        raise InvalidRequest("A folder path needs at least one name.")
    return parent.id


def create(mailbox: Mailbox, parent_id: int | None, name: str) -> Folder:
    """A new, empty folder. Raises InvalidRequest for a bad name, Conflict for a taken one."""
    if not name.strip() or len(name) > MAX_NAME:
        raise InvalidRequest(f"A folder name has 1 to {MAX_NAME} characters.")
    parent = None if parent_id is None else _by_key(mailbox, parent_id)
    if parent is not None and path_of(mailbox, parent).count("/") >= MAX_DEPTH:
        raise InvalidRequest(f"Folders nest at most {MAX_DEPTH} deep.")
    if any(one.name.casefold() == name.casefold() for one in children(mailbox, parent_id)):
        raise Conflict(f"A folder named '{name}' exists already.")
    values = {"mailbox_id": mailbox.owner.id, "parent_id": parent_id, "name": name, "well_known": None}
    return Folder(mailbox.db.insert(sql.INSERT_FOLDER, values), parent_id, name, None)


def is_within(mailbox: Mailbox, folder_id: int, ancestor_id: int) -> bool:
    """Whether a folder is another one or lies below it."""
    current: int | None = folder_id
    while current is not None:
        if current == ancestor_id:
            return True
        current = _by_key(mailbox, current).parent_id
    return False


def _page(
    mailbox: Mailbox, parent_id: int | None, prefix: str, operation: str, top: int, skip: int
) -> list[PickedFolder]:
    if operation.lower() != "mailfolders":
        raise InvalidRequest(f"The query parameter 'operation' must be MailFolders, not '{operation[:100]}'.")
    if top < 1 or skip < 0:
        raise InvalidRequest("The query parameter 'top' must be at least 1 and 'skip' at least 0.")
    return [
        PickedFolder(mailbox.id_of(IdKind.FOLDER, one.id), one.name, prefix + one.name)
        for one in children(mailbox, parent_id)[skip : skip + top]
    ]


def _segments(folder_path: str) -> list[str]:
    return [name for name in folder_path.split("/") if name.strip()]


def _child_named(mailbox: Mailbox, parent: Folder | None, name: str) -> Folder | None:
    wanted = name.strip().casefold()
    if parent is None and (well_known := wanted.replace(" ", "")) in WELL_KNOWN:
        return _well_known(mailbox, well_known)
    found = children(mailbox, parent.id if parent else None)
    return next((one for one in found if one.name.strip().casefold() == wanted), None)


def _well_known(mailbox: Mailbox, name: str) -> Folder:
    values = {"mailbox_id": mailbox.owner.id, "well_known": name}
    return Folder._make(mailbox.db.one(sql.FOLDER_BY_WELL_KNOWN, values))


def _by_id(mailbox: Mailbox, text: str, name: str) -> Folder:
    try:
        return _by_key(mailbox, mailbox.key_of(IdKind.FOLDER, text, name))
    except NotFound:
        raise FolderNotFound(text) from None


def _by_key(mailbox: Mailbox, key: int) -> Folder:
    row = mailbox.db.one(sql.FOLDER, {"id": key, "mailbox_id": mailbox.owner.id})
    if row is None:
        raise FolderNotFound(str(key))
    return Folder._make(row)
