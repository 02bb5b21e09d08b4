"""Reads contacts from vCards of versions 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350); `vcf_compose` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from outlook_emulator.clock import instant_of
from outlook_emulator.content_limits import ITEMS
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.formats.skipped import Parsed, SkippedItem, listed
from outlook_emulator.mailbox.formats.vcf_compose import GENERATED, NAME, PLACE, PLACES, SHOWN_AS, TEXTS, compose
from outlook_emulator.mailbox.formats.vcf_lines import MAX_CARDS, Line, RawCard, read_cards
from outlook_emulator.mailbox.message import Address

__all__ = ["MAX_CARDS", "compose", "parse"]

_MEMBERS = {name: member for member, names in TEXTS.items() for name in names}
_PLACE_MEMBERS = {kind: tuple(f"{place}_{part}" for part in PLACE) for kind, place in PLACES.items()}
_MESSENGERS = frozenset(
    {"IMPP", "X-MS-IMADDRESS", "X-AIM", "X-GOOGLE-TALK", "X-GTALK", "X-ICQ", "X-JABBER", "X-MSN", "X-SKYPE"}
    | {"X-SKYPE-USERNAME", "X-YAHOO", "X-QQ", "X-GADUGADU", "X-GROUPWISE", "X-KADDRESSBOOK-X-IMADDRESS"}
)
_KDE_MESSENGER = "X-MESSAGING/"
# Outlook keeps these apart from phones, and the connector has no members for them.
_NO_PHONES = frozenset({"FAX", "PAGER", "MODEM", "TELEX", "TLX", "BBS"})
_PHONES = frozenset({"VOICE", "CELL", "CAR"})
# The labels that Apple's programs give to the properties of a group, and what they mean as types.
_LABELS = {
    "MOBILE": ("CELL",),
    "IPHONE": ("CELL",),
    "HOMEFAX": ("HOME", "FAX"),
    "WORKFAX": ("WORK", "FAX"),
    "OTHERFAX": ("OTHER", "FAX"),
    **{word: (word,) for word in ("HOME", "WORK", "OTHER", "FAX", "PAGER")},
}
Labels = Mapping[str, frozenset[str]]
"""The types in the labels of a card, by the group that they label."""

# A field ends at its separator, unless a backslash is before that.
_FIELDS = {mark: re.compile(rf"((?:[^\\{mark}]+|\\.|\\\Z)*)({mark}|\Z)", re.DOTALL) for mark in ";,"}
_ESCAPE = re.compile(r"\\([\\,;:nN])")
_NAMED = re.compile(r"[\"']?([^<>\"']*+)[\"']? *<([^<>@\s]++@[^<>@\s]++)>")
_LINE_END = re.compile(r"\r\n|\r|\n")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_YEARLESS = re.compile(r"--(\d\d)-?(\d\d)")
_YEARLESS_YEAR = 1604


def parse(raw: bytes) -> Parsed[Card]:
    """The contacts in a file of vCards, and what was left out.

    Inferred: the first value counts where a contact has only one. Further mobile numbers, and numbers that are neither
    at home nor at work, become business numbers. Fax numbers and pagers are left out, as the connector has no members
    for them. A birthday without a year is in 1604, as in Outlook and Apple's programs. Line ends become `\\r\\n`. Other
    properties are ignored. A card from which nothing can be taken is left out.

    Raises InvalidRequest for a file without vCards, or without one from which anything can be taken; TooMuchContent for
    more than 10,000 cards, and for a card with more than 50,000 values of a kind.
    """
    raw_cards, skipped = read_cards(raw)
    if not raw_cards:
        raise InvalidRequest("The content is not a vCard: it has no BEGIN:VCARD.")
    cards = []
    for number, raw_card in enumerate(raw_cards, start=1):
        card = _card(raw_card)
        name = card.display_name or f"{card.given_name or ''} {card.surname or ''}".strip()
        item = f'card "{name[:100]}"' if name else f"card {number}"
        skipped += (SkippedItem(item, line, reason) for line, reason in raw_card.problems)
        if card == _EMPTY:
            skipped.append(SkippedItem(item, raw_card.line, "It has nothing that a contact can hold."))
        else:
            cards.append(card)
    if not cards:
        raise InvalidRequest("The vCards have nothing that a contact can hold: no name, address or number.")
    return Parsed(cards, listed(skipped))


def _card(raw: RawCard) -> Card:
    texts: dict[str, str] = {}
    lists: dict[str, list[Any]] = {}
    groups = {line.head.group: line.value for line in raw.properties if line.head.name == "X-ABLABEL"}
    labels = {group: _label(value) for group, value in groups.items() if group}
    birthday = None
    for line in raw.properties:
        name = line.head.name
        if not line.value:
            continue
        if name in _MEMBERS:
            texts.setdefault(_MEMBERS[name], _text(line.value))
        elif name == "EMAIL":
            _add_address(lists, line)
        elif name == "TEL":
            _add_number(texts, lists, line, labels)
        # A generated name is none of the contact's own.
        elif name == "FN" and GENERATED not in line.head.params:
            texts.setdefault("display_name", _text(line.value))
        elif name == "N":
            _set_first(texts, zip(NAME, _fields(line.value), strict=False))
        elif name == "ORG":
            # Outlook has one department, vCard any number of nested units.
            company, *units = _fields(line.value)
            _set_first(texts, (("company_name", company), ("department", "; ".join(filter(None, units)))))
        elif name == "ADR":
            _set_first(texts, _place(line, labels))
        elif name == "CATEGORIES":
            lists.setdefault("categories", []).extend(filter(None, _fields(line.value, ",")))
        elif name in _MESSENGERS or name.startswith(_KDE_MESSENGER):
            _append(lists, "im_addresses", _text(line.value))
        elif name == "BDAY" and birthday is None:
            birthday = _birthday(line.value.strip())
    if any(len(values) > ITEMS.most for values in lists.values()):
        raise TooMuchContent(f"The vCard in line {raw.line} has more than {ITEMS.most} values of a kind.")
    members: dict[str, Any] = texts | {member: tuple(values) for member, values in lists.items()}
    return Card(birthday=birthday, **members)


_EMPTY = Card()


def _set_first(texts: dict[str, str], values: Iterable[tuple[str, str]]) -> None:
    """Set texts that belong together, unless a line before has set one of them."""
    values = list(values)
    if not any(member in texts for member, _ in values):
        texts.update((member, text) for member, text in values if text)


def _append(lists: dict[str, list[Any]], member: str, value: Any) -> None:
    lists.setdefault(member, []).append(value)


def _add_number(texts: dict[str, str], lists: dict[str, list[Any]], line: Line, labels: Labels) -> None:
    types = _types(line, labels)
    # Version 4.0 writes numbers as URIs.
    number = _text(line.value).strip()
    number = number[4:] if number[:4].lower() == "tel:" else number
    if not number or (types & _NO_PHONES and not types & _PHONES):
        return
    if "CELL" in types and "mobile_phone1" not in texts:
        texts["mobile_phone1"] = number
    else:
        _append(lists, "home_phones" if "HOME" in types and "CELL" not in types else "business_phones", number)


def _add_address(lists: dict[str, list[Any]], line: Line) -> None:
    address = _text(line.value).strip()
    if address[:7].lower() == "mailto:":
        address = unquote(address[7:]).strip()
    name = unquote(line.head.params.get(SHOWN_AS, ""))
    if named := _NAMED.fullmatch(address):
        # Some programs write the name before the address, as in mail.
        address, name = named[2], name or named[1].strip()
    if address:
        _append(lists, "email_addresses", Address(address, name))


def _place(line: Line, labels: Labels) -> Iterable[tuple[str, str]]:
    """The members of a postal address."""
    box, extension, street, *rest = [*_fields(line.value), "", "", ""]
    # Outlook has no fields for the post office box and the extension.
    whole = "\r\n".join(part for part in (box, extension, street) if part)
    types = _types(line, labels)
    kind = next((kind for kind in _PLACE_MEMBERS if kind in types), "OTHER")
    return zip(_PLACE_MEMBERS[kind], (whole, *rest), strict=False)


def _types(line: Line, labels: Labels) -> frozenset[str]:
    """The types of a line, in its parameters and in the label of its group."""
    types = line.head.types
    return types | labels.get(line.head.group, frozenset()) if labels else types


def _label(value: str) -> frozenset[str]:
    # Apple's programs mark the labels that they translate, as in `_$!<HomeFAX>!$_`.
    word = value.strip().removeprefix("_$!<").removesuffix(">!$_").replace(" ", "").upper()
    return frozenset(_LABELS.get(word, ()))


def _text(value: str) -> str:
    if "\\" in value:
        value = _ESCAPE.sub(lambda escape: "\n" if escape[1] in "nN" else escape[1], value)
    return _LINE_END.sub("\r\n", value) if "\n" in value or "\r" in value else value


def _fields(value: str, separator: str = ";") -> list[str]:
    if "\\" not in value:
        return [_text(part) for part in value.split(separator)]
    fields = []
    for match in _FIELDS[separator].finditer(value):
        fields.append(_text(match[1]))
        if not match[2]:
            break
    return fields


def _birthday(value: str) -> int | None:
    yearless, date = _YEARLESS.match(value), _DATE.match(value)
    if yearless:
        value = f"{_YEARLESS_YEAR}-{yearless[1]}-{yearless[2]}"
    elif date:
        year, month, day = map(int, date.groups())
        value = f"{year or _YEARLESS_YEAR:04}-{month:02}-{day:02}{value[date.end() :]}"
    try:
        return instant_of(datetime.fromisoformat(value))
    except ValueError:
        # The standard allows any text here, such as "circa 1800".
        return None
