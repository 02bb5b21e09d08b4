"""Follows the items of a sandbox during a wait: those that match its conditions, and the nearest misses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from outlook_emulator.enums import ItemKind
from outlook_emulator.errors import NotFound
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import wait_shapes as shapes
from outlook_emulator.server.admin.wait_match import Candidate, Matcher
from outlook_emulator.server.admin.wait_position import newest, position
from outlook_emulator.store.records import Change
from outlook_emulator.traffic.wait_conditions import MOST

_SLICE = 200
"""The number of entries of the change feed that are read before other requests get their turn."""
_NEAR_MISSES = 5


class Watch:
    """The items of a sandbox, compared with the conditions of a wait; `update` reads new items.

    The change feed names mails and events, and each is read once per change, so an update costs only what is new.
    Raises InvalidRequest if a condition has an id or a number that does not exist in this sandbox.
    """

    def __init__(self, sandbox: Sandbox, order: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self._db = sandbox.db
        self._kind: str = order["kind"]
        self._feed_kind = {"mail": ItemKind.MESSAGE, "event": ItemKind.EVENT}.get(self._kind)
        self._after = position(sandbox, self._kind, order["newerThan"]) if "newerThan" in order else 0
        self._matcher = Matcher(sandbox, order)
        self._writes_read = -1
        self._seq = 0
        self._generation = self._db.generation
        self._from_feed: dict[int, Candidate] = {}
        self._listed: list[Candidate] = []

    async def update(self) -> None:
        """Read what was written since the last update. Raises NotFound once the sandbox is gone."""
        while not self._is_up_to_date():
            # Noted before the reading: another round reads what is written meanwhile.
            self._writes_read = self._db.writes
            self._refresh()
            if self._feed_kind is not None and self._read_feed():
                self._writes_read = -1
                await asyncio.sleep(0)
            else:
                self._listed = list(self._list())

    def count(self) -> int:
        return sum(not candidate.differs for candidate in self._all())

    def matches(self) -> list[shapes.Found]:
        """The items that match, oldest first; at most the newest `MOST` of them."""
        matching = sorted(
            (candidate for candidate in self._all() if not candidate.differs), key=lambda candidate: candidate.order
        )
        return [candidate.show() for candidate in matching[-MOST:]]

    def near_misses(self) -> list[shapes.NearMiss]:
        """The items that fail the fewest conditions first; among equals, the newest first."""
        misses = (candidate for candidate in self._all() if candidate.differs)
        ranked = sorted(misses, key=lambda miss: (-len(miss.differs), miss.order), reverse=True)
        return [{**miss.show(), "differs": miss.differs} for miss in islice(ranked, _NEAR_MISSES)]

    def _all(self) -> Iterator[Candidate]:
        yield from self._from_feed.values()
        yield from self._listed

    def _is_up_to_date(self) -> bool:
        if self._db.closed:
            raise NotFound(f"The sandbox '{self._sandbox.name}' was deleted.")
        return self._writes_read == self._db.writes

    def _refresh(self) -> None:
        """Read the whole feed again if the database was replaced or the connections changed."""
        is_replaced = self._generation != self._db.generation
        if is_replaced:
            self._generation = self._db.generation
            # After a reset, every item is newer than the item of `newerThan`, which is gone. After a restore, the
            # items of the snapshot are not newer, even if the snapshot does not contain that item.
            self._after = min(self._after, newest(self._db, self._kind)) if self._db.is_taken_over else 0
        if self._matcher.refresh(self._sandbox.connections()) or is_replaced:
            self._seq, self._from_feed = 0, {}

    def _read_feed(self) -> bool:
        """Read a slice of the change feed; returns whether there may be more."""
        entries = changes.after(self._db, self._seq, _SLICE)
        for entry in entries:
            self._seq = entry.seq
            if entry.kind == self._feed_kind and self._matcher.has_mailbox(entry.mailbox_id):
                self._read_item(entry)
        return len(entries) == _SLICE

    def _read_item(self, entry: Change) -> None:
        # A mail or event that was deleted since must not match any more.
        self._from_feed.pop(entry.item_id, None)
        compare = self._matcher.mail if self._kind == "mail" else self._matcher.event
        candidate = compare(entry.item_id, self._after)
        if candidate is not None:
            self._from_feed[entry.item_id] = candidate

    def _list(self) -> Iterator[Candidate]:
        """Items outside the change feed: outbox mails and callbacks."""
        if self._kind == "mail":
            for mail in self._sandbox.outbox():
                yield self._matcher.outbox_mail(mail, self._after)
        elif self._feed_kind is None:
            for callback in callbacks.journal(self._db):
                yield self._matcher.callback(callback, self._after)
