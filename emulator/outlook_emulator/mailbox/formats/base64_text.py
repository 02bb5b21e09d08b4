"""Decodes base64 as it arrives in mail, calendars and address books: cut, damaged or in pieces."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator

from outlook_emulator.steps import STEP

_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PADDING = re.compile(rb"=+")
_WHOLE = re.compile(rb"[A-Za-z0-9+/\s]*=*\s*")
_LINES = re.compile(rb"[A-Za-z0-9+/\r\n]*")


def decode_base64(text: bytes) -> bytes:
    """Decode base64 up to where it is cut; characters of no base64 are left out, and missing padding does not matter.

    Programs join encoded pieces, each with its padding: each is decoded. What follows padding and is no such piece, as
    the footer of a mailing list, is left out.
    """
    end = text.find(b"=")
    if end < 0 or not text[end:].strip(b"= \t\r\n"):
        return _piece(text)
    pieces = [_piece(text[:end])]
    # From the first padding on, since the pattern is slow in what has none.
    for other in _PADDING.split(text[end:])[1:]:
        letters = b"".join(other.split())
        if not _LINES.fullmatch(other) or len(letters) % 4 == 1:
            break
        pieces.append(_piece(letters))
    return b"".join(pieces)


def is_broken_base64(text: bytes) -> bool:
    """Whether base64 has characters of another kind, or a cut group that gives no byte."""
    if not _WHOLE.fullmatch(text):
        return True
    return len(b"".join(text.split()).rstrip(b"=")) % 4 == 1


def _piece(text: bytes) -> bytes:
    if len(text) > STEP:
        return b"".join(_in_steps(text))
    try:
        return a2b_base64(text)
    except Error:
        # Cut: a group of two letters gives a byte, of three two bytes; one letter alone gives none.
        letters = _NO_BASE64.sub(b"", text).rstrip(b"=")
        letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
        return a2b_base64(letters + b"=" * (-len(letters) % 4))


def _in_steps(text: bytes) -> Iterator[bytes]:
    rest = b""
    for start in range(0, len(text), STEP):
        letters = rest + _NO_BASE64.sub(b"", text[start : start + STEP])
        # What follows may complete the last group.
        kept = max(len(letters) - 1, 0) // 4 * 4
        yield _piece(letters[:kept])
        rest = letters[kept:]
    yield _piece(rest)
