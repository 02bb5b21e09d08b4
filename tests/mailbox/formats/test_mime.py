"""Mail as bytes: reading real mail, writing, and round trips."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.mailbox.formats.mime import parse
from outlook_emulator.mailbox.formats.mime_compose import compose
from outlook_emulator.mailbox.message import Address, Mail
from tests.paths import EML

ADA = Address("ada@example.com", "Ada Byron")
CHARLES = Address("charles@example.org", "Charles Babbage")
HEAD = b"From: ada@example.com\r\n"


def shape(name: str) -> Mail:
    return parse((EML / f"{name}.eml").read_bytes())


def with_body(content_type: str, body: str | bytes, *headers: str) -> Mail:
    lines = "".join(f"{line}\r\n" for line in (f"Content-Type: {content_type}", *headers))
    return parse(HEAD + lines.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body))


def again(mail: Mail) -> Mail:
    return parse(compose(mail))._replace(raw=None)


def files(mail: Mail) -> list[tuple[str, str, bool]]:
    return [(attachment.name, attachment.content_type, attachment.is_inline) for attachment in mail.attachments]


def utc(*parts: int) -> int:
    return microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


# Shapes


def test_plain() -> None:
    """A plain mail sets every field; its time is in UTC and its other headers are unfolded in order."""
    mail = shape("plain")

    assert (mail.sender, mail.to) == (CHARLES, (ADA,))
    assert (mail.subject, mail.message_id) == ("The kettle on the third floor", "<kettle-1@example.org>")
    assert utc(2026, 1, 12, 8, 2, 9) == mail.sent
    assert mail.body.startswith("Ada,\r\n\r\nsomebody has descaled the kettle")
    assert [(name, value[:21]) for name, value in mail.headers] == [("Received", "from mail.example.org")]
    assert (mail.is_html, mail.is_encrypted, mail.attachments) == (False, False, ())
    assert (EML / "plain.eml").read_bytes() == mail.raw


def test_html_only() -> None:
    """An HTML body is decoded with its charset and kept unchanged."""
    mail = shape("html-only")

    assert mail.is_html
    assert "<td>Crêpes with spinach</td><td>€5.40</td>" in mail.body
    assert Address("canteen@example.org", "Canteen, Ground Floor") == mail.sender


def test_alternative() -> None:
    """With an HTML and a text version, HTML becomes the body and the text is not an attachment."""
    mail = shape("alternative")

    assert mail.is_html
    assert "Bring the <b>third</b> chapter" in mail.body
    assert mail.attachments == ()
    assert (CHARLES, Address("luigi@example.org", "Menabrea, Luigi")) == mail.cc
    assert (Address("study@example.com", "Study group"),) == mail.reply_to


def test_inline_image() -> None:
    """An image used by the body is inline, with its Content-ID without brackets."""
    mail = shape("inline-image")
    image = mail.attachments[0]

    assert files(mail) == [("plan.png", "image/png", True)]
    assert image.content_id == "plan@example.org"
    assert image.content.startswith(b"\x89PNG\r\n")
    assert f"cid:{image.content_id}" in mail.body


def test_attachments() -> None:
    """Attachments keep their names, types and exact content; an attached text does not become the body."""
    mail = shape("attachments")

    assert files(mail) == [("Invoice 2026-018.pdf", "application/pdf", False), ("hours.csv", "text/csv", False)]
    assert mail.attachments[0].content.endswith(b"%%EOF\n")
    assert mail.attachments[1].content[:33] == b"day,who,hours\r\n2026-01-20,Luigi,6"
    assert mail.body.startswith("Dear Ms Byron,")


def test_forwarded_message() -> None:
    """A mail inside a mail is an attachment named after its subject, and it can be parsed itself."""
    mail = shape("forwarded-message")
    nested = parse(mail.attachments[0].content)

    assert files(mail) == [("Lost umbrella.eml", "message/rfc822", False)]
    assert nested.message_id == "<umbrella-1@example.org>"
    assert Address("lodge@example.org", "Porter's Lodge") == nested.sender
    assert (nested.is_html, nested.attachments) == (True, ())
    assert nested.body == ("<p>A black umbrella was left in the reading room. It is <i>still</i> dripping.</p>\r\n")
    assert mail.body == "Is this one yours? I recognise the ink stains.\r\n"


def test_latin_1() -> None:
    """Latin-1 in quoted-printable is read, in body, subject and names."""
    mail = shape("latin-1")

    assert ("Café mañana", Address("jose@example.org", "José Muñoz")) == (mail.subject, mail.sender)
    assert "¿tomamos un café mañana a las once? Invito yo, que la última vez pagaste tú" in mail.body


def test_iso_2022_jp() -> None:
    """ISO-2022-JP is read in body, subject and names."""
    mail = shape("iso-2022-jp")

    assert ("会議室の変更", Address("hanako@example.org", "山田花子")) == (mail.subject, mail.sender)
    assert "二階は猫が会議中です。" in mail.body


def test_encoded_names() -> None:
    """Encoded words, RFC 2231 file names, groups and commas in names are all read; a nameless image gets a name."""
    mail = shape("encoded-names")
    names = ["fête d'hiver – gâteau.png", "gâteau.txt", "attachment-3.png"]

    assert mail.subject == "Les photos de la fête, et la recette du gâteau à la phénomènale chantilly 🎉"
    assert (Address("ada@example.com", "Byron, Ada ✨"),) == mail.to
    assert (Address("frederic@example.org", "Frédéric"), Address("luigi@example.org")) == mail.cc
    assert names == [attachment.name for attachment in mail.attachments]


def test_calendar_invite() -> None:
    """An invitation is attached as invite.ics while the HTML stays the body."""
    mail = shape("calendar-invite")

    assert files(mail) == [("invite.ics", "text/calendar", False)]
    assert b"METHOD:REQUEST" in mail.attachments[0].content
    assert mail.is_html


@pytest.mark.parametrize(
    ("name", "expected"),
    [("smime-encrypted", ["smime.p7m"]), ("pgp-encrypted", ["attachment-1.asc", "encrypted.asc"])],
)
def test_encrypted(name: str, expected: list[str]) -> None:
    """An encrypted mail is marked as such; its parts are attachments and its body is empty."""
    mail = shape(name)

    assert (True, "", expected) == (mail.is_encrypted, mail.body, [attachment.name for attachment in mail.attachments])


def test_signed() -> None:
    """A signed mail reads like any other, with the signature attached."""
    mail = shape("signed")

    assert mail.body == "The parcel may go to the side door. The dog has been told.\r\n"
    assert files(mail) == [("signature.asc", "application/pgp-signature", False)]
    assert not mail.is_encrypted


def test_high_importance() -> None:
    """X-Priority sets the importance and is not listed among the other headers."""
    mail = shape("high-importance")

    assert Importance.High == mail.importance
    assert mail.bcc == (ADA,)
    assert mail.headers == (("X-Mailer", "Facilities Desk 2.1"),)


def test_thread() -> None:
    """A reply keeps the id of its parent and of all earlier mails."""
    first, second, third = shape("thread-1"), shape("thread-2"), shape("thread-3")

    assert (first.in_reply_to, first.references) == (None, ())
    assert first.message_id == second.in_reply_to
    assert (first.message_id, second.message_id) == third.references


def test_missing_end_boundary() -> None:
    """A truncated mail gives its body and the received part of the attachment."""
    mail = shape("missing-end-boundary")

    assert files(mail) == [("scan-0042.png", "image/png", False)]
    assert mail.attachments[0].content.startswith(b"\x89PNG\r\n\x1a\n")
    assert mail.body.startswith("Your scan is attached.")


def test_flowed_list() -> None:
    """Flowed text keeps its soft line breaks, and list headers stay in order."""
    mail = shape("flowed-list")

    assert "anything but \r\ndiagonal stripes?" in mail.body
    assert [name for name, _ in mail.headers] == ["Sender", "List-Id", "List-Post", "Precedence"]


@pytest.mark.parametrize("path", sorted(EML.iterdir()), ids=lambda path: path.stem)
def test_every_shape_survives_being_written_anew(path: Path) -> None:
    """A mail written from its parsed fields parses to the same mail; with its original bytes it stays unchanged."""
    # A mail is written with CRLF, also the mail in it.
    raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    mail = parse(path.read_bytes())
    stripped = parse(raw)._replace(raw=None)

    assert path.read_bytes() == compose(mail)
    assert stripped == again(stripped)


# Reading details


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada@example.com", [("ada@example.com", "")]),
        ("<ada@example.com>", [("ada@example.com", "")]),
        ("Ada Byron <ada@example.com>", [("ada@example.com", "Ada Byron")]),
        ('"Byron, Ada \\"Countess\\"" <ada@example.com>', [("ada@example.com", 'Byron, Ada "Countess"')]),
        ("ada@example.com (Ada (the first) Byron)", [("ada@example.com", "Ada (the first) Byron")]),
        ('"odd name"@example.com', [('"odd name"@example.com', "")]),
        ("a@example.com; b@example.com", [("a@example.com", ""), ("b@example.com", "")]),
        (
            "Jury: a@example.com, B <b@example.com>;, c@example.com",
            [("a@example.com", ""), ("b@example.com", "B"), ("c@example.com", "")],
        ),
        ("undisclosed-recipients:;", []),
        ("<@relay.example.org:ada@example.com>", [("ada@example.com", "")]),
        ("=?utf-8?Q?Byron,_Ada?= <ada@example.com>", [("ada@example.com", "Byron, Ada")]),
        ('"=?utf-8?B?QcOnYQ==?=" <ada@example.com>', [("ada@example.com", "Aça")]),
        ("Aça <ada@example.com>", [("ada@example.com", "Aça")]),
        ("=?utf-8?Q?ada@example.com?= <ada@example.com>", [("ada@example.com", "ada@example.com")]),
        ("josé@example.com", [("josé@example.com", "")]),
        ('"unclosed <ada@example.com>', [("ada@example.com", "unclosed")]),
        (",,,", []),
    ],
)
def test_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    """Address headers are read in the forms that people and programs write."""
    people = parse(f"To: {value}\r\n\r\n".encode()).to

    assert expected == [tuple(person) for person in people]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Importance: high", "High"),
        ("Importance: LOW", "Low"),
        ("X-Priority: 2", "High"),
        ("X-Priority: 5 (Lowest)", "Low"),
        ("X-MSMail-Priority: High", "High"),
        ("Priority: non-urgent", "Low"),
        ("Importance: loud\r\nX-Priority: 1", "High"),
        ("X-Priority: none", "Normal"),
    ],
)
def test_importance(header: str, expected: str) -> None:
    """The first importance header with a valid value sets the importance."""
    assert Importance[expected] == parse(HEAD + header.encode() + b"\r\n\r\n").importance


@pytest.mark.parametrize(
    ("charset", "data", "expected"),
    [
        ("utf-8", "naïve".encode(), "naïve"),
        ("utf-8", "naïve".encode("latin-1"), "naïve"),
        ("us-ascii", "naïve".encode(), "naïve"),
        ("iso-8859-1", "“naïve”".encode("cp1252"), "“naïve”"),
        ("gb2312", "朱镕基".encode("gb18030"), "朱镕基"),
        ("no-such-charset", "naïve".encode(), "naïve"),
        ("base64", b"naive", "naive"),
        ("unicode_escape", b"\\d", "\\d"),
        ("utf-8", "ééééééééééé".encode()[:-1], "éééééééééé\ufffd"),
        ("utf-8", b"\x81\x8d", "\x81\x8d"),
        ("utf-7", b"+2AA-", "?"),
    ],
)
def test_charsets(charset: str, data: bytes, expected: str) -> None:
    """Text is decoded with its charset; wrong or unknown charsets still give readable text."""
    assert expected == with_body(f"text/plain; charset={charset}", data).body


def test_split_characters_in_encoded_words() -> None:
    """A character that is split across two encoded words is joined again."""
    first, second = (b64encode(part).decode() for part in (b"Gru" + b"\xc3", b"\x9fe"))
    mail = parse(f"Subject: =?utf-8?B?{first}?=\r\n =?utf-8?B?{second}?= an alle\r\n\r\n".encode())

    assert mail.subject == "Gruße an alle"


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 +9999", "0", "Thu, 1 Jan 99999 0:0"])
def test_unreadable_dates(date: str) -> None:
    """An invalid date is read as no date."""
    assert parse(HEAD + f"Date: {date}\r\n\r\n".encode()).sent is None


def test_line_ends_and_leading_lines() -> None:
    """Bare line feeds, an mbox line and blank lines before the headers are accepted."""
    mail = parse(b"\n\nFrom ada Mon Jan 12 2026\nSubject: two\n  lines\n\none\ntwo\rthree\r\n")

    assert (mail.subject, mail.body) == ("two  lines", "one\r\ntwo\r\nthree\r\n")


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_headers_beyond_ascii(charset: str) -> None:
    """Headers and file names with unencoded non-ASCII characters are read."""
    file = "--b\r\nContent-Disposition: attachment; filename=fête.csv\r\n\r\na,b\r\n--b--\r\n"
    mail = parse(f"Subject: Fête\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{file}".encode(charset))

    assert ("Fête", "fête.csv") == (mail.subject, mail.attachments[0].name)


def test_a_nested_mail_keeps_its_headers() -> None:
    """A nested mail keeps its folded headers, and its non-ASCII bytes keep their meaning."""
    nested = "Subject: Fête\r\n à deux\r\nX-Long: " + "word " * 50 + "end\r\n\r\nça va\r\n"

    assert with_body("message/rfc822", nested).attachments[0].content == nested.encode()


def test_delivery_status() -> None:
    """A bounce's delivery report is attached with all its blocks."""
    report = b"Reporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; x@example.org\r\nAction: failed\r\n"
    mail = with_body("message/delivery-status", report)

    assert files(mail) == [("attachment-1.txt", "message/delivery-status", False)]
    assert mail.attachments[0].content.split() == report.split()
    assert again(mail := mail._replace(raw=None)) == mail


