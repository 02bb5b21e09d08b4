"""JSON shapes of limits, journal and faults: derived from declared options, and read back into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Required, TypeVar

import orjson
from typing_extensions import TypedDict

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.options import Option, options_of
from outlook_emulator.wire.base import Schema

T = TypeVar("T")


class Whole(Schema, kw_only=True):
    """A whole number between two bounds, written as a JSON number: no text, no boolean, no fraction."""

    format: str | None = "int64"
    least: int = 0
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        check = {"type": "no-info", "function": self._check}
        return {"type": "function-before", "function": check, "schema": handler(source)}

    def _check(self, value: Any) -> Any:
        if type(value) is not int or not self.least <= value <= self.most:
            is_plain = isinstance(value, int | float | str)
            shown = orjson.dumps(value).decode()[:50] if is_plain else f"a {type(value).__name__}"
            raise ValueError(f"must be a whole number from {self.least} to {self.most}, not {shown}")
        return value


def shape(name: str, members: Mapping[str, Any], doc: str | None, *, total: bool = False) -> Any:
    """A TypedDict made of members that are only known at run time."""
    # mypy only knows literal declarations.
    make: Any = TypedDict
    declared = make(name, dict(members), total=total)
    declared.__doc__ = doc
    return declared


@cache
def shape_of(declaration: Any) -> Any:
    """The JSON shape of a dataclass of options; nested dataclasses become shapes of their own."""
    members = {option.member: _hint(option) for option in options_of(declaration)}
    return shape(declaration.__name__, members, declaration.__doc__)


@cache
def query_of(declaration: Any) -> type:
    """The query parameters of a dataclass of options: a list takes one value, and a mapping is no parameter."""
    plain = [option for option in options_of(declaration) if not option.is_mapping]
    hints = {option.name: Annotated[_nullable(option.item or option.type), _value_schema(option)] for option in plain}
    defaults = {option.name: option.default for option in plain}
    return type(declaration.__name__, (), {"__annotations__": hints, **defaults})


def parse_query(declaration: type[T], values: Mapping[str, Any]) -> T:
    """The options in values that were read against `query_of`. Raises InvalidRequest as `parse` does."""
    declared: Any = declaration
    present = (option for option in options_of(declared) if values.get(option.name) is not None)
    return parse(
        declaration,
        {option.member: [values[option.name]] if option.is_list else values[option.name] for option in present},
    )


def parse(declaration: type[T], members: Mapping[str, Any]) -> T:
    """The options in members that were read against `shape_of`; absent options keep their defaults.

    Raises InvalidRequest for a value that is not among the choices or outside of the bounds.
    """
    declared: Any = declaration  # A type is hashable, which mypy does not know.
    present = (option for option in options_of(declared) if option.member in members)
    return declaration(**{option.name: _value(option, members[option.member]) for option in present})


def _hint(option: Option) -> Any:
    item: Any = option.item or option.type
    is_nested = is_dataclass(item)
    if is_nested:
        item = shape_of(item)
    plain: Any = list[item] if option.is_list else dict[str, item] if option.is_mapping else item
    hint: Any = Annotated[plain, _schema(option)]
    return Required[hint] if option.default is MISSING else hint


def _schema(option: Option) -> Schema:
    one_or_many = option.is_list and not is_dataclass(option.item)
    return replace(_value_schema(option), shorthand=option.shorthand, one_or_many=one_or_many)


def _value_schema(option: Option) -> Schema:
    is_plain = isinstance(option.default, str | int | float)
    return Schema(choices=option.choices, default=option.default if is_plain else None)


def _nullable(type: Any) -> Any:
    return type | None


def _value(option: Option, value: Any) -> Any:
    item: Any = option.item or option.type
    if is_dataclass(option.item or option.type):
        return tuple(parse(item, element) for element in value) if option.is_list else parse(item, value)
    if problem := option.problem(value):
        raise InvalidRequest(f"'{option.member}' {problem}.")
    return tuple(value) if option.is_list else value
