"""The tree of parts inside a mail's bytes.

Read by offsets into the one source instead of by the email package: a nested mail keeps its exact bytes, the depth
is bounded, time is in proportion to size, and all Python versions read broken mail alike.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from dataclasses import dataclass
from functools import cached_property

from emulator.mailbox.mime_headers import decode_base64, decode_text, read_parameters

_HEADER = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:([^\r\n]*+(?:(?:\r(?!\n)|\r?\n[ \t])[^\r\n]*+)*+)(?:\r?\n|\Z)")
_BLANK_LINE = re.compile(rb"\r?\n")
_LEAD = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:>?From [^\n]*\n)?")
_FOLD = re.compile(r"\r?\n(?=[ \t])")

_MAIL_FIELDS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "mime-version", "received"}
)


def is_mail(headers: list[tuple[str, str]]) -> bool:
    """Whether these are a mail's headers: text such as JSON or an address has `name:` lines too, but none of a mail."""
    return any(name.lower() in _MAIL_FIELDS for name, _ in headers)


@dataclass(eq=False)
class Part:
    """A mail or one of its parts: its headers, unfolded but not decoded, and where its content lies in `source`."""

    source: bytes
    headers: list[tuple[str, str]]
    start: int
    end: int
    fallback_type: str = "text/plain"

    def header(self, name: str) -> str:
        """The first header of that lower-case name, empty when there is none."""
        return next((value for other, value in self.headers if other.lower() == name), "")

    @cached_property
    def _type(self) -> tuple[str, dict[str, str]]:
        return read_parameters(self.header("content-type"))

    @property
    def content_type(self) -> str:
        """The media type in lower case, the place's default when the part names none that makes sense."""
        named = self._type[0]
        return named if re.fullmatch(r"[^\s/]+/[^\s/]+", named) else self.fallback_type

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of Content-Type by lower-case name."""
        return self._type[1]

    @cached_property
    def disposition(self) -> tuple[str, dict[str, str]]:
        """Content-Disposition, empty when there is none, and its parameters."""
        return read_parameters(self.header("content-disposition"))

    def content(self) -> bytes:
        """The content with its transfer encoding undone, as far as it is sound."""
        data = self.source[self.start : self.end]
        encoding = self.header("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            return decode_base64(data)
        return a2b_qp(data) if encoding == "quoted-printable" else data

    def text(self) -> str:
        """The content as text, with `\\r\\n` line ends."""
        decoded = decode_text(self.content(), self.parameters.get("charset"))
        return re.sub(r"\r\n|\r|\n", "\r\n", decoded)

    def children(self) -> list[Part]:
        """The parts of a multipart, none when its boundary is missing. A missing end boundary is no matter."""
        spans = self._spans(self.parameters.get("boundary", ""))
        fallback = "message/rfc822" if self.content_type == "multipart/digest" else "text/plain"
        return [part_at(self.source, start, end, fallback) for start, end in spans]

    def _spans(self, boundary: str) -> list[tuple[int, int]]:
        if not boundary:
            return []
        delimiter = b"\n--" + re.escape(boundary.encode("utf-8", "replace"))
        spans, opened = list[tuple[int, int]](), -1
        # One character back: the first delimiter may use the line end that closes the headers.
        matches = re.compile(delimiter + rb"(--)?[ \t]*(?=(\r?\n|\Z))")
        for match in matches.finditer(self.source, max(0, self.start - 1), self.end):
            if opened >= 0:
                spans.append((opened, max(opened, _before_return(self.source, match.start()))))
            opened = -1 if match[1] else match.end(2)
            if match[1]:
                break
        if opened >= 0:
            spans.append((opened, self.end))
        return spans


def _before_return(source: bytes, end: int) -> int:
    return end - 1 if source[end - 1 : end] == b"\r" else end


def read_mail(raw: bytes) -> Part:
    """The mail in `raw` as the root of its parts; leading blank lines and an mbox `From ` line are passed over."""
    lead = _LEAD.match(raw)
    return part_at(raw, lead.end() if lead else 0, len(raw))


def part_at(source: bytes, start: int, end: int, fallback_type: str = "text/plain") -> Part:
    """The part that fills this stretch of `source`. Its headers end at a blank line or at a line that is none."""
    headers = list[tuple[str, str]]()
    while match := _HEADER.match(source, start, end):
        value = _FOLD.sub("", decode_text(match[2], None)).strip(" \t\r\n")
        headers.append((match[1].decode("ascii"), value))
        start = match.end()
    blank = _BLANK_LINE.match(source, start, end)
    return Part(source, headers, blank.end() if blank else start, end, fallback_type)
