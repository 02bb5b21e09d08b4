"""The composition root: builds the parts of the app and connects them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from outlook_emulator.clock import Clock
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.sandbox.connection_ids import DEFAULT
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.seed_folder import connection_id
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.admin.routes import admin_routes
from outlook_emulator.server.connector.alternate_routes import AlternateRoutes
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.cors import Cors, origins_of
from outlook_emulator.server.connector.features import Features
from outlook_emulator.server.content_types import NoSniff
from outlook_emulator.server.faults.middleware import FaultInjector
from outlook_emulator.server.faults.plans import arm_file
from outlook_emulator.server.hosts import Hosts
from outlook_emulator.server.identity.endpoint import identity_routes
from outlook_emulator.server.journal.middleware import Recorder
from outlook_emulator.server.limits.middleware import Throttle
from outlook_emulator.server.rest_upkeep import RestUpkeep
from outlook_emulator.server.web.entrance import web_routes
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.settings import Settings, listed


class _App(Starlette):
    """An app with others in front of it, which `front` puts there.

    They come before what Starlette itself puts around every request: the connector responds to its errors itself.
    """

    def __init__(self, front: Callable[[ASGIApp], ASGIApp], **more: Any) -> None:
        super().__init__(**more)
        self._front = front

    def build_middleware_stack(self) -> ASGIApp:
        return self._front(super().build_middleware_stack())


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Starlette:
    """An ASGI app that serves the connector and its admin API. Apps in one process share nothing.

    `clock` replaces the machine's clock. The registry of sandboxes is `app.state.sandboxes`.
    """
    settings = settings or Settings()
    gate = Gate(settings.admin_token, Hosts(settings))
    origins = origins_of(settings.cors_origins)
    sandboxes = _seeded(settings, clock)
    webhooks = Webhooks(sandboxes)
    upkeep = RestUpkeep(sandboxes)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        webhooks.wake_all()
        upkeep.start()
        yield
        upkeep.close()
        await webhooks.close()
        sandboxes.close()

    def front(app: ASGIApp) -> ASGIApp:
        connector = Connector(app, OPERATIONS, sandboxes, settings, features(settings, webhooks))
        first = AlternateRoutes(connector, sandboxes)
        return Cors(first, origins) if origins else first

    app = _App(
        front,
        # The routes of the admin API come last, since they fit every path.
        routes=[
            *identity_routes(settings.identity_header),
            *web_routes(sandboxes, webhooks, gate, settings),
            *admin_routes(sandboxes, webhooks, gate),
        ],
        middleware=[Middleware(NoSniff)],
        lifespan=lifespan,
    )
    app.state.sandboxes = sandboxes
    app.state.end_waits = partial(_end_waits, sandboxes)
    return app


def features(settings: Settings, webhooks: Webhooks) -> Features:
    """What surrounds each request to the connector."""
    return Features(
        journal=Recorder(),
        limits=Throttle(settings.max_body_bytes),
        faults=FaultInjector(settings.max_body_bytes),
        webhooks=webhooks,
    )


def _end_waits(sandboxes: Sandboxes) -> None:
    """End every request that waits for a clock or for an item, so that a server can stop at once."""
    for sandbox in sandboxes.opened():
        sandbox.traffic.stop()


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
            arm_file(sandboxes, settings.faults)
        undo.pop_all()
    return sandboxes
