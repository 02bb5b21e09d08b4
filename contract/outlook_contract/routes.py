"""Tells which operation of the definition a request is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from outlook_contract import definition

CONNECTION_PATH = re.compile(r"(?P<root>.*?/apim/[^/]+)/(?P<connection>[^/]+)(?P<below>/.*)?$", re.ASCII)
"""Matches the path of a request to a connection."""


class Route(NamedTuple):
    """One operation: its id, method, path below the runtime URL, and its declaration."""

    id: str
    method: str
    path: str
    declaration: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The declared parameters by name, without the connection id."""
        declared = self.declaration.get("parameters", ())
        return {parameter["name"]: parameter for parameter in declared if parameter["name"] != "connectionId"}

    @property
    def is_at_root(self) -> bool:
        """Whether the path has no connection id, as links in mails and notifications of the back end."""
        return "{connectionId}" not in self.declaration["x-path"]


@cache
def routes() -> Mapping[str, Route]:
    """Every operation of the definition, by id."""
    table = {}
    for path, methods in definition.load()["paths"].items():
        for method, operation in methods.items():
            own = path.removeprefix("/{connectionId}")
            declaration = {**operation, "x-path": path}
            table[operation["operationId"]] = Route(operation["operationId"], method.upper(), own, declaration)
    return table


def find(method: str, path: str, *, at_root: bool = False) -> tuple[Route, Mapping[str, str]] | None:
    """The operation of a request and the values in its path, which is escaped.

    The path starts below the runtime URL, or, `at_root`, in front of the place that the connection id has there.
    """
    parts = path.strip("/").split("/")
    for route in _by_shape().get((method.upper(), len(parts)), ()):
        if route.is_at_root == at_root and (values := _values(route, parts)) is not None:
            return route, values
    return None


def operation_of(method: str, path: str) -> tuple[str | None, str] | None:
    """The operation of a request to any connector host, and the id of its connection, empty for a link in a mail.

    `path` is escaped. The operation is None for a path that no operation has. None for a request to something else.
    """
    match = CONNECTION_PATH.match(path)
    if match is None:
        return None
    at_root = find(method, f"/{match['connection']}{match['below'] or ''}", at_root=True)
    if at_root is not None:
        return at_root[0].id, ""
    route = find(method, match["below"] or "/")
    return (route[0].id if route else None), unquote(match["connection"])


def fill(route: Route, values: Mapping[str, str]) -> str:
    """The path of a request, with values in their places. Calendar and contact ids are escaped as often as declared."""
    path = route.path
    for name, parameter in route.parameters.items():
        if parameter["in"] == "path":
            escaped = quote(str(values[name]), safe="")
            if parameter.get("x-ms-url-encoding") == "double":
                escaped = quote(escaped, safe="")
            path = path.replace("{" + name + "}", escaped)
    return path


@cache
def _by_shape() -> Mapping[tuple[str, int], list[Route]]:
    shapes: dict[tuple[str, int], list[Route]] = {}
    # Fixed words collide with ids, so paths with the fewest values come first.
    for route in sorted(routes().values(), key=lambda route: route.path.count("{")):
        shapes.setdefault((route.method, len(route.path.strip("/").split("/"))), []).append(route)
    return shapes


def _values(route: Route, parts: list[str]) -> Mapping[str, str] | None:
    values = {}
    for pattern, part in zip(_patterns(route.path), parts, strict=True):
        match = pattern.fullmatch(unquote(part))
        if match is None:
            return None
        values.update(match.groupdict())
    return values


@cache
def _patterns(path: str) -> list[re.Pattern[str]]:
    """A pattern for each part of a path; `tables({table})` is the only form with text around a value."""
    return [re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(part))) for part in path.strip("/").split("/")]
