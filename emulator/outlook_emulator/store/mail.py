"""Mail folders, messages, what they say, and their attachments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from outlook_emulator.store import sql
from outlook_emulator.store.database import PIECE, Database
from outlook_emulator.store.new_rows import NewContent, NewMessage
from outlook_emulator.store.records import (
    AttachmentInfo,
    ContentFlags,
    Counts,
    Facets,
    Folder,
    Message,
    MessageHead,
    MessageKey,
    StoredMail,
    facet_key,
)

EVER = 2**63 - 1
"""Later than every instant."""
_SHORT_LIST = 50
"""The length of the longest list whose messages are kept: lists of that length are read again and again."""

# --- Folders ---


def insert_folder(
    db: Database, mailbox_id: int, parent_id: int | None, name: str, well_known: str | None = None
) -> int:
    """Add a folder and return its key; without a parent it is at the root."""
    values = {"mailbox_id": mailbox_id, "parent_id": parent_id, "name": name, "well_known": well_known}
    return db.insert(sql.INSERT_FOLDER, values)


def insert_well_known_folders(db: Database, mailbox_id: int, names: dict[str, str]) -> dict[str, int]:
    """Add folders at the root with their names by Outlook's fixed names; returns the keys by those."""
    values = {"mailbox_id": mailbox_id, "folders": orjson.dumps(names).decode()}
    return dict(db.all(sql.INSERT_WELL_KNOWN_FOLDERS, values))


def folder(db: Database, mailbox_id: int, key: int) -> Folder | None:
    """A folder of a mailbox."""
    row = db.one(sql.FOLDER, {"id": key, "mailbox_id": mailbox_id})
    return None if row is None else Folder._make(row)


def well_known_folder(db: Database, mailbox_id: int, name: str) -> Folder:
    """The folder with one of Outlook's fixed names, which every mailbox has."""
    return Folder._make(db.one(sql.FOLDER_BY_WELL_KNOWN, {"mailbox_id": mailbox_id, "well_known": name}))


def child_folders(db: Database, mailbox_id: int, parent_id: int | None) -> list[Folder]:
    """The folders directly below a folder or, without one, at the root."""
    if parent_id is None:
        rows = db.all(sql.ROOT_FOLDERS, {"mailbox_id": mailbox_id})
    else:
        rows = db.all(sql.CHILD_FOLDERS, {"mailbox_id": mailbox_id, "parent_id": parent_id})
    return [Folder._make(row) for row in rows]


# --- Content: what a mail says, shared by its copies ---


def folder_counts(db: Database) -> dict[int, dict[int, Counts]]:
    """The counts of all folders, by mailbox and by folder."""
    counts: dict[int, dict[int, Counts]] = {}
    for mailbox_id, folder_id, mails, unread in db.all(sql.FOLDER_COUNTS, {}):
        counts.setdefault(mailbox_id, {})[folder_id] = Counts(mails, unread)
    return counts


def mailbox_counts(db: Database) -> dict[int, Counts]:
    """The counts of all mailboxes, over all their folders."""
    return {
        mailbox_id: Counts(*map(sum, zip(*folders.values(), strict=True)))
        for mailbox_id, folders in folder_counts(db).items()
    }


def insert_content(db: Database, content: NewContent) -> int:
    """Add the content of a mail and return its key."""
    raw = content.raw
    db.note_size(len(content.body) + len(raw or b""))
    if raw is None or len(raw) < PIECE:
        # A list, since the driver is slow with a named tuple.
        key = db.insert(sql.INSERT_CONTENT, [*content])
    else:
        key = db.insert(sql.INSERT_CONTENT, content._replace(raw=b""))
        db.execute(sql.RESERVE_RAW, {"id": key, "size": len(raw)})
        db.write_bytes("content", "raw", key, raw)
    if db.fresh is not None:
        db.fresh.add_content(key, content)
    return key


