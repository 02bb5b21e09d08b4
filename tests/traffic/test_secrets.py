"""Hiding secrets in what callers sent and received."""

from __future__ import annotations

import time

import pytest

from outlook_emulator.traffic.secrets import redacted


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
