"""Large contents of a composed mail are put in their places apart, and the bytes are the same."""

from __future__ import annotations

import pytest

from outlook_emulator.mailbox.formats import mime_compose
from outlook_emulator.mailbox.message import Address, Attachment, Mail


@pytest.mark.parametrize("is_html", [False, True])
def test_a_mail_has_the_same_bytes_with_large_contents(monkeypatch: pytest.MonkeyPatch, is_html: bool) -> None:
    text = "<p>Gr\u00fc\u00dfe</p>\r\n" * 8_000
    files = (Attachment("one.bin", bytes(range(256)) * 2_000), Attachment("two.bin", b"x" * 57 * 4096 * 2))
    inline = Attachment("three.png", b"\x89PNG" * 80_000, "image/png", is_inline=True, content_id="three")
    mail = Mail(
        sender=Address("a@example.com"), subject="Large", body=text, is_html=is_html, attachments=(*files, inline)
    )

    monkeypatch.setattr(mime_compose, "LARGE", 1 << 30)
    whole = mime_compose.compose(mail)
    monkeypatch.setattr(mime_compose, "LARGE", 70_000)

    assert mime_compose.compose(mail) == whole


def test_a_single_large_text_has_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = Mail(sender=Address("a@example.com"), body="text \u20ac\r\n" * 20_000)

    monkeypatch.setattr(mime_compose, "LARGE", 1 << 30)
    whole = mime_compose.compose(mail)
    monkeypatch.setattr(mime_compose, "LARGE", 70_000)

    assert mime_compose.compose(mail) == whole
