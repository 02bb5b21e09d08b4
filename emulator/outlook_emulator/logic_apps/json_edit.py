"""Edits JSON texts: each value has a position, so it can be replaced without changing the rest of the text.

The reader is lenient, as the hosts of such files are: it accepts a byte order mark, comments and trailing commas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Possessive (`*+`): a text that is not JSON fails at once, instead of being tried in many ways.
_GAP = re.compile(r"(?:[ \t\r\n]|//[^\r\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)*+")
_STRING = re.compile(r'"(?:[^"\\\r\n]|\\.)*+"')
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_LINE = re.compile(r"\r?\n[ \t]*\Z")
_MARK = re.compile(":")
_COMMA = re.compile(r"[ \t\r\n]*,")
_COLON = re.compile(r"[ \t]*:[ \t]*")
_DEEPEST = 100
"""The deepest nesting of values; real files do not come near it."""


class Member(NamedTuple):
    """A member of an object: its name with start and end in the text, and its value."""

    name: str
    start: int
    end: int
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value, from `start` up to `end` in its text.

    `string` is the content of a string, `members` are those of an object; both are None for other values.
    """

    start: int
    end: int
    string: str | None = None
    members: tuple[Member, ...] | None = None

    def get(self, name: str) -> Value | None:
        """A member of an object: the last one of that name, or else the last one that differs only in case."""
        matches = [member for member in self.members or () if member.name.casefold() == name.casefold()]
        exact = [member for member in matches if member.name == name]
        return (exact or matches)[-1].value if matches else None

    def at(self, path: Sequence[str]) -> Value | None:
        """The value that a path of member names leads to."""
        value: Value | None = self
        for name in path:
            value = value.get(name) if value else None
        return value


def parse(text: str) -> Value:
    """Parse a text. Raises ValueError with the place where it is not JSON."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.skip()
    if reader.at < len(text):
        raise reader.fault("the end of the text")
    return value


def replaced(text: str, value: Value, json_text: str) -> str:
    """The text with a value replaced."""
    return text[: value.start] + json_text + text[value.end :]


def same(text: str, value: Value, other_text: str) -> bool:
    """Whether a value means the same as another text, which may be laid out in another way."""
    try:
        other = parse(other_text)
    except ValueError:
        return False
    return _meaning(text, value) == _meaning(other_text, other)


def _meaning(text: str, value: Value) -> object:
    if value.string is not None:
        return ("string", value.string)
    if value.members is not None:
        return {member.name: _meaning(text, member.value) for member in value.members}
    return text[value.start : value.end]


def with_member(text: str, owner: Value, name: str, json_text: str) -> str:
    """The text with one more member in an object, in the layout of the members before it."""
    members = owner.members or ()
    # Right after the last value, so that a trailing comma or a comment stays behind the new member.
    at = members[-1].value.end if members else owner.start + 1
    line, colon = _layout(text, owner)
    before = f",{line or ' '}" if members else ""
    return f"{text[:at]}{before}{json.dumps(name)}{colon}{json_text}{text[at:]}"


def without_member(text: str, owner: Value, name: str) -> str:
    """The text with a member of an object removed, along with the comma that separates it from its neighbour."""
    members = owner.members or ()
    value = owner.get(name)
    (number,) = (number for number, member in enumerate(members) if member.value is value)
    if number:
        return text[: members[number - 1].value.end] + text[members[number].value.end :]
    if len(members) > 1:
        return text[: members[0].start] + text[members[1].start :]
    rest = text[members[0].value.end : owner.end]
    comma = _COMMA.match(rest)
    return text[: members[0].start] + rest[comma.end() if comma else 0 :] + text[owner.end :]


def pretty(text: str, value: object, depth: int) -> str:
    """The JSON of a new value, in the layout of a text; `depth` is the number of objects around the value."""
    root = parse(text)
    line, _ = _layout(text, root)
    unit = line.lstrip("\r\n") or "  "
    written = json.dumps(value, indent=unit)
    return written.replace("\n", (line.removesuffix(unit) or "\n") + unit * depth)


def object_like(text: str, old: Value, members: Mapping[str, str]) -> str:
    """An object of strings, in the layout of an old object in the text."""
    line, colon = _layout(text, old)
    last = _LINE.search(text, old.start, old.end - 1) if line else None
    lines = [f"{json.dumps(name)}{colon}{json.dumps(value)}" for name, value in members.items()]
    return f"{{{line}{f',{line}'.join(lines)}{last[0] if last else ''}}}" if line else f"{{{', '.join(lines)}}}"


def _layout(text: str, owner: Value) -> tuple[str, str]:
    """The text before each member, empty for an object on one line, and the text between name and value."""
    if not owner.members:
        return "", ": "
    first = owner.members[0]
    line = _LINE.search(text[owner.start + 1 : first.start])
    colon = text[first.end : first.value.start]
    return line[0] if line else "", colon if _COLON.fullmatch(colon) else ": "


class _Reader:
    """Reads values from the position `at`."""

    def __init__(self, text: str) -> None:
        self.at = 1 if text.startswith("\ufeff") else 0
        self._text = text

    def value(self, depth: int) -> Value:
        self.skip()
        start, opening = self.at, self._text[self.at : self.at + 1]
        if depth > _DEEPEST:
            raise self.fault(f"less than {_DEEPEST} nested values")
        if opening == "{":
            members = tuple(self._members(depth))
            return Value(start=start, end=self.at, members=members)
        if opening == "[":
            self._items(depth)
            return Value(start=start, end=self.at)
        if opening == '"':
            return Value(string=self._string(), start=start, end=self.at)
        self._take(_PLAIN, "a value")
        return Value(start=start, end=self.at)

    def skip(self) -> None:
        """Skip whitespace and comments."""
        match = _GAP.match(self._text, self.at)
        assert match is not None
        self.at = match.end()

    def fault(self, wanted: str) -> ValueError:
        """The error that says what is expected at this position."""
        before = self._text[: self.at]
        line, column = before.count("\n") + 1, self.at - before.rfind("\n")
        return ValueError(f"expected {wanted} at line {line}, column {column}")

    def _members(self, depth: int) -> list[Member]:
        members: list[Member] = []
        while self._goes_on("}", bool(members)):
            start = self.at
            name = self._string()
            end = self.at
            self.skip()
            self._take(_MARK, "a colon")
            members.append(Member(name, start, end, self.value(depth + 1)))
        return members

    def _items(self, depth: int) -> None:
        some = False
        while self._goes_on("]", some):
            self.value(depth + 1)
            some = True

    def _goes_on(self, closing: str, some: bool) -> bool:
        """Move to the next element, or past the end; `some` is true after the first element."""
        if not some:
            self.at += 1
        self.skip()
        if some and self._text[self.at : self.at + 1] == ",":
            self.at += 1
            self.skip()
        elif some and self._text[self.at : self.at + 1] != closing:
            raise self.fault(f"a comma or {closing}")
        if self._text[self.at : self.at + 1] != closing:
            return True
        self.at += 1
        return False

    def _string(self) -> str:
        start = self.at
        token = self._take(_STRING, "a string")
        try:
            # Not strict: a tab in a string does no harm.
            read: str = json.loads(token, strict=False)
        except ValueError:
            self.at = start
            raise self.fault("a string without unknown escapes") from None
        return read

    def _take(self, pattern: re.Pattern[str], wanted: str) -> str:
        match = pattern.match(self._text, self.at)
        if match is None:
            raise self.fault(wanted)
        self.at = match.end()
        return match[0]
