"""A filter as a tree of typed nodes, and the vocabulary that defines the properties it may name.

`of` evaluates a node for one record in Python; `store/filters.py` writes the same tree as SQL. All texts are folded
(ASCII letters to lower case), since comparisons ignore case. Nodes compare by identity.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from typing import Any, NamedTuple, Protocol

import orjson

from outlook_emulator.clock import moment
from outlook_emulator.frozen import Frozen

KeyOf = Callable[[str], int | None]
"""Looks up the store's key of a wire id; None when nothing has that id."""

NO_KEY = -1
"""The key for an unknown id: no row has it, and it is not null."""

_UPPER_TO_LOWER = {ord("A") + n: ord("a") + n for n in range(26)}


class Kind(Enum):
    """The type of a value; the text describes it in error messages."""

    TEXT = "a text"
    NUMBER = "a number"
    FLAG = "true or false"
    INSTANT = "a date and time"
    ID = "an id"


class Member(Frozen, eq=False):
    """A property to filter and order by: `field` is the record's field and the table's column.

    Instants are microseconds since 1970, flags 0 or 1, ids the store's keys. With `names`, the kind is NUMBER: an
    enumeration stored as its integer. Callers write the name, in any case, or the integer.
    """

    field: str
    kind: Kind = Kind.TEXT
    names: type[IntEnum] | None = None


class Collection(Frozen, eq=False):
    """A list for `any` and `all`: JSON text in the record's `field`, and rows of `list_entry` with that `member`.

    `items` maps a folded path after the lambda's variable to a column of `list_entry`; "" is the variable itself.
    """

    field: str
    items: Mapping[str, Member]


class Vocabulary(Frozen, eq=False):
    """The filterable properties of one kind of record, by folded path. `kind` names the table."""

    kind: str
    members: Mapping[str, Member | Collection]


class Item(NamedTuple):
    """An entry of a list, with the columns of `list_entry`."""

    value: str
    name: str | None = None
    type: int | None = None
    response: int | None = None


class Scope(NamedTuple):
    """The context of an evaluation: the record, then the item of each enclosing lambda; and how to look up ids."""

    rows: tuple[Any, ...]
    key_of: KeyOf


def folded(text: str) -> str:
    """Lower case for ASCII only, as SQLite's NOCASE sees a text."""
    return text.lower() if text.isascii() else text.translate(_UPPER_TO_LOWER)


class Node(Protocol):
    """A part of the tree. `kind` is the kind of its value; a condition is a FLAG and never null."""

    @property
    def kind(self) -> Kind: ...

    def of(self, scope: Scope) -> Any: ...

    def __hash__(self) -> int: ...


class Field(Frozen, eq=False):
    """A property of the record (`depth` 0) or of the item of the lambda at that depth, with its path as written."""

    member: Member
    depth: int
    path: str

    @property
    def kind(self) -> Kind:
        return self.member.kind

    def of(self, scope: Scope) -> Any:
        return value_of(self.member, scope.rows[self.depth])


class Value(Frozen, eq=False):
    """A literal, in the form that the store keeps."""

    value: str | int | float | None
    kind: Kind

    def of(self, scope: Scope) -> Any:
        return self.value


class Key(Frozen, eq=False):
    """A wire id, looked up when the query runs."""

    text: str
    kind: Kind = Kind.ID

    def of(self, scope: Scope) -> int:
        return key(self.text, scope.key_of)


class Function(Frozen, eq=False):
    """A function: its argument kinds, of which the last `optional` may be omitted, its result kind and its code."""

    takes: tuple[Kind, ...]
    kind: Kind
    run: Callable[..., Any]
    optional: int = 0


class Call(Frozen, eq=False):
    """A function call. If an argument is null, the result is null, or false for a condition."""

    name: str
    arguments: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        return FUNCTIONS[self.name].kind

    def of(self, scope: Scope) -> Any:
        values = [argument.of(scope) for argument in self.arguments]
        if None in values:
            return False if self.kind is Kind.FLAG else None
        return FUNCTIONS[self.name].run(*values)


