"""How the mail service stores a body: one HTML document, whatever was sent.

A recorded HTML body comes back in a whole document whose head begins with a line that names type and charset, and a
recorded event without a body as HTML converted from text (Office 365 twin: microsoft/Power-Fx O365OutlookTests,
2023-12). What else becomes of a document is inferred: see contract/deviations.toml.
"""

from __future__ import annotations

import re

from outlook_emulator.patterns import pattern
from outlook_emulator.steps import lowered, substituted
from outlook_emulator.store.records import Event, Message

_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_HEAD_START = f"\r\n{_META}"
_BEFORE_FRAGMENT = f"<html><head>{_HEAD_START}</head><body>"
_AFTER_FRAGMENT = "</body></html>"
_BEFORE_TEXT = (
    f'<html><head>{_META}\r\n<meta name="Generator" content="Microsoft Exchange Server">\r\n'
    "<!-- converted from text -->\r\n"
    "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } --></style>"
    '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">'
)
_AFTER_TEXT = "</div></span></font>\r\n</body>\r\n</html>\r\n"

# Possessive repeats, and no pattern runs past the next `<`: no input, however broken, makes them look at a character
# more than a few times.
_ATTRIBUTES = r"(?:[\s/][^<>\"']*+(?:\"[^<\"]*+\"[^<>\"']*+|'[^<']*+'[^<>\"']*+)*+)?+>"
# A byte order mark is left over where a file was read as a body.
_PROLOGUE = pattern(r"(?:[\s\ufeff]++|<!--(?:[^-]|-(?!->))*+-->|<!doctype[^<>]*+>|<\?[^<>]*+>)*+", re.IGNORECASE)
_HTML, _HEAD, _BODY = (pattern(f"<{name}{_ATTRIBUTES}", re.IGNORECASE) for name in ("html", "head", "body"))
_HEAD_END, _HTML_END = (pattern(rf"</{name}\s*+>", re.IGNORECASE) for name in ("head", "html"))
_TO_BODY_END, _TO_HTML_END = (pattern(f".*(?=</{name})", re.IGNORECASE | re.DOTALL) for name in ("body", "html"))
_DOCUMENT_TAG = pattern(rf"</?(?:html|head|body){_ATTRIBUTES}|<!doctype[^<>]*+>", re.IGNORECASE)
_CHARSET_META = pattern(r"<meta\b(?=[^<>]*\bhttp-equiv\s*=\s*[\"']?content-type\b)[^<>]*+>\s*+", re.IGNORECASE)
_INNER_BLANK = pattern(" (?= )")


IN_DOCUMENT = ""
"""Stands for a fragment, or a text, in the usual document: most bodies are one, and to keep them twice costs memory."""
_LONG_TEXT = 64 * 1024
"""The document of a longer text is kept, since it takes long to make."""


def stored_body(body: str, is_html: bool) -> str | None:
    """The HTML in which a body is stored, or `IN_DOCUMENT`; None if that is the body as it was sent.

    Empty HTML stays empty.
    """
    if not is_html:
        return text_document(body) if len(body) > _LONG_TEXT else IN_DOCUMENT
    # Text that was read from the service and is sent again has its form already.
    if not body or body.startswith(_BEFORE_TEXT):
        return None
    if _is_fragment(body):
        return IN_DOCUMENT
    stored = _document(body)
    return None if stored == body else stored


def shown_body(item: Message | Event) -> str:
    """The body that the connector shows."""
    if item.stored_body is None:
        return item.body
    if item.stored_body:
        return item.stored_body
    return _BEFORE_FRAGMENT + item.body + _AFTER_FRAGMENT if item.is_html else text_document(item.body)


def inner_html(html: str) -> str:
    """What an HTML document shows: the content of its body element, or a fragment as it is."""
    if _is_fragment(html):
        return html
    start, end = _content(html) if _is_document(html) else (0, len(html))
    return substituted(_DOCUMENT_TAG, "", html[start:end])


