"""Compares a published Swagger document with the definition, operation by operation and member by member."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from outlook_contract import definition

_MISSING = "missing"


class Difference(NamedTuple):
    """One fact that differs. `operation` is an operation id, or the name of a shape after `definitions.`."""

    operation: str
    member: str
    expected: str
    seen: str


def differences(document: Mapping[str, Any], *, is_refined: bool = True) -> Iterator[Difference]:
    """How a document differs from the definition. Operations and shapes that only one of the two has count too.

    A document of the real connector is not `is_refined`: it may lack the keywords that are this project's own.
    """
    known = definition.load()
    pairs = (
        _compared("", definition.operations(known), definition.operations(_whole(document))),
        _compared("definitions.", definition.definitions(known), definition.definitions(_whole(document))),
    )
    for difference in chain(*pairs):
        if is_refined or not _is_refinement(difference):
            yield difference


def _is_refinement(difference: Difference) -> bool:
    return difference.seen == _MISSING and difference.member.rpartition(".")[2] in definition.REFINEMENTS


def _compared(prefix: str, known: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*known, *published}):
        if name not in published:
            yield Difference(prefix + name, "", "declared", _MISSING)
        elif name not in known:
            yield Difference(prefix + name, "", "not declared", "present")
        else:
            for member, expected, seen in _members("", known[name], published[name]):
                yield Difference(prefix + name, member, expected, seen)


def _members(path: str, known: Any, published: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(known, Mapping) and isinstance(published, Mapping):
        for name in sorted({*known, *published}):
            below = f"{path}.{name}" if path else name
            yield from _members(below, known.get(name), published.get(name))
    elif known != published:
        yield path, _shown(known), _shown(published)


def _whole(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document in which operations have the members that facts are taken from, even where an export lacks them."""
    paths = {
        path: {
            method: {"parameters": [], "responses": {}, "summary": "", **operation}
            for method, operation in methods.items()
            if method in ("get", "post", "put", "patch", "delete")
        }
        for path, methods in document["paths"].items()
    }
    return {"definitions": {}, **document, "paths": paths}


def _shown(value: Any) -> str:
    return _MISSING if value is None else json.dumps(value)[:200]
