"""The parts of a mail (RFC 2046), read in one pass over its lines."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterator
from functools import cached_property

from outlook_emulator.errors import TooMuchContent
from outlook_emulator.mailbox.formats.base64_text import decode_base64, is_broken_base64
from outlook_emulator.mailbox.formats.charsets import decode_text
from outlook_emulator.mailbox.formats.mime_headers import Headers, Parameters, media_type, read_headers
from outlook_emulator.mailbox.formats.mime_limits import MAX_DEPTH, MAX_PARTS
from outlook_emulator.steps import STEP

# The second is slow, and only needed where lines end in a bare carriage return.
_DASHES = re.compile(rb"\n--([^\r\n]*)")
_ANY_DASHES = re.compile(rb"[\r\n]--([^\r\n]*)")
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_IDENTITIES = frozenset({"", "7bit", "8bit", "binary"})
_ENCODING = re.compile(r"[\s\"']*([\w-]+)")
# Some programs double the carriage returns.
_LINE_END = re.compile(rb"\r{0,2}\n|\r")
# The same, in a form that is found four times faster in long lines.
_LINE_ENDS = re.compile(r"\n|\r(?:\r?\n)?")
_REST_OF_END = re.compile(r"\r?\n")
# Blanks after the sign of a soft line break are no text.
_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_UUENCODED = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})


class Part:
    """A mail or one of its parts, with the parts in it. Its content is decoded when it is asked for."""

    def __init__(self, data: bytes, headers: Headers, default_type: str) -> None:
        self._data = data
        self.headers = headers
        self.parameters = headers.parameters("content-type")
        self.content_type = media_type(self.parameters, default_type)
        self.end = len(data)
        self.parts: list[Part] = []
        self.is_closed = False

    @property
    def is_multipart(self) -> bool:
        """Whether the type says that there are parts inside, be there any or not."""
        return self.content_type.startswith("multipart/")

    @cached_property
    def _disposition(self) -> Parameters:
        return self.headers.parameters("content-disposition")

    @property
    def disposition(self) -> str:
        """The disposition in lower case, empty if there is none."""
        return self._disposition.value.lower()

    @cached_property
    def file_name(self) -> str:
        """The name of the file that the part is; empty if it has none."""
        name = self._disposition.by_name.get("filename") or self.parameters.by_name.get("name", "")
        return name.strip()

    @cached_property
    def encoding(self) -> str:
        """The transfer encoding in lower case."""
        match = _ENCODING.match(self.headers.value("content-transfer-encoding"))
        return match[1].lower() if match else ""

    @property
    def boundary(self) -> bytes:
        """What separates the parts inside; empty if there are none."""
        if not self.is_multipart:
            return b""
        return self.parameters.by_name.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")

    @property
    def raw_content(self) -> bytes:
        """The content as it stands in the mail."""
        return self._data[self.headers.body_start : self.end]

    @cached_property
    def content(self) -> bytes:
        """The content without its transfer encoding, as far as it can be decoded."""
        raw = self.raw_content
        if self.is_multipart:
            return raw
        if self.encoding == "base64":
            return decode_base64(raw)
        if self.encoding == "quoted-printable":
            return a2b_qp(_SOFT_BREAK.sub(b"=", raw))
        if self.encoding in _UUENCODED:
            return _uudecoded(raw)
        return raw

    @cached_property
    def text(self) -> str:
        """The content as text with `\\r\\n` line ends."""
        return with_crlf(decode_text(self.content, self.parameters.charset()))

    @cached_property
    def is_empty(self) -> bool:
        """Whether there is nothing to see in the content."""
        text = self.raw_content.strip()
        return not text or (self.is_closed and text == b"--" + self.boundary + b"--")

    def walk(self) -> Iterator[Part]:
        """The part and all parts inside, in their order."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.parts)


def with_crlf(text: str) -> str:
    """A text with `\\r\\n` at the end of each line, made in steps, since a line may be as long as the text."""
    pieces, start = [], 0
    while start < len(text):
        end = start + STEP
        if text[end - 1 : end] == "\r" and (rest := _REST_OF_END.match(text, end)):
            end = rest.end()
        pieces.append(_LINE_ENDS.sub("\r\n", text[start:end]))
        start = end
    return "".join(pieces)