def stored_mail(db: Database, content_id: int) -> StoredMail:
    """The content of a mail, headers and body included."""
    *values, raw, size = db.one(sql.STORED_MAIL, {"id": content_id, "large": PIECE})
    if raw is None and size is not None:
        raw = db.read_bytes("content", "raw", content_id)
    return StoredMail._make((*values, raw))


def body(db: Database, content_id: int) -> str:
    """The body of a mail as it was sent."""
    (text,) = db.one(sql.BODY, {"id": content_id})
    return str(text)


def content_flags(db: Database, content_id: int) -> ContentFlags:
    """The properties of a content that each of its copies repeats."""
    return ContentFlags._make(db.one(sql.CONTENT_FLAGS, {"id": content_id}))


def conversation_of(db: Database, message_id: str) -> int | None:
    """The conversation of the mail with that Message-ID."""
    row = db.one(sql.CONVERSATION_OF, {"message_id": message_id})
    return None if row is None else int(row[0])


def newest_content(db: Database) -> int:
    """The greatest key of a content, 0 when there is none."""
    (key,) = db.one(sql.NEWEST["content"], {})
    return int(key)


def delete_unused_content(db: Database, content_id: int) -> None:
    """Delete a content with its attachments, unless a message or an outbox mail still uses it."""
    if db.one(sql.CONTENT_USERS, {"content_id": content_id}) is None:
        db.execute(sql.DELETE_ATTACHMENTS, {"content_id": content_id})
        db.execute(sql.DELETE_CONTENT, {"content_id": content_id})


# --- Attachments ---


def insert_attachment(db: Database, values: Mapping[str, Any]) -> None:
    """Add an attachment to a content; `values` holds all columns but the key."""
    db.note_size(len(values["content"]))
    content = values["content"]
    if len(content) < PIECE:
        db.execute(sql.INSERT_ATTACHMENT, values)
        return
    key = db.insert(sql.INSERT_ATTACHMENT, {**values, "content": b""})
    db.execute(sql.RESERVE_ATTACHMENT, {"id": key, "size": len(content)})
    db.write_bytes("attachment", "content", key, content)


def attachments(db: Database, content_id: int) -> list[AttachmentInfo]:
    """The attachments of a content, without their bytes."""
    return [AttachmentInfo._make(row) for row in db.all(sql.ATTACHMENTS, {"content_id": content_id})]


def attachment_bytes(db: Database, key: int) -> bytes:
    """The bytes of an attachment that exists."""
    content, _ = db.one(sql.ATTACHMENT_CONTENT, {"id": key, "large": PIECE})
    return db.read_bytes("attachment", "content", key) if content is None else content


# --- Messages: copies of a mail in folders ---


def insert_messages(db: Database, messages: Sequence[NewMessage]) -> range:
    """Add copies of mails to folders and return their keys."""
    keys = db.insert_rows(sql.INSERT_MESSAGE, messages)
    if db.fresh is not None:
        for key, message in zip(keys, messages, strict=True):
            db.fresh.add_message(key, message)
    return keys


def message(db: Database, mailbox_id: int, key: int) -> Message | None:
    """A message of a mailbox."""
    row = db.one(sql.MESSAGE, {"id": key, "mailbox_id": mailbox_id})
    return None if row is None else Message._make(row)


def message_of_any(db: Database, key: int) -> Message | None:
    """A message, in whichever mailbox it is."""
    row = db.one(sql.MESSAGE_ANYWHERE, {"id": key})
    return None if row is None else Message._make(row)


def message_head(db: Database, key: int) -> MessageHead | None:
    """The head of a message, in whichever mailbox it is."""
    row = db.one(sql.MESSAGE_HEAD, {"id": key})
    return None if row is None else MessageHead._make(row)


