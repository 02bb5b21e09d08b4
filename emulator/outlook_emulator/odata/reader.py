"""Reads the text of `$filter` into a typed tree, checked against a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from outlook_emulator.clock import microseconds
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.odata.grammar import SyntaxProblem, parse
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

if TYPE_CHECKING:
    from lark import Token, Tree

    Source: TypeAlias = Tree[Token] | Token

MAX_LENGTH = 8_000
"""The maximum number of characters in a filter."""

MAX_DEPTH = 50
"""The maximum nesting of conditions, functions and lambdas. A chain of `and` or of `or` is one level."""

FILTER = "The query parameter '$filter'"

_MAX_SIZE = 2**30
# A text repeated hundreds of times would exhaust the memory.
_MAX_JOINS = 10
_MAX_NUMBER = 2**63
_MAX_DIGITS = 40
_MIRRORED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_CASES = ("tolower", "toupper")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)


@lru_cache(maxsize=512)
def condition(vocabulary: Vocabulary, text: str) -> Node:
    """The condition that `text` states. Raises InvalidRequest for every text that is not one."""
    check(FILTER, text)
    try:
        source = parse(text)
    except SyntaxProblem as problem:
        _reject_syntax(text, problem.position)
    return _Reader(vocabulary).condition(source)


def check(parameter: str, text: str) -> None:
    """Reject a text that is too long, or that no database can store."""
    if len(text) > MAX_LENGTH:
        raise InvalidRequest(f"{parameter} is longer than {MAX_LENGTH} characters.")
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        raise InvalidRequest(f"{parameter} contains a character that is not allowed in text.")


def _reject(problem: str) -> NoReturn:
    raise InvalidRequest(f"{FILTER} {problem}")


def _reject_syntax(text: str, position: int) -> NoReturn:
    rest = text[position:].lstrip()
    place = len(text) - len(rest) if rest else len(text.rstrip())
    problem = f"'{rest[:20]}' is not expected here" if rest else "it ends too early"
    _reject(f"cannot be read at position {place + 1}: {problem}.")


class _Reader:
    """Turns a syntax tree into typed nodes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._depth = 0
        self._joins = 0
        self._variables: list[tuple[str, Collection]] = []
        self._reaches_out: list[bool] = []
        self._rules: Mapping[str, Callable[[list[Any]], Node]] = {
            "and": lambda parts: self._junction("and", parts),
            "or": lambda parts: self._junction("or", parts),
            "not": self._not,
            "negation": self._negation,
            "arithmetic": self._arithmetic,
            "compare": self._compare,
            "within": self._within,
            "call": self._call,
            "path": self._path,
            "quantifier": self._quantifier,
        }

    def condition(self, source: Source) -> Node:
        node = self._node(source)
        if node.kind is not Kind.FLAG or (isinstance(node, Value) and node.value is None):
            _reject(f"needs a condition, but has {_described(node)}.")
        return node

    def _node(self, source: Source) -> Node:
        if isinstance(source, str):
            return _literal(source)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _reject(f"is nested deeper than {MAX_DEPTH} levels.")
        node = self._rules[source.data](source.children)
        self._depth -= 1
        return node

    def _junction(self, rule: str, parts: list[Source]) -> Node:
        # Iterative, since parentheses within a chain are not another level.
        nodes: list[Node] = []
        waiting = parts[::-1]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, str) and part.data == rule:
                waiting += part.children[::-1]
            else:
                nodes.append(self.condition(part))
        return Junction(rule == "and", tuple(nodes))

    def _not(self, parts: list[Source]) -> Node:
        return Not(self.condition(parts[0]))

    def _negation(self, parts: list[Source]) -> Node:
        _reject("negates a number, which isn't supported.")

    def _arithmetic(self, parts: list[Any]) -> Node:
        # Read by the grammar, so that the error names the operator rather than a position.
        _reject(f"contains the operator {_word(parts[1])}, which isn't supported.")

    def _compare(self, parts: list[Any]) -> Node:
        left, right = self._node(parts[0]), self._node(parts[2])
        symbol = _word(parts[1])
        # `5 lt x` becomes `x gt 5`: what reads the tree expects a single literal on the right.
        if isinstance(left, Value) and not isinstance(right, Value):
            left, right, symbol = right, left, _MIRRORED[symbol]
        left = _fitted(left, left)
        right = _fitted(right, left)
        if left.kind is Kind.ID and symbol not in EQUALITIES:
            _reject(f"compares {_described(left)} by '{symbol}'; ids are equal or not.")
        return Compare(symbol, left, right)

    def _within(self, parts: list[Source]) -> Node:
        left = self._node(parts[0])
        left = _fitted(left, left)
        return Within(left, tuple(self._listed(part, left) for part in parts[1:]))

    def _listed(self, source: Source, left: Node) -> Value | Key:
        value = self._node(source)
        fitted = _fitted(value, left)
        if not isinstance(fitted, Value | Key):
            _reject(f"has {_described(value)} in a list, where only plain values are allowed.")
        return fitted

    def _call(self, parts: list[Any]) -> Node:
        name, arguments = parts[0].lower(), [part for part in parts[1:] if part is not None]
        # Versions 2 and 3 of OData call it so, with its arguments the other way round.
        if name == "substringof":
            name, arguments = "contains", arguments[::-1]
        function = FUNCTIONS.get(name)
        if function is None:
            _reject(f"calls the function '{name[:100]}', which isn't supported.")
        if not len(function.takes) - function.optional <= len(arguments) <= len(function.takes):
            _reject(f"calls the function '{name}' with {len(arguments)} arguments.")
        self._joins += name == "concat"
        if self._joins > _MAX_JOINS:
            _reject(f"calls the function 'concat' more than {_MAX_JOINS} times.")
        kinds = function.takes[: len(arguments)]
        nodes = tuple(self._argument(name, source, kind) for source, kind in zip(arguments, kinds, strict=True))
        return nodes[0] if name in _CASES else Call(name, nodes)

    def _argument(self, function: str, source: Source, kind: Kind) -> Node:
        node = self._node(source)
        if kind is Kind.NUMBER:
            if not (isinstance(node, Value) and isinstance(node.value, int) and 0 <= node.value < _MAX_SIZE):
                _reject(f"calls the function '{function}' with a position that is not a whole number from 0 up.")
            return node
        if isinstance(node, Value) and (node.value is None or isinstance(node.value, str)):
            return _fitted(node, Value(None, kind))
        if node.kind is not kind:
            _reject(f"calls the function '{function}' with {_described(node)}, not with {kind.value}.")
        return node

    # --- Members ---

    def _path(self, parts: list[Token]) -> Node:
        path = "/".join(parts)
        key = path.lower()
        head, _, rest = key.partition("/")
        # Innermost first: the variable of a lambda hides an outer one of the same name.
        for depth, (variable, collection) in reversed(list(enumerate(self._variables, start=1))):
            if head == variable:
                return self._field(path, collection.items.get(rest), depth)
        return self._field(path, self._vocabulary.members.get(key), 0)

    def _field(self, path: str, member: Member | Collection | None, depth: int) -> Node:
        if member is None:
            _reject(f"names '{path[:100]}', which is not a filterable property.")
        if isinstance(member, Collection):
            _reject(f"uses the list '{path}' as a single value; use any or all.")
        self._reach(depth)
        return Field(member, depth, path)

    def _reach(self, depth: int) -> None:
        # Each lambda between this use and the level of what it names depends on something outside of it.
        for inner in range(depth, len(self._reaches_out)):
            self._reaches_out[inner] = True

    def _quantifier(self, parts: list[Any]) -> Node:
        owner, word, body = parts
        path = "/".join(owner.children)
        collection = self._vocabulary.members.get(path.lower())
        if not isinstance(collection, Collection):
            _reject(f"uses any or all on '{path[:100]}', which is not a filterable list.")
        self._reach(0)
        variable, expression = body.children if body is not None else ("", None)
        self._variables.append((variable.lower(), collection))
        self._reaches_out.append(False)
        condition = None if expression is None else self.condition(expression)
        depth = len(self._variables)
        self._variables.pop()
        return Lambda(collection, word.type == "ALL", depth, condition, self._reaches_out.pop())


