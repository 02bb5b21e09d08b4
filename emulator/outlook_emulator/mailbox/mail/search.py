"""Reads Outlook's search language into a search tree, which the store can run.

Source: Outlook REST `$search` (a subset of KQL and of Outlook's own search box); inferred where these say nothing.

    text → tokens → a tree of Term, Span, And, Or

The columns of the index are subject, body, sender, recipients_to, recipients_cc, recipients_bcc, attachments and tags.
`tags` holds the words hasattachment, unread, flagged, and importancelow, importancenormal or importancehigh.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Never

from outlook_emulator.errors import InvalidField
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.mail.search_dates import read_span
from outlook_emulator.patterns import pattern
from outlook_emulator.store.search_tree import EVERYTHING, NOTHING, Node, Term, both, either, negated, tag

MAX_WORDS = 500
# A query as long as a URL may be would take a fifth of a second to read.
MAX_TOKENS = 5 * MAX_WORDS
# FTS5's parser fails at a stack of 100; the deepest query of this nesting stays below, as a test checks.
MAX_NESTING = 20


def parse(query: str, now: int) -> Node:
    """The search tree of a query.

    `now`, in microseconds since 1970, is the instant that words such as `today` refer to. Raises InvalidField with the
    position of the error, for broken syntax and for a query above the limits of this module.
    """
    text = _unwrapped(_UNSTORABLE.sub(" ", query))
    if not text.strip():
        return EVERYTHING
    return _Reader(_tokens(text), now).query()


# --- Leaves: the meaning of a word, phrase or value of a property ----------------------------------------------------


class _Token(Frozen):
    """A token of the query; `kind` is a group of `_TERM` or `end`, `position` counts from 0."""

    kind: str
    text: str
    position: int
    comparison: str = "="


_Leaf = Callable[[_Token], Node]


def _refuse(problem: str, position: int) -> Never:
    raise InvalidField("search_query", f"cannot be read at position {position + 1}: {problem}")


def _text_in(*columns: str) -> _Leaf:
    def leaf(token: _Token) -> Node:
        # FTS5 finds nothing by a phrase without a token, such as `--`; here it leaves the rest of the query as it is.
        if not any(map(_is_indexed, token.text)):
            return EVERYTHING
        return Term(columns, token.text, is_prefix=token.kind == "word" and token.text.endswith("*"))

    return leaf


def _is_indexed(character: str) -> bool:
    """Whether a token of the index can start with a character: letters, numbers, private use."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"


def _flag(name: str, *, when: bool) -> _Leaf:
    """A property that is true for the mails with a tag, or without it unless `when`."""

    def leaf(token: _Token) -> Node:
        value = _BOOLEANS.get(token.text.strip().lower())
        if value is None:
            _refuse(f"'{token.text[:50]}' is neither true nor false.", token.position)
        return replace(tag(name), negated=value != when)

    return leaf


def _importance(token: _Token) -> Node:
    level = token.text.strip().lower()
    if level not in ("low", "normal", "high"):
        _refuse(f"'{token.text[:50]}' is not an importance. Expected low, normal or high.", token.position)
    return tag(f"importance{level}")


class _Received(Frozen):
    """The leaf of `received` and of `sent`, which is treated as the same."""

    now: int
    comparison: str

    def __call__(self, token: _Token) -> Node:
        try:
            span = read_span(token.text, self.comparison, self.now)
        except (ValueError, OverflowError):
            _refuse(f"'{token.text[:50]}' is not a date or range of dates.", token.position)
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

