"""A full-text search as a tree of conditions.

Only leaves can be negated. `And(())` matches everything, `Or(())` nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from outlook_emulator.frozen import Frozen


class Span(Frozen):
    """The instants from `since` to `until`, both included, in microseconds since 1970 (UTC); None is an open end.

    As a condition: the message was received in the span.
    """

    since: int | None = None
    until: int | None = None

    @property
    def empty(self) -> bool:
        return self.since is not None and self.until is not None and self.since > self.until

    def intersection(self, other: Span) -> Span:
        """The instants that are in both spans."""
        starts = [start for start in (self.since, other.since) if start is not None]
        ends = [end for end in (self.until, other.until) if end is not None]
        return Span(max(starts, default=None), min(ends, default=None))

    def complement(self) -> tuple[Span, ...]:
        """The instants outside of this span: up to two spans, none when it is open at both ends."""
        if self.empty:
            return (Span(),)
        before = () if self.since is None else (Span(None, self.since - 1),)
        after = () if self.until is None else (Span(self.until + 1, None),)
        return (*before, *after)


class Term(Frozen):
    """A condition on text: one of the `columns` of the index contains the words of `text` in sequence.

    The last word may be the start of a longer one if `is_prefix`.
    """

    columns: tuple[str, ...]
    text: str
    is_prefix: bool = False
    negated: bool = False


class And(Frozen):
    """All parts match."""

    parts: tuple[Node, ...]


class Or(Frozen):
    """At least one part matches."""

    parts: tuple[Node, ...]


Node = Term | Span | And | Or
EVERYTHING = And(())
NOTHING = Or(())


def tag(name: str) -> Term:
    """The condition that a message has a tag, such as `unread`."""
    return Term(("tags",), name)


def both(nodes: Iterable[Node]) -> Node:
    """The conjunction of nodes, flattened."""
    # EVERYTHING is an And without parts, so flattening drops it.
    parts = _flat(nodes, And)
    if NOTHING in parts:
        return NOTHING
    return parts[0] if len(parts) == 1 else And(parts)


def either(nodes: Iterable[Node]) -> Node:
    """The disjunction of nodes, flattened."""
    parts = _flat(nodes, Or)
    if EVERYTHING in parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else Or(parts)


def negated(node: Node) -> Node:
    """The negation of a node, pushed down to the leaves."""
    if isinstance(node, Term):
        return replace(node, negated=not node.negated)
    if isinstance(node, Span):
        return either(node.complement())
    # De Morgan's laws.
    parts = [negated(part) for part in node.parts]
    return either(parts) if isinstance(node, And) else both(parts)


def _flat(nodes: Iterable[Node], kind: type[And | Or]) -> tuple[Node, ...]:
    """The nodes without duplicates; nodes of the same kind are replaced by their parts."""
    parts: dict[Node, None] = {}
    for node in nodes:
        parts.update(dict.fromkeys(node.parts if isinstance(node, kind) else (node,)))
    return tuple(parts)