# --- Literals ---


def _literal(token: Token) -> Value:
    match token.type:
        case "NULL":
            return Value(None, Kind.FLAG)
        case "BOOLEAN":
            return Value(int(token.lower() == "true"), Kind.FLAG)
        case "TEXT":
            return Value(token[token.index("'") + 1 : -1].replace("''", "'"), Kind.TEXT)
        # A text, since no property is a GUID.
        case "GUID":
            return Value(str(token), Kind.TEXT)
        case "NUMBER":
            return Value(_whole_number(token), Kind.NUMBER)
        case "DECIMAL":
            return Value(float(token), Kind.NUMBER)
        case "INSTANT":
            return Value(_instant(token), Kind.INSTANT)
    # The grammar knows more kinds of literals than can be compared, for the sake of this text.
    _reject(f"contains a {token.type.lower()}, which isn't supported.")


def _whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS or not -_MAX_NUMBER <= int(text) < _MAX_NUMBER:
        _reject(f"contains the number {text[:_MAX_DIGITS]}, which is too large.")
    return int(text)


def _word(operator: str) -> str:
    return operator.strip().lower()


def _fitted(node: Node, like: Node) -> Node:
    """The node in a form that compares with `like`: a literal is converted to the other side's kind."""
    names = _names(like)
    if not isinstance(node, Value):
        if node.kind is not like.kind or _names(node) is not names:
            _reject(f"compares {_described(like)} with {_described(node)}.")
        return node
    if node.value is None:
        return Value(None, like.kind)
    if isinstance(node.value, str):
        return _fitted_text(node.value, like)
    if node.kind is not like.kind:
        _reject(f"compares {_described(like)} with {_described(node)}.")
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
        _reject(f"compares {_described(like)} with the text '{text[:100]}'.")
    return Value(folded(text), Kind.TEXT)


def _names(node: Node) -> Any:
    return node.member.names if isinstance(node, Field) else None


def _named(names: Any, text: str, like: Node) -> int:
    wanted = text.strip().lower()
    for name, member in names.__members__.items():
        if wanted in (name.lower(), str(member.value)):
            return int(member.value)
    _reject(f"compares {_described(like)} with '{text[:100]}'; expected one of {', '.join(names.__members__)}.")


def _instant(text: str) -> int:
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        when = datetime.fromisoformat(text.upper())
        # Shifted first: an offset can lead beyond the year 9999 or before the year 1.
        return microseconds(when.astimezone(UTC) if when.tzinfo else when)
    except (ValueError, OverflowError):
        _reject(f"contains '{text[:100]}', which is not a date or a date and time.")


def _described(node: Node) -> str:
    if isinstance(node, Field):
        return f"'{node.path[:100]}' ({node.kind.value})"
    if isinstance(node, Value):
        return "null" if node.value is None else node.kind.value
    return node.kind.value
