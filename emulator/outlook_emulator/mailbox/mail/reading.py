"""Reads single messages and changes them: delete, move, flag, mark as read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outlook_emulator.enums import ChangeAction
from outlook_emulator.errors import MessageNotFound, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Attachment
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import AttachmentInfo, Message

# That protected mail has a note is in the vendor's documentation of the sibling connector; its wording is inferred.
_NOTE_TEXT = "This message is protected. Open it in Outlook to read it."
_NOTE = (
    '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
    f"<body><p>{_NOTE_TEXT}</p></body></html>"
)


class AttachedFile(NamedTuple):
    """An attachment in a response; `content` is None when the request does not include attachments."""

    info: AttachmentInfo
    content: bytes | None


class MessageView(NamedTuple):
    """A message with the attachments that the connector shows."""

    message: Message
    attachments: tuple[AttachedFile, ...]


class File(NamedTuple):
    """The bytes and the media type of an attachment."""

    content: bytes
    content_type: str


def read(
    mailbox: Mailbox, *, message_id: str, include_attachments: bool = False, internet_message_id: str | None = None
) -> MessageView:
    """A message by its id or, if a move has changed the id, by `internet_message_id` (inferred).

    Raises InvalidId and NotFound.
    """
    try:
        message = message_of(mailbox, message_id)
    except NotFound:
        if not internet_message_id:
            raise
        # A moved mail has a new id, but its Message-ID stays.
        message = _by_message_id(mailbox, internet_message_id)
    return message_view(mailbox, message, include_attachments)


def delete(mailbox: Mailbox, *, message_id: str) -> None:
    """Move a message to Deleted Items; delete it for good when it is there already.

    Sources disagree: with the setting `deleted_mail` it is always for good, as users of Microsoft Graph report.
    """
    message = message_of(mailbox, message_id)
    is_final = mailbox.rules.deleted_mail == "gone"
    with mailbox.db.transaction():
        # Mail in a folder below Deleted Items counts as deleted, too.
        if is_final or folders.is_within(mailbox, message.folder_id, mailbox.owner.deleted_id):
            _remove(mailbox, message)
            # Other mailboxes may hold copies of the mail, and all copies share the content.
            mail_store.delete_unused_content(mailbox.db, message.content_id)
        else:
            _move(mailbox, message, mailbox.owner.deleted_id)


def move(mailbox: Mailbox, *, message_id: str, folder_path: str) -> MessageView:
    """Move a message to another folder; it has a new id then, and the old one no longer exists (recorded)."""
    message = message_of(mailbox, message_id)
    folder_id = folders.resolve(mailbox, folder_path)
    with mailbox.db.transaction():
        moved = _move(mailbox, message, folder_id)
    return message_view(mailbox, message._replace(id=moved, folder_id=folder_id), False)


def flag(mailbox: Mailbox, *, message_id: str) -> None:
    """Flag a message for follow-up."""
    message = message_of(mailbox, message_id)
    # Nothing happens to a mail that is flagged already, or the trigger for flagged mail would fire again.
    if not message.is_flagged:
        with mailbox.db.transaction():
            update(mailbox, message, mail_store.flag)


def mark_as_read(mailbox: Mailbox, *, message_id: str) -> None:
    """Mark a message as read."""
    message = message_of(mailbox, message_id)
    if not message.is_read:
        with mailbox.db.transaction():
            update(mailbox, message, mail_store.mark_read)


def mark_as_unread(mailbox: Mailbox, *, message_id: str) -> None:
    """Mark a message as unread, as its owner can in Outlook; the connector has no operation for it."""
    message = message_of(mailbox, message_id)
    if message.is_read:
        with mailbox.db.transaction():
            update(mailbox, message, mail_store.mark_unread)


def unflag(mailbox: Mailbox, *, message_id: str) -> None:
    """Remove the flag of a message, as its owner can in Outlook; the connector has no operation for it."""
    message = message_of(mailbox, message_id)
    if message.is_flagged:
        with mailbox.db.transaction():
            update(mailbox, message, mail_store.unflag)


def attachment(mailbox: Mailbox, *, message_id: str, attachment_id: str) -> File:
    """The bytes of an attachment. Raises InvalidId and NotFound, also for kinds that the connector does not show."""
    message = message_of(mailbox, message_id)
    key = mailbox.key_of(IdKind.ATTACHMENT, attachment_id, "attachment_id")
    # Looked up among those of the message, since an attachment's id does not say whose attachment it is.
    info = next((info for info in _shown(mailbox, message) if info.id == key), None)
    if info is None:
        raise NotFound()
    return File(mail_store.attachment_bytes(mailbox.db, info.id), info.content_type)


def message_of(mailbox: Mailbox, message_id: str, field: str = "message_id") -> Message:
    """The message with a wire id. Raises InvalidId, which names the `field`, and MessageNotFound."""
    try:
        key = mailbox.key_of(IdKind.MESSAGE, message_id, field)
    except NotFound:
        raise MessageNotFound() from None
    message = mail_store.message(mailbox.db, mailbox.owner.id, key)
    if message is None:
        raise MessageNotFound()
    return message


def message_view(mailbox: Mailbox, message: Message, include_attachments: bool) -> MessageView:
    """A message with its attachments; their bytes only if `include_attachments` (Learn page)."""
    if mailbox.rules.protects:
        # The note is a whole document, so nothing is stored in another form.
        message = message._replace(body=_NOTE, stored_body=None, preview=_NOTE_TEXT, is_html=1)
    if not message.has_files:
        return MessageView(message, ())
    files = (
        AttachedFile(info, mail_store.attachment_bytes(mailbox.db, info.id) if include_attachments else None)
        for info in _shown(mailbox, message)
    )
    return MessageView(message, tuple(files))


def files_of(mailbox: Mailbox, content_id: int) -> list[AttachmentInfo]:
    """All attachments of a mail, also those that the connector does not show."""
    return mail_store.attachments(mailbox.db, content_id)


def load_files(mailbox: Mailbox, content_id: int) -> tuple[Attachment, ...]:
    """All attachments of a mail with their bytes."""
    return tuple(
        Attachment(
            info.name,
            mail_store.attachment_bytes(mailbox.db, info.id),
            info.content_type,
            bool(info.is_inline),
            info.cid,
        )
        for info in files_of(mailbox, content_id)
    )


def update(mailbox: Mailbox, message: Message, write: Callable[[Database, int], None]) -> None:
    """Write to a message, and add the update to the change feed; to be called inside a transaction."""
    write(mailbox.db, message.id)
    _append_change(mailbox, message, ChangeAction.UPDATED)


def _shown(mailbox: Mailbox, message: Message) -> list[AttachmentInfo]:
    shown = [info for info in files_of(mailbox, message.content_id) if not info.skipped]
    hides = mailbox.rules.hides
    return shown if hides is None else [info for info in shown if not hides(info.name)]


def _by_message_id(mailbox: Mailbox, internet_message_id: str) -> Message:
    message = mail_store.message_by_message_id(mailbox.db, mailbox.owner.id, internet_message_id.strip())
    if message is None:
        raise MessageNotFound()
    return message


def _move(mailbox: Mailbox, message: Message, folder_id: int) -> int:
    """Copy into the folder and remove the original: a moved mail is a new item with the old received time."""
    # Copied first: the copy reads the row that is removed next.
    moved = mail_store.copy_message(mailbox.db, message.id, folder_id)
    _remove(mailbox, message)
    changes.append(mailbox.db, message.mailbox_id, ChangeAction.MOVED, moved, folder_id, mailbox.now)
    return moved


def _remove(mailbox: Mailbox, message: Message) -> None:
    mail_store.delete_message(mailbox.db, message.id)
    _append_change(mailbox, message, ChangeAction.DELETED)


def _append_change(mailbox: Mailbox, message: Message, action: ChangeAction) -> None:
    changes.append(mailbox.db, message.mailbox_id, action, message.id, message.folder_id, mailbox.now)
