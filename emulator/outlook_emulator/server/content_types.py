"""Keeps browsers from taking a response for another type of content than the one that it declares."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_SNIFF = (b"x-content-type-options", b"nosniff")


class NoSniff:
    """ASGI middleware that adds the header to everything behind it; the connector's own responses have it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), NO_SNIFF]}
            await send(message)

        await self._app(scope, receive, send_marked if scope["type"] == "http" else send)
