"""A published Swagger document is compared with the definition by operation and member."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from outlook_contract import definition
from outlook_contract.comparison import Difference, differences


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(dict(definition.load()))


def send(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"]["/{connectionId}/v2/Mail"]["post"]
    return operation


def test_the_definition_itself(document: dict[str, Any]) -> None:
    """The definition does not differ from itself."""
    assert [] == list(differences(document))


def test_prose_and_other_members_do_not_count(document: dict[str, Any]) -> None:
    """What clients cannot notice is no difference, nor is what an export has beside the operations."""
    send(document)["description"] = "Another"
    document["paths"]["/{connectionId}/v2/Mail"]["parameters"] = []
    document["x-ms-connector-metadata"] = []

    assert [] == list(differences(document))


def test_missing_operation(document: dict[str, Any]) -> None:
    """An operation that the document lacks is one difference."""
    del document["paths"]["/{connectionId}/v2/Mail"]["post"]

    assert [Difference("SendEmailV2", "", "declared", "missing")] == list(differences(document))


def test_additional_operation(document: dict[str, Any]) -> None:
    """An operation that only the document has is one difference."""
    document["paths"]["/{connectionId}/new"] = {"get": {"operationId": "New", "responses": {}}}

    assert [Difference("New", "", "not declared", "present")] == list(differences(document))


def test_changed_parameter(document: dict[str, Any]) -> None:
    """A changed fact of a parameter names the operation, the parameter, and both values."""
    (body,) = [parameter for parameter in send(document)["parameters"] if parameter["in"] == "body"]
    body["required"] = False
    (difference,) = differences(document)

    assert "SendEmailV2" == difference.operation
    assert body["name"] in difference.member
    assert difference.expected != difference.seen


def test_changed_shape(document: dict[str, Any]) -> None:
    """A changed member of a shape names the shape and the member."""
    document["definitions"]["ClientSendHtmlMessage"]["properties"]["To"]["type"] = "array"
    (difference,) = differences(document)

    assert "definitions.ClientSendHtmlMessage" == difference.operation
    assert "To" in difference.member
    assert '"array"' in difference.seen


def test_missing_shape(document: dict[str, Any]) -> None:
    """A shape that the document lacks is one difference."""
    del document["definitions"]["ClientSendAttachment"]

    assert Difference("definitions.ClientSendAttachment", "", "declared", "missing") in list(differences(document))


def test_a_document_of_the_real_connector_may_lack_refinements(document: dict[str, Any]) -> None:
    """Keywords that are this project's own are no difference there; another value of one is."""
    to = document["definitions"]["ClientSendHtmlMessage"]["properties"]["To"]
    pattern = to.pop("pattern")

    assert ["properties.To.pattern"] == [difference.member for difference in differences(document)]
    assert [] == list(differences(document, is_refined=False))

    to["pattern"] = pattern + "x"
    assert 1 == len(list(differences(document, is_refined=False)))
