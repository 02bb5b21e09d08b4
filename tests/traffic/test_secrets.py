"""Hiding secrets in what callers sent and received."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.traffic import secrets
from outlook_emulator.traffic.secrets import REDACTED, redacted, without_secrets

PIECES = ["key", "api", "_", "-", "access", "subscription", "token", "sig", "code", "Secret", "PWD", "jwt", "auth"]
PIECES += ["orization", "pass", "word", "cookie", "session", "://", ":", "@", "=", "%3D", "%26", "&", '"', '\\"', "\\"]
PIECES += ["\\u003D", "\\u0026", " ", "x", "é", "\n", "validation", "id"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("?paid-token=abc&top=1", "?paid-token=(redacted)&top=1"),
        ("?access_token=abc", "?access_token=(redacted)"),
        ("?paidtoken=abc", "?paidtoken=abc"),
        ("?" + "x" * 100 + "secret=abc", "?" + "x" * 100 + "secret=(redacted)"),
        ("?next=%2Fa%3Fsig%3Dabc%26b", "?next=%2Fa%3Fsig%3D(redacted)%26b"),
        ('{"apiKey": "abc", "token":"d\\"ef"}', '{"apiKey": "(redacted)", "token":"(redacted)"}'),
        ('{"a":"{\\"pwd\\":\\"x\\\\\\\\y\\"}"}', '{"a":"{\\"pwd\\":\\"(redacted)\\"}"}'),
        ("see https://ada:abc@example.com/", "see https://ada:(redacted)@example.com/"),
    ],
)
def test_secrets_are_hidden_by_their_names(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(text.encode()) == shown.encode()


@pytest.mark.parametrize(
    "text",
    [b'{"a":"{\\"pwd\\": \\"' + b"\\" * 200_000, b"a-" * 100_000 + b"key=", b'"pwd"' + b" " * 200_000],
    ids=["backslashes", "hyphens", "blanks"],
)
def test_a_long_text_is_read_once(text: bytes) -> None:
    began = time.perf_counter()
    redacted(text)
    # A thirtieth of this is usual; in time that grows with the square, it would be a minute.
    assert time.perf_counter() - began < 1


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_place_is_overlooked(text: str) -> None:
    """A look at those places only where a name of a secret ends gives what a look at every place gives."""
    content = text.encode()
    pieces, end, at = [], 0, 0
    while at < len(content):
        secret = secrets._SECRET.match(content, at)
        at += 1
        if secret is not None:
            pieces += [content[end : secret.end(secret.lastindex or 0)], REDACTED]
            end = at = secret.end()

    assert redacted(content) == b"".join((*pieces, content[end:]))


@pytest.mark.parametrize("name", ["sig=", "://"])
@pytest.mark.parametrize("count", [999, 1000, 1001, 5000])
def test_many_names_of_secrets(name: str, count: int) -> None:
    """All secrets are hidden where a text is full of their names, and few of these places are remembered."""
    text = f"https://user:s3cret@host/?token=s3cret&{f'{name}&' * count}access_key=s3cret"

    assert "s3cret" not in redacted(text)
    assert redacted(text).count("(redacted)") == 3
    assert len(secrets._places(text.encode())) <= 1000


def test_headers_are_hidden_by_their_names() -> None:
    """Each time, whether the name was seen before or not."""
    headers = [(b"x-functions-key", b"abc"), (b"x-keyboard", b"abc")]

    assert [[(b"x-functions-key", REDACTED), (b"x-keyboard", b"abc")]] * 2 == [without_secrets(headers)] * 2
