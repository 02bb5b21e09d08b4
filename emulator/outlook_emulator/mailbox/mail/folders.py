"""The folder tree of a mailbox: well-known folders, paths, and pages for the folder picker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from outlook_emulator.errors import Conflict, FolderNotFound, InvalidField, InvalidRequest, NotFound
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.access import open_mailbox
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import mailboxes
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Folder


class PickedFolder(NamedTuple):
    """A folder as the folder picker shows it: wire id with `Id::` in front, name, and path from the root."""

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
"""Outlook's fixed folder names, and the display names that the folders of a new mailbox have."""

ID_PREFIX = "Id::"
"""What stands before an id that the folder picker shows (recorded on the twin: Azure/LogicAppsUX 5128)."""
MAX_DEPTH = 300
"""Exchange's limit on nested folders."""
MAX_NAME = 255


def create_well_known(db: Database, mailbox_id: int) -> None:
    """Create the folders that every mailbox has."""
    keys = mail_store.insert_well_known_folders(db, mailbox_id, WELL_KNOWN)
    mailboxes.set_folders(
        db, mailbox_id, inbox_id=keys["inbox"], sent_id=keys["sentitems"], deleted_id=keys["deleteditems"]
    )
    item_folders.create_defaults(db, mailbox_id)


def resolve(mailbox: Mailbox, folder_path: str) -> int:
    """The key of the folder with a well-known name, a path (`Parent/Child`) or an id, which may follow `Id::`.

    Names are compared without case. A folder with a `/` in its name has no path, only an id (Learn page). Raises
    InvalidId and FolderNotFound.
    """
    # The default of every list and trigger, which therefore needs no query.
    if folder_path in ("Inbox", "inbox"):
        return mailbox.owner.inbox_id
    if folder_path[: len(ID_PREFIX)].lower() == "id::":
        folder_path = folder_path[len(ID_PREFIX) :].strip()
        # Where the mail service wants an id, it takes the word for a well-known folder too.
        if folder_path.lower() not in WELL_KNOWN:
            return _by_id(mailbox, folder_path, "folder_path").id
    if looks_like_id(folder_path):
        return _by_id(mailbox, folder_path, "folder_path").id
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
    folders = mail_store.child_folders(mailbox.db, mailbox.owner.id, parent_id)
    # Sorted here, since SQLite folds the case of ASCII letters only.
    return sorted(folders, key=lambda folder: (folder.name.casefold(), folder.id))


def picker_root(mailbox: Mailbox, operation: str, top: int, skip: int, mailbox_address: str) -> list[PickedFolder]:
    """A page of the root folders for the designer's folder picker. Raises AccessDenied and InvalidField."""
    return _page(open_mailbox(mailbox, mailbox_address), None, "", operation, top, skip)


def picker_children(
    mailbox: Mailbox, operation: str, id: str, top: int, skip: int, mailbox_address: str
) -> list[PickedFolder]:
    """A page of the folders below a folder, for the picker.

    Raises AccessDenied, FolderNotFound, InvalidField and InvalidId.
    """
    mailbox = open_mailbox(mailbox, mailbox_address)
    folder = _by_id(mailbox, id.removeprefix(ID_PREFIX), "id")
    return _page(mailbox, folder.id, path_of(mailbox, folder) + "/", operation, top, skip)


def path_of(mailbox: Mailbox, folder: Folder) -> str:
    """The names from the root down to a folder, joined by `/`."""
    return "/".join(reversed([folder.name for folder in _upwards(mailbox, folder)]))


def ensure(mailbox: Mailbox, names: tuple[str, ...]) -> int:
    """The key of the folder at a path of names; missing folders are created. Raises InvalidRequest."""
    parent: Folder | None = None
    for name in names:
        parent = _child_named(mailbox, parent, name) or create(mailbox, parent.id if parent else None, name)
    if parent is None:
        raise InvalidRequest("A folder path needs at least one name.")
    return parent.id


def create(mailbox: Mailbox, parent_id: int | None, name: str) -> Folder:
    """Create an empty folder. Raises InvalidRequest for an invalid name, Conflict for a taken one."""
    if not name.strip() or len(name) > MAX_NAME:
        raise InvalidRequest(f"A folder name has 1 to {MAX_NAME} characters.")
    parent = None if parent_id is None else _by_key(mailbox, parent_id)
    if parent is not None and path_of(mailbox, parent).count("/") >= MAX_DEPTH:
        raise InvalidRequest(f"Folders nest at most {MAX_DEPTH} deep.")
    # Paths are read without case, so a second spelling of a name could never be reached.
    if any(child.name.casefold() == name.casefold() for child in children(mailbox, parent_id)):
        raise Conflict(f"A folder named '{name}' exists already.")
    return Folder(mail_store.insert_folder(mailbox.db, mailbox.owner.id, parent_id, name), parent_id, name, None)


def is_within(mailbox: Mailbox, folder_id: int, ancestor_id: int) -> bool:
    """Whether a folder is the same as another one or below it."""
    if folder_id == ancestor_id:
        return True
    return any(folder.id == ancestor_id for folder in _upwards(mailbox, _by_key(mailbox, folder_id)))


def _upwards(mailbox: Mailbox, folder: Folder) -> Iterator[Folder]:
    """A folder, its parent, and so on up to the root. Raises ValueError if they never end."""
    passed: set[int] = set()
    yield folder
    while folder.parent_id is not None:
        passed.add(folder.id)
        folder = _by_key(mailbox, folder.parent_id)
        # In a file that was edited by hand, a folder may be below itself.
        if folder.id in passed:
            raise ValueError(f"the folder {folder.id} is below itself")
        yield folder


def _page(
    mailbox: Mailbox, parent_id: int | None, prefix: str, operation: str, top: int, skip: int
) -> list[PickedFolder]:
    if operation.lower() != "mailfolders":
        raise InvalidField("operation", f"must be MailFolders, not '{operation[:100]}'.")
    if top < 1:
        raise InvalidField("top", f"must be at least 1, not {top}.")
    if skip < 0:
        raise InvalidField("skip", f"must not be negative, but is {skip}.")
    return [
        PickedFolder(ID_PREFIX + mailbox.id_of(IdKind.FOLDER, folder.id), folder.name, prefix + folder.name)
        for folder in children(mailbox, parent_id)[skip : skip + top]
    ]


def _segments(folder_path: str) -> list[str]:
    return [name for name in folder_path.split("/") if name.strip()]


def _child_named(mailbox: Mailbox, parent: Folder | None, name: str) -> Folder | None:
    wanted = name.strip().casefold()
    # Only at the root, in both spellings: `SentItems` is in use as a value, `Sent Items` is the display name.
    if parent is None and (well_known := wanted.replace(" ", "")) in WELL_KNOWN:
        return mail_store.well_known_folder(mailbox.db, mailbox.owner.id, well_known)
    folders = children(mailbox, parent.id if parent else None)
    return next((folder for folder in folders if folder.name.strip().casefold() == wanted), None)


def _by_id(mailbox: Mailbox, text: str, field: str) -> Folder:
    try:
        return _by_key(mailbox, mailbox.key_of(IdKind.FOLDER, text, field))
    except NotFound:
        raise FolderNotFound(text) from None


def _by_key(mailbox: Mailbox, key: int) -> Folder:
    folder = mail_store.folder(mailbox.db, mailbox.owner.id, key)
    if folder is None:
        raise FolderNotFound(str(key))
    return folder
