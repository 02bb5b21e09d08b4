"""The odd ways in which programs write the lines of vCards; each is read as what it means."""

from __future__ import annotations

import base64
import codecs
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.formats.vcf import parse
from outlook_emulator.mailbox.message import Address


def card_of(*lines: str | bytes, version: str = "2.1") -> Card:
    """The contact with these lines, which nothing is left out of."""
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    whole = b"\r\n".join([b"BEGIN:VCARD", f"VERSION:{version}".encode(), *raw, b"END:VCARD", b""])
    parsed = parse(whole)
    assert parsed.skipped == []
    (card,) = parsed.items
    return card


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:Gesch=E4ftsf=FChrerin", "Geschäftsführerin"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:Gesch=C3=A4ftsf=C3=BChrerin", "Geschäftsführerin"),
        (b"TITLE;QUOTED-PRINTABLE:Gesch=e4ft", "Geschäft"),
        (b"TITLE;encoding=quoted-printable:it=92s", "it’s"),
        (b"TITLE;LANGUAGE=de;ENCODING=QUOTED-PRINTABLE:=80 100", "€ 100"),
        (b"TITLE;CHARSET=windows-1251;ENCODING=QUOTED-PRINTABLE:=C4=E0", "Да"),
        (b"TITLE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E4", "ä"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=0D=0Ab", "a\r\nb"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=0Ab", "a\r\nb"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=\r\nb=\r\nc", "abc"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=\r\n b", "ab"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=C3=\r\n=A4", "aä"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:x: 1=\r\nb:c", "x: 1b:c"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a=\r\n", "a"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:a\r\nb", "a\r\nb"),
        (b"TITLE;ENCODING=QUOTED-PRINTABLE:100 =ZZ", "100 =ZZ"),
    ],
)
def test_quoted_printable(line: bytes, expected: str) -> None:
    """Quoted-printable is read with and without a charset, in any form of continuation."""
    assert card_of(line).job_title == expected


def test_the_charset_of_another_line() -> None:
    """Without a charset of its own, a value is in the one that another line names."""
    greek = "Αθήνα".encode("windows-1253")
    quoted = "".join(f"={byte:02X}" for byte in greek).encode()
    named = b"LABEL;CHARSET=Windows-1253;QUOTED-PRINTABLE:" + quoted

    assert card_of(b"TITLE:" + greek, named).job_title == "Αθήνα"
    assert card_of(named, b"TITLE;QUOTED-PRINTABLE:" + quoted).job_title == "Αθήνα"
    assert card_of(b"TITLE:\xe4", b"LABEL;CHARSET=UTF-8:x").job_title == "ä"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"TITLE;CHARSET=x-unknown:caf\xe9", "café"),
        (b"TITLE;CHARSET=x-unknown;QUOTED-PRINTABLE:caf=E9", "café"),
        (b"TITLE;CHARSET=none:caf\xc3\xa9", "café"),
        (b"TITLE;CHARSET=:caf\xe9", "café"),
        (b'TITLE;CHARSET="ISO-8859-1":caf\xe9', "café"),
        (b"TITLE;CHARSET=Shift_JIS:\x8eR\x93c", "山田"),
        (b"TITLE;CHARSET=ISO-2022-JP:\x1b$B;3ED\x1b(B", "山田"),
        (b"TITLE;CHARSET=BIG5:" + "王".encode("big5"), "王"),
        (b"TITLE;CHARSET=GB2312:" + "王".encode("gb2312") + b"\\, x", "王, x"),
        (b"TITLE;CHARSET=base64:x", "x"),
    ],
)
def test_charsets(line: bytes, expected: str) -> None:
    """A value is read in its charset, and without a known one as UTF-8 or Windows-1252."""
    assert card_of(line).job_title == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("has_mark", [True, False])
def test_encodings_of_the_file(encoding: str, has_mark: bool) -> None:
    """A file may be in UTF-8, UTF-16 or UTF-32; UTF-16 is known without a byte order mark too."""
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    raw = "BEGIN:VCARD\r\nFN:山田 Ö\r\nEND:VCARD\r\n".encode(encoding)
    parsed = parse((marks.get(encoding, b"") if has_mark else b"") + raw)

    assert ([card.display_name for card in parsed.items], parsed.skipped) == (["山田 Ö"], [])


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\xef\xbb\xbf", b"\r\n\xef\xbb\xbf"])
def test_files_that_were_joined(between: bytes) -> None:
    """A file may hold several, whose last lines have no end and whose first lines have a byte order mark."""
    first, second = (f"BEGIN:VCARD\r\nFN:{name}\r\nEND:VCARD".encode() for name in ("Ann", "Bob"))
    parsed = parse(first + between + second)

    assert ([card.display_name for card in parsed.items], parsed.skipped) == (["Ann", "Bob"], [])