# A NUL would end the expression early in SQLite, and a lone surrogate cannot be written as UTF-8.
_UNSTORABLE = pattern("[\x00\ud800-\udfff]")
# ASCII only: ignoring case in Unicode, `subject` would match it with a long s, which is no key of _PROPERTIES.
_KNOWN = rf"(?P<known>(?ai:{'|'.join(_PROPERTIES)}))[:=]"
_DATED = r"(?P<dated>(?ai:received|sent))(?:(?::\s*)?(?P<comparison>[<>]=?|=)|:)"
_VALUES = r'(?P<open>\()|(?P<close>\))|"(?P<phrase>[^"]*)"|(?P<word>[^\s()"]+)'
_VALUE = pattern(_VALUES)
_TERM = pattern(
    # In capitals only, as in KQL: `and` is a word to search for.
    r'(?P<operator>AND|OR|NOT)(?![^\s()"])'
    r"|(?P<minus>-)(?=[^\s)-])"
    rf"|{_DATED}|{_KNOWN}"
    r"|(?P<unknown>[^\W\d_]\w*):(?=[^\s)])"
    rf"|{_VALUES}"
)
_WRAPPED = pattern(r'\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_RESTRICTION = pattern(rf'(?<![^\s("-])(?:{_DATED}|{_KNOWN})\s*\S')
_BLANK = pattern(r"\s*")
# As the index splits a text, so that a phrase counts as the number of its words.
_WORDS = pattern(r"[^\W_]+")


def _unwrapped(query: str) -> str:
    """The query without the quotes that Graph callers put around the whole; positions stay the same."""
    match = _WRAPPED.fullmatch(query)
    if not match or not _RESTRICTION.search(match[1]):
        return query
    # A blank stands for each backslash, which keeps the positions.
    return " " * match.start(1) + match[1].replace('\\"', ' "')


def _tokens(text: str) -> Iterator[_Token]:
    grammar, position, words, tokens = _TERM, _after_blanks(text, 0), 0, 0
    while position < len(text):
        tokens += 1
        if tokens > MAX_TOKENS:
            _refuse(f"there are more than {MAX_TOKENS} words, operators and parentheses.", position)
        match = grammar.match(text, position)
        if not match:
            _refuse("a quote is never closed.", position)
        token = _token(match)
        if token.kind in ("word", "phrase", "unknown"):
            words += len(_WORDS.findall(token.text)) or 1
        if words > MAX_WORDS:
            _refuse(f"there are more than {MAX_WORDS} words.", position)
        yield token
        position = _after_blanks(text, match.end())
        # Text right after the colon is a value, whatever it looks like: `received:…T10:00`, `subject:-5`, `subject:OR`.
        touches = position == match.end() and token.kind in ("dated", "known", "unknown")
        grammar = _VALUE if touches else _TERM
    yield _Token("end", "", len(text))


def _after_blanks(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _token(match: re.Match[str]) -> _Token:
    groups = {name: text for name, text in match.groupdict().items() if text is not None}
    comparison = groups.pop("comparison", "=")
    ((kind, text),) = groups.items()
    return _Token(text if kind == "operator" else kind, text, match.start(), comparison)


# --- Reader: tokens to tree; NOT binds tighter than AND, AND tighter than OR ----------------------------------------


class _Reader:
    """Reads the tokens of one query; used once."""

    def __init__(self, tokens: Iterator[_Token], now: int) -> None:
        # Taken as they are needed, so that the first error ends the work.
        self._tokens = tokens
        self._here = next(tokens)
        self._now = now
        self._nesting = 0

    def query(self) -> Node:
        node = self._alternation(_FREE)
        if self._here.kind != "end":
            _refuse("a parenthesis is closed but was never opened.", self._here.position)
        return node

    def _take(self, *kinds: str) -> _Token | None:
        token = self._here
        if token.kind not in kinds:
            return None
        self._here = next(self._tokens)
        return token

    def _alternation(self, leaf: _Leaf) -> Node:
        parts = [self._conjunction(leaf)]
        while self._take("OR"):
            parts.append(self._conjunction(leaf))
        return either(parts)

    def _conjunction(self, leaf: _Leaf) -> Node:
        parts = [self._factor(leaf)]
        # KQL joins terms without an operator by AND.
        while self._take("AND") or self._here.kind not in ("OR", "close", "end"):
            parts.append(self._factor(leaf))
        return both(parts)

    def _factor(self, leaf: _Leaf) -> Node:
        inverted = False
        # Counted in a loop, so that no number of negations can exhaust the stack.
        while self._take("NOT", "minus"):
            inverted = not inverted
        node = self._operand(leaf)
        return negated(node) if inverted else node

    def _operand(self, leaf: _Leaf) -> Node:
        if name := self._take("known", "dated"):
            return self._value(name, self._leaf_of(name))
        # KQL treats an unknown property as text.
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
        # The value of `subject: re:budget` is `re:budget`; `from: subject:x` has no value.
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
        """Join the words of `last week`, which Outlook also accepts without quotes."""
        unit = self._here
        if token.text.lower() not in ("this", "last") or unit.text.lower() not in ("week", "month", "year"):
            return token
        return replace(token, text=f"{token.text} {unit.text}") if self._take("word") else token
