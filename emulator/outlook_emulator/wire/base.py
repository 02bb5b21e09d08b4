"""The vocabulary in which shapes are declared, and the reading of query parameters.

A shape is a TypedDict whose keys are the wire names; `Annotated[..., Schema(...)]` adds what Python's types cannot
say. The same declaration checks requests, types responses and fills the Swagger document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    NamedTuple,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from typing_extensions import is_typeddict

from outlook_emulator import enums
from outlook_emulator.errors import ConnectorError, InvalidRequest
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox import addresses, isotimes
from outlook_emulator.options import camel


class Schema(Frozen, kw_only=True):
    """What a Swagger document says about a value beyond its Python type.

    An enumeration is written as text with `names`, as integers with `numbers`; `choices` is one without integers. `key`
    is the wire name if it cannot be derived from the attribute's name. `values_from` names the operation that lists the
    valid values; `known` holds values that were seen but are not declared. `lenient` marks a required member that real
    clients leave out, `callback_url` one that a workflow engine fills in, `double_encoded` a path value that clients
    percent-encode twice. An object with a `shorthand` may be written as a text, which is the member of that name. A
    list with `one_or_many` may be written as its only value. A null raises `null_error`; without one it counts as left
    out.

    `pattern`, `shortest`, `least`, `most`, `most_items` and `grammar` say which values a request may have, beyond what
    the real connector's description says. They fill the document; the functions that read a value enforce them.
    """

    format: str | None = None
    names: type[IntEnum] | None = None
    numbers: type[IntEnum] | None = None
    default: Any = None
    separator: str | None = None
    read_only: bool = False
    key: str | None = None
    location: str = "query"
    hidden: bool = False
    values_from: str | None = None
    known: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    lenient: bool = False
    callback_url: bool = False
    double_encoded: bool = False
    shorthand: str | None = None
    one_or_many: bool = False
    pattern: str | None = None
    shortest: int | None = None
    least: int | None = None
    most: int | None = None
    most_items: int | None = None
    grammar: str | None = None
    null_error: Callable[[], ConnectorError] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Let pydantic check the names of an enumeration, the range of an integer and the forms of bytes."""
        inner = handler(source)
        if self.format == "int32":
            inner = {"type": "function-after", "function": {"type": "no-info", "function": _int32}, "schema": inner}
        for check in (_named(self.names), _bytes_as_text if self.format == "byte" else None):
            if check is not None:
                inner = {"type": "function-before", "function": {"type": "no-info", "function": check}, "schema": inner}
        return inner


Int32 = Annotated[int, Schema(format="int32")]
Int64 = Annotated[int, Schema(format="int64")]
Double = Annotated[float, Schema(format="double")]
DateTime = Annotated[str, Schema(format="date-time")]
Uri = Annotated[str, Schema(format="uri")]
Html = Annotated[str, Schema(format="html")]
Email = Annotated[str, Schema(format="email")]
Emails = Annotated[str, Schema(format="email", separator=";", pattern=addresses.LIST_PATTERN, grammar="addresses")]
"""Several mail addresses in one string, split by semicolons."""
FilledEmails = Annotated[
    str, Schema(format="email", separator=";", pattern=addresses.FILLED_PATTERN, grammar="addresses")
]
"""The same, at least one address."""
Filled = Annotated[str, Schema(shortest=1)]
Time = Annotated[str, Schema(pattern=isotimes.PATTERN, grammar="iso-8601")]
"""A date, or a date and time, in ISO 8601."""
EventTime = Annotated[str, Schema(format="date-time", pattern=isotimes.PATTERN, grammar="iso-8601")]
"""The same, where the connector's description says so."""
Size = Annotated[int, Schema(format="int32", least=0)]
"""A number of items or minutes."""
ImportanceName = Annotated[str, Schema(names=enums.Importance)]
ImportanceNumber = Annotated[int, Schema(format="int32", numbers=enums.Importance)]

T = TypeVar("T")

ROOT: Final = "{root}"
"""Stands for the URL of the connection as the client reached it, `http://host/apim/outlook/id`."""


class Reply(NamedTuple, Generic[T]):
    """A response with headers or a status of its own. Without a `status` it has the operation's.

    A text as `body` is sent as it is, with a content type among the headers. Headers and the body's members may start
    with `ROOT`, which the connector replaces.
    """

    body: T | None
    headers: Mapping[str, str] = {}
    status: int | None = None


REQUIRED: Final = object()
"""The default of a required parameter."""


class Parameter(Frozen):
    """A query or header parameter: its wire name, its keyword in the mailbox function, and its type."""

    name: str
    keyword: str
    type: type
    schema: Schema
    default: Any

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def read(self, text: str) -> Any:
        """The typed value of `text`. An empty one counts as left out, since clients send it for cleared fields."""
        if text == "":
            if self.required:
                raise InvalidRequest(f"The query parameter '{self.name}' must not be empty.")
            return self.default
        return _READERS[self.type](self, text)


