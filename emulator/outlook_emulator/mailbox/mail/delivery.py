"""How a mail gets into mailboxes: sending puts every copy in place in one transaction, or none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any, NamedTuple

import orjson

from outlook_emulator.enums import ChangeAction
from outlook_emulator.errors import InvalidRecipients, MessageTooLarge, SendAsDenied
from outlook_emulator.mailbox import addresses, changes
from outlook_emulator.mailbox.mail import origin_headers
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.text import preview
from outlook_emulator.store import sql
from outlook_emulator.store.records import OutboxMail, Owner

_DATA_URI = re.compile(r"data:[^,<>]{0,200};base64,([\w+/=%\s-]*)", re.IGNORECASE)
_ITEM_SUFFIXES = (".eml", ".msg", ".ics")
_ITEM_TYPES = frozenset(("message/rfc822", "text/calendar", "application/vnd.ms-outlook"))


class Stored(NamedTuple):
    """Content that was written, and what each copy repeats of it."""

    content_id: int
    importance: int
    has_attachments: int


def send(mailbox: Mailbox, mail: Mail) -> None:
    """Send a new mail from this mailbox.

    One copy goes to Sent Items, one to the Inbox of each recipient that lives in the sandbox, and the other
    recipients are noted in the outbox. Raises InvalidRecipients, MessageTooLarge and SendAsDenied.
    """
    if not (mail.to or mail.cc or mail.bcc):
        raise InvalidRecipients("To")
    check_size(mailbox, mail)
    post(mailbox, mail, "Send", mailbox.rng.getrandbits(62))


def post(
    mailbox: Mailbox, mail: Mail, operation_type: origin_headers.OperationType | None, conversation_id: int
) -> None:
    """Put a checked mail in every mailbox it belongs to; `operation_type` is None for a meeting's mail."""
    sender = _sender(mailbox, mail)
    facts = origin_headers.OriginHeaders(
        message_id=f"<{mailbox.rng.getrandbits(128):032x}@{sender.address.rpartition('@')[2]}>",
        headers=(*mail.headers, *(origin_headers.headers(mailbox, operation_type) if operation_type else ())),
    )
    with mailbox.db.transaction():
        stored = store(mailbox, mail, sender, facts, conversation_id)
        bcc = addresses.join(mail.bcc)
        place(mailbox, mailbox.owner.id, mailbox.owner.sent_id, stored, is_read=1, bcc=bcc)
        _distribute(mailbox, mail, stored)


def deliver(
    mailbox: Mailbox,
    mail: Mail,
    *,
    folder_id: int | None = None,
    received: int | None = None,
    is_read: bool = False,
    is_flagged: bool = False,
) -> int:
    """Put a mail from outside the sandbox into this mailbox alone; the new message's key.

    To be called inside a transaction, since seeds bring in many at once. It joins the conversation of the mail it
    answers, where that is known.
    """
    sender = mail.sender or Address("")
    facts = origin_headers.OriginHeaders(
        message_id=mail.message_id or f"<{mailbox.rng.getrandbits(128):032x}@outside.invalid>",
        headers=mail.headers,
    )
    stored = store(mailbox, mail, sender, facts, _conversation(mailbox, mail))
    return place(
        mailbox,
        mailbox.owner.id,
        mailbox.owner.inbox_id if folder_id is None else folder_id,
        stored,
        is_read=int(is_read),
        is_flagged=int(is_flagged),
        bcc=addresses.join(mail.bcc),
        received=received,
    )


def check_size(mailbox: Mailbox, mail: Mail) -> None:
    """Hold a mail to the connector's limits. Raises MessageTooLarge."""
    total = len(mail.body.encode()) + sum(len(one.content) for one in mail.attachments)
    most, most_inline = mailbox.rules.max_mail_bytes, mailbox.rules.max_inline_image_bytes
    if most and total > most:
        raise MessageTooLarge(f"The mail has {total} bytes of content; at most {most} are allowed.")
    if most_inline and mail.is_html and ";base64" in (body := unescape(mail.body)).lower():
        for image in _DATA_URI.finditer(body):
            if (size := len(image[1])) > most_inline:
                raise MessageTooLarge(
                    f"An inline image in 'Body' has {size} bytes after base64 encoding; at most"
                    f" {most_inline} are allowed."
                )


def store(
    mailbox: Mailbox, mail: Mail, sender: Address, facts: origin_headers.OriginHeaders, conversation_id: int
) -> Stored:
    """Write what a mail says, once for all its copies."""
    has_attachments = int(any(not one.is_inline for one in mail.attachments))
    content_id = mailbox.db.insert(
        sql.INSERT_CONTENT,
        {
            "message_id": facts.message_id,
            "conversation_id": conversation_id,
            "sent": mailbox.now if mail.sent is None else mail.sent,
            "sender": sender.address or None,
            "recipients_to": addresses.join(mail.to),
            "recipients_cc": addresses.join(mail.cc),
            "reply_to": addresses.join(mail.reply_to),
            "subject": mail.subject,
            "is_html": int(mail.is_html),
            "importance": int(mail.importance),
            "has_attachments": has_attachments,
            "has_files": int(bool(mail.attachments)),
            "is_encrypted": int(mail.is_encrypted),
            "preview": preview(mail.body, mail.is_html),
            "body": mail.body,
            "headers": _envelope(mail, sender, facts),
            "raw": mail.raw,
        },
    )
    for attachment in mail.attachments:
        mailbox.db.execute(sql.INSERT_ATTACHMENT, _attachment_row(content_id, attachment, mailbox.now))
    return Stored(content_id, int(mail.importance), has_attachments)


