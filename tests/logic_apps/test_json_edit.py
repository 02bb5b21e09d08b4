"""Lenient JSON parsing with the position of each value, and edits that change one place only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.logic_apps import json_edit
from outlook_emulator.logic_apps.json_edit import Value

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def read(text: str, value: Value) -> Any:
    """Parse the text at a value's position with the standard library."""
    return json.loads(text[value.start : value.end])


def members(value: Value) -> Iterator[tuple[str, Value]]:
    """Yield every member of an object and of the objects in it."""
    for member in value.members or ():
        yield member.name, member.value
        yield from members(member.value)


@pytest.mark.slow
@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_positions(value: Any, indent: Any, ascii: bool) -> None:
    """All output of `json.dumps` is parsed, and each member has the right position."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    parsed = json_edit.parse(text)

    assert (0, len(text)) == (parsed.start, parsed.end)
    if isinstance(value, dict):
        assert value == {member.name: read(text, member.value) for member in parsed.members or ()}
    elif isinstance(value, str):
        assert value == parsed.string


@pytest.mark.slow
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Any text is either parsed or rejected with ValueError."""
    with suppress(ValueError):
        assert json_edit.parse(text).end <= len(text)


@pytest.mark.slow
@given(st.dictionaries(st.text(), VALUES, min_size=1), st.sampled_from([None, 2]), st.data())
def test_replaced(value: dict[str, Any], indent: Any, data: st.DataObject) -> None:
    """Replacing a value leaves all other values unchanged."""
    text = json.dumps(value, indent=indent)
    name = data.draw(st.sampled_from(sorted(value)))
    (old,) = [member.value for member in json_edit.parse(text).members or () if member.name == name]

    assert {**value, name: [1]} == json.loads(json_edit.replaced(text, old, "[1]"))


@pytest.mark.slow
@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 2]))
def test_with_member(value: dict[str, Any], indent: Any) -> None:
    """A new member is added last, and all others stay unchanged."""
    text = json.dumps(value, indent=indent)
    value.pop("new", None)
    edited = json_edit.with_member(text, json_edit.parse(text), "new", "[1]")

    assert {**value, "new": [1]} == json.loads(edited)


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"a": {"b": 1}}',
        ' { "a" : {"b": 1 , } , } \r\n',
        '// one\n{/* two */"a"/**/:/***/{"b"://\n1}}// three',
        '{"a": {"b": 1}} /* * / ** */',
    ],
)
def test_leniency(text: str) -> None:
    """A byte order mark, comments and trailing commas are accepted."""
    by_name = dict(members(json_edit.parse(text)))

    assert ["a", "b"] == list(by_name)
    assert "1" == text[by_name["b"].start : by_name["b"].end]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a value at line 1, column 1"),
        ("{", "expected a string at line 1, column 2"),
        ('{"a" 1}', "expected a colon at line 1, column 6"),
        ('{"a": 1 "b": 2}', "expected a comma or } at line 1, column 9"),
        ("[1 2]", "expected a comma or ] at line 1, column 4"),
        ("[,]", "expected a value at line 1, column 2"),
        ("{,}", "expected a string at line 1, column 2"),
        ('{"a": 1,,}', "expected a string at line 1, column 9"),
        ("{'a': 1}", "expected a string at line 1, column 2"),
        ('"a\nb"', "expected a string at line 1, column 1"),
        ('"\\x"', "expected a string without unknown escapes at line 1, column 1"),
        ("[\n1,\n  nul]", "expected a value at line 3, column 3"),
        ("NaN", "expected a value at line 1, column 1"),
        ("01", "expected the end of the text at line 1, column 2"),
        ("1 2", "expected the end of the text at line 1, column 3"),
        ("/* 1", "expected a value at line 1, column 1"),
        ("/ 1", "expected a value at line 1, column 1"),
        ("[" * 2000 + "]" * 2000, "expected less than 100 nested values at line 1, column 102"),
    ],
)
def test_invalid_json(text: str, expected: str) -> None:
    """Invalid JSON is rejected with the position and what was expected there."""
    with pytest.raises(ValueError) as refused:
        json_edit.parse(text)

    assert expected == str(refused.value)


