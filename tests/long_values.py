"""Sends long, awkward texts as every text that the connector takes: none is a defect, and none holds the others.

`python -m tests.long_values [WORD…]` tries each text in each parameter and each member of a body, as long as the event
loop reads it itself; words select operations. It prints what takes longer than `LONGEST` or finds a defect. The
test suite tries a few.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from itertools import groupby, product
from typing import Any, NamedTuple
from urllib.parse import quote

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.errors import InternalError
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Scope
from outlook_emulator.server.connector.swagger import swagger
from outlook_emulator.settings import Settings
from tests.conftest import START
from tests.loop_lag import Answer, Caller

LONGEST = 0.050
"""How long a request may take the processor, in seconds."""
_QUERY_BYTES = 50_000
_BODY_BYTES = 60_000
"""Less than what is read in a thread."""
_ATTEMPTS = 5
_CONNECTION = "/apim/outlook/me"
_MOST_LEVELS = 3
_DEFECT = InternalError().message.encode()
TEXTS = (
    *("(", '"', "'", "-", "; ", ",", "/", "\\", "<", ">", "*", "{", "[", ".", "0", ":", "=", "&", "?", "|", "%", "@"),
    *("a ", "a:", "a@b.c;", "<a@b.c>;", "NOT ", " OR ", "A", "é", "İ", "\u3000", "\n", "\r\n\r\n", "\t", "> "),
    *("<p ", "<a b=", "<!--", "</p>", "<br>", "<style>", "<body", "<html>", "<b>x</b> ", "&#", "&#x9;", "&amp;"),
    *("data:;base64,", "http://a ", "=?utf-8?q?", "xn--", "%3D"),
)
"""Texts that are repeated until they are long."""
_USUAL: dict[str, Any] = {
    "To": "bob@outlook.com",
    "Subject": "Hello",
    "Body": "Hello",
    "Comment": "Hello",
    "Start": "2031-03-01T10:00:00Z",
    "End": "2031-03-01T11:00:00Z",
    "GivenName": "Ada",
    "HomePhones": ["1"],
}
"""Members that let a body with a long text elsewhere succeed."""
_Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A text of an operation: a parameter, or the member of a body at `path`."""

    operation: str
    method: str
    url: str
    name: str
    path: _Path = ()

    def request(self, text: str) -> tuple[str, str, bytes]:
        """The method, the URL and the body of a request with a long text here."""
        if not self.path:
            value = quote(text, safe="")
            return self.method, self.url.replace("@@", value * (_QUERY_BYTES // len(value))), b""
        value = text * (_BODY_BYTES // len(json.dumps(text, ensure_ascii=False).encode()))
        body = _with({name: _USUAL[name] for name in self.name.split()}, self.path, value)
        return self.method, self.url, json.dumps(body, ensure_ascii=False).encode()


class Outcome(NamedTuple):
    """How long a request took the processor, in seconds, and the answer."""

    seconds: float
    answer: Answer

    @property
    def is_defect(self) -> bool:
        """Whether the emulator failed, unlike a 500 with which the real connector refuses some requests."""
        return self.answer.status >= 500 and _DEFECT in self.answer.body


def places() -> Iterator[Place]:
    """Every text that the connector takes from a client."""
    document = swagger(OPERATIONS)
    by_id = {row.id: row for row in OPERATIONS}
    for url, methods in document["paths"].items():
        for method, operation in methods.items():
            row = by_id.get(operation.get("operationId", ""))
            if row is None or row.scope is not Scope.CONNECTION:
                continue
            yield from _parameters(document, url, method.upper(), operation)


def _parameters(document: Any, url: str, method: str, operation: Any) -> Iterator[Place]:
    id, parameters = operation["operationId"], operation.get("parameters", [])
    required = [entry["name"] for entry in parameters if entry["in"] == "query" and entry.get("required")]
    for entry in parameters:
        name = entry["name"]
        if name == "connectionId":
            continue
        others = "&".join(f"{other}=2031-01-01" for other in required if other != name)
        if entry["in"] == "path":
            yield Place(id, method, f"{_filled(url, name)}?{others}", name)
        elif entry["in"] == "query":
            yield Place(id, method, f"{_filled(url)}?{quote(name)}=@@&{others}", name)
        elif entry["in"] == "body":
            members = _resolved(document, entry["schema"]).get("properties", {})
            usual = " ".join(member for member in _USUAL if member in members)
            for path in _texts(document, entry["schema"]):
                yield Place(id, method, f"{_filled(url)}?{others}", usual, path)


def _filled(url: str, left_open: str = "") -> str:
    item = "Calendar" if "calendar" in url else "Contacts"
    below = url.removeprefix("/{connectionId}")
    return _CONNECTION + re.sub(r"\{(\w+)\}", lambda match: "@@" if match[1] == left_open else item, below)


def _resolved(document: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def _texts(document: Any, schema: Any, path: _Path = ()) -> Iterator[_Path]:
    """The paths of all texts in a body."""
    schema = _resolved(document, schema)
    if schema.get("type") == "string":
        yield path
    elif schema.get("type") == "array":
        yield from _texts(document, schema["items"], (*path, 0))
    elif len(path) < 2 * _MOST_LEVELS:
        for name, member in schema.get("properties", {}).items():
            yield from _texts(document, member, (*path, name))


def _with(value: Any, path: _Path, text: str) -> Any:
    """A JSON value with a text at a path."""
    if not path:
        return text
    first, *rest = path
    if first == 0:
        return [_with({}, tuple(rest), text)]
    inner = value.get(first, {}) if isinstance(value, dict) else {}
    return {**value, first: _with(inner if isinstance(inner, dict) else {}, tuple(rest), text)}


class LongValues:
    """A connection that long texts are sent to."""

    def __init__(self) -> None:
        self._caller = Caller(create_app(Settings(max_calls=0), VirtualClock(START)))

    async def send(self, place: Place, text: str) -> Outcome:
        """Send a text; again while it takes long, since the machine may be busy."""
        outcome = await self._send(place, text)
        for _ in range(_ATTEMPTS):
            if outcome.seconds < LONGEST:
                break
            outcome = min(outcome, await self._send(place, text), key=lambda other: other.seconds)
        return outcome

    async def _send(self, place: Place, text: str) -> Outcome:
        method, url, body = place.request(text)
        start = time.process_time()
        answer = await self._caller.send(method, url, body, {"content-type": "application/json"})
        return Outcome(time.process_time() - start, answer)


async def main(words: list[str]) -> int:
    chosen = [place for place in places() if not words or any(word in place.operation for word in words)]
    count = problems = 0
    for _, group in groupby(chosen, key=lambda place: place.operation):
        # Empty again: what the operation before has stored would make lists long.
        values = LongValues()
        for place, text in product(group, TEXTS):
            outcome = await values.send(place, text)
            count += 1
            if outcome.seconds >= LONGEST or outcome.is_defect:
                problems += 1
                where = ".".join(map(str, place.path)) or place.name
                end = f"{outcome.answer.status} after {outcome.seconds * 1000:.0f} ms"
                print(f"{place.operation} {where} {text!r}: {end}", flush=True)
    print(f"{count} requests with a long text in {len(chosen)} places, {problems} problems")
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