def message_heads(
    db: Database, after: int, until: int, *, newer: int = 0, subject: str = "", mailbox_id: int = 0
) -> list[MessageHead]:
    """The heads of the messages with keys after one and up to another, in their order.

    Only mails with a content newer than `newer` and with `subject`, in lower case, in their subject; with a
    `mailbox_id`, only those of that mailbox.
    """
    values = {"after": after, "until": until, "newer": newer, "subject": subject, "mailbox_id": mailbox_id}
    return [MessageHead._make(row) for row in db.all(sql.MESSAGE_HEADS, values)]


def newest_message(db: Database) -> int:
    """The greatest key of a message, 0 when there is none."""
    (key,) = db.one(sql.NEWEST["message"], {})
    return int(key)


def message_by_message_id(db: Database, mailbox_id: int, message_id: str) -> Message | None:
    """The oldest message of a mailbox with that Message-ID."""
    row = db.one(sql.MESSAGE_BY_MESSAGE_ID, {"message_id": message_id, "mailbox_id": mailbox_id})
    return None if row is None else Message._make(row)


def newest_messages(db: Database, folder_id: int, facets: Facets, top: int, skip: int) -> Iterable[Message]:
    """The messages of a folder that have the facets, newest first."""
    request, kept, is_short = (folder_id, facets, top, skip), db.kept_messages, top <= _SHORT_LIST
    if is_short and (messages := kept.get_list(request, db.writes)) is not None:
        return messages
    values = {"folder_id": folder_id, "since": -EVER, "until": EVER, "below": 0, "top": top, "skip": skip}
    # What is skipped is only read from an index if the content is not read along with it.
    if not (is_short or skip):
        return map(Message._make, db.execute(sql.LIST_MESSAGES[facet_key(*facets)], values))
    messages = list(_kept_or_read(db, db.all(sql.LIST_KEYS[facet_key(*facets)], values)))
    if is_short:
        kept.keep_list(request, messages)
    return messages


def _kept_or_read(db: Database, rows: Iterable[tuple[int, int, int]]) -> Iterator[Message]:
    """The messages with these keys and flags."""
    kept = db.kept_messages
    for key, is_read, is_flagged in rows:
        message = kept.get(key, is_read, is_flagged)
        if message is None:
            message = Message._make(db.one(sql.MESSAGE_ANYWHERE, {"id": key}))
            kept.keep(message)
        yield message


def messages_before(
    db: Database, folder_id: int, facets: Facets, before: MessageKey, *, since: int, top: int
) -> list[Message]:
    """The messages of a folder that have the facets and come behind a position, newest first.

    `since` is the instant of the oldest one.
    """
    until, below = before
    values = {"folder_id": folder_id, "since": since, "until": until, "below": below, "top": top, "skip": 0}
    return [Message._make(row) for row in db.all(sql.LIST_MESSAGES[facet_key(*facets)], values)]


def copy_message(db: Database, key: int, folder_id: int) -> int:
    """Copy a message to another folder and return the key of the copy."""
    return db.insert(sql.COPY_MESSAGE, {"id": key, "to_folder_id": folder_id})


def delete_message(db: Database, key: int) -> None:
    """Delete a message; its content stays."""
    db.execute(sql.DELETE_MESSAGE, {"id": key})
    if db.fresh is not None:
        db.fresh.remove_message(key)


def mark_read(db: Database, key: int) -> None:
    """Mark a message as read."""
    db.execute(sql.MARK_READ, {"message_id": key})


def mark_unread(db: Database, key: int) -> None:
    """Mark a message as unread."""
    db.execute(sql.MARK_UNREAD, {"message_id": key})


def flag(db: Database, key: int) -> None:
    """Flag a message for follow-up."""
    db.execute(sql.FLAG, {"message_id": key})


def unflag(db: Database, key: int) -> None:
    """Remove the flag of a message."""
    db.execute(sql.UNFLAG, {"message_id": key})


def set_last_verb(db: Database, key: int, verb: str) -> None:
    """Record that a message was replied to or forwarded: `verb` is Reply or Forward."""
    db.execute(sql.SET_LAST_VERB, {"message_id": key, "verb": verb})
