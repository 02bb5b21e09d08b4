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
    "description": "The admin token of the emulator, if it was started with one.",
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def openapi(operations: Iterable[AdminOperation], root: str) -> dict[str, Any]:
    """The document of the admin API below `root`."""
    rows = list(operations)
    paths: dict[str, Any] = {}
    for operation in rows:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    shapes = [shape for operation in rows for shape in (operation.accepts, operation.returns)]
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Outlook Connector Emulator: admin API", "version": "1"},
        "servers": [{"url": root}],
        # The empty alternative, because a token is only required if one is set.
        "security": [{"adminToken": []}, {}],
        "paths": paths,
        "components": {"schemas": describe_all(shapes), "securitySchemes": {"adminToken": _ADMIN_TOKEN}},
    }
    return _to_openapi_3(document)  # type: ignore[no-any-return]


def _operation(operation: AdminOperation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": {
            str(operation.status): _success(operation),
            "4XX": {"description": "Error, in the connector's shape"},
        },
    }
    if parameters := list(_parameters(operation)):
        described["parameters"] = parameters
    if operation.accepts is not None or operation.accepts_type:
        described["requestBody"] = {"required": True, "content": _content(operation)}
    return described


def _parameters(operation: AdminOperation) -> Iterator[dict[str, Any]]:
    for name in _PLACEHOLDER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for parameter in parameters_of(operation.query) if operation.query else ():
        schema = describe(Annotated[parameter.type, parameter.schema])
        yield {"name": parameter.name, "in": "query", "required": parameter.required, "schema": schema}
    for parameter in parameters_of(operation.mime_query) if operation.mime_query else ():
        schema = describe(Annotated[parameter.type, parameter.schema])
        yield {"name": parameter.name, "in": "query", "description": "For a message/rfc822 body.", "schema": schema}


def _content(operation: AdminOperation) -> dict[str, Any]:
    file = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {"application/json": {"schema": describe(operation.accepts)}} if operation.accepts else {}
    if operation.mime_query:
        content["message/rfc822"] = file
    return content | ({operation.accepts_type: file} if operation.accepts_type else {})


def _success(operation: AdminOperation) -> dict[str, Any]:
    if operation.returns is None:
        return {"description": "Done"}
    kind = operation.returns_type if operation.returns is Binary else "application/json"
    return {"description": "Done", "content": {kind: {"schema": describe(operation.returns)}}}


def _to_openapi_3(value: Any) -> Any:
    """Convert a schema from Swagger 2.0 to OpenAPI 3.1: references point to components, and null is a type."""
    if isinstance(value, list):
        return [_to_openapi_3(part) for part in value]
    if not isinstance(value, dict):
        return value
    described = {name: _to_openapi_3(part) for name, part in value.items() if name != "x-nullable"}
    if "$ref" in described:
        described["$ref"] = described["$ref"].replace("#/definitions/", "#/components/schemas/")
    if value.get("x-nullable") and isinstance(described.get("type"), str):
        described["type"] = [described["type"], "null"]
    return described
