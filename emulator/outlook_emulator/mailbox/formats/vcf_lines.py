"""Splits a file into vCards and their lines (RFC 6350, RFC 2426 and vCard 2.1), as broken as programs write them."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from outlook_emulator.errors import TooMuchContent
from outlook_emulator.mailbox.formats.charsets import as_utf_8, decode_text
from outlook_emulator.mailbox.formats.skipped import SkippedItem

MAX_CARDS = 10_000

# A file whose last line has no end may be joined with the next one. The name of a group may stand before the word.
_MARK = re.compile(
    r"[\s\0\x1a\ufeff]*(?:[\w-]+\.)?(BEGIN|END)[ \t]*:[ \t]*VCARD[\s\0\x1a\ufeff]*"
    r"(BEGIN[ \t]*:[ \t]*VCARD[\s\0\x1a]*)?",
    re.IGNORECASE,
)
# Up to the first colon that is not in quotes.
_HEAD = re.compile(r'[^":]*(?:"[^"]*"[^":]*)*')
_PARAMS = re.compile(r';([^";]*(?:"[^"]*"[^";]*)*)')
_CHARSET = re.compile(r";CHARSET=[\"']?([\w.:-]+)", re.IGNORECASE | re.ASCII)
_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"})
_MARK_STARTS = frozenset("BEbe \t\0\x1a\ufeff")
_GROUPED_MARK_END = ":VCARD"
_SYNONYMS = {"MOBILE": "CELL", "CELLULAR": "CELL", "IPHONE": "CELL", "BUSINESS": "WORK"}
_BINARY = frozenset({"PHOTO", "LOGO", "SOUND", "KEY"})
"""The properties whose values are files, which no contact has a member for."""
_BLANKS = "\0\x1a\ufeff \t\r\n"
_LONGEST_CACHED = 200
_MOST_HEAD_LINES = 20
_LONGEST_SHOWN = 60


class Head(NamedTuple):
    """What stands before the value of a line. All but the values of `params` is in capitals.

    `types` are the values of the parameters TYPE, and those that version 2.1 writes without a name.
    """

    name: str
    group: str
    types: frozenset[str]
    params: dict[str, str]


class Line(NamedTuple):
    """A property of a vCard: its decoded value, with its escapes."""

    head: Head
    value: str


@dataclass(frozen=True, slots=True)
class RawCard:
    """A vCard as lines. `line` is its first line in the file, from 1; `problems` are lines with what is wrong there."""

    line: int
    properties: list[Line] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


def read_cards(raw: bytes) -> tuple[list[RawCard], list[SkippedItem]]:
    """The vCards in a file, and what is outside of them. Raises TooMuchContent for more than 10,000 cards."""
    text, has_text = _decoded(raw)
    named = (name[1] for name in _CHARSET.finditer(text) if not _is_utf8(name[1]))
    reader = _Reader(has_text, next(named, "windows-1252"))
    for number, line in _logical_lines(text):
        reader.read(number, line)
    reader.end()
    return reader.cards, reader.skipped


def _decoded(raw: bytes) -> tuple[str, bool]:
    """A file as text, and whether its characters are decoded; else each of them stands for a byte."""
    raw = as_utf_8(raw)
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        # Each value is decoded by itself: the lines may have different charsets, and a fold may split a character.
        return raw.decode("latin-1"), False


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their continuations, and the number of their first line."""
    lines = _physical_lines(text)
    number, end = 0, len(lines)
    while number < end:
        first, last = number, lines[number]
        whole: _LogicalLine | None = None
        for number in range(first + 1, end):
            line = lines[number]
            # Most lines end here, so that they need no object.
            if last[-1:] != "=" and ":" in line and line[0] not in " \t":
                break
            whole = whole or _LogicalLine(last)
            if not whole.takes(line):
                break
            last = whole.pieces[-1]
        else:
            number = end
        yield first + 1, last if whole is None else "".join(whole.pieces)


