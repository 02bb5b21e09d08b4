"""Reads the text of `$filter` into a tree: odata-query parses, and what it gives is checked against a vocabulary.

Its tokens are put right on the way: blanks count only around operators, `(x)` after `in` is a list of one, `not(` is
no function, functions are known in any case, and `datetime'…'` of OData 2 is the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

from outlook_emulator.clock import microseconds
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata.tree import (
    EQUALITIES,
    FUNCTIONS,
    Call,
    Collection,
    Compare,
    Field,
    Junction,
    Key,
    Kind,
    Lambda,
    Member,
    Node,
    Not,
    Value,
    Vocabulary,
    Within,
    folded,
)

MAX_LENGTH = 8_000
"""How many characters a filter may have."""

MAX_DEPTH = 50
"""How deep conditions, functions and lambdas may be nested; a chain of `and` or of `or` is one level."""

FILTER = "The query parameter '$filter'"

_MAX_SIZE = 2**30
# A body repeated hundreds of times would fill the memory.
_MAX_JOINS = 10
_MAX_NUMBER = 2**63
_MAX_DIGITS = 40
_COMPARATORS = {"Eq": "eq", "NotEq": "ne", "Gt": "gt", "GtE": "ge", "Lt": "lt", "LtE": "le"}
_MIRRORED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_CASES = ("tolower", "toupper")
# A namespace keeps odata-query from checking the function, which is done here.
_CALLED = ("called",)
_PREFIXED = re.compile(
    r"('(?:[^']|'')*')|\b(?:datetime|datetimeoffset|guid|[a-z]\w{0,60}(?:\.\w{1,60}){1,8})(?=')", re.I
)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)


@lru_cache(maxsize=512)
def condition(vocabulary: Vocabulary, text: str) -> Node:
    """The condition that `text` states. Raises InvalidRequest, whatever the text."""
    return _Reader(vocabulary).condition(_parsed(text))


def refuse(problem: str) -> NoReturn:
    raise InvalidRequest(f"{FILTER} {problem}")


def check(parameter: str, text: str) -> None:
    """Refuse a text that is too long, or that no database can hold."""
    if len(text) > MAX_LENGTH:
        raise InvalidRequest(f"{parameter} is longer than {MAX_LENGTH} characters.")
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        raise InvalidRequest(f"{parameter} holds a character that no text can have.")


# --- Syntax ---


def _parsed(text: str) -> Any:
    from odata_query.exceptions import ODataException, ParsingException, TokenizingException
    from odata_query.grammar import ODataParser

    check(FILTER, text)
    try:
        return ODataParser().parse(_tokens(text))
    except (TokenizingException, ParsingException) as error:
        place = len(text.rstrip()) if error.token is None else error.token.index
        refuse_at(text, place)
    except (ODataException, AttributeError, NotImplementedError, RecursionError):
        # Paths that no member has, and parameters with names, trip the parser up.
        refuse("cannot be read: a path or a function's arguments are malformed.")


def refuse_at(text: str, place: int) -> NoReturn:
    rest = text[place:].lstrip()
    problem = f"'{rest[:20]}' is not expected here" if rest else "it ends too early"
    refuse(f"cannot be read at position {len(text) - len(rest) + 1}: {problem}.")


def _tokens(text: str) -> Iterator[Any]:
    from odata_query.ast import Identifier, Not
    from odata_query.grammar import ODataLexer

    def blank(match: re.Match[str]) -> str:
        return match[1] or " " * len(match[0])

    tokens = [one for one in ODataLexer().tokenize(_PREFIXED.sub(blank, text)) if one.type != "WS"]
    for number, token in enumerate(tokens):
        following = tokens[number + 1].type if number + 1 < len(tokens) else ""
        if token.type == "ODATA_IDENTIFIER" and following == "(":
            name = token.value.full_name().lower()
            token.value = Identifier(name, _CALLED)
            if name == "not":
                token.type, token.value = "NOT", Not()
        yield token
        if following == ")" and [one.type for one in tokens[max(number - 2, 0) : number]] == ["IN", "("]:
            comma = copy(tokens[number + 1])
            comma.type = comma.value = ","
            yield comma


# --- Meaning ---


class _Reader:
    """Turns odata-query's tree into ours."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._depth = 0
        self._joins = 0
        self._variables: list[tuple[str, Collection]] = []
        self._reaches_out: list[bool] = []

    def condition(self, source: Any) -> Node:
        node = self._node(source)
        if node.kind is not Kind.FLAG or (isinstance(node, Value) and node.value is None):
            refuse(f"needs a condition where it has {_described(node)}.")
        return node

    def _node(self, source: Any) -> Node:
        read = getattr(self, f"_read_{type(source).__name__.lower()}", None)
        if read is None:
            refuse(f"holds {_unsupported(source)}, which isn't supported.")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            refuse(f"is nested deeper than {MAX_DEPTH} levels.")
        node: Node = read(source)
        self._depth -= 1
        return node

    def _read_boolop(self, source: Any) -> Node:
        # Iterative: a chain of conditions leans to the left, as deep as it is long.
        parts: list[Node] = []
        waiting = [source]
        while waiting:
            one = waiting.pop()
            if type(one) is type(source) and type(one.op) is type(source.op):
                waiting += (one.right, one.left)
            else:
                parts.append(self.condition(one))
        return Junction(type(source.op).__name__ == "And", tuple(parts))

    def _read_unaryop(self, source: Any) -> Node:
        if type(source.op).__name__ != "Not":
            refuse("negates a number, which isn't supported.")
        return Not(self.condition(source.operand))

    def _read_compare(self, source: Any) -> Node:
        left = self._node(source.left)
        if type(source.comparator).__name__ == "In":
            left = _fitted(left, left)
            return Within(left, tuple(self._listed(one, left) for one in source.right.val))
        right = self._node(source.right)
        symbol = _COMPARATORS[type(source.comparator).__name__]
        if isinstance(left, Value) and not isinstance(right, Value):
            left, right, symbol = right, left, _MIRRORED[symbol]
        left = _fitted(left, left)
        right = _fitted(right, left)
        if left.kind is Kind.ID and symbol not in EQUALITIES:
            refuse(f"compares {_described(left)} by '{symbol}'; ids are equal or not.")
        return Compare(symbol, left, right)

    def _listed(self, source: Any, left: Node) -> Value | Key:
        value = self._node(source)
        fitted = _fitted(value, left)
        if not isinstance(fitted, Value | Key):
            refuse(f"has {_described(value)} in a list, where only plain values can be.")
        return fitted

    def _read_call(self, source: Any) -> Node:
        name, arguments = source.func.name, source.args
        if name == "substringof":
            name, arguments = "contains", arguments[::-1]
        function = FUNCTIONS.get(name)
        if function is None:
            refuse(f"calls the function '{name[:100]}', which isn't supported.")
        if not len(function.takes) - function.optional <= len(arguments) <= len(function.takes):
            refuse(f"calls the function '{name}' with {len(arguments)} arguments.")
        self._joins += name == "concat"
        if self._joins > _MAX_JOINS:
            refuse(f"calls the function 'concat' more than {_MAX_JOINS} times.")
        kinds = function.takes[: len(arguments)]
        read = tuple(self._argument(name, *one) for one in zip(arguments, kinds, strict=True))
        return read[0] if name in _CASES else Call(name, read)

    def _argument(self, function: str, source: Any, kind: Kind) -> Node:
        node = self._node(source)
        if kind is Kind.NUMBER:
            if not (isinstance(node, Value) and isinstance(node.value, int) and 0 <= node.value < _MAX_SIZE):
                refuse(f"calls the function '{function}' with a place that is no plain number from 0 up.")
            return node
        if isinstance(node, Value) and (node.value is None or isinstance(node.value, str)):
            return _fitted(node, Value(None, kind))
        if node.kind is not kind:
            refuse(f"calls the function '{function}' with {_described(node)}, not with {kind.value}.")
        return node

    # --- Members ---

    def _read_identifier(self, source: Any) -> Node:
        path = _path(source)
        key = path.lower()
        head, _, rest = key.partition("/")
        for depth, (variable, collection) in reversed(list(enumerate(self._variables, start=1))):
            if head == variable:
                return self._field(path, collection.items.get(rest), depth)
        return self._field(path, self._vocabulary.members.get(key), 0)

    _read_attribute = _read_identifier

    def _field(self, path: str, member: Member | Collection | None, depth: int) -> Node:
        if member is None:
            refuse(f"names '{path[:100]}', which is no member to filter by.")
        if isinstance(member, Collection):
            refuse(f"uses the list '{path}' as a single value; say any or all of it.")
        self._reach(depth)
        return Field(member, depth, path)

    def _reach(self, depth: int) -> None:
        for inner in range(depth, len(self._reaches_out)):
            self._reaches_out[inner] = True

    def _read_collectionlambda(self, source: Any) -> Node:
        path = _path(source.owner)
        collection = self._vocabulary.members.get(path.lower())
        if not isinstance(collection, Collection):
            refuse(f"says any or all of '{path[:100]}', which is no list to filter by.")
        self._reach(0)
        condition = None
        self._variables.append(("" if source.lambda_ is None else source.lambda_.identifier.name.lower(), collection))
        self._reaches_out.append(False)
        if source.lambda_ is not None:
            condition = self.condition(source.lambda_.expression)
        depth = len(self._variables)
        self._variables.pop()
        every = type(source.operator).__name__ == "All"
        return Lambda(collection, every, depth, condition, self._reaches_out.pop())

    # --- Literals ---

    def _read_null(self, source: Any) -> Node:
        return Value(None, Kind.FLAG)

    def _read_string(self, source: Any) -> Node:
        return Value(source.val, Kind.TEXT)

    _read_guid = _read_string

    def _read_boolean(self, source: Any) -> Node:
        return Value(int(source.py_val), Kind.FLAG)

    def _read_integer(self, source: Any) -> Node:
        if len(source.val) > _MAX_DIGITS or not -_MAX_NUMBER <= int(source.val) < _MAX_NUMBER:
            refuse(f"holds the number {source.val[:_MAX_DIGITS]}, which is too large.")
        return Value(int(source.val), Kind.NUMBER)

    def _read_float(self, source: Any) -> Node:
        return Value(float(source.val), Kind.NUMBER)

    def _read_datetime(self, source: Any) -> Node:
        return Value(_instant(source.val), Kind.INSTANT)

    _read_date = _read_datetime


