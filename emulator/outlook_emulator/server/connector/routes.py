"""Finds the operation for a method and a path; fixed words are tried before parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from outlook_emulator.errors import InvalidRequest, MethodNotAllowed, NoSuchOperation
from outlook_emulator.operations.operation import Operation

PREFIX = b"/apim/outlook/"
# Also matches parameters inside fixed text, as in OData's `tables({table})`.
_EMBEDDED = re.compile(r"(?P<before>[^{}]*)\{(?P<name>\w+)\}(?P<after>[^{}]*)")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
MAX_SEGMENT = 4096
_LONGEST_HINT = 200
"""The most characters of an unknown path that are compared with the known ones: comparing is slow."""


class _Node:
    """A node in the tree of paths: its fixed words, its parameters, and the operations whose path ends here."""

    __slots__ = ("literals", "parameters", "rows")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameters: dict[tuple[str, str], _Node] = {}
        self.rows: dict[str, Operation] = {}


class Routes:
    """Finds the operation for a request. Each path has one node, so that an error can list the methods of the path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        self._paths: dict[str, str] = {}
        for operation in operations:
            self._node(operation).rows[operation.method] = operation
            self._paths[operation.full_path.lower()] = operation.full_path

    def match(self, method: str, segments: list[str]) -> tuple[Operation, list[str]]:
        """The operation and the raw values of its path parameters, in order.

        `segments` are the parts of the raw path, still percent-encoded. Fixed words match in any case and before
        ids, and an empty part matches nothing. Raises NoSuchOperation, and MethodNotAllowed where the path is known.
        """
        values: list[str] = []
        node = _walk(self._root, segments, 0, values)
        if node is None:
            raise NoSuchOperation("/" + "/".join(segments), self._hint(segments))
        # No second look for an id that equals a fixed word: the method is wrong for the path as it was meant.
        operation = node.rows.get(method)
        if operation is None:
            raise MethodNotAllowed(method, node.rows)
        return operation, values

    def _hint(self, segments: list[str]) -> str:
        """A known path that resembles the one of a request, for a caller who mistyped it."""
        from difflib import get_close_matches

        if len(segments) < 2:
            return ""
        path = "/".join(["/{connectionid}", *segments[1:]]).lower()[:_LONGEST_HINT]
        near = get_close_matches(path, self._paths, n=1, cutoff=0.8)
        return f"Did you mean '{self._paths[near[0]]}'?" if near else ""

    def _node(self, operation: Operation) -> _Node:
        node = self._root
        for segment in operation.full_path.strip("/").split("/"):
            if embedded := _EMBEDDED.fullmatch(segment):
                key = (embedded["before"].lower(), embedded["after"].lower())
                node = node.parameters.setdefault(key, _Node())
            else:
                node = _literal(node, segment)
        return node


def _literal(node: _Node, segment: str) -> _Node:
    return node.literals.setdefault(segment.lower(), _Node())


def _walk(node: _Node, segments: list[str], index: int, values: list[str]) -> _Node | None:
    if index == len(segments):
        return node if node.rows else None
    segment = segments[index]
    # What an unset variable of the caller leaves behind is no id.
    if not segment:
        return None
    word = unquote(segment).lower() if "%" in segment else segment.lower()
    literal = node.literals.get(word)
    # If the fixed word leads nowhere, the segment may be an id that looks like it.
    if literal is not None and (match := _walk(literal, segments, index + 1, values)):
        return match
    for (before, after), child in node.parameters.items():
        value = _between(segment, before, after)
        if value is None:
            continue
        values.append(value)
        if match := _walk(child, segments, index + 1, values):
            return match
        values.pop()
    return None


def _between(segment: str, before: str, after: str) -> str | None:
    """The raw value between two fixed texts of a segment, which may be percent-encoded themselves."""
    if not before and not after:
        return segment
    for text in (segment, unquote(segment)):
        end = len(text) - len(after)
        if end > len(before) and text[: len(before)].lower() == before and text[end:].lower() == after:
            return text[len(before) : end]
    return None


def decode_path_value(raw: str, name: str) -> str:
    """A decoded path value. Clients percent-encode it once, twice or not at all; `+` never stands for a blank.

    Published clients encode calendar and contact ids twice and message ids once, and the Python client encodes none.
    So decoding is repeated while an escape is left, at most twice. Raises InvalidRequest if the value is not UTF-8.
    """
    value = raw
    for _ in range(2):
        if "%" not in value or not _ESCAPE.search(value):
            break
        try:
            value = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise InvalidRequest(f"The path parameter '{name}' is not UTF-8.") from None
    if not value or len(value) > MAX_SEGMENT or "\x00" in value:
        raise InvalidRequest(f"The path parameter '{name}' must have 1 to {MAX_SEGMENT} characters.")
    return value
