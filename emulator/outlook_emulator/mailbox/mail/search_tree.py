"""A search as a tree, and the tree as what a full-text index can run: FTS5 expressions with spans of time.

Negation lives in the leaves only. `And(())` is everything, `Or(())` nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.mail.search_dates import Span

MAX_ALTERNATIVES = 64
EVERY_ROW = 'tags : "all"'


@dataclass(frozen=True)
class Alternative:
    """One way to satisfy a search: all of its conditions hold.

    `match` is an FTS5 MATCH expression, `since` and `until` bound the instant of receipt, both included, in
    microseconds since 1970 (UTC). None is no condition.
    """

    match: str | None
    since: int | None
    until: int | None


@dataclass(frozen=True)
class Term:
    """A condition on one word, phrase or tag: `match` as FTS5 writes it."""

    match: str
    negated: bool = False


@dataclass(frozen=True)
class And:
    """All of the parts hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """At least one of the parts holds."""

    parts: tuple[Node, ...]


Node = Term | Span | And | Or
EVERYTHING = And(())
NOTHING = Or(())


def both(nodes: Iterable[Node]) -> Node:
    """What satisfies every node, as flat as it can be written."""
    parts = _flat(nodes, And)
    if NOTHING in parts:
        return NOTHING
    return parts[0] if len(parts) == 1 else And(parts)


def either(nodes: Iterable[Node]) -> Node:
    """What satisfies any node, as flat as it can be written."""
    parts = _flat(nodes, Or)
    if EVERYTHING in parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else Or(parts)


def _flat(nodes: Iterable[Node], kind: type[And | Or]) -> tuple[Node, ...]:
    """The nodes without repeats, those of the same kind replaced by their parts."""
    parts: dict[Node, None] = {}
    for node in nodes:
        parts.update(dict.fromkeys(node.parts if isinstance(node, kind) else (node,)))
    return tuple(parts)


def negated(node: Node) -> Node:
    """What does not satisfy the node, negation pushed down to the leaves."""
    if isinstance(node, Term):
        return replace(node, negated=not node.negated)
    if isinstance(node, Span):
        return either(node.outside())
    parts = [negated(part) for part in node.parts]
    return either(parts) if isinstance(node, And) else both(parts)


_Case = tuple[Node, Span]


def alternatives(node: Node) -> tuple[Alternative, ...]:
    """The tree split only where spans of time make it necessary, one alternative a span.

    Raises InvalidRequest when that takes more than MAX_ALTERNATIVES.
    """
    texts: dict[Span, list[Node]] = {}
    for text, span in _cases(node):
        texts.setdefault(span, []).append(text)
    merged = {span: either(parts) for span, parts in texts.items()}
    if merged.get(Span()) == EVERYTHING:
        return (Alternative(None, None, None),)
    return tuple(
        Alternative(None if text == EVERYTHING else _match(text), span.since, span.until)
        for span, text in merged.items()
        if text != NOTHING
    )


def _cases(node: Node) -> list[_Case]:
    """The tree as an OR of text and span; what holds no span stays whole."""
    if isinstance(node, Span):
        return [(EVERYTHING, node)]
    if isinstance(node, Term) or not _dated(node):
        return [(node, Span())]
    dated = [_cases(part) for part in node.parts if _dated(part)]
    plain = [part for part in node.parts if not _dated(part)]
    if isinstance(node, And):
        return _product([(both(plain), Span())], dated)
    rest: list[_Case] = [(either(plain), Span())] if plain else []
    return _capped(case for cases in [*dated, rest] for case in cases)


def _dated(node: Node) -> bool:
    return isinstance(node, Span) or (not isinstance(node, Term) and any(map(_dated, node.parts)))


def _product(cases: list[_Case], factors: list[list[_Case]]) -> list[_Case]:
    for factor in factors:
        # Empty spans go at once: many exclusions of days stay as few cases as there are gaps between them.
        cases = _capped(
            (both([text, other]), span.within(limit))
            for text, span in cases
            for other, limit in factor
            if not span.within(limit).empty
        )
    return cases


def _capped(cases: Iterable[_Case]) -> list[_Case]:
    distinct: dict[_Case, None] = {}
    for case in cases:
        distinct[case] = None
        if len(distinct) > MAX_ALTERNATIVES:
            raise InvalidRequest(
                f"The searchQuery combines dates with other terms in more than {MAX_ALTERNATIVES} ways."
            )
    return list(distinct)


def _match(node: Node) -> str:
    """The FTS5 expression of a tree without spans.

    FTS5 knows only `a NOT b`, binding tighter than AND, so the negated terms of a node are gathered behind one NOT.
    """
    if not isinstance(node, And | Or):
        return _match(And((node,)))
    positive = [part for part in node.parts if not (isinstance(part, Term) and part.negated)]
    negative = [part.match for part in node.parts if isinstance(part, Term) and part.negated]
    # Deepest first: a left operand costs FTS5's parser no stack.
    wanted = [_nested(part) for part in sorted(positive, key=_depth, reverse=True)]
    if isinstance(node, And):
        return " AND ".join(wanted or [EVERY_ROW]) + (f" NOT ({' OR '.join(negative)})" if negative else "")
    unwanted = [f"({EVERY_ROW} NOT ({' AND '.join(negative)}))"] if negative else []
    return " OR ".join(wanted + unwanted)


def _nested(node: Node) -> str:
    return node.match if isinstance(node, Term) else f"({_match(node)})"


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, node.parts)) if isinstance(node, And | Or) else 0
