"""A text that is looked for in bodies: a quick look at a body rules out only what a reader cannot see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.mailbox.sought_text import SoughtText
from outlook_emulator.mailbox.text import plain_text

_PIECES = ["w", "W", "o", "r", "f", "\u00f6", "\u03a3", " ", "\n", "&", "<", "<b>", "</b>", "<br>", "<head>o</head>"]
_PIECES += ["<!-- x -->", "<style>o</style>", "&#119;", "&nbsp;", "&ouml;", "&OUML;", "&Sigma;", "&notit;", "&fjlig;"]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join), st.data())
def test_what_a_reader_sees_is_never_ruled_out(body: str, data: st.DataObject) -> None:
    seen = plain_text(body).lower()
    start = data.draw(st.integers(0, len(seen)))
    sought = SoughtText(seen[start : data.draw(st.integers(start, len(seen)))])
    assert sought.lowered in body.lower() or sought.may_show(body.lower())


@pytest.mark.parametrize("body", ["hello, world", "<p>hello, <b>world</b></p>", "a &amp; b, <i>wor</i> ld &uuml;ber"])
def test_a_body_without_the_text_is_ruled_out(body: str) -> None:
    assert not SoughtText("nothere").may_show(body)
    assert not SoughtText("big names").may_show(body)
