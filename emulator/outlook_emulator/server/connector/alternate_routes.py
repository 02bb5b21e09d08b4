"""Other addresses of the connector's operations: the one that Power Apps calls, and two of Azure's management API.

Each request is rewritten to the direct address and passed to the connector, so it is treated in the same way. A
response that says what to request next names the direct address.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any
from urllib.parse import unquote, unquote_plus
from uuid import UUID

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from outlook_emulator.errors import (
    AuthenticationFailed,
    ConnectorError,
    ForeignUrl,
    HeaderRequired,
    InvalidRequest,
    MethodNotAllowed,
    MissingApiVersion,
    Unauthorized,
)
from outlook_emulator.sandbox.aside import LARGE, aside
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.connector.connector import authorize
from outlook_emulator.server.connector.dynamic_invoke import CollectedResponse, inner_request, replay
from outlook_emulator.server.connector.error_responses import error_response, headers_of
from outlook_emulator.server.connector.exchange import JSON, Request, Response, send_response
from outlook_emulator.server.connector.query import pairs
from outlook_emulator.server.connector.rewrite import known_method, rewrite, without_origin
from outlook_emulator.server.connector.routes import PREFIX

_INVOKE = b"/invoke"
_METHOD, _URL = "x-ms-request-method", "x-ms-request-url"
_ARM = re.compile(
    rb"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Web/connections/(?P<connection>[^/]+)"
    rb"/(?:dynamicInvoke|extensions/proxy/(?P<path>.*))",
    re.IGNORECASE,
)
_API_VERSION = "api-version"


class AlternateRoutes:
    """ASGI middleware in front of the connector, which is the next app. It passes on requests to any other address."""

    def __init__(self, app: ASGIApp, sandboxes: Sandboxes) -> None:
        self._app = app
        self._sandboxes = sandboxes
        self._settings = sandboxes.settings
        self._rng = Random(sandboxes.settings.seed_of_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"] if scope["type"] == "http" else b""
        if path.startswith(PREFIX):
            # Almost every request, and so before any other comparison.
            await self._app(scope, receive, send)
        elif path == _INVOKE:
            await self._invoke(Request(scope, receive), receive, send)
        elif match := _ARM.fullmatch(path):
            await self._manage(match, Request(scope, receive), receive, send)
        else:
            await self._app(scope, receive, send)

    async def _invoke(self, request: Request, receive: Receive, send: Send) -> None:
        """A request of Power Apps, which sends method and URL in headers (recorded)."""
        try:
            scope = _invoked(request)
        except ConnectorError as error:
            request_id = (request.header("x-ms-client-request-id") or self._random_id())[:200]
            await self._send(request.scope, send, error_response(error, request_id, "", self._settings.source))
        else:
            await self._app(scope, receive, send)

    async def _manage(self, match: re.Match[bytes], request: Request, receive: Receive, send: Send) -> None:
        """A request of Azure's management API, whose own errors have its own shape."""
        base = PREFIX + match["connection"]
        try:
            self._check(request)
            if match["path"] is None:
                response = await self._invoke_dynamically(request, base, receive)
                await self._send(request.scope, send, response, match["connection"])
            else:
                await self._app(_proxied(request.scope, base + b"/" + match["path"]), receive, send)
        except ConnectorError as error:
            response = Response(error.status, orjson.dumps(_arm_error(error)), headers_of(error))
            await self._send(request.scope, send, response, match["connection"])

    def _check(self, request: Request) -> None:
        """Check what the management API requires of every request: first a version, then a credential."""
        if not any(name == _API_VERSION and value for name, value in pairs(request.scope["query_string"])):
            raise MissingApiVersion()
        try:
            authorize(request, self._settings)
        except Unauthorized:
            raise AuthenticationFailed() from None

    async def _invoke_dynamically(self, request: Request, base: bytes, receive: Receive) -> Response:
        """Serve the request in the body. The outer request succeeds even if the inner one fails (recorded)."""
        if request.scope["method"] != "POST":
            raise MethodNotAllowed(request.scope["method"], ["POST"])
        body = await request.body(self._settings.max_body_bytes)
        if len(body) < LARGE:
            scope, content = inner_request(request.scope, base, body)
        else:
            scope, content = await aside(inner_request, request.scope, base, body)
        collected = CollectedResponse()
        await self._app(scope, replay(content, receive), collected.send)
        return Response(200, await aside(collected.wrapped) if collected.size >= LARGE else collected.wrapped(), JSON)

    async def _send(self, scope: Scope, send: Send, response: Response, connection: bytes = b"") -> None:
        # The sandbox's clock, as in all responses of the connector.
        clock = self._sandboxes.clock_of(connection_id=unquote(connection.decode("latin-1")))
        await send_response(scope, send, response, clock.now())

    def _random_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def _invoked(request: Request) -> Scope:
    """The request that the headers describe. Raises MethodNotAllowed and InvalidRequest."""
    scope = request.scope
    if scope["method"] != "POST":
        raise MethodNotAllowed(scope["method"], ["POST"])
    method = known_method(_required(request, _METHOD, "the method, such as GET"), f"The header '{_METHOD}'")
    url = _required(request, _URL, "the path, such as /apim/outlook/CONNECTION/v2/Mail?top=1")
    # Any host is fine, so that the runtime URL of a real connection can be sent as it is.
    path, _, query = without_origin(url).partition("?")
    # Nothing else can be reached from here, such as the admin API: `..` in a path is never resolved.
    if not path.startswith(PREFIX.decode("ascii")):
        raise ForeignUrl(f"The header '{_URL}'", f"start with {PREFIX.decode('ascii')}", url)
    own = (_METHOD.encode("ascii"), _URL.encode("ascii"))
    headers = [(name, value) for name, value in scope["headers"] if name not in own]
    return rewrite(scope, method, path.encode("latin-1"), query.encode("latin-1"), headers)


def _required(request: Request, name: str, meaning: str) -> str:
    value = (request.header(name) or "").strip()
    if not value:
        raise HeaderRequired(name, meaning)
    return value


def _proxied(scope: Scope, path: bytes) -> Scope:
    """The same request below a connection, without the parameter `api-version`."""
    parts = scope["query_string"].split(b"&")
    kept = b"&".join(part for part in parts if _name_of(part) != _API_VERSION)
    return rewrite(scope, scope["method"], path, kept, scope["headers"])


def _name_of(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("latin-1")).lower()


def _arm_error(error: ConnectorError) -> dict[str, Any]:
    """An error in the management API's shape. That its code for an unreadable body is the general one is inferred."""
    code = "InvalidRequestContent" if error.code == InvalidRequest.code else error.code
    return {"error": {"code": code, "message": error.message}}
