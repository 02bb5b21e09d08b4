"""The text output of the commands: tables, fields and single values."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_emulator.cli import output


def test_table() -> None:
    """Columns are as wide as their longest value or heading, without trailing spaces."""
    rows: list[dict[str, Any]] = [{"a": "long one", "b": 1}, {"a": "x"}]
    lines = list(output.table(rows, {"A": "a", "TWICE": lambda row: row.get("b", 0) * 2, "B": "b"}))

    assert ["A         TWICE  B", "long one  2      1", "x         0      -"] == lines


def test_fields() -> None:
    """Names are aligned, and an empty record prints no lines."""
    assert ["a   1", "bc  -"] == list(output.fields({"a": 1, "bc": None}))
    assert [] == list(output.fields({}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (0, "0"),
        (2.5, "2.5"),
        (True, "yes"),
        (False, "no"),
        (["a", "b"], "a, b"),
        ({"a": ["é"]}, '{"a": ["é"]}'),
        ([{"a": 1}], '[{"a": 1}]'),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ({"a": "\x1b"}, '{"a": "\\u001b"}'),
    ],
)
def test_cell(value: Any, expected: str) -> None:
    """A value is one line without control characters."""
    assert expected == output.cell(value)


def test_count() -> None:
    """A count uses the singular for one and the plural otherwise."""
    assert ["0 mails", "1 mail", "2 mails"] == [output.count(number, "mail") for number in range(3)]
