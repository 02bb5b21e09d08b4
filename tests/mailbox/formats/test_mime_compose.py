"""Writing mail: round trips, independent readers, and protection against header injection."""

from __future__ import annotations

import email
import email.policy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.enums import Importance
from outlook_emulator.mailbox.formats.mime import parse
from outlook_emulator.mailbox.formats.mime_compose import compose
from outlook_emulator.mailbox.formats.mime_headers import OWN_HEADERS
from outlook_emulator.mailbox.message import Address, Attachment, Mail

ADA = Address("ada@example.com", "Ada Byron")
CHARLES = Address("charles@example.org", "Charles Babbage")


def again(mail: Mail) -> Mail:
    return parse(compose(mail))._replace(raw=None)


def _inline_first(attachment: Attachment) -> bool:
    return not attachment.is_inline


FULL = Mail(
    sender=ADA,
    to=(CHARLES, Address("luigi@example.org")),
    cc=(Address("renee@example.org", "Renée"),),
    reply_to=(Address("study@example.com", "Study, group"),),
    subject="Grüße — and a line that is long enough to be folded more than once on its way through the post",
    body='<p>Look: <img src="cid:plan"></p>\r\n<p>naïve</p>',
    is_html=True,
    importance=Importance.High,
    sent=1_770_091_506_000_000,
    message_id="<full@example.com>",
    in_reply_to="<before@example.com>",
    references=("<first@example.com>", "<before@example.com>"),
    headers=(("X-Mood", "curious"), ("X-Motto", "être")),
    attachments=(
        Attachment("plan.png", b"\x89PNG", "image/png", is_inline=True, content_id="plan"),
        Attachment("réunion.csv", b"a,b\n", "text/csv"),
        Attachment("Old.eml", b"Subject: Old\r\n\r\nHi\r\n", "message/rfc822"),
    ),
)


def test_a_full_mail_round_trips() -> None:
    """Every field of a mail survives being written and read."""
    assert again(FULL) == FULL


def test_the_standard_library_reads_what_is_written() -> None:
    """The standard library reads the same headers, both bodies and all attachments."""
    message = email.message_from_bytes(compose(FULL), policy=email.policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    related = [part.get_content_type() for part in message.walk()]

    assert FULL.subject == message["Subject"]
    assert message["From"] == "Ada Byron <ada@example.com>"
    assert (message["Date"], message["X-Priority"]) == ("Tue, 03 Feb 2026 04:05:06 +0000", "1")
    assert plain is not None
    assert plain.get_content().splitlines() == ["Look:", "naïve"]
    assert html is not None
    assert FULL.body.splitlines() == html.get_content().splitlines()
    assert [part.get_filename() for part in message.iter_attachments()] == ["réunion.csv", "Old.eml"]
    assert related[:3] == ["multipart/mixed", "multipart/related", "multipart/alternative"]
    assert [defect for part in message.walk() for defect in part.defects] == []


def test_equal_mails_give_equal_bytes() -> None:
    """Equal mails give equal bytes; different content gives a different boundary."""
    other = FULL._replace(body="<p>Other</p>")

    assert compose(FULL) == compose(FULL._replace())
    assert set(re.findall(rb"boundary=\S+", compose(FULL))).isdisjoint(re.findall(rb"boundary=\S+", compose(other)))


def test_lines_are_short_and_end_in_crlf() -> None:
    """Lines stay within SMTP's limit, and none contains a bare line feed or carriage return."""
    lines = compose(FULL._replace(body="<p>" + "word " * 5000 + "</p>\n\rend", subject="x" * 5000)).split(b"\r\n")

    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)


def test_bcc_is_written_only_when_there_is_one() -> None:
    """A Bcc header is written only if the mail has blind copies."""
    assert b"Bcc" not in compose(FULL)
    assert b'Bcc: "Charles Babbage" <charles@example.org>\r\n' in compose(FULL._replace(bcc=(CHARLES,)))


def test_what_only_looks_like_a_nested_mail() -> None:
    """An attachment with a mail's type but invalid content is written as plain bytes."""
    mail = Mail(attachments=(Attachment("x.eml", b"\x00not a mail", "message/rfc822"),))

    assert (Attachment("x.eml", b"\x00not a mail", "application/octet-stream"),) == again(mail).attachments


EVIL = "x\r\nBcc: thief@example.org\r\n\r\n<script>"


