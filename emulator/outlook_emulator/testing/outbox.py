"""The mails that left a sandbox."""

from __future__ import annotations

from typing import Any

from outlook_emulator.testing.admin import Admin, below


class Outbox:
    """The mails that left one sandbox: nobody in it has their recipient's address."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def mails(self, *, recipient: str = "", subject: str = "") -> list[dict[str, Any]]:
        """The mails that left, oldest first: those to an address, those with a text in their subject."""
        everything: list[dict[str, Any]] = self._admin.ask("GET", "/outbox")["value"]
        return [
            one
            for one in everything
            if subject.casefold() in one["subject"].casefold()
            and (not recipient or recipient.casefold() in map(str.casefold, one["recipients"]))
        ]

    def mime(self, mail: dict[str, Any]) -> bytes:
        """One of them as it goes over the wire, a whole `.eml`."""
        return self._admin.send("GET", below("outbox", str(mail["id"]), "mime")).content
