"""The Swagger 2.0 document of the connector, generated from the rows that also route its requests.

Clients that read `x-ms-*` marks (designers, Power Fx, code generators) find them where the connector puts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, get_args, get_origin

from emulator.operations.operation import Operation, Scope
from emulator.wire.base import Parameter, Schema, is_shape, members_of, required_members, shape_name, unwrap
from emulator.wire.mail import Binary
from emulator.wire.metadata import Procedure

_TITLE = "Outlook.com"
_DESCRIPTION_VERSION = "1.0"
_UNREFERENCED = (Procedure,)  # Nothing refers to it, yet the connector's description declares it.
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_CONNECTION_ID = {
    "name": "connectionId",
    "in": "path",
    "required": True,
    "type": "string",
    "x-ms-visibility": "internal",
}


def swagger(operations: Sequence[Operation], base_path: str = "/apim/outlook") -> dict[str, Any]:
    """The document of `operations`, with every shape they mention as a definition."""
    return {
        "swagger": "2.0",
        "info": {"title": _TITLE, "version": _DESCRIPTION_VERSION},
        "basePath": base_path,
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"caller": {"type": "apiKey", "name": "Authorization", "in": "header"}},
        "security": [{"caller": []}],
        "paths": _paths(operations),
        "definitions": _definitions(operations),
    }


def _paths(operations: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.full_path, {})[operation.method.lower()] = _operation(operation)
    return paths


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "x-ms-api-annotation": {"family": operation.family, "revision": operation.version},
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
        **_rendered(operation.extensions),
    }
    if operation.deprecated:
        described["deprecated"] = True
    if operation.visibility != "normal":
        described["x-ms-visibility"] = operation.visibility
    if operation.scope is Scope.API:
        described["security"] = []
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if operation.scope is Scope.CONNECTION:
        yield _CONNECTION_ID
    for name in operation.path_parameters:
        schema = operation.path_schemas.get(name, Schema())
        yield {"name": name, "in": "path", "required": True, "type": "string", **_marks(schema)}
    yield from map(_parameter, operation.parameters)
    if operation.accepts is not None:
        yield _body(operation)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {"name": parameter.name, "in": parameter.schema.location, "required": parameter.required}
    described |= {"type": _SCALARS[parameter.type], **_marks(parameter.schema)}
    if not parameter.required and parameter.default is not None:
        described["default"] = parameter.default
    return described


def _body(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.body_name,
        "in": "body",
        "required": operation.body_required,
        "schema": describe(operation.body_shape),
    }


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): _success(operation)}
    responses |= {str(status): {"description": "Accepted, without content"} for status in operation.also}
    responses |= {str(status): {"description": _REFUSALS[status]} for status in operation.errors}
    return responses | {"default": {"description": "Any other outcome"}}


_REFUSALS = {400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 500: "Server error"}


def _success(operation: Operation) -> dict[str, Any]:
    if operation.answer_shape is None:
        return {"description": "Done, without content"}
    return {"description": "Done", "schema": describe(operation.answer_shape)}


def describe(hint: Any) -> dict[str, Any]:
    """A type hint as a schema; shapes become references to their definitions."""
    plain, schema, nullable = unwrap(hint)
    described = _type(plain) | _marks(schema)
    if nullable:
        described["x-nullable"] = True
    return described


def _type(plain: Any) -> dict[str, Any]:
    if plain is Binary:
        return {"type": "string", "format": "binary"}
    if is_shape(plain):
        return {"$ref": f"#/definitions/{shape_name(plain)}"}
    if get_origin(plain) is list:
        return {"type": "array", "items": describe(get_args(plain)[0])}
    if get_origin(plain) is dict:
        return {"type": "object", "additionalProperties": describe(get_args(plain)[1])}
    return {"type": _SCALARS[plain]}


def _marks(schema: Schema) -> dict[str, Any]:
    marks: dict[str, Any] = {
        "format": schema.format,
        "default": schema.default,
        "readOnly": schema.read_only or None,
        "x-ms-visibility": "internal" if schema.hidden else None,
        "x-ms-url-encoding": "double" if schema.double_encoded else None,
        "x-ms-notification-url": schema.callback_url or None,
        "x-ms-dynamic-values": _dynamic_values(schema.values_from),
        "x-list-separator": schema.separator,
        "x-known-values": list(schema.known) or None,
        **_enumeration(schema),
    }
    return {name: mark for name, mark in marks.items() if mark is not None}


def _enumeration(schema: Schema) -> dict[str, Any]:
    if schema.numbers:
        return {"enum": [int(member) for member in schema.numbers], "x-ms-enum": _names(schema.numbers)}
    names = list(schema.names.__members__ if schema.names else schema.choices)
    return {"enum": names} if names else {}


def _names(numbers: type[IntEnum]) -> dict[str, Any]:
    values = [{"value": int(member), "name": name} for name, member in numbers.__members__.items()]
    return {"name": numbers.__name__, "values": values}


def _dynamic_values(operation_id: str | None) -> dict[str, str] | None:
    if operation_id is None:
        return None
    value = "Id" if operation_id == "OnFilePickerOpen" else "Name"
    return {
        "operationId": operation_id,
        "value-collection": "value",
        "value-path": value,
        "value-title": "DisplayName",
    }


def _rendered(value: Any) -> Any:
    """A row's extension with the shapes in it as references."""
    if isinstance(value, Mapping):
        return {name: _rendered(part) for name, part in value.items()}
    return describe(value) if is_shape(value) else value


def _definitions(operations: Iterable[Operation]) -> dict[str, Any]:
    rows = ((row.body_shape, row.answer_shape, row.extensions) for row in operations)
    return describe_all([*(root for row in rows for root in row), *_UNREFERENCED])


def describe_all(roots: Iterable[Any]) -> dict[str, Any]:
    """The definition of every shape that `roots`, type hints or extensions, lead to, by name."""
    found: dict[str, Any] = {}
    for root in roots:
        _collect(root, found)
    return {name: _definition(found[name]) for name in sorted(found)}


def _collect(value: Any, found: dict[str, Any]) -> None:
    """Add to `found` every shape that `value`, a type hint or an extension, leads to."""
    if isinstance(value, Mapping):
        parts: Iterable[Any] = value.values()
    elif not is_shape(plain := unwrap(value)[0]):
        parts = get_args(plain)
    elif shape_name(plain) in found:
        parts = ()
    else:
        found[shape_name(plain)] = plain
        parts = members_of(plain).values()
    for part in parts:
        _collect(part, found)


def _definition(shape: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "object"}
    members = {name: describe(hint) for name, hint in members_of(shape).items()}
    if members:
        described["properties"] = members
    required = required_members(shape)
    if required:
        described["required"] = list(required)
    return described
