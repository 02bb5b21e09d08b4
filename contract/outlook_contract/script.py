"""Writes exchanges as a shell script of curl calls that repeats them against any target."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from outlook_contract.exchange import Exchange

_SHORTEST_ID = 30
"""Characters. Shorter texts that come back in a later request are words, not ids."""
_HEAD = """\
#!/bin/sh
# URL is the runtime URL of a connection, AUTHORIZATION the value of the header.
set -eu
URL="${URL:-http://127.0.0.1:4365/apim/outlook/script}"
AUTHORIZATION="${AUTHORIZATION:-Bearer token}"
pick() { python3 -c 'import json, sys
value = json.load(open("/dev/stdin"))
for part in sys.argv[1:]:
    value = value[int(part) if isinstance(value, list) else part]
print(value)' "$@"; }
"""


def script(exchanges: Iterable[Exchange], runtime_url: str) -> str:
    """A shell script that sends the requests of `exchanges` again, with the ids of the new responses.

    `runtime_url` is the URL below which the requests were sent. Each response is printed with its status.
    """
    lines, names = [_HEAD], dict[str, str]()
    recorded = list(exchanges)
    for number, exchange in enumerate(recorded, 1):
        lines.append(_call(exchange, runtime_url, names))
        for id, path in _ids(exchange):
            if id not in names and any(_mentions(later, id) for later in recorded[number:]):
                names[id] = f"ID_{len(names) + 1}"
                lines.append(f'{names[id]}=$(printf %s "$OUT" | pick {" ".join(map(shlex.quote, path))})')
    return "\n".join(lines) + "\n"


def _call(exchange: Exchange, runtime_url: str, names: Mapping[str, str]) -> str:
    parts = ["OUT=$(curl -sS -X", exchange.method, _url(exchange, runtime_url, names)]
    parts.append('-H "Authorization: $AUTHORIZATION"')
    if exchange.request_body:
        parts += ["-H 'Content-Type: application/json' --data-raw", _quoted(exchange.request_body.decode(), names)]
    return " ".join(parts) + f""")\nprintf '%s\\n' "{exchange.operation or exchange.method}: $OUT\""""


def _url(exchange: Exchange, runtime_url: str, names: Mapping[str, str]) -> str:
    text = exchange.url
    for id, name in names.items():
        for escaped in (quote(quote(id, safe=""), safe=""), quote(id, safe=""), id):
            text = text.replace(escaped, f"${{{name}}}")
    # curl escapes nothing, and the ids of the connector hold nothing to be escaped but an equals sign.
    return '"' + text.replace(runtime_url, "$URL").replace('"', '\\"').replace("`", "\\`") + '"'


def _quoted(text: str, names: Mapping[str, str]) -> str:
    quoted = shlex.quote(text)
    for id, name in names.items():
        quoted = quoted.replace(id, f"'\"${{{name}}}\"'")
    return quoted


def _mentions(exchange: Exchange, id: str) -> bool:
    return id in unquote(unquote(exchange.url)) or id.encode() in exchange.request_body


def _ids(exchange: Exchange) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The texts of a response that may be ids, and where they stand."""
    try:
        document = exchange.json()
    except ValueError:
        return
    yield from _texts(document, ())


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _texts(member, (*path, str(index)))
    elif isinstance(value, str) and len(value) >= _SHORTEST_ID and json.dumps(value).isascii():
        yield value, path
