"""The record that declares one operation of the connector, and the parameters read from its declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from functools import cached_property, partial
from inspect import signature
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from outlook_emulator.enums import Watched
from outlook_emulator.errors import ConnectorError
from outlook_emulator.frozen import Frozen
from outlook_emulator.wire.base import Parameter, Reply, Schema, is_shape, members_of, parameters_of, snake_case, unwrap

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
MAIL_ERRORS = (400, 401, 403, 500)
"""The error statuses that the connector's description declares for mail operations; it declares none for others."""


class Kind(Enum):
    """How a client uses an operation: once, repeatedly with a cursor, or to register a callback URL."""

    ACTION = "action"
    POLL = "poll"
    SUBSCRIBE = "subscribe"


class Scope(Enum):
    """Where a path starts: below a connection id, with authorization, or at the connector's root, without."""

    CONNECTION = "connection"
    API = "api"


class WireName(NamedTuple):
    """A client's name for a value, and where the client sends it: a query parameter, a path parameter or a property."""

    place: str
    name: str


class Operation(Frozen, kw_only=True):
    """One row of the published surface. Routing, binding, the Swagger document and the coverage table read it.

    `run` is a mailbox function, called as `run(mailbox, body?, **path_and_query)` with snake_case names. `query` is a
    class whose annotations declare the query and header parameters. `accepts` converts the checked body into what `run`
    takes, `returns` renders what `run` returns; their annotations declare the wire shapes. A `partial` body is a patch,
    so none of its members is required. `produces` lists the content types of responses, where they are not JSON alone.
    `status` is the declared success status, `also` lists further ones; `recorded_status` is sent instead where
    recordings show another. `cursor` is the query parameter that carries a poll's state. `path_schemas` describes path
    parameters that are more than plain text. `place_of` maps the `state` parameter of a row without a connection to a
    sandbox name and a mailbox key.

    `no_body` is the error of a request without its body, where that is known to be another than 400.
    `body_paths` maps a field of the domain to its path in the body where the two have different names.

    The remaining fields are facts that the journal, the faults and the webhooks use. `creates`: each success makes
    something new, so a repeated request duplicates it. `reads_mail`: the response carries mails or attachments.
    `carries_images`: the body may embed images. `sends_mail`: each success sends a mail. `writes_event`: it
    creates, changes or deletes an event. `is_reply`: it replies to a mail. `answers`: a recipient answers a question by
    it. `watches`: a subscription's subject. `next_at`: the instant at which time alone gives a poll something new,
    called as `run` is.
    """

    id: str
    method: str
    path: str
    summary: str
    family: str
    run: Callable[..., Any]
    version: int = 1
    kind: Kind = Kind.ACTION
    cursor: str | None = None
    query: type | None = None
    path_schemas: Mapping[str, Schema] = field(default_factory=dict)
    accepts: Callable[[Any], Any] | None = None
    body_name: str = "body"
    body_required: bool = True
    no_body: Callable[[], ConnectorError] | None = None
    body_paths: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    produces: tuple[str, ...] = ()
    returns: Callable[[Any], Any] | None = None
    status: int = 200
    recorded_status: int | None = None
    also: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()
    scope: Scope = Scope.CONNECTION
    place_of: Callable[[str], tuple[str, int]] | None = None
    deprecated: bool = False
    visibility: str = "advanced"
    extensions: Mapping[str, Any] = field(default_factory=dict)
    creates: bool = False
    reads_mail: bool = False
    carries_images: bool = False
    sends_mail: bool = False
    writes_event: bool = False
    is_reply: bool = False
    answers: bool = False
    watches: Watched | None = None
    next_at: Callable[..., int | None] | None = None

    @property
    def success(self) -> int:
        """The status of a successful response."""
        return self.recorded_status or self.status

    @property
    def is_notified(self) -> bool:
        """Whether clients of a trigger can subscribe to pokes, which tell them to poll."""
        return "x-ms-notification" in self.extensions

    @property
    def full_path(self) -> str:
        """The path below `/apim/outlook`, connection id included."""
        return f"/{{connectionId}}{self.path}" if self.scope is Scope.CONNECTION else self.path

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(_PLACEHOLDER.findall(self.path))

    @cached_property
    def double_encoded(self) -> frozenset[str]:
        """The path parameters that clients percent-encode twice by contract."""
        return frozenset(name for name, schema in self.path_schemas.items() if schema.double_encoded)

    @cached_property
    def body_shape(self) -> Any:
        """The wire shape of the request body, None without one."""
        if self.accepts is None:
            return None
        first = next(iter(signature(self.accepts).parameters))
        return get_type_hints(self.accepts, include_extras=True)[first]

    @cached_property
    def response_shape(self) -> Any:
        """The wire shape of a successful response, None where it has no body."""
        if self.returns is None:
            return None
        render = self.returns.func if isinstance(self.returns, partial) else self.returns
        shape = get_type_hints(render, include_extras=True)["return"]
        if get_origin(shape) is Reply:
            # `Reply[Any]` stands for a body that the connector's description does not declare.
            (body,) = get_args(shape)
            return None if body is Any else body
        return shape

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The declared query and header parameters."""
        return parameters_of(self.query) if self.query else ()

    def render(self, result: Any) -> Any:
        """The response body, or a `Reply`, for a result of `run`; None without a body."""
        return None if self.returns is None else self.returns(result)

    def wire_name(self, field: str) -> WireName | None:
        """How a client names the value that `run` knows as `field`; None if clients do not send it.

        A member of an inner object is named by its path: `Message.Options`.
        """
        return self._wire_names.get(field)

    @cached_property
    def _wire_names(self) -> Mapping[str, WireName]:
        names = {snake_case(name.rpartition(".")[2]): WireName("property", name) for name in _paths(self.body_shape)}
        names |= {name: WireName("property", path) for name, path in self.body_paths.items()}
        names |= {snake_case(name): WireName("path parameter", name) for name in self.path_parameters}
        names |= {
            # `from` is a keyword of Python, so the mailbox functions call it `from_`.
            parameter.keyword.rstrip("_"): WireName("query parameter", parameter.name)
            for parameter in self.parameters
        }
        return names | ({"cursor": WireName("query parameter", self.cursor)} if self.cursor else {})


def _paths(shape: Any) -> list[str]:
    """The dotted path of every member of a body. Inner members come first, so that outer ones win in a map by name."""
    members = {name: unwrap(hint)[0] for name, hint in members_of(shape).items()} if is_shape(shape) else {}
    inner = [f"{name}.{path}" for name, hint in members.items() for path in _paths(hint)]
    return [*inner, *members]
