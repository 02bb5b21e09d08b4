"""Reads and writes large JSON in short steps.

One call of the JSON library on 50 MB would stop all threads of the process, since it lets no other one run.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from outlook_emulator.content_limits import ITEMS, NESTING, SHOWN_NESTING, TEXT
from outlook_emulator.errors import TooMuchContent

LARGE_JSON = 1 << 20
"""From this many bytes on, JSON is read in steps."""
_STEP = 256 * 1024
_PIECE = 256 * 1024
_LONGEST_NAME = 1 << 20
_LONGEST_TOKEN = 12
"""The bytes of two escapes that together are one character."""
# A short string without escapes, or a character that opens, closes or separates.
_TOKEN = re.compile(rb'"[^"\\]{0,500}+"|["\[\]{},]')
# No JSON that the library writes has a control character.
_PLACE = b"\x00"
_COLON = re.compile(rb"[ \t\r\n]{0,100}:")
_CLOSERS = {b"[": b"]", b"{": b"}"}


class LongText:
    """A text in pieces, since joining them would take too long in one step."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces

    def __str__(self) -> str:
        """The text in one piece. Raises TooMuchContent."""
        if sum(map(len, self.pieces)) > TEXT.most:
            raise TooMuchContent(f"The request body has a text of more than {TEXT.most} characters.")
        return "".join(self.pieces)


def read_large_json(data: bytes) -> Any:
    """The value of a JSON object or list, in which long texts are `LongText`.

    Raises ValueError for anything else, and TooMuchContent for too many items or levels.
    """
    return _Reader(data).read()