@pytest.mark.parametrize("disposition", ["inline", "attachment"])
def test_content_id_alone_does_not_make_an_attachment_inline(disposition: str) -> None:
    """An attachment with a Content-ID is inline only if its disposition says so."""
    part = f"Content-Type: image/gif\r\nContent-Disposition: {disposition}\r\nContent-ID: <g>\r\n\r\nGIF89a\r\n"
    mail = with_body("multipart/mixed; boundary=b", f"--b\r\n\r\nHi\r\n--b\r\n{part}--b--\r\n")

    assert [("attachment-1.gif", "image/gif", disposition == "inline")] == files(mail)
    assert mail.body == "Hi"


def test_further_texts_are_attachments() -> None:
    """Further text parts, such as a mailing list's footer, become attachments."""
    footer = "--b\r\nContent-Type: text/plain\r\n\r\nYou joined looms."
    mail = with_body("multipart/mixed; boundary=b", f"--b\r\n\r\nHi\r\n{footer}\r\n--b--\r\n")

    assert (mail.body, files(mail)) == ("Hi", [("attachment-1.txt", "text/plain", False)])


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", True),
        ('application/x-pkcs7-mime; name="smime.p7m"', True),
        ('application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"', False),
        ("application/x-microsoft-rpmsg-message", True),
        ('application/octet-stream; name="message.rpmsg"', True),
        ('application/octet-stream; name="report.zip"', False),
    ],
)
def test_what_counts_as_encrypted(content_type: str, expected: bool) -> None:
    """Enveloped S/MIME and protected Office mail are encrypted; an opaque signature is not."""
    assert expected == with_body(content_type, "MIAG", "Content-Transfer-Encoding: base64").is_encrypted


def test_broken_base64_gives_what_is_sound() -> None:
    """Invalid characters in base64 are skipped and missing padding is added."""
    mail = with_body("image/png", "aGVsbG8!!gd29y\r\nbGQ*", "Content-Transfer-Encoding: base64")

    assert mail.attachments[0].content == b"hello world"


@pytest.mark.parametrize(
    "content_type", ["multipart/mixed", "multipart/mixed; boundary=b", 'multipart/mixed; boundary="']
)
def test_a_multipart_without_parts_is_text(content_type: str) -> None:
    """A multipart without boundaries is read as text."""
    assert with_body(content_type, "--a\r\nHi").body == "--a\r\nHi"
