"""Calls that sandboxes owe others, made behind the back of whoever caused them.

A sandbox's outbox is looked at after each request that wrote something, when the sandbox's clock is moved, and when a
retry falls due; a call that waits when the server stops is made by the next one.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from uuid import UUID

from emulator.errors import InvalidRequest
from emulator.mailbox import callbacks, subscriptions
from emulator.mailbox.mailbox import Mailbox
from emulator.operations.operation import Kind
from emulator.sandbox import Sandbox, Sandboxes
from emulator.server import calling, pushing
from emulator.server.exchange import Answer, Exchange, Handler
from emulator.store import sql
from emulator.store.records import Callback, Owner
from emulator.wire.body import reader_of
from emulator.wire.subscriptions import ClientSubscription

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
"""How often pushed triggers are polled though nothing was written, since some wait for time (documented)."""
_SHORTEST_WAIT = 1.0
"""How soon a clock that may be moved by nobody we know of is looked at again, in seconds."""


class Webhooks:
    """The couriers of all sandboxes. Lives as long as the app; `close` it before the sandboxes."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._couriers: dict[Sandbox, Courier] = {}
        self._bells: dict[Sandbox, set[asyncio.Event]] = {}
        self._chance = Random(sandboxes.settings.chance)

    def wake(self, sandbox: Sandbox) -> None:
        """Have a look at a sandbox once the running request is answered; nothing where nothing has happened."""
        self._ring(sandbox)
        courier = self._couriers.get(sandbox)
        if courier is None:
            if sandbox not in (known := self._sandboxes.all()):
                return
            self._couriers = {one: kept for one, kept in self._couriers.items() if one in known}
            timeout = self._sandboxes.settings.callback_timeout
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
        for courier in self._couriers.values():
            await courier.close()

    def waking(self, handler: Handler) -> Handler:
        """Wrap the connector's handler: whatever a request did may have to be told."""

        async def handle(exchange: Exchange) -> Answer:
            answer = await handler(exchange)
            if exchange.sandbox is not None:
                self.wake(exchange.sandbox)
            return answer

        return handle

    def validating(self, handler: Handler) -> Handler:
        """Wrap the connector's handler: a subscriber must echo a token before it is subscribed, where that is asked."""
        settings = self._sandboxes.settings
        if settings.validate_callbacks != "yes":
            return handler

        async def handle(exchange: Exchange) -> Answer:
            operation = exchange.operation
            if exchange.refusal is None and operation is not None and operation.kind is Kind.SUBSCRIBE:
                body = await exchange.body(settings.max_body_bytes)
                if operation.body_shape is ClientSubscription and body.strip():
                    await self._validate(reader_of(ClientSubscription).read(body)["NotificationUrl"])
            return await handler(exchange)

        return handle

    def _ring(self, sandbox: Sandbox) -> None:
        for bell in self._bells.get(sandbox, ()):
            bell.set()

    async def _validate(self, url: str) -> None:
        settings = self._sandboxes.settings
        callbacks.check_url(url, "NotificationUrl", settings.allowed_hosts)
        token = str(UUID(int=self._chance.getrandbits(128), version=4))
        if not await calling.echoes(url, token, settings.callback_timeout):
            raise InvalidRequest("'NotificationUrl' must answer a validationToken with 200, text/plain and the token.")


class Courier:
    """What watches one sandbox and makes its calls, one at a time; a part of what the sandbox's clock stops for.

    `wrote` is told when the courier itself may have written something.
    """

    def __init__(self, sandbox: Sandbox, timeout: float, wrote: Callable[[], None]) -> None:
        self._sandbox = sandbox
        self._timeout = timeout
        self._wrote = wrote
        self._looked_at = -1
        self._next_at: int | None = None
        self._poll_at: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def next_at(self, sandbox: Sandbox) -> int | None:
        """The instant of the next call, retry or push that time alone brings about, None when nothing waits."""
        waiting = (self._call_at(), pushing.next_at(sandbox.db, self._opened))
        return min((at for at in waiting if at is not None), default=None)

    def run(self, sandbox: Sandbox, now: int) -> Awaitable[None]:
        """Make every call that is due."""
        self._poll_at = None
        return asyncio.shield(self._start())

    def wake(self) -> None:
        """Look at the sandbox soon, if something was written or a retry is due since it was looked at last."""
        db = self._sandbox.db
        if not db.closed and (db.writes != self._looked_at or self._is_due()):
            asyncio.get_running_loop().call_soon(self._look)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _call_at(self) -> int | None:
        waiting = callbacks.upcoming(self._sandbox.db)
        return None if waiting is None else waiting.due

    def _is_due(self) -> bool:
        return self._next_at is not None and self._next_at <= self._sandbox.clock.now()

    def _look(self) -> None:
        if self._sandbox.db.closed:
            return
        try:
            self._notice()
            self._start_what_is_due()
        except Exception:
            traceback.print_exc(file=sys.stderr)

    def _notice(self) -> None:
        """Find out who is to be called because of what happened."""
        sandbox = self._sandbox
        now = sandbox.clock.now()
        subscriptions.poke(sandbox.db, now, self._opened)
        if self._looked_at != sandbox.db.writes or self._poll_at is None or self._poll_at <= now:
            self._poll_at = now + _MINUTE if pushing.push_all(sandbox.db, self._opened) else None
        self._looked_at = sandbox.db.writes
        self._wrote()

    def _start_what_is_due(self) -> None:
        call_at = self._call_at()
        self._next_at = min((at for at in (call_at, self._poll_at) if at is not None), default=None)
        if call_at is not None and call_at <= self._sandbox.clock.now():
            self._start()
        elif self._next_at is not None:
            self._wait(self._next_at)

    def _wait(self, until: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        rest = (until - self._sandbox.clock.now()) / _SECOND
        self._timer = asyncio.get_running_loop().call_later(max(rest, _SHORTEST_WAIT), self._look)

    def _start(self) -> asyncio.Task[None]:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._deliver())
        return self._task

    async def _deliver(self) -> None:
        sandbox = self._sandbox
        while not sandbox.db.closed:
            self._notice()
            callback = callbacks.upcoming(sandbox.db)
            if callback is None or callback.due > sandbox.clock.now():
                break
            await self._attempt(callback)
        if not sandbox.db.closed:
            self._task = None
            self._start_what_is_due()

    async def _attempt(self, callback: Callback) -> None:
        sandbox, generation = self._sandbox, self._sandbox.db.generation
        outcome = await calling.post(callback.url, callback.body, callbacks.headers_of(callback), self._timeout)
        if not sandbox.db.closed and sandbox.db.generation == generation:
            callbacks.record(sandbox.db, callback, sandbox.clock.now(), *outcome)
            self._wrote()

    def _opened(self, mailbox_id: int) -> Mailbox:
        row = self._sandbox.db.one(sql.MAILBOX, {"id": mailbox_id})
        return self._sandbox.mailbox(Owner._make(row))
