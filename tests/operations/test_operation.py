"""The operation record, and what must hold for every row."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest

from outlook_emulator.operations import OPERATIONS, Kind, Operation, Scope
from outlook_emulator.wire.base import Schema
from outlook_emulator.wire.mail import ClientReceiveMessage, ClientSendMessage


def row(**overrides: Any) -> Operation:
    fields = {"id": "Any", "method": "GET", "path": "/Any", "summary": "Any", "family": "Any", "run": print}
    return Operation(**{**fields, **overrides})


def read_draft(draft: ClientSendMessage) -> str:
    return draft["Subject"]


def show(mail: str, indent: int = 0) -> list[ClientReceiveMessage]:
    raise NotImplementedError(mail, indent)


class Query:
    top: Annotated[int, Schema(key="$top")] = 10
    folder_path: str


def test_connection_path() -> None:
    """A row of a connection is reached below the connection's id."""
    assert row(path="/Mail").full_path == "/{connectionId}/Mail"


def test_api_path() -> None:
    """A row of the connector itself is reached without a connection."""
    assert row(path="/RecordResponse", scope=Scope.API).full_path == "/RecordResponse"


def test_path_parameters() -> None:
    """Path parameters are read from the template, wherever its braces stand."""
    path = "/datasets({dataset})/tables({table})/onnewitems"

    assert row(path=path).path_parameters == ("dataset", "table")


def test_parameters() -> None:
    """Query parameters take their names from attributes or marks, and are required where they have no default."""
    parameters = row(query=Query).parameters

    assert [(parameter.name, parameter.required) for parameter in parameters] == [("$top", False), ("folderPath", True)]


def test_no_parameters() -> None:
    """A row without a query class has no query parameters."""
    assert row().parameters == ()


def test_double_encoded() -> None:
    """Only path parameters marked so are decoded twice."""
    schemas = {"table": Schema(double_encoded=True), "response": Schema(known=("Accept",))}

    assert {"table"} == row(path_schemas=schemas).double_encoded


def test_body_shape() -> None:
    """A body has the shape that `accepts` takes."""
    assert row(accepts=read_draft).body_shape is ClientSendMessage


@pytest.mark.parametrize("returns", [show, partial(show, indent=2)])
def test_response_shape(returns: Any) -> None:
    """A response has the shape that `returns` gives, also where some of its arguments are set already."""
    assert row(returns=returns).response_shape == list[ClientReceiveMessage]


def test_no_shapes() -> None:
    """A row without `accepts` and `returns` has no bodies."""
    assert (row().body_shape, row().response_shape, row().render(1)) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("top", ("query parameter", "$top")),
        ("folder_path", ("query parameter", "folderPath")),
        ("message_id", ("path parameter", "messageId")),
        ("subject", ("property", "Subject")),
        ("content_bytes", None),
        ("cursor", ("query parameter", "triggerstate")),
        ("nothing", None),
    ],
)
def test_wire_name(field: str, expected: tuple[str, str] | None) -> None:
    """A row knows where a client sends each value of its mailbox function, and by which name."""
    operation = row(path="/Mail/{messageId}", query=Query, accepts=read_draft, cursor="triggerstate")

    assert operation.wire_name(field) == expected


def test_wire_name_of_an_inner_member() -> None:
    """A member of an object inside the body has a path."""
    send = next(row for row in OPERATIONS if row.id == "SendApprovalMail")

    assert send.wire_name("options") == ("property", "Message.Options")


def test_ids_are_unique() -> None:
    """No two rows have the same operation id, or answer the same request."""
    assert len(OPERATIONS) == len({operation.id for operation in OPERATIONS})
    assert len(OPERATIONS) == len({(operation.method, operation.full_path) for operation in OPERATIONS})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_marks_fit_the_row(operation: Operation) -> None:
    """Marks of path parameters name one of the path, notifications a row that subscribes, and triggers are polled."""
    subscribing = {row.id for row in OPERATIONS if row.kind is Kind.SUBSCRIBE}
    notification = operation.extensions.get("x-ms-notification", {})

    assert set(operation.path_schemas) <= set(operation.path_parameters)
    assert set(notification.values()) <= subscribing
    assert (operation.kind is Kind.POLL) == ("x-ms-trigger" in operation.extensions)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_row_finds_its_mailbox(operation: Operation) -> None:
    """A row has a connection in its path, or else says what its `state` leads to."""
    named = [parameter.name for parameter in operation.parameters if parameter.required]

    assert (operation.scope is Scope.API) == (operation.place_of is not None)
    assert operation.place_of is None or "state" in named


@pytest.mark.parametrize("family", sorted({operation.family for operation in OPERATIONS}))
def test_versions(family: str) -> None:
    """The generations of a family are numbered from one without a gap."""
    rows = sorted(
        (operation for operation in OPERATIONS if operation.family == family), key=lambda operation: operation.version
    )

    assert list(range(1, len(rows) + 1)) == [operation.version for operation in rows]
