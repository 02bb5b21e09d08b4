"""The HTML of a mail is a document of its own that can do nothing."""

from __future__ import annotations

from time import process_time

import pytest

from outlook_emulator.server.web import mail_frame
from outlook_emulator.server.web.mail_frame import has_remote_images
from outlook_emulator.store.records import AttachmentInfo
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


def test_many_references_to_an_image() -> None:
    """A mail that refers to a large image many times does not fill the memory."""
    image = AttachmentInfo(1, 1, "a.png", "image/png", 1_000_000, 1, 0, "a", 0)
    html = mail_frame.respond("<img src=cid:a>" * 1000, [image], lambda key: bytes(1_000_000), False).body

    assert 20 < bytes(html).count(b"data:image/png") < 30
    assert len(html) < 40_000_000


@pytest.mark.parametrize("start", ["url(", "<img src", "<img ", "<img src="])
def test_runs_of_blanks(start: str) -> None:
    """No mail, however broken, is read more than a few times."""
    started = process_time()

    assert not has_remote_images(start + " " * 200_000)
    assert process_time() - started < 1


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<img src=https://x/y.png>", True),
        ('<IMG alt="a" SRC = "//x/y.png">', True),
        ("<td background='http://x/y'>", True),
        ("<p style='background:url( \"https://x\")'>", True),
        ('<p style="background:url(&quot;https://x&quot;)">', True),
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
