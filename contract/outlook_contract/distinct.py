"""Keeps only the distinct interactions of a recording, and what these depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.redaction import ids_in, without_ids

_TITLES = ("Subject", "DisplayName", "GivenName")


def distinct(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges without those that repeat the form of an earlier one, in their order.

    Two have the same form if operation, names in the query, members of the bodies, their types, and the status agree. A
    repetition stays if a distinct one depends on it: if it brought an id that is used, or changed an item that shows.
    """
    kept: set[int] = set()
    forms = set()
    for place, exchange in enumerate(exchanges):
        form = _form(exchange)
        if form not in forms:
            forms.add(form)
            kept.add(place)
    used = [ids_in(_request(exchange)) for exchange in exchanges]
    brought = [ids_in(_response(exchange)) for exchange in exchanges]
    titles = [_titles(exchange.request_body) for exchange in exchanges]
    shown = [_titles(exchange.body) | titles[place] for place, exchange in enumerate(exchanges)]
    waiting = sorted(kept)
    while waiting:
        place = waiting.pop()
        needed = used[place] | brought[place]
        for earlier in range(place):
            is_change = exchanges[earlier].method != "GET"
            brings = bool(used[place] & brought[earlier]) and not _is_brought_before(used[place], brought, kept, place)
            changes = is_change and bool(needed & used[earlier] or shown[place] & titles[earlier])
            if earlier not in kept and (brings or changes):
                kept.add(earlier)
                waiting.append(earlier)
    return [exchange for place, exchange in enumerate(exchanges) if place in kept]


def _is_brought_before(ids: set[str], brought: Sequence[set[str]], kept: set[int], place: int) -> bool:
    """Whether the kept exchanges before a place bring all of the ids that any exchange before it brings."""
    available = set().union(*brought[:place]) & ids
    return available <= set().union(*(brought[earlier] for earlier in kept if earlier < place))


def _form(exchange: Exchange) -> object:
    url = urlsplit(exchange.url)
    names = sorted(name for name, _ in parse_qsl(url.query, keep_blank_values=True))
    where = exchange.operation or without_ids(url.path)
    return (
        exchange.method,
        where,
        tuple(names),
        _shape(exchange.request_body),
        exchange.status,
        _shape(exchange.body),
    )


def _shape(body: bytes) -> str:
    try:
        return json.dumps(_types(json.loads(body)), sort_keys=True)
    except ValueError:
        return "content" if body else ""


def _types(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _types(member) for name, member in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_types(item), sort_keys=True) for item in value})
    # An empty text and one with content are handled differently at many places.
    return "empty" if value == "" else type(value).__name__


def _request(exchange: Exchange) -> str:
    return f"{exchange.url} {exchange.request_body.decode('utf-8', 'replace')}"


def _response(exchange: Exchange) -> str:
    return f"{exchange.headers.get('location', '')} {exchange.body.decode('utf-8', 'replace')}"


def _titles(body: bytes) -> set[str]:
    try:
        return set(_members(json.loads(body)))
    except ValueError:
        return set()


def _members(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in _TITLES and isinstance(member, str) and member:
                yield member
            else:
                yield from _members(member)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item)
