"""The connector's URL space: one request, from its row to its response."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from random import Random
from typing import NamedTuple
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from outlook_emulator.access_tokens import audience_of
from outlook_emulator.errors import (
    AccessDenied,
    BadSignature,
    ConnectorError,
    InvalidRequest,
    NotFound,
    Unauthorized,
    WrongAudience,
)
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.operations.operation import Operation
from outlook_emulator.operations.operation import Scope as OperationScope
from outlook_emulator.recent import Recent
from outlook_emulator.sandbox.aside import LARGE, MANY, alone, aside
from outlook_emulator.sandbox.registry import Sandboxes, Target
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.broken_connection import HungUp, has_hung_up, send_broken
from outlook_emulator.server.connector.callers import caller_of
from outlook_emulator.server.connector.endpoints import Arguments, Endpoint
from outlook_emulator.server.connector.error_responses import error_response
from outlook_emulator.server.connector.exchange import (
    WARNING,
    Exchange,
    Request,
    Response,
    common_headers,
    send_response,
)
from outlook_emulator.server.connector.features import Features
from outlook_emulator.server.connector.origins import origins_of
from outlook_emulator.server.connector.query import pairs
from outlook_emulator.server.connector.routes import PREFIX, Routes, decode_path_value
from outlook_emulator.server.hosts import Hosts
from outlook_emulator.server.late_parts import load_for
from outlook_emulator.server.readers import reader_aside
from outlook_emulator.server.unexpected import error_of
from outlook_emulator.settings import Settings
from outlook_emulator.store.records import Owner
from outlook_emulator.traffic.call_facts import segments_of
from outlook_emulator.traffic.journal import LOST, Outcome

_AUDIENCES = (
    "https://apihub.azure.com",
    "https://management.core.windows.net",
    "https://management.azure.com",
    "https://service.flow.microsoft.com",
)
"""Audiences of tokens that the real connector accepts (error texts seen); that the third counts is inferred."""
_log = logging.getLogger("outlook_emulator")

_MOST_WARNINGS = 1000
_KEPT_PLACES = 1024
"""How many paths are remembered with what they name: a client uses the same ones again and again."""
_LONGEST_KEPT = 300
_KEPT_CREDENTIALS = 256 * 1024
"""How many bytes of accepted credentials are remembered: only the settings decide about them."""
_LONGEST_HEADER = 1000


class _Place(NamedTuple):
    """What the method and the path of a request name: a connection, an operation, and its values in the path."""

    connection_id: str
    operation: Operation
    path_values: list[str]


class Connector:
    """ASGI middleware that serves `/apim/outlook/…` and passes everything else on."""

    def __init__(
        self,
        app: ASGIApp,
        operations: Iterable[Operation],
        sandboxes: Sandboxes,
        settings: Settings,
        features: Features,
    ) -> None:
        self._app = app
        self._sandboxes = sandboxes
        self._settings = settings
        self._features = features
        self._routes = Routes(operations)
        self._places: Recent[tuple[str, bytes], _Place] = Recent(_KEPT_PLACES)
        self._endpoints: dict[str, Endpoint] = {}
        self._hosts = Hosts(settings, for_clients=True)
        self._origins = frozenset(origins_of(settings.cors_origins))
        self._accepted: Recent[bytes, bool] = Recent(_KEPT_CREDENTIALS)
        self._is_strict = settings.strict == "yes"
        self._warned: set[str] = set()
        # Apart from the sandboxes' own: a refused request must not change the ids that follow.
        self._rng = Random(settings.seed_of_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["raw_path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        place = self._places.get((scope["method"], scope["raw_path"]))
        target = self._look_up(_segments(scope)) if place is None else self._sandboxes.look_up(place.connection_id)
        exchange = Exchange(scope, receive, target, self._error_response)
        outcome: Outcome = LOST
        try:
            response = await self._respond(exchange, place)
            outcome = await self._send(exchange, response, send)
        except HungUp as broken:
            outcome = broken.how
            raise
        finally:
            # In any case, also when the client hangs up: a moved clock may wait for this request, and its lease must
            # end.
            self._features.faults.close(exchange)
            self._features.limits.close(exchange)
            self._features.journal.close(exchange, outcome)

    async def _respond(self, exchange: Exchange, place: _Place | None) -> Response:
        """One request, step by step. An error becomes a response, which the steps below still see."""
        journal, limits, faults, webhooks = self._features
        try:
            try:
                self._find(exchange, place)
                self._check_origin(exchange)
                self._authorize(exchange)
                self._locate(exchange, place)
            finally:
                # Even if a step failed, so that the journal has refused requests too, with what is known of them.
                journal.open(exchange)
            # Before the faults: a request that a fault delays is one in progress.
            limits.enter(exchange)
            response = await faults.before(exchange) if faults.has_rules(exchange) else None
            if response is None:
                if exchange.row.watches is not None:
                    await webhooks.validate(exchange)
                response = await self._run(exchange)
        except ConnectorError as error:
            response = exchange.refuse(error)
        except Exception as error:
            work = f"The request {exchange.scope['method']} {exchange.scope['path']}"
            concerned = [exchange.ran_in or exchange.sandbox]
            response = exchange.refuse(await error_of(self._sandboxes, error, work, concerned))
        # Before the faults: a late or broken response delays no callback.
        if exchange.ran_in is not None:
            webhooks.wake(exchange.ran_in)
        if exchange.hit is not None or faults.has_rules(exchange):
            response = await faults.after(exchange, response)
        response = limits.leave(exchange, response)
        if exchange.warnings:
            response = self._warn(exchange, response)
        # Last, since the journal shows what is really sent, faults and warnings included.
        if journal.needs_body(exchange, response):
            await journal.read_body(exchange)
        journal.note(exchange, response)
        return response

    def _find(self, exchange: Exchange, place: _Place | None) -> None:
        """Find the row. Raises NoSuchOperation and MethodNotAllowed."""
        if place is not None:
            exchange.operation, exchange.path_values = place.operation, place.path_values
            return
        scope = exchange.scope
        exchange.operation, exchange.path_values = self._routes.match(scope["method"], _segments(scope))

    def _check_origin(self, exchange: Exchange) -> None:
        """Refuse what pages of other sites send, which may have rebound their name. Raises ConnectorError."""
        self._hosts.check(exchange.scope, exchange.headers.get(b"host"))
        # Recipients follow the links of a mail, and send its forms, from pages of their own.
        if exchange.headers.get(b"sec-fetch-site") != b"cross-site" or exchange.row.answers:
            return
        if exchange.header("origin") not in self._origins:
            raise AccessDenied(
                "This emulator accepts no requests from pages of other sites. Start it with --cors-origins"
                " (or OUTLOOK_EMULATOR_CORS_ORIGINS) to name the origins of yours."
            )

    def _authorize(self, exchange: Exchange) -> None:
        """Check the credential, except where the connector's own back end or a recipient calls. Raises Unauthorized."""
        credential = exchange.headers.get(b"authorization", b"")
        if credential in self._accepted or exchange.row.scope is not OperationScope.CONNECTION:
            return
        try:
            authorize(exchange, self._settings)
            self._accepted.keep(credential, True, len(credential))
        except Unauthorized as error:
            wanted = "any text" if self._settings.authorization == "any" else "the value of the setting authorization"
            error.hint = f"Send the header 'Authorization: Bearer TOKEN' with {wanted} as the token."
            raise

    def _locate(self, exchange: Exchange, place: _Place | None) -> None:
        """Read the connection id, or find the sandbox that a link names. Raises InvalidRequest."""
        if place is not None:
            exchange.connection_id = place.connection_id
        elif exchange.row.place_of is not None:
            exchange.enter(self._sandbox_of_link(exchange))
        else:
            exchange.connection_id = decode_path_value(exchange.path_values[0], "connectionId")
            self._keep_place(exchange, exchange.connection_id)

    def _keep_place(self, exchange: Exchange, connection_id: str) -> None:
        """Remember what the path of a request names."""
        method, path = exchange.scope["method"], exchange.scope["raw_path"]
        if len(path) <= _LONGEST_KEPT:
            self._places.keep((method, path), _Place(connection_id, exchange.row, exchange.path_values))

    def _look_up(self, segments: list[str]) -> Target:
        """Where the request goes. It is found first, since its sandbox counts and records failed requests as well."""
        try:
            return self._sandboxes.look_up(decode_path_value(segments[0], "connectionId"))
        except InvalidRequest:
            # The default sandbox records the requests whose id cannot be read.
            return self._sandboxes.look_up("")

    def _sandbox_of_link(self, exchange: Exchange) -> Sandbox:
        """The sandbox that the `state` of a link names; the default one for an unreadable link, which fails later."""
        operation = exchange.row
        try:
            assert operation.place_of is not None
            # Reversed, because the first of a repeated name counts, as for every parameter.
            name, _ = operation.place_of(dict(reversed(pairs(exchange.scope["query_string"]))).get("state", ""))
        except ConnectorError:
            return self._sandboxes.default
        return self._sandboxes.get(name) or self._sandboxes.default

    async def _run(self, exchange: Exchange) -> Response:
        """Bind the request, open the mailbox, and run the row on it."""
        endpoint = self._endpoints.get(exchange.row.id) or await self._new_endpoint(exchange.row)
        body = await exchange.body(self._settings.max_body_bytes) if endpoint.has_body else b""
        unknown = exchange.refuse_name if self._is_strict else exchange.warn
        if len(body) < LARGE:
            arguments = endpoint.bind(exchange, body, unknown)
        else:
            arguments = await aside(endpoint.bind, exchange, body, unknown)
        await load_for(exchange.row, *arguments)
        if exchange.sandbox.turn.is_taken:
            await exchange.sandbox.turn.free()
        # Not before: a refused request makes no connection, and a sandbox may be replaced while the body arrives.
        sandbox, owner = self._open(exchange, arguments)
        exchange.ran_in = sandbox
        is_quick = len(body) < LARGE and (arguments.values.get("top") or 0) <= MANY and not sandbox.db.has_large
        if is_quick:
            response = endpoint.run(exchange, self._mailbox(exchange, sandbox, owner), arguments)
            if not isinstance(response, Response):
                response = await response
        else:
            response = await alone(sandbox, self._run_whole, endpoint, exchange, sandbox, owner, arguments)
        exchange.is_done = True
        return response

    def _run_whole(
        self, endpoint: Endpoint, exchange: Exchange, sandbox: Sandbox, owner: Owner, arguments: Arguments
    ) -> Response:
        return endpoint.run_whole(exchange, self._mailbox(exchange, sandbox, owner), arguments)

    def _mailbox(self, exchange: Exchange, sandbox: Sandbox, owner: Owner) -> Mailbox:
        mailbox = sandbox.mailbox(owner, partial(caller_of, exchange))
        if exchange.rule_changes:
            mailbox.rules = replace(mailbox.rules, **exchange.rule_changes)
        return mailbox

    def _warn(self, exchange: Exchange, response: Response) -> Response:
        """Say in the response, the journal and the log which names of the request are unknown."""
        for warning in exchange.warnings:
            exchange.note("warning", "UnknownName", warning)
            text = f"{exchange.row.id}: {warning}"
            # Once each: a client that sends a name always does.
            if text not in self._warned and len(self._warned) < _MOST_WARNINGS:
                self._warned.add(text)
                _log.warning("%s", text)
        header = " ".join(exchange.warnings).encode("ascii", "backslashreplace")[:_LONGEST_HEADER]
        return response._replace(headers=[*response.headers, (WARNING, header)])

    async def _new_endpoint(self, operation: Operation) -> Endpoint:
        # Made on first use: the readers of all operations together take a good part of a second.
        reader = None
        if operation.accepts:
            reader = await reader_aside(operation.body_shape, partial=operation.partial)
        endpoint = self._endpoints[operation.id] = Endpoint(operation, reader)
        return endpoint

    def _open(self, exchange: Exchange, arguments: Arguments) -> tuple[Sandbox, Owner]:
        """The mailbox of the connection, or the one that the `state` of a link names."""
        if exchange.connection_id is not None:
            sandbox, owner, _ = exchange.target
            if owner is not None and exchange.target.is_current:
                return sandbox, owner
            # The id is new, or the sandbox was replaced while the request waited.
            return self._sandboxes.find(exchange.connection_id)
        place_of = exchange.row.place_of
        assert place_of is not None
        name, mailbox_id = place_of(arguments.values["state"])
        try:
            sandbox = self._sandboxes.named(name)
            return sandbox, owner_of(sandbox.db, mailbox_id)
        except NotFound:
            raise BadSignature("state", "names no mailbox of this server.") from None

    async def _send(self, exchange: Exchange, response: Response, send: Send) -> Outcome:
        """Send a response whole, or break the connection as a fault says; returns the outcome."""
        now = exchange.sandbox.clock.now()
        if response.breaks is None:
            # Asked before sending: afterwards the server itself may be closing the connection.
            is_gone = has_hung_up(exchange.scope)
            outcome = await send_response(exchange.scope, send, response, now)
            return LOST if is_gone else outcome
        common = common_headers(now)
        return await send_broken(exchange.scope, exchange.receive, send, response, common, exchange.sandbox)

    def _error_response(self, exchange: Exchange, error: ConnectorError) -> Response:
        # The caller's own id comes back (inferred), cut so that it cannot fill the response.
        request_id = (exchange.header("x-ms-client-request-id") or self._random_id())[:200]
        return error_response(error, request_id, self._random_id(), self._settings.source)

    def _random_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def _segments(scope: Scope) -> list[str]:
    return segments_of(scope["raw_path"][len(PREFIX) :].decode("latin-1"))


def authorize(request: Request, settings: Settings) -> None:
    """Check a request's credential against the setting `authorization`. Raises Unauthorized."""
    expected = settings.authorization
    if expected == "none":
        return
    scheme, _, credential = (request.header("authorization") or "").partition(" ")
    credential = credential.strip()
    # Local runs of Logic Apps Standard send `Key`, other callers `Bearer`.
    if scheme.lower() not in ("bearer", "key") or not credential:
        raise Unauthorized()
    if expected not in ("any", credential):
        _check_token(credential, settings.identity_header)


def _check_token(token: str, secret: str) -> None:
    """Raise Unauthorized unless the token endpoint issued the token for an audience of the connector."""
    audience = audience_of(token, secret) if secret else None
    if audience is None:
        raise Unauthorized()
    if audience.rstrip("/") not in _AUDIENCES:
        raise WrongAudience(audience, _AUDIENCES)
