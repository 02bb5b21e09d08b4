"""Writing stored mail out again as real MIME."""

from __future__ import annotations

from typing import Any

import orjson

from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.mail.reading import content_of, files_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.store import sql
from outlook_emulator.store.records import StoredMail


def mime_of(mailbox: Mailbox, content_id: int, bcc: str | None = None) -> bytes:
    """A stored mail as `.eml`: the very bytes if it came from outside, composed otherwise.

    `bcc` is joined by `;` and given only for the sender's own copy.
    """
    from outlook_emulator.mailbox.formats.mime_compose import compose

    stored = StoredMail._make(mailbox.db.one(sql.STORED_MAIL, {"id": content_id}))
    envelope = orjson.loads(stored.headers)
    files = tuple(
        Attachment(one.name, content_of(mailbox, one), one.content_type, bool(one.is_inline), one.cid)
        for one in files_of(mailbox, content_id)
    )
    return compose(
        Mail(
            sender=Address(*envelope["sender"]) if envelope["sender"] else None,
            to=_people(envelope, "to"),
            cc=_people(envelope, "cc"),
            bcc=tuple(Address(one) for one in addresses.split(bcc)),
            reply_to=_people(envelope, "reply_to"),
            subject=stored.subject,
            body=stored.body,
            is_html=bool(stored.is_html),
            importance=stored.importance,
            sent=stored.sent,
            message_id=stored.message_id,
            in_reply_to=envelope["in_reply_to"],
            references=tuple(envelope["references"]),
            headers=tuple((name, value) for name, value in envelope["headers"]),
            attachments=files,
            is_encrypted=bool(stored.is_encrypted),
            raw=stored.raw,
        )
    )


def _people(envelope: dict[str, Any], line: str) -> tuple[Address, ...]:
    return tuple(Address(*one) for one in envelope[line])
