"""Files of pages are saved and never shown."""

from __future__ import annotations

import pytest

from outlook_emulator.server.web.download import download


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("Rechnung März.pdf", "Rechnung%20M%C3%A4rz.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b", "a_b"),
        ('x"; filename=evil.exe', "x%22%3B%20filename%3Devil.exe"),
        ("two\r\nlines", "two__lines"),
        ("\ud800", "_"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_name(name: str, saved: str) -> None:
    """A file is saved under its name, without what a file system or a header could misread."""
    assert f"attachment; filename*=UTF-8''{saved}" == download(name, b"", "text/plain").headers["content-disposition"]


@pytest.mark.parametrize(
    ("media_type", "sent"),
    [
        ("image/PNG", "image/png"),
        ("text/html; charset=utf-8", "text/html"),
        ("nonsense", "application/octet-stream"),
        ("a/b\r\nx: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_type(media_type: str, sent: str) -> None:
    """A file keeps its media type if it is one, and a browser that shows it nevertheless runs nothing."""
    headers = download("x", b"<script>", media_type).headers

    assert sent == headers["content-type"]
    assert "sandbox" in headers["content-security-policy"]
