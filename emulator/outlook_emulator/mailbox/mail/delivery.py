"""Delivers mail to mailboxes: a send writes all copies in one transaction, or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from outlook_emulator.content_limits import ATTACHMENTS, RECIPIENTS, ContentLimit
from outlook_emulator.errors import (
    InlineImageTooLarge,
    InvalidRecipients,
    MessageTooLarge,
    SendAsDenied,
    TooMuchContent,
)
from outlook_emulator.mailbox import addresses, changes
from outlook_emulator.mailbox.mail import nondelivery, origin_headers
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.stored_body import stored_body
from outlook_emulator.mailbox.text import preview, unescaped
from outlook_emulator.steps import lowered
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import mailboxes, outbox
from outlook_emulator.store.new_rows import NewContent, NewMessage
from outlook_emulator.store.records import OutboxMail, Owner

_DATA_URI = re.compile(r"data:[^,<>]{0,200};base64,([\w+/=%\s-]*)", re.IGNORECASE)
# Work mail was seen with ids of such hosts; no mail that the connector sent was recorded.
_MAIL_HOST = "AM0P191MB0001.eurp191.prod.outlook.com"
_PADDING = re.compile(r"[\s=]|%3D", re.IGNORECASE)
_ITEM_SUFFIXES = (".eml", ".msg", ".ics")
_ITEM_TYPES = frozenset(("message/rfc822", "text/calendar", "application/vnd.ms-outlook"))


class StoredContent(NamedTuple):
    """Content that was written, with the properties that each copy repeats."""

    content_id: int
    importance: int
    has_attachments: int


def send(mailbox: Mailbox, mail: Mail) -> None:
    """Send a new mail from this mailbox.

    One copy goes to Sent Items and one to the Inbox of each recipient with a mailbox in the sandbox; the outbox records
    the other recipients. Raises InlineImageTooLarge, InvalidRecipients, MessageTooLarge and SendAsDenied.
    """
    # The gateway's policy comes first: it refuses an image before the connector and the mail service see the request.
    if mail.is_html:
        check_images(mailbox, mail.body)
    if not (mail.to or mail.cc or mail.bcc):
        raise InvalidRecipients()
    check_size(mailbox, mail)
    post(mailbox, mail, "Send", mailbox.rng.getrandbits(62))


def post(
    mailbox: Mailbox, mail: Mail, operation_type: origin_headers.OperationType | None, conversation_id: int
) -> None:
    """Write a checked mail to Sent Items, and distribute it to its recipients.

    The mail of a meeting has no `operation_type` and no origin headers. A non-delivery report about the addresses that
    nobody can have arrives in the sender's Inbox.
    """
    # Outside the transaction: it may raise SendAsDenied, and a refused send writes nothing.
    sender = _sender(mailbox, mail)
    additions = origin_headers.OriginHeaders(
        message_id=f"<{mailbox.rng.getrandbits(80):020X}@{_MAIL_HOST}>",
        headers=(*mail.headers, *(origin_headers.headers(mailbox, operation_type) if operation_type else ())),
    )
    with mailbox.db.transaction():
        stored = write_content(mailbox, mail, sender, additions, conversation_id)
        bcc = addresses.join(mail.bcc)
        sent_copy = _copy(mailbox, mailbox.owner.id, mailbox.owner.sent_id, stored, is_read=1, bcc=bcc)
        failed = _distribute(mailbox, mail, stored, sent_copy)
        if failed:
            sent = mail._replace(
                sender=sender, sent=mailbox.now, message_id=additions.message_id, headers=additions.headers
            )
            _return(mailbox, sent, failed, conversation_id)


def deliver(
    mailbox: Mailbox,
    mail: Mail,
    *,
    folder_id: int | None = None,
    received: int | None = None,
    is_read: bool = False,
    is_flagged: bool = False,
) -> int:
    """Deliver a mail from outside the sandbox to this mailbox only, and return the key of the message.

    The mail joins the conversation of the mail that it answers, if that is known. To be called inside a transaction,
    since a sample mailbox delivers many mails at once.
    """
    sender = mail.sender or Address("")
    if mail.sent is None:
        # A mail without a date was sent when it arrived.
        mail = mail._replace(sent=received)
    additions = origin_headers.OriginHeaders(
        message_id=mail.message_id or f"<{mailbox.rng.getrandbits(128):032x}@outside.invalid>",
        headers=mail.headers,
    )
    stored = write_content(mailbox, mail, sender, additions, _conversation(mailbox, mail))
    copy = _copy(
        mailbox,
        mailbox.owner.id,
        mailbox.owner.inbox_id if folder_id is None else folder_id,
        stored,
        # A sample or an imported mail may be read, flagged and old; a mail that arrives now is none of these.
        is_read=int(is_read),
        is_flagged=int(is_flagged),
        bcc=addresses.join(mail.bcc),
        received=received,
    )
    return _write_copies(mailbox, [copy])[0]


def check_size(mailbox: Mailbox, mail: Mail) -> None:
    """Raise MessageTooLarge for a mail above the connector's limit, TooMuchContent for one with too many parts."""
    _check_count(len(mail.to) + len(mail.cc) + len(mail.bcc), RECIPIENTS)
    size = _utf8_size(mail.body)
    if mail.attachments:
        _check_count(len(mail.attachments), ATTACHMENTS)
        size += sum(len(attachment.content) for attachment in mail.attachments)
    most = mailbox.rules.max_mail_bytes
    if most and size > most:
        raise MessageTooLarge(size, most)


