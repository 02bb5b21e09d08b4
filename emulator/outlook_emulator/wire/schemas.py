"""Shapes as JSON schemas: with references in the Swagger document, written out in the metadata of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, get_args, get_origin

from outlook_emulator.wire.base import Schema, is_shape, members_of, required_members, shape_name, unwrap
from outlook_emulator.wire.mail import Binary

SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
"""The names of Python's plain types in a schema."""


def describe(hint: Any) -> dict[str, Any]:
    """A type hint as a schema; shapes become references to their definitions."""
    plain, schema, nullable = unwrap(hint)
    described = _type(plain) | marks(schema) | refinements(schema)
    if schema.shorthand:
        described = _or_text(described)
    if schema.one_or_many:
        described = {"anyOf": [described, described["items"]]}
    if nullable:
        # An extension, since Swagger 2.0 has no type for null.
        described["x-nullable"] = True
    return described


def _or_text(described: dict[str, Any]) -> dict[str, Any]:
    if "items" in described:
        return described | {"items": _or_text(described["items"])}
    return {"anyOf": [described, {"type": "string"}]}


def _type(plain: Any) -> dict[str, Any]:
    if plain is Binary:
        return {"type": "string", "format": "binary"}
    if is_shape(plain):
        return {"$ref": f"#/definitions/{shape_name(plain)}"}
    if get_origin(plain) is list:
        return {"type": "array", "items": describe(get_args(plain)[0])}
    if plain is Any:
        return {}
    if get_origin(plain) is dict:
        return {"type": "object", "additionalProperties": describe(get_args(plain)[1])}
    return {"type": SCALARS[plain]}


def marks(schema: Schema) -> dict[str, Any]:
    """What a schema adds to the plain type, as members of Swagger and its extensions."""
    members: dict[str, Any] = {
        "format": schema.format,
        "default": schema.default,
        "readOnly": schema.read_only or None,
        "x-ms-visibility": "internal" if schema.hidden else None,
        "x-ms-url-encoding": "double" if schema.double_encoded else None,
        "x-ms-notification-url": schema.callback_url or None,
        "x-ms-dynamic-values": _dynamic_values(schema.values_from),
        "x-list-separator": schema.separator,
        "x-known-values": list(schema.known) or None,
        **_enumeration(schema),
    }
    return {name: value for name, value in members.items() if value is not None}


def refinements(schema: Schema) -> dict[str, Any]:
    """What a schema says about a value beyond what the real connector's description says.

    The metadata of a table lack it, as recorded ones do.
    """
    members: dict[str, Any] = {
        "pattern": schema.pattern,
        "minLength": schema.shortest,
        "minimum": schema.least,
        "maximum": schema.most,
        "maxItems": schema.most_items,
        "x-may-be-missing": schema.lenient or None,
        "x-grammar": schema.grammar,
    }
    return {name: value for name, value in members.items() if value is not None}


def _enumeration(schema: Schema) -> dict[str, Any]:
    if schema.numbers:
        return {"enum": [int(member) for member in schema.numbers], "x-ms-enum": _names(schema.numbers)}
    names = list(schema.names.__members__ if schema.names else schema.choices)
    return {"enum": names} if names else {}


def _names(numbers: type[IntEnum]) -> dict[str, Any]:
    values = [{"value": int(member), "name": name} for name, member in numbers.__members__.items()]
    return {"name": numbers.__name__, "values": values}


def _dynamic_values(operation_id: str | None) -> dict[str, str] | None:
    if operation_id is None:
        return None
    # The `Name` of a table is its id (recorded); folders of the picker have an `Id`.
    value = "Id" if operation_id == "OnFilePickerOpen" else "Name"
    return {
        "operationId": operation_id,
        "value-collection": "value",
        "value-path": value,
        "value-title": "DisplayName",
    }


def describe_all(roots: Iterable[Any]) -> dict[str, Any]:
    """The definition of every shape that is reachable from `roots`, type hints or extensions, by name."""
    shapes: dict[str, Any] = {}
    for root in roots:
        _collect(root, shapes)
    return {name: _definition(shapes[name]) for name in sorted(shapes)}


def _collect(value: Any, shapes: dict[str, Any]) -> None:
    """Add to `shapes` every shape that is reachable from `value`, a type hint or an extension."""
    if isinstance(value, Mapping):
        parts: Iterable[Any] = value.values()
    elif not is_shape(plain := unwrap(value)[0]):
        parts = get_args(plain)
    elif shape_name(plain) in shapes:
        parts = ()
    else:
        shapes[shape_name(plain)] = plain
        parts = members_of(plain).values()
    for part in parts:
        _collect(part, shapes)


def _definition(shape: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "object"}
    members = {name: describe(hint) for name, hint in members_of(shape).items()}
    if members:
        described["properties"] = members
    required = required_members(shape)
    if required:
        described["required"] = list(required)
    return described


def table_schema(
    shape: Any,
    titles: Mapping[str, str],
    required: Sequence[str],
    read_only: Collection[str],
    advanced: Collection[str],
) -> dict[str, Any]:
    """The JSON schema of a table whose items have a shape, everything written out in place, in the order of `titles`.

    Recorded: its extensions, and `Id` as the only key. It does not say what may be null. Members of members have their
    names as titles.
    """
    written = _written_out(shape)["properties"]
    members = {name: written[name] | {"title": title} for name, title in titles.items()}
    for name in read_only:
        members[name]["x-ms-permission"] = "read-only"
    members["Id"] |= {"x-ms-keyOrder": 1, "x-ms-keyType": "primary", "x-ms-sort": "none"}
    for name in advanced:
        members[name]["x-ms-visibility"] = "advanced"
    return {"type": "array", "items": {"type": "object", "required": list(required), "properties": members}}


def _written_out(hint: Any) -> dict[str, Any]:
    plain, schema, _ = unwrap(hint)
    if get_origin(plain) is list:
        return {"type": "array", "items": _written_out(get_args(plain)[0]), **marks(schema)}
    if not is_shape(plain):
        return _type(plain) | marks(schema)
    members = {name: {"title": name, **_written_out(hint)} for name, hint in members_of(plain).items()}
    return {"type": "object", "properties": members}