class _LogicalLine:
    """A line that may go on with the ones after it."""

    __slots__ = ("_encoding", "pieces")

    def __init__(self, line: str) -> None:
        self.pieces = [line]
        self._encoding: str | None = None

    def takes(self, line: str) -> bool:
        """Add a line if it belongs to this one.

        It does if it is indented, if it follows the `=` at the end of a quoted-printable line, and if it can be nothing
        but more of an encoded value, because it has no colon.
        """
        is_soft = self.pieces[-1].endswith("=")
        if line[:1] in (" ", "\t"):
            self._add(line[1:], is_soft and self._is_quoted())
            return True
        if not (is_soft or ":" not in line) or _mark(line):
            return False
        if self._is_quoted() and (is_soft or line.strip()):
            # Some writers break the value without the `=`.
            self._add(line if is_soft else f"\r\n{line}", is_soft)
            return True
        if ":" not in line and self._find_encoding() == "BASE64":
            self.pieces.append(line)
            return True
        return False

    def _add(self, piece: str, is_soft: bool) -> None:
        if is_soft:
            self.pieces[-1] = self.pieces[-1][:-1]
        self.pieces.append(piece)

    def _is_quoted(self) -> bool:
        return self._find_encoding() == "QUOTED-PRINTABLE"

    def _find_encoding(self) -> str:
        if self._encoding is not None:
            return self._encoding
        head, colon, _ = _split("".join(self.pieces[:_MOST_HEAD_LINES]))
        parsed = _read_head(head) if colon else None
        encoding = "" if parsed is None else "BASE64" if parsed.name in _BINARY else parsed.params.get("ENCODING", "")
        # A head may be folded itself, so that a later line completes it.
        if colon or len(self.pieces) >= _MOST_HEAD_LINES:
            self._encoding = encoding
        return encoding


def _physical_lines(text: str) -> list[str]:
    # Some transfers double the carriage returns.
    for end in ("\r\r\n", "\r\n", "\r"):
        text = text.replace(end, "\n")
    lines = text.split("\n")
    begin = next((mark for line in lines if (mark := _mark(line))), None)
    margin = begin[0][: begin.start(1)] if begin else ""
    # A file that was copied out of another text may be indented as a whole.
    return [line.removeprefix(margin) for line in lines] if margin and margin.isspace() else lines


def _mark(line: str) -> re.Match[str] | None:
    """The match of a line that begins or ends a card, or ends one and begins the next."""
    # Most lines can be none, which is seen without the pattern.
    if line[:1] in _MARK_STARTS or (line[-1:] in "Dd" and line[-6:].upper() == _GROUPED_MARK_END):
        return _MARK.fullmatch(line)
    return None


def _split(line: str) -> tuple[str, str, str]:
    """The head of a line, the colon, and the value."""
    head, colon, value = line.partition(":")
    if '"' not in head:
        return head, colon, value
    quoted = _HEAD.match(line)
    end = quoted.end() if quoted else 0
    # A quote that is never closed is none.
    return (line[:end], ":", line[end + 1 :]) if line[end : end + 1] == ":" else (head, colon, value)


def _read_head(head: str) -> Head:
    return _parsed_head(head) if len(head) > _LONGEST_CACHED else _cached_head(head)


def _parsed_head(head: str) -> Head:
    name, semicolon, rest = head.partition(";")
    group, _, name = name.strip(_BLANKS).upper().rpartition(".")
    if not semicolon:
        return Head(name, group, frozenset(), {})
    types: set[str] = set()
    params: dict[str, str] = {}
    for param in _PARAMS.findall(f";{rest}"):
        key, equals, value = param.partition("=")
        key, value = key.strip().upper(), value.strip().replace('"', "")
        if not equals and key in _ENCODINGS:
            key, value = "ENCODING", key
        elif not equals or key == "TYPE":
            types.update(word.strip().upper() for word in (value if equals else key).split(","))
            continue
        params.setdefault(key, value)
    if encoding := params.get("ENCODING", "").upper():
        params["ENCODING"] = "BASE64" if encoding == "B" else encoding
    return Head(name, group, frozenset(_SYNONYMS.get(word, word) for word in types if word), params)


