"""Turns the journal of an emulator's sandbox into exchanges."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from outlook_contract.distinct import distinct
from outlook_contract.exchange import Exchange
from outlook_contract.har import INJECTED, HarWriter
from outlook_contract.redaction import HOST, Redactor
from outlook_contract.words import Words

_PAGE = 1000
_TOO_MANY = 429
Get = Callable[[str], Any]
"""Returns the JSON of a path below a sandbox in the admin API."""


class JournalCall(NamedTuple):
    """One exchange of a journal. `injected` says what answered in the connector's place, empty for the connector.

    `is_whole` is false if the journal has cut a body.
    """

    exchange: Exchange
    injected: str
    is_whole: bool


def calls(get: Get) -> Iterator[JournalCall]:
    """The exchanges that a journal holds, oldest first, without those that got no response."""
    after = 0
    while entries := get(f"journal?kind=exchange&after={after}&limit={_PAGE}")["value"]:
        for entry in entries:
            if entry["outcome"] == "answered" and entry["status"] is not None:
                yield _call(entry)
        after = entries[-1]["id"]


def redactor(get: Get, *, keep_text: bool = False) -> Redactor:
    """A redactor that knows the connections of a sandbox, in their order, and their addresses."""
    connections = get("connections")["value"]
    addresses = [connection["address"] for connection in connections]
    result = Redactor(addresses, words=None if keep_text else Words())
    for connection in connections:
        result.connection(connection["id"])
    return result


class Export(NamedTuple):
    """How many exchanges a file holds, how many there were, and how many of those in it have a body that was cut."""

    written: int
    total: int
    cut: int


def export(get: Get, file: Path, *, only_distinct: bool = False, keep_text: bool = False) -> Export:
    """Write a journal to a HAR file, all of it or only the distinct exchanges that the connector itself answered.

    Unless `keep_text`, texts and files are replaced.
    """
    all_calls = list(calls(get))
    chosen = all_calls
    if only_distinct:
        own = [call.exchange for call in all_calls if not call.injected and call.exchange.status != _TOO_MANY]
        kept = {id(exchange) for exchange in distinct(own)}
        chosen = [call for call in all_calls if id(call.exchange) in kept]
    with HarWriter(file, redactor(get, keep_text=keep_text)) as har:
        for call in chosen:
            comment = f"{INJECTED}{call.injected}" if call.injected else ""
            har.add(call.exchange, comment or ("" if call.is_whole else "The journal has cut a body."))
    return Export(len(chosen), len(all_calls), sum(not call.is_whole for call in chosen))


def _call(entry: Mapping[str, Any]) -> JournalCall:
    request, response = entry["request"], entry["response"]
    connection = f"/{quote(entry['connection'], safe='')}" if entry["connection"] else ""
    path = "/".join(quote(part, safe="") for part in entry["path"].split("/"))
    query = f"?{entry['query']}" if entry["query"] else ""
    exchange = Exchange(
        operation=entry["operation"],
        method=entry["method"],
        url=f"https://{HOST}/apim/outlook{connection}{path}{query}",
        request_headers=httpx.Headers(request["headers"]),
        request_body=_body(request["body"]),
        status=entry["status"],
        headers=httpx.Headers(response["headers"]),
        body=_body(response["body"]),
        started=datetime.fromisoformat(entry["realAt"]).timestamp(),
        seconds=entry["tookMilliseconds"] / 1000,
    )
    injected = ", ".join(
        f"{cause['kind']} {cause['name']}" for cause in entry["causes"] if cause["kind"] in ("fault", "limit")
    )
    return JournalCall(exchange, injected, not (request["truncated"] or response["truncated"]))


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, Mapping) and body.keys() == {"$content-type", "$content"}:
        return b64decode(body["$content"])
    return json.dumps(body, ensure_ascii=False).encode()