def test_an_address_with_a_name() -> None:
    """The address of a line is what stands in `<…>`, as in mail."""
    assert card_of("EMAIL:Ann Lee <ann@example.com>").email_addresses == (Address("ann@example.com", "Ann Lee"),)


def test_lines_of_several_encodings() -> None:
    """Where a file is not valid UTF-8, each line is read by itself."""
    card = card_of("FN:José", b"TITLE:caf\xe9", b"ORG:Fo\xc3\r\n \xa9")

    assert (card.display_name, card.job_title, card.company_name) == ("José", "café", "Foé")


PIXELS = base64.b64encode(bytes(range(200))).decode()


@pytest.mark.parametrize(
    "photo",
    [
        f"PHOTO;ENCODING=BASE64;TYPE=JPEG:{PIXELS[:60]}\r\n{PIXELS[60:120]}\r\n{PIXELS[120:]}\r\n",
        f"PHOTO;ENCODING=BASE64;TYPE=JPEG:\r\n{PIXELS[:60]}\r\n{PIXELS[60:]}",
        f"PHOTO;JPEG;BASE64:{PIXELS[:60]}\r\n\r\n{PIXELS[60:]}\r\n\r\n",
        f"PHOTO;ENCODING=b;TYPE=JPEG:{PIXELS[:60]}\r\n{PIXELS[60:]}",
        f"PHOTO;ENCODING=BASE64:{PIXELS[:60]}\r\n  {PIXELS[60:]}",
        f"PHOTO;ENCODING=B:\r\n\t{PIXELS[:60]}\r\n\t{PIXELS[60:]}\r\n",
        f"PHOTO;TYPE=JPEG:{PIXELS[:60]}\r\n{PIXELS[60:]}",
        f"item1.LOGO;BASE64:{PIXELS[:60]}\r\n{PIXELS[60:]}",
        f"PHOTO:data:image/jpeg;base64\\,{PIXELS[:40]}\r\n {PIXELS[40:]}",
        f"X-THUMBNAIL;ENCODING=BASE64:{PIXELS[:60]}\r\n{PIXELS[60:]}",
        f"PHOTO;X-ABCROP-RECTANGLE=ABClipRect_1&1&1&1&1&x==;ENCODING=b:{PIXELS[:60]}\r\n {PIXELS[60:]}",
        f"PHOTO;ENCODING=b;\r\n TYPE=JPEG:{PIXELS[:60]}\r\n{PIXELS[60:]}",
    ],
)
def test_photos(photo: str) -> None:
    """Files in base64 are passed over in any form of continuation, and the lines after them are read."""
    assert card_of(photo, "TEL;CELL:1", "FN:Ann") == Card(display_name="Ann", mobile_phone1="1")


def test_texts_in_base64() -> None:
    """A text may be in base64, in its charset, without the signs at its end."""
    assert card_of("FN;ENCODING=b;CHARSET=utf-8:SsO8cmdlbg").display_name == "Jürgen"


BOB = "BEGIN:VCARD\r\nVERSION:2.1\r\nFN:Bob\r\nTITLE:no\r\nEND:VCARD"


