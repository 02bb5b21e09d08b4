"""Compiles OData queries to SQL on events and contacts, once for each condition and order.

A condition may be null instead of false where that makes no difference, since bare comparisons can use an index. Where
a condition is negated or read as a value, IS TRUE is added.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from outlook_emulator.odata import KeyOf, Kind, Member, Order, Query, Vocabulary
from outlook_emulator.odata.tree import Call, Compare, Field, Junction, Key, Lambda, Node, Not, Value, Within, key
from outlook_emulator.store import records, sql
from outlook_emulator.store.database import Database

# SQLite's largest integer; the driver raises for a larger $top or $skip.
_MOST = 2**63 - 1
# IS and IS NOT treat null as a value, as OData does. SQL's = and <> are null where one side is.
_SYMBOLS = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FEW = 500
_ID = Member("id", Kind.ID)
_START = Member("start_at", Kind.INSTANT)
_BY_NAME: Order = ((Member("display_name"), False), (_ID, False))
# SQLite divides towards zero, but seconds before 1970 must be rounded down.
_SECONDS = "({0} - (({0} % 1000000) + 1000000) % 1000000) / 1000000"
_PARTS = {"year": "Y", "month": "m", "day": "d", "hour": "H", "minute": "M", "second": "S"}
_FUNCTIONS = {
    "contains": "instr(lower({0}), lower({1})) > 0",
    "startswith": "substr(lower({0}), 1, length({1})) = lower({1})",
    "endswith": "substr(lower({0}), length({0}) - length({1}) + 1) = lower({1})",
    "length": "length({0})",
    "indexof": "(instr(lower({0}), lower({1})) - 1)",
    "trim": "trim({0})",
    "concat": "({0} || {1})",
    # OData counts characters from 0, SQLite from 1.
    "substring": "substr({0}, {1} + 1)",
    **{name: f"CAST(strftime('%{part}', {_SECONDS}, 'unixepoch') AS INTEGER)" for name, part in _PARTS.items()},
}


class _Folders(NamedTuple):
    """How records of one kind are stored: the column of their folder, a condition, and their indexed columns.

    `order` is the order of a list that states none; `ties` completes one that is stated.
    """

    record: Any
    column: str
    condition: str
    order: Order
    ties: Order
    indexed: frozenset[str]


_FOLDERS = {
    "event": _Folders(
        records.Event,
        "calendar_id",
        "event.master_id IS NULL",
        # Newest start first, as recorded. Its index serves this order when read backwards.
        ((_START, True), (_ID, True)),
        ((_START, False), (_ID, False)),
        frozenset(("start_at", "subject")),
    ),
    "contact": _Folders(
        records.Contact,
        "folder_id",
        "",
        _BY_NAME,
        _BY_NAME,
        frozenset(("display_name", "surname", "given_name", "company_name", "file_as")),
    ),
}


class _Statement(NamedTuple):
    """SQL, and the values of its parameters `v0`, `v1`, …; a `Key` among them must be resolved first."""

    text: str
    values: dict[str, Any]


def find(db: Database, vocabulary: Vocabulary, folder_id: int, query: Query, key_of: KeyOf) -> list[Any]:
    """The events of a calendar, or the contacts of a folder, that match a query, as `Event` or `Contact` records.

    Exceptions of a series are left out. Without an order, events come newest start first and contacts by display name;
    a stated order is completed by start or display name. Equal ones come in the order of the store's key, which is
    descending for events without an order.
    """
    text, values = statement(vocabulary.kind, query.where, query.order, query.top is not None or query.skip > 0)
    bound = {name: key(value.text, key_of) if isinstance(value, Key) else value for name, value in values.items()}
    # SQLite reads a negative LIMIT as none.
    top = -1 if query.top is None else min(query.top, _MOST)
    rows = db.all(text, {**bound, "folder": folder_id, "top": top, "skip": min(query.skip, _MOST)})
    return list(map(_FOLDERS[vocabulary.kind].record._make, rows))


def has_few(db: Database, vocabulary: Vocabulary) -> bool:
    """Whether a sandbox has so few records of a kind that any query is quick."""
    (key,) = db.one(sql.NEWEST[vocabulary.kind], {})
    return bool(key < _FEW)


# Conditions compare by identity: an equal text gives the same one, since the reader keeps what it has read.
@lru_cache(maxsize=512)
def statement(kind: str, where: Node | None, order: Order, paged: bool) -> _Statement:
    """The statement that selects a kind of record; it takes `folder` too, and `top` and `skip` when `paged`."""
    folder = _FOLDERS[kind]
    compiler = _Compiler(kind)
    parts = where.parts if isinstance(where, Junction) and where.every else (where,)
    # SQLite prefers to read a folder in order over looking up a few rows and sorting them. A plus disables an index.
    by_list = any(isinstance(part, Lambda) and not part.every and not part.correlated for part in parts)
    sort = by_list or any(_is_lookup(part, folder.indexed) for part in parts)
    conditions = [
        f"{'+' * by_list}{kind}.{folder.column} = :folder",
        folder.condition,
        compiler.condition(where) if where else "",
    ]
    wanted = " AND ".join(filter(None, conditions))
    ordered = _ordered(kind, order + folder.ties if order else folder.order)
    ending = f"ORDER BY {'+' * sort}{ordered}"
    if paged:
        # By id first, so that skipped rows are not sorted with all their columns.
        wanted = f"{kind}.id IN (SELECT {kind}.id FROM {kind} WHERE {wanted} {ending} LIMIT :top OFFSET :skip)"
        ending = f"ORDER BY +{ordered}"
    # In the order of the record's fields, so that a row becomes a record without a lookup.
    columns = ", ".join(f"{kind}.{name}" for name in folder.record._fields)
    return _Statement(f"SELECT {columns} FROM {kind} WHERE {wanted} {ending}", compiler.values)


def _is_lookup(node: Node | None, indexed: frozenset[str]) -> bool:
    """Whether a condition selects single values of an indexed column."""
    if not isinstance(node, Compare | Within) or (isinstance(node, Compare) and node.operator != "eq"):
        return False
    return isinstance(node.left, Field) and node.left.member.field in indexed


def _ordered(table: str, order: Order) -> str:
    # A dict keeps the first mention of a column; later ones have no effect.
    terms: dict[str, str] = {}
    for member, descending in order:
        term = f"{table}.{member.field}" + " COLLATE NOCASE" * (member.kind is Kind.TEXT)
        terms.setdefault(member.field, term + " DESC" * descending)
    return ", ".join(terms.values())


class _Compiler:
    """Compiles conditions on one table, and collects their values."""

    def __init__(self, table: str) -> None:
        self._table = table
        self.values: dict[str, Any] = {}
        self._conditions: dict[type, Callable[[Any], str]] = {
            Junction: self._junction,
            Not: lambda node: f"({self.condition(node.part)}) IS NOT TRUE",
            Compare: self._compare,
            Within: self._within,
            Lambda: self._lambda,
            Call: self._call,
        }

    def condition(self, node: Node) -> str:
        """SQL that is true where the condition holds, and false or null elsewhere."""
        write = self._conditions.get(type(node))
        return self._operand(node) if write is None else write(node)

    def _operand(self, node: Node) -> str:
        if isinstance(node, Field):
            return f"{self._alias(node.depth)}.{node.member.field}"
        if isinstance(node, Value):
            return self._bound(node.value)
        if isinstance(node, Key):
            return self._bound(node)
        if isinstance(node, Call) and node.kind is not Kind.FLAG:
            return self._call(node)
        return f"(({self.condition(node)}) IS TRUE)"

    def _compared(self, node: Node) -> str:
        written = self._operand(node)
        return f"{written} COLLATE NOCASE" if node.kind is Kind.TEXT else written

    def _alias(self, depth: int) -> str:
        return f"entry{depth}" if depth else self._table

    def _bound(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def _junction(self, node: Junction) -> str:
        return _balanced([f"({self.condition(part)})" for part in node.parts], "AND" if node.every else "OR")

    def _compare(self, node: Compare) -> str:
        constant = isinstance(node.right, Key) or (isinstance(node.right, Value) and node.right.value is not None)
        symbol = "=" if constant and node.operator == "eq" else _SYMBOLS[node.operator]
        return f"{self._compared(node.left)} {symbol} {self._operand(node.right)}"

    def _within(self, node: Within) -> str:
        left = self._compared(node.left)
        # SQL's IN never finds a null, so a null in the list becomes a condition of its own.
        values = [value for value in node.values if isinstance(value, Key) or value.value is not None]
        condition = f"{left} IN ({', '.join(self._operand(value) for value in values)})"
        return condition if len(values) == len(node.values) else f"({condition} OR {left} IS NULL)"

    def _call(self, node: Call) -> str:
        subject = self._operand(node.arguments[0])
        last = node.arguments[-1]
        if node.name == "startswith" and isinstance(last, Value) and isinstance(last.value, str):
            # The only pattern that can use an index; otherwise LIKE is far slower than instr.
            return f"{subject} LIKE {self._bound(_literally(last.value) + '%')} ESCAPE '\\'"
        others = [self._operand(argument) for argument in node.arguments[1:]]
        template = "substr({0}, {1} + 1, {2})" if len(others) == 2 else _FUNCTIONS[node.name]
        return template.format(subject, *others)

    def _lambda(self, node: Lambda) -> str:
        alias = self._alias(node.depth)
        where = f"{alias}.kind = '{self._table}' AND {alias}.member = '{node.collection.field}'"
        if node.condition is not None:
            where += f" AND ({self.condition(node.condition)})" + " IS NOT TRUE" * node.every
        # All entries fit if none of them fails to.
        negation = "NOT " * node.every
        if node.correlated:
            owned = f"{alias}.owner_id = {self._table}.id"
            return f"{negation}EXISTS (SELECT 1 FROM list_entry AS {alias} WHERE {owned} AND {where})"
        # A subquery that refers to no row outside is run once for the statement, and EXISTS once for each row.
        return f"{self._table}.id {negation}IN (SELECT {alias}.owner_id FROM list_entry AS {alias} WHERE {where})"


def _balanced(parts: list[str], word: str) -> str:
    # SQLite counts a chain as nested expressions and limits their depth; a balanced tree stays within the limit.
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_balanced(parts[:middle], word)} {word} {_balanced(parts[middle:], word)})"


def _literally(text: str) -> str:
    """A LIKE pattern that matches only this text."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
