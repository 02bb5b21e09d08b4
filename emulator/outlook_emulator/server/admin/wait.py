"""The admin operation that waits until matching items arrive, and reports the nearest misses if they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from outlook_emulator.clock import iso_seconds, iso_ticks
from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.errors import FolderNotFound, InvalidRequest, NotFound, NothingCame
from outlook_emulator.ids import IdKind, decode
from outlook_emulator.mailbox import addresses, changes
from outlook_emulator.mailbox.calendar import occurrences
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mail.delivery import is_for
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.options import options_of
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.schemas import parse
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import outbox
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Callback, Change, Event, Message, OutboxMail, Owner
from outlook_emulator.traffic.wait_conditions import MOST, WaitConditions, conditions_of

_SLICE = 200
"""How many entries of the change feed are read before others have their turn."""
_NEAR_MISSES = 5
_LONGEST_NUMBER = 18
_NEWEST = {"mail": mail_store.newest_content, "event": calendar_store.newest_event}
"""The functions that return the newest number that `newerThan` can name, by kind; other kinds are callbacks."""


async def wait(request: AdminRequest) -> shapes.Waited:
    sandbox, order = request.sandbox, request.body
    seconds = _check(order)
    clock = asyncio.get_running_loop().time
    begun = clock()
    deadline = begun + seconds
    with request.webhooks.write_signal(sandbox) as signal:
        watch = _Watch(sandbox, order)
        while True:
            signal.clear()
            await watch.look()
            late = clock() >= deadline
            if late or watch.count() >= order["count"]:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await signal.wait()
    if watch.count() < order["count"]:
        raise _timed_out(watch, order["count"], seconds)
    return {"value": watch.matches(), "waitedSeconds": round(clock() - begun, 3)}


def _timed_out(watch: _Watch, count: int, seconds: float) -> NothingCame:
    misses = watch.near_misses()
    text = f"{watch.count()} of {count} came in {seconds:g} seconds."
    if misses:
        text += f" The nearest miss differs in: {', '.join(misses[0]['differs'])}."
    return NothingCame(text, misses)


def _check(order: Mapping[str, Any]) -> float:
    """The longest duration of a wait, in seconds. Raises InvalidRequest for conditions that are not valid."""
    conditions = parse(WaitConditions, order)
    applicable = {option.member for option in conditions_of(conditions.kind)}
    for option in options_of(WaitConditions):
        if option.member in order and option.member not in applicable:
            raise InvalidRequest(f"'{option.member}' does not apply to the kind '{conditions.kind}'.")
    return conditions.timeout_seconds


class _Seen(NamedTuple):
    """Something that came: its place in time, the members of the order that it does not fit, and how it is shown."""

    order: tuple[int, int]
    differs: list[str]
    show: Callable[[], shapes.Found]


class _Watch:
    """What came to a sandbox so far, held against an order; `look` brings it up to date.

    Mails and events are read once each, as the change feed names them, so that waiting costs what comes meanwhile.
    Raises InvalidRequest for an id or a number that the order cannot have from this sandbox.
    """

    def __init__(self, sandbox: Sandbox, order: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self._db = sandbox.db
        self._order: dict[str, Any] = dict(order)
        self._kind = order["kind"]
        self._feed_kind = {"mail": ItemKind.MESSAGE, "event": ItemKind.EVENT}.get(self._kind)
        self._recipients = addresses.lowered(order.get("recipient"))
        self._text = order.get("text", "").lower()
        self._after = _position(sandbox, self._kind, order["newerThan"]) if "newerThan" in order else 0
        self._looked_at = -1
        self._seq = 0
        self._generation = self._db.generation
        self._known: dict[str, Owner] = {}
        self._owners: dict[int, tuple[Owner, str]] = {}
        self._folders: dict[int, int | None] = {}
        self._fed: dict[int, _Seen] = {}
        self._listed: list[_Seen] = []

    async def look(self) -> None:
        """Read what was written since the last look. Raises NotFound once the sandbox is gone."""
        while not self._is_up_to_date():
            self._looked_at = self._db.writes
            self._keep_up()
            if self._feed_kind is not None and self._read_feed():
                self._looked_at = -1
                await asyncio.sleep(0)
            else:
                self._listed = list(self._list())

    def count(self) -> int:
        return sum(not one.differs for one in self._all())

    def matches(self) -> list[shapes.Found]:
        """What fits, oldest first; of very many the newest."""
        found = sorted((one for one in self._all() if not one.differs), key=lambda one: one.order)
        return [one.show() for one in found[-MOST:]]

    def near_misses(self) -> list[shapes.NearMiss]:
        """What came closest, that which differs least first, then the newest."""
        missed = (one for one in self._all() if one.differs)
        ranked = sorted(missed, key=lambda one: (-len(one.differs), one.order), reverse=True)
        return [{**one.show(), "differs": one.differs} for one in islice(ranked, _NEAR_MISSES)]

    def _all(self) -> Iterator[_Seen]:
        yield from self._fed.values()
        yield from self._listed

    def _is_up_to_date(self) -> bool:
        if self._db.closed:
            raise NotFound(f"The sandbox '{self._sandbox.name}' was deleted.")
        return self._looked_at == self._db.writes

    def _keep_up(self) -> None:
        """Begin anew where what was seen says nothing any more: all was replaced, or mailboxes have come."""
        if self._generation != self._db.generation:
            self._generation, self._known = self._db.generation, {}
            self._seq, self._fed = 0, {}
            # After a reset what was to be older is gone, and all there is came after it. What a snapshot brings back
            # did not, even where the thing that was named is not in it.
            self._after = min(self._after, _newest(self._db, self._kind)) if self._db.is_taken_over else 0
        self._folders = {}
        if (known := self._sandbox.connections()) != self._known:
            self._known = known
            # Of several connections to a mailbox the order's own is shown, or the first.
            self._owners = {owner.id: (owner, id) for id, owner in reversed(known.items())}
            if (asked := self._order.get("connection")) in known:
                self._owners[known[asked].id] = (known[asked], asked)
            self._seq, self._fed = 0, {}

    def _read_feed(self) -> bool:
        """Read a slice of the change feed; whether it was a full one."""
        entries = changes.after(self._db, self._seq, _SLICE)
        for entry in entries:
            self._seq = entry.seq
            if entry.kind == self._feed_kind and entry.mailbox_id in self._owners:
                self._take(entry)
        return len(entries) == _SLICE

    def _take(self, entry: Change) -> None:
        self._fed.pop(entry.item_id, None)
        seen = self._mail(entry.item_id) if self._kind == "mail" else self._event(entry.item_id)
        if seen is not None:
            self._fed[entry.item_id] = seen

    def _list(self) -> Iterator[_Seen]:
        """What no feed tells of: mails that left, and calls."""
        if self._kind == "mail":
            yield from map(self._outbox_mail, self._sandbox.outbox())
        elif self._feed_kind is None:
            yield from map(self._call, callbacks.journal(self._db))

    def _mail(self, key: int) -> _Seen | None:
        message = _message(self._db, key)
        if message is None:
            return None
        owner, connection = self._owners[message.mailbox_id]
        if "folder" not in self._order and message.folder_id == owner.sent_id:
            return None
        differs = self._differs(
            recipient=self._is_for(owner),
            connection=self._is_own(owner.id),
            **self._of_message_view(message.subject, message.sender),
            folder="folder" not in self._order or self._folder(owner) == message.folder_id,
            text=self._says(message.body),
            newerThan=message.content_id > self._after,
        )
        # Without its body: what was seen is kept while there is waiting.
        return _Seen((message.content_id, key), differs, partial(self._show_mail, key, owner, connection))

    def _outbox_mail(self, one: OutboxMail) -> _Seen:
        body = ""
        if self._text:
            body = mail_store.stored_mail(self._db, one.content_id).body
        differs = self._differs(
            recipient=not self._recipients.isdisjoint(addresses.split(one.recipients.lower())),
            connection=False,
            **self._of_message_view(one.subject, one.sender),
            folder=False,
            text=self._says(body),
            newerThan=one.content_id > self._after,
        )
        return _Seen((one.content_id, 0), differs, partial(_show_outbox_mail, one))

    def _event(self, key: int) -> _Seen | None:
        event = calendar_store.event_of_any(self._db, key)
        # What differs from its series is a part of it, as in a list of events.
        if event is None or event.master_id is not None:
            return None
        owner, connection = self._owners[event.mailbox_id]
        differs = self._differs(
            recipient=self._is_for(owner),
            connection=self._is_own(owner.id),
            **self._of_message_view(event.subject, event.organizer),
            text=self._says(event.body),
            newerThan=key > self._after,
        )
        return _Seen((key, 0), differs, partial(_show_event, event._replace(body=""), connection))

    def _call(self, one: Callback) -> _Seen:
        differs = self._differs(
            text=not self._text or self._text in one.body.decode("utf-8", "replace").lower(),
            newerThan=one.id > self._after,
            url=one.url == self._order.get("url"),
            reference=one.reference == self._order.get("reference"),
        )
        if self._kind == "poke" and one.kind != "poke":
            differs.insert(0, "kind")
        return _Seen((one.id, 0), differs, partial(_show_call, one))

    def _differs(self, **fits: bool) -> list[str]:
        return [name for name, does in fits.items() if not does and name in self._order]

    def _of_message_view(self, subject: str, sender: str | None) -> dict[str, bool]:
        return {
            "subject": self._order.get("subject", "").lower() in subject.lower(),
            "from": (sender or "").lower() in addresses.lowered(self._order.get("from")),
        }

    def _is_for(self, owner: Owner) -> bool:
        return any(is_for(owner.address, one) for one in self._recipients)

    def _is_own(self, mailbox_id: int) -> bool:
        owner = self._known.get(self._order.get("connection", ""))
        return owner is not None and owner.id == mailbox_id

    def _says(self, body: str) -> bool:
        # As it is written first: the visible text of it costs more.
        return not self._text or self._text in body.lower() or self._text in plain_text(body).lower()

    def _folder(self, owner: Owner) -> int | None:
        """The key of the folder that the order names, in one mailbox; None while it has none such."""
        if owner.id not in self._folders:
            try:
                self._folders[owner.id] = folders.resolve(self._sandbox.mailbox(owner), self._order["folder"])
            except FolderNotFound:
                self._folders[owner.id] = None
        return self._folders[owner.id]

    def _show_mail(self, key: int, owner: Owner, connection: str) -> shapes.Found:
        message = _message(self._db, key)
        assert message is not None
        mailbox = self._sandbox.mailbox(owner)
        folder = mail_store.folder(self._db, owner.id, message.folder_id)
        assert folder is not None
        people = (message.recipients_to, message.recipients_cc, message.recipients_bcc)
        return {
            "kind": "mail",
            "id": mailbox.id_of(IdKind.MESSAGE, key),
            "subject": message.subject,
            "from": message.sender,
            "recipients": [one for joined in people for one in addresses.split(joined)],
            "receivedAt": iso_seconds(message.received),
            "connection": connection,
            "folder": folders.path_of(mailbox, folder),
        }


def _show_outbox_mail(one: OutboxMail) -> shapes.Found:
    return {
        "kind": "mail",
        "id": str(one.id),
        "subject": one.subject,
        "from": one.sender,
        "recipients": addresses.split(one.recipients),
        "receivedAt": iso_seconds(one.at),
        "connection": None,
        "folder": None,
    }


def _show_event(event: Event, connection: str) -> shapes.Found:
    people = (event.required, event.optional, event.resources)
    return {
        "kind": "event",
        "id": occurrences.wire_id(event),
        "subject": event.subject,
        "from": event.organizer,
        "recipients": [one for joined in people for one in addresses.split(joined)],
        "start": iso_ticks(event.start_at),
        "connection": connection,
    }


def _show_call(one: Callback) -> shapes.Found:
    return {
        "kind": "poke" if one.kind == "poke" else "callback",
        "id": str(one.id),
        "createdAt": iso_ticks(one.created),
        "connection": None,
        "url": one.url,
        "reference": one.reference,
        "state": one.state,
        "body": one.body.decode("utf-8", "replace"),
    }


def _newest(db: Database, kind: str) -> int:
    """The greatest number that `newerThan` can name by now."""
    newest = _NEWEST.get(kind, trigger_store.newest_callback)
    return newest(db)


def _message(db: Database, key: int) -> Message | None:
    return mail_store.message_of_any(db, key)


def _position(sandbox: Sandbox, kind: str, text: str) -> int:
    """What comes after the thing with that id has a greater number: of its content for mails, its own elsewhere.

    Contents are numbered as mails are written, so a mail keeps its place however it is moved. Raises InvalidRequest.
    """
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None
    if kind == "event":
        return _event_key(sandbox, text)
    if kind == "mail":
        number = _content_of(sandbox, text) if number is None else _outbox_content(sandbox, number)
    if number is None:
        raise InvalidRequest(f"'newerThan' names no {kind} of this sandbox: '{text[:200]}'.")
    return number


def _outbox_content(sandbox: Sandbox, number: int) -> int | None:
    source = outbox.source(sandbox.db, number)
    return None if source is None else source.content_id


def _content_of(sandbox: Sandbox, text: str) -> int | None:
    owner_id, key = _decoded(sandbox, IdKind.MESSAGE, text)
    message = _message(sandbox.db, key)
    if message is None:
        # A mail that was moved has another id: in the feed the two are neighbours.
        left = False
        for entry in changes.of(sandbox.db, owner_id, ItemKind.MESSAGE, 0):
            if left and entry.action == ChangeAction.MOVED:
                key = entry.item_id
            left = entry.action == ChangeAction.DELETED and entry.item_id == key
        message = _message(sandbox.db, key)
    return None if message is None else message.content_id


def _event_key(sandbox: Sandbox, text: str) -> int:
    for owner in sandbox.connections().values():
        if event := calendar_store.event_by_external_id(sandbox.db, owner.id, text):
            return event.id
    return _decoded(sandbox, IdKind.EVENT, text)[1]


def _decoded(sandbox: Sandbox, kind: IdKind, text: str) -> tuple[int, int]:
    """The mailbox and the key behind a wire id. Raises InvalidRequest."""
    # Also held against no mailbox at all, so that what is no id is told from what is none here.
    for mailbox_id in (0, *(owner.id for owner in sandbox.connections().values())):
        with suppress(NotFound):
            return mailbox_id, decode(kind, mailbox_id, text, "newerThan")
    raise InvalidRequest(f"'newerThan' names no {kind.name.lower()} of this sandbox: '{text[:200]}'.")


ROWS = (
    AdminOperation(
        id="Wait",
        method="POST",
        path="/sandboxes/{sandbox}/wait",
        summary="Wait for a mail, an event, a callback or a poke; status 408 comes with the nearest misses",
        handler=wait,
        accepts=shapes.WaitOrder,
        returns=shapes.Waited,
    ),
)
