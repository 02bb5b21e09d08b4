"""The parts of an app that serve the connector, and what lives as long as the app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from starlette.types import ASGIApp

from outlook_emulator.clock import Clock
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.sandbox.connection_ids import DEFAULT
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.seed_folder import connection_id
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.connector.alternate_routes import AlternateRoutes
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.features import Features
from outlook_emulator.server.connector.origins import origins_of
from outlook_emulator.server.faults.middleware import FaultInjector
from outlook_emulator.server.hosts import Hosts
from outlook_emulator.server.journal.middleware import Recorder
from outlook_emulator.server.limits.middleware import Throttle
from outlook_emulator.server.rest_upkeep import RestUpkeep
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.settings import Settings, listed


class Parts:
    """Builds the parts of one app, without Starlette, the admin API and the pages, which take long to import.

    Raises ValueError for settings that make no app. Use `lifespan` around everything that is served.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.gate = Gate(settings.admin_token, Hosts(settings))
        self._origins = origins_of(settings.cors_origins)
        self.sandboxes = _seeded(settings, clock)
        self.webhooks = Webhooks(self.sandboxes)
        self._upkeep = RestUpkeep(self.sandboxes)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Do the work in the background, and close the sandboxes at the end."""
        self.webhooks.wake_all()
        self._upkeep.start()
        yield
        self._upkeep.close()
        await self.webhooks.close()
        self.sandboxes.close()

    def front(self, app: ASGIApp) -> ASGIApp:
        """The connector in front of an app that serves everything else."""
        connector = Connector(app, OPERATIONS, self.sandboxes, self.settings, features(self.settings, self.webhooks))
        first = AlternateRoutes(connector, self.sandboxes)
        if not self._origins:
            return first
        from outlook_emulator.server.connector.cors import Cors

        return Cors(first, self._origins)

    def end_waits(self) -> None:
        """End every request that waits for a clock or for an item, so that a server can stop at once."""
        for sandbox in self.sandboxes.opened():
            sandbox.traffic.stop()


def features(settings: Settings, webhooks: Webhooks) -> Features:
    """What surrounds each request to the connector."""
    return Features(
        journal=Recorder(),
        limits=Throttle(settings.max_body_bytes),
        faults=FaultInjector(settings.max_body_bytes),
        webhooks=webhooks,
    )


def _seeded(settings: Settings, clock: Clock | None) -> Sandboxes:
    sandboxes = Sandboxes(settings, clock)
    with ExitStack() as undo:
        undo.callback(sandboxes.close)
        # A default sandbox that cannot be used takes nothing; the log has said so.
        is_usable = sandboxes.problem_of(DEFAULT) is None
        for seed in listed(settings.seed) if is_usable else ():
            # A sample from a folder is named after it. A connection that was loaded from a file stays.
            if (id := connection_id(seed)) not in sandboxes.connection_ids():
                sandboxes.load_sample(sandboxes.default, seed, id)
        if settings.faults and is_usable:
            from outlook_emulator.server.faults.plans import arm_file

            arm_file(sandboxes, settings.faults)
        undo.pop_all()
    return sandboxes
