"""The assembled app: the connector in front of Starlette, which serves the admin API and the pages."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from outlook_emulator.clock import Clock
from outlook_emulator.parts import Parts
from outlook_emulator.server.admin.routes import admin_routes
from outlook_emulator.server.content_types import NoSniff
from outlook_emulator.server.identity.endpoint import identity_routes
from outlook_emulator.server.web.entrance import web_routes
from outlook_emulator.settings import Settings


class _App(Starlette):
    """An app with others in front of it.

    They come before what Starlette itself puts around every request: the connector responds to its errors itself.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(**_behind(parts), lifespan=parts.lifespan)
        self._front = parts.front

    def build_middleware_stack(self) -> ASGIApp:
        return self._front(super().build_middleware_stack())


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Starlette:
    """An ASGI app that serves the connector and its admin API. Apps in one process share nothing.

    `clock` replaces the machine's clock. The registry of sandboxes is `app.state.sandboxes`.
    """
    parts = Parts(settings or Settings(), clock)
    app = _App(parts)
    app.state.sandboxes = parts.sandboxes
    app.state.end_waits = parts.end_waits
    return app


def app_behind(parts: Parts) -> Starlette:
    """The app behind the connector alone."""
    return Starlette(**_behind(parts))


def _behind(parts: Parts) -> dict[str, Any]:
    """The routes and the middleware of everything that the connector does not serve."""
    sandboxes, webhooks, gate, settings = parts.sandboxes, parts.webhooks, parts.gate, parts.settings
    return {
        # The routes of the admin API come last, since they fit every path.
        "routes": [
            *identity_routes(settings.identity_header),
            *web_routes(sandboxes, webhooks, gate, settings),
            *admin_routes(sandboxes, webhooks, gate),
        ],
        "middleware": [Middleware(NoSniff)],
    }
