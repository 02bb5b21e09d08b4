"""The `searchQuery` of Get emails: Outlook's search language, turned into conditions a full-text index can run.

Source: Outlook REST `$search` (a subset of KQL and of Outlook's own search box); inferred where silent.

    text → tokens → a tree of Term, Span, And, Or → alternatives, each one FTS5 expression and one span of time

The index is FTS5 with the tokenizer `unicode61 remove_diacritics 2` and the columns subject, body, sender,
recipients_to, recipients_cc, recipients_bcc, attachments and tags. `tags` holds the words hasattachment, unread,
flagged, importancelow, importancenormal or importancehigh, and on every row `all`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Never

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.mail.search_dates import read_span
from outlook_emulator.mailbox.mail.search_tree import (
    EVERYTHING,
    NOTHING,
    Alternative,
    Node,
    Term,
    alternatives,
    both,
    either,
    negated,
)

__all__ = ["MAX_NESTING", "MAX_TERMS", "Alternative", "parse"]

MAX_TERMS = 500
# FTS5's own parser gives up at a stack of 100; the deepest query of this nesting stays below (a test tries it).
MAX_NESTING = 20


def parse(query: str, now: int) -> tuple[Alternative, ...]:
    """The alternatives of which a mail must satisfy at least one; an empty tuple finds nothing.

    `now`, in microseconds since 1970, is what `today` and the like refer to. Alternatives may overlap. Raises
    InvalidRequest, with the position of the fault, for broken syntax and for a query above the limits of this module.
    Source: Outlook REST `$search`; inferred where silent.
    """
    text = _unwrapped(_UNSTORABLE.sub(" ", query))
    if not text.strip():
        return (Alternative(None, None, None),)
    tokens = [*_tokens(text), _Token("end", "", len(text))]
    return alternatives(_Reader(tokens, now).query())


# --- Leaves: what a word, phrase or value means under a property ----------------------------------------------------


@dataclass(frozen=True)
class _Token:
    """A piece of the query; `kind` is a group of `_TERM` or `end`, `position` counts from 0."""

    kind: str
    text: str
    position: int
    comparison: str = "="


_Leaf = Callable[[_Token], Node]


def _refuse(problem: str, position: int) -> Never:
    raise InvalidRequest(f"The searchQuery cannot be read at position {position + 1}: {problem}")


def _text_in(*columns: str) -> _Leaf:
    scope = columns[0] if len(columns) == 1 else "{" + " ".join(columns) + "}"

    def leaf(token: _Token) -> Node:
        if not any(map(_indexed, token.text)):
            return EVERYTHING
        prefix = token.kind == "word" and token.text.endswith("*")
        quoted = token.text.replace('"', '""')
        return Term(f'{scope} : "{quoted}"' + (" *" if prefix else ""))

    return leaf


def _indexed(character: str) -> bool:
    """Whether the index's tokenizer begins a token with this character: letters, numbers, private use."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"


def _tag(name: str) -> Term:
    return Term(f'tags : "{name}"')


def _flag(tag: str, *, when: bool) -> _Leaf:
    """A property that is true on exactly the mails with (`when`) or without a tag."""

    def leaf(token: _Token) -> Node:
        value = _BOOLEANS.get(token.text.strip().lower())
        if value is None:
            _refuse(f"'{token.text[:50]}' is neither true nor false.", token.position)
        return replace(_tag(tag), negated=value != when)

    return leaf


def _importance(token: _Token) -> Node:
    level = token.text.strip().lower()
    if level not in ("low", "normal", "high"):
        _refuse(f"'{token.text[:50]}' is no importance. Expected low, normal or high.", token.position)
    return _tag(f"importance{level}")


@dataclass(frozen=True)
class _Received:
    """The leaf of `received` and `sent`, which a mailbox of delivered mail cannot tell apart."""

    now: int
    comparison: str

    def __call__(self, token: _Token) -> Node:
        try:
            span = read_span(token.text, self.comparison, self.now)
        except (ValueError, OverflowError):
            _refuse(f"'{token.text[:50]}' is no date or range of dates.", token.position)
        return NOTHING if span.empty else span


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FREE = _text_in("subject", "body", "sender", "recipients_to", "recipients_cc", "attachments")
_PROPERTIES: dict[str, _Leaf] = {
    "from": _text_in("sender"),
    "to": _text_in("recipients_to"),
    "cc": _text_in("recipients_cc"),
    "bcc": _text_in("recipients_bcc"),
    "participants": _text_in("sender", "recipients_to", "recipients_cc", "recipients_bcc"),
    "subject": _text_in("subject"),
    "body": _text_in("body"),
    "attachment": _text_in("attachments"),
    "hasattachment": _flag("hasattachment", when=True),
    "hasattachments": _flag("hasattachment", when=True),
    "isread": _flag("unread", when=False),
    "isflagged": _flag("flagged", when=True),
    "importance": _importance,
}


# --- Tokens ---------------------------------------------------------------------------------------------------------

