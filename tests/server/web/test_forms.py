"""Reading of forms."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.server.web.forms import Form, read_form


def sent(fields: dict[str, str], files: dict[str, tuple[str, bytes, str]]) -> Form:
    """A form that a client has encoded with files."""
    request = httpx.Request("POST", "http://x/", data=fields, files=files)
    return read_form(request.read(), request.headers["content-type"])


def test_fields() -> None:
    """Fields keep all their values; line ends are plain, and a text is without the space around it."""
    form = read_form(b"a=1&a=2&b=+x%0D%0Ay+&c=&d=%C3%A4", "application/x-www-form-urlencoded")

    assert ["1", "2"] == form.fields["a"]
    assert ("2", "x\ny", " x\ny ", "", "ä") == (
        form.text("a"),
        form.text("b"),
        form.raw("b"),
        form.text("c"),
        form.text("d"),
    )
    assert {"a": "2", "d": "ä"} == form.filled("a", "c", "d", "missing")
    assert (True, False) == (form.has("c"), form.has("missing"))


@given(content=st.binary(), text=st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_files_arrive_unchanged(content: bytes, text: str) -> None:
    """The bytes of a file and the text of a field arrive as they were sent."""
    form = sent({"note": text}, {"file": ("ä b.eml", content, "message/rfc822")})
    (file,) = form.files["file"]

    assert (content, "message/rfc822", text) == (file.content, file.media_type, form.raw("note"))


def test_no_file() -> None:
    """A file input without a choice sends an empty file without a name, which counts as none."""
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'

    assert {} == read_form(body, "multipart/form-data; boundary=x").files


def test_file_name_of_a_browser() -> None:
    """A browser sends names in UTF-8."""
    head = 'Content-Disposition: form-data; name="file"; filename="Grüße.eml"'.encode()
    body = b"--x\r\n" + head + b"\r\n\r\nabc\r\n--x--\r\n"

    assert "Grüße.eml" == read_form(body, "multipart/form-data; boundary=x").files["file"][0].name


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"\xff=1", ""),
        (b"&".join([b"a=1"] * 1001), ""),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"--x\r\nno header\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_unreadable_forms(content: bytes, content_type: str) -> None:
    """A form that cannot be read is refused."""
    with pytest.raises(InvalidRequest):
        read_form(content, content_type)
