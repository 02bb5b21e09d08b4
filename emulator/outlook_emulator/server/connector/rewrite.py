"""Rewrites a request to another method, path and query."""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import punctuation
from urllib.parse import quote, unquote

from starlette.types import Scope

from outlook_emulator.errors import UnknownMethod

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def rewrite(scope: Scope, method: str, path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Scope:
    """The scope of the same request sent to `path`; characters that a request line cannot hold are escaped."""
    # A `%` stays, since the path has escapes already, and ids are decoded later.
    raw_path, raw_query = (quote(part, safe=punctuation).encode("ascii") for part in (path, query))
    return {
        **scope,
        "method": method,
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": raw_query,
        "headers": list(headers),
    }


def known_method(text: str, where: str) -> str:
    """The HTTP method that a text names, in any case. Raises UnknownMethod; `where` says where the text was sent."""
    if (method := text.strip().upper()) not in _METHODS:
        raise UnknownMethod(where, _METHODS, text)
    return method


def without_origin(url: str) -> str:
    """Path and query of a URL, which may have no scheme and host."""
    return _ORIGIN.sub("", url, count=1).partition("#")[0]


def is_absolute(url: str) -> bool:
    """Whether a URL names a host."""
    return _ORIGIN.match(url) is not None