def without_document_tags(html: str) -> str:
    """HTML that can stand inside a document: without the tags that only a whole document has, its styles kept."""
    return html if _is_fragment(html) else substituted(_DOCUMENT_TAG, "", html)


def with_appended(html: str, more: str) -> str:
    """An HTML body with more at the end of what it shows."""
    if _is_fragment(html):
        return html + more
    _, end = _content(html)
    return html[:end] + more + html[end:]


def text_document(text: str) -> str:
    """The HTML into which a text is converted."""
    return _BEFORE_TEXT + (_escaped(text) or "&nbsp;") + _AFTER_TEXT


def _escaped(text: str) -> str:
    """Text as Exchange writes it in HTML, seen in public mails: quotes escaped, and all but the last blank of a run."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    if "  " in text:
        text = substituted(_INNER_BLANK, "&nbsp;", text)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>\r\n")


def _is_fragment(html: str) -> bool:
    """Whether HTML has none of the tags that only a whole document has."""
    folded = lowered(html)
    # Three cheap looks rule out most bodies. `html` stands for the tag and for the document type.
    if not ("html" in folded or "<body" in folded or "<head" in folded):
        return True
    return _DOCUMENT_TAG.search(html) is None


def _is_document(html: str) -> bool:
    """Whether HTML begins as a document, but for comments and the like."""
    start = _end(_PROLOGUE, html, 0)
    return any(tag.match(html, start) for tag in (_HTML, _HEAD, _BODY))


def _document(html: str) -> str:
    prologue = _end(_PROLOGUE, html, 0)
    start = _end(_HTML, html, prologue)
    head = _HEAD.match(html, _end(_PROLOGUE, html, start))
    if not _is_document(html):
        # Document tags in the middle of a fragment: a browser ignores them.
        return html[:prologue] + _BEFORE_FRAGMENT + substituted(_DOCUMENT_TAG, "", html[prologue:]) + _AFTER_FRAGMENT
    before = after = ""
    # No `<html>` tag was there, but a head or a body.
    if start == prologue:
        before, after = "<html>", "" if _HTML_END.search(html) else "</html>"
    if head is None:
        return f"{html[:start]}{before}<head>{_HEAD_START}</head>{_with_body(html[start:])}{after}"
    closing = _HEAD_END.search(html, head.end())
    head_end = len(html) if closing is None else closing.start()
    content = html[head.end() : head_end]
    if not content.startswith(_HEAD_START):
        content = _HEAD_START + _CHARSET_META.sub("", content)
    # Without its end tag nobody can tell where the head ends, so no body is looked for.
    if closing is None:
        return f"{html[:start]}{before}{html[start : head.end()]}{content}{after}"
    shown = _with_body(html[closing.end() :])
    return f"{html[:start]}{before}{html[start : head.end()]}{content}{closing[0]}{shown}{after}"


def _with_body(rest: str) -> str:
    """What follows the head, in a body element unless it has one."""
    if _BODY.search(rest) or "<frameset" in lowered(rest):
        return rest
    end = _end(_TO_HTML_END, rest, 0) or len(rest)
    return f"<body>{rest[:end]}</body>{rest[end:]}"


def _content(html: str) -> tuple[int, int]:
    """Where the visible content of a document starts and ends."""
    body = _BODY.search(html)
    if body is not None:
        start = body.end()
    else:
        head = _HEAD_END.search(html)
        start = head.end() if head is not None else _end(_HTML, html, _end(_PROLOGUE, html, 0))
    end = _end(_TO_BODY_END, html, 0) or _end(_TO_HTML_END, html, 0) or len(html)
    return start, max(start, end)


def _end(pattern: re.Pattern[str], html: str, start: int) -> int:
    """Where a match that starts there ends, and where it would start if there is none."""
    match = pattern.match(html, start)
    return start if match is None else match.end()