def _path(source: Any) -> str:
    parts = []
    while type(source).__name__ == "Attribute":
        parts.append(source.attr)
        source = source.owner
    return "/".join((source.full_name(), *reversed(parts)))


def _fitted(node: Node, like: Node) -> Node:
    """A node that can be compared with `like`: a literal becomes what the other side's kind keeps."""
    names = _names(like)
    if not isinstance(node, Value):
        if node.kind is not like.kind or _names(node) is not names:
            refuse(f"compares {_described(like)} with {_described(node)}.")
        return node
    if node.value is None:
        return Value(None, like.kind)
    if isinstance(node.value, str):
        return _fitted_text(node.value, like)
    if node.kind is not like.kind:
        refuse(f"compares {_described(like)} with {_described(node)}.")
    return node


def _fitted_text(text: str, like: Node) -> Value | Key:
    names = _names(like)
    if names is not None:
        return Value(_named(names, text, like), Kind.NUMBER)
    if like.kind is Kind.ID:
        return Key(text)
    if like.kind is Kind.INSTANT:
        return Value(_instant(text), Kind.INSTANT)
    if like.kind is not Kind.TEXT:
        refuse(f"compares {_described(like)} with the text '{text[:100]}'.")
    return Value(folded(text), Kind.TEXT)


def _names(node: Node) -> Any:
    return node.member.names if isinstance(node, Field) else None


def _named(names: Any, text: str, like: Node) -> int:
    wanted = text.strip().lower()
    for name, member in names.__members__.items():
        if wanted in (name.lower(), str(member.value)):
            return int(member.value)
    refuse(f"compares {_described(like)} with '{text[:100]}'; it is one of {', '.join(names.__members__)}.")


def _instant(text: str) -> int:
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        when = datetime.fromisoformat(text.upper())
        # Shifted first: an offset can lead out of the years that there are.
        return microseconds(when.astimezone(UTC) if when.tzinfo else when)
    except (ValueError, OverflowError):
        refuse(f"holds '{text[:100]}', which is no date or date and time.")


def _described(node: Node) -> str:
    if isinstance(node, Field):
        return f"'{node.path[:100]}' ({node.kind.value})"
    if isinstance(node, Value):
        return "null" if node.value is None else node.kind.value
    return node.kind.value


def _unsupported(source: Any) -> str:
    operation = type(getattr(source, "op", source)).__name__.lower()
    return f"the operator {operation}" if hasattr(source, "op") else f"a {operation}"
