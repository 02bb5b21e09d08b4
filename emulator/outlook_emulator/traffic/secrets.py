"""The one rule for what is a secret in headers, URLs and bodies, which every view of a sandbox's traffic hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from outlook_emulator.patterns import pattern

RawHeaders = Sequence[tuple[bytes, bytes]]
Text = TypeVar("Text", str, bytes)
REDACTED = b"(redacted)"
_HEADERS = pattern(
    r"(?i)auth|cookie|token|secret|passw|passphrase|pwd|credential|signature|bearer|jwt|(?:^|[-_])sig$|^(?:x-)?key$"
    r"|(?:api|functions|subscription|access|account|private|sas)[-_]?key"
)
"""Matches names of headers that hold credentials."""
_KINDS = b"api", b"functions", b"subscription", b"access", b"account", b"private", b"sas"
_KEYS = [kind + rb"[-_]?key" for kind in _KINDS]
_ENDS = [b"secret", b"password", b"passwd", b"passphrase", b"pwd", b"jwt", b"authorization", *_KEYS]
"""How names of secrets may end, whatever they begin with."""
_TOKENS = [b"sig", b"token", *(kind + rb"[-_]?token" for kind in (b"access", b"refresh", b"id"))]
_IN_URLS = [*_TOKENS, b"code", b"validationtoken"]
_IN_JSON = [*_TOKENS, b"cookie", *(kind + rb"[-_]?token" for kind in (b"auth", b"bearer", b"session", b"security"))]
_END, _IN_URL, _IN_MEMBER = (b"(?:%b)" % b"|".join(names) for names in (_ENDS, _IN_URLS, _IN_JSON))
# Without groups: so the library skips all places where none of the first letters is.
_START = pattern(b"|".join(name + rb"(?=[=%\"\\])" for name in dict.fromkeys((*_ENDS, *_IN_URLS, *_IN_JSON))) + b"|://")
"""Matches, in lower case, where a secret may begin with its name, or the credential in a URL."""
# A URL may be in JSON, with its characters escaped, or be a value in the query of another URL.
_SECRET = pattern(
    rb"(?i)((?:(?:\b|(?<=\\u0026))" + _IN_URL + rb"|" + _END + rb")(?:=|\\u003D))"
    rb"(?:[^&\s\"'<>\\]|\\/|\\u(?!0026|0022|0027|003[CE])[0-9A-F]{4})+"
    rb"|((?:(?:\b|(?<=%26)|(?<=%3F))" + _IN_URL + rb"|" + _END + rb")%3D)(?:(?!%26)[^&\s\"'<>\\])+"
    # A user name and password before a host; and JSON members whose names can only mean secrets, also in JSON that is a
    # text in JSON.
    rb"|(://[^/\s:@\"'<>]++:)[^/\s@\"'<>]++(?=@)"
    rb"|((?:(?<=\")" + _IN_MEMBER + rb"|(?<=[\w\"-])" + _END + rb")\"\s*+:\s*+\")(?:[^\"\\]|\\.)+"
    rb"|((?:(?<=\\\")" + _IN_MEMBER + rb"|(?<=[\w\"-])" + _END + rb")\\\"\s*+:\s*+\\\")(?:[^\"\\\n]|\\++(?!\"))+"
)
"""Matches a secret from there on; what is to be shown of it is a group."""


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
    pieces: list[bytes] = []
    end = at = 0
    # In two steps: to look for the first letters of all names takes a small part of the time of the whole expression.
    while (start := _START.search(lowered, at)) is not None:
        secret = _SECRET.match(text, start.start())
        at = start.start() + 1
        if secret is not None:
            pieces += (text[end : secret.end(secret.lastindex or 0)], REDACTED)
            end = at = secret.end()
    return b"".join((*pieces, text[end:])) if pieces else text
