"""Reading shapes: type hints, members, names and the text of query parameters."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Required, TypeVar

import pytest
from typing_extensions import TypedDict

from outlook_emulator.enums import Importance, ImportanceFilter
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.wire.base import (
    REQUIRED,
    DateTime,
    Int32,
    Parameter,
    Schema,
    choice,
    is_shape,
    members_of,
    parameters_of,
    read_flag,
    required_members,
    shape_name,
    unwrap,
)

T = TypeVar("T")


class Item(TypedDict, total=False):
    Name: Required[str]
    Size: Int32 | None


class Entry(TypedDict, Generic[T]):
    Key: str
    Item: T


class Page(TypedDict, Generic[T]):
    value: Annotated[list[Entry[T]], Schema(read_only=True)]


class Filter:
    from_: str | None = None
    look_ahead_time_in_minutes: Int32 = 15
    importance: Annotated[str, Schema(names=ImportanceFilter)] = "Any"


class Query(Filter):
    folder: Annotated[str, Schema(key="$folder", location="header")]


def parameter(kind: type, default: Any = REQUIRED, **marks: Any) -> Parameter:
    return Parameter("p", "p", kind, Schema(**marks), default)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, (int, Schema(), False)),
        (str | None, (str, Schema(), True)),
        (Int32, (int, Schema(format="int32"), False)),
        (DateTime | None, (str, Schema(format="date-time"), True)),
        (Required[Annotated[str, Schema(lenient=True)]], (str, Schema(lenient=True), False)),
        (Annotated[str | None, Schema(hidden=True)], (str, Schema(hidden=True), True)),
        (Annotated[list[str], "unrelated"], (list[str], Schema(), False)),
    ],
)
def test_unwrap(hint: Any, expected: tuple[Any, Schema, bool]) -> None:
    """A type hint is unwrapped to its type, schema and nullability, in any order of nesting."""
    assert expected == unwrap(hint)


def test_parameters_of() -> None:
    """Names are in camel case unless marked, inherited parameters come first, and no default means required."""
    by_name = {parameter.name: (parameter.keyword, parameter.default) for parameter in parameters_of(Query)}

    assert by_name == {
        "from": ("from_", None),
        "lookAheadTimeInMinutes": ("look_ahead_time_in_minutes", 15),
        "importance": ("importance", "Any"),
        "$folder": ("folder", REQUIRED),
    }


@pytest.mark.parametrize("text", ["True", "true", "TRUE", " true ", "1"])
def test_true(text: str) -> None:
    """Booleans are read in all spellings that clients use."""
    assert parameter(bool).read(text) is True


@pytest.mark.parametrize("text", ["False", "false", "0"])
def test_false(text: str) -> None:
    """The text `false` is read as false, not as a non-empty text."""
    assert parameter(bool).read(text) is False


def test_invalid_boolean() -> None:
    """A text that is not a boolean is an error, not false."""
    assert read_flag("no") is None


@pytest.mark.parametrize(("text", "expected"), [("10", 10), ("-1", -1), (" 7 ", 7), ("2147483647", 2**31 - 1)])
def test_integer(text: str, expected: int) -> None:
    """32-bit integers are read, with surrounding blanks."""
    assert expected == parameter(int).read(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(bool, "maybe"), (int, "2147483648"), (int, "1.0"), (int, "١"), (int, "ten"), (int, "1" * 5000)],
)
def test_invalid_value(kind: type, text: str) -> None:
    """An invalid value is an error that names the parameter and shortens a long value."""
    with pytest.raises(InvalidRequest, match="'p'") as error:
        parameter(kind).read(text)

    assert len(error.value.message) < 200


def test_empty_value_takes_the_default() -> None:
    """An empty value means that a client has cleared the field, so the default applies."""
    assert parameter(int, default=15).read("") == 15


def test_empty_required_value() -> None:
    """An empty value for a required parameter is an error."""
    with pytest.raises(InvalidRequest, match="must not be empty"):
        parameter(str).read("")


def test_text() -> None:
    """Text is kept unchanged, including blanks."""
    assert parameter(str).read(" Inbox ") == " Inbox "


@pytest.mark.parametrize(("text", "expected"), [("high", "High"), (" HIGH", "High"), ("0", "Any")])
def test_enumerated_text(text: str, expected: str) -> None:
    """Enumerated values are read in any case or as integers, and converted to the wire spelling."""
    assert expected == parameter(str, names=ImportanceFilter).read(text)


def test_unknown_enumerated_value() -> None:
    """An unknown value is an error that lists the valid names."""
    with pytest.raises(InvalidRequest, match="Importance must be one of Low, Normal, High, not 'Urgent'"):
        choice(Importance, "Urgent", "Importance")


@pytest.mark.parametrize(
    ("shape", "expected"), [(Item, "Item"), (Page[Item], "Page[Item]"), (Page[Entry[Item]], "Page[Entry[Item]]")]
)
def test_shape_name(shape: Any, expected: str) -> None:
    """The name of a generic shape contains the names of its arguments."""
    assert expected == shape_name(shape)


def test_members_of() -> None:
    """Members keep their order and their marks."""
    assert {"Name": Required[str], "Size": Int32 | None} == members_of(Item)


def test_members_of_a_generic() -> None:
    """Type variables are replaced at any depth, and marks are kept."""
    assert {"value": Annotated[list[Entry[Item]], Schema(read_only=True)]} == members_of(Page[Item])
    assert {"Key": str, "Item": Item} == members_of(Entry[Item])


def test_required_members() -> None:
    """Only members marked as required are required, whether the shape is total or not."""
    assert required_members(Item) == ("Name",)
    assert required_members(Entry[Item]) == ()


@pytest.mark.parametrize(("hint", "expected"), [(Item, True), (Page[Item], True), (list[Item], False), (str, False)])
def test_is_shape(hint: Any, expected: bool) -> None:
    """Lists of shapes and plain types are not shapes."""
    assert expected is is_shape(hint)
