"""Reading a query string against the parameters a row declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote_plus

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.wire.base import Parameter

Header = Callable[[str], str | None]


class QueryReader:
    """Binds the query and header parameters that a row declares to the keywords `run` takes.

    Names match in any case and unknown ones are ignored, as public workflows send some; of a repeated one the first
    counts.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._by_name = {one.name.lower(): one for one in parameters if one.schema.location == "query"}
        self._headers = [one for one in parameters if one.schema.location == "header"]
        self._defaults = {one.keyword: one.default for one in parameters if not one.required}
        self._required = [one for one in parameters if one.required]

    def read(self, raw: bytes, header: Header) -> dict[str, Any]:
        """The keywords and their values, defaults included. Raises InvalidRequest, naming the parameter."""
        values = self._defaults.copy()
        seen: set[str] = set()
        for name, text in pairs(raw) if raw else ():
            parameter = self._by_name.get(name)
            if parameter is not None and name not in seen:
                seen.add(name)
                values[parameter.keyword] = parameter.read(text)
        for parameter in self._headers:
            if (given := header(parameter.name)) is not None:
                values[parameter.keyword] = parameter.read(given)
        for parameter in self._required:
            if parameter.keyword not in values:
                raise InvalidRequest(f"The query parameter '{parameter.name}' is required.")
        return values


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """The names, in lower case, and values of a query string. Raises InvalidRequest for what is no UTF-8."""
    found = []
    try:
        for part in raw.decode("ascii", errors="surrogateescape").split("&"):
            name, _, value = part.partition("=")
            found.append((_decoded(name).lower(), _decoded(value)))
    except UnicodeError:
        raise InvalidRequest("The query string is no UTF-8.") from None
    return found


def _decoded(text: str) -> str:
    if text.isascii():
        return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text
    # Bytes that a client left unescaped.
    return unquote_plus(text.encode("ascii", errors="surrogateescape").decode("utf-8"), errors="strict")
