"""The record that declares one operation of the connector, and the parameters read from its declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from inspect import isroutine, signature
from typing import Any, get_args, get_origin, get_type_hints

from outlook_emulator.wire.base import Parameter, Reply, Schema, parameters_of

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_MAIL_ERRORS = (400, 401, 403, 500)


class Kind(Enum):
    """How an operation is called: once, again and again with a cursor, or with a URL to be called back on."""

    ACTION = "action"
    POLL = "poll"
    SUBSCRIBE = "subscribe"


class Scope(Enum):
    """Where a path starts: below a connection id, with authorisation, or at the connector's root, without."""

    CONNECTION = "connection"
    API = "api"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the published surface; routing, binding, the Swagger document and the coverage table read it.

    `run` is a mailbox function, called as `run(mailbox, body?, **path_and_query)` with snake_case names; None marks
    an operation that is not served yet. `query` is a class whose annotations declare the query (and header)
    parameters. `accepts` turns the checked body into what `run` takes, `returns` makes the answer from what `run`
    gives back; both carry their wire shape in their annotations, and either may be a bare shape on rows that are not
    served. A `partial` body says what changes, so nothing in it is required. `status` is the declared success, `also`
    are further ones; where recordings show another, `recorded_status` is what is answered. `cursor` is the query
    parameter that brings a poll's state back to `run`. `path_schemas` says of a path parameter what is more than plain
    text. `place_of` tells a row without a connection from the query's `state`
    which sandbox and which mailbox in it are meant.
    """

    id: str
    method: str
    path: str
    summary: str
    family: str
    version: int = 1
    kind: Kind = Kind.ACTION
    cursor: str | None = None
    run: Callable[..., Any] | None = None
    query: type | None = None
    path_schemas: Mapping[str, Schema] = field(default_factory=dict)
    accepts: Any = None
    body_name: str = "body"
    body_required: bool = True
    partial: bool = False
    returns: Any = None
    status: int = 200
    recorded_status: int | None = None
    also: tuple[int, ...] = ()
    errors: tuple[int, ...] = _MAIL_ERRORS
    scope: Scope = Scope.CONNECTION
    place_of: Callable[[str], tuple[str, int]] | None = None
    deprecated: bool = False
    visibility: str = "advanced"
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def served(self) -> bool:
        return self.run is not None

    @property
    def success(self) -> int:
        """The status a success is answered with."""
        return self.recorded_status or self.status

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
        if not isroutine(self.accepts):
            return self.accepts
        first = next(iter(signature(self.accepts).parameters))
        return get_type_hints(self.accepts, include_extras=True)[first]

    @cached_property
    def answer_shape(self) -> Any:
        """The wire shape of a success, None where it has no body."""
        if not isroutine(self.returns):
            return self.returns
        shape = get_type_hints(self.returns, include_extras=True)["return"]
        if get_origin(shape) is Reply:
            # A body of any shape is one that is not declared.
            (body,) = get_args(shape)
            return None if body is Any else body
        return shape

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The declared query and header parameters."""
        return parameters_of(self.query) if self.query else ()
