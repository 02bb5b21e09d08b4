"""Reading mail and acting on single messages."""

from __future__ import annotations

from typing import NamedTuple

from outlook_emulator.enums import ChangeAction
from outlook_emulator.errors import NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import sql
from outlook_emulator.store.records import AttachmentFacts, Message


class AttachedFile(NamedTuple):
    """An attachment as a reader sees it; `content` is None when its bytes were not asked for."""

    facts: AttachmentFacts
    content: bytes | None


class MessageView(NamedTuple):
    """A message and the attachments the connector shows of it."""

    message: Message
    attachments: tuple[AttachedFile, ...]


class File(NamedTuple):
    """An attachment's bytes and what they are."""

    content: bytes
    content_type: str


def read(
    mailbox: Mailbox, *, message_id: str, include_attachments: bool = False, internet_message_id: str | None = None
) -> MessageView:
    """One message; `internet_message_id` finds it when its id has changed by a move (inferred). Raises NotFound."""
    try:
        message = message_of(mailbox, message_id)
    except NotFound:
        if not internet_message_id:
            raise
        message = _by_message_id(mailbox, internet_message_id)
    return message_view(mailbox, message, include_attachments)


def delete(mailbox: Mailbox, *, message_id: str) -> None:
    """Put a message in Deleted Items, or away for good when it is there already."""
    message = message_of(mailbox, message_id)
    with mailbox.db.transaction():
        if folders.is_within(mailbox, message.folder_id, mailbox.owner.deleted_id):
            _remove(mailbox, message)
            _forget(mailbox, message.content_id)
        else:
            _move(mailbox, message, mailbox.owner.deleted_id)


def move(mailbox: Mailbox, *, message_id: str, folder_path: str) -> MessageView:
    """Put a message in another folder; it comes back under a new id, and the old one is gone (recorded)."""
    message = message_of(mailbox, message_id)
    folder_id = folders.resolve(mailbox, folder_path)
    with mailbox.db.transaction():
        moved = _move(mailbox, message, folder_id)
    return message_view(mailbox, message._replace(id=moved, folder_id=folder_id), False)


def flag(mailbox: Mailbox, *, message_id: str) -> None:
    """Flag a message for follow-up."""
    message = message_of(mailbox, message_id)
    if not message.is_flagged:
        with mailbox.db.transaction():
            touch(mailbox, message, sql.FLAG)


def mark_as_read(mailbox: Mailbox, *, message_id: str) -> None:
    """Mark a message as read."""
    message = message_of(mailbox, message_id)
    if not message.is_read:
        with mailbox.db.transaction():
            touch(mailbox, message, sql.MARK_READ)


def attachment(mailbox: Mailbox, *, message_id: str, attachment_id: str) -> File:
    """The bytes of one attachment. Kinds that the connector skips are not to be had (NotFound)."""
    message = message_of(mailbox, message_id)
    key = mailbox.key_of(IdKind.ATTACHMENT, attachment_id, "attachmentId")
    found = next((one for one in _shown(mailbox, message) if one.id == key), None)
    if found is None:
        raise NotFound()
    return File(content_of(mailbox, found), found.content_type)


def message_of(mailbox: Mailbox, message_id: str) -> Message:
    """The message with that wire id. Raises InvalidId or NotFound."""
    key = mailbox.key_of(IdKind.MESSAGE, message_id, "messageId")
    row = mailbox.db.one(sql.MESSAGE, {"id": key, "mailbox_id": mailbox.owner.id})
    if row is None:
        raise NotFound()
    return Message._make(row)


def message_view(mailbox: Mailbox, message: Message, include_attachments: bool) -> MessageView:
    """A message with its attachments: facts always, bytes only when asked for (Learn page)."""
    if not message.has_files:
        return MessageView(message, ())
    files = (
        AttachedFile(one, content_of(mailbox, one) if include_attachments else None) for one in _shown(mailbox, message)
    )
    return MessageView(message, tuple(files))


def files_of(mailbox: Mailbox, content_id: int) -> list[AttachmentFacts]:
    """All attachments of a mail, those the connector skips included."""
    rows = mailbox.db.all(sql.ATTACHMENTS, {"content_id": content_id})
    return [AttachmentFacts._make(row) for row in rows]


def content_of(mailbox: Mailbox, facts: AttachmentFacts) -> bytes:
    (content,) = mailbox.db.one(sql.ATTACHMENT_CONTENT, {"id": facts.id})
    return bytes(content)


def touch(mailbox: Mailbox, message: Message, statement: str, **values: object) -> None:
    """Run an update of one message and tell the change feed; to be called inside a transaction."""
    mailbox.db.execute(statement, {"message_id": message.id, **values})
    _changed(mailbox, message, ChangeAction.UPDATED)


def _shown(mailbox: Mailbox, message: Message) -> list[AttachmentFacts]:
    shown = [one for one in files_of(mailbox, message.content_id) if not one.skipped]
    hides = mailbox.rules.hides
    return shown if hides is None else [one for one in shown if not hides(one.name)]


def _by_message_id(mailbox: Mailbox, internet_message_id: str) -> Message:
    values = {"message_id": internet_message_id.strip(), "mailbox_id": mailbox.owner.id}
    row = mailbox.db.one(sql.MESSAGE_BY_MESSAGE_ID, values)
    if row is None:
        raise NotFound()
    return Message._make(row)


def _move(mailbox: Mailbox, message: Message, folder_id: int) -> int:
    """Copy into the folder and remove the original: a moved mail is a new item with the old received time."""
    moved = mailbox.db.insert(sql.COPY_MESSAGE, {"id": message.id, "to_folder_id": folder_id})
    _remove(mailbox, message)
    changes.append(mailbox.db, message.mailbox_id, ChangeAction.MOVED, moved, folder_id, mailbox.now)
    return moved


def _remove(mailbox: Mailbox, message: Message) -> None:
    mailbox.db.execute(sql.DELETE_MESSAGE, {"id": message.id})
    _changed(mailbox, message, ChangeAction.DELETED)


def _forget(mailbox: Mailbox, content_id: int) -> None:
    """Let go of what a mail said, once no copy of it is left and none went out."""
    if mailbox.db.one(sql.CONTENT_USERS, {"content_id": content_id}) is None:
        mailbox.db.execute(sql.DELETE_ATTACHMENTS, {"content_id": content_id})
        mailbox.db.execute(sql.DELETE_CONTENT, {"content_id": content_id})


def _changed(mailbox: Mailbox, message: Message, action: ChangeAction) -> None:
    changes.append(mailbox.db, message.mailbox_id, action, message.id, message.folder_id, mailbox.now)
