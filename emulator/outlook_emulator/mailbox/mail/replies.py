"""Replies and forwards, and what they take over from the original mail."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from html import escape
from typing import Any, NamedTuple

import orjson

from outlook_emulator.clock import moment
from outlook_emulator.enums import Importance
from outlook_emulator.errors import EncryptedReply, InvalidRecipients
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mail.origin_headers import OperationType
from outlook_emulator.mailbox.mail.reading import load_files, message_of, update
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.stored_body import inner_html, with_appended
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.patterns import pattern
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.records import Message

REPLY_IMPORTANCE = Importance.Low
"""The importance of a reply when the caller sets none (Learn page)."""

_OF_REPLIES = pattern(r"\A(?:RE:\s*+)++", re.IGNORECASE)
_OF_FORWARDS = pattern(r"\A(?:FW:\s*+)++", re.IGNORECASE)


class Answer(NamedTuple):
    """A reply; recipients and subject that the mail leaves empty are taken from the original."""

    mail: Mail
    reply_all: bool = False


def reply(mailbox: Mailbox, answer: Answer, *, message_id: str) -> None:
    """Reply to a message, in the same conversation.

    The To and Cc of the reply each replace those taken from the original (inferred); an empty subject becomes the
    original's (Learn page). Raises EncryptedReply when the original is encrypted, and what sending raises.
    """
    # The gateway's policy comes before anything the mail service says, as in a send.
    if answer.mail.is_html:
        delivery.check_images(mailbox, answer.mail.body)
    original = message_of(mailbox, message_id)
    if original.is_encrypted:
        raise EncryptedReply()
    mail = answer.mail
    to, cc = _suggested(mailbox, _envelope(mailbox, original), answer.reply_all)
    complete = mail._replace(
        to=mail.to or to,
        cc=mail.cc or cc,
        subject=mail.subject.strip() or prefixed("RE: ", original.subject),
        # The quoted text shows the pictures of the original, so they come along; its other attachments do not.
        attachments=(*mail.attachments, *(_inline_files(mailbox, original) if mail.is_html else ())),
    )
    _answer(mailbox, original, complete, "Reply")


def comment(mailbox: Mailbox, *, message_id: str, comment: str, reply_all: bool = False) -> None:
    """Reply to a message with a plain text, in the format of the original."""
    is_html = bool(message_of(mailbox, message_id).is_html)
    mail = Mail(body=_converted(comment, to_html=is_html), is_html=is_html, importance=REPLY_IMPORTANCE)
    reply(mailbox, Answer(mail, reply_all), message_id=message_id)


def forward(mailbox: Mailbox, mail: Mail, *, message_id: str) -> None:
    """Forward a message with its attachments, in the same conversation; `mail` holds the recipients and a comment.

    Raises what sending raises.
    """
    original = message_of(mailbox, message_id)
    complete = mail._replace(
        subject=prefixed("FW: ", original.subject),
        is_html=bool(original.is_html),
        body=_converted(mail.body, to_html=bool(original.is_html)),
        importance=original.importance,
        is_encrypted=bool(original.is_encrypted),
        attachments=load_files(mailbox, original.content_id),
    )
    _answer(mailbox, original, complete, "Forward")


def prefixed(prefix: str, subject: str) -> str:
    """A subject with the prefix `RE: ` or `FW: `, unless it has it already.

    The prefix takes the place of the other one: in Exchange a subject has one prefix (MS-OXOMSG).
    """
    # Other programs pile prefixes up.
    others = _OF_FORWARDS if prefix == "RE: " else _OF_REPLIES
    subject = others.sub("", subject)
    # Without the blank: a subject that begins with `re:` has the prefix, too.
    if subject.lower().startswith(prefix.strip().lower()):
        return subject
    return prefix + subject


def _answer(mailbox: Mailbox, original: Message, mail: Mail, operation_type: OperationType) -> None:
    if not (mail.to or mail.cc or mail.bcc):
        raise InvalidRecipients()
    answer = mail._replace(
        body=_quote(mailbox, original, mail),
        in_reply_to=original.message_id,
        references=(*_ancestors(mailbox, original), original.message_id),
    )
    # The quoted original counts: it is part of the mail that is sent.
    delivery.check_size(mailbox, answer)
    with mailbox.db.transaction():
        delivery.post(mailbox, answer, operation_type, original.conversation_id)
        # The trigger for flagged mail fires when a flagged mail is answered, so the original changes.
        update(mailbox, original, partial(mail_store.set_last_verb, verb=operation_type))


def _ancestors(mailbox: Mailbox, original: Message) -> Iterable[str]:
    envelope = _envelope(mailbox, original)
    # RFC 5322, 3.6.4: without References, In-Reply-To names the parent.
    return envelope["references"] or filter(None, [envelope["in_reply_to"]])


def _suggested(
    mailbox: Mailbox, envelope: dict[str, Any], reply_all: bool
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    own = mailbox.owner.address
    to, cc, reply_to = (tuple(Address(*pair) for pair in envelope[line]) for line in ("to", "cc", "reply_to"))
    sender = (Address(*envelope["sender"]),) if envelope["sender"] else ()
    author = reply_to or sender
    if any(address.address.lower() == own for address in sender):
        # A reply to a mail of one's own goes to its recipients.
        author = _without(own, to) or author
    if not reply_all:
        return author, ()
    # A mail to oneself alone has no other recipients left.
    everyone = _without(own, (*author, *to)) or author
    known = {address.address.lower() for address in everyone}
    return everyone, tuple(address for address in _without(own, cc) if address.address.lower() not in known)


def _without(own: str, everyone: Iterable[Address]) -> tuple[Address, ...]:
    unique = {address.address.lower(): address for address in everyone}
    return tuple(address for lowered, address in unique.items() if not delivery.is_for(own, lowered))


def _inline_files(mailbox: Mailbox, original: Message) -> Iterable[Attachment]:
    """The attachments that the quoted body shows inline."""
    files = load_files(mailbox, original.content_id)
    # The calendar part of an invitation is stored as inline, but no body shows it.
    return (file for file in files if file.is_inline and not file.content_type.startswith("text/calendar"))


def _envelope(mailbox: Mailbox, message: Message) -> dict[str, Any]:
    envelope: dict[str, Any] = orjson.loads(mail_store.stored_mail(mailbox.db, message.content_id).headers)
    return envelope


def _converted(text: str, *, to_html: bool) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br>") if to_html else text


def _quote(mailbox: Mailbox, original: Message, mail: Mail) -> str:
    """The new text above the original, separated as Outlook does it."""
    lines = _header_lines(original, mail_store.stored_mail(mailbox.db, original.content_id).sent)
    if not mail.is_html:
        body = plain_text(original.body) if original.is_html else original.body
        header = "\r\n".join(f"{name}: {value}" for name, value in lines)
        return f"{mail.body}\r\n\r\n{'_' * 32}\r\n{header}\r\n\r\n{body}"
    # One document: the reply's, if it is one, with what the original shows inside.
    body = inner_html(original.body) if original.is_html else _converted(original.body, to_html=True)
    header = "<br>".join(f"<b>{name}:</b> {escape(value)}" for name, value in lines)
    quoted = f'<hr tabindex="-1"><div id="divRplyFwdMsg" dir="ltr">{header}</div><div>{body}</div>'
    return with_appended(mail.body, quoted)


def _header_lines(original: Message, sent: int) -> list[tuple[str, str]]:
    lines = [
        ("From", original.sender or ""),
        # In UTC, whatever the mailbox's zone is (vendor's page of the Office 365 twin).
        ("Sent", moment(sent).strftime("%A, %B %d, %Y %I:%M %p")),
        ("To", original.recipients_to or ""),
        ("Cc", original.recipients_cc or ""),
        ("Subject", original.subject),
    ]
    return [(name, value) for name, value in lines if value or name == "Subject"]
