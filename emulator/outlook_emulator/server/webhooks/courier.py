"""Calls that sandboxes owe others, made behind the back of whoever caused them.

A sandbox's outbox is looked at after each request that wrote something, when the sandbox's clock is moved, and when a
retry falls due; a call that waits when the server stops is made by the next one.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from uuid import UUID

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers import callbacks, subscriptions
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.exchange import Exchange
from outlook_emulator.server.webhooks import http_callback, push_trigger, trigger_delay
from outlook_emulator.store.records import Callback
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.subscriptions import ClientSubscription

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
"""How often pushed triggers are polled though nothing was written, since some wait for time (documented)."""
_MOST_AT_ONCE = 10
"""How many URLs a sandbox calls at the same time."""
_SHORTEST_WAIT = 1.0
"""How soon a clock that may be moved by nobody we know of is looked at again, in seconds."""


class Webhooks:
    """The couriers of all sandboxes. Lives as long as the app; `close` it before the sandboxes."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._couriers: dict[Sandbox, Courier] = {}
        self._bells: dict[Sandbox, set[asyncio.Event]] = {}
        self._rng = Random(sandboxes.settings.random_seed)

    def wake(self, sandbox: Sandbox) -> None:
        """Have a look at a sandbox once the running request is answered; nothing where nothing has happened."""
        self._ring(sandbox)
        if self._sandboxes.get(sandbox.name) is not sandbox:
            self._dismiss(sandbox)
            return
        courier = self._couriers.get(sandbox)
        if courier is None:
            timeout = self._sandboxes.settings.callback_timeout
            for gone in self._couriers.keys() - self._sandboxes.all():
                self._dismiss(gone)
            courier = self._couriers[sandbox] = Courier(sandbox, timeout, partial(self._ring, sandbox))
            sandbox.due.append(courier)
        courier.wake()

    @contextmanager
    def listening(self, sandbox: Sandbox) -> Iterator[asyncio.Event]:
        """A bell for as long as the block lasts: set whenever something may have been written, or the sandbox ended."""
        bell = asyncio.Event()
        bells = self._bells.setdefault(sandbox, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.remove(bell)
            if not bells:
                del self._bells[sandbox]

    def wake_all(self) -> None:
        """Go on with what was left when the server stopped."""
        for sandbox in self._sandboxes.all():
            self.wake(sandbox)

    async def close(self) -> None:
        """Stop calling; what was not delivered stays pending."""
        ending = [task for sandbox in list(self._couriers) for task in self._dismiss(sandbox)]
        if ending:
            await asyncio.wait(ending)

    async def validate(self, exchange: Exchange) -> None:
        """Ask a new subscriber to echo a token, if the settings say so. Raises InvalidRequest where it does not."""
        settings = self._sandboxes.settings
        if settings.validate_callbacks != "yes" or exchange.row.watches is None:
            return
        if (body := await exchange.body(settings.max_body_bytes)).strip():
            await self._validate(reader_of(ClientSubscription).read(body)["NotificationUrl"])

    def _dismiss(self, sandbox: Sandbox) -> list[asyncio.Task[None]]:
        """Make no more calls for a sandbox; the tasks that are ending because of it."""
        courier = self._couriers.pop(sandbox, None)
        if courier is None:
            return []
        sandbox.due.remove(courier)
        return courier.close()

    def _ring(self, sandbox: Sandbox) -> None:
        for bell in self._bells.get(sandbox, ()):
            bell.set()

    async def _validate(self, url: str) -> None:
        settings = self._sandboxes.settings
        callbacks.check_url(url, "NotificationUrl", settings.allowed_hosts)
        token = str(UUID(int=self._rng.getrandbits(128), version=4))
        if not await http_callback.echoes(url, token, settings.callback_timeout):
            raise InvalidRequest("'NotificationUrl' must answer a validationToken with 200, text/plain and the token.")


class Courier:
    """What watches one sandbox and makes its calls; a part of what the sandbox's clock stops for.

    Calls to one URL are made one after the other, those to several URLs at a time, so that whoever does not answer
    holds up nobody else. `wrote` is told when the courier itself may have written something.
    """

    def __init__(self, sandbox: Sandbox, timeout: float, wrote: Callable[[], None]) -> None:
        self._sandbox = sandbox
        self._timeout = timeout
        self._wrote = wrote
        self._closed = False
        self._looked_at = -1
        self._next_at: int | None = None
        self._poll_at: int | None = None
        self._lines: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None

    def next_at(self, sandbox: Sandbox) -> int | None:
        """The instant of the next call, retry or push that time alone brings about, None when nothing waits."""
        waiting = (*callbacks.due_at(sandbox.db).values(), push_trigger.next_at(sandbox.db, self._opened))
        return min((at for at in waiting if at is not None), default=None)

    async def run(self, sandbox: Sandbox, now: int) -> None:
        """Make every call that is due, and wait for those that are under way."""
        self._poll_at = None
        while not self._is_over:
            self._notice()
            self._start_what_is_due()
            if not self._lines:
                return
            # Should whoever waits give up, the calls go on.
            ended, _ = await asyncio.wait(self._lines.values(), return_when=asyncio.FIRST_COMPLETED)
            for line in ended:
                if not line.cancelled():
                    line.result()

    def wake(self) -> None:
        """Look at the sandbox soon, if something was written or a retry is due since it was looked at last."""
        if not self._is_over and (self._sandbox.db.writes != self._looked_at or self._is_due()):
            asyncio.get_running_loop().call_soon(self._look)

    def close(self) -> list[asyncio.Task[None]]:
        """Look at nothing and call nobody any more; the tasks that are ending."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for line in self._lines.values():
            line.cancel()
        return list(self._lines.values())

    @property
    def _is_over(self) -> bool:
        return self._closed or self._sandbox.db.closed

    def _is_due(self) -> bool:
        return self._next_at is not None and self._next_at <= self._sandbox.clock.now()

    def _look(self) -> None:
        if self._is_over:
            return
        if not callbacks.is_anyone_called(self._sandbox.db):
            # Most sandboxes have nobody to call, and their every write comes here.
            self._looked_at, self._poll_at, self._next_at = self._sandbox.db.writes, None, None
            return
        for step in (self._notice, self._start_what_is_due):
            try:
                step()
            except Exception:
                # What was noted before is to be delivered all the same.
                traceback.print_exc(file=sys.stderr)

    def _notice(self) -> None:
        """Find out who is to be called because of what happened."""
        sandbox = self._sandbox
        now = sandbox.clock.now()
        subscriptions.poke(sandbox.db, now, self._opened)
        if self._looked_at != sandbox.db.writes or self._poll_at is None or self._poll_at <= now:
            self._poll_at = now + _MINUTE if push_trigger.push_all(sandbox.db, self._opened) else None
        self._looked_at = sandbox.db.writes
        self._wrote()

    def _start_what_is_due(self) -> None:
        now = self._sandbox.clock.now()
        idle = {url: at for url, at in callbacks.due_at(self._sandbox.db).items() if url not in self._lines}
        for url in [url for url, at in idle.items() if at <= now]:
            del idle[url]
            line = self._lines[url] = asyncio.get_running_loop().create_task(self._serve(url))
            line.add_done_callback(partial(self._end, url))
        self._next_at = min((at for at in (*idle.values(), self._poll_at) if at is not None), default=None)
        if self._next_at is not None:
            self._wait(self._next_at)

    def _wait(self, until: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        rest = (until - self._sandbox.clock.now()) / _SECOND
        self._timer = asyncio.get_running_loop().call_later(max(rest, _SHORTEST_WAIT), self._look)

    async def _serve(self, url: str) -> None:
        """Make the calls to one URL that are due."""
        while not self._is_over:
            async with self._free:
                # Read only now: while this waited for its turn the call may have been cancelled.
                callback = None if self._is_over else callbacks.first(self._sandbox.db, url)
                if callback is None or callback.due > self._sandbox.clock.now():
                    return
                if not self._held_back(callback):
                    await self._attempt(callback)

    def _held_back(self, callback: Callback) -> bool:
        """Whether a rule has what a trigger found come later, asked before the first attempt."""
        late = trigger_delay.late_by(self._sandbox, callback) if callbacks.is_new(callback) else 0
        if late:
            callbacks.postpone(self._sandbox.db, callback, self._sandbox.clock.now() + late)
        return late > 0

    def _end(self, url: str, line: asyncio.Task[None]) -> None:
        del self._lines[url]
        if line.cancelled():
            return
        if (error := line.exception()) is not None:
            traceback.print_exception(error, file=sys.stderr)
            # Not again at once: what broke it is still there.
            if not self._is_over:
                self._wait(self._sandbox.clock.now())
            return
        self._look()

    async def _attempt(self, callback: Callback) -> None:
        sandbox, generation = self._sandbox, self._sandbox.db.generation
        try:
            # Once more: since it was noted, the server may have been started with other settings.
            callbacks.check_url(callback.url, "url", sandbox.rules.allowed_hosts)
        except InvalidRequest as error:
            callbacks.refuse(sandbox.db, callback, error.message)
        else:
            begun = sandbox.clock.now()
            callbacks.begin(sandbox.db, callback, begun)
            outcome = await http_callback.post(
                callback.url, callback.body, callbacks.headers_of(callback), self._timeout
            )
            if self._is_over or sandbox.db.generation != generation:
                return
            callbacks.record(sandbox.db, callback, sandbox.clock.now(), *outcome)
            self._tell(callback, begun, outcome)
        self._wrote()

    def _tell(self, callback: Callback, begun: int, outcome: http_callback.Outcome) -> None:
        """Note an attempt in the journal, if the sandbox keeps one."""
        journal = self._sandbox.traffic.journal
        if journal.cap:
            journal.deliver(
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

    def _opened(self, mailbox_id: int) -> Mailbox:
        return self._sandbox.mailbox(owner_of(self._sandbox.db, mailbox_id))