_cached_head = lru_cache(maxsize=4096)(_parsed_head)


class _Reader:
    """Puts lines into cards."""

    def __init__(self, has_text: bool, charset: str) -> None:
        self.cards: list[RawCard] = []
        self.skipped: list[SkippedItem] = []
        self._has_text = has_text
        self._card: RawCard | None = None
        # How many cards around the line are values of AGENT.
        self._agents = 0
        self._expects_agent = False
        # The charset of values that name none: the one that the file names first, then the last one before the value.
        self._charset = charset
        # Whether the line before was left out too: such lines are reported together.
        self._has_skipped = False

    def read(self, number: int, line: str) -> None:
        head, colon, value = _split(line)
        mark = _mark(line)
        if mark is not None:
            self._has_skipped = False
            if mark[1].upper() == "BEGIN":
                self._begin(number)
            else:
                self._end(number)
                if mark[2]:
                    self._begin(number)
        elif self._agents or not line.strip(_BLANKS):
            pass
        elif self._card is None or not colon:
            self._skip(number, line)
        else:
            self._has_skipped = False
            self._add(_read_head(head), value)

    def end(self) -> None:
        """The end of the file."""
        if self._card is not None:
            self._take("The file ends before the card does.")

    def _begin(self, number: int) -> None:
        if self._card is not None and (self._agents or self._expects_agent):
            self._agents += 1
        else:
            if self._card is not None:
                self._take(f"It has no END:VCARD before the card in line {number}.")
            if len(self.cards) == MAX_CARDS:
                raise TooMuchContent(f"The file has more than {MAX_CARDS} vCards.")
            self._card = RawCard(number)
        self._expects_agent = False

    def _end(self, number: int) -> None:
        if self._agents:
            self._agents -= 1
        elif self._card is not None:
            self._take()
        else:
            self.skipped.append(SkippedItem("end of a card", number, "No card begins before it."))

    def _take(self, problem: str = "") -> None:
        if self._card is not None:
            self._card.problems.extend([(self._card.line, problem)] if problem else ())
            self.cards.append(self._card)
        self._card, self._agents, self._expects_agent = None, 0, False

    def _add(self, head: Head, value: str) -> None:
        assert self._card is not None
        self._expects_agent = head.name == "AGENT" and not value.strip()
        if head.name == "AGENT" and _mark(value):
            self._agents = 1
        elif head.name not in _BINARY:
            if not self._has_text or head.params:
                value = self._decode(head, value)
            self._card.properties.append(Line(head, value))

    def _decode(self, head: Head, value: str) -> str:
        """The text of a value: by its own encoding and charset, else in UTF-8, else in the charset of another line."""
        encoding, charset = head.params.get("ENCODING", ""), head.params.get("CHARSET")
        if charset is not None and not _is_utf8(charset):
            self._charset = charset
        data = value.encode("utf-8" if self._has_text else "latin-1", "replace")
        if encoding == "QUOTED-PRINTABLE":
            data = a2b_qp(data)
        elif encoding == "BASE64":
            data = _from_base64(data)
        elif self._has_text and "\x1b" not in value:
            # The file is in UTF-8, whatever the charset that its writer names. Only ISO-2022 looks like ASCII.
            return value
        if charset is None and data.isascii():
            return data.decode()
        try:
            return data.decode() if charset is None else decode_text(data, charset)
        except UnicodeDecodeError:
            return decode_text(data, self._charset)

    def _skip(self, number: int, line: str) -> None:
        if self._has_skipped:
            return
        self._has_skipped = True
        if self._card is None:
            self.skipped.append(SkippedItem("text outside of a card", number, f"It begins with {_shown(line)}."))
        else:
            self._card.problems.append((number, f"It is not a property: {_shown(line)}."))


def _is_utf8(charset: str) -> bool:
    return charset.upper() in ("UTF-8", "UTF8")


def _from_base64(data: bytes) -> bytes:
    try:
        return a2b_base64(data + b"==")
    except Error:
        return b""


def _shown(text: str) -> str:
    shown = text.strip()
    return repr(shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…")