@pytest.mark.parametrize(
    "agent",
    [
        f"AGENT:\r\n{BOB}",
        f"AGENT:\r\n\r\n{BOB}\r\n",
        f"AGENT:{BOB}",
        f"agent:\r\n{BOB.lower()}",
        f"AGENT;TYPE=x:\r\n{BOB}",
        f"item1.AGENT:\r\n{BOB}",
        f"AGENT:\r\n{BOB.replace('FN:Bob', 'AGENT:' + chr(13) + chr(10) + BOB)}",
        "AGENT:BEGIN:VCARD\\nFN:Bob\\nTITLE:no\\nEND:VCARD\\n",
        "AGENT;VALUE=uri:CID:JQPUBLIC.part3.960129T083020.xyzMail@example.com",
        f"AGENT:\r\n{BOB.replace('TITLE:no', 'no property')}",
    ],
)
def test_agents(agent: str) -> None:
    """A card inside a card is none of its own, and its lines are not the outer card's."""
    assert card_of("FN:Ann", agent, "ROLE:Boss") == Card(display_name="Ann", profession="Boss")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TEL;CELL;:1", "1"),
        ("TEL;;CELL:1", "1"),
        ("TEL;CELL;PREF;;:1", "1"),
        ("TEL;TYPE=;CELL:1", "1"),
        ("TEL;TYPE=CELL,:1", "1"),
        ("TEL;TYPE=,CELL;X=:1", "1"),
        ("TEL ; CELL : 1", "1"),
        ("TEL;=x;CELL:1", "1"),
        ('TEL;TYPE="CELL":1', "1"),
        ('TEL;TYPE="CELL,VOICE":1', "1"),
        ('TEL;TYPE="CELL:1', None),
        ("TEL;TYPE=cell;TYPE=voice:1", "1"),
        ("TEL;TYPE=Mobile:1", "1"),
        ("TEL;TYPE=CELL;VALUE=uri:tel:+1-555", "+1-555"),
        ("item1.TEL;CELL:1", "1"),
        ("a.b.TEL;CELL:1", "1"),
        ("item1.TEL:1\r\nitem1.X-ABLabel:_$!<Mobile>!$_", "1"),
        ("item1.X-ABLabel:iPhone\r\nitem1.TEL:1", "1"),
        ('TEL;X-NOTE="a:b;c";CELL:1', "1"),
        ("TEL;CE\r\n LL:1", "1"),
    ],
)
def test_parameters(line: str, expected: str | None) -> None:
    """Parameters may be empty, unnamed, in quotes, or in the label of a group."""
    assert card_of("FN:Ann", line).mobile_phone1 == expected


@pytest.mark.parametrize(
    "line",
    [
        *("X-Größe:1", "X_FOO:1", "X-FOO/BAR;A=b:1", "x:y", "1:2", "X-FOO BAR:x", "X-ABC.DEF:1", "@:x", "é:x"),
        *(";X=1:y", ".TEL2:1", "X-" + "A" * 500 + ":1", "FN2;;;:1", "X-A+B:1"),
    ],
)
def test_odd_names(line: str) -> None:
    """A property of any name costs nothing but itself."""
    assert card_of("FN:Ann", line, "TITLE:T") == Card(display_name="Ann", job_title="T")


@pytest.mark.parametrize(
    ("types", "business", "home"),
    [
        ("WORK;FAX", (), ()),
        ("FAX", (), ()),
        ("HOME;FAX", (), ()),
        ("TYPE=FAX,WORK,PREF", (), ()),
        ("PAGER", (), ()),
        ("MODEM", (), ()),
        ("WORK;FAX;VOICE", ("1",), ()),
        ("WORK;VOICE", ("1",), ()),
        ("HOME", (), ("1",)),
        ("HOME;VOICE;MSG", (), ("1",)),
        ("ISDN", ("1",), ()),
        ("X-ASSISTANT", ("1",), ()),
    ],
)
def test_kinds_of_numbers(types: str, business: tuple[str, ...], home: tuple[str, ...]) -> None:
    """Numbers of machines are no phones, unless people speak on them too."""
    card = card_of("FN:Ann", f"TEL;{types}:1")

    assert (card.business_phones, card.home_phones) == (business, home)


@pytest.mark.parametrize("label", ["_$!<HomeFAX>!$_", "_$!<WorkFAX>!$_", "Work Fax", "home fax", "_$!<Pager>!$_"])
def test_labels_of_fax_numbers(label: str) -> None:
    """A fax number may be told by the label of its group only."""
    assert card_of("FN:Ann", "item1.TEL:1", f"item1.X-ABLabel:{label}") == Card(display_name="Ann")


def test_a_label_without_a_group() -> None:
    """A label belongs to the lines of its group; without a group it belongs to none."""
    card = card_of("FN:Ann", "TEL:1", "X-ABLabel:_$!<HomeFAX>!$_", "item1.X-ABLabel:Mobile", "item2.TEL:2")

    assert card == Card(display_name="Ann", business_phones=("1", "2"))


