"""The one rule for what is a secret in headers, URLs and bodies, which every view of a sandbox's traffic hides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

RawHeaders = Sequence[tuple[bytes, bytes]]
Text = TypeVar("Text", str, bytes)
REDACTED = b"(redacted)"
_HEADERS = re.compile(
    r"(?i)auth|cookie|token|secret|passw|passphrase|pwd|credential|signature"
    r"|(?:api|functions|subscription|access|account)[-_]?key"
)
"""Matches names of headers that hold credentials."""
_WORDS = rb"(?:secret|password|passwd|passphrase|pwd|(?:api|functions|subscription|access|account)[-_]?key)"
_SECRET = rb"(?:sig|code|token|(?:access|refresh|id)[-_]?token|validationtoken|[\w-]{0,40}" + _WORDS + rb")"
_MEMBER = rb"(?:sig|token|(?:access|refresh|id|auth|bearer)[-_]?token|[\w-]{0,40}" + _WORDS + rb")"
# A URL may be in JSON, with its characters escaped, or be a value in the query of another URL.
_SIGNED = re.compile(
    rb"(?i)((?:\b|(?<=\\u0026))" + _SECRET + rb"(?:=|\\u003D))"
    rb"(?:[^&\s\"'<>\\]|\\/|\\u(?!0026|0022|0027|003[CE])[0-9A-F]{4})+"
    rb"|((?:\b|(?<=%26)|(?<=%3F))" + _SECRET + rb"%3D)(?:(?!%26)[^&\s\"'<>\\])+"
    # A user name and password before a host; and JSON members whose names can only mean secrets, also in JSON that is a
    # text in JSON.
    rb"|(://[^/\s:@\"'<>]+:)[^/\s@\"'<>]+(?=@)"
    rb"|(\"" + _MEMBER + rb"\"\s*:\s*\")(?:[^\"\\]|\\.)+"
    rb"|(\\\"" + _MEMBER + rb"\\\"\s*:\s*\\\")(?:(?!\\*\").)+"
)
_HINTS = tuple(
    name + delimiter
    for name in (b"sig", b"code", b"token", b"secret", b"password", b"passwd", b"passphrase", b"pwd", b"key")
    for delimiter in (b"=", b'"', b'\\"', b"\\u003d", b"%3d")
)
"""One of these is in every text that `_SIGNED` matches because of a name, in lower case."""


def redacted(text: Text) -> Text:
    """A query, a URL or a body without the secrets in it."""
    if isinstance(text, str):
        return _redacted(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")
    return _redacted(text)


def without_secrets(headers: RawHeaders) -> RawHeaders:
    """Headers without the values of those that hold credentials."""
    return [(name, REDACTED if _HEADERS.search(name.decode("latin-1")) else value) for name, value in headers]


def redacted_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as text, without the secrets in them."""
    hidden = REDACTED.decode()
    return {name: hidden if _HEADERS.search(name) else redacted(value) for name, value in headers.items()}


def _redacted(text: bytes) -> bytes:
    lowered = text.lower()
    # A look for a fixed text takes a hundredth of the time of the expression, and most texts hold no secret.
    if (b"://" in text and b"@" in text) or any(hint in lowered for hint in _HINTS):
        return _SIGNED.sub(rb"\1\2\3\4\5" + REDACTED, text)
    return text
