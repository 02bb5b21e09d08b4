"""What a reader sees of a mail body, as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from outlook_emulator.patterns import pattern
from outlook_emulator.steps import STEP, cut, lowered, split, substituted, words

PREVIEW_LENGTH = 255

# Every pattern either matches on from its first characters or gives up at once (possessive repeats), so that no
# input, however broken, makes them look at a character more than a few times.
_UNSEEN = pattern(
    r"<!--[^-]*+(?:-(?!->)[^-]*+)*+(?:-->)?|<(script|style|title)\b[^<]*+(?:<(?!/\1\b)[^<]*+)*+", re.IGNORECASE
)
# Tag names are captured: splitting on this pattern gives texts and names in turn. Quoted values may hold a `>`.
_TAG = pattern(r"<(?=[a-zA-Z/!?])([^ >]*+)(?:>|[^>=]*+(?:= ?(?:\"[^\"]*+\"?|'[^']*+'?)?[^>=]*+)*+>?)")
_UNSEEN_STARTS = ("<!--", "<script", "<style", "<title")
_AMPERSAND = pattern("&")
_AT_LINE_START = pattern(r"\n[\v ]*\v")
_EMPTY_LINES = pattern(r"\n{3,}")
# Python refuses to read a number of thousands of digits; the last character of Unicode has seven.
_LEADING_ZEROS = pattern(r"&#0++(?=[0-9])")
_LONG_NUMBER = pattern(r"&#[0-9]{8,}+;?")

_BLOCKS = ["p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "dl", "dt", "dd", "tr", "table"]
_BLOCKS += ["blockquote", "pre", "article", "section", "header", "footer", "figure", "center", "hr", "body"]


def _breaks() -> dict[str, str]:
    # A vertical tab stands for "a new line unless one has just begun"; a table lookup is what keeps previews cheap.
    breaks = {"br": "\n", "br/": "\n", "hr/": "\v"}
    for name in _BLOCKS:
        breaks |= {name: "\v", f"/{name}": "\n"}
    return breaks | {name.upper(): line_end for name, line_end in breaks.items()}


_BREAKS = _breaks()

# Room for a tag or an entity that the window's edge cut in two.
_MARGIN = 64
_FIRST_WINDOW = 1024


def plain_text(html: str, limit: int | None = None) -> str:
    """The visible text of an HTML body, with `\\r\\n` line ends, no runs of blanks and at most one empty line in a row.

    With a `limit` it gives that many characters at most, and reads no more of `html` than they need. Takes time in
    proportion to what it reads, and never fails: what is not HTML is text.
    """
    if limit is None:
        return _visible(html)
    window = max(_FIRST_WINDOW, 4 * limit)
    while window < len(html):
        text = _visible(html[:window])
        if len(text) >= limit + _MARGIN:
            return text[:limit]
        # Growing by a factor keeps the cost in proportion to what is read, even if it starts over each time.
        window *= 8
    return _visible(html)[:limit]


def unescaped(text: str) -> str:
    """The text with its HTML entities replaced by characters; a number that is no character's becomes U+FFFD."""
    if len(text) > STEP:
        # An entity begins with this character and does not have it inside.
        return "".join(map(_unescaped, cut(_AMPERSAND, text)))
    return _unescaped(text)


def _unescaped(text: str) -> str:
    if "&#" in text:
        text = _LONG_NUMBER.sub("\ufffd", _LEADING_ZEROS.sub("&#", text))
    return unescape(text)


def preview(body: str, is_html: bool) -> str:
    """The first 255 characters of the visible text: what the connector shows as `BodyPreview`, line ends kept.

    Blanks at the end are cut: of ten recorded previews two have 251 and 253 characters (Office 365 twin:
    microsoft/Power-Fx O365OutlookTests, 2023-12).
    """
    if is_html:
        return plain_text(body, PREVIEW_LENGTH).rstrip()
    start = body[:PREVIEW_LENGTH]
    if start[:1].isspace():
        start = body.lstrip()[:PREVIEW_LENGTH]
    return start.rstrip()


def _visible(html: str) -> str:
    text = words(_without_unseen(html))
    pieces = split(_TAG, text)
    pieces[1::2] = [_BREAKS.get(name, "") for name in pieces[1::2]]
    text = "".join(pieces)
    has_entities = "&" in text
    if has_entities:
        # After the tags are gone, so that `&lt;b&gt;` stays text.
        text = unescaped(text)
    # Most bodies need only the cheap replacements; a look costs less than a regular expression that finds nothing.
    nested = "\v\v" in text or " \v" in text
    text = (substituted(_AT_LINE_START, "\n", text) if nested else text.replace("\n\v", "\n")).replace("\v", "\n")
    if has_entities or "  " in text or " \n" in text or "\n " in text:
        text = "\n".join([" ".join(line.split()) for line in text.split("\n")])
    text = text.strip()
    if "\n\n\n" in text:
        text = substituted(_EMPTY_LINES, "\n\n", text)
    return text.replace("\n", "\r\n")


def _without_unseen(html: str) -> str:
    folded = lowered(html)
    end = folded.find("</head>")
    # Lowercasing can lengthen a text, and then positions in the two differ.
    if end >= 0 and len(folded) == len(html):
        start = folded.find("<head", 0, end)
        if start >= 0:
            html, folded = html[:start] + html[end:], folded[:start] + folded[end:]
    if "<!--" in html or "<style" in folded or "<script" in folded or "<title" in folded:
        return _UNSEEN.sub("", html) if len(html) <= STEP else "".join(_seen(html, folded))
    return html


def _seen(html: str, folded: str) -> Iterator[str]:
    """What a long text has between its unseen parts: where they may begin is found faster than by the pattern."""
    if len(html) != len(folded):
        yield _UNSEEN.sub("", html)
        return
    places = {start: folded.find(start) for start in _UNSEEN_STARTS}
    seen = 0
    while (place := min((at for at in places.values() if at >= 0), default=-1)) >= 0:
        end = place + 1
        if place >= seen and (match := _UNSEEN.match(html, place)):
            yield html[seen:place]
            seen = end = match.end()
        for start, at in places.items():
            if 0 <= at < end:
                places[start] = folded.find(start, end)
    yield html[seen:]
