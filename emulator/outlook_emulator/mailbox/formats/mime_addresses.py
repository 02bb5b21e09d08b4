"""Reads address headers as people and programs write them. Time is in proportion to the input, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple

from outlook_emulator.mailbox.formats.mime_headers import CONTROLS, read_text
from outlook_emulator.mailbox.formats.mime_limits import MAX_ADDRESSES
from outlook_emulator.mailbox.message import Address

# No alternative looks further than its own end, so that unfinished syntax costs nothing.
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<word>=\?[^?\s]++\?[bBqQ]\?(?:[^?\s]*+|[^?<>]*+)\?=)
    | (?P<quoted>"(?:[^"\\]|\\.)*+")
    | (?P<literal>\[[^\[\]<>]*+\])
    | (?P<special>[<>(),;:])
    | (?P<atom>(?:[^\s"(),;:<>\[\\=]|\\.|=(?!\?))+|\[+(?=\[)|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SEPARATOR = re.compile(r"[,;]")
_ROUTE = re.compile(r"@[^:]*:")
_SCHEME = re.compile(r"(?:mailto|smtp):", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*+\)")
# Goes on with the address before the blank.
_JOINED = re.compile(r"@|\.(?:\w|\Z)")
# A text without an address, as of broken headers, is no sender or recipient if it is longer than an address.
_LONGEST_NAME = 320
# What a list of addresses cannot hold.
_NO_ADDRESS = re.compile(r"[\s,;<>]+")


class _Kind(Enum):
    BLANK = auto()
    TEXT = auto()  # of a name or an address
    QUOTED = auto()
    COMMENT = auto()
    ANGLE = auto()  # what stands in angle brackets
    END = auto()  # of an address
    GROUP = auto()  # the colon after the name of a group


class _Token(NamedTuple):
    kind: _Kind
    text: str  # without quotes, brackets or escapes
    raw: str


def read_addresses(value: str) -> tuple[Address, ...]:
    """All addresses of an address header in order, including those inside groups.

    The address is what stands in angle brackets, and otherwise the word with an `@`; the rest is its name. A sender
    without an address, as of bounces, is read as an address of that name.
    """
    value = CONTROLS.sub(" ", value)
    # A single quote would swallow the rest.
    if _ESCAPED.sub("", value).count('"') % 2:
        value = value.replace('"', "")
    # A caller refuses more.
    return tuple(islice(_read(value, may_repeat=True), MAX_ADDRESSES + 1))


def _read(value: str, *, may_repeat: bool) -> Iterator[Address]:
    part: list[_Token] = []
    names: list[_Token] = []  # of a name with an unquoted comma
    has_angle = False
    for token in _tokens(value):
        if token.kind is _Kind.GROUP and not has_angle:
            part = []
        # After an address in brackets a colon ends no name of a group.
        elif token.kind is not _Kind.END and token.kind is not _Kind.GROUP:
            part.append(token)
            has_angle = has_angle or token.kind is _Kind.ANGLE
        elif _is_name(part) and token.raw == ",":
            names += [*part, token._replace(kind=_Kind.TEXT)]
            part = []
        else:
            if has_angle:
                part, names = [*names, *part], []
            yield from _names_alone(names, may_repeat)
            yield from _addresses(part, may_repeat)
            part, names, has_angle = [], [], False


def _is_name(part: list[_Token]) -> bool:
    # Whether words before a comma can be part of a name: `Bee, Ann <ann@example.com>`.
    is_blank = all(token.kind is _Kind.BLANK for token in part)
    return not is_blank and not any(token.kind is _Kind.ANGLE or "@" in token.raw for token in part)


def _names_alone(names: list[_Token], may_repeat: bool) -> Iterator[Address]:
    part: list[_Token] = []
    for token in names:
        if token.kind is _Kind.TEXT and token.raw == ",":
            yield from _addresses(part, may_repeat)
            part = []
        else:
            part.append(token)


def _tokens(value: str) -> Iterator[_Token]:
    closings = _closings(value)
    position, angle_end = 0, 0
    while match := _TOKEN.match(value, position):
        position, text = match.end(), match[0]
        kind = match.lastgroup
        if kind == "blank":
            yield _Token(_Kind.BLANK, " ", " ")
        elif kind == "quoted":
            yield _Token(_Kind.QUOTED, _ESCAPED.sub(r"\1", text[1:-1]), text)
        elif kind == "literal" and "@" in text:
            # As in quoted mail: `Ann [mailto:ann@example.com]`.
            yield _Token(_Kind.ANGLE, text[1:-1], text)
        elif kind != "special":
            yield _Token(_Kind.TEXT, _ESCAPED.sub(r"\1", text), text)
        elif text in ",;":
            yield _Token(_Kind.END, text, text)
        elif text == ":":
            yield _Token(_Kind.GROUP, text, text)
        elif text == "(" and position - 1 in closings:
            end = closings[position - 1]
            yield _Token(_Kind.COMMENT, _ESCAPED.sub(r"\1", value[position:end]), value[position - 1 : end + 1])
            position = end + 1
        elif text == "<":
            if angle_end < position:
                angle_end = value.find(">", position)
                angle_end = len(value) if angle_end < 0 else angle_end
            # Unclosed before the next one: it ends with its address.
            opening = value.find("<", position, angle_end)
            if opening >= 0 or angle_end == len(value):
                separator = _SEPARATOR.search(value, position, angle_end if opening < 0 else opening)
                if opening >= 0 and not separator:
                    continue
                end = separator.start() if separator else angle_end
            else:
                end = angle_end
            yield _Token(_Kind.ANGLE, value[position:end], f"<{value[position:end]}>")
            position = end + (value[end : end + 1] == ">")
        elif text in "()":
            # Without another end; many of them are one token.
            start = position - 1
            while value[position : position + 1] == "(" and position not in closings:
                position += 1
            yield _Token(_Kind.TEXT, value[start:position], value[start:position])
    yield _Token(_Kind.END, "", "")


def _closings(value: str) -> dict[int, int]:
    # Where the comment ends that begins at each outermost bracket with an end.
    if "(" not in value:
        return {}
    closings: dict[int, int] = {}
    open_brackets: list[int] = []
    for match in re.finditer(r"\\.|\"(?:[^\"\\]|\\.)*+\"|[()]", value, re.DOTALL):
        if match[0] == "(":
            open_brackets.append(match.start())
        elif match[0] == ")" and open_brackets:
            closings[open_brackets.pop()] = match.start()
    return closings


def _addresses(part: list[_Token], may_repeat: bool) -> Iterator[Address]:
    angles = [token for token in part if token.kind is _Kind.ANGLE]
    if not angles:
        yield from _bare(part, may_repeat)
        return
    # Of several, those that hold no address are part of a name.
    real = {id(token) for token in angles if "@" in token.text} or {id(token) for token in angles[-1:]}
    words: list[_Token] = []
    ready: list[tuple[str, str]] = []
    for token in part:
        if id(token) in real:
            ready += [(address, _name(words)) for address in _inside(token.text)]
            words = []
        else:
            words.append(token)
    if len(ready) == 1 and words and not ready[0][1]:
        # A name or a comment may follow.
        ready = [(ready[0][0], _name(words))]
    for address, name in ready:
        if address:
            yield Address(address, name)
        elif name:
            yield Address(_NO_ADDRESS.sub(" ", name).strip())


def _inside(text: str) -> list[str]:
    """The addresses in angle brackets, which are more than one where a program joins them there."""
    text = text.strip()
    if '"' not in text:
        text = read_text(text) if "=?" in text else text
        # A route through other hosts has commas, too (RFC 5322, 4.4).
        text = _ROUTE.sub("", text, count=1) if text.startswith("@") else text
        return [_address(piece) for piece in _SEPARATOR.split(text)]
    return [_address(text)]


def _address(text: str) -> str:
    if "(" in text and '"' not in text:
        text = _COMMENT.sub("", text)
    text = _SCHEME.sub("", text.strip(), count=1)
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text if '"' in text else "".join(text.split())


def _bare(part: list[_Token], may_repeat: bool) -> Iterator[Address]:
    chunks = list(_chunks(part))
    with_at = [_without_stops(chunk) for chunk in chunks if any(map(_has_at, chunk))]
    if with_at:
        used = {id(token) for chunk in with_at for token in chunk}
        name = _name([token for token in part if id(token) not in used]) if len(with_at) == 1 else ""
        for chunk in with_at:
            yield Address(_address("".join(token.raw for token in chunk)), name)
        return
    comments = " ".join(token.text for token in part if token.kind is _Kind.COMMENT)
    text = _name([token for token in part if token.kind is not _Kind.COMMENT])
    if "@" in text and may_repeat:
        # The whole address is quoted, encoded or in a comment.
        repeated = list(_read(text, may_repeat=False))
        if repeated:
            yield from repeated
            return
    if "@" in comments and may_repeat:
        yield from (Address(address, name or text) for address, name in _read(comments, may_repeat=False))
    elif text and len(text) <= _LONGEST_NAME:
        yield Address(_NO_ADDRESS.sub(" ", text).strip())


def _has_at(token: _Token) -> bool:
    # An encoded word holds a whole address, which is read when it is decoded.
    return "@" in token.raw and token.kind is not _Kind.QUOTED and not token.raw.startswith("=?")


def _without_stops(chunk: list[_Token]) -> list[_Token]:
    # Full stops before or after an address are none of it.
    start, end = 0, len(chunk)
    while chunk[start].raw == ".":
        start += 1
    while chunk[end - 1].raw == ".":
        end -= 1
    return chunk[start:end]


def _chunks(part: list[_Token]) -> Iterator[list[_Token]]:
    # Tokens without blanks between them; blanks around `@` and `.` are obsolete syntax that readers must accept.
    chunk: list[_Token] = []
    after_blank = False
    for token in part:
        if token.kind is _Kind.BLANK or token.kind is _Kind.COMMENT:
            after_blank = True
            continue
        if after_blank and chunk and not _is_joined(chunk, token):
            yield chunk
            chunk = []
        chunk.append(token)
        after_blank = False
    if chunk:
        yield chunk


def _is_joined(chunk: list[_Token], token: _Token) -> bool:
    last = chunk[-1].raw
    if last == "." and _has_at(token) and any(map(_has_at, chunk)):
        # The full stop stands between two addresses.
        return False
    return last == "." or last.endswith("@") or _JOINED.match(token.raw) is not None


def _name(words: list[_Token]) -> str:
    """The name that words are; a comment is one where there are no others."""
    others = [token for token in words if token.kind is not _Kind.COMMENT]
    text = "".join(token.raw if token.kind is _Kind.ANGLE else token.text for token in others).strip()
    if not text:
        text = " ".join(token.text for token in words if token.kind is _Kind.COMMENT)
    return read_text(" ".join(text.split()) if "  " in text else text)
