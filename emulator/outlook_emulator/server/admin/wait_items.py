"""Reads the items that waits look at, and renders them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import partial
from typing import Any, NamedTuple

from outlook_emulator.clock import iso_seconds, iso_ticks
from outlook_emulator.enums import CallbackState
from outlook_emulator.errors import FolderNotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.calendar import occurrences
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.sought_text import SoughtText
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import outbox
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.records import Callback, Event, MessageHead, OutboxMail, Owner
from outlook_emulator.traffic.secrets import redacted

PAGE = 500
"""The number of keys that are read at once, before other requests get their turn."""
_LAST = 2**63 - 1
OUTBOX = 0
"""Stands for the mailbox of a mail in the outbox; no mailbox has this number."""
_NOBODY = Owner(OUTBOX, "", "", 0, 0, 0)
_QUEUED, _ATTEMPTED, _FINISHED = range(3)


class Match(NamedTuple):
    """An item that matches a wait, or nearly does: its place in the answer, and what renders it."""

    order: tuple[int, int]
    owner: Owner
    record: MessageHead | OutboxMail | Event | Callback


class Scope(NamedTuple):
    """What a wait has to read; other items cannot match. `subject` is in lower case, None stands for all mailboxes."""

    newer: int = 0
    subject: str = ""
    mailboxes: frozenset[int] | None = None
    has_outbox: bool = True


class Item:
    """An item as the conditions of a wait see it. Texts are in lower case.

    No two items of a wait have the same `key`. `number` is what `newerThan` compares, unless the item `is_new`: the
    next mail may get the number of one that was deleted. `addresses` are those that the item reached: of its mailbox,
    or all recipients of a mail in the outbox. `progress` counts how far a callback is, as an index of `PROGRESS`.
    """

    __slots__ = (
        "_plain",
        "_read_body",
        "_sent",
        "addresses",
        "folder_id",
        "is_new",
        "is_sent_copy",
        "key",
        "mailbox_id",
        "match",
        "number",
        "progress",
        "sender",
        "subject",
    )

    def __init__(
        self,
        key: int,
        number: int,
        match: Match,
        read_body: Callable[[], str],
        *,
        subject: str = "",
        sender: str | None = None,
        addresses: frozenset[str] = frozenset(),
        folder_id: int = 0,
        is_sent_copy: bool = False,
        progress: int = 0,
    ) -> None:
        self.key, self.number, self.match = key, number, match
        self.subject, self.sender = subject.lower(), (sender or "").lower()
        self.addresses, self.folder_id, self.progress = addresses, folder_id, progress
        self.mailbox_id = match.owner.id
        self.is_new = False
        self.is_sent_copy = is_sent_copy
        self._read_body = read_body
        self._sent: str | None = None
        self._plain: str | None = None

    def has(self, text: SoughtText) -> bool:
        """Whether the body contains a text, as it was sent or as a reader sees it."""
        if self._sent is None:
            self._sent = self._read_body().lower()
        # The body as sent first, because extracting the visible text costs more.
        if text.lowered in self._sent:
            return True
        if not text.may_show(self._sent):
            return False
        if self._plain is None:
            self._plain = plain_text(self._read_body()).lower()
        return text.lowered in self._plain


class ItemReader:
    """Reads items of a sandbox. `refresh` it when the connections may have changed, and `renew` it before each look."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._db = sandbox.db
        self.connections: dict[str, Owner] = {}
        self._owners: dict[int, Owner] = {}
        self._folders: dict[tuple[int, str], int | None] = {}

    def refresh(self) -> None:
        """Read the connections."""
        self.connections = self._sandbox.connections()
        self._owners = {owner.id: owner for owner in self.connections.values()}

    def renew(self) -> None:
        """Forget where folders are, since they may have changed."""
        self._folders = {}

    def folder(self, owner: Owner, path: str) -> int | None:
        """The key of a folder in one mailbox, None if the mailbox does not have it."""
        place = owner.id, path
        if place not in self._folders:
            try:
                self._folders[place] = folders.resolve(self._sandbox.mailbox(owner), path)
            except FolderNotFound:
                self._folders[place] = None
        return self._folders[place]

    def sources(self, kind: str, scope: Scope) -> Iterator[Iterator[list[Item]]]:
        """What has items of a kind in a scope; each gives them page by page, the newest first."""
        db = self._db
        if kind == "mail":
            for mailbox_id in (0,) if scope.mailboxes is None else sorted(scope.mailboxes):
                heads = partial(mail_store.message_heads, db, newer=scope.newer, subject=scope.subject)
                read = partial(heads, mailbox_id=mailbox_id)
                yield _pages(mail_store.newest_message(db), read, self.of_mail)
            if scope.has_outbox:
                read_outbox = partial(outbox.page, db, newer=scope.newer, subject=scope.subject)
                yield _pages(outbox.newest(db), read_outbox, self.of_outbox)
        elif kind == "event":
            yield _pages(calendar_store.newest_event(db), partial(calendar_store.event_page, db), self._of_event)
        else:
            last = trigger_store.newest_callback(db)
            yield _pages(last, partial(trigger_store.callback_page, db), self.of_callback)

    def is_sent_copy(self, mailbox_id: int, folder_id: int) -> bool:
        """Whether a folder is the Sent Items of its mailbox."""
        owner = self._owners.get(mailbox_id)
        return owner is not None and folder_id == owner.sent_id

    def head(self, key: int) -> MessageHead | None:
        """The head of a message of any mailbox."""
        return mail_store.message_head(self._db, key)

    def event(self, key: int) -> Item | None:
        """An event of any mailbox with a connection."""
        event = calendar_store.event_of_any(self._db, key)
        # An exception of a series belongs to the series, as in a list of events.
        return None if event is None or event.master_id is not None else self._of_event(event)

    def callback(self, key: int) -> Item | None:
        """A callback by its number."""
        callback = trigger_store.callback(self._db, key)
        return None if callback is None else self.of_callback(callback)

    def outbox_after(self, key: int) -> list[Item]:
        """The mails that left the sandbox after the one with a key."""
        return [self.of_outbox(mail) for mail in outbox.page(self._db, key, _LAST)]

    def callbacks_after(self, key: int) -> list[Item]:
        """The callbacks after the one with a key."""
        return [self.of_callback(callback) for callback in trigger_store.callback_page(self._db, key, _LAST)]

    def mailboxes_of(self, addresses: Container[str]) -> frozenset[int]:
        """The mailboxes with these addresses."""
        return frozenset(owner.id for owner in self._owners.values() if owner.address in addresses)

    def of_mail(self, head: MessageHead) -> Item | None:
        """A message, None if its mailbox has no connection."""
        owner = self._owners.get(head.mailbox_id)
        if owner is None:
            return None
        return Item(
            head.id,
            head.content_id,
            Match((head.content_id, head.id), owner, head),
            lambda: mail_store.body(self._db, head.content_id),
            subject=head.subject,
            sender=head.sender,
            addresses=frozenset((owner.address,)),
            folder_id=head.folder_id,
            is_sent_copy=head.folder_id == owner.sent_id,
        )

    def of_outbox(self, mail: OutboxMail) -> Item:
        """A mail of the outbox."""
        return Item(
            # Negative, so that it differs from the key of a message.
            -mail.id,
            mail.content_id,
            # A mail that left the sandbox is in none of its mailboxes, so it has neither a connection nor a folder.
            Match((mail.content_id, 0), _NOBODY, mail),
            lambda: mail_store.body(self._db, mail.content_id),
            subject=mail.subject,
            sender=mail.sender,
            addresses=frozenset(addresses.split(mail.recipients.lower())),
        )

    def _of_event(self, event: Event) -> Item | None:
        owner = self._owners.get(event.mailbox_id)
        if owner is None:
            return None
        # Without the body, because matches stay in memory during the wait and bodies can be large.
        match = Match((event.id, 0), owner, event._replace(body="", stored_body=None))
        return Item(
            event.id,
            event.id,
            match,
            lambda: event.body,
            subject=event.subject,
            sender=event.organizer,
            addresses=frozenset((owner.address,)),
        )

    def of_callback(self, callback: Callback) -> Item:
        """A request to a callback URL."""
        if callback.state != CallbackState.PENDING:
            progress = _FINISHED
        else:
            progress = _ATTEMPTED if callback.attempts else _QUEUED
        return Item(
            callback.id,
            callback.id,
            Match((callback.id, 0), _NOBODY, callback),
            lambda: callback.body.decode("utf-8", "replace"),
            progress=progress,
        )

    def show(self, match: Match, connection: str | None) -> shapes.Found:
        """A match as JSON, as it is now, or as it was if it is gone; `connection` is preferred among several."""
        record = match.record
        if isinstance(record, Callback):
            return _show_callback(trigger_store.callback(self._db, record.id) or record)
        if isinstance(record, OutboxMail):
            return _show_outbox_mail(record)
        connection = self._connection_of(match.owner, connection)
        if isinstance(record, Event):
            return _show_event(record, connection)
        return self._show_mail(mail_store.message_head(self._db, record.id) or record, match.owner, connection)

    def _connection_of(self, owner: Owner, preferred: str | None) -> str | None:
        ids = [id for id, other in self.connections.items() if other.id == owner.id]
        # After a reset, the mailbox of a match may be gone.
        return preferred if preferred in ids else next(iter(ids), None)

    def _show_mail(self, head: MessageHead, owner: Owner, connection: str | None) -> shapes.Found:
        mailbox = self._sandbox.mailbox(owner)
        folder = mail_store.folder(self._db, owner.id, head.folder_id)
        return {
            "kind": "mail",
            "id": mailbox.id_of(IdKind.MESSAGE, head.id),
            "subject": head.subject,
            "from": head.sender,
            "recipients": _split_all(head.recipients_to, head.recipients_cc, head.recipients_bcc),
            "receivedAt": iso_seconds(head.received),
            "connection": connection,
            "folder": None if folder is None else folders.path_of(mailbox, folder),
        }


def _pages(
    last: int, read: Callable[[int, int], list[Any]], make: Callable[[Any], Item | None]
) -> Iterator[list[Item]]:
    # By keys and not by number, so that a page with few items in the scope takes no longer than others.
    for after in reversed(range(0, last, PAGE)):
        yield [item for record in reversed(read(after, after + PAGE)) if (item := make(record)) is not None]


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


def _show_event(event: Event, connection: str | None) -> shapes.Found:
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
        "url": redacted(callback.url),
        "reference": callback.reference,
        "state": callback.state,
        "attempts": callback.attempts,
        "lastStatus": callback.last_status,
        "lastError": callback.last_error,
        "body": redacted(callback.body.decode("utf-8", "replace")),
    }


def _split_all(*lists: str | None) -> list[str]:
    """The addresses of several stored address lists."""
    return [address for joined in lists for address in addresses.split(joined)]
