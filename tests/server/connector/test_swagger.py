"""The Swagger document that is generated from the rows."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from outlook_emulator.enums import Importance
from outlook_emulator.operations import OPERATIONS, Operation, Scope
from outlook_emulator.server.connector.swagger import describe, swagger
from outlook_emulator.wire.approvals import ApprovalEmailResponse
from outlook_emulator.wire.base import ImportanceNumber, Schema
from outlook_emulator.wire.mail import BatchResponse, Binary, ClientReceiveMessage, ClientSendMessage
from outlook_emulator.wire.metadata import Object

VALUES = {"operationId": "List", "value-collection": "value", "value-path": "Name", "value-title": "DisplayName"}


class Query:
    state: str
    top: Annotated[int, Schema(format="int32", hidden=True)] = 0
    search: str | None = None


def row(**changes: Any) -> Operation:
    fields = {"id": "Any", "method": "GET", "path": "/Any", "summary": "Any", "family": "Any", "run": print}
    return Operation(**{**fields, **changes})


def accept(draft: ClientSendMessage) -> str:
    raise NotImplementedError(draft)


def show(mail: str) -> ClientReceiveMessage:
    raise NotImplementedError(mail)


def described(**changes: Any) -> dict[str, Any]:
    """The only operation of a document for one row."""
    document = swagger([row(**changes)])
    operation: dict[str, Any] = next(iter(document["paths"].values()))["get"]
    return operation


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, {"type": "string"}),
        (float | None, {"type": "number", "x-nullable": True}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, Object], {"type": "object", "additionalProperties": {"$ref": "#/definitions/Object"}}),
        (Binary, {"type": "string", "format": "binary"}),
        (
            BatchResponse[ClientReceiveMessage],
            {"$ref": "#/definitions/BatchResponse[ClientReceiveMessage]"},
        ),
        (Annotated[str, Schema(names=Importance)], {"type": "string", "enum": ["Low", "Normal", "High"]}),
        (Annotated[str, Schema(choices=("", "UTC"))], {"type": "string", "enum": ["", "UTC"]}),
        (Annotated[bool, Schema(default=False)], {"type": "boolean", "default": False}),
        (Annotated[str, Schema(callback_url=True)], {"type": "string", "x-ms-notification-url": True}),
        (Annotated[str, Schema(values_from="List")], {"type": "string", "x-ms-dynamic-values": VALUES}),
        (Annotated[str, Schema(known=("A",))], {"type": "string", "x-known-values": ["A"]}),
        (
            Annotated[list[str], Schema(read_only=True)],
            {"type": "array", "items": {"type": "string"}, "readOnly": True},
        ),
    ],
)
def test_describe(hint: Any, expected: dict[str, Any]) -> None:
    """A type hint becomes the Swagger schema for that type."""
    assert expected == describe(hint)


def test_numbers_are_named() -> None:
    """An enumeration that is sent as integers lists their names."""
    names = [{"value": 0, "name": "Low"}, {"value": 1, "name": "Normal"}, {"value": 2, "name": "High"}]
    schema = describe(ImportanceNumber)

    assert ([0, 1, 2], {"name": "Importance", "values": names}) == (schema["enum"], schema["x-ms-enum"])


def test_parameters() -> None:
    """Parameters are in the order path, query, body; hidden ones and the connection id are marked internal."""
    schemas = {"table": Schema(double_encoded=True)}
    operation = described(path="/{table}", path_schemas=schemas, query=Query, accepts=accept)
    internal = {"x-ms-visibility": "internal"}

    assert [
        {"name": "connectionId", "in": "path", "required": True, "type": "string", **internal},
        {"name": "table", "in": "path", "required": True, "type": "string", "x-ms-url-encoding": "double"},
        {"name": "state", "in": "query", "required": True, "type": "string"},
        {
            "name": "top",
            "in": "query",
            "required": False,
            "type": "integer",
            "format": "int32",
            "default": 0,
            **internal,
        },
        {"name": "search", "in": "query", "required": False, "type": "string"},
        {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/ClientSendMessage"}},
    ] == operation["parameters"]


def test_responses() -> None:
    """Every declared status and a default are listed, and only the success has a schema."""
    responses = described(returns=show, status=201, also=(202,), errors=(400,))["responses"]

    assert list(responses) == ["201", "202", "400", "default"]
    assert [status for status, answer in responses.items() if "schema" in answer] == ["201"]


def test_api_scope() -> None:
    """An operation with the scope API has neither a connection id nor a credential."""
    operation = described(scope=Scope.API)

    assert (operation["parameters"], operation["security"]) == ([], [])


@pytest.mark.parametrize(("visibility", "expected"), [("normal", None), ("important", "important")])
def test_visibility(visibility: str, expected: str | None) -> None:
    """Normal visibility is left out of the document."""
    assert expected == described(visibility=visibility).get("x-ms-visibility")


def test_deprecated() -> None:
    """Only a deprecated operation has the member `deprecated`."""
    assert (described(deprecated=True).get("deprecated"), described().get("deprecated")) == (True, None)


def test_extension() -> None:
    """A shape in an extension becomes a reference, and the document defines it."""
    content = {"x-ms-notification-content": {"schema": ApprovalEmailResponse}}
    document = swagger([row(extensions=content)])

    reference = {"schema": {"$ref": "#/definitions/ApprovalEmailResponse"}}
    assert reference == document["paths"]["/{connectionId}/Any"]["get"]["x-ms-notification-content"]
    assert "ApprovalEmailResponse" in document["definitions"]


def test_required_members() -> None:
    """A definition lists the members that a client must send."""
    definitions = swagger([row(accepts=accept)])["definitions"]

    assert {"To", "Subject", "Body"} == set(definitions["ClientSendMessage"]["required"])
    assert definitions["ClientSendAttachment"]["required"] == ["Name", "ContentBytes"]


def test_one_path_two_methods() -> None:
    """Two rows with the same path are two methods of one entry."""
    document = swagger([row(id="Read"), row(id="Write", method="POST")])

    assert list(document["paths"]["/{connectionId}/Any"]) == ["get", "post"]


def test_references_resolve() -> None:
    """Every definition that the document refers to exists."""
    document = swagger(OPERATIONS)
    missing = {reference for reference in _references(document) if reference not in document["definitions"]}

    assert set() == missing


def test_plain_json() -> None:
    """The document consists of plain JSON values."""
    document = swagger(OPERATIONS)

    assert document == json.loads(json.dumps(document))


def test_base_path() -> None:
    """The base path of the document can be changed."""
    assert swagger([], base_path="/elsewhere")["basePath"] == "/elsewhere"


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"].removeprefix("#/definitions/")} if "$ref" in value else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()
