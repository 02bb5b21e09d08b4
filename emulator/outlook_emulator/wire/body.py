"""Reads JSON bodies against their shapes, as leniently as real clients require."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NotRequired, get_args, get_origin

import orjson
from typing_extensions import TypedDict

from outlook_emulator.content_limits import ITEMS
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.wire.base import Schema, is_shape, members_of, required_members, shape_name, unwrap
from outlook_emulator.wire.large_json import LARGE_JSON, LongText, joined, read_large_json

if TYPE_CHECKING:
    from pydantic import ValidationError

_BYTES = "byte"
"""The format of members that hold bytes in base64."""
_TIME = "iso-8601"
"""The grammar of members that hold a date, or a date and time."""
_SIMPLE_TYPES = (str, bool)
Unknown = Callable[[str, str, Iterable[str]], object]
"""Is called for each name that is not declared, and may raise an error.

It gets the start of a sentence about the name, the name, and the names that are declared.
"""


def ignore(problem: str, name: str, known: Iterable[str]) -> None:
    """Accept an unknown name."""


class _Member(NamedTuple):
    name: str
    schema: Schema
    nested: Any
    is_list: bool
    is_nullable: bool
    simple_type: type | None
    """The type of values that are valid without a further look."""
    empty_is_null: bool
    """Whether an empty text counts as null, as it does where the member is no text and may be left out."""


class BodyReader:
    """Reads bodies of one shape: ignores case and underscores in names, and drops unknown members and most nulls.

    The published Python client writes snake_case names where its generator lost the wire names, and workflow samples
    write lower-case ones. Pydantic checks the rest. Workflow engines write an empty text where an expression has no
    value, and .NET reads it as null where it expects a date, a number, a boolean, a list or an object.

    A `partial` body is a patch: nothing in it is required, and a null clears a member that may be null. In a `strict`
    body unknown members are errors.
    """

    def __init__(self, shape: Any, partial: bool = False, strict: bool = False) -> None:
        self._members = _members(shape)
        self._by_name = {member.name: member for member in self._members.values()}
        self._defaults = {
            member.name: member.schema.default for member in self._members.values() if member.schema.default is not None
        }
        self._partial = partial
        self._strict = strict
        self._required = () if partial else required_members(shape)
        self._lenient = {member.name for member in self._members.values() if member.schema.lenient}
        # Here, since the import takes a good part of the start of a server, and the first body may come much later.
        from pydantic import TypeAdapter, ValidationError

        adapter: TypeAdapter[Any] = TypeAdapter(_loose(shape))
        self._check = adapter.validator.validate_python
        self._failure = ValidationError
        self._simple = {member.name: member.simple_type for member in self._members.values()}
        self._choices = {
            member.name: frozenset(member.schema.names.__members__)
            for member in self._members.values()
            if member.schema.names is not None
        }

    def read(self, data: bytes, unknown: Unknown = ignore) -> Any:
        """The body in its shape. Raises InvalidRequest, naming the property, and what `unknown` raises."""
        # A reader of JSON may ignore a byte order mark (RFC 8259, section 8.1).
        data = data.removeprefix(b"\xef\xbb\xbf")
        try:
            parsed = orjson.loads(data) if len(data) < LARGE_JSON else read_large_json(data)
        except ValueError as error:
            raise InvalidRequest(f"The request body is not valid JSON: {error}.") from None
        simple = self._simple_body(parsed)
        if simple is not None:
            return simple
        named = self.rename(parsed, "", unknown)
        try:
            return self._check(named)
        except self._failure as error:
            raise _invalid(error) from None

    def _simple_body(self, parsed: Any) -> dict[str, Any] | None:
        """The body if it has exact names, and values that need no further look, as most bodies do; else None."""
        if type(parsed) is not dict:
            return None
        named = self._defaults.copy()
        for name, value in parsed.items():
            simple_type = self._simple.get(name)
            if simple_type is None:
                if type(value) is not str or value not in self._choices.get(name, ()):
                    return None
            elif type(value) is not simple_type:
                return None
            named[name] = value
        for name in self._required:
            if name not in named:
                return None
        return named

    def rename(self, parsed: Any, path: str, unknown: Unknown) -> dict[str, Any]:
        """An object with wire names and defaults, without nulls; `path` says where it stands in the body."""
        if not isinstance(parsed, dict):
            raise InvalidRequest(f"The {_place(path)} must be a JSON object.")
        named = self._defaults.copy()
        for key, value in parsed.items():
            # The exact name first, since most clients send it.
            member = self._by_name.get(key) or self._members.get(_folded(key))
            if member is None and self._strict:
                known = ", ".join(known.name for known in self._members.values())
                raise InvalidRequest(f"The {_place(path)} has no member '{key[:100]}'. It may have: {known}.")
            if member is None:
                names = [known.name for known in self._members.values()]
                unknown(f"The {_place(path)} has no member", key, names)
                continue
            if value == "" and member.empty_is_null and not self._strict:
                value = None
            if value is not None:
                named[member.name] = self._rename_nested(member, value, path, unknown)
            elif self._partial and member.is_nullable:
                named[member.name] = None
            elif member.schema.null_error is not None:
                raise member.schema.null_error()
        for name in self._required:
            if name not in named:
                # Public workflows were seen to leave lenient members out, such as the Body of a message.
                if name not in self._lenient:
                    raise InvalidRequest(f"The property '{path}{name}' is required.")
                named[name] = [] if self._members[_folded(name)].is_list else ""
        return named

    def _rename_nested(self, member: _Member, value: Any, path: str, unknown: Unknown) -> Any:
        if type(value) is LongText and member.schema.format != _BYTES:
            value = str(value)
        if member.schema.one_or_many and not isinstance(value, list):
            value = [value]
        if isinstance(value, list) and len(value) > ITEMS.most:
            raise TooMuchContent(f"The property '{path}{member.name}' has more than {ITEMS.most} items.")
        if member.nested is None:
            return joined(value) if type(value) in (dict, list) else value
        reader, where = reader_of(member.nested, strict=self._strict), f"{path}{member.name}"
        if not member.is_list:
            return reader.rename(_spelled_out(member, value), f"{where}.", unknown)
        if not isinstance(value, list):
            raise InvalidRequest(f"The property '{where}' must be a list.")
        return [
            reader.rename(_spelled_out(member, item), f"{where}[{index}].", unknown) for index, item in enumerate(value)
        ]


class _Example(TypedDict):
    name: NotRequired[str]


def prepare() -> None:
    """Import what every reader needs. A thread can do it, and the first body then need not wait for it."""
    from pydantic import TypeAdapter

    # Pydantic imports its larger part when it is first used.
    TypeAdapter(_Example)


@cache
def reader_of(shape: Any, partial: bool = False, strict: bool = False) -> BodyReader:
    """The reader of a shape, built on first use."""
    return BodyReader(shape, partial, strict)


@cache
def _loose(shape: Any) -> Any:
    """The same shape without required members, which the reader checks itself for the sake of its error texts."""
    members = {name: NotRequired[_loose_hint(hint)] for name, hint in members_of(shape).items()}
    return TypedDict(shape_name(shape), members)  # type: ignore[operator]


def _loose_hint(hint: Any) -> Any:
    plain, schema, nullable = unwrap(hint)
    loose: Any = plain
    if get_origin(plain) is list:
        loose = list[_loose_hint(get_args(plain)[0])]  # type: ignore[misc]
    elif is_shape(plain):
        loose = _loose(plain)
    kept = Annotated[loose, schema]
    if schema.format == _BYTES:
        from pydantic import WrapValidator

        kept = Annotated[loose, schema, WrapValidator(_long_or_checked)]  # type: ignore[misc]
    return kept | None if nullable else kept


def _long_or_checked(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if type(value) is LongText else check(value)


def _members(shape: Any) -> Mapping[str, _Member]:
    members = {}
    required = required_members(shape)
    for name, hint in members_of(shape).items():
        plain, schema, is_nullable = unwrap(hint)
        is_list = get_origin(plain) is list
        inner = unwrap(get_args(plain)[0])[0] if is_list else plain
        is_time = schema.grammar == _TIME
        is_text = plain is str and schema.names is None and not is_time
        may_be_missing = name not in required
        # A time is a text to pydantic, so an empty one needs a look.
        is_simple = plain in _SIMPLE_TYPES and schema.names is None and not (is_time and may_be_missing)
        members[_folded(name)] = _Member(
            name,
            schema,
            inner if is_shape(inner) else None,
            is_list,
            is_nullable,
            plain if is_simple and schema.format != _BYTES else None,
            may_be_missing and plain is not Any and not is_text,
        )
    return members


def _spelled_out(member: _Member, value: Any) -> Any:
    shorthand = member.schema.shorthand
    return {shorthand: value} if shorthand and isinstance(value, str) else value


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _place(path: str) -> str:
    return f"property '{path[:-1]}'" if path else "request body"


def _invalid(error: ValidationError) -> InvalidRequest:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return InvalidRequest(
        f"The property '{place.removeprefix('.')}' is invalid: {first['msg'].removeprefix('Value error, ')}."
    )
