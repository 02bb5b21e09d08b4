"""The one rule for what is a secret in headers, URLs and bodies, which every view of a sandbox's traffic hides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TypeVar

from outlook_emulator.patterns import pattern
from outlook_emulator.recent import Recent

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
_NAMES = tuple(dict.fromkeys((*_ENDS, *_IN_URLS, *_IN_JSON)))
_AFTER = b'=%"\\'
"""The characters of which one follows the name of a secret."""
_IS_NAME = b"(?=[" + re.escape(_AFTER) + b"])"
_START = pattern(b"|".join(name + _IS_NAME for name in _NAMES) + b"|://")
"""Matches, in lower case, where a secret may begin with its name, or the credential in a URL."""
_WORDS = {word: pattern(word + _IS_NAME) for word in dict.fromkeys(name.rpartition(b"?")[2] for name in _NAMES)}
"""Texts with which the names end, and what matches them there. Most texts have few of them, which is found quickly."""
_LONGEST_KIND = max(map(len, _KINDS)) + 1
"""How much of a name may come before such a word."""
_MOST_PLACES = 1000
"""Where a text has more such places, the expression looks at all of it, which takes less time and memory then."""
_hidden: Recent[bytes, bool] = Recent(64 * 1024)
"""Whether headers that were looked at last hold credentials."""
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
    return [(name, REDACTED if _is_secret(name) else value) for name, value in headers]


def _is_secret(name: bytes) -> bool:
    known = _hidden.get(name)
    if known is None:
        known = _HEADERS.search(name.decode("latin-1")) is not None
        _hidden.keep(name, known, len(name))
    return known


def redacted_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as text, without the secrets in them."""
    hidden = REDACTED.decode()
    return {name: hidden if _HEADERS.search(name) else redacted(value) for name, value in headers.items()}


def _redacted(text: bytes) -> bytes:
    lowered = text.lower()
    pieces: list[bytes] = []
    end = at = 0
    for first, last in _places(lowered):
        at = max(at, first)
        while (start := _START.search(lowered, at, last)) is not None:
            secret = _SECRET.match(text, start.start())
            at = start.start() + 1
            if secret is not None:
                pieces += (text[end : secret.end(secret.lastindex or 0)], REDACTED)
                end = at = secret.end()
    return b"".join((*pieces, text[end:])) if pieces else text


def _places(lowered: bytes) -> list[tuple[int, int]]:
    """Where in a text in lower case secrets may begin: the spans of their names in their order, or the whole text."""
    places = []
    for word, end_of_name in _WORDS.items():
        if word in lowered:
            for match in islice(end_of_name.finditer(lowered), _MOST_PLACES):
                places.append((max(match.start() - _LONGEST_KIND, 0), match.end() + 1))
    start = lowered.find(b"://")
    while start >= 0 and len(places) < _MOST_PLACES:
        places.append((start, start + 3))
        start = lowered.find(b"://", start + 3)
    if len(places) >= _MOST_PLACES:
        return [(0, len(lowered))]
    # In the order of their ends: a search must not pass the end of a place that comes later.
    return sorted(places, key=itemgetter(1))