def parse_parts(data: bytes) -> Part:
    """Read a mail and the parts in it. Raises TooMuchContent."""
    return _Reader(data).read()


def is_broken(data: bytes) -> bool:
    """Whether the structure of a mail is broken, or a part cannot be decoded."""
    return any(map(_is_broken, parse_parts(data).walk()))


def _is_broken(part: Part) -> bool:
    if part.is_multipart:
        return not part.parts or not part.is_closed
    return part.encoding == "base64" and is_broken_base64(part.raw_content)


class _Reader:
    """Reads the parts of one mail."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[Part] = []  # the parts that have not ended yet, each inside the one before
        # The places of the open parts with a boundary; the same one may be used for parts inside each other.
        self._places: dict[bytes, list[int]] = {}
        self._count = 0

    def read(self) -> Part:
        data = self._data
        root = self._begin(0, "text/plain")
        dashes = _ANY_DASHES if b"\r--" in data else _DASHES
        # One back, since a delimiter follows the end of a line.
        position = max(self._open[-1].headers.body_start - 1, 0)
        while match := dashes.search(data, position):
            position = match.end()
            place, is_end = self._place(match[1])
            if place is None:
                continue
            # The end of the line before belongs to the delimiter.
            before = data[max(match.start() - 2, 0) : match.start()] if match[0][:1] == b"\n" else b""
            self._close(place + 1, match.start() - (len(before) - len(before.rstrip(b"\r"))))
            multipart = self._open[place]
            multipart.is_closed = is_end
            if not is_end:
                line_end = _LINE_END.match(data, match.end())
                start = line_end.end() if line_end else len(data)
                is_digest = multipart.content_type == "multipart/digest"
                multipart.parts.append(self._begin(start, "message/rfc822" if is_digest else "text/plain"))
                position = max(self._open[-1].headers.body_start - 1, match.end())
        self._close(0, len(data))
        return root

    def _begin(self, start: int, default_type: str) -> Part:
        # A nested mail is opened too, because its delimiters must not be taken for those around it.
        part = self._part(start, default_type)
        first = part
        while part.content_type in _MESSAGES and part.encoding in _IDENTITIES:
            inner = self._part(part.headers.body_start, "text/plain")
            part.parts.append(inner)
            part = inner
        return first

    def _part(self, start: int, default_type: str) -> Part:
        self._count += 1
        if self._count > MAX_PARTS:
            raise TooMuchContent(f"The mail has more than {MAX_PARTS} parts.")
        if len(self._open) >= MAX_DEPTH:
            raise TooMuchContent(f"The mail nests its parts more than {MAX_DEPTH} deep.")
        headers = read_headers(self._data, start, self._is_delimiter if self._open else None)
        part = Part(self._data, headers, default_type)
        if part.boundary:
            self._places.setdefault(part.boundary, []).append(len(self._open))
        self._open.append(part)
        return part

    def _is_delimiter(self, line: bytes) -> bool:
        return self._place(line[2:])[0] is not None

    def _place(self, text: bytes) -> tuple[int | None, bool]:
        # The place of the open part whose delimiter this is, and whether it is the closing one.
        text = text.rstrip(b" \t")
        for boundary, is_end in ((text, False), (text.removesuffix(b"--"), True)):
            if places := self._places.get(boundary):
                # Inside each other, the inner one comes first, unless it has ended. What follows an end is no part,
                # but a program that goes on after it meant one.
                return next(
                    (place for place in reversed(places) if not self._open[place].is_closed), places[-1]
                ), is_end
        return None, False

    def _close(self, place: int, end: int) -> None:
        for part in self._open[place:]:
            part.end = max(end, part.headers.body_start)
            if part.boundary:
                self._places[part.boundary].pop()
        del self._open[place:]


def _uudecoded(raw: bytes) -> bytes:
    from binascii import Error, a2b_uu

    pieces = []
    _, _, lines = raw.partition(b"begin ")
    for line in lines.splitlines()[1:]:
        if line.strip() == b"end":
            break
        try:
            pieces.append(a2b_uu(line))
        except Error:
            # Some encoders write more than the length says: only that much counts.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                pieces.append(a2b_uu(line[:length]))
            except Error:
                continue
    return b"".join(pieces)
