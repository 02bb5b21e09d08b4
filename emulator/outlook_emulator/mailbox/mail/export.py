"""Exports stored mail as MIME."""

from __future__ import annotations

from typing import Any

import orjson

from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.mail.reading import load_files
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.store import mail as mail_store


def mime_of(mailbox: Mailbox, content_id: int, bcc: str | None = None) -> bytes:
    """A stored mail as an `.eml` file: the original bytes if it came from outside the sandbox, composed otherwise.

    `bcc` holds addresses joined by `;`; only the sender's own copy has it.
    """
    # The email package is slow to import, and a server that exports nothing does without it.
    from outlook_emulator.mailbox.formats.mime_compose import compose

    stored = mail_store.stored_mail(mailbox.db, content_id)
    envelope = orjson.loads(stored.headers)
    return compose(
        Mail(
            sender=Address(*envelope["sender"]) if envelope["sender"] else None,
            to=_people(envelope, "to"),
            cc=_people(envelope, "cc"),
            bcc=tuple(Address(address) for address in addresses.split(bcc)),
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
            attachments=load_files(mailbox, content_id),
            is_encrypted=bool(stored.is_encrypted),
            raw=stored.raw,
        )
    )


def _people(envelope: dict[str, Any], line: str) -> tuple[Address, ...]:
    return tuple(Address(*pair) for pair in envelope[line])
