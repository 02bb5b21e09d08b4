"""The pages of the mails that left the sandbox."""

from __future__ import annotations

import re

from tests.conftest import Connection
from tests.server.web.forms import Visitor


def test_outbox(alice: Connection, web: Visitor) -> None:
    """The outbox lists what left, newest first, and each mail has a page with its views and attachments."""
    file = {"Name": "ä.txt", "ContentBytes": "QUJD"}
    alice.send("dave@elsewhere.example", subject="First")
    alice.send("dave@elsewhere.example;erin@elsewhere.example", "Second", "<p>Hello</p>", Attachments=[file])

    assert re.search(r"2 in all.*Second.*dave@elsewhere.example, erin@elsewhere.example.*First", web.text("outbox"))
    assert "Second" in web.text("outbox/2")
    assert "<p>Hello</p>" in web.get("outbox/2/html")
    assert "Subject Second" in web.text("outbox/2?view=headers")
    assert b"ABC" == web.http.get(f"{web.base}outbox/2/files/1").content
    assert b"Subject: Second" in web.http.get(f"{web.base}outbox/2/source").content


def test_inside_is_not_outside(alice: Connection, bob: Connection, web: Visitor) -> None:
    """A mail to a mailbox of the sandbox has not left."""
    alice.send("bob@example.com")

    assert "No mail has left this sandbox." in web.text("outbox")


def test_paging(alice: Connection, web: Visitor) -> None:
    """Pages of the outbox neither repeat nor leave out a mail."""
    for number in range(60):
        alice.send("dave@elsewhere.example", subject=f"number {number}")
    first = web.get("outbox")
    older = re.search(r'href="([^"]+)">Older<', first)
    assert older is not None
    second = web.get(older[1])
    seen = [int(number) for number in re.findall(r">number (\d+)<", first + second)]

    assert list(range(59, -1, -1)) == seen
    assert ">Newest<" in second


def test_unknown(web: Visitor) -> None:
    """A mail that is not in the outbox is not found."""
    for id in ("1", "x", "-1", "9" * 30):
        web.get(f"outbox/{id}", 404)
    web.get("outbox?before=x", 400)
