"""Tells whether a request is invalid also for a connector that reads leniently, as real clients need it.

Public clients write booleans as `True` or `1`, enumerations in any case or as numbers, members in any case or in
snake_case, nulls and empty texts for what they leave out (deviation lenient-reading). It shares no code with the
emulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

from outlook_contract import definition
from outlook_contract.exchange import Exchange
from outlook_contract.routes import routes

_FLAGS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False, "y": True, "n": False}
_FLAGS |= {"yes": True, "no": False, "on": True, "off": False}
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}(?:\.0*)?")


def is_readable(exchange: Exchange) -> bool:
    """Whether the values of a request that succeeded are valid, once they are read leniently."""
    assert exchange.operation is not None
    route = routes()[exchange.operation]
    texts = {}
    for name, text in reversed(parse_qsl(exchange.url.partition("?")[2], keep_blank_values=True)):
        texts[name.lower()] = text
    for name, parameter in route.parameters.items():
        if parameter["in"] == "query":
            text = texts.get(name.lower(), "")
            if not (_fits(parameter, _value(parameter, text)) if text else not parameter["required"]):
                return False
        elif parameter["in"] == "body" and not _reads_body(parameter, exchange):
            return False
    return True


def drop_other_spellings(schema: Mapping[str, Any], value: Any) -> None:
    """Remove undeclared members that a lenient reader takes for declared ones, such as `type` for `Type`."""
    schema = _resolved(schema)
    if isinstance(value, list):
        for item in value:
            drop_other_spellings(schema.get("items", {}), item)
    elif isinstance(value, dict):
        properties = schema.get("properties", {})
        names = {_folded(name) for name in properties}
        for name in [name for name in value if name not in properties and _folded(name) in names]:
            del value[name]
        for name in properties.keys() & value.keys():
            drop_other_spellings(properties[name], value[name])


def _reads_body(parameter: Mapping[str, Any], exchange: Exchange) -> bool:
    if not exchange.request_body:
        return not parameter["required"]
    try:
        body = json.loads(exchange.request_body)
    except ValueError:
        return False
    is_patch = exchange.method == "PATCH"
    return isinstance(body, dict) and _fits(parameter["schema"], _value(parameter["schema"], body), is_patch)


def _value(schema: Mapping[str, Any], value: Any) -> Any:
    """A value as a lenient reader takes it."""
    schema = _resolved(schema)
    if "anyOf" in schema:
        return value
    kind = schema.get("type")
    if kind == "object" and isinstance(value, dict) and "properties" in schema:
        return _object(schema, value)
    if kind == "array" and isinstance(value, list):
        return [_value(schema["items"], item) for item in value if item != ""]
    if "enum" in schema and isinstance(value, str | int):
        return _choice(schema, value)
    if kind == "boolean":
        if isinstance(value, float) and value.is_integer():
            # 0.0 and 0 are the same number in JSON.
            value = int(value)
        return _FLAGS.get(str(value).strip().lower(), value) if isinstance(value, str | int | float) else value
    if kind == "integer":
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return int(float(value))
        return int(value) if isinstance(value, bool) else value
    if kind == "number" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _object(shape: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    properties = shape["properties"]
    by_name = {_folded(name): name for name in properties}
    read = {}
    for written, part in value.items():
        name = by_name.get(_folded(written))
        if name is None or part is None:
            continue
        if part != "" or name in shape.get("required", ()) or _is_text(_resolved(properties[name])):
            read[name] = _value(properties[name], part)
    for name, schema in properties.items():
        if schema.get("x-may-be-missing"):
            read.setdefault(name, [] if _resolved(schema).get("type") == "array" else "")
    return read


def _is_text(schema: Mapping[str, Any]) -> bool:
    """Whether an empty text is a value. .NET reads it as null for a date, a number, a list and an object."""
    return schema.get("type") == "string" and "enum" not in schema and schema.get("x-grammar") != "iso-8601"


def _choice(schema: Mapping[str, Any], value: str | int) -> Any:
    if str(value).strip() in ("0", "1", "2", "3", "4", "5", "6", "-1"):
        # Which number stands for which name is for other checks.
        return schema["enum"][0]
    names = {str(name).lower(): name for name in schema["enum"]}
    return names.get(str(value).strip().lower(), value)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _fits(schema: Mapping[str, Any], value: Any, is_patch: bool = False) -> bool:
    whole = {**_resolved(schema), "definitions": _shapes()}
    for name in ("format", "required") if is_patch or "in" in schema else ("format",):
        whole.pop(name, None)
    return bool(jsonschema_rs.Draft4Validator(whole, validate_formats=False).is_valid(value))


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        shape: Mapping[str, Any] = _shapes()[_plain(schema["$ref"].rpartition("/")[2])]
        return shape
    return schema


def _plain(text: str) -> str:
    """Names of shapes without brackets, which a reference must not have."""
    return re.sub(r"(?<=[A-Za-z])\[([A-Za-z]+)\]", r"_\1_", text)


@cache
def _shapes() -> Mapping[str, Any]:
    shapes: Mapping[str, Any] = json.loads(_plain(json.dumps(definition.load()["definitions"])))
    return shapes
