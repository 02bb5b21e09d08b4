"""Mail addresses as callers write them: bare or with a display name, separated by semicolons."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from outlook_emulator.content_limits import RECIPIENTS
from outlook_emulator.errors import InvalidField, InvalidRecipients, TooMuchContent
from outlook_emulator.mailbox.message import Address
from outlook_emulator.options import NOT_IN_ADDRESSES
from outlook_emulator.patterns import pattern

_ATOM = rf"[^{NOT_IN_ADDRESSES}]+"
_BARE_FORM = rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*"
_BARE = pattern(_BARE_FORM)
MAX_ADDRESS = 320
"""The length of the longest address that RFC 5321 allows, in characters."""
_SHORT = rf"(?![^\s;<>]{{{MAX_ADDRESS + 1}}}){_BARE_FORM}"
_PART = rf"\s*(?:[^;]*<\s*{_SHORT}\s*>|{_SHORT})\s*"
LIST_PATTERN = rf"^(?:{_PART}|\s*)(?:;(?:{_PART}|\s*))*$"
"""Matches the texts that `parse` reads."""
FILLED_PATTERN = rf"^[;\s]*{_PART}(?:;(?:{_PART}|\s*))*$"
"""Matches those with an address at least."""


def parse(text: str) -> tuple[Address, ...]:
    """The addresses in `text`, without duplicates; empty parts are skipped, since public workflows leave them behind.

    Raises InvalidRecipients, which names the part that is not an address, and TooMuchContent.
    """
    # Most mails go to the same few people; only texts as short as an address or two are worth caching.
    return _parse_cached(text) if len(text) < 2 * MAX_ADDRESS else _parse(text)


@lru_cache(maxsize=4096)
def _parse_cached(text: str) -> tuple[Address, ...]:
    return _parse(text)


def _parse(text: str) -> tuple[Address, ...]:
    if text.count(";") > RECIPIENTS.most:
        raise TooMuchContent(f"A list of mail addresses has more than {RECIPIENTS.most}.")
    addresses: dict[str, Address] = {}
    for part in text.split(";"):
        if part := part.strip():
            address = _parse_one(part)
            # The first spelling wins, with its display name.
            addresses.setdefault(address.address.lower(), address)
    return tuple(addresses.values())


def _parse_one(part: str) -> Address:
    name, bracket, inside = part.removesuffix(">").rpartition("<")
    address = (inside if bracket and part.endswith(">") else part).strip()
    if len(address) > MAX_ADDRESS or not _BARE.fullmatch(address):
        raise InvalidRecipients(part[:MAX_ADDRESS])
    return Address(address, name.strip().strip('"').strip())


def join(addresses: Iterable[Address]) -> str:
    """Bare addresses as the wire writes them: separated by `;` without blanks (recorded)."""
    return ";".join([address.address for address in addresses])


def split(joined: str | None) -> list[str]:
    """The bare addresses of a stored column; those of an event end in `;`."""
    return joined.removesuffix(";").split(";") if joined else []


def lowered(text: str | None) -> frozenset[str]:
    """The addresses of a filter in lower case; a text that is not an address is kept and matches nobody."""
    return frozenset(part.strip().lower() for part in (text or "").split(";") if part.strip())


def wanted(text: str | None, field: str) -> frozenset[str]:
    """The addresses of a filter, in lower case. Raises InvalidField for a text that is no list of addresses.

    Workflow engines refuse such a text before they call, since the definition declares addresses.
    """
    if not text:
        return frozenset()
    try:
        return frozenset(address.address.lower() for address in parse(text))
    except InvalidRecipients:
        raise InvalidField(field, f"must be mail addresses separated by semicolons, not '{text[:100]}'.") from None
