"""Broken or hostile mail is either read as far as possible or rejected, and in short time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox.formats.mime import parse
from outlook_emulator.mailbox.formats.mime_compose import compose
from outlook_emulator.mailbox.formats.mime_limits import MAX_ADDRESSES, MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS
from outlook_emulator.mailbox.message import Mail
from tests.conftest import Connection

HEAD = b"From: ada@example.com\r\n"


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n\r\n", b"Dear Ada,\r\n\r\nhello", b'{"subject": "x"}', b"http://example.com/x", b"\x00\xff" * 99]
)
def test_no_mail_at_all(raw: bytes) -> None:
    """Bytes without any mail header are rejected with an error that names what is missing."""
    with pytest.raises(InvalidRequest, match="none of the headers From, To"):
        parse(raw)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 2000])
def test_too_deep(depth: int) -> None:
    """Parts that are nested too deeply are rejected."""
    opening = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))

    with pytest.raises(TooMuchContent, match="more than 100 deep"):
        parse(HEAD + opening.encode() + b"\r\nHi")


def test_deep_enough() -> None:
    """Parts at the deepest allowed level are read."""
    opening = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(MAX_DEPTH - 1))

    assert parse(HEAD + opening.encode() + b"\r\nHi").body == "Hi"


MULTIPART = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (HEAD + b"To: " + b"Ann <ann@example.com>, " * 450_000, f"longer than {MAX_HEADER_BYTES} bytes"),
        (HEAD + b"Subject: " + b"=?utf-8?q?a?= " * 1_000_000, f"longer than {MAX_HEADER_BYTES} bytes"),
        (HEAD + b"X: y\r\n" * 100_000, f"longer than {MAX_HEADER_BYTES} bytes"),
        (MULTIPART + b"--b\r\n" + b"X: y\r\n" * 100_000, f"longer than {MAX_HEADER_BYTES} bytes"),
        (HEAD + b"To: " + b"a@b.c," * (MAX_ADDRESSES + 1), f"more than {MAX_ADDRESSES} addresses"),
        (HEAD + b"To: a@b.c\r\n" * (MAX_ADDRESSES + 1), f"more than {MAX_ADDRESSES} addresses"),
        (MULTIPART + b"--b\r\n\r\nx\r\n" * 100_000, f"more than {MAX_PARTS} parts"),
        (HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 100_000, f"more than {MAX_DEPTH} deep"),
    ],
    ids=lambda value: value[-40:] if isinstance(value, str) else "",
)
def test_more_than_anyone_needs(raw: bytes, message: str) -> None:
    """A mail above a limit is refused with 413 and a text that names the limit."""
    with pytest.raises(TooMuchContent, match=message) as error:
        parse(raw)

    assert error.value.status == 413


def test_a_413_over_http(alice: Connection) -> None:
    """The admin API answers a mail above a limit with 413, and delivers nothing."""
    content = MULTIPART + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 1)
    path = f"/connections/{alice.id}/deliver"
    response = alice.api.post(path, content=content, headers={"Content-Type": "message/rfc822"})

    assert (response.status_code, "more than 1000 parts" in response.text) == (413, True)
    assert alice.mails() == []


PIECES = st.sampled_from(
    [
        *(
            b"From: ",
            b"To: ",
            b"Subject: ",
            b"Date: ",
            b"Content-Type: ",
            b"Content-Transfer-Encoding: base64",
            b"\r\n",
        ),
        *(b"\n", b"\r", b" ", b"\t", b"\r\n\r\n", b"multipart/mixed; boundary=b", b"multipart/related;boundary=b"),
        *(
            b"--b",
            b"--b--",
            b"--",
            b"message/rfc822",
            b"text/html",
            b"text/plain; charset=",
            b"utf-16",
            b"utf-7",
            b"hz",
        ),
        *(b"=?utf-8?B?", b"=?x?Q?=", b"?=", b"name*0*=", b"name*=", b"name*1=", b"''", b"%ff", b'"', b"\\", b"(", b")"),
        *(b"<", b">", b",", b";", b":", b"@", b"ada", b"quoted-printable", b"=", b"\xff", b"\xc3", b"\x00", b"a" * 80),
    ]
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(PIECES, max_size=60).map(b"".join) | st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Any bytes either give a mail that can be written again or raise InvalidRequest."""
    for start in (b"", b"Subject: ", b"Subject: x\r\nContent-Type: "):
        try:
            mail = parse(start + raw)
        except InvalidRequest:
            continue
        assert isinstance(parse(compose(mail._replace(raw=None))), Mail)


@pytest.mark.parametrize(
    "parameters",
    [
        "boundary*=b; boundary*0=c",
        "boundary*99999999999999999999=b; boundary*" + "9" * 5000 + "=c",
        "boundary*=a%00b'en'c; charset*=a%00b'en'c; name*=a%00b'en'c",
        "boundary*=no-such-charset'en'c; name*=punycode'en'%ff",
        'boundary="; charset="',
        "; ; =; boundary",
    ],
)
def test_parameters_that_make_no_sense(parameters: str) -> None:
    """A broken parameter loses only its own value."""
    mail = parse(HEAD + f"Subject: Hi\r\nContent-Type: multipart/mixed; {parameters}\r\n\r\nHello".encode())

    assert mail.subject == "Hi"
    assert "Hello" in (mail.body, *(attachment.content.decode() for attachment in mail.attachments))


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"To: " + b"(" * 300_000,
        HEAD + b"To: " + b"<" * 300_000,
        HEAD + b"To: " + b'"\\' * 200_000,
        HEAD + b"Subject: " + b"=?utf-8?q?" * 40_000,
        HEAD + b"Content-Type: text/plain" + b'; a="\\' * 60_000,
        HEAD + b"Content-Type: text/plain" + b"; a*1*=%" * 60_000,
        HEAD + b"X: y\r\n" * 60_000,
        HEAD + b"X:" + b"\r\n y" * 100_000,
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 900,
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b " * 200_000,
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * 300_000,
        HEAD + b"\r\n" + b"\r" * 500_000,
        HEAD + b"To: " + b"(" * 200_000 + b")" * 200_000,
        HEAD + b"To: " + b"[" * 400_000,
        HEAD + b"Subject: " + b"=?utf-8?b?" * 40_000 + b"?=",
        HEAD + b"Subject: " + b"=?utf-8?q?a?= =?latin1?q?a?= " * 15_000,
        HEAD + b"Content-Type: text/plain; " + b"a" * 400_000,
        HEAD + b"Content-Type: text/plain; " + b"a " * 200_000,
        HEAD + b"Content-Type: text/plain; " + b" " * 400_000 + b'"',
        HEAD + b"junk\r\n" * 70_000 + b"\r\nHello",
        HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"= \t" * 300_000,
        HEAD + b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n" + b"~\r\n" * 100_000,
    ],
    ids=lambda raw: raw[len(HEAD) :][:40].decode("ascii", "replace"),
)
def test_hostile_input_is_read_in_seconds(raw: bytes) -> None:
    """Half a megabyte of repeated unfinished syntax is read within seconds."""
    assert parse(raw).sender.address == "ada@example.com"  # type: ignore[union-attr]
