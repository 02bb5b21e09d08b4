"""Replaces the words of texts and the bytes of files, the same always by the same, of the same length if possible.

What the definition names stays: members, parameters, paths and enumerated values. So do times, numbers of up to three
digits, HTML tags and the extension of a file name.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Set
from functools import cache
from typing import Any

from outlook_contract import definition
from outlook_contract.redaction import BASE64, IDS, decoded, unescaped
from outlook_contract.routes import routes

_LETTERS = "qjxz"
"""The letters of placeholders: no word of a language consists of these alone."""
_PLACEHOLDER = re.compile(rf"[{_LETTERS}]{{2,}}", re.IGNORECASE)
_TAGS = (
    "a|abbr|article|b|base|big|blockquote|body|br|button|caption|center|code|col|colgroup|dd|del|div|dl|dt|em|figure"
    "|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|o:p|object|ol"
    "|option|p|pre|q|s|script|section|select|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|textarea|tfoot"
    "|th|thead|title|tr|tt|u|ul"
)
_FORMATTING = re.compile(
    r"style|class|type|charset|content|http-equiv|lang|dir|v?align|width|height|border|cellpadding|cellspacing|bgcolor"
    r"|color|face|size|target|rel|role|xmlns(?::\w+)?|colspan|rowspan|method|enctype|nowrap",
    re.IGNORECASE,
)
"""Attributes whose values are no texts."""
_MARKUP = re.compile(rf"(<!doctype[^<>]*>|</?(?:{_TAGS})(?:\s[^<>]*)?/?>)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?P<name>[\w:-]+)(?P<equals>\s*=\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s>\"']+)")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});"
_PART = re.compile(
    # Placeholders of addresses, secrets and hosts, and what is escaped for a URL.
    r"(?P<kept>\b(?:mailbox|person)\d+(?:\+tag\d+)?(?:@(?:example\.(?:com|net)|[a-z0-9.-]+\.invalid\b))?"
    r"|\bMicrosoftExchange[0-9a-f]{32}@example\.com|\bsecret-\d+|\bconnection\d+\b"
    r"|\b(?:connector|callback\d*)\.example\b|%(?:25)*[0-9A-Fa-f]{2}"
    # The state of a link that answers a question. Whoever opens the link sends it as it is.
    r"|(?<=[?&;]state=)[^&\s\"'<>\\]+"
    # Times, as data and as Outlook words them.
    r"|\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?"
    rf"|(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}}, )?\b(?:\d{{1,2}} {_MONTH}|{_MONTH} \d{{1,2}},) \d{{4}}"
    r"(?:,? \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?)?"
    # The extension at the end of a file's name.
    r"|(?<=\w)\.[A-Za-z0-9]{1,5}(?=[\"']?\Z)"
    rf"|{IDS.pattern})"
    rf"|(?P<base64>{BASE64.pattern})"
    rf"|(?P<word>(?:[^\W_]|{_ENTITY})+)"
)
_ENTITIES = re.compile(f"({_ENTITY})")
_SPLIT = re.compile(r"([^\W_]+)")
_SHORT_NUMBER = re.compile(r"\d{1,3}")
_MOST_VALUES = 30
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_OWN_WORDS = (
    *("http", "https", "mailto", "cid", "www", "utc", "gmt", "html", "text", "plain", "application", "json", "utf"),
    *("apim", "outlook", "re", "fw", "fwd", "and", "or", "not", "true", "false", "null"),
    *("attachment", "inline", "filename", "calendar", "contacts"),
    # The names of the folders that each mailbox has, in words and as one.
    *("inbox", "drafts", "archive", "outbox", "sent", "deleted", "items", "junk", "email", "sentitems", "deleteditems"),
    *("junkemail", "conversation", "history"),
)


def is_placeholder(word: str) -> bool:
    """Whether a word is what a recording has in place of another one."""
    return _PLACEHOLDER.fullmatch(word) is not None


def has_placeholder(text: str) -> bool:
    """Whether any word of a text is a placeholder."""
    return any(map(is_placeholder, _SPLIT.findall(text)))


def same(recorded: str, seen: str) -> bool:
    """Whether a text agrees with a recorded one whose words may be replaced.

    The placeholder of a word that the connector itself wrote stands for any word.
    """
    if recorded == seen:
        return True
    ours, theirs = _SPLIT.split(recorded), _SPLIT.split(seen)
    return len(ours) == len(theirs) and all(
        word == other or (is_placeholder(word) and not is_placeholder(other))
        for word, other in zip(ours, theirs, strict=True)
    )


class Words:
    """The placeholders of the words and files of one recording.

    `used` holds the words that were replaced since it was last emptied.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._placeholders: dict[str, str] = {}
        self._counts: dict[int, int] = {}
        self._files: dict[bytes, bytes] = {}

    def text(self, text: str, only: Set[str] | None = None) -> str:
        """A text or HTML with placeholders for its words, or for those in `only`."""
        parts = _MARKUP.split(text)
        parts[::2] = [self._plain(part, only) for part in parts[::2]]
        parts[1::2] = [self._tag(part, only) for part in parts[1::2]]
        return "".join(parts)

    def literals(self, expression: str) -> str:
        """A filter with placeholders for the words in its literals."""
        return _LITERAL.sub(lambda match: f"'{self._plain(match[1], None)}'", expression)

    def file(self, content: bytes) -> bytes:
        """Bytes that stand for the content of a file, of the same length."""
        if content not in self._files:
            # Whether it is text decides how the connector sends it.
            text = f"{len(self._files) + 1} file ".encode()
            pattern = text if _is_text(content) else b"\xff" + text
            self._files[content] = (pattern * len(content))[: len(content)]
        return self._files[content]

    def _plain(self, text: str, only: Set[str] | None) -> str:
        def part(match: re.Match[str]) -> str:
            if match["kept"] or (match["base64"] and decoded(unescaped(match["base64"])[0])):
                return match[0]
            if match["word"]:
                return self._words(match["word"], only)
            return _SPLIT.sub(lambda word: self._word(word[0], only), match[0])

        return _PART.sub(part, text)

    def _tag(self, tag: str, only: Set[str] | None) -> str:
        def attribute(match: re.Match[str]) -> str:
            if _FORMATTING.fullmatch(match["name"]):
                return match[0]
            return match["name"] + match["equals"] + self._plain(match["value"], only)

        return _ATTRIBUTE.sub(attribute, tag)

    def _words(self, token: str, only: Set[str] | None) -> str:
        """A run of letters and character references; a reference to a letter is a part of its word."""
        if "&" not in token:
            return self._word(token, only)
        return "".join(self._word(part, only) if is_word else part for is_word, part in _unescaped(token))

    def _word(self, word: str, only: Set[str] | None) -> str:
        key = word.lower()
        is_kept = key in _vocabulary() or _SHORT_NUMBER.fullmatch(word) or (len(word) == 1 and word.isascii())
        if is_kept or (only is not None and key not in only):
            return word
        self.used.add(key)
        if key not in self._placeholders:
            self._placeholders[key] = self._next(len(word))
        return _with_case(self._placeholders[key], word)

    def _next(self, length: int) -> str:
        """The next placeholder of a length, or of a greater one if all are in use."""
        length = max(length, 2)
        while (number := self._counts.get(length, 0)) >= len(_LETTERS) ** length:
            length += 1
        self._counts[length] = number + 1
        digits = ""
        for _ in range(length):
            number, digit = divmod(number, len(_LETTERS))
            digits = _LETTERS[digit] + digits
        return digits


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unescaped(token: str) -> Iterator[tuple[bool, str]]:
    """The words of a token without character references, and what is between them."""
    word = ""
    for part in _ENTITIES.split(token):
        is_reference = part.startswith("&")
        plain = html.unescape(part) if is_reference else part
        if plain.isalnum() or not plain:
            word += plain
            continue
        yield True, word
        yield False, part
        word = ""
    if word:
        yield True, word


