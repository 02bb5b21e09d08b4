"""The mail that waits for an answer: HTML with a link for each option, and the same as an actionable card.

That such a mail holds both is documented (Learn page), their markup is not and is inferred; the card is one as
Outlook's own documents describe them.
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
    """What a caller wants to know, and of whom.

    `mail` has the recipients, the subject and the attachments; its body is the caller's text, which is plain.
    `callback_url` is where the answer goes. `links_only` leaves out the card, `hides_html` has the card stand in for
    the HTML where it can be shown, `confirms` puts a page that asks once more behind the links.
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
    """The options in a comma list, in order: blanks around them trimmed, empty ones dropped, each once (inferred)."""
    return tuple(dict.fromkeys(part for one in text.split(",") if (part := one.strip())))


def compose(request: ApprovalRequest, links: Mapping[str, str]) -> str:
    """The HTML of the mail; `links` has the address of each option, its signed query included."""
    card = "" if request.links_only else _script(card_of(request, links))
    return (
        f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">{card}</head>'
        f"<body>{_texts(request)}{''.join(_link(request, *one) for one in links.items())}</body></html>"
    )


def card_of(request: ApprovalRequest, links: Mapping[str, str]) -> dict[str, Any]:
    """The same as a card of buttons, each of which posts to its link."""
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
        "actions": [_button(option, address) for option, address in links.items()],
    }


def _button(option: str, address: str) -> dict[str, Any]:
    headers = [{"name": "Content-Type", "value": "application/json"}]
    return {
        "type": "Action.Http",
        "title": option,
        "method": "POST",
        "url": address,
        "headers": headers,
        "body": orjson.dumps({"SelectedOption": option}).decode(),
    }


def _script(card: Mapping[str, Any]) -> str:
    # No text in the card may end the element it is in.
    text = orjson.dumps(card).decode().replace("<", "\\u003c")
    return f'<script type="{_CARD_TYPE}">{text}</script>'


def _texts(request: ApprovalRequest) -> str:
    parts = (("h2", request.header_text), ("p", request.mail.body), ("h3", request.selection_text))
    return "".join(f"<{tag}>{_lines(text)}</{tag}>" for tag, text in parts if text)


def _lines(text: str) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br>")


def _link(request: ApprovalRequest, option: str, address: str) -> str:
    target = escape(f"{address}&showConfirm={request.confirms}")
    return f'<p><a href="{target}">{escape(option)}</a></p>'
