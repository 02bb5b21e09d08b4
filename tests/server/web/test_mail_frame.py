"""The HTML of a mail is a document of its own that can do nothing."""

from __future__ import annotations

import pytest

from outlook_emulator.server.web.mail_frame import has_remote_images
from tests.conftest import Connection
from tests.paths import EML
from tests.server.web.forms import Visitor


def frame_url(web: Visitor, mailbox: Connection, id: str) -> str:
    return f"{web.base}m/{mailbox.id}/mail/message/{id}/html"


def policy_of(web: Visitor, url: str) -> dict[str, str]:
    """The directives of the content policy of a frame."""
    header = web.http.get(url).headers["content-security-policy"]
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in header.split(";"))}


def test_policy(alice: Connection, web: Visitor) -> None:
    """The policy of a mail allows its own styles and images that it brings, and nothing else."""
    url = frame_url(web, alice, alice.deliver(html="<p>x</p>")["Id"])

    assert {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "allow-popups allow-popups-to-escape-sandbox",
    } == policy_of(web, url)
    assert "data: http: https:" == policy_of(web, f"{url}?images=1")["img-src"]
    assert "no-referrer" == web.http.get(url).headers["referrer-policy"]


def test_frame_of_the_page(alice: Connection, web: Visitor) -> None:
    """The page shows a mail in a sandboxed frame, and its HTML nowhere else."""
    mail = alice.deliver(html="<p class=hostile>x</p>")
    html = web.get(f"m/{alice.id}/mail/message/{mail['Id']}")

    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in html
    assert "class=hostile" not in html


@pytest.mark.parametrize(
    "element", ["meta http-equiv=refresh content=0", "LINK rel=preconnect href=//x", "base/href=//x"]
)
def test_elements_that_load(alice: Connection, web: Visitor, element: str) -> None:
    """Elements that a policy does not cover are made harmless."""
    html = web.get(frame_url(web, alice, alice.deliver(html=f"<{element}><p>x</p>")["Id"]))

    assert f"<{element}" not in html
    assert "<p>x</p>" in html


def test_own_images(alice: Connection, web: Visitor) -> None:
    """An image that came with the mail is in the document."""
    html = web.get(frame_url(web, alice, alice.deliver(EML / "inline-image.eml")["Id"]))

    assert 'src="data:image/png;base64,' in html
    assert "cid:" not in html


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<img src=https://x/y.png>", True),
        ('<IMG alt="a" SRC = "//x/y.png">', True),
        ("<td background='http://x/y'>", True),
        ("<p style='background:url( \"https://x\")'>", True),
        ("<img src='cid:a'>", False),
        ("<a href=https://x>y</a>", False),
        ("see https://x", False),
    ],
)
def test_remote_images(alice: Connection, web: Visitor, html: str, expected: bool) -> None:
    """A mail that refers to images elsewhere has a control that loads them."""
    url = f"m/{alice.id}/mail/message/{alice.deliver(html=html)['Id']}"

    assert expected == has_remote_images(html) == ("They are not loaded." in web.text(url))
    assert ("/html?images=1" in web.get(f"{url}?images=1")) or not expected
