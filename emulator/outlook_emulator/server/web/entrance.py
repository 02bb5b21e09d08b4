"""The paths of the pages. What is behind them is imported for the first visitor, so that a server starts without it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from outlook_emulator.sandbox.aside import aside
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.admin.auth import Gate
from outlook_emulator.server.web.root import ROOT
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.settings import Settings

_PATHS = (f"{ROOT}/", f"{ROOT}/login", f"{ROOT}/static/{{rest:path}}", f"{ROOT}/s/{{rest:path}}")
_OFF = "The pages are switched off by --no-web (or OUTLOOK_EMULATOR_NO_WEB). The admin API is at /_emulator/api."


def web_routes(sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate, settings: Settings) -> list[BaseRoute]:
    """The routes of all pages. They come before those of the admin API, which fit every path."""
    if settings.no_web == "yes":
        return [Route(path, _say_off) for path in (ROOT, *_PATHS)]
    pages = _Pages(sandboxes, webhooks, gate)
    return [Route("/", _to_pages), Route(ROOT, _to_pages), *(Route(path, pages) for path in _PATHS)]


async def _to_pages(http: Request) -> Response:
    return RedirectResponse(f"{ROOT}/", 307)


async def _say_off(http: Request) -> Response:
    return Response(_OFF, 404, media_type="text/plain")


class _Pages:
    """The ASGI app of all pages, which is made for the first request to one."""

    def __init__(self, sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate) -> None:
        self._parts = sandboxes, webhooks, gate

        self._router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._router is None:
            # In a thread, because other requests need not wait for the imports.
            self._router = await aside(_router, *self._parts)
        await self._router(scope, receive, send)


def _router(sandboxes: Sandboxes, webhooks: Webhooks, gate: Gate) -> Router:
    from outlook_emulator.server.web.routes import router

    return router(sandboxes, webhooks, gate)