def _check_count(count: int, limit: ContentLimit) -> None:
    if count > limit.most:
        raise TooMuchContent(f"The mail has {count} {limit.counts}; at most {limit.most} are allowed.")


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def check_images(mailbox: Mailbox, html: str) -> None:
    """Raise InlineImageTooLarge for an image in a body above the gateway's limit.

    The gateway looks at what a caller sends, so a quoted original and mail from outside do not count (inferred).
    """
    limit = mailbox.rules.max_inline_image_bytes
    # No text below the limit holds an image above it.
    if not limit or len(html) <= limit:
        return
    body = unescaped(html)
    if ";base64" in lowered(body):
        for image in _DATA_URI.finditer(body):
            # The limit is one of base64 text (Learn page); the recorded size is that of the file.
            if len(image[1]) > limit:
                raise InlineImageTooLarge(len(_PADDING.sub("", image[1])) * 3 // 4, limit)


def write_content(
    mailbox: Mailbox, mail: Mail, sender: Address, additions: origin_headers.OriginHeaders, conversation_id: int
) -> StoredContent:
    """Write the content of a mail, which all copies share."""
    # Pictures in the text are no attachments to a reader.
    has_attachments = int(bool(mail.attachments) and any(not attachment.is_inline for attachment in mail.attachments))
    content = NewContent(
        message_id=additions.message_id,
        conversation_id=conversation_id,
        sent=mailbox.now if mail.sent is None else mail.sent,
        sender=sender.address,
        recipients_to=addresses.join(mail.to),
        recipients_cc=addresses.join(mail.cc),
        reply_to=addresses.join(mail.reply_to),
        subject=mail.subject,
        is_html=int(mail.is_html),
        importance=int(mail.importance),
        has_attachments=has_attachments,
        # With inline and skipped ones, so that a list looks for attachments only where there are any.
        has_files=int(bool(mail.attachments)),
        is_encrypted=int(mail.is_encrypted),
        preview=preview(mail.body, mail.is_html),
        body=mail.body,
        stored_body=stored_body(mail.body, mail.is_html) if mailbox.rules.bodies == "stored" else None,
        headers=_envelope(mail, sender, additions),
        raw=mail.raw,
    )
    content_id = mail_store.insert_content(mailbox.db, content)
    for attachment in mail.attachments:
        mail_store.insert_attachment(mailbox.db, _attachment_values(content_id, attachment, mailbox.now))
    return StoredContent(content_id, int(mail.importance), has_attachments)


def _copy(
    mailbox: Mailbox,
    mailbox_id: int,
    folder_id: int,
    stored: StoredContent,
    *,
    is_read: int = 0,
    is_flagged: int = 0,
    bcc: str = "",
    received: int | None = None,
) -> NewMessage:
    """A copy of stored content for a folder."""
    return NewMessage(
        mailbox_id=mailbox_id,
        folder_id=folder_id,
        content_id=stored.content_id,
        received=mailbox.now if received is None else received,
        is_read=is_read,
        is_flagged=is_flagged,
        importance=stored.importance,
        has_attachments=stored.has_attachments,
        recipients_bcc=bcc,
    )


def _write_copies(mailbox: Mailbox, copies: list[NewMessage]) -> range:
    """Write copies, add them to the change feed, and return the keys of the messages."""
    keys = mail_store.insert_messages(mailbox.db, copies)
    changes.append_created(mailbox.db, zip(keys, copies, strict=True), mailbox.now)
    return keys


def is_skipped(name: str, content_type: str) -> bool:
    """Whether the connector does not show an attachment: EML, MSG and ICS are not supported (Learn page)."""
    return name.lower().endswith(_ITEM_SUFFIXES) or content_type.lower() in _ITEM_TYPES


def deliver_waiting_mail(mailbox: Mailbox) -> None:
    """Deliver the outbox mails to the owner's address, which were sent before it had a mailbox in the sandbox.

    A connection is created on first use, so its mailbox may be created after another one has sent mail to it.
    """
    own = mailbox.owner.address
    for mail in outbox.mails(mailbox.db):
        recipients = addresses.split(mail.recipients)
        others = [address for address in recipients if not is_for(own, address)]
        if len(others) < len(recipients):
            _deliver_waiting(mailbox, mail, others)


def _deliver_waiting(mailbox: Mailbox, mail: OutboxMail, other_recipients: list[str]) -> None:
    stored = StoredContent(mail.content_id, *mail_store.content_flags(mailbox.db, mail.content_id))
    # As if the mailbox had existed when the mail was sent.
    _write_copies(mailbox, [_copy(mailbox, mailbox.owner.id, mailbox.owner.inbox_id, stored, received=mail.at)])
    if other_recipients:
        outbox.set_recipients(mailbox.db, mail.id, ";".join(other_recipients))
    else:
        outbox.delete(mailbox.db, mail.id)


def _distribute(mailbox: Mailbox, mail: Mail, stored: StoredContent, sent_copy: NewMessage) -> list[str]:
    """Write the sender's copy and one for each recipient; the addresses for which that failed."""
    copies = [sent_copy]
    outside: list[str] = []
    failed: list[str] = []
    delivered: set[int] = set()
    recipients = _unique((*mail.to, *mail.cc, *mail.bcc))
    for recipient, owner in zip(recipients, find_owners(mailbox, recipients), strict=True):
        # A mailbox in the sandbox is reached whatever its domain is, but a fault rule can make it unreachable.
        if nondelivery.is_named(mailbox, recipient) or (owner is None and nondelivery.has_no_domain(recipient)):
            failed.append(recipient)
        elif owner is None:
            outside.append(recipient)
        # A mailbox gets one copy, however many of its addresses are recipients.
        elif owner.id not in delivered:
            delivered.add(owner.id)
            copies.append(_copy(mailbox, owner.id, owner.inbox_id, stored))
    _write_copies(mailbox, copies)
    if outside:
        outbox.insert(
            mailbox.db,
            mailbox_id=mailbox.owner.id,
            content_id=stored.content_id,
            recipients=";".join(outside),
            at=mailbox.now,
        )
    return failed


def _return(mailbox: Mailbox, sent: Mail, failed: list[str], conversation_id: int) -> None:
    """Deliver the non-delivery report about a sent mail.

    It is not distributed, so no report about a report can arise. It arrives at once, though Exchange takes a while:
    a test need not wait for it.
    """
    assert sent.sender is not None
    message_id = f"<{mailbox.rng.getrandbits(128):032x}@{sent.sender.address.rpartition('@')[2]}>"
    report = nondelivery.report(sent, failed, now=mailbox.now, message_id=message_id)
    assert report.sender is not None
    additions = origin_headers.OriginHeaders(message_id, report.headers)
    stored = write_content(mailbox, report, report.sender, additions, conversation_id)
    # Reports go to the address that a mail was sent from, which may be that of another mailbox.
    owner = find_owner(mailbox, sent.sender.address) or mailbox.owner
    _write_copies(mailbox, [_copy(mailbox, owner.id, owner.inbox_id, stored)])


def find_owner(mailbox: Mailbox, address: str) -> Owner | None:
    """The owner in this sandbox who gets mail for `address`; `name+tag@` reaches `name@`, as on Outlook.com."""
    return _owner_of(address, partial(mailboxes.owner_by_address, mailbox.db))


def find_owners(mailbox: Mailbox, recipients: Sequence[str]) -> list[Owner | None]:
    """The owner who gets the mail for each of these addresses, as in `find_owner`; one statement for many of them."""
    if len(recipients) == 1:
        return [find_owner(mailbox, recipients[0])]
    candidates = {*map(str.lower, recipients), *(untagged(address) for address in recipients if "+" in address)}
    owners = mailboxes.owners_by_address(mailbox.db, candidates)
    return [_owner_of(address, owners.get) for address in recipients]


def _owner_of(address: str, look_up: Callable[[str], Owner | None]) -> Owner | None:
    # The whole address first: a mailbox may have a `+tag` in its own address.
    return look_up(address.lower()) or (look_up(untagged(address)) if "+" in address else None)


def is_for(owner_address: str, address: str) -> bool:
    """Whether mail to `address` reaches the owner of `owner_address`, which is in lower case."""
    return owner_address in (address.lower(), untagged(address))


def untagged(address: str) -> str:
    """An address in lower case, without a `+tag` in its local part."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _unique(recipients: Sequence[Address]) -> list[str]:
    return [*{recipient.address.lower(): recipient.address for recipient in recipients}.values()]


def _sender(mailbox: Mailbox, mail: Mail) -> Address:
    owner = mailbox.owner
    if mail.sender is None or mail.sender.address.lower() == owner.address:
        return Address(owner.address, owner.display_name)
    if not mailboxes.has_grant(mailbox.db, owner.id, mail.sender.address.lower()):
        raise SendAsDenied(mail.sender.address)
    return mail.sender


def _conversation(mailbox: Mailbox, mail: Mail) -> int:
    # The nearest ancestor first: References begins with the oldest mail of a thread (RFC 5322).
    ancestors = (mail.in_reply_to, *reversed(mail.references))
    for ancestor in filter(None, ancestors):
        conversation_id = mail_store.conversation_of(mailbox.db, ancestor)
        if conversation_id is not None:
            return conversation_id
    return mailbox.rng.getrandbits(62)


def _envelope(mail: Mail, sender: Address, additions: origin_headers.OriginHeaders) -> str:
    """The internet headers of a mail as JSON, with the display names and the order that the columns leave out."""
    envelope: dict[str, Any] = {
        "sender": tuple(sender) if sender.address else None,
        "to": [tuple(address) for address in mail.to],
        "cc": [tuple(address) for address in mail.cc],
        "reply_to": [tuple(address) for address in mail.reply_to],
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "headers": additions.headers,
    }
    return orjson.dumps(envelope).decode()


def _attachment_values(content_id: int, attachment: Attachment, now: int) -> dict[str, Any]:
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
