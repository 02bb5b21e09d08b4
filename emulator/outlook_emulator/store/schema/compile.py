"""Compile the tables and statements to `sql.py`.

`make sql` runs it. A test fails if the file is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Index
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from outlook_emulator.store.schema import tables
from outlook_emulator.store.schema.statements import POSITIONAL, RAW_STATEMENTS, STATEMENTS

TARGET = Path(__file__).parents[1] / "sql.py"
_HEADER = '''"""The schema and all statements as SQLite text. Generated from store/schema by `make sql`."""

# ruff: noqa: E501
'''


def source() -> str:
    """The source text of `sql.py`."""
    return "\n".join((_HEADER, *_constants())) + "\n"


def _constants() -> Iterator[str]:
    yield _assign("SCHEMA", tuple(_schema()))
    for name, statement in STATEMENTS.items():
        compiled = (
            {key: _text(variant) for key, variant in statement.items()}
            if isinstance(statement, dict)
            else _text(statement, "qmark" if name in POSITIONAL else "named")
        )
        yield _assign(name, compiled)
    for name, text in RAW_STATEMENTS.items():
        yield _assign(name, text)


def _schema() -> Iterator[str]:
    for table in SQLModel.metadata.sorted_tables:
        yield _text(CreateTable(table))
        for index in sorted(table.indexes, key=_rank):
            yield _text(CreateIndex(index))
    yield " ".join(tables.SEARCH_TABLE.split())


def _rank(index: Index) -> tuple[int, str]:
    name = str(index.name)
    facets = [f"message_{facet}" for facet in tables.FACETS]
    # The order of FACETS decides which of two indexes SQLite uses; all other indexes go by name.
    return (facets.index(name) if name in facets else -1, name)


def _text(statement: Any, parameters: Literal["named", "qmark"] = "named") -> str:
    # The text alone is kept, so a value that SQLAlchemy made a parameter would be missing when the statement runs.
    compiled = statement.compile(dialect=dialect(paramstyle=parameters))
    for name, value in (getattr(compiled, "params", None) or {}).items():
        if value is not None:
            raise ValueError(f"The value {name}={value!r} would be lost. Write it as a literal.")
    return " ".join(str(compiled).split())


def _assign(name: str, value: object) -> str:
    if isinstance(value, dict):
        lines = [f"    {_quoted(key)}: {_quoted(text)}," for key, text in value.items()]
        return "\n".join([f"{name} = {{", *lines, "}"])
    if isinstance(value, tuple):
        return "\n".join([f"{name} = (", *(f"    {_quoted(text)}," for text in value), ")"])
    return f"{name} = {_quoted(str(value))}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    TARGET.write_text(source())
