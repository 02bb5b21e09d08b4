"""Generates the Swagger 2.0 document of the connector from the operations.

The `x-ms-*` extensions, which designers, Power Fx and code generators read, stand where the connector puts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from outlook_emulator.operations.operation import Operation, Scope
from outlook_emulator.wire.base import Parameter, Schema, is_shape
from outlook_emulator.wire.metadata import Procedure
from outlook_emulator.wire.schemas import SCALARS, marks, refinements
from outlook_emulator.wire.schemas import describe as describe
from outlook_emulator.wire.schemas import describe_all as describe_all

_TITLE = "Outlook.com"
_DESCRIPTION_VERSION = "1.0"
_UNREFERENCED = (Procedure,)  # Nothing refers to it, yet the connector's description declares it.
# Designers fill in internal parameters themselves, and do not show them.
_CONNECTION_ID = {
    "name": "connectionId",
    "in": "path",
    "required": True,
    "type": "string",
    "x-ms-visibility": "internal",
}


def swagger(operations: Sequence[Operation], base_path: str = "/apim/outlook") -> dict[str, Any]:
    """The document of `operations`, with a definition of every shape they use."""
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
        **_with_references(operation.extensions),
    }
    if operation.produces:
        described["produces"] = list(operation.produces)
    if operation.deprecated:
        described["deprecated"] = True
    if operation.visibility != "normal":
        described["x-ms-visibility"] = operation.visibility
    if operation.scope is Scope.API:
        # The connector's own back end and the recipients of mails call without a credential.
        described["security"] = []
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if operation.scope is Scope.CONNECTION:
        yield _CONNECTION_ID
    for name in operation.path_parameters:
        schema = operation.path_schemas.get(name, Schema())
        yield {"name": name, "in": "path", "required": True, "type": "string", **marks(schema), **refinements(schema)}
    yield from map(_parameter, operation.parameters)
    if operation.accepts is not None:
        yield _body(operation)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {"name": parameter.name, "in": parameter.schema.location, "required": parameter.required}
    described |= {"type": SCALARS[parameter.type], **marks(parameter.schema)}
    described |= refinements(parameter.schema)
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
    if operation.recorded_status:
        # The definition says 200, and recordings of the Office 365 twin show another status.
        responses[str(operation.status)]["x-status-recorded"] = operation.recorded_status
    responses |= {str(status): {"description": "Accepted, without content"} for status in operation.also}
    responses |= {str(status): {"description": _ERROR_DESCRIPTIONS[status]} for status in operation.errors}
    return responses | {"default": {"description": "Any other outcome"}}


_ERROR_DESCRIPTIONS = {400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 500: "Server error"}


def _success(operation: Operation) -> dict[str, Any]:
    if operation.response_shape is None:
        return {"description": "Done, without content"}
    return {"description": "Done", "schema": describe(operation.response_shape)}


def _with_references(value: Any) -> Any:
    """An operation's extension, with references in the place of shapes."""
    if isinstance(value, Mapping):
        return {name: _with_references(part) for name, part in value.items()}
    return describe(value) if is_shape(value) else value


def _definitions(operations: Iterable[Operation]) -> dict[str, Any]:
    rows = ((row.body_shape, row.response_shape, row.extensions) for row in operations)
    return describe_all([*(root for row in rows for root in row), *_UNREFERENCED])
