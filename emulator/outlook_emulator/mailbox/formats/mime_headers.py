"""Reads the headers of mails and their parts: lines, encoded words, parameters and dates.

Time is in proportion to the input, whatever it is.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from outlook_emulator.clock import instant_of
from outlook_emulator.errors import TooMuchContent
from outlook_emulator.mailbox.formats.base64_text import decode_base64
from outlook_emulator.mailbox.formats.charsets import decode_text, find_charset
from outlook_emulator.mailbox.formats.mime_limits import MAX_HEADER_BYTES

# The headers that are fields of a Mail.
OWN_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to"})
OWN_HEADERS |= {"references", "importance", "x-priority", "x-msmail-priority", "priority"}
# Line separators of str.splitlines are controls, too: the email package, which composes mails, folds there.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

# Some programs double the carriage returns.
_LINE = re.compile(rb"([^\r\n]*)(\r{0,2}\n|\r|\Z)")
# Blanks before the colon are obsolete syntax that readers must accept (RFC 5322, 4.5).
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*")
_PARAMETER_LINE = re.compile(rb"[\w*-]+=")
_COMMENT = re.compile(r"\([^()]*+\)")
_FRACTION = re.compile(r"(:\d\d)\.\d+")
_ID = re.compile(r"<[^<>\s]+>")
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?")
# A name without a value is matched, too: the search would begin again at each of its characters.
_PARAMETER = re.compile(r'([^\s=;"]++)(?:\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+)))?', re.DOTALL)
_LONGEST_PARAMETER = 100
_MOST_EMPTY_FOLDS = 20
_SEGMENT = re.compile(r"(.+?)(?:\*(\d{1,4}))?(\*?)")
_MEDIA_TYPE = re.compile(r'[\s"]*([\w!#$&^.+-]+)/([\w!#$&^.+-]+)')


class Field(NamedTuple):
    """A header as it stands in a mail: its name, and its value on one line, in bytes."""

    name: str
    value: bytes


class OddLine(NamedTuple):
    """A line among headers that is none: where it begins, and its text."""

    start: int
    text: bytes


class Headers(NamedTuple):
    """The headers of a mail or a part, where the body begins, and the lines that are no headers."""

    fields: list[Field]
    body_start: int
    odd_lines: list[OddLine]

    def values(self, name: str) -> Iterator[str]:
        """The values of all headers with this name, which is in lower case."""
        return self._texts(field for field in self.fields if field.name.lower() == name)

    def decoded(self, fields: Sequence[Field]) -> list[tuple[str, str]]:
        """The names and the decoded values of some of the headers."""
        texts = self._texts(fields)
        return [(field.name, read_text(text)) for field, text in zip(fields, texts, strict=True)]

    def _texts(self, fields: Iterable[Field]) -> Iterator[str]:
        charset = None
        for field in fields:
            if charset is None and not field.value.isascii():
                charset = self._charset()
            yield header_text(field.value, charset)

    def value(self, name: str) -> str:
        """The value of the first header with this name, decoded; empty if there is none."""
        return read_text(next(self.values(name), ""))

    def parameters(self, name: str) -> Parameters:
        """The value and the parameters of the first header with this name."""
        return read_parameters(next(self.values(name), ""))

    def _charset(self) -> str | None:
        # Old programs write headers in the charset of the body, without saying so.
        for field in self.fields:
            if field.name.lower() == "content-type":
                return read_parameters(field.value.decode("latin-1")).charset()
        return None


class Parameters(NamedTuple):
    """The value of a header such as Content-Type, and its parameters by their names in lower case."""

    value: str
    by_name: dict[str, str]

    def charset(self) -> str | None:
        """The parameter `charset`, without what some programs write after it."""
        return next(iter(self.by_name.get("charset", "").split()), None)


def is_own_header(name: str) -> bool:
    """Whether a header comes from a field or the content of a Mail, and so is not in its `headers`."""
    lower = name.lower()
    return lower in OWN_HEADERS or lower == "mime-version" or lower.startswith("content-")


def read_headers(data: bytes, start: int, ends_part: Callable[[bytes], bool] | None = None) -> Headers:
    """Read headers from `start` up to the blank line that ends them.

    A line that is no header costs itself and the lines folded into it. For a part, `ends_part` tells the lines that end
    it; a part needs no headers, while a mail does. Raises TooMuchContent.
    """
    lines, body_start, is_ended = _lines(data, start, ends_part)
    fields: list[tuple[str, list[bytes]]] = []
    odd: list[OddLine] = []
    last_field = start
    for line in lines:
        text = line.text
        match = _FIELD.match(text)
        is_folded = text[:1] in (b" ", b"\t")
        if match:
            fields.append((match[1].decode("ascii"), [text[match.end() :]]))
            last_field = line.start
        elif is_folded and odd and odd[-1].start >= last_field:
            continue
        # A fold that lost its blank is repaired where its header says that a parameter follows: without a boundary the
        # whole mail would be one text.
        elif fields and (is_folded or (_PARAMETER_LINE.match(text) and fields[-1][1][-1].rstrip().endswith(b";"))):
            fields[-1][1].append(text if is_folded else b" " + text)
        elif text.strip() and not (line.start == start and text.lstrip(b">").startswith(b"From ")):
            odd.append(line)
    if ends_part and odd and odd[0].start == start and not any(map(_is_of_part, fields)):
        return Headers([], start, [])
    trailing = [line for line in odd if line.start > last_field]
    if trailing and fields and (not is_ended or (ends_part is None and not data[body_start:].strip())):
        # The blank line is missing, since there is no other text.
        body_start = trailing[0].start
        del odd[-len(trailing) :]
    return Headers([Field(name, b"".join(pieces).rstrip()) for name, pieces in fields], body_start, odd)


def _is_of_part(field: tuple[str, list[bytes]]) -> bool:
    return field[0].lower().startswith("content-")


def _lines(data: bytes, start: int, ends_part: Callable[[bytes], bool] | None) -> tuple[list[OddLine], int, bool]:
    # The lines up to the blank one, where the body begins, and whether there was a blank one.
    lines: list[OddLine] = []
    position = start
    while position < len(data):
        match = _LINE.match(data, position)
        assert match is not None
        text = match[1]
        if match.end() - start > MAX_HEADER_BYTES:
            raise TooMuchContent(f"The headers of the mail or of a part are longer than {MAX_HEADER_BYTES} bytes.")
        if ends_part and text.startswith(b"--") and ends_part(text):
            return lines, position, False
        if not text.strip() and (not text or not _goes_on(data, match.end())):
            return lines, match.end(), True
        lines.append(OddLine(position, text))
        position = match.end()
    return lines, position, False


def _goes_on(data: bytes, position: int) -> bool:
    # Whether headers follow a line of blanks, which is then an empty fold. More such lines need the text of the fold.
    for number in range(_MOST_EMPTY_FOLDS):
        match = _LINE.match(data, position)
        assert match is not None
        text = match[1]
        if not text or text.strip():
            return text[:1] in (b" ", b"\t") or (number == 0 and bool(_FIELD.match(text)))
        position = match.end()
    return False


def header_text(value: bytes, charset: str | None = None) -> str:
    """A header as text on one line, with its encoded words as they stand."""
    return CONTROLS.sub(" ", decode_text(value, charset if charset and not _is_utf_8(value) else None))


def _is_utf_8(value: bytes) -> bool:
    try:
        value.decode()
    except ValueError:
        return False
    return True


def read_text(value: str) -> str:
    """Decode the encoded words of a header (RFC 2047), such as a subject, to text on one line."""
    if "=?" in value:
        value = "".join(_decoded(value))
    return CONTROLS.sub(" ", value).strip(" ")


def _decoded(value: str) -> Iterator[str]:
    position = 0  # of what is not given out yet
    charset, content = "", b""  # of the words before it
    for start, end, word_charset, word_content in _words(value):
        between = value[position:start]
        is_next = bool(content) and not between.strip()
        # Programs split characters between two words, so that words are joined before they are decoded.
        if is_next and word_charset == charset:
            content += word_content
        else:
            if content:
                yield decode_text(content, charset)
            if not is_next:
                yield between
            charset, content = word_charset, word_content
        position = end
    if content:
        yield decode_text(content, charset)
    yield value[position:]


def _words(value: str) -> Iterator[tuple[int, int, str, bytes]]:
    # Where each encoded word starts and ends, its charset and its bytes.
    position, end = 0, -1
    while match := _WORD.search(value, position):
        if end < match.end():
            end = value.find("?=", match.end())
            if end < 0:
                return
        if _WORD.search(value, match.end(), end):
            # This word has no end of its own.
            position = match.end()
            continue
        charset, text = match[1].lower(), value[match.end() : end]
        if match[2] in "bB":
            content = decode_base64(text.encode("ascii", "ignore"))
        else:
            charset, encoded = _quoted_bytes(charset, text)
            content = a2b_qp(encoded, header=True)
        yield match.start(), end + 2, charset, content
        position = end + 2


def _quoted_bytes(charset: str, text: str) -> tuple[str, bytes]:
    # Programs forget to encode letters, which were decoded with the header. Those that the charset lacks are in UTF-8.
    if text.isascii():
        return charset, text.encode("ascii")
    known = find_charset(charset)
    if known is not None:
        with suppress(LookupError, ValueError):
            return charset, text.encode(known.name)
    return "utf-8", text.encode("utf-8", "replace")


def read_parameters(value: str) -> Parameters:
    """Read a header with parameters, such as Content-Type (RFC 2045), with those that RFC 2231 encodes or splits."""
    head, _, rest = value.partition(";")
    first, separator, more = head.strip().partition(" ")
    if separator and "=" in more:
        # Without the semicolon.
        head, rest = first, f"{more};{rest}"
    plain: dict[str, str] = {}
    segments: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(rest):
        if match[2] is None and match[3] is None:
            continue
        name = _SEGMENT.fullmatch(match[1].lower()) if len(match[1]) < _LONGEST_PARAMETER else None
        text = match[3].strip() if match[2] is None else re.sub(r'\\(["\\])', r"\1", match[2])
        if name is None or (name[2] is None and not name[3]):
            plain.setdefault(match[1].lower(), text)
        else:
            segments.setdefault(name[1], {}).setdefault(int(name[2] or 0), (text, bool(name[3])))
    for key, numbered in segments.items():
        # Programs that write both forms mean the encoded one; the other is for old readers.
        plain[key] = _joined_segments(numbered)
    return Parameters(head.strip(), {key: read_text(text) for key, text in plain.items()})


def _joined_segments(segments: dict[int, tuple[str, bool]]) -> str:
    ordered = [segments[number] for number in sorted(segments)]
    first, is_encoded = ordered[0]
    if not is_encoded:
        return b"".join(_segment_bytes(*segment) for segment in ordered).decode("utf-8", "replace")
    charset, quote, tail = first.partition("'")
    _, second_quote, text = tail.partition("'")
    if not quote or not second_quote:
        charset, text = "", first
    content = [unquote_to_bytes(text), *(_segment_bytes(*segment) for segment in ordered[1:])]
    return decode_text(b"".join(content), charset or None)


def _segment_bytes(text: str, is_encoded: bool) -> bytes:
    return unquote_to_bytes(text) if is_encoded else text.encode("utf-8", "replace")


def media_type(parameters: Parameters, default: str) -> str:
    """The media type of a Content-Type in lower case; `default` if there is none. What is no type is text or a file."""
    if not parameters.value:
        return default
    match = _MEDIA_TYPE.match(parameters.value)
    if match:
        return f"{match[1]}/{match[2]}".lower()
    if parameters.value.lower().startswith("multipart"):
        return "multipart/mixed"
    # What has a name is a file.
    return "application/octet-stream" if "name" in parameters.by_name else "text/plain"


def read_date(value: str) -> int | None:
    """The instant of a Date header in microseconds since 1970; None if it is no date."""
    from email.utils import parsedate_to_datetime

    text = _COMMENT.sub(" ", value[:200]).strip()
    for read, date in (
        (parsedate_to_datetime, text),
        (datetime.fromisoformat, text),
        (parsedate_to_datetime, _FRACTION.sub(r"\1", text)),
    ):
        try:
            return instant_of(read(date))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def read_ids(value: str) -> tuple[str, ...]:
    """The Message-IDs of a header; without angle brackets, the bare words are the ids."""
    return tuple(_ID.findall(value)) or tuple(value.split())