def parameters_of(query: type) -> tuple[Parameter, ...]:
    """The parameters that a query class declares: annotations are names and types, class attributes defaults."""
    parameters = []
    for attribute, hint in get_type_hints(query, include_extras=True).items():
        plain, schema, _ = unwrap(hint)
        name = schema.key or camel(attribute)
        parameters.append(Parameter(name, attribute, plain, schema, getattr(query, attribute, REQUIRED)))
    return tuple(parameters)


def unwrap(hint: Any) -> tuple[Any, Schema, bool]:
    """A type hint as (plain type, schema, may it be null)."""
    nullable = False
    schema = Schema()
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *marks = get_args(hint)
            schema = next((mark for mark in marks if isinstance(mark, Schema)), schema)
        elif origin in (Union, UnionType):
            nullable = NoneType in get_args(hint)
            (hint,) = (part for part in get_args(hint) if part is not NoneType)
        # By name, since `typing` and `typing_extensions` each have their own.
        elif str(origin).endswith(("typing.Required", "typing.NotRequired", "extensions.NotRequired")):
            (hint,) = get_args(hint)
        else:
            return hint, schema, nullable


def read_flag(text: str) -> bool | None:
    """A boolean as clients write it: .NET and Power Fx `True`, Python `true`. None if it is not a boolean."""
    return _FLAGS.get(text.lower())


def _named(names: type[IntEnum] | None) -> Callable[[Any], Any] | None:
    if names is None:
        return None

    def check(value: Any) -> Any:
        # Only plain values: a deeply nested one cannot be converted to text.
        name = _choices(names).get(str(value).strip().lower()) if isinstance(value, str | int) else None
        if name is None:
            raise ValueError(f"must be one of {', '.join(names.__members__)}")
        return name

    return check


def _int32(value: int) -> int:
    if value not in _INT32:
        raise ValueError("must fit into 32 bits")
    return value


def _bytes_as_text(value: Any) -> Any:
    """Bytes as a data URI. Logic Apps writes them as an object with content and type."""
    if isinstance(value, dict) and isinstance(content := value.get("$content"), str):
        declared = value.get("$content-type")
        return f"data:{declared if isinstance(declared, str) else ''};base64,{content}"
    return value


_FLAGS = {"true": True, "false": False, "1": True, "0": False}
_INT32 = range(-(2**31), 2**31)


def _read_bool(parameter: Parameter, text: str) -> bool:
    flag = read_flag(text.strip())
    if flag is None:
        raise InvalidRequest(f"The query parameter '{parameter.name}' must be true or false, not '{text[:100]}'.")
    return flag


def _read_int(parameter: Parameter, text: str) -> int:
    digits = text.strip()
    # Checked before `int`, which also takes underscores and the digits of any script.
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", digits) or int(digits) not in _INT32:
        raise InvalidRequest(f"The query parameter '{parameter.name}' must be an integer, not '{text[:100]}'.")
    return int(digits)


def _read_text(parameter: Parameter, text: str) -> str:
    names = parameter.schema.names
    if names is None:
        return text
    return choice(names, text, f"The query parameter '{parameter.name}'")


_READERS: dict[type, Callable[[Parameter, str], Any]] = {bool: _read_bool, int: _read_int, str: _read_text}


def choice(names: type[IntEnum], text: str, where: str) -> str:
    """The wire name of a member of an enumeration; `text` is the name in any case, or the integer.

    Integers are accepted since one generation of published clients sends `importance=0` for Any.
    """
    name = _choices(names).get(text.strip().lower())
    if name is None:
        raise InvalidRequest(f"{where} must be one of {', '.join(names.__members__)}, not '{text[:100]}'.")
    return name


@cache
def _choices(names: type[IntEnum]) -> Mapping[str, str]:
    by_name = {name.lower(): name for name in names.__members__}
    return by_name | {str(member.value): name for name, member in names.__members__.items()}


def snake_case(name: str) -> str:
    """A wire name as a keyword: `messageId` is `message_id`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def shape_name(shape: Any) -> str:
    """The name of a shape in the Swagger document: `Outer[Inner]` for a generic one."""
    origin = get_origin(shape)
    if origin is None:
        return str(shape.__name__)
    return f"{origin.__name__}[{', '.join(shape_name(part) for part in get_args(shape))}]"


def members_of(shape: Any) -> dict[str, Any]:
    """The members of a shape and their type hints, with the type variables of a generic one filled in."""
    origin = get_origin(shape) or shape
    hints = get_type_hints(origin, include_extras=True)
    if origin is shape:
        return hints
    filled = dict(zip(origin.__parameters__, get_args(shape), strict=True))
    return {name: _fill(hint, filled) for name, hint in hints.items()}


def required_members(shape: Any) -> tuple[str, ...]:
    """The members that a request must have: those marked `Required`, also in a shape that is total for responses."""
    return tuple(name for name, hint in members_of(shape).items() if get_origin(hint) is Required)


def _fill(hint: Any, filled: Mapping[Any, Any]) -> Any:
    if hint in filled:
        return filled[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(filled[parameter] for parameter in parameters)] if parameters else hint


def is_shape(hint: Any) -> bool:
    return is_typeddict(get_origin(hint) or hint)
