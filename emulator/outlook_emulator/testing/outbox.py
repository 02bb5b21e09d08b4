"""The mails that left a sandbox."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

from outlook_emulator.testing.admin import Admin, path_of


class Outbox:
    """The mails that left one sandbox, because no mailbox in it has the recipient's address."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def mails(self, *, recipient: str = "", subject: str = "") -> list[dict[str, Any]]:
        """The mails to a recipient with a text in their subject, oldest first; by default all of them.

        Each has its `text`, its `html` and its `attachments`; `attachment` reads what is in one.
        """
        mails: list[dict[str, Any]] = self._admin.request("GET", "/outbox")["value"]
        return [
            mail
            for mail in mails
            if subject.casefold() in mail["subject"].casefold()
            and (not recipient or recipient.casefold() in map(str.casefold, mail["recipients"]))
        ]

    def mime(self, mail: dict[str, Any]) -> bytes:
        """One of the mails as a MIME message, the content of an `.eml` file."""
        return self._admin.send("GET", path_of("outbox", str(mail["id"]), "mime")).content

    def attachment(self, mail: dict[str, Any], name: str) -> bytes:
        """What is in the first attachment of that name. Raises AssertionError if the mail has none."""
        for part in message_from_bytes(self.mime(mail)).walk():
            if part.get_filename() == name:
                content = part.get_payload(decode=True)
                return content if isinstance(content, bytes) else b""
        names = [attachment["name"] for attachment in mail["attachments"]]
        raise AssertionError(f"The mail has no attachment {name!r}. Attachments: {names}.")