# A NUL would end the expression early inside SQLite, and a lone surrogate has no UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_KNOWN = rf"(?P<known>(?ai:{'|'.join(_PROPERTIES)}))[:=]"
_DATED = r"(?P<dated>(?ai:received|sent))(?:(?::\s*)?(?P<comparison>[<>]=?|=)|:)"
_VALUES = r'(?P<open>\()|(?P<close>\))|"(?P<phrase>[^"]*)"|(?P<word>[^\s()"]+)'
_VALUE = re.compile(_VALUES)
_TERM = re.compile(
    r'(?P<operator>AND|OR|NOT)(?![^\s()"])'
    r"|(?P<minus>-)(?=[^\s)-])"
    rf"|{_DATED}|{_KNOWN}"
    r"|(?P<unknown>[^\W\d_]\w*):(?=[^\s)])"
    rf"|{_VALUES}"
)
_WRAPPED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_RESTRICTION = re.compile(rf'(?<![^\s("-])(?:{_DATED}|{_KNOWN})\s*\S')
_BLANK = re.compile(r"\s*")


def _unwrapped(query: str) -> str:
    """The query without the quotes that Graph callers put around all of it; positions stay the same."""
    wrapped = _WRAPPED.fullmatch(query)
    if not wrapped or not _RESTRICTION.search(wrapped[1]):
        return query
    return " " * wrapped.start(1) + wrapped[1].replace('\\"', ' "')


def _tokens(text: str) -> Iterator[_Token]:
    grammar, position, terms = _TERM, _after_blanks(text, 0), 0
    while position < len(text):
        found = grammar.match(text, position)
        if not found:
            _refuse("a quote is never closed.", position)
        token = _token(found)
        terms += token.kind in ("word", "phrase", "unknown")
        if terms > MAX_TERMS:
            _refuse(f"there are more than {MAX_TERMS} terms.", position)
        yield token
        position = _after_blanks(text, found.end())
        # What touches the colon is a value whatever it looks like: `received:…T10:00`, `subject:-5`, `subject:OR`.
        touches = position == found.end() and token.kind in ("dated", "known", "unknown")
        grammar = _VALUE if touches else _TERM


def _after_blanks(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _token(found: re.Match[str]) -> _Token:
    groups = {name: text for name, text in found.groupdict().items() if text is not None}
    comparison = groups.pop("comparison", "=")
    ((kind, text),) = groups.items()
    return _Token(text if kind == "operator" else kind, text, found.start(), comparison)


# --- Reader: tokens to tree; NOT binds tighter than AND, AND tighter than OR ----------------------------------------


class _Reader:
    """Reads one query, once."""

    def __init__(self, tokens: list[_Token], now: int) -> None:
        self._tokens = tokens
        self._now = now
        self._index = 0
        self._nesting = 0

    def query(self) -> Node:
        node = self._alternation(_FREE)
        if self._here.kind != "end":
            _refuse("a parenthesis is closed that was never opened.", self._here.position)
        return node

    @property
    def _here(self) -> _Token:
        return self._tokens[self._index]

    def _take(self, *kinds: str) -> _Token | None:
        token = self._here
        if token.kind not in kinds:
            return None
        self._index += 1
        return token

    def _alternation(self, leaf: _Leaf) -> Node:
        parts = [self._conjunction(leaf)]
        while self._take("OR"):
            parts.append(self._conjunction(leaf))
        return either(parts)

    def _conjunction(self, leaf: _Leaf) -> Node:
        parts = [self._factor(leaf)]
        while self._take("AND") or self._here.kind not in ("OR", "close", "end"):
            parts.append(self._factor(leaf))
        return both(parts)

    def _factor(self, leaf: _Leaf) -> Node:
        inverted = False
        while self._take("NOT", "minus"):
            inverted = not inverted
        node = self._operand(leaf)
        return negated(node) if inverted else node

    def _operand(self, leaf: _Leaf) -> Node:
        if name := self._take("known", "dated"):
            return self._value(name, self._leaf_of(name))
        # KQL reads a property it does not know as text.
        if name := self._take("unknown"):
            return both([leaf(replace(name, kind="word")), self._value(name, leaf)])
        return self._value(None, leaf)

    def _leaf_of(self, name: _Token) -> _Leaf:
        if name.kind == "dated":
            return _Received(self._now, name.comparison)
        return _PROPERTIES[name.text.lower()]

    def _value(self, name: _Token | None, leaf: _Leaf) -> Node:
        if opened := self._take("open"):
            return self._group(opened, leaf)
        if token := self._take("word", "phrase"):
            return leaf(self._relative_date(token) if isinstance(leaf, _Received) else token)
        # `subject: re:budget` is a value all the same; `from: subject:x` has lost its value.
        if name and self._here.kind == "unknown":
            return self._operand(leaf)
        _refuse(f"'{name.text}' has no value." if name else "a term is missing.", self._here.position)

    def _group(self, opened: _Token, leaf: _Leaf) -> Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            _refuse(f"parentheses are nested deeper than {MAX_NESTING}.", opened.position)
        node = self._alternation(leaf)
        if not self._take("close"):
            _refuse("a parenthesis is never closed.", opened.position)
        self._nesting -= 1
        return node

    def _relative_date(self, token: _Token) -> _Token:
        """Joins `last week`, which Outlook takes without quotes too."""
        unit = self._here
        if token.text.lower() not in ("this", "last") or unit.text.lower() not in ("week", "month", "year"):
            return token
        return replace(token, text=f"{token.text} {unit.text}") if self._take("word") else token