@pytest.mark.parametrize(
    "mail",
    [
        Mail(subject=EVIL),
        Mail(sender=Address("ada@example.com", EVIL)),
        Mail(to=(Address(EVIL, "Ada"),)),
        Mail(message_id=EVIL),
        Mail(in_reply_to=EVIL),
        Mail(references=(EVIL,)),
        Mail(headers=(("X-Note", EVIL),)),
        Mail(headers=((EVIL, "note"),)),
        Mail(headers=(("Bcc", "thief@example.org"), ("Content-Type", "text/html"), ("MIME-Version", "2"))),
        Mail(attachments=(Attachment(EVIL, b"", EVIL, content_id=EVIL),)),
    ],
)
def test_no_value_adds_a_header(mail: Mail) -> None:
    """Line ends in any field can neither add a header nor end the headers."""
    message = email.message_from_bytes(compose(mail), policy=email.policy.compat32)

    assert [part["Bcc"] for part in message.walk() if "Bcc" in part] == []
    assert str(message.keys()).count("Content-Type") == 1
    assert not any("<script>" in str(part.get_payload()) for part in message.walk() if not part.is_multipart())


def test_an_address_beyond_ascii() -> None:
    """A non-ASCII address is written as UTF-8, because no ASCII encoding exists for it."""
    mail = Mail(to=(Address("josé@example.org", "José"), ADA))

    assert "<josé@example.org>".encode() in compose(mail)
    assert mail == again(mail)


@pytest.mark.parametrize(
    "words", ['"', "a\\", "a;b, c\\", "=?utf-8?q?x?=", 'Zoë "Z" (x) <y>', "a@b: c;", "<a>", "x" * 2000]
)
def test_words_that_look_like_syntax(words: str) -> None:
    """Names and subjects that look like header syntax survive a round trip."""
    file = Attachment(words.replace("=?", "?"), b"")
    mail = Mail(sender=Address("ada@example.com", words), to=(ADA,), subject=words, attachments=(file,))

    assert mail == again(mail)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120).map(str.strip)
LINES = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n =.-"), max_size=300).map(
    lambda text: re.sub(r"\r\n|\r|\n", "\r\n", text)
)
IDS = st.from_regex(r"<[a-z0-9.]{1,40}@example\.com>", fullmatch=True)
PEOPLE = st.builds(Address, st.emails() | st.from_regex(r"[a-z0-9.+'-]{1,30}@example\.org", fullmatch=True), WORDS)
ADDRESSES = st.lists(PEOPLE, max_size=3).map(tuple)
HEADERS = st.tuples(st.from_regex(r"X-[A-Za-z0-9-]{1,20}", fullmatch=True), WORDS).filter(
    lambda header: header[0].lower() not in OWN_HEADERS
)
ATTACHMENTS = st.builds(
    Attachment,
    name=WORDS.filter(bool),
    content=st.binary(max_size=200),
    content_type=st.sampled_from(["image/png", "text/plain", "text/html", "text/calendar", "application/octet-stream"]),
    is_inline=st.booleans(),
    content_id=st.none() | st.from_regex(r"[a-z0-9]{1,8}@example", fullmatch=True),
)
MAILS = st.builds(
    Mail,
    sender=st.none() | PEOPLE,
    to=ADDRESSES,
    cc=ADDRESSES,
    bcc=ADDRESSES,
    reply_to=ADDRESSES,
    subject=WORDS,
    body=LINES,
    is_html=st.booleans(),
    importance=st.sampled_from(Importance),
    sent=st.none() | st.integers(0, 4_102_444_800).map(lambda second: second * 1_000_000),
    message_id=st.none() | IDS,
    in_reply_to=st.none() | IDS,
    references=st.lists(IDS, max_size=4).map(tuple),
    headers=st.lists(HEADERS, max_size=3).map(tuple),
    attachments=st.lists(ATTACHMENTS, max_size=3).map(lambda some: tuple(sorted(some, key=_inline_first))),
    is_encrypted=st.just(False),
    raw=st.none(),
)


@pytest.mark.slow
@settings(deadline=None)
@given(MAILS)
def test_any_mail_round_trips(mail: Mail) -> None:
    """Any mail survives being written and read, with any characters."""
    assert mail == again(mail)


@pytest.mark.slow
@settings(deadline=None)
@given(MAILS)
def test_what_is_written_is_seven_bit_and_well_formed(mail: Mail) -> None:
    """A written mail is ASCII without bare line ends, and the standard library finds no defects."""
    raw = compose(mail)
    message = email.message_from_bytes(raw, policy=email.policy.compat32)

    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert [defect for part in message.walk() for defect in part.defects] == []


def test_a_long_text_is_base64() -> None:
    """A text above 64 K characters is written as base64, which is quick, and reads back as it was."""
    mail = FULL._replace(body="<p>naïve</p>\r\n" * 10_000)
    written = compose(mail)

    assert b"Content-Transfer-Encoding: base64" in written.partition(b"text/html")[2][:200]
    assert again(mail).body == mail.body
