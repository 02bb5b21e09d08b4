"""Rows as they enter the store: field order is column order, so they are bound without a look at their names.

In columns that may be NULL, an empty text stands for it, unless a docstring says otherwise.
"""

from typing import NamedTuple


class NewContent(NamedTuple):
    """The content of a mail, which all copies share.

    `stored_body` is None where it does not differ from `body`, `raw` for a mail that was not imported.
    """

    message_id: str
    conversation_id: int
    sent: int
    sender: str
    recipients_to: str
    recipients_cc: str
    reply_to: str
    subject: str
    is_html: int
    importance: int
    has_attachments: int
    has_files: int
    is_encrypted: int
    preview: str
    body: str
    stored_body: str | None
    headers: str
    raw: bytes | None


class NewMessage(NamedTuple):
    """A copy of a mail in a folder."""

    mailbox_id: int
    folder_id: int
    content_id: int
    received: int
    is_read: int
    is_flagged: int
    importance: int
    has_attachments: int
    recipients_bcc: str


class NewChange(NamedTuple):
    """An entry of the change feed; `before` is the earlier state of an event, as JSON."""

    mailbox_id: int
    kind: str
    action: str
    item_id: int
    folder_id: int
    at: int
    before: str
