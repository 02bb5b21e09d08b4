"""Compares single items with the conditions of a wait, and renders them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from outlook_emulator.clock import iso_seconds, iso_ticks
from outlook_emulator.errors import FolderNotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.calendar import occurrences
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mail.delivery import is_for
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.records import Callback, Event, OutboxMail, Owner


class Candidate(NamedTuple):
    """An item of the kind that a wait is for: its sort key, the conditions that it fails, and how it is rendered."""

    order: tuple[int, int]
    differs: list[str]
    show: Callable[[], shapes.Found]


class Matcher:
    """Compares items of a sandbox with the conditions of a wait; `after` is the number behind `newerThan`."""

    def __init__(self, sandbox: Sandbox, order: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self._db = sandbox.db
        self._order: dict[str, Any] = dict(order)
        self._recipients = addresses.lowered(order.get("recipient"))
        self._text = order.get("text", "").lower()
        self._connections: dict[str, Owner] = {}
        self._owners: dict[int, tuple[Owner, str]] = {}
        self._folders: dict[int, int | None] = {}

    def refresh(self, connections: dict[str, Owner]) -> bool:
        """Use the current connections and folders; returns whether the connections changed."""
        self._folders = {}
        if connections == self._connections:
            return False
        self._connections = connections
        # If a mailbox has several connections, show the one that the order names, or else the first.
        self._owners = {owner.id: (owner, id) for id, owner in reversed(connections.items())}
        if (id := self._order.get("connection")) in connections:
            self._owners[connections[id].id] = (connections[id], id)
        return True

    def has_mailbox(self, mailbox_id: int) -> bool:
        return mailbox_id in self._owners

    def mail(self, key: int, after: int) -> Candidate | None:
        message = mail_store.message_of_any(self._db, key)
        if message is None:
            return None
        owner, connection = self._owners[message.mailbox_id]
        # A sender's copy has the subject and the text of the mail that the wait is for.
        if "folder" not in self._order and message.folder_id == owner.sent_id:
            return None
        differs = self._differs(
            recipient=self._is_for(owner),
            connection=self._is_of_connection(owner.id),
            **self._match_headers(message.subject, message.sender),
            folder="folder" not in self._order or self._folder(owner) == message.folder_id,
            text=self._has_text(message.body),
            newerThan=message.content_id > after,
        )
        # The key rather than the message, because candidates stay in memory during the wait and bodies can be large.
        return Candidate((message.content_id, key), differs, partial(self._show_mail, key, owner, connection))

    def outbox_mail(self, mail: OutboxMail, after: int) -> Candidate:
        body = mail_store.stored_mail(self._db, mail.content_id).body if self._text else ""
        differs = self._differs(
            # A mail that left the sandbox is in none of its mailboxes, so it has neither a connection nor a folder.
            recipient=not self._recipients.isdisjoint(addresses.split(mail.recipients.lower())),
            connection=False,
            **self._match_headers(mail.subject, mail.sender),
            folder=False,
            text=self._has_text(body),
            newerThan=mail.content_id > after,
        )
        return Candidate((mail.content_id, 0), differs, partial(_show_outbox_mail, mail))

    def event(self, key: int, after: int) -> Candidate | None:
        event = calendar_store.event_of_any(self._db, key)
        # An exception of a series belongs to the series, as in a list of events.
        if event is None or event.master_id is not None:
            return None
        owner, connection = self._owners[event.mailbox_id]
        differs = self._differs(
            recipient=self._is_for(owner),
            connection=self._is_of_connection(owner.id),
            **self._match_headers(event.subject, event.organizer),
            text=self._has_text(event.body),
            newerThan=key > after,
        )
        return Candidate((key, 0), differs, partial(_show_event, event._replace(body="", stored_body=None), connection))

    def callback(self, callback: Callback, after: int) -> Candidate:
        differs = self._differs(
            text=not self._text or self._text in callback.body.decode("utf-8", "replace").lower(),
            newerThan=callback.id > after,
            url=callback.url == self._order.get("url"),
            reference=callback.reference == self._order.get("reference"),
        )
        if self._order["kind"] == "poke" and callback.kind != "poke":
            differs.insert(0, "kind")
        return Candidate((callback.id, 0), differs, partial(_show_callback, callback))

    def _differs(self, **matches: bool) -> list[str]:
        return [name for name, does_match in matches.items() if not does_match and name in self._order]

    def _match_headers(self, subject: str, sender: str | None) -> dict[str, bool]:
        return {
            "subject": self._order.get("subject", "").lower() in subject.lower(),
            "from": (sender or "").lower() in addresses.lowered(self._order.get("from")),
        }

    def _is_for(self, owner: Owner) -> bool:
        return any(is_for(owner.address, recipient) for recipient in self._recipients)

    def _is_of_connection(self, mailbox_id: int) -> bool:
        owner = self._connections.get(self._order.get("connection", ""))
        return owner is not None and owner.id == mailbox_id

    def _has_text(self, body: str) -> bool:
        # The raw body first, because extracting the visible text costs more.
        return not self._text or self._text in body.lower() or self._text in plain_text(body).lower()

    def _folder(self, owner: Owner) -> int | None:
        """The key of the folder that the order names, in one mailbox; None if the mailbox does not have it."""
        if owner.id not in self._folders:
            try:
                self._folders[owner.id] = folders.resolve(self._sandbox.mailbox(owner), self._order["folder"])
            except FolderNotFound:
                self._folders[owner.id] = None
        return self._folders[owner.id]

    def _show_mail(self, key: int, owner: Owner, connection: str) -> shapes.Found:
        message = mail_store.message_of_any(self._db, key)
        assert message is not None
        mailbox = self._sandbox.mailbox(owner)
        folder = mail_store.folder(self._db, owner.id, message.folder_id)
        assert folder is not None
        return {
            "kind": "mail",
            "id": mailbox.id_of(IdKind.MESSAGE, key),
            "subject": message.subject,
            "from": message.sender,
            "recipients": _split_all(message.recipients_to, message.recipients_cc, message.recipients_bcc),
            "receivedAt": iso_seconds(message.received),
            "connection": connection,
            "folder": folders.path_of(mailbox, folder),
        }


def _show_outbox_mail(mail: OutboxMail) -> shapes.Found:
    return {
        "kind": "mail",
        "id": str(mail.id),
        "subject": mail.subject,
        "from": mail.sender,
        "recipients": addresses.split(mail.recipients),
        "receivedAt": iso_seconds(mail.at),
        "connection": None,
        "folder": None,
    }


def _show_event(event: Event, connection: str) -> shapes.Found:
    return {
        "kind": "event",
        "id": occurrences.wire_id(event),
        "subject": event.subject,
        "from": event.organizer,
        "recipients": _split_all(event.required, event.optional, event.resources),
        "start": iso_ticks(event.start_at),
        "connection": connection,
    }


def _show_callback(callback: Callback) -> shapes.Found:
    return {
        "kind": "poke" if callback.kind == "poke" else "callback",
        "id": str(callback.id),
        "createdAt": iso_ticks(callback.created),
        "connection": None,
        "url": callback.url,
        "reference": callback.reference,
        "state": callback.state,
        "body": callback.body.decode("utf-8", "replace"),
    }


def _split_all(*lists: str | None) -> list[str]:
    """The addresses of several stored address lists."""
    return [address for joined in lists for address in addresses.split(joined)]
