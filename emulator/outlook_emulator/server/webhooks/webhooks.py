"""The webhooks of all sandboxes: starts and stops delivery, and validates new subscribers."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from uuid import UUID

from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.sandbox import feed_limit
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.exchange import Exchange
from outlook_emulator.server.search_upkeep import SearchUpkeep
from outlook_emulator.server.webhooks import http_callback
from outlook_emulator.server.webhooks.delivery import CallbackDelivery
from outlook_emulator.store.failures import STORAGE_ERRORS
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.subscriptions import ClientSubscription


class Webhooks:
    """The callback deliveries of all sandboxes. Lives as long as the app; `close` it before the sandboxes."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._deliveries: dict[Sandbox, CallbackDelivery] = {}
        self._searches = SearchUpkeep()
        self._rng = Random(sandboxes.settings.seed_of_ids)
        self._sweep_at = 16

    def wake(self, sandbox: Sandbox) -> None:
        """Deliver callbacks of a sandbox soon, if anything was written to it. Called after each request."""
        sandbox.traffic.written()
        if self._sandboxes.get(sandbox.name) is not sandbox:
            # Deleted or replaced by the request at hand.
            self._stop(sandbox)
            return
        delivery = self._deliveries.get(sandbox)
        if delivery is None:
            timeout = self._sandboxes.settings.callback_timeout
            if len(self._deliveries) >= self._sweep_at:
                self._sweep()
            delivery = self._deliveries[sandbox] = CallbackDelivery(
                sandbox, timeout, sandbox.traffic.written, self._sandboxes.failures.report
            )
            sandbox.due.append(delivery)
        try:
            delivery.wake()
        except STORAGE_ERRORS as error:
            # Such as a damaged file. The request at hand has been served, and the others are not affected.
            delivery.report_unusable(error)
        if sandbox.db.appended >= feed_limit.EVERY:
            # Behind the look of the delivery, which may need the entries that are to go.
            asyncio.get_running_loop().call_soon(self._trim, sandbox, delivery)
            self._searches.touch(sandbox)

    def wake_all(self) -> None:
        """Deliver the callbacks that were pending when the server stopped."""
        for sandbox in self._sandboxes.opened():
            self.wake(sandbox)
            self._searches.touch(sandbox)

    async def close(self) -> None:
        """Stop all deliveries; undelivered callbacks stay pending."""
        self._searches.close()
        tasks = [task for sandbox in list(self._deliveries) for task in self._stop(sandbox)]
        if tasks:
            await asyncio.wait(tasks)

    async def validate(self, exchange: Exchange) -> None:
        """Ask a new subscriber to echo a token, if the settings say so. Raises InvalidField unless it does."""
        settings = self._sandboxes.settings
        if settings.validate_callbacks != "yes" or exchange.row.watches is None:
            return
        # Without a body, the operation raises its own error.
        if (body := await exchange.body(settings.max_body_bytes)).strip():
            await self._validate(reader_of(ClientSubscription).read(body)["NotificationUrl"])

    def _sweep(self) -> None:
        """Stop the deliveries of sandboxes that were deleted without a request about them."""
        for deleted in [sandbox for sandbox in self._deliveries if sandbox.db.closed]:
            self._stop(deleted)
        # Later each time, since each sweep looks at all of them.
        self._sweep_at = 2 * len(self._deliveries) + 16

    def _stop(self, sandbox: Sandbox) -> list[asyncio.Task[None]]:
        """Stop the delivery of a sandbox; returns the tasks that are being cancelled."""
        delivery = self._deliveries.pop(sandbox, None)
        if delivery is None:
            return []
        sandbox.due.remove(delivery)
        return delivery.close()

    async def _validate(self, url: str) -> None:
        settings = self._sandboxes.settings
        allowed = settings.hosts_of_callbacks
        callbacks.check_url(url, "notification_url", allowed)
        token = str(UUID(int=self._rng.getrandbits(128), version=4))
        away = callbacks.must_lead_away(url, allowed)
        if not await http_callback.echoes(url, token, settings.callback_timeout, away=away):
            raise InvalidField(
                "notification_url", "must answer a validationToken with status 200, text/plain and the token."
            )

    def _trim(self, sandbox: Sandbox, delivery: CallbackDelivery) -> None:
        if sandbox.db.appended < feed_limit.EVERY or sandbox.turn.is_taken or sandbox.db.closed:
            return
        if delivery.is_searching:
            # It may need the entries that are to go.
            delivery.after_search = partial(self._trim, sandbox, delivery)
            return
        try:
            feed_limit.trim(sandbox)
        except Exception as error:
            # The request at hand has been served, and the next ones try again.
            self._sandboxes.failures.error_of(error, f"Trimming the change feed of the sandbox '{sandbox.name}'")
