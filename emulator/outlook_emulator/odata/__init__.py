"""OData's `$filter`, `$orderby`, `$top` and `$skip`, with the same meaning in SQL and in Python.

Texts compare in code point order and ignore the case of ASCII letters, as SQLite's NOCASE does. Logic is two-valued: a
comparison with null is false, except that null equals null and differs from everything else. Null sorts first. A
`Vocabulary` lists the properties that a caller may name. `apply` runs a query over records, `store/filters.py` over the
tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypedDict, TypeVar

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata.reader import check, condition
from outlook_emulator.odata.tree import Collection, KeyOf, Kind, Member, Node, Scope, Vocabulary, value_of

__all__ = ["Collection", "Kind", "KeyOf", "Member", "Order", "Query", "QueryOptions", "Vocabulary", "apply", "read"]

R = TypeVar("R")

Order = tuple[tuple[Member, bool], ...]
"""The members to order by, most important first, each with whether it descends."""

_ORDERBY = "The query parameter '$orderby'"
_TERM = re.compile(r"\s*([\w/.]+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)


class QueryOptions(TypedDict, total=False):
    """OData's query options as a caller wrote them. An option that is None does not apply."""

    filter: str | None
    orderby: str | None
    top: int | None
    skip: int | None


class Query(NamedTuple):
    """A query that was read. None means no condition, or no limit."""

    where: Node | None = None
    order: Order = ()
    top: int | None = None
    skip: int = 0

    def limited(self, most: int) -> Query:
        """The query with `most` as its `top` if it has none; 0 is no limit."""
        return self._replace(top=most) if most and self.top is None else self


def read(
    vocabulary: Vocabulary,
    *,
    filter: str | None = None,
    orderby: str | None = None,
    top: int | None = None,
    skip: int | None = None,
) -> Query:
    """The query that OData's parameters state; a blank parameter counts as absent.

    Raises InvalidRequest that names the parameter, and the property or the position in its text.
    """
    for name, number in (("$top", top), ("$skip", skip)):
        if number is not None and number < 0:
            raise InvalidRequest(f"The query parameter '{name}' must not be negative, but is {number}.")
    where = condition(vocabulary, filter) if filter and filter.strip() else None
    return Query(where, _order(vocabulary, orderby) if orderby and orderby.strip() else (), top, skip or 0)


def apply(query: Query, records: Iterable[R], key_of: KeyOf) -> list[R]:
    """The records that match a query. The sort is stable."""
    where = query.where
    matches = [record for record in records if where is None or where.of(Scope((record,), key_of))]
    # The least important first: each later sort is stable, and keeps the order of equal ones.
    for member, descending in reversed(query.order):
        matches.sort(key=lambda record, member=member: _rank(value_of(member, record)), reverse=descending)  # type: ignore[misc]
    return matches[query.skip : None if query.top is None else query.skip + query.top]


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
            raise InvalidRequest(f"{_ORDERBY} cannot be read at position {place}: '{term[:50]}' is not an order.")
        # Where a property is repeated, only the first mention has an effect.
        order.setdefault(_ordered(vocabulary, match[1]), (match[2] or "").lower() == "desc")
        place += len(term) + 1
    return tuple(order.items())


def _ordered(vocabulary: Vocabulary, path: str) -> Member:
    member = vocabulary.members.get(path.lower())
    if member is None:
        raise InvalidRequest(f"{_ORDERBY} names '{path[:100]}', which is not a sortable property.")
    if isinstance(member, Collection):
        raise InvalidRequest(f"{_ORDERBY} names '{path}', which is a list and cannot be ordered by.")
    return member
