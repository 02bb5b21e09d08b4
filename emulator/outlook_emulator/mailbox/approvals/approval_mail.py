"""The body of a mail that waits for an answer: HTML with a link for each option, and an actionable card.

The Learn page documents that the mail has both. Their markup is inferred; the card follows Outlook's documents about
actionable messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import orjson

from outlook_emulator.enums import QuestionKind
from outlook_emulator.mailbox.message import Mail

_CARD_TYPE = "application/adaptivecard+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A request to send a mail with options to choose from.

    `mail` has the recipients, the subject and the attachments; its body is the caller's plain text. The answer is
    posted to `callback_url`. `links_only` leaves out the card. With `hides_html`, clients that can show the card show
    it instead of the HTML. With `confirms`, a link leads to a page that asks for confirmation.
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
    parts = (("h2", request.header_text), ("p", request.mail.body), ("h3", request.selection_text))
    return "".join(f"<{tag}>{_lines(text)}</{tag}>" for tag, text in parts if text)


def _lines(text: str) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br>")


def _link(request: ApprovalRequest, option: str, url: str) -> str:
    target = escape(f"{url}&showConfirm={request.confirms}")
    return f'<p><a href="{target}">{escape(option)}</a></p>'
