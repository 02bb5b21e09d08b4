"""The app of a server process, which is ready before all of it is imported."""

from __future__ import annotations

import asyncio
import traceback
from types import SimpleNamespace

from starlette.types import ASGIApp, Receive, Scope, Send

from outlook_emulator.parts import Parts
from outlook_emulator.sandbox.aside import aside
from outlook_emulator.server.connector.error_responses import error_response
from outlook_emulator.server.connector.exchange import send_response


class EarlyApp:
    """An ASGI app that serves the connector at once. Requests for anything else wait until that is imported.

    Starlette, the admin API and the pages would take a quarter of the time of a start. `complete` imports them in a
    worker thread, for a server that is ready. `state` is what `create_app` puts there.
    """

    def __init__(self, parts: Parts) -> None:
        self.state = SimpleNamespace(sandboxes=parts.sandboxes, end_waits=parts.end_waits)
        self._parts = parts
        self._front = parts.front(self._serve_behind)
        self._behind: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._front(scope, receive, send)

    def complete(self) -> asyncio.Future[ASGIApp]:
        """Import the rest, unless that has begun and did not fail. Called on the event loop.

        The result is the app of the rest.
        """
        behind = self._behind
        if behind is None or (behind.done() and behind.exception() is not None):
            behind = self._behind = asyncio.ensure_future(aside(_app_behind, self._parts))
        return behind

    async def _serve_behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # Shielded, because other requests wait for it too.
            app = await asyncio.shield(self.complete())
        except Exception as error:
            # Such as the limit of open files. The next request tries again.
            await self._refuse(scope, send, error)
            return
        await app(scope, receive, send)

    async def _refuse(self, scope: Scope, send: Send, error: Exception) -> None:
        """Send an error response to a request for an app that could not be imported."""
        sandboxes = self._parts.sandboxes
        known = sandboxes.failures.error_of(error, "The import of the admin API and the pages")
        response = error_response(known, "", "", self._parts.settings.source)
        await send_response(scope, send, response, sandboxes.clock.now())

    async def _live(self, receive: Receive, send: Send) -> None:
        """Tell the server when the app has started and stopped, as the lifespan protocol of ASGI says."""
        phase = "startup"
        try:
            await receive()
            async with self._parts.lifespan():
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except BaseException:
            await send({"type": f"lifespan.{phase}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _app_behind(parts: Parts) -> ASGIApp:
    from outlook_emulator.app import app_behind

    return app_behind(parts)
