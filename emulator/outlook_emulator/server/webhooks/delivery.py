"""Delivers the callbacks of one sandbox in the background.

The callbacks of a sandbox are looked for after each request that wrote something, when the sandbox's clock moves, and
when a retry is due. Callbacks that are pending when the server stops are delivered by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.odata import grammar
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server import late_parts
from outlook_emulator.server.webhooks import http_callback, push_triggers, trigger_faults
from outlook_emulator.server.webhooks.news_search import NewsSearch
from outlook_emulator.store.failures import STORAGE_ERRORS, is_passing
from outlook_emulator.store.records import Callback
from outlook_emulator.traffic.journal import Journal
from outlook_emulator.traffic.request_log import REQUESTS, line_of

_SECOND = 1_000_000
_MOST_AT_ONCE = 10
"""The most URLs that a sandbox calls at the same time."""
_SHORTEST_WAIT = 1.0
"""The shortest time, in seconds, until a sandbox is looked at again; another process may have moved its clock."""

_log = logging.getLogger("outlook_emulator")


class CallbackDelivery:
    """Watches one sandbox and makes its callbacks; moving the sandbox's clock stops at each one that is due.

    Callbacks to one URL are made in order, callbacks to different URLs at the same time, so a URL that does not answer
    delays no other. `wrote` is called whenever the delivery itself may have written something, and `report` with a text
    for the log when access to the data has failed.
    """

    def __init__(
        self, sandbox: Sandbox, timeout: float, wrote: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        self._sandbox = sandbox
        self._timeout = timeout
        self._wrote = wrote
        self._report = report
        self._closed = False
        self._search = NewsSearch(sandbox, wrote)
        self.after_search: Callable[[], None] | None = None
        """Called when a search for news that is under way has ended."""
        self._loading: asyncio.Task[None] | None = None
        """Loads what filters need, before the first search for news that needs it."""
        self._next_at: int | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None

    def next_at(self, sandbox: Sandbox) -> int | None:
        """The instant of the next call, retry or push that needs no further request, None without one."""
        instants = (*callbacks.due_at(sandbox.db).values(), push_triggers.next_at(sandbox.db, self._mailbox))
        return min((at for at in instants if at is not None), default=None)

    async def run(self, sandbox: Sandbox, now: int) -> None:
        """Make every call that is due, and wait for those that are running."""
        # One that is under way has read the clock before it moved.
        await self._end_search()
        if self._needs_filters():
            await late_parts.load(grammar.load)
        # Time alone can give a push trigger items, so all are polled at each stop of the clock.
        self._search.poll_at = None
        while not self._is_over:
            await sandbox.turn.free()
            self._run_search()
            await self._end_search()
            if self._is_over:
                return
            self._start_due_calls()
            if not self._tasks:
                return
            # If the waiting caller is cancelled, the calls continue.
            done, _ = await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()

    def wake(self) -> None:
        """Look at the sandbox soon, if something was written or a call became due since the last look."""
        # A search that is under way is repeated if something was written meanwhile.
        if not self._is_over and not self.is_searching and (self._search.has_news or self._is_due()):
            if not self._sandbox.turn.is_taken and self._has_nobody_to_call():
                return
            # Later, so that the request at hand does not pay for it.
            asyncio.get_running_loop().call_soon(self._look)

    def close(self) -> list[asyncio.Task[None]]:
        """Stop watching and calling; returns the tasks that are being cancelled."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks.values():
            task.cancel()
        return list(self._tasks.values())

    @property
    def is_searching(self) -> bool:
        """Whether a search for news is under way."""
        return self._search.is_under_way

    @property
    def _is_over(self) -> bool:
        return self._closed or self._sandbox.db.closed

    def _is_due(self) -> bool:
        return self._next_at is not None and self._next_at <= self._sandbox.clock.now()

    def _look(self) -> None:
        if self._is_over:
            return
        if self._sandbox.turn.is_taken:
            self._sandbox.turn.then(self._look)
            return
        if not self.is_searching:
            self._try(self._begin_search)
        self._try(self._start_due_calls)

    def _begin_search(self) -> None:
        """Search for news, or look again when what it needs is loaded."""
        if not self._needs_filters():
            self._run_search()
        elif self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(late_parts.load(grammar.load))
            self._loading.add_done_callback(self._end_loading)

    def _needs_filters(self) -> bool:
        """Whether a search needs what filters need, and that is not loaded: it would hold all requests meanwhile."""
        return not late_parts.is_loaded(grammar.load) and push_triggers.have_filters(self._sandbox.db)

    def _end_loading(self, loading: asyncio.Task[None]) -> None:
        self._loading = None
        if loading.cancelled():
            return
        if (error := loading.exception()) is None:
            self._look()
        else:
            # The next request tries again.
            self._report(f"What the filters of push triggers need cannot be loaded: {error}")

    def _run_search(self) -> None:
        """Search for news, in turns with other requests if there are many."""
        self._search.run()
        if self.is_searching:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._is_over:
            return
        if self._sandbox.turn.is_taken:
            self._sandbox.turn.then(self._go_on)
            return
        # A look may have ended the search meanwhile, since nobody is left to call.
        if self.is_searching:
            # The calls of what was found so far.
            self._try(self._run_search, self._start_due_calls)
        if self.after_search is not None and not self.is_searching:
            callback, self.after_search = self.after_search, None
            callback()

    async def _end_search(self) -> None:
        """Return when no search is under way."""
        while self.is_searching and not self._is_over:
            await asyncio.sleep(0)
            await self._sandbox.turn.free()

    def _try(self, *steps: Callable[[], None]) -> None:
        for step in steps:
            try:
                if self._has_nobody_to_call():
                    return
                step()
            except STORAGE_ERRORS as error:
                self.report_unusable(error)
                if is_passing(error):
                    self._look_at(self._sandbox.clock.now())
            except Exception:
                # Callbacks that were enqueued before must still be delivered.
                _log.exception("Looking for the callbacks of the sandbox '%s' failed.", self._sandbox.name)

    def report_unusable(self, error: BaseException) -> None:
        """Say in the log, once in a while, why there are no callbacks."""
        self._report(f"The callbacks of the sandbox '{self._sandbox.name}' cannot be read or written: {error}")

    def _has_nobody_to_call(self) -> bool:
        # Most sandboxes have nobody to call, and each of their writes comes here.
        if callbacks.has_work(self._sandbox.db):
            return False
        self._search.end()
        self._next_at = None
        return True

    def _start_due_calls(self) -> None:
        now = self._sandbox.clock.now()
        idle = {url: at for url, at in callbacks.due_at(self._sandbox.db).items() if url not in self._tasks}
        for url in [url for url, at in idle.items() if at <= now]:
            del idle[url]
            task = self._tasks[url] = asyncio.get_running_loop().create_task(self._call_url(url))
            task.add_done_callback(partial(self._end, url))
        self._next_at = min((at for at in (*idle.values(), self._search.poll_at) if at is not None), default=None)
        if self._next_at is not None:
            self._look_at(self._next_at)

    def _look_at(self, instant: int) -> None:
        """Look at the sandbox again at an instant of its clock."""
        if self._timer is not None:
            self._timer.cancel()
        seconds = (instant - self._sandbox.clock.now()) / _SECOND
        self._timer = asyncio.get_running_loop().call_later(max(seconds, _SHORTEST_WAIT), self._look)

    async def _call_url(self, url: str) -> None:
        """Make the calls to one URL that are due."""
        while not self._is_over:
            async with self._slots:
                await self._sandbox.turn.free()
                # Read only now: the callback may have been cancelled while this waited for a slot.
                callback = None if self._is_over else callbacks.first(self._sandbox.db, url)
                if callback is None or callback.due > self._sandbox.clock.now():
                    return
                if not self._is_delayed(callback):
                    await self._attempt(callback)

    def _is_delayed(self, callback: Callback) -> bool:
        """Postpone a new callback if a fault delays its trigger; returns whether one does."""
        delay = trigger_faults.delay_of(self._sandbox, callback) if callbacks.is_new(callback) else 0
        if delay:
            callbacks.postpone(self._sandbox.db, callback, self._sandbox.clock.now() + delay)
        return delay > 0

    def _end(self, url: str, task: asyncio.Task[None]) -> None:
        del self._tasks[url]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            if isinstance(error, STORAGE_ERRORS):
                self.report_unusable(error)
            else:
                _log.error("Delivering callbacks to %s failed.", url, exc_info=error)
            # Later, since the cause of the error is probably still there.
            if not self._is_over:
                self._look_at(self._sandbox.clock.now())
            return
        self._look()

    async def _attempt(self, callback: Callback) -> None:
        sandbox, generation = self._sandbox, self._sandbox.db.generation
        try:
            # Checked again: the server may have been restarted with other settings since the callback was enqueued.
            allowed = sandbox.rules.hosts_of_callbacks
            callbacks.check_url(callback.url, "url", allowed)
        except InvalidRequest as error:
            callbacks.fail(sandbox.db, callback, error.message)
        else:
            begun = sandbox.clock.now()
            callbacks.begin_attempt(sandbox.db, callback, begun)
            outcome = await http_callback.post(
                callback.url,
                callback.body,
                callbacks.headers_of(callback),
                self._timeout,
                away=callbacks.must_lead_away(callback.url, allowed),
            )
            await sandbox.turn.free()
            # After a reset or a restored snapshot, this id may belong to another callback.
            if self._is_over or sandbox.db.generation != generation:
                return
            callbacks.record_attempt(sandbox.db, callback, sandbox.clock.now(), *outcome)
            self._note_in_journal(callback, begun, outcome)
        self._wrote()

    def _note_in_journal(self, callback: Callback, begun: int, outcome: http_callback.Outcome) -> None:
        """Record an attempt in the sandbox's journal, if it has one, and in the request log."""
        is_logged = REQUESTS.isEnabledFor(logging.INFO)
        journal = self._sandbox.traffic.journal
        if not (journal.cap or is_logged):
            return
        # The log shows attempts that no journal keeps.
        entry = (journal if journal.cap else Journal(0, 0)).deliver(
            begun,
            time.time_ns() // 1000,
            callback=callback.id,
            purpose=callback.kind,
            reference=callback.reference,
            url=callback.url,
            number=callback.attempts + 1,
            body=callback.body,
            status=outcome.status,
            error=outcome.error,
        )
        if is_logged:
            REQUESTS.info("%s", line_of(entry))

    def _mailbox(self, mailbox_id: int) -> Mailbox:
        return self._sandbox.mailbox(owner_of(self._sandbox.db, mailbox_id))
