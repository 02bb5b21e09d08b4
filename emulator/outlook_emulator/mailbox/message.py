"""The values of mail: addresses, attachments, and a mail that is in no folder yet."""

from typing import NamedTuple

from outlook_emulator.enums import Importance
from outlook_emulator.frozen import Frozen

DEFAULT_IMPORTANCE = Importance.Normal


class Address(NamedTuple):
    """A mail address with its display name, which may be empty."""

    address: str
    name: str = ""


class Attachment(Frozen):
    """An attachment. `content_id` has no angle brackets; inline attachments are shown in the body."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"
    is_inline: bool = False
    content_id: str | None = None


class Mail(NamedTuple):
    """A mail that is in no folder yet.

    `sent` is in microseconds since 1970, None when unknown. `message_id`, `in_reply_to` and `references` hold
    Message-IDs with their angle brackets. `headers` are all other internet headers, in order and decoded. `raw` holds
    the bytes of a mail from outside the sandbox, so that an export returns the same bytes.
    """

    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    body: str = ""
    is_html: bool = False
    importance: int = DEFAULT_IMPORTANCE
    sent: int | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    is_encrypted: bool = False
    raw: bytes | None = None
