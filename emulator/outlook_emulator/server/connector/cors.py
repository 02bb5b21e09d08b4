"""Cross-origin requests: which pages may call the connector from a browser, and what they may read."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlook_emulator.server.content_types import NO_SNIFF

_OWN = "/_emulator"
"""Below it, the emulator is controlled; no page of another origin may do that."""


class Cors:
    """ASGI middleware that lets pages of some origins call the connector. Nothing changes for all other requests."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._allowing = _Readable(
            app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            allow_private_network=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._allowing if self._allows(scope) else self._app
        await app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        return (
            scope["type"] == "http"
            and not scope["path"].startswith(_OWN)
            and Headers(scope=scope).get("origin") in self._origins
        )


class _Readable(CORSMiddleware):
    """Starlette's middleware, with every header of a response readable by the page: it lists those of the response.

    Its own responses, to the question before a request, have the header against sniffing that all others have.
    """

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        response.raw_headers.append(NO_SNIFF)
        return response

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = b", ".join(dict.fromkeys(name for name, _ in headers))
            message = {**message, "headers": [*headers, (b"access-control-expose-headers", names)]}
        await super().send(message, send, request_headers)
