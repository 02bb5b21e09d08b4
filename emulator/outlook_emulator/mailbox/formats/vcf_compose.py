"""Writes contacts as vCards of version 3.0 (RFC 2426)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from urllib.parse import quote

from outlook_emulator.clock import moment
from outlook_emulator.mailbox.contact import Card

NAME = ("surname", "given_name", "middle_name", "title", "generation")
# The parts of an address after the post office box and the extension.
PLACE = ("street", "city", "state", "postal_code", "country_or_region")
PLACES = {"HOME": "home", "WORK": "business", "OTHER": "other"}
_ADDRESS_FIELDS = tuple(f"{place}_{part}" for place in PLACES.values() for part in PLACE)

# The first name of each is the one that is written.
TEXTS = {
    "nick_name": ("NICKNAME",),
    "job_title": ("TITLE",),
    "profession": ("ROLE", "X-PROFESSION"),
    "business_home_page": ("URL",),
    "file_as": ("X-FILE-AS", "X-EVOLUTION-FILE-AS"),
    "initials": ("X-INITIALS",),
    "office_location": ("X-MS-OFFICE", "X-OFFICE", "X-EVOLUTION-OFFICE"),
    "manager": ("X-MS-MANAGER", "X-MANAGER", "X-EVOLUTION-MANAGER"),
    "assistant_name": ("X-MS-ASSISTANT", "X-ASSISTANT", "X-EVOLUTION-ASSISTANT"),
    "yomi_given_name": ("X-PHONETIC-FIRST-NAME", "X-MS-YOMI-FIRST-NAME"),
    "yomi_surname": ("X-PHONETIC-LAST-NAME", "X-MS-YOMI-LAST-NAME"),
    "yomi_company_name": ("X-PHONETIC-ORG", "X-MS-YOMI-COMPANY-NAME"),
}
_WITHOUT_PROPERTY = ("display_name", "company_name", "department", "mobile_phone1", *NAME)
TEXTS |= {
    field.name: (f"X-OUTLOOK-{field.name.upper().replace('_', '-')}",)
    for field in fields(Card)
    if field.type == "str | None" and field.name not in (*TEXTS, *_WITHOUT_PROPERTY, *_ADDRESS_FIELDS)
}
# Parameters of our own.
SHOWN_AS = "X-OUTLOOK-NAME"
GENERATED = "X-OUTLOOK-MADE-UP"

_LONGEST_LINE = 75
_ESCAPES = str.maketrans({"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n"})
_LINE_END = re.compile(r"\r\n|\r|\n")


def compose(cards: Iterable[Card]) -> bytes:
    """The contacts as vCards of version 3.0; equal contacts give equal bytes.

    Reading them again gives the same contacts, except that empty texts become None, line ends `\\r\\n`, and that blanks
    around mail addresses and numbers go. A vCard must have a display name, so a contact without one gets one in the
    file, marked as generated.
    """
    return b"".join(map(compose_card, cards))


def compose_card(card: Card) -> bytes:
    """One contact as a vCard."""
    lines = ("BEGIN:VCARD", "VERSION:3.0", *_lines(card), "END:VCARD", "")
    # Lone surrogates cannot be written.
    return b"\r\n".join([_folded(line.encode("utf-8", "replace")) for line in lines])


def _lines(card: Card) -> Iterator[str]:
    yield f"N:{_joined(card, NAME)}"
    yield _display_name(card)
    for member, (name, *_) in TEXTS.items():
        if text := getattr(card, member):
            yield f"{name}:{_escaped(text)}"
    if card.company_name or card.department:
        department = f";{_escaped(card.department)}" if card.department else ""
        yield f"ORG:{_escaped(card.company_name or '')}{department}"
    for kind, place in PLACES.items():
        parts = _joined(card, tuple(f"{place}_{part}" for part in PLACE))
        if parts.strip(";"):
            yield f"ADR;TYPE={kind}:;;{parts}"
    for address, name in card.email_addresses:
        if address:
            shown_as = f";{SHOWN_AS}={quote(name, errors='replace')}" if name else ""
            yield f"EMAIL;TYPE=INTERNET{shown_as}:{_escaped(address)}"
    numbers = {"HOME": card.home_phones, "WORK": card.business_phones, "CELL": (card.mobile_phone1,)}
    yield from (f"TEL;TYPE={kind},VOICE:{_escaped(text)}" for kind, texts in numbers.items() for text in texts if text)
    yield from (f"IMPP:{_escaped(text)}" for text in card.im_addresses if text)
    if card.birthday is not None:
        # A date without a time, as other programs write it; any other instant is kept whole.
        yield f"BDAY:{moment(card.birthday).isoformat().removesuffix('T00:00:00+00:00')}"
    if card.categories:
        yield f"CATEGORIES:{','.join(map(_escaped, card.categories))}"


def _display_name(card: Card) -> str:
    # Both N and FN are mandatory in version 3.0.
    if card.display_name:
        return f"FN:{_escaped(card.display_name)}"
    people = (address.name or address.address for address in card.email_addresses)
    full_name = f"{card.given_name or ''} {card.surname or ''}".strip()
    numbers = (card.mobile_phone1, *card.business_phones, *card.home_phones)
    choices = (full_name, card.company_name, card.file_as, card.nick_name, *people, *numbers)
    return f"FN;{GENERATED}=TRUE:{_escaped(next(filter(None, choices), 'Unknown'))}"


def _joined(card: Card, members: tuple[str, ...]) -> str:
    return ";".join([_escaped(getattr(card, member) or "") for member in members])


def _escaped(text: str) -> str:
    return _LINE_END.sub("\n", text).translate(_ESCAPES)


def _folded(line: bytes) -> bytes:
    """A line in pieces of 75 bytes, none of which ends within a character."""
    if len(line) <= _LONGEST_LINE:
        return line
    pieces = []
    start, room = 0, _LONGEST_LINE
    while len(line) - start > room:
        end = start + room
        # The bytes of a character after its first one begin with the bits 10.
        while line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[start:end])
        # The blank counts.
        start, room = end, _LONGEST_LINE - 1
    pieces.append(line[start:])
    return b"\r\n ".join(pieces)
