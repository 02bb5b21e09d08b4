"""Answers of the admin API as text for people: tables, lists of facts, single cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def table(rows: Iterable[Row], columns: Mapping[str, str | Callable[[Row], Any]]) -> Iterator[str]:
    """A line of headings and one for each row; a column is the name of a member, or what makes a value from a row."""
    lines = [list(columns)]
    for row in rows:
        made = (row.get(one) if isinstance(one, str) else one(row) for one in columns.values())
        lines.append([cell(one) for one in made])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(f"{one:{width}}" for one, width in zip(line, widths, strict=True)).rstrip()


def facts(values: Row) -> Iterator[str]:
    """A line for each name and its value."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        yield f"{name:{width}}  {cell(value)}"


def cell(value: Any) -> str:
    """A value on one line, without what could steer a terminal: texts come from mails."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        value = ", ".join(map(str, value))
    elif not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return "".join(one if one.isprintable() else " " for one in value)


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
