"""Work on long texts in short steps gives the same results as in one."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlook_emulator import steps
from outlook_emulator.mailbox import stored_body, text
from outlook_emulator.mailbox.formats import base64_text, mime_parts

_QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))
_PARTS = [*"<>&;=-!/'\" ab\n\t", "<p>", "</p>", "<br>", "<!--", "-->", "<STYLE>", "</style>", "<script", "</script>"]
_PARTS += ["<title>", "&amp;", "&#65;", "&#0000000000000066;", "<a b='c>d'>", "<head>", "</head>", "<body>", "</body>"]
_PARTS += ["<html>", "</html>", "\u0130", "\u00fc", "  ", "\r\n"]
_HTML = st.lists(st.sampled_from(_PARTS), max_size=40).map("".join)


@pytest.mark.parametrize(
    "work",
    [
        text.plain_text,
        text.unescaped,
        lambda html: stored_body.stored_body(html, True),
        stored_body.text_document,
        stored_body.inner_html,
        stored_body.without_document_tags,
        lambda html: stored_body.with_appended(html, "more"),
    ],
)
@_QUIET
@given(html=_HTML)
def test_long_html_gives_the_same(work: Callable[[str], Any], html: str) -> None:
    wanted = work(html)
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert work(html) == wanted


@_QUIET
@given(st.text(" \t\u00a0ab\u2003\n", max_size=60))
def test_words_are_those_of_the_whole(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert steps.words(value) == " ".join(value.split())


@_QUIET
@given(st.text("ab-", max_size=40))
def test_splits_and_substitutes_as_the_pattern(value: str) -> None:
    plain, grouped = re.compile("-+"), re.compile("(-+)a")
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert steps.substituted(plain, "\\1", value) == plain.sub(lambda _: "\\1", value)
        assert steps.split(plain, value) == plain.split(value)
        assert steps.split(grouped, value) == grouped.split(value)


@_QUIET
@given(st.binary(max_size=60), st.integers(1, 20), st.sampled_from([b"", b"=", b"==\r\n", b"*"]))
def test_base64_decodes_to_the_same(content: bytes, width: int, end: bytes) -> None:
    encoded = b64encode(content)
    lines = b"\r\n".join(encoded[start : start + width] for start in range(0, len(encoded), width)) + end
    wanted = base64_text.decode_base64(lines)
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert base64_text.decode_base64(lines) == wanted


@_QUIET
@given(st.text("\r\nab", max_size=60))
def test_line_ends_are_those_of_the_whole(value: str) -> None:
    wanted = re.sub(r"\r{0,2}\n|\r", "\r\n", value)
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert mime_parts.with_crlf(value) == wanted


def _shorten(patch: pytest.MonkeyPatch) -> None:
    for module in (steps, text, base64_text, mime_parts):
        patch.setattr(module, "STEP", 8)
