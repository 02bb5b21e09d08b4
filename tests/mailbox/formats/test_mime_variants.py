"""Odd forms of real mails, several of each kind: headers, addresses, bodies, encodings and structure."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.formats.mime import parse, parse_lenient
from outlook_emulator.mailbox.message import Mail

FROM = "From: ann@example.com\r\n"


def headers_of(text: str) -> tuple[str, str, str]:
    """Sender, subject and body of a mail."""
    mail = parse(text.replace("\n", "\r\n").encode())
    return mail.sender.address if mail.sender else "", mail.subject, mail.body.strip()


@pytest.mark.parametrize(
    "text",
    [
        "From: a@x.test\nSubject: S\n\nHello",
        "From : a@x.test\nSubject\t: S\n\nHello",
        "From:a@x.test\nSubject:S\n\nHello",
        "FROM: a@x.test\nsubject: S\n\nHello",
        "Received: by a\nwith SMTP; today\nFrom: a@x.test\nSubject: S\n\nHello",
        "Received: by a\nby b.example with ESMTP; Wed, 4 Mar 2026 10:15:00\nFrom: a@x.test\nSubject: S\n\nHello",
        "From: a@x.test\n(some junk)\n folded junk\nSubject: S\n\nHello",
        "From: a@x.test\n: no name\nSubject: S\n\nHello",
        "From: a@x.test\nTwo words: x\nSubject: S\n\nHello",
        "From: a@x.test\nÜmlaut: x\nSubject: S\n\nHello",
        "From: a@x.test\n\x00\x01\nSubject: S\n\nHello",
        "From: a@x.test\n<b>pasted</b>\nSubject: S\n\nHello",
        "From: a@x.test\n \nSubject: S\n\nHello",
        "From: a@x.test\n \n\tx\nSubject: S\n\nHello",
        "From a@x.test Wed Mar  4 10:15:00 2026\nFrom: a@x.test\nSubject: S\n\nHello",
        ">From a@x.test Wed Mar  4 10:15:00 2026\nFrom: a@x.test\nSubject: S\n\nHello",
        "Pasted from the browser\nFrom: a@x.test\nSubject: S\n\nHello",
        "\n\n \nFrom: a@x.test\nSubject: S\n\nHello",
        "From: a@x.test\nSubject: S\nHello",
        "From: a@x.test\nSubject: S\n \nHello",
        "From: a@x.test\nSubject: S\nlost fold\n\nHello",
        "From: a@x.test\nSubject: S\nX: y\r\n\nHello",
        "From: a@x.test\nFrom: b@x.test\nSubject: S\nSubject: T\n\nHello",
        "From: a@x.test\nSubject:\n S\n\nHello",
        "Date: x\nFrom: a@x.test\nSubject: =?utf-8?Q?S?=\n\nHello",
    ],
)
def test_odd_header_lines(text: str) -> None:
    """An odd line costs itself: sender, subject and body are read."""
    assert headers_of(text) == ("a@x.test", "S", "Hello")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\r\r\n"])
def test_line_ends(ending: str) -> None:
    """Headers, parts and bodies are read with every kind of line end that programs write."""
    lines = ["From: a@x.test", "Subject: S", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "Hello", "--b"]
    lines += ["Content-Type: text/plain; name=a.txt", "Content-Disposition: attachment", "", "file", "--b--", ""]
    mail = parse(ending.join(lines).encode())

    assert (mail.subject, mail.body) == ("S", "Hello")
    assert [(attachment.name, attachment.content) for attachment in mail.attachments] == [("a.txt", b"file")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_files_saved_by_editors(codec: str) -> None:
    """A mail that an editor saved with a byte order mark, or as UTF-16 without one, is read."""
    assert parse("Subject: Grüße\r\n\r\nÄ".encode(codec)).subject == "Grüße"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sales@example.com <robot@example.net>", [("robot@example.net", "sales@example.com")]),
        ('"sales@example.com" <robot@example.net>', [("robot@example.net", "sales@example.com")]),
        ("'sales@example.com' <robot@example.net>", [("robot@example.net", "'sales@example.com'")]),
        ("=?utf-8?Q?sales=40example.com?= <robot@example.net>", [("robot@example.net", "sales@example.com")]),
        ("Bob@Work <bob@x.test>, eve@x.test", [("bob@x.test", "Bob@Work"), ("eve@x.test", "")]),
        ("Ann via a@b.test <r@x.test>, Bob <b@x.test>", [("r@x.test", "Ann via a@b.test"), ("b@x.test", "Bob")]),
        ("a@b.test, c@d.test <r@x.test>", [("a@b.test", ""), ("r@x.test", "c@d.test")]),
        ("<<ann@x.test>>", [("ann@x.test", "")]),
        ("Ann <ann@x.test", [("ann@x.test", "Ann")]),
        ("Ann <ann@x.test, Bob <bob@x.test>", [("ann@x.test", "Ann"), ("bob@x.test", "Bob")]),
        ("Ann ann@x.test>", [("ann@x.test", "Ann")]),
        ("Ann Bee ann@x.test", [("ann@x.test", "Ann Bee")]),
        ("ann@x.test Ann Bee", [("ann@x.test", "Ann Bee")]),
        ('"Bee, Ann" ann@x.test', [("ann@x.test", "Bee, Ann")]),
        ("Ann Bee ann@x.test, Bob bob@x.test", [("ann@x.test", "Ann Bee"), ("bob@x.test", "Bob")]),
        ("Ann [ann@x.test]", [("ann@x.test", "Ann")]),
        ("Ann [mailto:ann@x.test]", [("ann@x.test", "Ann")]),
        ("Ann (ann@x.test)", [("ann@x.test", "Ann")]),
        ("Ann <mailto:ann@x.test>", [("ann@x.test", "Ann")]),
        ("<SMTP:ann@x.test>", [("ann@x.test", "")]),
        ("mailto:ann@x.test", [("ann@x.test", "")]),
        ("'ann@x.test'", [("ann@x.test", "")]),
        ('"ann@x.test"', [("ann@x.test", "")]),
        ('"Ann <ann@x.test>"', [("ann@x.test", "Ann")]),
        ("=?utf-8?B?QW5uIDxhbm5AeC50ZXN0Pg==?=", [("ann@x.test", "Ann")]),
        ("=?utf-8?Q?ann=40x.test?=", [("ann@x.test", "")]),
        ("< ann@x.test >", [("ann@x.test", "")]),
        ("<ann @ x.test>", [("ann@x.test", "")]),
        ("ann @ x.test", [("ann@x.test", "")]),
        ("ann(Ann)@x.test", [("ann@x.test", "Ann")]),
        ("<ann(private)@x.test(host)>", [("ann@x.test", "")]),
        ("Bee, Ann <ann@x.test>", [("ann@x.test", "Bee, Ann")]),
        ("Bee, Ann <ann@x.test>; Dee, Bob <bob@x.test>", [("ann@x.test", "Bee, Ann"), ("bob@x.test", "Dee, Bob")]),
        ("Ann <ann@x.test>, , <bob@x.test>,", [("ann@x.test", "Ann"), ("bob@x.test", "")]),
        ("Ann <ann@x.test> Bob <bob@x.test>", [("ann@x.test", "Ann"), ("bob@x.test", "Bob")]),
        ("<ann@x.test, bob@x.test>", [("ann@x.test", ""), ("bob@x.test", "")]),
        ("<ann@x.test> (Ann)", [("ann@x.test", "Ann")]),
        ("<ann@x.test> Ann", [("ann@x.test", "Ann")]),
        ("Ann <Bee> <ann@x.test>", [("ann@x.test", "Ann <Bee>")]),
        ("MAILER-DAEMON <>", [("MAILER-DAEMON", "")]),
        ("Mail Delivery System <>", [("Mail Delivery System", "")]),
        ('"Mail; System" <>', [("Mail System", "")]),
        ("MAILER-DAEMON", [("MAILER-DAEMON", "")]),
        ("<MAILER-DAEMON>", [("MAILER-DAEMON", "")]),
        ("<>", []),
        ("", []),
        ("(nobody)", []),
        ("undisclosed recipients: ;", []),
        ("Jury:ann@x.test;(the end)", [("ann@x.test", "")]),
        ('"A" "B" <ann@x.test>', [("ann@x.test", "A B")]),
        ('Ann "the boss" Bee <ann@x.test>', [("ann@x.test", "Ann the boss Bee")]),
        ("=?utf-8?Q?Bee?= =?utf-8?Q?=2C_Ann?= <ann@x.test>", [("ann@x.test", "Bee, Ann")]),
        ("=?utf-8?Q?Bee, Ann?= <ann@x.test>", [("ann@x.test", "Bee, Ann")]),
        ("=?utf-8?Q?Ann_(Sales)?= <ann@x.test>", [("ann@x.test", "Ann (Sales)")]),
        ("=?gb2312?B?xOO6ww==?= <ann@x.test>", [("ann@x.test", "你好")]),
        ("ann@[192.168.0.1]", [("ann@[192.168.0.1]", "")]),
        ("<ann@[IPv6:::1]>", [("ann@[IPv6:::1]", "")]),
        ('"a@b"@x.test', [('"a@b"@x.test', "")]),
        ("Ann <=?utf-8?Q?ann=40x.test?=>", [("ann@x.test", "Ann")]),
        ("ann@x.test\t\r\n", [("ann@x.test", "")]),
        ("@" * 400, [("@" * 400, "")]),
    ],
)
def test_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    """The address is what stands in brackets, and otherwise the word with an `@`; the rest is its name."""
    people = parse(f"Subject: S\r\nTo: {value}\r\n\r\n".encode()).to

    assert [tuple(person) for person in people] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?Q?Caf=C3=A9?=", "Café"),
        ("=?utf-8?q?Caf=c3=a9?=", "Café"),
        ("=?UTF-8*fr?Q?Caf=C3=A9?=", "Café"),
        ("=?utf-8?B?Q2Fmw6k?=", "Café"),
        ("=?utf-8?B?Q2Fm?= =?utf-8?B?w6k=?=", "Café"),
        ("=?utf-8?Q?Caf=C3?= =?utf-8?Q?=A9?=", "Café"),
        ("=?utf-8?Q?Caf=C3?= =?utf-8?B?qQ==?=", "Café"),
        ("=?utf-8?Q?Caf?= =?iso-8859-1?Q?=E9?=", "Café"),
        ("=?utf-8?Q?Caf=C3=A9?= and tea", "Café and tea"),
        ("The =?utf-8?Q?Caf=C3=A9?=", "The Café"),
        ("x=?utf-8?Q?Caf=C3=A9?=y", "xCaféy"),
        ("=?utf-8?Q?What??=", "What?"),
        ("=?utf-8?Q?A B?=", "A B"),
        ("=?utf-8?Q?broken =?utf-8?Q?whole?=", "=?utf-8?Q?broken whole"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q?abc", "=?utf-8?Q?abc"),
        ("=?no-such?Q?Caf=C3=A9?=", "Café"),
        ("=?utf-8?Q??=", ""),
        ("=?utf-8?Q?=0D=0AX:_y?=", "X: y"),
        ("100 % =? ?=", "100 % =? ?="),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    """Encoded words are decoded as far as they are ones."""
    assert parse(f"Subject: {value}\r\n\r\n".encode()).subject == expected


def test_raw_headers_in_the_charset_of_the_body() -> None:
    """Headers beyond ASCII that are not UTF-8 are read in the charset that the mail names for its body."""
    raw = "From: a@x.test\r\nSubject: Привет\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\nПривет".encode("koi8-r")

    assert (parse(raw).subject, parse(raw).body) == ("Привет", "Привет")


def content_of(kind: str, *parts: str) -> tuple[str, bool, list[tuple[str, bytes]]]:
    """Body, whether it is HTML, and the attachments of a mail with these parts."""
    inner = "".join(f"--b\n{part}\n" for part in parts)
    mail = parse(
        (FROM + f"Content-Type: multipart/{kind}; boundary=b\n\n{inner}--b--\n").replace("\n", "\r\n").encode()
    )
    return mail.body, mail.is_html, [(attachment.name, attachment.content) for attachment in mail.attachments]


PLAIN = "Content-Type: text/plain\n\nplain"
HTML = "Content-Type: text/html\n\n<p>rich</p>"
EMPTY = "Content-Type: text/plain\n\n"
EMPTY_HTML = "Content-Type: text/html\n\n<html><body> </body></html>"
GIF = "Content-Type: image/gif; name=a.gif\nContent-ID: <a>\n\nGIF"
FILE = "Content-Type: text/plain; name=f.txt\nContent-Disposition: attachment\n\nfile"
ALTERNATIVES = f"Content-Type: multipart/alternative; boundary=c\n\n--c\n{PLAIN}\n--c\n{HTML}\n--c--\n"
NO_PARTS = "Content-Type: multipart/alternative; boundary=c\n\n"
RELATED = f"Content-Type: multipart/related; boundary=c\n\n--c\n{HTML}\n--c\n{GIF}\n--c--\n"
# Some programs end such a mail with an empty page.
PAGES = f"Content-Type: multipart/mixed; boundary=c\n\n--c\n{HTML}\n--c\n{FILE}\n--c\n{EMPTY_HTML}\n--c--\n"
SAME_BOUNDARY = f"Content-Type: multipart/alternative; boundary=b\n\n--b\n{PLAIN}\n--b\n{HTML}\n--b--\n"


@pytest.mark.parametrize(
    ("kind", "parts", "body", "names"),
    [
        ("mixed", ["Content-Type: text/plain; name=p.txt\n\nHello", GIF], "Hello", ["a.gif"]),
        ("mixed", ["Content-Disposition: inline; filename=p.txt\n\nHello", GIF], "Hello", ["a.gif"]),
        ("mixed", ["Content-Type: text/html; name=p.html\n\n<p>Hello</p>"], "<p>Hello</p>", []),
        ("mixed", [GIF, PLAIN], "plain", ["a.gif"]),
        ("mixed", [FILE, PLAIN], "plain", ["f.txt"]),
        ("mixed", [FILE], "", ["f.txt"]),
        ("mixed", [EMPTY, PLAIN], "plain", []),
        ("mixed", [EMPTY, HTML, FILE], "<p>rich</p>", ["f.txt"]),
        ("mixed", [EMPTY], "", []),
        ("mixed", [NO_PARTS, PLAIN], "plain", []),
        ("mixed", [PLAIN, NO_PARTS], "plain", []),
        ("mixed", [f"{NO_PARTS}--c--\n", PLAIN], "plain", []),
        ("mixed", [ALTERNATIVES, FILE], "<p>rich</p>", ["f.txt"]),
        ("mixed", [SAME_BOUNDARY, FILE], "<p>rich</p>", ["f.txt"]),
        ("mixed", [PLAIN, EMPTY_HTML], "plain", []),
        ("mixed", ["Hello without headers"], "Hello without headers", []),
        ("mixed", ["\nHello"], "Hello", []),
        ("mixed", ["Content-Type: text/plain\nHello"], "Hello", []),
        ("mixed", ["junk line\nContent-Type: text/html\n\n<p>x</p>"], "<p>x</p>", []),
        ("mixed", ["Content-Type : text/html\n\n<p>x</p>"], "<p>x</p>", []),
        ("alternative", [PLAIN, HTML], "<p>rich</p>", []),
        ("alternative", [HTML, PLAIN], "<p>rich</p>", []),
        ("alternative", [PLAIN, EMPTY_HTML], "plain", []),
        ("alternative", [PLAIN, "Content-Type: text/html\n\n"], "plain", []),
        ("alternative", [EMPTY, HTML], "<p>rich</p>", []),
        ("alternative", [PLAIN, NO_PARTS], "plain", []),
        ("alternative", [PLAIN, 'Content-Type: text/html\n\n<img src="cid:a">'], '<img src="cid:a">', []),
        ("alternative", [PLAIN, RELATED], "<p>rich</p>", ["a.gif"]),
        ("alternative", [PLAIN, PAGES], "<p>rich</p>", ["f.txt"]),
        ("related", [HTML, GIF], "<p>rich</p>", ["a.gif"]),
        ("related", [GIF, HTML], "<p>rich</p>", ["a.gif"]),
        ("related; start=<h>", [GIF, f"Content-ID: <h>\n{HTML}"], "<p>rich</p>", ["a.gif"]),
        ("related; start=h", [GIF, f"Content-ID: <h>\n{HTML}"], "<p>rich</p>", ["a.gif"]),
        ('related; start="<h>"', [PLAIN, f"Content-ID: <h>\n{HTML}"], "<p>rich</p>", ["attachment-1.txt"]),
        ("related; start=<none>", [GIF, HTML], "<p>rich</p>", ["a.gif"]),
        ("related", [GIF, ALTERNATIVES], "<p>rich</p>", ["a.gif"]),
        ("digest", [f"\n{FROM}Subject: Inner\n\nHi"], "", ["Inner.eml"]),
    ],
)
def test_bodies(kind: str, parts: list[str], body: str, names: list[str]) -> None:
    """The body is the first text that is no attachment, the richest of its forms with content."""
    shown, is_html, attached = content_of(kind, *parts)

    assert (shown, [name for name, _ in attached]) == (body, names)
    assert is_html == body.startswith("<")


def test_a_forwarded_mail_with_the_same_boundary() -> None:
    """The delimiters of a nested mail are its own, also where they are those of the mail around it."""
    inner = f"{FROM}Subject: Inner\nContent-Type: multipart/mixed; boundary=b\n\n--b\n{PLAIN}\n--b\n{GIF}\n--b--\n"
    body, _, attached = content_of("mixed", PLAIN, f"Content-Type: message/rfc822\n\n{inner}", FILE)

    assert (body, [name for name, _ in attached]) == ("plain", ["Inner.eml", "f.txt"])
    assert [attachment.name for attachment in parse(attached[0][1]).attachments] == ["a.gif"]


def test_parts_after_the_end() -> None:
    """A program that goes on after the closing delimiter meant another part."""
    raw = f"{FROM}Content-Type: multipart/mixed; boundary=b\n\n--b\n{PLAIN}\n--b--\n--b\n{FILE}\n--b--\n"

    assert [attachment.name for attachment in parse(raw.encode()).attachments] == ["f.txt"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Content-Disposition: attachment; filename=a b.txt", "a b.txt"),
        ('Content-Disposition: attachment; filename="a \\"b\\".txt"', 'a "b".txt'),
        ('Content-Disposition: attachment; filename="C:\\temp\\a.txt"', "C:\\temp\\a.txt"),
        ("Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.txt", "café.txt"),
        ("Content-Disposition: attachment; filename*=utf-8'fr'caf%C3%A9.txt; filename=cafe.txt", "café.txt"),
        ("Content-Disposition: attachment; filename*0=ca; filename*1=fe.txt", "cafe.txt"),
        ("Content-Disposition: attachment; filename*1=fe.txt; filename*0=ca", "cafe.txt"),
        ("Content-Disposition: attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.txt", "café.txt"),
        ("Content-Disposition: attachment; filename*=gb2312''%C4%E3%BA%C3.txt", "你好.txt"),
        ("Content-Disposition: attachment; filename*=caf%C3%A9.txt", "café.txt"),
        ('Content-Disposition: attachment; filename="=?utf-8?Q?caf=C3=A9.txt?="', "café.txt"),
        ("Content-Disposition: attachment; filename==?utf-8?Q?caf=C3=A9.txt?=", "café.txt"),
        ("Content-Disposition: attachment;\nfilename=a.txt", "a.txt"),
        ('Content-Disposition: attachment; filename="a.txt', "a.txt"),
        ("Content-Disposition: attachment; FileName = a.txt ;", "a.txt"),
        ("Content-Type: application/pdf name=a.pdf", "a.pdf"),
        ("Content-Type: application; name=a.bin", "a.bin"),
        ("Content-Type: application/octet-stream; name*0=a; name*1=.bin", "a.bin"),
        ("Content-Disposition: attachment; filename=", "attachment-1.txt"),
        ("Content-Type: application/pdf", "attachment-1.pdf"),
    ],
)
def test_file_names(header: str, name: str) -> None:
    """File names are read in the forms of RFC 2231, RFC 2047 and of programs that know neither."""
    _, _, attached = content_of("mixed", "\nHello", f"{header}\n\nfile")

    assert attached == [(name, b"file")]


def encoded(encoding: str, text: str) -> bytes:
    """What a file contains whose part has this text."""
    part = f"Content-Type: application/octet-stream\nContent-Transfer-Encoding: {encoding}\n\n{text}"
    return content_of("mixed", "\nHello", part)[2][0][1]


ALL = bytes(range(30))
TEXT = b64encode(ALL).decode()


@pytest.mark.parametrize("cut", range(len(TEXT)))
def test_cut_base64(cut: int) -> None:
    """Base64 that was cut anywhere gives the bytes before."""
    assert encoded("base64", TEXT[:cut]) == ALL[: cut * 3 // 4]


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("BASE64", "aGVsbG8=", b"hello"),
        ('"base64"', "aGVsbG8=", b"hello"),
        ("base64 (comment)", "aGVsbG8=", b"hello"),
        ("base64;", "aGVsbG8=", b"hello"),
        ("base64", "aGVs\n bG8=\n\n", b"hello"),
        ("base64", "aGVsbG8", b"hello"),
        ("base64", "aGVsbG8====", b"hello"),
        ("base64", "aGVsbG8=\nIHdvcmxk\n", b"hello world"),
        ("base64", "aGVsbG8=\nIHc=\nb3JsZA==", b"hello world"),
        ("base64", "aGVsbG8=\n\n_______________\nlooms mailing list", b"hello"),
        ("base64", "!aGV*sbG8=", b"hello"),
        ("base64", "", b""),
        ("quoted-printable", "caf=C3=A9", "café".encode()),
        ("quoted-printable", "caf=c3=a9", "café".encode()),
        ("quoted-printable", "a=\nb", b"ab"),
        ("quoted-printable", "a= \t\nb", b"ab"),
        ("quoted-printable", "a=XYb", b"a=XYb"),
        ("quoted-printable", "a=", b"a"),
        ("x-uuencode", "begin 644 a.txt\n%:&5L;&\\\n`\nend", b"hello"),
        ("uuencode", "text before\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\nafter", b"hello"),
        ("7bit", "a=3D", b"a=3D"),
        ("unknown", "a=3D", b"a=3D"),
        ("", "a=3D", b"a=3D"),
    ],
)
def test_transfer_encodings(encoding: str, text: str, expected: bytes) -> None:
    """Content is decoded as far as it can be, also where its encoding is damaged."""
    assert encoded(encoding, text) == expected


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: 7bit",
        "Content-Disposition: inline",
        "Resent-From: a@x.test",
    ],
)
def test_mails_with_few_headers(header: str) -> None:
    """A mail needs no sender and no subject."""
    mail = parse(f"{header}\r\n\r\nHello".encode())

    assert (mail.body, mail.sender, mail.subject) == ("Hello", None, "")


def test_an_outlook_item_is_refused_with_what_to_do() -> None:
    """A file that Outlook saved in its own format is no mail in internet format."""
    with pytest.raises(InvalidRequest, match=r"Save it as \.eml"):
        parse(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))


def test_tnef_stays_an_attachment() -> None:
    """A `winmail.dat` of Outlook is one attachment."""
    part = "Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+IgAA"

    assert content_of("mixed", PLAIN, part) == ("plain", False, [("winmail.dat", b"x\x9f>\x22\x00\x00")])


def test_left_out_lines_are_reported() -> None:
    """The reader names each line of headers that it left out, with its number and the reason."""
    raw = "From: a@x.test\r\njunk\r\nSubject: S\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n"
    raw += "more junk\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
    parsed = parse_lenient(raw.encode())

    assert [type(item) for item in parsed.items] == [Mail]
    assert [(skipped.item, skipped.line) for skipped in parsed.skipped] == [
        ("header line 'junk'", 2),
        ("header line 'more junk'", 8),
    ]
    assert {skipped.reason for skipped in parsed.skipped} == {"It is not of the form 'Name: value'."}


def test_an_mbox_of_several_mails() -> None:
    """The first mail of an mbox is read, and the others are reported; a paragraph may begin with the word From."""
    head = "From ann@x.test Wed Mar  4 10:15:00 2026\n"
    text = "one\n\nFrom 10:15 on: lunch\n\nFrom there we go."
    result = parse_lenient(
        f"\n{head}Subject: First\n\n{text}\n\n{head}Subject: B\n\ntwo\n\n{head}Subject: C\n\n3".encode()
    )

    assert [("First", text.replace("\n", "\r\n"))] == [(mail.subject, mail.body) for mail in result.items]
    assert [("2 further mails", 11)] == [(skipped.item, skipped.line) for skipped in result.skipped]
    assert b"Subject: B" not in (result.items[0].raw or b"")


def test_a_long_line_of_an_mbox_is_read_once() -> None:
    """A line with many times takes no longer than other lines of its length."""
    raw = b"From a 10:00\nSubject: One\n\nText\n\nFrom " + b"11:11 " * 50_000 + b"\nno header\n"
    began = time.perf_counter()
    parsed = parse_lenient(raw)

    assert "One" == parsed.items[0].subject
    # In time that grows with the square, it would be ten minutes.
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(("front", "line"), [("", 2), ("\n\n", 4), ("\ufeff", 2), ("From a@x.test Wed Mar  4\n", 3)])
def test_line_numbers_are_those_of_the_file(front: str, line: int) -> None:
    """Blank lines, byte order marks and mbox lines before the headers count as lines of the file."""
    parsed = parse_lenient(f"{front}From: a@x.test\njunk\nSubject: S\n\nHello".encode())

    assert [skipped.line for skipped in parsed.skipped] == [line]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Wed, 04 Mar 2026 10:15:00 +0100", 1772615700),
        ("Wed, 4 Mar 2026 10:15:00 +0100 (CET)", 1772615700),
        ("4 Mar 2026 10:15 +0100", 1772615700),
        ("Wed, 04 Mar 2026 10:15:00 (CET) +0100", 1772615700),
        ("Wed, 04 Mar 2026 10:15:00.000 +0100", 1772615700),
        ("4 Mar 26 09:15:00 GMT", 1772615700),
        ("Wed, 04 Mar 2026 09:15:00 -0000", 1772615700),
        ("2026-03-04T10:15:00+01:00", 1772615700),
        ("2026-03-04 09:15:00Z", 1772615700),
        ("Wed,04 Mar 2026 09:15:00 UT", 1772615700),
        ("never", None),
        ("", None),
    ],
)
def test_dates(value: str, expected: int | None) -> None:
    """Dates are read in the forms of RFC 5322 and ISO 8601."""
    sent = parse(f"{FROM}Date: {value}\r\n\r\n".encode()).sent

    assert sent == (expected * 1_000_000 if expected else None)
