"""Turns a search tree into queries that SQLite's FTS5 can run: match expressions with bounds in time."""

from __future__ import annotations

from collections.abc import Iterable

from outlook_emulator.frozen import Frozen
from outlook_emulator.store.search_tree import EVERYTHING, NOTHING, And, Node, Or, Span, Term, both, either, tag

MAX_ALTERNATIVES = 64


class TooManyAlternatives(Exception):
    """A search that combines dates with other terms in more than `MAX_ALTERNATIVES` ways."""


class Alternative(Frozen):
    """One way to satisfy a search: all of its conditions hold.

    `match` is an FTS5 MATCH expression; `since` and `until` bound the instant of receipt, both included, in
    microseconds since 1970 (UTC). None is no condition.
    """

    match: str | None
    since: int | None
    until: int | None


def alternatives(node: Node) -> tuple[Alternative, ...]:
    """The alternatives of a search, one for each span of time; they may overlap, and an empty tuple matches nothing.

    Raises TooManyAlternatives.
    """
    texts: dict[Span, list[Node]] = {}
    for text, span in _cases(node):
        texts.setdefault(span, []).append(text)
    merged = {span: either(parts) for span, parts in texts.items()}
    # One alternative without any condition makes all others idle.
    if merged.get(Span()) == EVERYTHING:
        return (Alternative(None, None, None),)
    return tuple(
        Alternative(None if text == EVERYTHING else match_expression(text), span.since, span.until)
        for span, text in merged.items()
        if text != NOTHING
    )


def match_expression(node: Node) -> str:
    """The FTS5 expression of a tree without spans.

    FTS5 knows only `a NOT b`, binding tighter than AND, so the negated terms of a node are collected behind one NOT.
    """
    if not isinstance(node, And | Or):
        return match_expression(And((node,)))
    positive = [part for part in node.parts if not (isinstance(part, Term) and part.negated)]
    negative = [_term(part) for part in node.parts if isinstance(part, Term) and part.negated]
    # Deepest first: a left operand costs FTS5's parser no stack.
    operands = [_nested(part) for part in sorted(positive, key=_depth, reverse=True)]
    if isinstance(node, And):
        return " AND ".join(operands or [_EVERY_ROW]) + (f" NOT ({' OR '.join(negative)})" if negative else "")
    # A negated term within OR is taken from all rows, which have the tag `all`: FTS5 has no NOT with one operand.
    complement = [f"({_EVERY_ROW} NOT ({' AND '.join(negative)}))"] if negative else []
    return " OR ".join(operands + complement)


_Case = tuple[Node, Span]


def _cases(node: Node) -> list[_Case]:
    """The tree as a disjunction of text and span; parts without spans stay whole."""
    if isinstance(node, Span):
        return [(EVERYTHING, node)]
    if isinstance(node, Term) or not _is_dated(node):
        return [(node, Span())]
    dated = [_cases(part) for part in node.parts if _is_dated(part)]
    plain = [part for part in node.parts if not _is_dated(part)]
    if isinstance(node, And):
        return _product([(both(plain), Span())], dated)
    rest: list[_Case] = [(either(plain), Span())] if plain else []
    return _capped(case for cases in [*dated, rest] for case in cases)


def _is_dated(node: Node) -> bool:
    return isinstance(node, Span) or (not isinstance(node, Term) and any(map(_is_dated, node.parts)))


def _product(cases: list[_Case], factors: list[list[_Case]]) -> list[_Case]:
    for factor in factors:
        # Empty spans are dropped at once: excluding many days leaves only as many cases as there are gaps.
        cases = _capped(
            (both([text, other]), span.intersection(limit))
            for text, span in cases
            for other, limit in factor
            if not span.intersection(limit).empty
        )
    return cases


def _capped(cases: Iterable[_Case]) -> list[_Case]:
    distinct: dict[_Case, None] = {}
    for case in cases:
        distinct[case] = None
        if len(distinct) > MAX_ALTERNATIVES:
            raise TooManyAlternatives
    return list(distinct)


def _nested(node: Node) -> str:
    return _term(node) if isinstance(node, Term) else f"({match_expression(node)})"


def _term(term: Term) -> str:
    columns = term.columns[0] if len(term.columns) == 1 else "{" + " ".join(term.columns) + "}"
    quoted = term.text.replace('"', '""')
    return f'{columns} : "{quoted}"' + (" *" if term.is_prefix else "")


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, node.parts)) if isinstance(node, And | Or) else 0


_EVERY_ROW = _term(tag("all"))
