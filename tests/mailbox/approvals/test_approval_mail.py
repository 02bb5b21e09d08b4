"""The approval mail: its options, its HTML and its card, built from an approval request."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest, card_of, compose, split_options
from outlook_emulator.mailbox.message import Mail
from outlook_emulator.mailbox.text import plain_text

LINKS = {"Approve": "http://x/RecordResponse?state=a&sig=b", "Reject": "http://x/RecordResponse?state=c&sig=d"}
HOSTILE = "</script><script>alert('1')</script><!-- \"&amp;"


class Parsed(HTMLParser):
    """The parts of a mail's HTML: its tags in order, the text of each link, and the content of each script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: dict[str, str] = {}
        self.scripts: list[tuple[str | None, str]] = []
        self._open: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = (tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._open = ("", {})

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open
        if tag == "a":
            self.links[data] = attributes["href"] or ""
        if tag == "script":
            self.scripts.append((attributes.get("type"), data))


def request(body: str = "", **fields: Any) -> ApprovalRequest:
    return ApprovalRequest(
        **{"kind": "approval", "options": tuple(LINKS), "callback_url": "http://x/", **fields}, mail=Mail(body=body)
    )


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Approve, Reject", ("Approve", "Reject")),
        ("  Yes ,No,  Maybe later  ", ("Yes", "No", "Maybe later")),
        (",Yes,, ,No,", ("Yes", "No")),
        ("Yes, No, Yes, yes", ("Yes", "No", "yes")),
        ("Zurück, 是, \U0001f44d", ("Zurück", "是", "\U0001f44d")),
        ("Yes; No", ("Yes; No",)),
        ("", ()),
        (" , ,", ()),
    ],
)
def test_options(text: str, options: tuple[str, ...]) -> None:
    """Options are split at commas; surrounding blanks, empty options and duplicates are dropped."""
    assert options == split_options(text)


@pytest.mark.parametrize("confirms", [False, True])
def test_links(confirms: bool) -> None:
    """The mail has a link for each option, in order, and each link carries the confirmation setting."""
    links = Parsed(compose(request(confirms=confirms), LINKS)).links

    assert {option: f"{address}&showConfirm={confirms}" for option, address in LINKS.items()} == links
    assert list(LINKS) == list(links)


def test_texts_are_in_order() -> None:
    """The mail shows the header, the body, the options' heading and the options, with line breaks kept."""
    approval_request = request(
        "First line\r\nsecond line\nthird", header_text="Trip to Oslo", selection_text="Your choice"
    )
    lines = plain_text(compose(approval_request, LINKS)).split("\r\n")

    expected = ["Trip to Oslo", "First line", "second line", "third", "Your choice", "Approve", "Reject"]
    assert expected == [line for line in lines if line]


def test_missing_texts_leave_no_elements() -> None:
    """A mail without texts contains only the links."""
    assert ["p", "a", "p", "a"] == Parsed(compose(request(links_only=True), LINKS)).tags[4:]


def test_hostile_texts_are_escaped() -> None:
    """Plain text from a caller never becomes markup, neither in the HTML nor in the script that holds the card."""
    approval_request = request(HOSTILE, header_text=HOSTILE, selection_text=HOSTILE)
    parsed = Parsed(compose(approval_request, {HOSTILE: "http://x/?state=a&sig=b"}))
    ((kind, script),) = parsed.scripts

    assert ["html", "head", "meta", "script", "body", "h2", "div", "h3", "p", "a"] == parsed.tags
    assert {HOSTILE: "http://x/?state=a&sig=b&showConfirm=False"} == parsed.links
    assert "application/adaptivecard+json" == kind
    assert [HOSTILE] * 3 == [text_block["text"] for text_block in orjson.loads(script)["body"]]
    assert HOSTILE == orjson.loads(script)["actions"][0]["title"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("a\nb\r\nc", "a<br>b<br>c"),
        ("if 1 < 2 && 3 > 2", "if 1 &lt; 2 &amp;&amp; 3 &gt; 2"),
        ("Bob <bob@example.com> & Co", "Bob &lt;bob@example.com&gt; &amp; Co"),
        ("x <y and z> <article-1>", "x &lt;y and z&gt; &lt;article-1&gt;"),
        (
            "Fish &amp; chips, 5 &euro; &#8364; &#x20ac; R&D; AT&T",
            "Fish &amp; chips, 5 &euro; &#8364; &#x20ac; R&amp;D; AT&amp;T",
        ),
        ("<b>x</b>\ny", "<b>x</b>\ny"),
        ("line<br>", "line<br>"),
        ("line<BR/>", "line<BR/>"),
        ('<A HREF="https://x/?a=1&b=2">x</A>', '<A HREF="https://x/?a=1&b=2">x</A>'),
        ("<table\nborder=1><tr><td>1</td></tr></table>", "<table\nborder=1><tr><td>1</td></tr></table>"),
        ("<!DOCTYPE html><html><head><style>p{}</style></head><body>x</body></html>", "<style>p{}</style>x"),
    ],
)
def test_body(body: str, shown: str) -> None:
    """HTML in a body stays as it is; plain text is escaped, entities apart, and keeps its lines."""
    assert f"<body><div>{shown}</div><p>" in compose(request(body), LINKS)


@pytest.mark.parametrize("hides", [False, True])
def test_card(hides: bool) -> None:
    """The card has the same content as the HTML, its buttons post to the links, and it can hide the HTML."""
    approval_request = request("Details", header_text="Trip", selection_text="Choose", hides_html=hides)
    ((_, script),) = Parsed(compose(approval_request, LINKS)).scripts
    card = orjson.loads(script)

    assert card == card_of(approval_request, LINKS)
    assert ("AdaptiveCard", "1.0", hides) == (card["type"], card["version"], card["hideOriginalBody"])
    assert ["Trip", "Details", "Choose"] == [text_block["text"] for text_block in card["body"]]
    assert list(LINKS.items()) == [(action["title"], action["url"]) for action in card["actions"]]
    assert {("Action.Http", "POST")} == {(action["type"], action["method"]) for action in card["actions"]}
    bodies = [orjson.loads(action["body"]) for action in card["actions"]]
    assert bodies == [{"SelectedOption": option} for option in LINKS]


def test_links_only_means_no_card() -> None:
    """An HTML-only mail has no card, even if the request also hides the HTML."""
    parsed = Parsed(compose(request(links_only=True, hides_html=True), LINKS))

    assert [] == parsed.scripts
    assert list(LINKS) == list(parsed.links)
