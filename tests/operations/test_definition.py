"""The rows declare exactly what the contract's definition says the connector publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from outlook_contract import definition
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.connector.swagger import swagger

GENERATED = swagger(OPERATIONS)
EXPECTED = definition.load()


@pytest.mark.parametrize("operation_id", sorted(row.id for row in OPERATIONS))
def test_operation(operation_id: str) -> None:
    """A row's method, path, parameters, body and answers are those of the definition."""
    actual = definition.operations(GENERATED)[operation_id]

    assert definition.operations(EXPECTED)[operation_id] == actual


@pytest.mark.parametrize("name", sorted(GENERATED["definitions"]))
def test_shape(name: str) -> None:
    """A shape's members, types, formats, enumerations and required marks are those of the definition."""
    actual = definition.definitions(GENERATED)[name]

    assert definition.definitions(EXPECTED)[name] == actual


def test_no_operation_is_left_out() -> None:
    """Rows and definition have the same operations."""
    assert set(definition.operations(EXPECTED)) == set(definition.operations(GENERATED))


def test_no_shape_is_left_out() -> None:
    """Shapes and definition have the same names."""
    assert set(EXPECTED["definitions"]) == set(GENERATED["definitions"])


def test_nulls_agree() -> None:
    """Members may be null in the shapes exactly where the definition says so, whichever way it is marked."""
    assert _nullable(EXPECTED) == _nullable(GENERATED)


def test_address_and_security_agree() -> None:
    """Both documents are reached below the same path with the same credential."""
    parts = ("swagger", "basePath", "consumes", "produces", "securityDefinitions", "security")

    assert {part: EXPECTED[part] for part in parts} == {part: GENERATED[part] for part in parts}


def test_every_operation_names_its_evidence() -> None:
    """Each operation of the definition cites sources in `x-evidence`, and `x-sources` describes each of them."""
    cited = {
        operation["operationId"]: operation["x-evidence"]
        for methods in EXPECTED["paths"].values()
        for operation in methods.values()
    }

    assert [] == [operation_id for operation_id, sources in cited.items() if not sources]
    assert {source for sources in cited.values() for source in sources} <= set(EXPECTED["x-sources"])


def _nullable(document: Mapping[str, Any]) -> set[str]:
    return {
        f"{name}.{member}"
        for name, shape in document["definitions"].items()
        for member, schema in shape.get("properties", {}).items()
        if schema.get("x-nullable")
    }
