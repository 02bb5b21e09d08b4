"""Answering and passing on: what a reply or a forward takes over from the mail it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any, NamedTuple

import orjson

from outlook_emulator.clock import moment
from outlook_emulator.enums import Importance
from outlook_emulator.errors import EncryptedReply, InvalidRecipients
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mail.origin_headers import OperationType
from outlook_emulator.mailbox.mail.reading import content_of, files_of, message_of, touch
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.store import sql
from outlook_emulator.store.records import Message, StoredMail

REPLY_IMPORTANCE = Importance["Low"]
"""What a reply gets when the caller names none (Learn page)."""


class Answer(NamedTuple):
    """What someone answers, and whether to all; what the mail leaves empty is taken from the original."""

    mail: Mail
    reply_all: bool = False


def reply(mailbox: Mailbox, answer: Answer, *, message_id: str) -> None:
    """Answer a message in its conversation.

    Recipients given replace those the original suggests, line by line (inferred); an empty subject becomes the
    original's (Learn page). Raises EncryptedReply when the original is encrypted.
    """
    original = message_of(mailbox, message_id)
    if original.is_encrypted:
        raise EncryptedReply()
    mail = answer.mail
    to, cc = _suggested(mailbox, _envelope(mailbox, original), answer.reply_all)
    complete = replace(
        mail,
        to=mail.to or to,
        cc=mail.cc or cc,
        subject=mail.subject.strip() or prefixed("RE: ", original.subject),
        attachments=(*mail.attachments, *(_pictures(mailbox, original) if mail.is_html else ())),
    )
    _answer(mailbox, original, complete, "Reply")


def comment(mailbox: Mailbox, *, message_id: str, comment: str, reply_all: bool = False) -> None:
    """Answer a message with a plain remark, in the format of the original."""
    is_html = bool(message_of(mailbox, message_id).is_html)
    remark = Mail(body=_as(comment, to_html=is_html), is_html=is_html, importance=REPLY_IMPORTANCE)
    reply(mailbox, Answer(remark, reply_all), message_id=message_id)


def forward(mailbox: Mailbox, mail: Mail, *, message_id: str) -> None:
    """Pass a message on to others, attachments included, in its conversation."""
    original = message_of(mailbox, message_id)
    passed_on = replace(
        mail,
        subject=prefixed("FW: ", original.subject),
        is_html=bool(original.is_html),
        body=_as(mail.body, to_html=bool(original.is_html)),
        importance=original.importance,
        is_encrypted=bool(original.is_encrypted),
        attachments=tuple(_carried(mailbox, original)),
    )
    _answer(mailbox, original, passed_on, "Forward")


def prefixed(prefix: str, subject: str) -> str:
    """A subject with `RE: ` or `FW: ` in front, once."""
    if subject.lower().startswith(prefix.strip().lower()):
        return subject
    return prefix + subject


def _answer(mailbox: Mailbox, original: Message, mail: Mail, verb: OperationType) -> None:
    if not (mail.to or mail.cc or mail.bcc):
        raise InvalidRecipients("To")
    answer = replace(
        mail,
        body=_quote(original, mail),
        in_reply_to=original.message_id,
        references=(*_ancestors(mailbox, original), original.message_id),
    )
    delivery.check_size(mailbox, answer)
    with mailbox.db.transaction():
        delivery.post(mailbox, answer, verb, original.conversation_id)
        # The trigger for flagged mail fires when a flagged mail is answered, so this is a change of it.
        touch(mailbox, original, sql.SET_LAST_VERB, verb=verb)


def _ancestors(mailbox: Mailbox, original: Message) -> Iterable[str]:
    envelope = _envelope(mailbox, original)
    # RFC 5322, 3.6.4: where a mail has no References, its In-Reply-To says what came before.
    return envelope["references"] or filter(None, [envelope["in_reply_to"]])


def _suggested(
    mailbox: Mailbox, envelope: dict[str, Any], reply_all: bool
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    own = mailbox.owner.address
    to, cc, reply_to = (tuple(Address(*one) for one in envelope[line]) for line in ("to", "cc", "reply_to"))
    sender = (Address(*envelope["sender"]),) if envelope["sender"] else ()
    author = reply_to or sender
    if any(one.address.lower() == own for one in sender):
        # Answering one's own mail goes to those it went to.
        author = _without(own, to) or author
    if not reply_all:
        return author, ()
    everyone = _without(own, (*author, *to)) or author
    known = {one.address.lower() for one in everyone}
    return everyone, tuple(one for one in _without(own, cc) if one.address.lower() not in known)


def _without(own: str, everyone: Iterable[Address]) -> tuple[Address, ...]:
    unique = {one.address.lower(): one for one in everyone}
    return tuple(one for address, one in unique.items() if not delivery.is_for(own, address))


def _pictures(mailbox: Mailbox, original: Message) -> Iterable[Attachment]:
    """What the quoted body shows inline."""
    inline = (one for one in _carried(mailbox, original) if one.is_inline)
    return (one for one in inline if not one.content_type.startswith("text/calendar"))


def _carried(mailbox: Mailbox, original: Message) -> Iterable[Attachment]:
    for one in files_of(mailbox, original.content_id):
        yield Attachment(one.name, content_of(mailbox, one), one.content_type, bool(one.is_inline), one.cid)


def _envelope(mailbox: Mailbox, message: Message) -> dict[str, Any]:
    stored = StoredMail._make(mailbox.db.one(sql.STORED_MAIL, {"id": message.content_id}))
    envelope: dict[str, Any] = orjson.loads(stored.headers)
    return envelope


def _as(text: str, *, to_html: bool) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br>") if to_html else text


def _quote(original: Message, mail: Mail) -> str:
    """The new text above the original, set off the way Outlook does it."""
    lines = _header_lines(original)
    if not mail.is_html:
        body = plain_text(original.body) if original.is_html else original.body
        facts = "\r\n".join(f"{name}: {value}" for name, value in lines)
        return f"{mail.body}\r\n\r\n{'_' * 32}\r\n{facts}\r\n\r\n{body}"
    body = original.body if original.is_html else _as(original.body, to_html=True)
    facts = "<br>".join(f"<b>{name}:</b> {escape(value)}" for name, value in lines)
    return f'{mail.body}<hr tabindex="-1"><div id="divRplyFwdMsg" dir="ltr">{facts}</div><div>{body}</div>'


def _header_lines(original: Message) -> list[tuple[str, str]]:
    facts = [
        ("From", original.sender or ""),
        ("Sent", moment(original.received).strftime("%A, %B %d, %Y %I:%M %p")),
        ("To", original.recipients_to or ""),
        ("Cc", original.recipients_cc or ""),
        ("Subject", original.subject),
    ]
    return [(name, value) for name, value in facts if value or name == "Subject"]
