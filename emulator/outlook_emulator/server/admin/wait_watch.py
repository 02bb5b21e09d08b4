"""Follows what is written to a sandbox while requests wait for items."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from heapq import nlargest
from time import perf_counter
from typing import Any

from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.errors import ConnectorError, InternalError, NotFound
from outlook_emulator.mailbox import changes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.wait_items import PAGE, Item, ItemReader, Match, Scope
from outlook_emulator.server.admin.wait_match import Matcher
from outlook_emulator.server.admin.wait_position import newest
from outlook_emulator.server.slices import SLICE
from outlook_emulator.store import outbox
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.fresh_rows import Fresh, FreshRows
from outlook_emulator.store.records import Change, MessageHead, OutboxMail
from outlook_emulator.traffic.wait_conditions import KINDS

_NEAR_MISSES = 5
_CALLBACKS = ("callback", "poke")
# Plain texts, since every write compares them.
_MESSAGE, _EVENT = ItemKind.MESSAGE.value, ItemKind.EVENT.value
_CREATED, _MOVED, _DELETED = ChangeAction.CREATED.value, ChangeAction.MOVED.value, ChangeAction.DELETED.value
_ARRIVALS = (_CREATED, _MOVED)
NearMiss = tuple[Match, list[str]]
"""An item, and the conditions that it fails."""
_log = logging.getLogger("outlook_emulator")


class Watch:
    """One wait, and the items that have matched its conditions so far.

    `after` is the number that newer items exceed. `must_read_all` says that items may match although they were not
    written just now.
    """

    def __init__(self, reader: ItemReader, order: Mapping[str, Any], after: int) -> None:
        self.kind: str = order["kind"]
        self.matcher = Matcher(reader, order, after)
        self.matches: dict[int, Match] = {}
        self.error: ConnectorError | None = None
        self.must_read_all = True
        self.subject = self.matcher.subject
        self._count: int = order["count"]
        self._news = asyncio.Event()

    @property
    def is_met(self) -> bool:
        return len(self.matches) >= self._count

    def consider(self, item: Item) -> None:
        """Compare an item with the conditions, and keep it if it matches."""
        # A loop and no `all`, since every write runs it for every open wait.
        for test in self.matcher.tests:
            if not test(item):
                return
        self.matches[item.key] = item.match
        if self.is_met:
            self.wake()

    def wake(self) -> None:
        """Let the waiting request go on."""
        self._news.set()

    async def woken(self) -> None:
        """Wait until `wake` is called."""
        await self._news.wait()
        self._news.clear()


class Watcher:
    """Looks once at each thing that is written to a sandbox, on behalf of all its waits.

    It looks before the writer gets its response, so that a wait misses nothing that is gone soon after.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.reader = ItemReader(sandbox)
        self._sandbox = sandbox
        self._db = sandbox.db
        self._watches: dict[str, list[Watch]] = {kind: [] for kind in KINDS}
        self._watches_of_folders: list[Watch] = []
        self._writes = self._generation = self._connects = -1
        # What has been read: positions in the change feed, the outbox and the queue of callbacks.
        self._change = self._outbox_mail = self._callback = 0
        # Whether a mail that is read now was written just now. A replaced database and a new mailbox have older mails.
        self._is_live = False
        # The key of the item that was deleted last: a move is a deletion in the feed, followed by the move itself.
        self._deleted = 0
        # The numbers of callbacks that match as soon as they have got further.
        self._unfinished: set[int] = set()

    @contextmanager
    def watching(self, order: Mapping[str, Any], after: int) -> Iterator[Watch]:
        """A watch that learns of everything that is written until the block ends."""
        self.look()
        # Only from now on, since each new watch reads by itself what is there already.
        self._follow_from_now()
        watch = Watch(self.reader, order, after)
        lists = [self._watches[watch.kind], *([self._watches_of_folders] if watch.matcher.has_folder else [])]
        for watches in lists:
            watches.append(watch)
        try:
            yield watch
        finally:
            for watches in lists:
                watches.remove(watch)
            if not self._has_watches():
                self._db.fresh = None

    async def wait(self, watch: Watch) -> None:
        """Return when enough items match. Raises what `check` does."""
        while not watch.is_met:
            if watch.must_read_all:
                await self.read_all(watch)
            else:
                await watch.woken()
            self.check(watch)

    async def read_all(self, watch: Watch) -> None:
        """Compare all items with a wait."""
        watch.must_read_all = False

        def take(item: Item) -> None:
            watch.consider(item)
            if watch.kind in _CALLBACKS:
                self._remember_unfinished(watch, item)

        for pages in self.reader.sources(watch.kind, watch.matcher.scope()):
            await self._read(watch, pages, take)

    async def near_misses(self, watch: Watch) -> list[NearMiss]:
        """The items that fail the fewest conditions, the newest first."""
        if watch.must_read_all:
            await self.read_all(watch)
        misses: list[NearMiss] = []
        nearest = 0

        def take(item: Item) -> bool:
            nonlocal misses, nearest
            if differs := watch.matcher.differs(item):
                misses.append((item.match, differs))
                nearest += len(differs) == 1
                if len(misses) > PAGE:
                    misses = _nearest(misses)
            # No older one comes nearer.
            return nearest == _NEAR_MISSES

        for pages in self.reader.sources(watch.kind, Scope()):
            nearest = 0
            await self._read(watch, pages, take)
        return _nearest(misses)

    async def _read(self, watch: Watch, pages: Iterator[list[Item]], take: Callable[[Item], bool | None]) -> None:
        """Pass the items that a wait looks at on, until that returns true; pauses for other requests."""
        pause_at = perf_counter() + SLICE
        for items in pages:
            # Folders may have changed since the last page.
            self.reader.renew()
            for item in items:
                if perf_counter() >= pause_at:
                    # Within a page, since a condition on the text reads bodies.
                    pause_at = await self._pause()
                # A sender's own copy has the subject and the text of the mail that the wait is for.
                if (watch.matcher.has_folder or not item.is_sent_copy) and take(item):
                    return
            pause_at = await self._pause()
            if self._db.closed:
                return

    async def _pause(self) -> float:
        """Let other requests run; returns when to pause again, in seconds of the performance counter."""
        await asyncio.sleep(0)
        await self._db.turn.free()
        return perf_counter() + SLICE

    def check(self, watch: Watch) -> None:
        """Raise what has ended a wait: the sandbox was deleted, or the server stops."""
        if watch.error is not None:
            raise watch.error
        if self._db.closed:
            raise self._gone()

    def look(self) -> None:
        """Compare what was written since the last look with the conditions of all waits."""
        if not self._has_watches():
            return
        if self._db.closed:
            self.end(self._gone())
        elif self._writes != self._db.writes:
            try:
                self._look()
            except Exception:
                # The request that has just written must not fail, and no wait may hang.
                _log.exception("Looking for what requests wait for in the sandbox '%s' failed.", self._sandbox.name)
                self.end(InternalError())

    def end(self, error: ConnectorError) -> None:
        """End all waits with an error."""
        for watch in self._of(*KINDS):
            watch.error = error
            watch.wake()

    def _has_watches(self) -> bool:
        return any(self._watches.values())

    def _of(self, *kinds: str) -> list[Watch]:
        return [watch for kind in kinds for watch in self._watches[kind]]

    def _gone(self) -> NotFound:
        return NotFound(f"The sandbox '{self._sandbox.name}' was deleted.")

    def _follow_from_now(self) -> None:
        """Leave out what is there already, where no watch follows it."""
        self._note_state()
        self.reader.refresh()
        if not self._of("mail", "event"):
            self._change, self._outbox_mail = changes.last(self._db), outbox.newest(self._db)
        if not self._of(*_CALLBACKS):
            self._callback, self._unfinished = trigger_store.newest_callback(self._db), set()
        if self._db.fresh is None:
            self._db.fresh = FreshRows()

    def _note_state(self) -> None:
        self._writes, self._generation, self._connects = self._db.writes, self._db.generation, self._sandbox.connects

    def _look(self) -> None:
        self.reader.renew()
        self._is_live = (self._generation, self._connects) == (self._db.generation, self._sandbox.connects)
        if self._generation != self._db.generation:
            self._start_over()
        elif self._connects != self._sandbox.connects:
            self._take_connections()
        self._note_state()
        # While a thread writes, its rows may still be undone; the statements below wait for it.
        fresh = None if self._db.fresh is None or self._db.turn.is_taken else self._db.fresh.take()
        if self._watches["mail"] or self._watches["event"]:
            self._read_feed(fresh)
        if self._watches["mail"] and (fresh is None or fresh.has_outbox_mail):
            self._read_outbox()
        if self._watches["callback"] or self._watches["poke"]:
            self._read_callbacks()

    def _start_over(self) -> None:
        """Read everything again: the database was replaced."""
        self.reader.refresh()
        self._change = self._outbox_mail = self._callback = 0
        self._unfinished = set()
        for watch in self._of(*KINDS):
            if not watch.is_met:
                # After a reset, every item is newer than the item of `newerThan`, which is gone. After a restore, the
                # items of the snapshot are not newer, even if the snapshot does not contain that item.
                matcher = watch.matcher
                matcher.after = min(matcher.after, newest(self._db, watch.kind)) if self._db.is_taken_over else 0
                matcher.use(self.reader)
                watch.matches.clear()

    def _take_connections(self) -> None:
        """Take new connections into account."""
        self.reader.refresh()
        for watch in self._of(*KINDS):
            if watch.matcher.use(self.reader):
                # The mailbox may be an old one.
                watch.must_read_all = True
                watch.wake()
        for watch in self._watches["mail"]:
            # A new mailbox gets the mails that waited for it in the outbox. They must not count twice.
            for key, match in list(watch.matches.items()):
                if isinstance(match.record, OutboxMail) and not self._still_fits(watch, match.record):
                    del watch.matches[key]

    def _still_fits(self, watch: Watch, mail: OutboxMail) -> bool:
        now = outbox.mail(self._db, mail.id)
        return now is not None and not watch.matcher.differs(self.reader.of_outbox(now))

    def _read_feed(self, fresh: Fresh | None) -> None:
        """Read new mails and events, changed events and moved mails."""
        if fresh is not None:
            entries = [entry for entry in fresh.changes if entry.seq > self._change]
            if not entries or entries[0].seq == self._change + 1:
                for entry in entries:
                    self._read_entry(entry, fresh.heads)
                return
        more = True
        while more:
            entries = changes.after(self._db, self._change, PAGE)
            for entry in entries:
                self._read_entry(entry, {})
            more = len(entries) == PAGE

    def _read_entry(self, entry: Change, heads: Mapping[int, MessageHead]) -> None:
        """Read what an entry is about; a mail only if its head is not among those at hand."""
        self._change = entry.seq
        # An update of a mail leaves everything as it is that conditions are about.
        if entry.kind == _MESSAGE and entry.action in _ARRIVALS:
            is_sent_copy = self.reader.is_sent_copy(entry.mailbox_id, entry.folder_id)
            watches = self._watches_of_folders if is_sent_copy else self._watches["mail"]
            head = heads.get(entry.item_id) or self.reader.head(entry.item_id) if watches else None
            watches = _that_may_match(watches, head.subject.lower()) if head else []
            item = self.reader.of_mail(head) if head and watches else None
        elif entry.kind == _EVENT and entry.action != _DELETED and self._watches["event"]:
            item = self.reader.event(entry.item_id)
            watches = _that_may_match(self._watches["event"], item.subject) if item else []
        else:
            watches, item = [], None
        if item is not None:
            item.is_new = self._is_live and entry.action == _CREATED
            for watch in watches:
                watch.consider(item)
            if entry.action == _MOVED:
                self._move(self._deleted, item)
        if entry.action == _DELETED:
            self._deleted = entry.item_id

    def _move(self, key: int, item: Item) -> None:
        """Count a mail once that was moved, which changed its key."""
        for watch in self._watches["mail"]:
            if item.key in watch.matches:
                watch.matches.pop(key, None)

    def _read_outbox(self) -> None:
        """Read the mails that have left the sandbox."""
        for item in self.reader.outbox_after(self._outbox_mail):
            self._outbox_mail = -item.key
            item.is_new = self._is_live
            for watch in _that_may_match(self._watches["mail"], item.subject):
                watch.consider(item)

    def _read_callbacks(self) -> None:
        """Read new callbacks, and those that had not got far enough."""
        numbers, self._unfinished = self._unfinished, set()
        items = [item for number in sorted(numbers) if (item := self.reader.callback(number)) is not None]
        items += self.reader.callbacks_after(self._callback)
        for item in items:
            self._callback = max(self._callback, item.key)
            for watch in self._of(*_CALLBACKS):
                watch.consider(item)
                self._remember_unfinished(watch, item)

    def _remember_unfinished(self, watch: Watch, item: Item) -> None:
        """Look at a callback again after the next write if it only has to get further."""
        if watch.matcher.differs(item) == ["until"]:
            self._unfinished.add(item.key)


def _that_may_match(watches: list[Watch], subject: str) -> list[Watch]:
    """The waits for a mail or an event whose subject, in lower case, contains what they are for."""
    # In one expression, since every write runs it for every open wait, and most subjects differ.
    return [watch for watch in watches if watch.subject in subject]


def _nearest(misses: list[NearMiss]) -> list[NearMiss]:
    """Those that fail the fewest conditions, the newest first."""
    return nlargest(_NEAR_MISSES, misses, key=lambda miss: (-len(miss[1]), miss[0].order))
