"""Reads a query string against the parameters that an operation declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote, unquote_plus

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.recent import Recent
from outlook_emulator.wire.base import Parameter
from outlook_emulator.wire.body import Unknown, ignore

Header = Callable[[str], str | None]
_KEPT = 64
"""How many queries each reader remembers: a workflow sends the same one again and again."""
_LONGEST_KEPT = 500
_LONGEST_SPLIT = 1000
_split: Recent[tuple[bytes, str], tuple[list[bytes], list[str]]] = Recent(256)
"""The last results of `split_off` for queries up to that length: each poll needs one several times."""


class QueryReader:
    """Binds the query and header parameters of an operation to the keywords of its mailbox function.

    Names match in any case. The first of a repeated name counts. `cursor` is a parameter that others read.
    """

    def __init__(self, parameters: Sequence[Parameter], cursor: str | None = None) -> None:
        self._cursor = cursor
        self._kept: Recent[bytes, dict[str, Any]] = Recent(_KEPT)
        self._by_name = {
            parameter.name.lower(): parameter for parameter in parameters if parameter.schema.location == "query"
        }
        self._headers = [parameter for parameter in parameters if parameter.schema.location == "header"]
        self._defaults = {parameter.keyword: parameter.default for parameter in parameters if not parameter.required}
        self._required = [parameter for parameter in parameters if parameter.required]

    def read(self, raw: bytes, header: Header, unknown: Unknown = ignore) -> dict[str, Any]:
        """The keywords and their values, defaults included.

        Raises InvalidRequest, naming the parameter, and what `unknown` raises. By default, unknown names are ignored,
        since public workflows send some.
        """
        if self._cursor is not None:
            # The cursor, which each poll changes, is read elsewhere.
            others, _ = split_off(raw, self._cursor)
            raw = b"&".join(others)
        kept = self._kept.get(raw)
        values = (self._read(raw, unknown) if kept is None else kept).copy()
        for parameter in self._headers:
            if (value := header(parameter.name)) is not None:
                values[parameter.keyword] = parameter.read(value)
        for parameter in self._required:
            if parameter.keyword not in values:
                raise InvalidRequest(f"The query parameter '{parameter.name}' is required.")
        return values

    def _read(self, raw: bytes, unknown: Unknown) -> dict[str, Any]:
        values = self._defaults.copy()
        seen: set[str] = set()
        is_kept = len(raw) <= _LONGEST_KEPT
        for name, text in pairs(raw) if raw else ():
            parameter = self._by_name.get(name)
            if parameter is None:
                self._report(name, unknown)
                # So that the next request is warned as well.
                is_kept = False
            elif name not in seen:
                seen.add(name)
                values[parameter.keyword] = parameter.read(text)
        if is_kept:
            self._kept.keep(raw, values)
        return values

    def _report(self, name: str, unknown: Unknown) -> None:
        known = [*(parameter.name for parameter in self._by_name.values()), *filter(None, (self._cursor,))]
        if name and name not in map(str.lower, known):
            unknown("The operation has no query parameter", name, known)


def split_off(raw: bytes, name: str) -> tuple[list[bytes], list[str]]:
    """All other parts of a query, and the values of a parameter, as the client wrote them.

    The name is case-sensitive. An empty part counts, such as the one at the end of `a=1&`.
    """
    key = raw, name
    known = _split.get(key)
    if known is None:
        others: list[bytes] = []
        values: list[str] = []
        for part in raw.split(b"&") if raw else ():
            written, _, value = part.decode("latin-1").partition("=")
            if (unquote(written) if "%" in written else written) == name:
                values.append(value)
            else:
                others.append(part)
        known = others, values
        if len(raw) <= _LONGEST_SPLIT:
            _split.keep(key, known)
    return known


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """The names, in lower case, and values of a query string. Raises InvalidRequest if it is not UTF-8."""
    decoded = []
    try:
        for part in raw.decode("ascii", errors="surrogateescape").split("&"):
            name, _, value = part.partition("=")
            decoded.append((_decoded(name).lower(), _decoded(value)))
    except UnicodeError:
        raise InvalidRequest("The query string is not UTF-8.") from None
    return decoded


def _decoded(text: str) -> str:
    if text.isascii():
        # Checked first, since few values have escapes, and decoding takes longer than the check.
        return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text
    # Bytes that a client left unescaped.
    return unquote_plus(text.encode("ascii", errors="surrogateescape").decode("utf-8"), errors="strict")
