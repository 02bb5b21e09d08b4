"""What was just written to a database, so that who waits for it need not read it back."""

from __future__ import annotations

from typing import NamedTuple

from outlook_emulator.store.new_rows import NewChange, NewContent, NewMessage
from outlook_emulator.store.records import Change, MessageHead

_MOST = 500
"""More changes than these are not gathered: they are read from the database, page by page."""


class Fresh(NamedTuple):
    """Entries of the change feed, heads of the messages that they are about, and whether a mail left the sandbox.

    Not every message has its head here: that of a copy is in the database only.
    """

    changes: list[Change]
    heads: dict[int, MessageHead]
    has_outbox_mail: bool


class FreshRows:
    """Gathers what is written until the next `take`."""

    def __init__(self) -> None:
        self._start_over(is_whole=True)

    def take(self) -> Fresh | None:
        """What was written since the last call, None if that is not known in full."""
        fresh = Fresh(self._changes, self._heads, self._has_outbox_mail) if self._is_whole else None
        self._start_over(is_whole=True)
        return fresh

    def lose(self) -> None:
        """Gather nothing until the next `take`: there is too much, or rows were undone or replaced."""
        self._start_over(is_whole=False)

    def _start_over(self, *, is_whole: bool) -> None:
        self._is_whole = is_whole
        self._changes: list[Change] = []
        self._heads: dict[int, MessageHead] = {}
        self._has_outbox_mail = False
        # The key, the sender, the recipients and the subject of the newest content; its messages follow it.
        self._content: tuple[int, str | None, str | None, str | None, str] | None = None

    def add_change(self, number: int, change: NewChange) -> None:
        """Add an entry of the change feed with its sequence number."""
        if self._is_whole:
            mailbox_id, kind, action, item_id, folder_id, at, before = change
            self._changes.append(Change(number, mailbox_id, kind, action, item_id, folder_id, at, before or None))
            if len(self._changes) > _MOST:
                self.lose()

    def add_content(self, key: int, content: NewContent) -> None:
        """Note the content of the messages that follow."""
        sender, to, cc = content.sender or None, content.recipients_to or None, content.recipients_cc or None
        self._content = key, sender, to, cc, content.subject

    def add_message(self, key: int, message: NewMessage) -> None:
        """Add the head of a message, if its content is the newest one."""
        mailbox_id, folder_id, content_id, received, *_, bcc = message
        if self._is_whole and self._content is not None and self._content[0] == content_id:
            _, sender, to, cc, subject = self._content
            self._heads[key] = MessageHead(
                key, mailbox_id, folder_id, content_id, received, sender, to, cc, bcc or None, subject
            )

    def remove_message(self, key: int) -> None:
        """Drop the head of a message that was deleted."""
        self._heads.pop(key, None)

    def add_outbox_mail(self) -> None:
        """Note that a mail left the sandbox."""
        self._has_outbox_mail = True