def is_too_deep(value: Any) -> bool:
    """Whether a value has too many levels to be shown inside another one.

    The library reads 1,024 levels of JSON, but writes no more than 254.
    """
    level = [value]
    for _ in range(SHOWN_NESTING.most):
        level = [item for container in level for item in _items(container) if isinstance(item, dict | list)]
        # Most values have a few levels, and the journal asks about each body that it shows.
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class LargeBytes:
    """Bytes that JSON shows in base64."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def base64(self) -> Iterator[bytes]:
        """The base64 in pieces."""
        view = memoryview(self.content)
        # A piece of a multiple of three bytes needs no padding.
        for start in range(0, len(view), 3 * _STEP):
            yield b2a_base64(view[start : start + 3 * _STEP], newline=False)


def write_json(value: Any) -> bytes:
    """JSON in which `LargeBytes` are texts in base64."""
    large: list[LargeBytes] = []

    def placed(item: Any) -> orjson.Fragment:
        if not isinstance(item, LargeBytes):
            raise TypeError(f"{type(item).__name__} is no value of JSON")
        large.append(item)
        return orjson.Fragment(_PLACE)

    text = orjson.dumps(value, default=placed)
    if not large:
        return text
    parts = text.split(_PLACE)
    pieces = [parts[0]]
    for item, part in zip(large, parts[1:], strict=True):
        pieces += (b'"', *item.base64(), b'"', part)
    return b"".join(pieces)


def write_large_json(value: Any) -> bytes:
    """JSON as `write_json` writes it, each item of a list of items in a step of its own."""
    items = value.get("value") if isinstance(value, dict) and len(value) == 1 else value
    if not isinstance(items, list):
        return write_json(value)
    start, end = (b"[", b"]") if items is value else (b'{"value":[', b"]}")
    pieces = [start]
    for item in items:
        pieces += (write_json(item), b",")
    # One join, since it lets other threads run, unlike `+`.
    return b"".join((*pieces[: max(1, len(pieces) - 1)], end))


def joined(value: Any) -> Any:
    """A value of JSON whose long texts are in one piece. Raises TooMuchContent."""
    if isinstance(value, LongText):
        return str(value)
    # A loop, since a small body may be nested deeper than Python calls functions.
    waiting = [value]
    while waiting:
        container = waiting.pop()
        if not isinstance(container, dict | list):
            continue
        for place, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if isinstance(item, LongText):
                container[place] = str(item)
            elif isinstance(item, dict | list):
                waiting.append(item)
    return value


class _Container:
    """An object or a list that is not read to its end.

    `value` has the members that are read, None as long as all of it may be read with what is around it. The text from
    `start` on is not read yet; `comma` is the place of the last separator. `is_complete` says that a member ends at
    `start`, so only blanks may follow.
    """

    __slots__ = ("comma", "is_complete", "opener", "place", "start", "value")

    def __init__(self, opener: bytes, place: int) -> None:
        self.opener = opener
        self.place = self.comma = place
        self.start = place + 1
        self.value: Any = None
        self.is_complete = False


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._open: list[_Container] = []

    def read(self) -> Any:
        at = 0
        while (token := _TOKEN.search(self._data, at)) is not None:
            at = token.end()
            kind = token[0]
            if kind == b'"':
                at = self._string(token.start())
            elif kind in _CLOSERS:
                if len(self._open) >= NESTING.most:
                    raise TooMuchContent(f"The request body is nested more than {NESTING.most} deep.")
                self._open.append(_Container(kind, token.start()))
            elif not self._open:
                raise ValueError("it must begin with an object or a list")
            elif kind == b",":
                self._separate(self._open[-1], token.start())
            elif kind[:1] != b'"':
                is_read, value = self._close(kind, token.start())
                if is_read:
                    return value
        raise ValueError("it ends early")

    def _string(self, start: int) -> int:
        """Pass a string that may be long; returns where it ends."""
        end = start + 1
        while True:
            end = self._data.find(b'"', end)
            if end < 0:
                raise ValueError("a text does not end")
            before = end
            while self._data[before - 1] == 0x5C:
                before -= 1
            end += 1
            if (end - 1 - before) % 2 == 0:
                break
        if end - start > _STEP and not self._is_name(start, end):
            if not self._open:
                raise ValueError("it must begin with an object or a list")
            self._attach(LongText(list(self._pieces(start + 1, end - 1))), start, end)
        return end

    def _is_name(self, start: int, end: int) -> bool:
        if _COLON.match(self._data, end) is None:
            return False
        if end - start > _LONGEST_NAME:
            raise ValueError(f"the name at byte {start} is longer than {_LONGEST_NAME} bytes")
        return True

    def _pieces(self, at: int, end: int) -> Iterator[str]:
        while at < end:
            cut = min(at + _PIECE, end)
            # A cut inside an escape or a character is no valid JSON, and one a few bytes before it is.
            for stop in range(cut, max(cut - _LONGEST_TOKEN, at), -1):
                try:
                    piece: str = orjson.loads(b'"%b"' % bytes(self._view[at:stop]))
                except orjson.JSONDecodeError:
                    if cut == end:
                        raise
                else:
                    yield piece
                    break
            else:
                raise ValueError(f"the text at byte {at} is not valid")
            at = stop

    def _separate(self, container: _Container, place: int) -> None:
        if container.is_complete:
            self._check_blank(container.start, place)
            container.start, container.is_complete = place + 1, False
        elif place - container.start > _STEP:
            self._take(container, place)
            container.start = place + 1
        container.comma = place

    def _close(self, closer: bytes, place: int) -> tuple[bool, Any]:
        """Close the innermost container; whether it was the outermost, and its value then."""
        container = self._open.pop()
        if _CLOSERS[container.opener] != closer:
            raise ValueError(f"unexpected character at byte {place}")
        if container.value is None and self._open:
            # Small enough to be read with what is around it.
            return False, None
        if container.is_complete:
            self._check_blank(container.start, place)
        else:
            self._take(container, place)
        if self._open:
            self._attach(container.value, container.place, place + 1)
            return False, None
        self._check_blank(0, container.place)
        self._check_blank(place + 1, len(self._data))
        return True, container.value

    def _attach(self, value: Any, start: int, end: int) -> None:
        """Put a value that is read already into the container around it."""
        container = self._open[-1]
        if container.is_complete:
            raise ValueError(f"unexpected character at byte {start}")
        if container.comma >= container.start:
            self._take(container, container.comma)
        head = bytes(self._view[max(container.comma + 1, container.start) : start]).strip()
        if container.opener == b"[":
            if head:
                raise ValueError(f"unexpected character at byte {start}")
            self._add(container, [value])
        else:
            if not head.endswith(b":"):
                raise ValueError(f"unexpected character at byte {start}")
            self._add(container, {orjson.loads(head[:-1]): value})
        container.start, container.is_complete = end, True

    def _take(self, container: _Container, end: int) -> None:
        """Read the members between the start and a separator or the end."""
        text = bytes(self._view[container.start : end])
        members = orjson.loads(b"[%b]" % text if container.opener == b"[" else b"{%b}" % text)
        if not members and (container.value is not None or self._data[end] == 0x2C):
            raise ValueError(f"unexpected character at byte {end}")
        self._add(container, members)

    @staticmethod
    def _add(container: _Container, members: Any) -> None:
        if container.value is None:
            container.value = members
        elif container.opener == b"[":
            container.value.extend(members)
        else:
            container.value.update(members)
        if len(container.value) > ITEMS.most:
            raise TooMuchContent(f"The request body has a list of more than {ITEMS.most} items.")

    def _check_blank(self, start: int, end: int) -> None:
        if bytes(self._view[start:end]).strip(b" \t\r\n"):
            raise ValueError(f"unexpected character at byte {start}")
