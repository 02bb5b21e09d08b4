"""Mails and two other readers: Python's email package, and `fast-mail-parser`, which is written in Rust."""

from __future__ import annotations

import email
import email.policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from typing import Any, NamedTuple

import fast_mail_parser
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outlook_emulator.mailbox.formats.mime import parse
from outlook_emulator.mailbox.formats.mime_compose import compose
from outlook_emulator.mailbox.message import Address, Attachment, Mail

# Letters that each charset has, as mail in it uses them.
LETTERS = {
    "utf-8": "naïve ✓ 日本 🎉",
    "iso-8859-1": "naïve Müller ß",
    "windows-1252": "“naïve” 5 € –",
    "iso-8859-2": "Žluťoučký kůň",
    "windows-1251": "Привет, мир",
    "koi8-r": "Привет, мир",
    "iso-2022-jp": "こんにちは世界 abc",
    "shift_jis": "こんにちは世界 ｱｲｳ",
    "euc-jp": "こんにちは世界 abc",
    "gb2312": "你好，世界 abc",
    "gb18030": "你好，世界 朱镕基",
    "big5": "你好，世界 這裡",
    "euc-kr": "안녕하세요 세계",
    "windows-1255": "שלום עולם",
    "windows-1256": "مرحبا بالعالم",
    "utf-7": "naïve ✓",
}


Files = list[tuple[str | None, str, bytes]]


class Summary(NamedTuple):
    """What a reader finds in a mail."""

    sender: tuple[str, str]
    to: list[tuple[str, str]]
    subject: str
    body: str
    is_html: bool
    files: Files


def ours(raw: bytes) -> Summary:
    mail = parse(raw)
    assert mail.sender is not None
    files: Files = [(attachment.name, attachment.content_type, attachment.content) for attachment in mail.attachments]
    to = [(person.address, person.name) for person in mail.to]
    return Summary((mail.sender.address, mail.sender.name), to, mail.subject, mail.body.strip(), mail.is_html, files)


def pythons(raw: bytes) -> Summary:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    people = {
        name: [(person.addr_spec, person.display_name) for person in message[name].addresses] for name in ("From", "To")
    }
    body: Any = message.get_body(("html", "plain"))
    files = [(part.get_filename(), part.get_content_type(), content_of(part)) for part in message.iter_attachments()]
    text = body.get_payload(decode=True).decode(body.get_content_charset("ascii"))
    is_html = body.get_content_type() == "text/html"
    return Summary(people["From"][0], people["To"], message["Subject"], text.strip(), is_html, files)


def content_of(part: Any) -> bytes:
    content: bytes = part.get_payload(decode=True)
    return content


def rusts(raw: bytes) -> Summary:
    mail = fast_mail_parser.parse_email(raw)
    assert mail.from_ is not None
    people = [(person.address, person.display_name or "") for person in (mail.from_, *mail.to)]
    files: Files = [(file.filename, file.mimetype, bytes(file.content)) for file in mail.attachments]
    body = (mail.text_html or mail.text_plain)[0]
    return Summary(people[0], people[1:], mail.subject, body.strip(), bool(mail.text_html), files)


WORDS = st.lists(
    st.sampled_from(["Ann", "Bee, C.", "naïve", "日本語", '"x"', "(y)", "🎉", "a@b.test"]), min_size=1, max_size=4
)
TEXTS = WORDS.map(" ".join)
PEOPLE = st.tuples(st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9})?@[a-z]{1,9}\.test", fullmatch=True), TEXTS | st.just(""))
CHARSETS = st.sampled_from(sorted(LETTERS))
FILES = st.tuples(
    st.from_regex(r"[a-zé日]{1,9}\.bin", fullmatch=True), st.binary(min_size=1, max_size=99)
)  # fmt: skip


@st.composite
def written_mails(draw: st.DrawFn) -> tuple[EmailMessage, str]:
    """A mail that Python's email package writes, and the text of its body."""
    message = EmailMessage(policy=email.policy.SMTP)
    (sender, *to) = draw(st.lists(PEOPLE, min_size=2, max_size=4))
    message["From"] = HeaderAddress(sender[1], addr_spec=sender[0])
    message["To"] = [HeaderAddress(name, addr_spec=address) for address, name in to]
    message["Subject"] = draw(TEXTS)
    charset = draw(CHARSETS)
    words = draw(st.lists(st.sampled_from(LETTERS[charset].split()), min_size=1, max_size=30))
    text = "\r\n".join(words) if draw(st.booleans()) else " ".join(words)
    encoding = draw(st.sampled_from(["base64", "quoted-printable"]))
    message.set_content(text.encode(charset), "text", "plain", cte=encoding, params={"charset": charset})
    for name, content in draw(st.lists(FILES, max_size=3)):
        message.add_attachment(content, "application", "octet-stream", filename=name)
    return message, text


@pytest.mark.slow
@settings(deadline=None)
@given(written_mails())
def test_mails_that_another_program_writes(mail: tuple[EmailMessage, str]) -> None:
    """What Python's email package writes is read as it is read by that package, in every charset."""
    message, text = mail
    raw = message.as_bytes()
    # Some versions of Python encode a comma between addresses where they fold, and then read two addresses as one.
    assume(len(pythons(raw).to) == len(message["To"].addresses))

    assert without_blanks(ours(raw)) == without_blanks(pythons(raw)._replace(body=text.strip()))


def without_blanks(summary: Summary) -> Summary:
    """A summary without the blanks in names: Python adds some where it folds between two encoded words."""
    (sender, *to) = ((address, name.replace(" ", "")) for address, name in (summary.sender, *summary.to))
    return summary._replace(sender=sender, to=to, subject=summary.subject.replace(" ", ""))


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    """A mail as callers send it."""
    (sender, *to) = (Address(*person) for person in draw(st.lists(PEOPLE, min_size=2, max_size=4)))
    files = draw(st.lists(FILES, max_size=3))
    return Mail(
        sender=sender,
        to=tuple(to),
        subject=draw(TEXTS),
        body=draw(TEXTS),
        is_html=draw(st.booleans()),
        attachments=tuple(Attachment(name, content) for name, content in files),
    )


@pytest.mark.slow
@settings(deadline=None)
@given(mails())
def test_mails_that_the_emulator_writes(mail: Mail) -> None:
    """What the emulator writes is read alike by three readers: headers, addresses, bodies and attachments."""
    raw = compose(mail)

    assert ours(raw) == pythons(raw) == rusts(raw)


@pytest.mark.parametrize("charset", sorted(LETTERS))
def test_charsets_as_another_reader_reads_them(charset: str) -> None:
    """Body and subject in each charset are read as the Rust reader reads them, which has the decoders of browsers."""
    word = LETTERS[charset].replace(" ", "")
    message = EmailMessage()
    message["From"], message["To"] = "ann@x.test", "bob@x.test"
    message.set_content(word.encode(charset), "text", "plain", cte="base64", params={"charset": charset})
    raw = message.as_bytes()

    assert (ours(raw).body, rusts(raw).body.strip() if charset != "utf-7" else word) == (word, word)