def test_blank_values() -> None:
    """Blanks are no address and no number, and those around one are no part of it."""
    assert card_of("FN:Ann", "EMAIL: ", "TEL: ", "EMAIL:mailto:%20") == card_of("FN:Ann", "EMAIL:mailto: ")
    card = card_of("EMAIL: a@b.c ", "TEL;CELL: 1 ")
    assert ([entry.address for entry in card.email_addresses], card.mobile_phone1) == (["a@b.c"], "1")


@pytest.mark.parametrize(
    "line",
    ["TEL:1", "TEL;CELL:1", "EMAIL:a@b.c", "ADR:;;Road", "IMPP:sip:a", "URL:x", "BDAY:2000-01-01", "CATEGORIES:a"],
)
def test_cards_without_names(line: str) -> None:
    """A card is taken if it has anything that a contact can hold."""
    assert card_of(line) != Card()
    assert card_of("N:;;;;", "FN:", line) != Card()


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"BEGIN:VCARD\nFN:A\nEND:VCARD\nBEGIN:VCARD\nFN:B\nEND:VCARD", ["A", "B"]),
        (b"begin:vcard\rfn:A\rend:vcard\r", ["A"]),
        (b"BEGIN:VCARD\r\r\nFN:A\r\r\n B\r\r\nEND:VCARD\r\r\n", ["AB"]),
        (b"\n\nBEGIN: VCARD \n\nFN:A\n\n\nEND:VCARD \n\n", ["A"]),
        (b"  BEGIN:VCARD\n  FN:A\n   B\n  END:VCARD\n  BEGIN:VCARD\n  FN:C\n  END:VCARD\n", ["AB", "C"]),
        (b"BEGIN:VCARD\nVERSION:4.0\nFN:A\nEND:VCARD\nBEGIN:VCARD\nVERSION:2.1\nFN:B\nEND:VCARD\n", ["A", "B"]),
        (b"BEGIN:VCARD\nVERSION:9.9\nFN:A\nEND:VCARD\n", ["A"]),
        (b"\0" * 3 + b"BEGIN:VCARD\nFN:A\nEND:VCARD\n\x1a", ["A"]),
    ],
)
def test_whole_files(raw: bytes, names: list[str]) -> None:
    """Line ends, blank lines, indentation and versions of all kinds are read."""
    parsed = parse(raw)

    assert ([card.display_name for card in parsed.items], parsed.skipped) == (names, [])


def test_the_first_address_counts_as_a_whole() -> None:
    """The parts of two addresses of one kind do not mix."""
    card = card_of("ADR;HOME:;;Road 1;Town", "ADR;HOME:;;Way 2;City;;123;Land", "ADR;WORK:;;;Site")

    assert card == Card(home_street="Road 1", home_city="Town", business_city="Site")


COLONS = b"BEGIN:VCARD\r\nFN:A\r\n"
MANY = 20_000


@pytest.mark.parametrize(
    "pattern",
    [
        lambda n: b"BEGIN:VCARD\nAGENT:\n" * n,
        lambda n: COLONS + b"xxxx\n" * n,
        lambda n: COLONS + b"NOTE;QUOTED-PRINTABLE\n" + b" =\n" * n,
        lambda n: COLONS + b"NOTE;QUOTED-PRINTABLE:x=\n" + b"a=\n" * n,
        lambda n: COLONS + b'N;X="' + b'a;"' * n + b":v\n",
        lambda n: COLONS + b'N;X="' + b"a;:" * n + b"\n",
        lambda n: COLONS + b"TEL" + b";A" * n + b":v\n",
        lambda n: COLONS + b"N:" + b"\\;" * n + b"\n",
        lambda n: COLONS + b"PHOTO;ENCODING=b:aaaa\n" + b"aaaa\n" * n,
        lambda n: b"\r" * n + COLONS,
        lambda n: b" \n" * n + b" " * n + COLONS,
        lambda n: COLONS + b"A\n" + b" A=\n" * n,
    ],
    ids=range(12),
)
def test_hostile_files_take_linear_time(pattern: Callable[[int], bytes]) -> None:
    """Ten times the input takes far less than a hundred times the time."""
    short, long = (min(measure(pattern(count)) for _ in range(2)) for count in (MANY // 10, MANY))

    assert long < 40 * max(short, 0.001)


def measure(raw: bytes) -> float:
    """The processor time that reading takes, in seconds."""
    start = time.process_time()
    with suppress(InvalidRequest):
        parse(raw)
    return time.process_time() - start
