"""The connector's definition from public sources, and the facts by which two definitions are compared.

Facts leave out what clients cannot notice: prose, evidence and the order of members. They also leave out whether a
value may be null, since only recordings show that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

Facts = dict[str, Any]

_PROSE = frozenset({"summary", "description", "title"})
_EVIDENCE = frozenset(
    {
        "x-nullable",
        "x-evidence",
        "x-documented-default",
        "x-status-recorded",
        "x-undeclared-members",
        "x-optional-members",
        "x-undeclared-body",
    }
)
_UNNOTICED = _PROSE | _EVIDENCE
_BY_NAME = frozenset({"properties", "definitions"})
_UNORDERED = frozenset({"enum", "required"})
REFINEMENTS = frozenset(
    {
        "pattern",
        "minLength",
        "minimum",
        "maximum",
        "maxItems",
        "x-grammar",
        "x-list-separator",
        "x-may-be-missing",
        "produces",
    }
)
"""Keywords that say more than the real connector's own description does; what stands in them is this project's."""
_OPERATION_MARKS = (
    "produces",
    "x-ms-api-annotation",
    "x-ms-visibility",
    "x-ms-trigger",
    "x-ms-notification",
    "x-ms-notification-content",
)


@cache
def load() -> Mapping[str, Any]:
    """The definition that the emulator and the real connector must meet. Do not change the result: it is shared."""
    document: dict[str, Any] = json.loads(file().read_text(encoding="utf-8"))
    return document


def file() -> Path:
    """The path of the definition."""
    return specification("outlook.swagger.json")


def specification(name: str) -> Path:
    """The path of a file of the specification."""
    installed = Path(__file__).parent / name
    # In a checkout the file is beside the package.
    return installed if installed.exists() else Path(__file__).parents[1] / name


def operations(document: Mapping[str, Any]) -> dict[str, Facts]:
    """The facts of every operation of a Swagger document, by operation id. Raises ValueError for a duplicate id."""
    facts: dict[str, Facts] = {}
    for path, method, operation in _declared(document):
        if operation["operationId"] in facts:
            raise ValueError(f"The operation id {operation['operationId']} is used twice.")
        facts[operation["operationId"]] = operation_facts(path, method, operation)
    return facts


def definitions(document: Mapping[str, Any]) -> dict[str, Facts]:
    """The facts of every definition of a Swagger document, by name."""
    return {name: schema_facts(definition) for name, definition in document["definitions"].items()}


def operation_facts(path: str, method: str, operation: Mapping[str, Any]) -> Facts:
    """What clients and designers can notice about an operation, including its summary."""
    return {
        "request": f"{method.upper()} {path}",
        "summary": operation["summary"],
        "deprecated": operation.get("deprecated", False),
        "anonymous": operation.get("security") == [],
        "parameters": {
            f"{parameter['in']} {parameter['name']}": schema_facts(parameter) for parameter in operation["parameters"]
        },
        "responses": {status: schema_facts(response) for status, response in operation["responses"].items()},
        **{mark: operation[mark] for mark in _OPERATION_MARKS if mark in operation},
    }


def schema_facts(schema: Mapping[str, Any]) -> Facts:
    """A schema, parameter or response without prose and evidence; enumerations and required members are sorted."""
    return {name: _facts(name, value) for name, value in schema.items() if name not in _UNNOTICED}


def _facts(name: str, value: Any) -> Any:
    if name in _BY_NAME:
        return {member: schema_facts(schema) for member, schema in value.items()}
    if name in _UNORDERED and isinstance(value, list):
        return sorted(value)
    return schema_facts(value) if isinstance(value, dict) else value


def _declared(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
