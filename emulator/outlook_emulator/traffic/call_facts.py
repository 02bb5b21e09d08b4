"""What is known of a call, and what it can be compared with: rules ask before it runs, the journal asks afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from outlook_emulator.errors import InvalidRequest

_NAME, _STARS = re.compile(r"\{\w+\}"), re.compile(r"\*+")
_WORD = "\0"
"""Stands for a text without a slash; no pattern can hold it, since no path does."""


class CallFacts:
    """A call as a match looks at it; query and body are only read when something asks for them.

    `operation` and `family` are empty for a call that no operation of the connector answers.
    """

    def __init__(
        self, *, connection: str, operation: str, family: str, method: str, path: str, query: bytes, body: bytes
    ) -> None:
        self.connection = connection
        self.operation = operation
        self.family = family
        self.method = method
        self.path = path
        self._query = query
        self._body = body

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query by names in lower case; of a repeated one the first, as the connector reads it."""
        pairs = parse_qsl(self._query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
        return {name.lower(): value for name, value in reversed(pairs)}

    @cached_property
    def body(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return orjson.loads(self._body)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which calls are meant: all that is given must fit. Texts compare without case, and `*` stands for anything.

    `path` starts below the connection id. `query` holds patterns by parameter, `body` by member, with dots between
    the names of nested ones; members compare without case and underscores, as the connector reads them.
    """

    connection: str | None = None
    operations: frozenset[str] = frozenset()
    family: str | None = None
    method: str | None = None
    path: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)

    def differs(self, call: CallFacts) -> Iterator[str]:
        """The names of the members that do not fit a call, cheap ones first."""
        if self.connection is not None and self.connection != call.connection:
            yield "connection"
        if self.operations and call.operation.lower() not in self.operations:
            yield "operation"
        if self.family is not None and self.family.lower() != call.family.lower():
            yield "family"
        if self.method is not None and self.method.upper() != call.method:
            yield "method"
        if self.path is not None and not like(self.path, call.path):
            yield "path"
        for name, pattern in self.query.items():
            if (given := call.query.get(name.lower())) is None or not like(pattern, given):
                yield f"query.{name}"
        for name, pattern in self.body.items():
            if not any(like(pattern, one) for one in _members(call.body, name)):
                yield f"body.{name}"

    def fits(self, call: CallFacts) -> bool:
        return next(self.differs(call), None) is None


def patterns(part: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The patterns of a part of a match as texts; what is none is compared as JSON writes it. Raises InvalidRequest."""
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise InvalidRequest(f"'{part}.{name[:100]}' must be a text, a number or a boolean.")
    return {name: one if isinstance(one, str) else orjson.dumps(one).decode() for name, one in given.items()}


def like(pattern: str, value: object) -> bool:
    """Whether a value is what a pattern says: texts by the pattern, all else by how JSON writes it."""
    text = value if isinstance(value, str) else orjson.dumps(value, default=repr).decode()
    return _pattern(pattern).fullmatch(text) is not None


def meet(one: str, other: str) -> bool:
    """Whether some text fits both of two patterns. In the first, a `{name}` stands for anything without a slash."""
    return _meet(_NAME.sub(_WORD, one).lower(), _STARS.sub("*", other).lower())


def path_below(raw_path: bytes, prefix: bytes, has_connection: bool) -> str:
    """The path of a call as a match sees it: below the connection id, decoded once, slashes single."""
    parts = [unquote(part) for part in raw_path[len(prefix) :].decode("latin-1").split("/") if part]
    return "/" + "/".join(parts[1:] if has_connection else parts)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    first, *rest = (re.escape(part) for part in pattern.split("*"))
    # What lies between two stars is where it first comes, for good: trying all other places would take ages.
    between = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(first + between + "".join(f".*{part}" for part in rest[-1:]), re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=4096)
def _meet(one: str, other: str) -> bool:
    """By the reachable places in the second pattern, kept while the first is walked through."""
    places = _onward(other, {0})
    for message_view in one:
        if message_view == _WORD:
            places = {at for place in places for at in _within_word(other, place)}
            continue
        if message_view == "*":
            places = set(range(min(places, default=len(other) + 1), len(other) + 1))
            continue
        stays = {at for at in places if at < len(other) and other[at] == "*"}
        steps = {at + 1 for at in places if at < len(other) and other[at] == message_view}
        places = _onward(other, stays | steps)
    return len(other) in places


def _onward(pattern: str, places: set[int]) -> set[int]:
    found = set(places)
    for at in places:
        while at < len(pattern) and pattern[at] == "*":
            at += 1
            found.add(at)
    return found


def _within_word(pattern: str, place: int) -> Iterator[int]:
    """Where in a pattern one can be after a text without a slash."""
    yield place
    for at in range(place, len(pattern)):
        if pattern[at] == "/":
            return
        yield at + 1


def _members(body: Any, name: str) -> Iterator[Any]:
    """What a body has under a dotted name; of a list what any of its entries has."""
    head, _, rest = name.partition(".")
    for one in body if isinstance(body, list) else [body]:
        if not isinstance(one, dict):
            continue
        for key, value in one.items():
            if folded(key) == folded(head):
                yield from _members(value, rest) if rest else [value]


def folded(name: str) -> str:
    """A member's name as the connector compares it."""
    return name.replace("_", "").lower()
