"""The facts of a request that fault rules and journal queries match, and the match itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.frozen import Frozen
from outlook_emulator.traffic.fault_plan import FaultMatch

_NAME, _STARS = re.compile(r"\{\w+\}"), re.compile(r"\*+")
_WORD = "\0"
"""Stands for a text without a slash. No path contains it, so no pattern does either."""


class CallFacts:
    """A request as a match sees it. Query and body are parsed on first use.

    `operation` and `family` are empty for a request that fits no operation of the connector.
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
        """The query parameters by lower-case name; of a repeated one the first value, as the connector reads it."""
        # Latin-1 keeps every byte as it is; what is escaped is UTF-8.
        pairs = parse_qsl(self._query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
        return {name.lower(): value for name, value in reversed(pairs)}

    @cached_property
    def body(self) -> Any:
        """The body as JSON, None if it is not JSON."""
        try:
            return orjson.loads(self._body)
        except orjson.JSONDecodeError:
            return None


class Match(Frozen, kw_only=True):
    """A condition on requests. All its members must match; texts ignore case, and `*` stands for any text.

    `path` starts below the connection id. `query` holds patterns by parameter, `body` by member, with dots between
    nested names; member names ignore case and underscores, as the connector does. The parameters in `filled` must have
    a value. A request that has a parameter of `unless` with that value does not match.
    """

    connection: str | None = None
    operations: frozenset[str] = frozenset()
    family: str | None = None
    method: str | None = None
    path: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    unless: Mapping[str, str] = field(default_factory=dict)

    def differs(self, call: CallFacts) -> Iterator[str]:
        """The names of the members that a request does not match, cheap comparisons first."""
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
            value = call.query.get(name.lower())
            if value is None or not like(pattern, value):
                yield f"query.{name}"
        for name in self.filled:
            if not call.query.get(name.lower(), "").strip():
                yield f"query.{name}"
        for name, pattern in self.unless.items():
            if like(pattern, call.query.get(name.lower(), "")):
                yield f"query.{name}"
        for name, pattern in self.body.items():
            if not any(like(pattern, value) for value in _members(call.body, name)):
                yield f"body.{name}"

    def fits(self, call: CallFacts) -> bool:
        # Stops at the first difference, so that query and body are parsed only if everything cheaper fits.
        return next(self.differs(call), None) is None


def match_of(options: FaultMatch) -> Match:
    """The condition that declared options describe. Raises InvalidRequest for a value that cannot be a pattern."""
    return Match(
        connection=options.connection,
        operations=frozenset(id.lower() for id in options.operation or ()),
        family=options.family,
        method=options.method,
        path=options.path,
        query=_patterns("query", options.query or {}),
        body=_patterns("body", options.body or {}),
    )


def _patterns(part: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The patterns of one part of a match as texts, numbers and booleans in their JSON form. Raises InvalidRequest."""
    for name, value in values.items():
        if not isinstance(value, str | int | float):
            raise InvalidRequest(f"'{part}.{name[:100]}' must be a text, a number or a boolean.")
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in values.items()}


def like(pattern: str, value: object) -> bool:
    """Whether a value matches a pattern; a value that is not a text is compared in its JSON form."""
    text = (value if isinstance(value, str) else orjson.dumps(value, default=repr).decode()).lower()
    first, *rest = _parts(pattern)
    if not rest:
        return text == first
    # The leftmost place of each part leaves the most room for the others, so no other place needs a look.
    last, at = rest.pop(), len(first)
    end = len(text) - len(last)
    if not (text.startswith(first) and text.endswith(last)):
        return False
    for part in rest:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return at <= end


def meet(template: str, pattern: str) -> bool:
    """Whether some path fits both a template, whose `{name}` stands for a text without a slash, and a pattern."""
    template, pattern = _NAME.sub(_WORD, template).lower(), _STARS.sub("*", pattern).lower()
    # Most templates differ from a pattern before the first place that can stand for several texts.
    fixed = min(len(template.partition(_WORD)[0].partition("*")[0]), len(pattern.partition("*")[0]))
    return template[:fixed] == pattern[:fixed] and _meet(template, pattern)


def segments_of(path: str) -> list[str]:
    """The parts of a raw path that begins with the connection id; an empty part stands for a missing value.

    A slash at the end makes no part (inferred). Neither does a doubled one behind the connection id: a runtime URL may
    end in a slash. Anywhere else, a doubled slash is where a variable was empty.
    """
    segments = path.split("/")
    if len(segments) > 2 and not segments[1]:
        del segments[1]
    if len(segments) > 1 and not segments[-1]:
        del segments[-1]
    return segments


def path_below(raw_path: bytes, prefix: bytes, has_connection: bool) -> str:
    """The path of a request as a match sees it: below the connection id, and decoded once."""
    segments = segments_of(raw_path[len(prefix) :].decode("latin-1"))
    return "/" + "/".join(map(unquote, segments[1:] if has_connection else segments))


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[str, ...]:
    """The texts between the stars of a pattern; the first and the last may be empty."""
    return tuple(_STARS.sub("*", pattern).lower().split("*"))


@lru_cache(maxsize=4096)
def _meet(template: str, pattern: str) -> bool:
    """Walk through the template and keep the positions in the pattern that can be reached."""
    positions = _skip_stars(pattern, {0})
    for character in template:
        if character == _WORD:
            positions = {at for position in positions for at in _after_word(pattern, position)}
            continue
        if character == "*":
            positions = set(range(min(positions, default=len(pattern) + 1), len(pattern) + 1))
            continue
        stays = {at for at in positions if at < len(pattern) and pattern[at] == "*"}
        steps = {at + 1 for at in positions if at < len(pattern) and pattern[at] == character}
        positions = _skip_stars(pattern, stays | steps)
    return len(pattern) in positions


def _skip_stars(pattern: str, positions: set[int]) -> set[int]:
    reachable = set(positions)
    for at in positions:
        while at < len(pattern) and pattern[at] == "*":
            at += 1
            reachable.add(at)
    return reachable


def _after_word(pattern: str, position: int) -> Iterator[int]:
    """The positions in a pattern after a text without a slash."""
    yield position
    for at in range(position, len(pattern)):
        if pattern[at] == "/":
            return
        yield at + 1


def _members(body: Any, name: str) -> Iterator[Any]:
    """The values under a dotted name; in a list, those of every item."""
    head, _, rest = name.partition(".")
    for item in body if isinstance(body, list) else [body]:
        if not isinstance(item, dict):
            continue
        for key, value in item.items():
            if folded(key) == folded(head):
                yield from _members(value, rest) if rest else [value]


def folded(name: str) -> str:
    """A member name as the connector compares it."""
    return name.replace("_", "").lower()
