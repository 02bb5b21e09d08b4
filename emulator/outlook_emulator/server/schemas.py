"""Schemas that the JSON of limits, journal, faults and the admin API share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from outlook_emulator.wire.base import Schema


@dataclass(frozen=True, kw_only=True)
class Whole(Schema):
    """A schema of whole numbers between two bounds, written as such: no texts, no booleans, no fractions."""

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
