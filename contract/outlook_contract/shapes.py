"""Compares a response with the shape that the definition declares for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs

from outlook_contract import definition
from outlook_contract.exchange import Exchange
from outlook_contract.routes import Route, routes


class Problem(NamedTuple):
    """A part of a response that is not as declared. `member` is a JSON path such as `value[].Subject`."""

    member: str
    expected: str
    seen: str


def problems(exchange: Exchange) -> Iterator[Problem]:
    """What in a response differs from the definition: its status, its content type, its members and their types."""
    if exchange.operation is None:
        return
    route = routes()[exchange.operation]
    responses = route.declaration["responses"]
    if not exchange.is_success:
        return
    if exchange.status == 202 and not exchange.body and "x-ms-trigger" in route.declaration:
        # The polling protocol of triggers: nothing came. Half of the triggers do not declare it.
        return
    expected = {str(declared.get("x-status-recorded", status)): status for status, declared in responses.items()}
    status = str(exchange.status)
    if status not in expected:
        yield Problem("status", " or ".join(sorted(set(expected) - {"default"})), status)
    # A success with another status has the declared body all the same.
    status = expected.get(status) or min(responses)
    yield from _body_problems(route, exchange, status)


def _body_problems(route: Route, exchange: Exchange, status: str) -> Iterator[Problem]:
    declared = route.declaration["responses"][status]
    schema = declared.get("schema")
    if schema is None or schema.get("type") == "file" or schema.get("format") == "binary":
        if schema is None and exchange.body and "x-undeclared-body" not in declared:
            yield Problem("body", "empty", exchange.body[:80].decode("utf-8", "replace"))
        return
    if not exchange.body:
        yield Problem("body", "JSON", "empty")
        return
    if schema.get("type") == "string" and "json" not in exchange.headers.get("content-type", ""):
        # A text as it is, such as a page.
        return
    try:
        document = exchange.json()
    except ValueError:
        yield Problem("body", "JSON", exchange.body[:80].decode("utf-8", "replace"))
        return
    for error in _validator(route.id, status).iter_errors(document):
        yield Problem(_member(error.instance_path), error.message[:200], json.dumps(error.instance)[:200])


@cache
def _validator(operation_id: str, status: str) -> Any:
    schema = routes()[operation_id].declaration["responses"][status]["schema"]
    return jsonschema_rs.Draft4Validator({**_translated(schema), "definitions": _definitions()}, validate_formats=False)


@cache
def _definitions() -> Mapping[str, Any]:
    return {name.replace("[", "_").replace("]", "_"): _translated(shape) for name, shape in _shapes().items()}


def _shapes() -> Mapping[str, Any]:
    shapes: Mapping[str, Any] = definition.load()["definitions"]
    return shapes


def _translated(schema: Any) -> Any:
    """A schema of Swagger as JSON Schema: nulls where recordings have them, and exactly the declared members.

    Recorded responses write a null where a member has no value. `x-optional-members` lists those that they leave out.
    """
    if isinstance(schema, list):
        return [_translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        reference = schema["$ref"].replace("[", "_").replace("]", "_")
        return {"anyOf": [{"$ref": reference}, {"type": "null"}]} if schema.get("x-nullable") else {"$ref": reference}
    # What a request may hold says nothing about responses.
    result = {
        key: _translated(value)
        for key, value in schema.items()
        if not key.startswith("x-") and key not in definition.REFINEMENTS
    }
    if "properties" in schema:
        # The names of members are no keywords.
        result["properties"] = {name: _translated(member) for name, member in schema["properties"].items()}
        undeclared = schema.get("x-undeclared-members", ())
        result["properties"] |= {name: {} for name in undeclared}
        result.setdefault("additionalProperties", False)
        result["required"] = [name for name in result["properties"] if name not in schema.get("x-optional-members", ())]
    if schema.get("x-nullable") and "type" in schema:
        result["type"] = [schema["type"], "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    return result


def _member(path: list[str | int]) -> str:
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "body"
