"""The body of a mail that waits for an answer: HTML with a link for each option, and an actionable card.

The Learn page documents that the mail has both. Their markup is inferred; the card follows Outlook's documents about
actionable messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import orjson

from outlook_emulator.enums import QuestionKind
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.mailbox.stored_body import without_document_tags
from outlook_emulator.patterns import pattern

_CARD_TYPE = "application/adaptivecard+json"
_ELEMENTS = (
    "a abbr address article aside b base big blockquote body br button caption center cite code col colgroup dd del"
    " details dfn div dl dt em fieldset figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i img"
    " input ins kbd label legend li link main map mark meta nav ol p picture pre q s samp section small span strike"
    " strong style sub summary sup table tbody td tfoot th thead time title tr tt u ul var video"
)
# Elements by name, since plain text has angle brackets too: "Bob <bob@example.com>", "if a <b".
_HTML = pattern(rf"<!doctype\b|</?(?:{_ELEMENTS.replace(' ', '|')})(?:[\s/][^<>]*)?>", re.IGNORECASE)
# Entities stay as they are: callers write them even in a text without elements.
_BARE_AMPERSAND = pattern(r"&(?!#\d{1,7};|#x[0-9a-f]{1,6};|[a-z][a-z0-9]{1,31};)", re.IGNORECASE)


class ApprovalRequest(Frozen, kw_only=True):
    """A request to send a mail with options to choose from.

    `mail` has the recipients, the subject and the attachments; its body is the caller's HTML or plain text. The answer
    is posted to `callback_url`. `links_only` leaves out the card. With `hides_html`, clients that can show the card
    show it instead of the HTML. With `confirms`, a link leads to a page that asks for confirmation.
    """

    kind: QuestionKind
    mail: Mail
    options: tuple[str, ...]
    callback_url: str
    header_text: str = ""
    selection_text: str = ""
    links_only: bool = False
    hides_html: bool = False
    confirms: bool = False


def split_options(text: str) -> tuple[str, ...]:
    """The options in a comma-separated list, trimmed, without empty ones and duplicates (inferred)."""
    return tuple(dict.fromkeys(option for part in text.split(",") if (option := part.strip())))


def compose(request: ApprovalRequest, links: Mapping[str, str]) -> str:
    """The HTML of the mail; `links` has the URL of each option, with its signed query."""
    card = "" if request.links_only else _script(card_of(request, links))
    return (
        f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">{card}</head>'
        f"<body>{_texts(request)}{''.join(_link(request, *link) for link in links.items())}</body></html>"
    )


def card_of(request: ApprovalRequest, links: Mapping[str, str]) -> dict[str, Any]:
    """The card of the mail: a button for each option, which posts to its link."""
    texts: tuple[tuple[str, dict[str, str]], ...] = (
        (request.header_text, {"size": "large", "weight": "bolder"}),
        (request.mail.body, {}),
        (request.selection_text, {"weight": "bolder"}),
    )
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.0",
        "hideOriginalBody": request.hides_html,
        "body": [{"type": "TextBlock", "text": text, "wrap": True, **look} for text, look in texts if text],
        "actions": [_button(option, url) for option, url in links.items()],
    }


def _button(option: str, url: str) -> dict[str, Any]:
    headers = [{"name": "Content-Type", "value": "application/json"}]
    return {
        "type": "Action.Http",
        "title": option,
        "method": "POST",
        "url": url,
        "headers": headers,
        "body": orjson.dumps({"SelectedOption": option}).decode(),
    }


def _script(card: Mapping[str, Any]) -> str:
    # No text of the card may close the script element.
    text = orjson.dumps(card).decode().replace("<", "\\u003c")
    return f'<script type="{_CARD_TYPE}">{text}</script>'


def _texts(request: ApprovalRequest) -> str:
    # Only the body may be HTML; all other texts are escaped.
    header, selection = request.header_text, request.selection_text
    return (
        f"{_element('h2', _lines(escape(header)))}{_element('div', _body(request.mail.body))}"
        f"{_element('h3', _lines(escape(selection)))}"
    )


def _element(tag: str, content: str) -> str:
    return f"<{tag}>{content}</{tag}>" if content else ""


def _body(text: str) -> str:
    """The caller's text as HTML: as it is where it has elements, which public workflows write; else line by line.

    A whole document is put into the mail without its own document tags, so that the mail is one document.

    Which texts the real connector takes for HTML is inferred.
    """
    if _HTML.search(text):
        return without_document_tags(text)
    return _lines(_BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;"))


def _lines(html: str) -> str:
    return html.replace("\r\n", "\n").replace("\n", "<br>")


def _link(request: ApprovalRequest, option: str, url: str) -> str:
    target = escape(f"{url}&showConfirm={request.confirms}")
    return f'<p><a href="{target}">{escape(option)}</a></p>'
