"""Contacts as vCards: reading every version, writing, and round trips."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import vobject
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import microseconds
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.formats.vcf import MAX_CARDS, compose, parse
from outlook_emulator.mailbox.message import Address
from tests.paths import VCF

FILES = sorted(VCF.glob("*.vcf"))


def vcard(*lines: str, version: str = "3.0") -> bytes:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode()


def parse_card(*lines: str, version: str = "3.0") -> Card:
    (card,) = parse(vcard("FN:X", *lines, version=version)).items
    return replace(card, display_name=None)


def utc(*parts: int) -> int:
    return microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


def again(*cards: Card) -> list[Card]:
    return parse(compose(cards)).items


# Fixtures


def test_an_address_book() -> None:
    """Every kind of field is read from an international address book."""
    book = parse((VCF / "address-book.vcf").read_bytes()).items
    names = {card.display_name: card for card in book}

    assert len(book) == len(names) == 25
    assert names["Charles Babbage"] == Card(
        birthday=utc(1791, 12, 26),
        file_as="Babbage, Charles",
        display_name="Charles Babbage",
        given_name="Charles",
        initials="C.B.",
        nick_name="Charlie",
        surname="Babbage",
        title="Mr.",
        email_addresses=(Address("charles@example.org"), Address("cb@example.net")),
        job_title="Inventor",
        company_name="Analytical Society",
        department="Engines",
        office_location="Workshop 2",
        profession="Mathematician",
        business_home_page="https://example.org/engines",
        assistant_name="Harry Babbage",
        home_phones=("+44 20 7946 0002",),
        business_phones=("+44 20 7946 0001",),
        mobile_phone1="+44 7700 900001",
        home_street="1 Dorset Street",
        home_city="London",
        home_postal_code="W1U 4EG",
        home_country_or_region="United Kingdom",
        business_street="6 Burlington House\r\nPiccadilly",
        business_city="London",
        business_postal_code="W1J 0BD",
        business_country_or_region="United Kingdom",
        categories=("Engine", "Friends"),
    )
    hanako = names["山田花子"]
    assert (hanako.yomi_surname, hanako.yomi_given_name, hanako.yomi_company_name) == (
        "やまだ",
        "はなこ",
        "やまだけいさんき",
    )
    assert names["Emmy Noether"].business_street == "Raum 12\r\nBunsenstraße 3–5"
    assert names["Alan Turing"].im_addresses == ("sip:alan@example.com", "prof")
    assert names["Maria Mitchell"].other_city == "Nantucket"
    assert names["Aoife O'Brien; the younger"].surname == "O'Brien; the younger"
    assert names["George Boole"].birthday == utc(1815, 11, 2, 7, 30)
    assert names["Menabrea, Luigi"].manager == "Rector"


def test_version_2_1() -> None:
    """Quoted-printable values in any charset, continued lines and unnamed types are read."""
    (card,) = parse((VCF / "quoted-printable-2.1.vcf").read_bytes()).items

    assert card == Card(
        birthday=0,
        display_name="Dr. Jürgen Müller, genannt der Große",
        given_name="Jürgen",
        surname="Müller",
        title="Dr.",
        email_addresses=(Address("juergen@example.org"),),
        company_name="Kölner Werke",
        department="Gießerei",
        home_phones=("+49 221 555 0114",),
        business_phones=("+49 221 555 0113",),
        mobile_phone1="+49 170 555 0115",
        home_street="Hohe Straße 1\r\nHinterhaus",
        home_city="Köln",
        home_postal_code="50667",
        home_country_or_region="Deutschland",
    )


def test_version_4_0() -> None:
    """Numbers as URIs, quoted types, groups and a birthday without a year are read."""
    (card,) = parse((VCF / "v4.vcf").read_bytes()).items

    assert (card.business_phones, card.mobile_phone1) == (("+44-20-7946-0100",), "+44-7700-900100")
    assert (card.birthday, card.email_addresses) == (utc(1604, 12, 10), (Address("ada@example.com"),))
    assert (card.home_street, card.home_city) == ("12 St James's Square", "London")
    assert (card.im_addresses, card.categories) == (("xmpp:ada@chat.example.com",), ("Poetry", "Science"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fixtures_written_anew(path: Path) -> None:
    """A file that is read, written and read again gives equal values."""
    cards = parse(path.read_bytes()).items

    assert again(*cards) == cards


# Reading details


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TEL:1", Card(business_phones=("1",))),
        ("TEL;TYPE=WORK,CELL:1\r\nTEL;TYPE=cell:2", Card(mobile_phone1="1", business_phones=("2",))),
        ("item1.TEL;TYPE=HOME:1", Card(home_phones=("1",))),
        ("ADR:;;Street;City", Card(other_street="Street", other_city="City")),
        ("ADR;TYPE=HOME:Box;;Street", Card(home_street="Box\r\nStreet")),
        ("ORG:Firm;Unit;Team", Card(company_name="Firm", department="Unit; Team")),
        ("TITLE:A, B\\, C\\nD\r\nTITLE:E", Card(job_title="A, B, C\r\nD")),
        ("CATEGORIES:a\\,b,,c", Card(categories=("a,b", "c"))),
        ("X-EVOLUTION-MANAGER:M", Card(manager="M")),
        ("X-JABBER:j\r\nIMPP:", Card(im_addresses=("j",))),
        ("EMAIL:\r\nNICKNAME:", Card()),
        ("BDAY:18151210", Card(birthday=utc(1815, 12, 10))),
        ("BDAY;VALUE=text:circa 1800", Card()),
        ("NOTE:C:\\", Card()),
        ("URL:https://example.org/a", Card(business_home_page="https://example.org/a")),
        ("title:lower", Card(job_title="lower")),
        ("TITLE:fol\r\n ded", Card(job_title="folded")),
    ],
)
def test_lines(line: str, expected: Card) -> None:
    """Lines are read in the forms that other programs write."""
    assert parse_card(line) == expected


def test_charsets() -> None:
    """A file that is not valid UTF-8 is decoded as Latin text."""
    (card,) = parse(vcard("FN:José").decode().encode("cp1252")).items

    assert card.display_name == "José"


# Writing details


def test_what_others_read() -> None:
    """An independent reader finds version 3.0 and a name, even if the contact only has an address."""
    card = Card(email_addresses=(Address("ada@example.com", "Ada, Countess"),))
    written = vobject.readOne(compose([card]).decode())

    assert (written.version.value, written.fn.value) == ("3.0", "Ada, Countess")
    assert again(card) == [card]


def test_equal_cards_give_equal_bytes() -> None:
    """Equal contacts give equal bytes."""
    book = parse((VCF / "address-book.vcf").read_bytes()).items

    assert compose(book) == compose([replace(card) for card in book])


def test_lone_surrogates_are_replaced() -> None:
    """A lone surrogate is written as a question mark."""
    assert again(Card(display_name="\ud800" * 90, categories=("\ud800",))) == [
        Card(display_name="?" * 90, categories=("?",))
    ]


# Round trips

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")
TEXTS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=2).map("\r\n".join)
BIRTHDAYS = st.integers(utc(1000, 1, 1) // 10**6, utc(2100, 1, 1) // 10**6).map(lambda second: second * 10**6)
# The blanks around numbers and addresses are not kept.
WORDS = st.text(LETTERS, min_size=1, max_size=30).map(str.strip).filter(bool)
ADDRESSES = st.builds(Address, WORDS, st.text(LETTERS, max_size=30))
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "str | None": st.none() | TEXTS,
    "int | None": st.none() | BIRTHDAYS,
    "tuple[str, ...]": st.lists(WORDS, max_size=3).map(tuple),
    "tuple[Address, ...]": st.lists(ADDRESSES, max_size=3).map(tuple),
}


@st.composite
def cards(draw: st.DrawFn) -> Card:
    values = {field.name: draw(STRATEGIES[str(field.type)]) for field in fields(Card)}
    values["mobile_phone1"] = draw(st.none() | WORDS)
    card = Card(**values)
    assume(card != Card())
    return card


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(cards(), min_size=1, max_size=3))
def test_round_trips(book: list[Card]) -> None:
    """Any contact survives being written and read."""
    assert again(*book) == book


# Letters that the other reader does not take for line ends.
PLAIN = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
READ_ALIKE: dict[str, st.SearchStrategy[Any]] = {
    "display_name": st.text(PLAIN, min_size=1, max_size=90),
    "job_title": st.none() | st.text(PLAIN, min_size=1, max_size=200),
    "surname": st.text(PLAIN, max_size=90),
    "given_name": st.text(PLAIN, max_size=90),
    "home_city": st.none() | st.text(PLAIN, min_size=1, max_size=90),
    "business_street": st.none() | st.lists(st.text(PLAIN, min_size=1), min_size=1, max_size=2).map("\r\n".join),
    "company_name": st.none() | st.text(PLAIN, min_size=1, max_size=90),
    "email_addresses": st.lists(st.text(PLAIN).map(str.strip).filter(bool).map(Address), max_size=3).map(tuple),
    "mobile_phone1": st.none() | st.text("+0123456789 ()", min_size=1).map(str.strip).filter(bool),
    "categories": st.lists(st.text(PLAIN, min_size=1, max_size=30), max_size=3).map(tuple),
}


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.lists(st.fixed_dictionaries(READ_ALIKE), min_size=1, max_size=3))
def test_another_reader_reads_the_same(book: list[dict[str, Any]]) -> None:
    """An independent reader finds in the file what the contacts have."""
    written = list(vobject.readComponents(compose([Card(**members) for members in book]).decode()))

    assert [seen(vcard) for vcard in written] == [
        {**members, "email_addresses": tuple(entry.address for entry in members["email_addresses"])} for members in book
    ]


def seen(vcard: Any) -> dict[str, Any]:
    """The members of a contact that a vCard shows in the other reader."""
    places = {line.type_param: line.value for line in vcard.contents.get("adr", ())}
    street = places["WORK"].street if "WORK" in places else None
    first = {name: lines[0].value for name, lines in vcard.contents.items()}
    return {
        "display_name": vcard.fn.value,
        "job_title": first.get("title"),
        "surname": vcard.n.value.family,
        "given_name": vcard.n.value.given,
        "home_city": places["HOME"].city if "HOME" in places else None,
        "business_street": None if street is None else "\r\n".join(street.split("\n")),
        "company_name": first["org"][0] if "org" in first else None,
        "email_addresses": tuple(line.value for line in vcard.contents.get("email", ())),
        "mobile_phone1": first.get("tel"),
        "categories": tuple(first.get("categories", ())),
    }


# What is left out


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "it has no BEGIN:VCARD"),
        (b"Dear Ada,\r\n", "it has no BEGIN:VCARD"),
        (b"FN:Ada\r\n", "it has no BEGIN:VCARD"),
        (b"[" * 100_000, "it has no BEGIN:VCARD"),
        (vcard("NOTE:no contact"), "nothing that a contact can hold"),
    ],
    ids=range(5),
)
def test_files_without_contacts_are_refused(raw: bytes, expected: str) -> None:
    """A file from which no contact can be taken is rejected with an error that names the problem."""
    with pytest.raises(InvalidRequest, match=expected):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (vcard("FN:A") * (MAX_CARDS + 1), "more than 10000 vCards"),
        (vcard(f"CATEGORIES:{'a,' * 50_001}"), "line 1 has more than 50000 values"),
    ],
    ids=["cards", "values"],
)
def test_too_much(raw: bytes, expected: str) -> None:
    """A file with more than the emulator takes is refused with the limit."""
    with pytest.raises(TooMuchContent, match=expected):
        parse(raw)


ANN = vcard("FN:Ann")


@pytest.mark.parametrize(
    ("raw", "names", "skipped"),
    [
        (ANN + vcard("NOTE:x") + ANN, 2, [("card 2", 5, "It has nothing that a contact can hold.")]),
        (vcard("FN:Ann", "no line"), 1, [('card "Ann"', 4, "It is not a property: 'no line'.")]),
        (vcard("no line", "N:Bee;Ann"), 1, [('card "Ann Bee"', 3, "It is not a property: 'no line'.")]),
        (b"Dear Bob,\r\n\r\nhi\r\n" + ANN, 1, [("text outside of a card", 1, "It begins with 'Dear Bob,'.")]),
        (ANN + b"END:VCARD\r\n", 1, [("end of a card", 5, "No card begins before it.")]),
        (ANN[:-11], 1, [('card "Ann"', 1, "The file ends before the card does.")]),
        (ANN[:-11] + ANN, 2, [('card "Ann"', 1, "It has no END:VCARD before the card in line 4.")]),
        (ANN + b"\x1a", 1, []),
        (ANN + b"\0" * 500, 1, []),
        (vcard("FN:Ann", "TEL;FAX:1", "NOTE:x", "X-A:x"), 1, []),
    ],
    ids=range(10),
)
def test_what_is_left_out_is_reported(raw: bytes, names: int, skipped: list[tuple[str, int, str]]) -> None:
    """Each card and each line that is left out is reported; properties that no contact has are not."""
    parsed = parse(raw)

    assert len(parsed.items) == names
    assert [(item.item, item.line, item.reason) for item in parsed.skipped] == skipped


def test_long_lists_are_cut() -> None:
    """Of very many lines that are left out, the first thousand are listed, and the number of the others."""
    raw = b"BEGIN:VCARD\r\nFN:Ann\r\n" + b"no line\r\nNOTE:x\r\n" * 1500 + b"END:VCARD\r\n"
    skipped = parse(raw).skipped

    assert [item.line for item in skipped] == [*range(3, 2003, 2), None]
    assert str(skipped[-1]) == "500 more items: Only the first thousand are listed."


PIECES = st.sampled_from(
    [
        *(b"BEGIN:VCARD\r\n", b"END:VCARD\r\n", b"VERSION:2.1\r\n", b"FN", b"N", b"TEL", b"EMAIL", b"BDAY:", b"ADR"),
        *(b";ENCODING=QUOTED-PRINTABLE", b";ENCODING=B", b";CHARSET=utf-8", b";QUOTED-PRINTABLE", b"=\r\n", b"=FF"),
        *(
            b";TYPE=HOME",
            b"item1.",
            b";",
            b":",
            b",",
            b'"',
            b"\\",
            b" ",
            b"\r\n",
            b"\n",
            b"=",
            b"--1210",
            b"\xff",
            b"x",
        ),
    ]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.lists(PIECES, max_size=30).map(b"".join))
def test_arbitrary_bytes(raw: bytes) -> None:
    """Any bytes either give contacts or raise InvalidRequest, inside a card or not."""
    for content in (raw, b"BEGIN:VCARD\r\nFN:X\r\n" + raw + b"\r\nEND:VCARD\r\n"):
        survives(content)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.sampled_from(FILES), st.data())
def test_damaged_files(path: Path, data: st.DataObject) -> None:
    """Fixtures with changed bytes are either read or raise InvalidRequest."""
    raw = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw = raw[:place] + data.draw(st.binary(max_size=4) | PIECES) + raw[place + data.draw(st.integers(0, 40)) :]
    survives(raw)


def survives(raw: bytes) -> None:
    try:
        cards = parse(raw).items
    except InvalidRequest:
        return
    assert cards
