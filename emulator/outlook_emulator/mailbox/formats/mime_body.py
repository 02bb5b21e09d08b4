"""Which part of a mail its body is, and which are attachments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from outlook_emulator.mailbox.formats.mime_parts import Part
from outlook_emulator.mailbox.text import plain_text

_TEXTS = frozenset({"text/plain", "text/html"})
# Shown as they are where there is no other text.
_OTHER_TEXTS = frozenset({"text/enriched", "text/richtext", "text/markdown", "text/x-markdown"})


class Content(NamedTuple):
    """What a reader sees of a mail: the part that is its body, and the other parts.

    `related` holds the identities of the parts that belong to a body, such as its pictures.
    """

    body: Part | None
    attached: list[Part]
    related: frozenset[int]


class _Choice(NamedTuple):
    body: Part | None
    shown: tuple[Part, ...]  # the body, and other forms of it


_NOTHING = _Choice(None, ())


def find_content(root: Part) -> Content:
    """Find the body of a mail: the first text that is no attachment, and of its forms the richest with content."""
    choice = _choose(root, _TEXTS)
    if choice.body is None:
        choice = _choose(root, _OTHER_TEXTS)
    shown = {id(part) for part in choice.shown}
    attached = [part for part in _leaves(root) if id(part) not in shown and not _shows_nothing(part)]
    return Content(choice.body, attached, frozenset(_related(root)))


def _choose(part: Part, types: frozenset[str]) -> _Choice:
    if not part.parts or not part.is_multipart:
        return _Choice(part, (part,)) if _is_text(part, types) else _NOTHING
    if part.content_type == "multipart/related":
        return _choose(related_root(part), types)
    choices = [choice for choice in (_choose(inner, types) for inner in part.parts) if choice.body is not None]
    if not choices:
        return _NOTHING
    bodies = [choice.body for choice in choices if choice.body is not None]
    if part.content_type == "multipart/alternative":
        return _Choice(_richest(bodies), tuple(form for choice in choices for form in choice.shown))
    return next((choice for choice in choices if choice.body and not choice.body.is_empty), choices[0])


def _richest(forms: list[Part]) -> Part:
    # The last form is the richest (RFC 2046, 5.1.4), but programs leave one empty.
    filled = [form for form in forms if not form.is_empty] or forms
    plain = [form for form in filled if form.content_type != "text/html"]
    pages = [form for form in filled if form.content_type == "text/html" and (not plain or _is_visible(form))]
    if filled is forms and not pages:
        pages = [form for form in forms if form.content_type == "text/html"]
    return pages[-1] if pages else plain[0]


def related_root(part: Part) -> Part:
    """The part of a multipart/related that is shown, which shows the others; it need not come first (RFC 2387)."""
    start = part.parameters.by_name.get("start", "").strip("<> ")
    if start:
        for inner in part.parts:
            if inner.headers.value("content-id").strip("<> ") == start:
                return inner
    # Without `start` it is the first. Programs forget to say otherwise where that is a picture.
    shown = (inner for inner in part.parts if inner.is_multipart or _is_text(inner, _TEXTS))
    return next(shown, part.parts[0])


def _is_text(part: Part, types: frozenset[str]) -> bool:
    # A multipart without parts is shown as text, as mail programs do, unless it is empty.
    is_text = part.content_type in types or (part.is_multipart and not part.is_empty)
    return is_text and part.disposition != "attachment"


def _is_visible(part: Part) -> bool:
    return "<img" in part.text.lower() or bool(plain_text(part.text, 1).strip())


def _shows_nothing(part: Part) -> bool:
    if part.is_multipart:
        return part.is_empty
    if part.content_type not in _TEXTS or part.disposition == "attachment" or part.file_name:
        return False
    # Some programs end a mail with an empty page.
    return part.is_empty or (part.content_type == "text/html" and not _is_visible(part))


def _leaves(part: Part) -> Iterator[Part]:
    if not part.parts or not part.is_multipart:
        yield part
        return
    for inner in part.parts:
        yield from _leaves(inner)


def _related(part: Part) -> Iterator[int]:
    if not part.is_multipart:
        return
    root = related_root(part) if part.content_type == "multipart/related" and part.parts else None
    for inner in part.parts:
        if root is not None and inner is not root:
            yield from map(id, _leaves(inner))
        else:
            yield from _related(inner)
