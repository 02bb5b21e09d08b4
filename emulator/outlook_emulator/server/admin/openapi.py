"""The OpenAPI 3.1 document of the admin API, generated from its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from outlook_emulator.server.connector.swagger import describe, describe_all
from outlook_emulator.wire.base import parameters_of
from outlook_emulator.wire.mail import Binary

if TYPE_CHECKING:
    from outlook_emulator.server.admin.request import AdminOperation

_ADMIN_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "The admin token that the emulator was started with, if it was.",
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def openapi(verbs: Iterable[AdminOperation], root: str) -> dict[str, Any]:
    """The document of the admin API below `root`."""
    rows = list(verbs)
    paths: dict[str, Any] = {}
    for verb in rows:
        paths.setdefault(verb.path, {})[verb.method.lower()] = _operation(verb)
    shapes = [shape for verb in rows for shape in (verb.accepts, verb.returns)]
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Outlook Connector Emulator: admin API", "version": "1"},
        "servers": [{"url": root}],
        # A token is demanded where one is set, so a caller may come with or without.
        "security": [{"adminToken": []}, {}],
        "paths": paths,
        "components": {"schemas": describe_all(shapes), "securitySchemes": {"adminToken": _ADMIN_TOKEN}},
    }
    return _modern(document)  # type: ignore[no-any-return]


def _operation(verb: AdminOperation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": verb.id,
        "summary": verb.summary,
        "responses": {str(verb.status): _success(verb), "4XX": {"description": "Refused, in the connector's shape"}},
    }
    if parameters := list(_parameters(verb)):
        described["parameters"] = parameters
    if verb.accepts is not None or verb.accepts_type:
        described["requestBody"] = {"required": True, "content": _content(verb)}
    return described


def _parameters(verb: AdminOperation) -> Iterator[dict[str, Any]]:
    for name in _PLACEHOLDER.findall(verb.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for one in parameters_of(verb.query) if verb.query else ():
        schema = describe(Annotated[one.type, one.schema])
        yield {"name": one.name, "in": "query", "required": one.required, "schema": schema}
    for one in parameters_of(verb.mime_query) if verb.mime_query else ():
        schema = describe(Annotated[one.type, one.schema])
        yield {"name": one.name, "in": "query", "description": "For a message/rfc822 body.", "schema": schema}


def _content(verb: AdminOperation) -> dict[str, Any]:
    file = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {"application/json": {"schema": describe(verb.accepts)}} if verb.accepts else {}
    if verb.mime_query:
        content["message/rfc822"] = file
    return content | ({verb.accepts_type: file} if verb.accepts_type else {})


def _success(verb: AdminOperation) -> dict[str, Any]:
    if verb.returns is None:
        return {"description": "Done"}
    kind = verb.returns_type if verb.returns is Binary else "application/json"
    return {"description": "Done", "content": {kind: {"schema": describe(verb.returns)}}}


def _modern(value: Any) -> Any:
    """A described value in OpenAPI 3.1's words: references into components, null as a type."""
    if isinstance(value, list):
        return [_modern(one) for one in value]
    if not isinstance(value, dict):
        return value
    described = {name: _modern(part) for name, part in value.items() if name != "x-nullable"}
    if "$ref" in described:
        described["$ref"] = described["$ref"].replace("#/definitions/", "#/components/schemas/")
    if value.get("x-nullable") and isinstance(described.get("type"), str):
        described["type"] = [described["type"], "null"]
    return described