def test_get() -> None:
    """The last of several members with the same name wins; a name in another case matches only if no exact one does."""
    text = '{"A": 1, "a": 2, "a": 3, "B": 4, "b": null}'
    parsed = json_edit.parse(text)
    values = {name: parsed.get(name) for name in ("a", "A", "B", "c")}

    assert {"a": 3, "A": 1, "B": 4, "c": None} == {name: value and read(text, value) for name, value in values.items()}
    last = json_edit.parse('{"X": 1, "x": 2}').get("x")
    assert last is not None
    assert json_edit.parse("[]").get("a") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"n": 0}'),
        ("{ }", '{"n": 0 }'),
        ("{ // none\n}", '{"n": 0 // none\n}'),
        ('{"a":1}', '{"a":1, "n":0}'),
        ('{"a": 1, }', '{"a": 1, "n": 0, }'),
        ('{\r\n\t"a" : 1\r\n}', '{\r\n\t"a" : 1,\r\n\t"n" : 0\r\n}'),
        ('{\n\n  "a": 1 // one\n}', '{\n\n  "a": 1,\n  "n": 0 // one\n}'),
        ('{"a"/**/:1}', '{"a"/**/:1, "n": 0}'),
    ],
)
def test_format_of_a_new_member(text: str, expected: str) -> None:
    """A new member is formatted like the existing members."""
    assert expected == json_edit.with_member(text, json_edit.parse(text), "n", "0")


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("{}", '{"x": "1", "y": "2"}'),
        ('{"a":1}', '{"x":"1", "y":"2"}'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "x": "1",\r\n  "y": "2"\r\n}'),
        ('{\n  "a": 1}', '{\n  "x": "1",\n  "y": "2"}'),
        ('{"a": 1\n}', '{"x": "1", "y": "2"}'),
        ("[\n1]", '{"x": "1", "y": "2"}'),
    ],
)
def test_format_of_a_replacement(old: str, expected: str) -> None:
    """A replacement object is formatted like the original."""
    assert expected == json_edit.object_like(old, json_edit.parse(old), {"x": "1", "y": "2"})


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('{"a": 1}', "a", "{}"),
        ('{"a": 1,}', "a", "{}"),
        ('{\n  "a": 1,\n  "b": 2\n}', "a", '{\n  "b": 2\n}'),
        ('{\n  "a": 1, // one\n  "b": 2\n}', "b", '{\n  "a": 1\n}'),
        ('{\n  "a": 1,\n  "b": {"x": [1, 2]},\n  "c": 3\n}', "b", '{\n  "a": 1,\n  "c": 3\n}'),
    ],
)
def test_without_member(text: str, name: str, expected: str) -> None:
    """A member is removed along with one comma, and the text stays valid."""
    shorter = json_edit.without_member(text, json_edit.parse(text), name)

    assert expected == shorter
    json_edit.parse(shorter)


@pytest.mark.parametrize("text", ["{}", '{"a": 1}', '{\n  "a": 1\n}', '{\r\n\t"a": {},\r\n\t"b": "x" // b\r\n}'])
def test_member_added_and_removed(text: str) -> None:
    """Removing a member that was added gives the same text, but for comments after the last member."""
    longer = json_edit.with_member(text, json_edit.parse(text), "new", '"x"')

    assert text == json_edit.without_member(longer, json_edit.parse(longer), "new")


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ('{"a": "x", "b": {}}', '{ "b":{},\n"a":"\\u0078" }', True),
        ('{"a": "x"}', '{"a": "y"}', False),
        ('"1"', "1", False),
        ("1", "1 // one", True),
        ("{}", "nonsense", False),
    ],
)
def test_same(text: str, other: str, expected: bool) -> None:
    """Two texts mean the same whatever their layout is."""
    assert expected == json_edit.same(text, json_edit.parse(text), other)


def test_at() -> None:
    """A path of names leads to a value, or to nothing."""
    root = json_edit.parse('{"a": {"B": "x"}}')

    value = root.at(("a", "b"))
    assert value is not None
    assert "x" == value.string
    assert (None, None) == (root.at(("a", "c", "d")), root.at(("x",)))
