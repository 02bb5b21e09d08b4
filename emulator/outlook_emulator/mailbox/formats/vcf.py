"""Contacts as vCards: reads versions 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) with vobject, and writes version 3.0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from io import StringIO
from typing import Any
from urllib.parse import quote, unquote

import vobject
from icalendar.parser import split_on_unescaped_comma, split_on_unescaped_semicolon, unescape_backslash
from vobject.base import ContentLine, getLogicalLines, textLineToContentLine

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.formats.charsets import decode_text
from outlook_emulator.mailbox.message import Address

MAX_CARDS = 10_000

_NAME = ("surname", "given_name", "middle_name", "title", "generation")
# The parts of an address after the post office box and the extension.
_PLACE = ("street", "city", "state", "postal_code", "country_or_region")
_PLACES = {"HOME": "home", "WORK": "business", "OTHER": "other"}
_ADDRESS_FIELDS = tuple(f"{place}_{part}" for place in _PLACES.values() for part in _PLACE)

# The first name of each is the one that is written.
_TEXTS = {
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
_WITHOUT_PROPERTY = ("display_name", "company_name", "department", "mobile_phone1", *_NAME)
_TEXTS |= {
    field.name: (f"X-OUTLOOK-{field.name.upper().replace('_', '-')}",)
    for field in fields(Card)
    if field.type == "str | None" and field.name not in (*_TEXTS, *_WITHOUT_PROPERTY, *_ADDRESS_FIELDS)
}
_MEMBERS = {name: member for member, names in _TEXTS.items() for name in names}
_MESSENGERS = {"IMPP", "X-MS-IMADDRESS", "X-AIM", "X-GOOGLE-TALK", "X-ICQ", "X-JABBER", "X-MSN", "X-SKYPE", "X-YAHOO"}
# Parameters of our own.
_SHOWN_AS = "X-OUTLOOK-NAME"
_GENERATED = "X-OUTLOOK-MADE-UP"

_BOM = b"\xef\xbb\xbf"
# Checked first, since vobject's own pattern can take exponential time on malformed lines.
_VALUE = r'(?:"[^"]*"|[^";:,]*)'
_HEAD = re.compile(rf"(?:[\w-]+\.)?[\w-]+(?:;[\w-]+(?:={_VALUE}(?:,{_VALUE})*)?)*:", re.ASCII)
_YEARLESS = re.compile(r"--(\d\d)-?(\d\d)")


# --- Reading ---


def parse(raw: bytes) -> list[Card]:
    """The contacts in a file of vCards.

    Inferred: the first value counts where a contact has only one. Further mobile numbers, and numbers that are neither
    at home nor at work, become business numbers. A birthday without a year is in 1604, as in Outlook and Apple's
    programs. Line ends become `\\r\\n`. Other properties are ignored. Raises InvalidRequest, naming the line, for text
    that is not a vCard, for a card without name, company and mail address, and for more than 10,000 cards.
    """
    cards = list(_cards(decode_text(raw.removeprefix(_BOM), "utf-8")))
    if not cards:
        raise InvalidRequest("The content is not a vCard: it has no BEGIN:VCARD.")
    return cards


def _cards(text: str) -> Iterator[Card]:
    lines: list[ContentLine] | None = None
    number = 0
    for line in _lines(text):
        mark = (line.name, line.value.strip().upper())
        if mark == ("BEGIN", "VCARD"):
            if lines is not None:
                raise InvalidRequest(f"Line {line.lineNumber} of the vCard begins a card inside another.")
            lines, number = [], number + 1
        elif lines is None:
            raise InvalidRequest(f"Line {line.lineNumber} is outside of a vCard: each begins with BEGIN:VCARD.")
        elif mark == ("END", "VCARD"):
            yield _card(lines, number)
            lines = None
        else:
            lines.append(line)
    if lines is not None:
        raise InvalidRequest(f"The vCard number {number} has no END:VCARD.")


def _lines(text: str) -> Iterator[ContentLine]:
    if len(re.findall(r"^BEGIN:VCARD", text, re.IGNORECASE | re.MULTILINE)) > MAX_CARDS:
        raise InvalidRequest(f"The file has more than {MAX_CARDS} vCards.")
    plain = re.sub(r"\r\n|\r", "\n", text)
    # Version 2.1 has its own continuation of quoted lines; vobject reads it, but slowly.
    is_quoted = "quoted-printable" in text.lower()
    for line, number in getLogicalLines(StringIO(plain)) if is_quoted else _unfolded(plain):
        if line.strip():
            yield _content_line(line, number or 1)


def _unfolded(text: str) -> Iterator[tuple[str, int]]:
    """The lines with their continuations, and their numbers."""
    pieces: list[str] = []
    first = 1
    for number, line in enumerate(text.split("\n"), start=1):
        if line[:1] in (" ", "\t"):
            pieces.append(line[1:])
        else:
            yield "".join(pieces), first
            pieces, first = [line], number
    yield "".join(pieces), first


def _content_line(line: str, number: int) -> ContentLine:
    head = _HEAD.match(line)
    if head is None:
        raise InvalidRequest(f"Line {number} of the vCard cannot be read: '{line[:100]}'.")
    # vobject accepts the word only in capitals.
    shown = re.sub("quoted-printable", "QUOTED-PRINTABLE", head[0], flags=re.IGNORECASE)
    try:
        return textLineToContentLine(shown + line[head.end() :], number)
    except Exception as error:
        # Wrong charsets and encodings raise many kinds of errors.
        raise InvalidRequest(f"Line {number} of the vCard cannot be read: {str(error)[:300]}") from error


def _card(lines: list[ContentLine], number: int) -> Card:
    texts: dict[str, str] = {}
    lists: dict[str, list[Any]] = {"email_addresses": [], "im_addresses": [], "categories": []}
    lists |= {"home_phones": [], "business_phones": []}
    birthday = None
    for line in lines:
        for member, text in _texts(line):
            if text and (member != "mobile_phone1" or member not in texts):
                texts.setdefault(member, text)
            elif text:
                lists["business_phones"].append(text)
        for member, value in _entries(line):
            lists[member].append(value)
        if line.name == "BDAY" and birthday is None:
            birthday = _birthday(line.value)
    members: dict[str, Any] = texts | {member: tuple(values) for member, values in lists.items()}
    card = Card(birthday=birthday, **members)
    named = (*(getattr(card, member) for member in _NAME), card.display_name, card.nick_name, card.file_as)
    if not any((*named, card.company_name, card.email_addresses)):
        raise InvalidRequest(f"The vCard number {number} has no name, company or mail address.")
    return card


def _texts(line: ContentLine) -> Iterator[tuple[str, str]]:
    """The text fields that a line sets, with their values."""
    if line.name in _MEMBERS:
        yield _MEMBERS[line.name], _text(line.value)
    # A generated name is none of the contact's own.
    elif line.name == "FN" and _GENERATED not in line.params:
        yield "display_name", _text(line.value)
    elif line.name == "N":
        yield from zip(_NAME, _fields(line.value), strict=False)
    elif line.name == "ORG":
        # Outlook has one department, vCard any number of nested units.
        company, *units = _fields(line.value)
        yield from (("company_name", company), ("department", "; ".join(filter(None, units))))
    elif line.name == "ADR":
        yield from _place(line)
    elif line.name == "TEL" and "CELL" in _types(line):
        yield "mobile_phone1", _number(line)


def _place(line: ContentLine) -> Iterator[tuple[str, str]]:
    box, extension, street, *rest = [*_fields(line.value), "", "", ""]
    # Outlook has no fields for the post office box and the extension.
    whole = "\r\n".join(part for part in (box, extension, street) if part)
    types = _types(line)
    place = next((member for kind, member in _PLACES.items() if kind in types), "other")
    yield from ((f"{place}_{member}", text) for member, text in zip(_PLACE, (whole, *rest), strict=False))


def _entries(line: ContentLine) -> Iterator[tuple[str, Any]]:
    """The list fields that a line adds to, with the entries."""
    if line.name == "EMAIL":
        name = "".join(line.params.get(_SHOWN_AS, ()))
        if line.value:
            yield "email_addresses", Address(_text(line.value), unquote(name))
    elif line.name == "CATEGORIES":
        yield from (("categories", _with_crlf(text)) for text in split_on_unescaped_comma(line.value) if text)
    elif line.name in _MESSENGERS and line.value:
        yield "im_addresses", _text(line.value)
    elif line.name == "TEL" and line.value and "CELL" not in (types := _types(line)):
        yield "home_phones" if "HOME" in types else "business_phones", _number(line)


def _types(line: ContentLine) -> set[str]:
    """The types of a line; version 2.1 writes them without `TYPE=`."""
    params = [*line.params.get("TYPE", ()), *line.singletonparams]
    return {word.strip().upper() for param in params for word in param.split(",")}


def _number(line: ContentLine) -> str:
    # Version 4.0 writes numbers as URIs.
    return re.sub(r"^tel:", "", _text(line.value), flags=re.IGNORECASE)


def _text(value: str) -> str:
    return _with_crlf(unescape_backslash(value))


def _with_crlf(text: str) -> str:
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def _fields(value: str) -> list[str]:
    return [_with_crlf(field) for field in split_on_unescaped_semicolon(value)]


def _birthday(value: str) -> int | None:
    yearless = _YEARLESS.match(value)
    try:
        return microseconds(datetime.fromisoformat("1604-{}-{}".format(*yearless.groups()) if yearless else value))
    except ValueError:
        # The standard allows any text here, such as "circa 1800".
        return None


# --- Writing ---


def compose(cards: Iterable[Card]) -> bytes:
    """The contacts as vCards of version 3.0; equal contacts give equal bytes.

    Reading them again gives the same contacts, except that empty texts become None and line ends `\\r\\n`. A vCard must
    have a display name, so a contact without one gets one in the file, marked as generated.
    """
    return "".join(_vcard(_writable(card)).serialize() for card in cards).encode()


def _writable(card: Card) -> Card:
    # Lone surrogates cannot be written.
    members = {field.name: _encodable(getattr(card, field.name)) for field in fields(card)}
    return Card(**members)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Address):
        return Address(*map(_encodable, value))
    return tuple(map(_encodable, value)) if isinstance(value, tuple) else value


def _vcard(card: Card) -> Any:
    vcard = vobject.vCard()
    _add_name(vcard, card)
    for member, (name, *_) in _TEXTS.items():
        _add(vcard, name, getattr(card, member))
    if card.company_name or card.department:
        vcard.add("ORG").value = [card.company_name or "", *filter(None, [card.department])]
    for kind, place in _PLACES.items():
        parts = [getattr(card, f"{place}_{member}") or "" for member in _PLACE]
        if any(parts):
            _add(vcard, "ADR", vobject.vcard.Address(*parts), TYPE=kind)
    for address, name in card.email_addresses:
        shown_as = {_SHOWN_AS: quote(name)} if name else {}
        _add(vcard, "EMAIL", address, TYPE="INTERNET", **shown_as)
    _add_phones(vcard, card)
    for messenger in card.im_addresses:
        _add(vcard, "IMPP", messenger)
    if card.birthday is not None:
        # A date without a time, as other programs write it; any other instant is kept whole.
        day = moment(card.birthday).isoformat()
        _add(vcard, "BDAY", day.removesuffix("T00:00:00+00:00"))
    if card.categories:
        vcard.add("CATEGORIES").value = list(card.categories)
    return vcard


def _add_name(vcard: Any, card: Card) -> None:
    # Both N and FN are mandatory in version 3.0.
    family, given_name, additional, prefix, suffix = (getattr(card, member) or "" for member in _NAME)
    vcard.add("N").value = vobject.vcard.Name(family, given_name, additional, prefix, suffix)
    if card.display_name:
        _add(vcard, "FN", card.display_name)
        return
    people = (address.name or address.address for address in card.email_addresses)
    choices = (f"{given_name} {family}".strip(), card.company_name, card.file_as, card.nick_name, *people)
    _add(vcard, "FN", next(filter(None, choices), "Unknown"), **{_GENERATED: "TRUE"})


def _add_phones(vcard: Any, card: Card) -> None:
    kinds = {"HOME": card.home_phones, "WORK": card.business_phones, "CELL": (card.mobile_phone1,)}
    for kind, numbers in kinds.items():
        for number in numbers:
            _add(vcard, "TEL", number, TYPE=[kind, "VOICE"])


def _add(vcard: Any, name: str, value: Any, **params: Any) -> None:
    if value:
        line = vcard.add(name)
        line.value = value
        for param, values in params.items():
            line.params[param] = values if isinstance(values, list) else [values]
