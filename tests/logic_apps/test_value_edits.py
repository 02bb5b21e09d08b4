"""Edits of values that are taken back from a text, whatever else was edited in it."""

from __future__ import annotations

import pytest

from outlook_emulator.logic_apps.value_edits import ValueEdit, merged, revert

REPLACED = ValueEdit(("a", "b"), '"old"', '"new"')
ADDED = ValueEdit(("a", "c"), None, '{"x": "y"}')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": {"b": "new", "c": {"x": "y"}}}', '{"a": {"b": "old"}}'),
        ('{"a": {"c": {\n"x":\n"y"}, "b": "new", "d": 1}, "e": 2}', '{"a": {"b": "old", "d": 1}, "e": 2}'),
        ('{"a": {"b": "new"}}', '{"a": {"b": "old"}}'),
        ('{"a": {"b": "old", "c": {"x": "y"}}}', '{"a": {"b": "old"}}'),
    ],
)
def test_revert(text: str, expected: str) -> None:
    """Values get their originals back in any layout; values that have them already stay."""
    assert (expected, [REPLACED, ADDED], []) == tuple(revert(text, [REPLACED, ADDED]))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"a": {"b": "mine", "c": {"x": "y"}}}', [REPLACED]),
        ('{"a": {"b": "new", "c": {"x": "z"}}}', [ADDED]),
        ('{"a": {}}', [REPLACED]),
        ('{"a": 1}', [REPLACED]),
        ("[]", [REPLACED]),
    ],
)
def test_edited_values_are_kept(text: str, kept: list[ValueEdit]) -> None:
    """A value that was edited or removed since stays as it is, and is reported."""
    assert kept == revert(text, [REPLACED, ADDED]).kept


def test_revert_in_reverse_order() -> None:
    """An edit inside the new value of an earlier edit is taken back first."""
    edits = [ValueEdit(("a",), "1", '{"b": "x"}'), ValueEdit(("a", "b"), '"x"', '"y"')]

    assert '{"a": 1}' == revert('{"a": {"b": "y"}}', edits).text


def test_merged() -> None:
    """A value that two changes have in common keeps its first original and its last content."""
    later = REPLACED._replace(before='"new"', after='"newer"')

    assert [REPLACED._replace(after='"newer"'), ADDED] == merged([REPLACED], [later, ADDED])