def _with_case(placeholder: str, word: str) -> str:
    cases = [character.isupper() for character in word]
    cases += cases[-1:] * (len(placeholder) - len(word))
    return "".join(letter.upper() if upper else letter for letter, upper in zip(placeholder, cases, strict=False))


@cache
def _vocabulary() -> frozenset[str]:
    """The words that the definition itself names, in lower case."""
    names: set[str] = set(_OWN_WORDS)
    for route in routes().values():
        names.add(route.declaration["x-path"])
        names.update(_names(route.declaration))
    names.update(_names(definition.load()["definitions"]))
    return frozenset(word.lower() for name in names for word in _SPLIT.findall(name))


def _names(declaration: Any) -> Iterator[str]:
    """The names of members and parameters, enumerated values and defaults in a declaration."""
    if isinstance(declaration, Mapping):
        if isinstance(declaration.get("properties"), Mapping):
            yield from declaration["properties"]
        if isinstance(declaration.get("name"), str) and "in" in declaration:
            yield declaration["name"]
        values = declaration.get("enum", ())
        # The names of time zones name half of the places of the world; their members stay as they are.
        values = values if len(values) <= _MOST_VALUES else ()
        yield from (str(value) for value in (*values, declaration.get("default", "")))
        for member in declaration.values():
            yield from _names(member)
    elif isinstance(declaration, list):
        for item in declaration:
            yield from _names(item)