class Compare(Frozen, eq=False):
    """A comparison of two values of one kind; a single literal is on the right."""

    operator: str
    left: Node
    right: Node
    kind: Kind = Kind.FLAG

    def of(self, scope: Scope) -> bool:
        left, right = self.left.of(scope), self.right.of(scope)
        if self.operator not in EQUALITIES and (left is None or right is None):
            return False
        return bool(COMPARISONS[self.operator](left, right))


class Within(Frozen, eq=False):
    """Whether a list contains a value."""

    left: Node
    values: tuple[Value | Key, ...]
    kind: Kind = Kind.FLAG

    def of(self, scope: Scope) -> bool:
        return self.left.of(scope) in [value.of(scope) for value in self.values]


class Junction(Frozen, eq=False):
    """Conditions joined by `and` (if `every`) or by `or`."""

    every: bool
    parts: tuple[Node, ...]
    kind: Kind = Kind.FLAG

    def of(self, scope: Scope) -> bool:
        return (all if self.every else any)(part.of(scope) for part in self.parts)


class Not(Frozen, eq=False):
    """The negation of a condition."""

    part: Node
    kind: Kind = Kind.FLAG

    def of(self, scope: Scope) -> bool:
        return not self.part.of(scope)


class Lambda(Frozen, eq=False):
    """Whether a condition holds for all or any items of a list; without a condition, whether the list has items.

    `depth` is the item's index in the scope. With `correlated`, the condition also refers to the record or to an outer
    lambda.
    """

    collection: Collection
    every: bool
    depth: int
    condition: Node | None
    correlated: bool
    kind: Kind = Kind.FLAG

    def of(self, scope: Scope) -> bool:
        items = _items(getattr(scope.rows[0], self.collection.field))
        condition = self.condition
        if condition is None:
            return bool(items)
        held = (condition.of(Scope((*scope.rows, item), scope.key_of)) for item in items)
        return all(held) if self.every else any(held)


def value_of(member: Member, row: Any) -> Any:
    """The value of a record's or an item's property; a text is folded."""
    value = getattr(row, member.field)
    return folded(value) if isinstance(value, str) else value


def key(text: str, key_of: KeyOf) -> int:
    """The store's key for a wire id; `NO_KEY` for an unknown id."""
    row_key = key_of(text)
    return NO_KEY if row_key is None else row_key


def _items(text: str) -> list[Item]:
    return [
        # An attendee's JSON goes on with the time of the response, which no filter can name.
        Item(value) if isinstance(value, str) else Item(*value[: len(Item._fields)])
        for value in orjson.loads(text)
    ]


def _part(name: str) -> Function:
    return Function((Kind.INSTANT,), Kind.NUMBER, lambda instant: getattr(moment(instant), name))


EQUALITIES = ("eq", "ne")
"""The comparisons that accept null, and the only ones for ids."""

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "gt", "ge", "lt", "le")
}
_TWO_TEXTS = (Kind.TEXT, Kind.TEXT)
FUNCTIONS: Mapping[str, Function] = {
    "contains": Function(_TWO_TEXTS, Kind.FLAG, operator.contains),
    "startswith": Function(_TWO_TEXTS, Kind.FLAG, str.startswith),
    "endswith": Function(_TWO_TEXTS, Kind.FLAG, str.endswith),
    "length": Function((Kind.TEXT,), Kind.NUMBER, len),
    "indexof": Function(_TWO_TEXTS, Kind.NUMBER, str.find),
    "trim": Function((Kind.TEXT,), Kind.TEXT, lambda text: text.strip(" ")),
    "concat": Function(_TWO_TEXTS, Kind.TEXT, operator.add),
    "substring": Function(
        (Kind.TEXT, Kind.NUMBER, Kind.NUMBER),
        Kind.TEXT,
        lambda text, start, size=None: text[start:] if size is None else text[start : start + size],
        optional=1,
    ),
    **{name: Function((Kind.TEXT,), Kind.TEXT, folded) for name in ("tolower", "toupper")},
    **{name: _part(name) for name in ("year", "month", "day", "hour", "minute", "second")},
}
"""The functions by folded name. The reader drops `tolower` and `toupper`, since comparisons ignore case."""
