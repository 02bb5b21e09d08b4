"""The operations declare exactly what the contract's API definition publishes."""

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
    """The method, path, parameters, body and responses of an operation match the definition."""
    actual = definition.operations(GENERATED)[operation_id]

    assert definition.operations(EXPECTED)[operation_id] == actual


@pytest.mark.parametrize("name", sorted(GENERATED["definitions"]))
def test_shape(name: str) -> None:
    """The members, types, formats, enumerations and required members of a shape match the definition."""
    actual = definition.definitions(GENERATED)[name]

    assert definition.definitions(EXPECTED)[name] == actual


def test_no_operation_is_left_out() -> None:
    """The operations and the definition have the same operation ids."""
    assert set(definition.operations(EXPECTED)) == set(definition.operations(GENERATED))


def test_no_shape_is_left_out() -> None:
    """The shapes and the definition have the same names."""
    assert set(EXPECTED["definitions"]) == set(GENERATED["definitions"])


def test_nulls_agree() -> None:
    """A member of a shape is nullable exactly where the definition says so, in either notation."""
    assert _nullable(EXPECTED) == _nullable(GENERATED)


def test_address_and_security_agree() -> None:
    """Both documents have the same base path and security scheme."""
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


def test_refinements_are_marked_as_ours() -> None:
    """An operation cites the source `refinement` exactly where it has keywords that are this project's own."""
    marked, refined = set(), set()
    for methods in EXPECTED["paths"].values():
        for operation in methods.values():
            if "refinement" in operation["x-evidence"]:
                marked.add(operation["operationId"])
            if _is_refined(operation, ()):
                refined.add(operation["operationId"])

    assert refined == marked
    assert all(keyword in EXPECTED["x-sources"]["refinement"] for keyword in definition.REFINEMENTS)


def _is_refined(part: Any, seen: tuple[str, ...]) -> bool:
    if isinstance(part, list):
        return any(_is_refined(item, seen) for item in part)
    if not isinstance(part, Mapping):
        return False
    shape = part.get("$ref", "").rpartition("/")[2]
    if shape and shape not in seen and _is_refined(EXPECTED["definitions"][shape], (*seen, shape)):
        return True
    return bool(definition.REFINEMENTS & part.keys()) or any(_is_refined(inner, seen) for inner in part.values())


def _nullable(document: Mapping[str, Any]) -> set[str]:
    return {
        f"{name}.{member}"
        for name, shape in document["definitions"].items()
        for member, schema in shape.get("properties", {}).items()
        if schema.get("x-nullable")
    }
