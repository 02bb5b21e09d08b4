"""The definition as the generator reads it: a value has one rule, and generated values meet it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_contract import definition
from outlook_contract.generation import formats
from outlook_contract.generation.document import document


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from schemas(inner)


GRAMMARS = sorted(
    {
        (schema["x-grammar"], schema["pattern"])
        for schema in schemas(definition.load())
        if "x-grammar" in schema and isinstance(schema.get("pattern"), str)
    }
)


@pytest.mark.parametrize(("grammar", "pattern"), GRAMMARS)
@settings(max_examples=50, derandomize=True, database=None, deadline=None)
@given(data=st.data())
def test_generated_values_match_the_pattern(grammar: str, pattern: str, data: st.DataObject) -> None:
    """What is generated for a grammar matches the pattern that stands beside it."""
    assert re.search(pattern, data.draw(formats.strategies()[grammar]))


def test_a_pattern_stands_alone() -> None:
    """A list of addresses is declared as one address; the generator follows the pattern."""
    before, after = (
        next(schema for schema in schemas(whole["definitions"]["ClientSendHtmlMessage"]) if "pattern" in schema)
        for whole in (definition.load(), document())
    )

    assert ("email", "addresses") == (before["format"], after["format"])


def test_filters_are_those_of_the_table() -> None:
    """The filter of contacts names members of contacts."""
    filters = {
        parameter["format"]
        for methods in document()["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
        if parameter["name"] == "$filter"
    }

    assert {"odata-filter-events", "odata-filter-contacts"} == filters
