"""Searches a sandbox for what its subscribers and push triggers want to know, and enqueues callbacks about that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter

from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import subscriptions
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.slices import SLICE
from outlook_emulator.server.webhooks import push_triggers, trigger_faults
from outlook_emulator.slices import Sliced
from outlook_emulator.wire.subscriptions_convert import poke

_MINUTE = 60_000_000
"""How often push triggers are polled although nothing was written, since some depend on time (documented)."""


class NewsSearch:
    """A search that is repeated whenever something was written, and runs in slices, since there may be much to find.

    `wrote` is called after each slice. Triggers that depend on time are polled at the instant `poll_at`; None stands
    for now.
    """

    def __init__(self, sandbox: Sandbox, wrote: Callable[[], None]) -> None:
        self._sandbox = sandbox
        self._wrote = wrote
        self.poll_at: int | None = None
        self._work: Sliced[None] | None = None
        self._generation = 0
        # What `db.writes` would be if nobody else had written since the search began. No database has the first number.
        self._seen_writes = -1

    @property
    def is_under_way(self) -> bool:
        """Whether a search has begun and not ended; it needs the change feed since the last one."""
        return self._work is not None

    @property
    def has_news(self) -> bool:
        """Whether something was written that no search has seen."""
        return self._seen_writes != self._sandbox.db.writes

    def end(self) -> None:
        """Take everything as seen: there is nobody to call."""
        self._work, self.poll_at, self._seen_writes = None, None, self._sandbox.db.writes

    def run(self) -> None:
        """Begin a search or go on with it, for as long as others may wait. Call it while no thread has the database."""
        db = self._sandbox.db
        work = self._begin() if self._work is None or self._generation != db.generation else self._work
        before, pause_at = db.writes, perf_counter() + SLICE
        try:
            next(work)
            while perf_counter() < pause_at:
                next(work)
        except StopIteration:
            self._work = None
        except Exception:
            # The next request tries again.
            self._work, self._seen_writes = None, -1
            raise
        # What is enqueued here is no news.
        self._seen_writes += db.writes - before
        if self._work is None and self.has_news:
            # Something was written during a pause.
            self._begin()
        self._wrote()

    def _begin(self) -> Sliced[None]:
        self._work = work = self._search(must_poll=self.has_news)
        self._generation, self._seen_writes = self._sandbox.db.generation, self._sandbox.db.writes
        return work

    def _search(self, *, must_poll: bool) -> Sliced[None]:
        sandbox = self._sandbox
        now, before = sandbox.clock.now(), sandbox.db.writes
        yield from subscriptions.poke(sandbox.db, now, self._mailbox, poke)
        if must_poll or before != sandbox.db.writes or self.poll_at is None or self.poll_at <= now:
            first_delivery = partial(trigger_faults.first_delivery, sandbox)
            rule_changes = partial(trigger_faults.rule_changes, sandbox)
            has_triggers = yield from push_triggers.push_all(sandbox.db, self._mailbox, first_delivery, rule_changes)
            self.poll_at = now + _MINUTE if has_triggers else None

    def _mailbox(self, mailbox_id: int) -> Mailbox:
        return self._sandbox.mailbox(owner_of(self._sandbox.db, mailbox_id))
