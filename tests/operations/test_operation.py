"""The operation record, and rules that hold for every operation."""

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
    """The path of an operation on a mailbox starts with the connection id."""
    assert row(path="/Mail").full_path == "/{connectionId}/Mail"


def test_api_path() -> None:
    """The path of an operation of the connector itself has no connection id."""
    assert row(path="/RecordResponse", scope=Scope.API).full_path == "/RecordResponse"


def test_path_parameters() -> None:
    """Path parameters are read from the path template, wherever they are in a segment."""
    path = "/datasets({dataset})/tables({table})/onnewitems"

    assert row(path=path).path_parameters == ("dataset", "table")


def test_parameters() -> None:
    """Query parameters take their names from attributes or marks, and are required if they have no default."""
    parameters = row(query=Query).parameters

    assert [(parameter.name, parameter.required) for parameter in parameters] == [("$top", False), ("folderPath", True)]


def test_no_parameters() -> None:
    """An operation without a query class has no query parameters."""
    assert row().parameters == ()


def test_double_encoded() -> None:
    """Only path parameters marked as double-encoded are decoded twice."""
    schemas = {"table": Schema(double_encoded=True), "response": Schema(known=("Accept",))}

    assert {"table"} == row(path_schemas=schemas).double_encoded


def test_body_shape() -> None:
    """The shape of a body is the parameter type of `accepts`."""
    assert row(accepts=read_draft).body_shape is ClientSendMessage


@pytest.mark.parametrize("returns", [show, partial(show, indent=2)])
def test_response_shape(returns: Any) -> None:
    """The shape of a response is the return type of `returns`, also for a partial function."""
    assert row(returns=returns).response_shape == list[ClientReceiveMessage]


def test_no_shapes() -> None:
    """An operation without `accepts` and `returns` has no body shapes."""
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
    """Each argument of an operation's mailbox function has the name and place that a client uses."""
    operation = row(path="/Mail/{messageId}", query=Query, accepts=read_draft, cursor="triggerstate")

    assert operation.wire_name(field) == expected


def test_wire_name_of_an_inner_member() -> None:
    """The name of a member of an inner object is a path."""
    send = next(row for row in OPERATIONS if row.id == "SendApprovalMail")

    assert send.wire_name("options") == ("property", "Message.Options")


def test_ids_are_unique() -> None:
    """No two operations have the same id, or the same method and path."""
    assert len(OPERATIONS) == len({operation.id for operation in OPERATIONS})
    assert len(OPERATIONS) == len({(operation.method, operation.full_path) for operation in OPERATIONS})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_marks_fit_the_operation(operation: Operation) -> None:
    """Marks name existing path parameters, notifications name subscriptions, and only polls are triggers."""
    subscribing = {row.id for row in OPERATIONS if row.kind is Kind.SUBSCRIBE}
    notification = operation.extensions.get("x-ms-notification", {})

    assert set(operation.path_schemas) <= set(operation.path_parameters)
    assert set(notification.values()) <= subscribing
    assert (operation.kind is Kind.POLL) == ("x-ms-trigger" in operation.extensions)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_finds_its_mailbox(operation: Operation) -> None:
    """An operation has a connection id in its path, or a `state` parameter that identifies the mailbox."""
    named = [parameter.name for parameter in operation.parameters if parameter.required]

    assert (operation.scope is Scope.API) == (operation.place_of is not None)
    assert operation.place_of is None or "state" in named


@pytest.mark.parametrize("family", sorted({operation.family for operation in OPERATIONS}))
def test_versions(family: str) -> None:
    """The versions of a family are numbered from 1 without a gap."""
    rows = sorted(
        (operation for operation in OPERATIONS if operation.family == family), key=lambda operation: operation.version
    )

    assert list(range(1, len(rows) + 1)) == [operation.version for operation in rows]
