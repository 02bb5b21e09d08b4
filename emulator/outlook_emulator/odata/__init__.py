"""OData's `$filter`, `$orderby`, `$top` and `$skip`, with the same meaning in SQL and in Python.

Texts compare without case for ASCII and in code point order, as SQLite's NOCASE does. Logic is two-valued: a comparison
with null is false, except that null equals null and differs from all else. Null comes first. What a caller may name is
a `Vocabulary`; `apply` runs a query over records, `store/filters.py` over the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypeVar

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata.reader import check, condition
from outlook_emulator.odata.tree import Collection, KeyOf, Kind, Member, Node, Scope, Vocabulary, value_of

__all__ = ["Collection", "Kind", "KeyOf", "Member", "Order", "Query", "Vocabulary", "apply", "read"]

R = TypeVar("R")

Order = tuple[tuple[Member, bool], ...]
"""Members to order by, most important first, and whether they descend."""

_ORDERBY = "The query parameter '$orderby'"
_TERM = re.compile(r"\s*([\w/.]+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)


class Query(NamedTuple):
    """A question that was understood: None is no condition, and no limit."""

    where: Node | None = None
    order: Order = ()
    top: int | None = None
    skip: int = 0


def read(
    vocabulary: Vocabulary,
    *,
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
) -> Query:
    """The query that OData's parameters state; blank ones count as not given.

    Raises InvalidRequest that names the parameter and the member or the place in its text.
    """
    for name, number in (("$top", top), ("$skip", skip)):
        if number is not None and number < 0:
            raise InvalidRequest(f"The query parameter '{name}' must not be negative, but is {number}.")
    where = condition(vocabulary, filter) if filter and filter.strip() else None
    return Query(where, _order(vocabulary, orderby) if orderby and orderby.strip() else (), top, skip or 0)


def apply(query: Query, records: Iterable[R], key_of: KeyOf) -> list[R]:
    """The records that a query asks for; those that it does not order stay as they came."""
    where = query.where
    found = [one for one in records if where is None or where.of(Scope((one,), key_of))]
    for member, descending in reversed(query.order):
        found.sort(key=lambda one, member=member: _rank(value_of(member, one)), reverse=descending)  # type: ignore[misc]
    return found[query.skip : None if query.top is None else query.skip + query.top]


def _rank(value: str | int | None) -> tuple[bool, str | int]:
    return (False, 0) if value is None else (True, value)


@lru_cache(maxsize=256)
def _order(vocabulary: Vocabulary, text: str) -> Order:
    check(_ORDERBY, text)
    order: dict[Member, bool] = {}
    place = 1
    for term in text.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise InvalidRequest(f"{_ORDERBY} cannot be read at position {place}: '{term[:50]}' is no order.")
        # Said twice, only the first can matter.
        order.setdefault(_ordered(vocabulary, match[1]), (match[2] or "").lower() == "desc")
        place += len(term) + 1
    return tuple(order.items())


def _ordered(vocabulary: Vocabulary, path: str) -> Member:
    member = vocabulary.members.get(path.lower())
    if member is None:
        raise InvalidRequest(f"{_ORDERBY} names '{path[:100]}', which is no member to order by.")
    if isinstance(member, Collection):
        raise InvalidRequest(f"{_ORDERBY} names '{path}', which is a list: it has no order.")
    return member