def place(
    mailbox: Mailbox,
    mailbox_id: int,
    folder_id: int,
    stored: Stored,
    *,
    is_read: int = 0,
    is_flagged: int = 0,
    bcc: str | None = None,
    received: int | None = None,
) -> int:
    """Put one copy of stored content in a folder, and tell the change feed; the new message's key."""
    message_id = mailbox.db.insert(
        sql.INSERT_MESSAGE,
        {
            "mailbox_id": mailbox_id,
            "folder_id": folder_id,
            "content_id": stored.content_id,
            "received": mailbox.now if received is None else received,
            "is_read": is_read,
            "is_flagged": is_flagged,
            "importance": stored.importance,
            "has_attachments": stored.has_attachments,
            "recipients_bcc": bcc,
        },
    )
    changes.append(mailbox.db, mailbox_id, ChangeAction.CREATED, message_id, folder_id, mailbox.now)
    return message_id


def is_skipped(name: str, content_type: str) -> bool:
    """Whether the connector keeps an attachment to itself: EML, MSG and ICS are not supported (Learn page)."""
    return name.lower().endswith(_ITEM_SUFFIXES) or content_type.lower() in _ITEM_TYPES


def claim(mailbox: Mailbox) -> None:
    """Bring in what was sent to the owner's address before it had a mailbox.

    Connections are made on first use, so a sender may come first; such mail has not left the sandbox after all.
    """
    own = mailbox.owner.address
    for row in mailbox.db.all(sql.OUTBOX_MAILS, {}):
        departed = OutboxMail._make(row)
        left = [one for one in addresses.split(departed.recipients) if not is_for(own, one)]
        if len(left) < len(addresses.split(departed.recipients)):
            _claim(mailbox, departed, left)


def _claim(mailbox: Mailbox, departed: OutboxMail, left: list[str]) -> None:
    facts = mailbox.db.one(sql.CONTENT_FLAGS, {"id": departed.content_id})
    stored = Stored(departed.content_id, *facts)
    place(mailbox, mailbox.owner.id, mailbox.owner.inbox_id, stored, received=departed.at)
    if left:
        values = {"outbox_id": departed.id, "left": ";".join(left)}
        mailbox.db.execute(sql.SET_OUTBOX_RECIPIENTS, values)
    else:
        mailbox.db.execute(sql.DELETE_OUTBOX_MAIL, {"outbox_id": departed.id})


def _distribute(mailbox: Mailbox, mail: Mail, stored: Stored) -> None:
    outside: list[str] = []
    reached: set[int] = set()
    for recipient in _unique((*mail.to, *mail.cc, *mail.bcc)):
        owner = find_owner(mailbox, recipient)
        if owner is None:
            outside.append(recipient)
        elif owner.id not in reached:
            reached.add(owner.id)
            place(mailbox, owner.id, owner.inbox_id, stored)
    if outside:
        values = {"mailbox_id": mailbox.owner.id, "content_id": stored.content_id, "at": mailbox.now}
        mailbox.db.execute(sql.INSERT_OUTBOX_MAIL, values | {"recipients": ";".join(outside)})


def find_owner(mailbox: Mailbox, address: str) -> Owner | None:
    """The owner in this sandbox who gets mail for `address`; `name+tag@` reaches `name@`, as on Outlook.com."""
    row = mailbox.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address.lower()})
    if row is None and "+" in address:
        row = mailbox.db.one(sql.MAILBOX_BY_ADDRESS, {"address": untagged(address)})
    return None if row is None else Owner._make(row)


def is_for(owner_address: str, address: str) -> bool:
    """Whether mail to `address` reaches the owner of `owner_address`, which is in lower case."""
    return owner_address in (address.lower(), untagged(address))


def untagged(address: str) -> str:
    """An address in lower case without the `+tag` of its local part."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _unique(recipients: Sequence[Address]) -> Iterable[str]:
    return {one.address.lower(): one.address for one in recipients}.values()


def _sender(mailbox: Mailbox, mail: Mail) -> Address:
    owner = mailbox.owner
    if mail.sender is None or mail.sender.address.lower() == owner.address:
        return Address(owner.address, owner.display_name)
    granted = {"mailbox_id": owner.id, "address": mail.sender.address.lower()}
    if mailbox.db.one(sql.GRANT, granted) is None:
        raise SendAsDenied(mail.sender.address)
    return mail.sender


def _conversation(mailbox: Mailbox, mail: Mail) -> int:
    ancestors = (mail.in_reply_to, *reversed(mail.references))
    for ancestor in filter(None, ancestors):
        if row := mailbox.db.one(sql.CONVERSATION_OF, {"message_id": ancestor}):
            return int(row[0])
    return mailbox.rng.getrandbits(62)


def _envelope(mail: Mail, sender: Address, facts: origin_headers.OriginHeaders) -> str:
    """The internet headers of a mail, as JSON, with what the columns leave out: names and order."""
    envelope: dict[str, Any] = {
        "sender": tuple(sender) if sender.address else None,
        "to": [tuple(one) for one in mail.to],
        "cc": [tuple(one) for one in mail.cc],
        "reply_to": [tuple(one) for one in mail.reply_to],
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "headers": facts.headers,
    }
    return orjson.dumps(envelope).decode()


def _attachment_row(content_id: int, attachment: Attachment, now: int) -> dict[str, Any]:
    return {
        "content_id": content_id,
        "name": attachment.name,
        "content_type": attachment.content_type,
        "size": len(attachment.content),
        "is_inline": int(attachment.is_inline),
        "skipped": int(is_skipped(attachment.name, attachment.content_type)),
        "cid": attachment.content_id,
        "modified": now,
        "content": attachment.content,
    }
