"""Compares items with the conditions of a wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.mail.delivery import untagged
from outlook_emulator.mailbox.sought_text import SoughtText
from outlook_emulator.server.admin.wait_items import OUTBOX, Item, ItemReader, Scope
from outlook_emulator.store.records import Callback
from outlook_emulator.traffic.wait_conditions import DEFAULT_PROGRESS, PROGRESS

_Test = Callable[[Item], bool]


class Matcher:
    """The conditions of a wait; `subject` is in lower case.

    `after` is the number behind `newerThan`, which a reset of the sandbox changes. An item matches if it passes all
    `tests`; a sender's own copy only counts if the wait names a folder.
    """

    def __init__(self, reader: ItemReader, order: Mapping[str, Any], after: int) -> None:
        self.after = after
        self._reader = reader
        self.subject = order.get("subject", "").lower()
        recipients = addresses.lowered(order.get("recipient"))
        # A mailbox also gets the mail to its address with a tag.
        self._reached = recipients.union(map(untagged, recipients)) if "recipient" in order else None
        self._connection: str | None = order.get("connection")
        self._mailbox_id: int | None = None
        self.has_folder = "folder" in order
        if order["kind"] in ("mail", "event"):
            self._named = {name: test for name, test in self._of_items(reader, order).items() if name in order}
        else:
            always = {"kind", "until"} if order["kind"] == "poke" else {"until"}
            tests = self._of_callbacks(order)
            self._named = {name: test for name, test in tests.items() if name in order.keys() - {"kind"} | always}
        self.tests = tuple(self._named.values())
        self.use(reader)

    def use(self, reader: ItemReader) -> bool:
        """Take the reader's connections; returns whether older items may match now."""
        owner = reader.connections.get(self._connection or "")
        before, self._mailbox_id = self._mailbox_id, owner.id if owner else None
        return self._mailbox_id != before

    def scope(self) -> Scope:
        """What must be read to find all items that match."""
        mailboxes = None if self._reached is None else self._reader.mailboxes_of(self._reached)
        if self._connection is not None:
            own = frozenset(() if self._mailbox_id is None else (self._mailbox_id,))
            mailboxes = own if mailboxes is None else mailboxes & own
        has_outbox = self._connection is None and not self.has_folder
        return Scope(self.after, self.subject, mailboxes, has_outbox)

    def differs(self, item: Item) -> list[str]:
        """The conditions that an item fails."""
        return [name for name, test in self._named.items() if not test(item)]

    def _of_items(self, reader: ItemReader, order: Mapping[str, Any]) -> dict[str, _Test]:
        """The tests of mails and events, the cheap ones first."""
        recipients, senders = addresses.lowered(order.get("recipient")), addresses.lowered(order.get("from"))
        reached, subject = self._reached or frozenset(), self.subject
        text, folder = SoughtText(order.get("text", "")), order.get("folder", "")

        def is_recipient(item: Item) -> bool:
            return not (recipients if item.mailbox_id == OUTBOX else reached).isdisjoint(item.addresses)

        return {
            "recipient": is_recipient,
            "connection": lambda item: item.mailbox_id == self._mailbox_id,
            "subject": lambda item: subject in item.subject,
            "from": lambda item: item.sender in senders,
            "newerThan": lambda item: item.is_new or item.number > self.after,
            "folder": lambda item: item.folder_id > 0 and reader.folder(item.match.owner, folder) == item.folder_id,
            "text": lambda item: item.has(text),
        }

    def _of_callbacks(self, order: Mapping[str, Any]) -> dict[str, _Test]:
        """The tests of callbacks, the cheap ones first."""
        wanted, text = PROGRESS.index(order.get("until", DEFAULT_PROGRESS)), SoughtText(order.get("text", ""))
        return {
            "kind": lambda item: _callback(item).kind == "poke",
            "url": lambda item: _callback(item).url == order["url"],
            "reference": lambda item: _callback(item).reference == order["reference"],
            "newerThan": lambda item: item.number > self.after,
            "until": lambda item: item.progress >= wanted,
            "text": lambda item: item.has(text),
        }


def _callback(item: Item) -> Callback:
    record = item.match.record
    assert isinstance(record, Callback)
    return record
