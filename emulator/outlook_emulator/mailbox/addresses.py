"""Mail addresses as callers write them: bare or with a display name, several split by semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from outlook_emulator.errors import InvalidRecipients
from outlook_emulator.mailbox.message import Address

# Letters between the dots: nothing that quotes, splits, ends a line or cannot be seen.
_ATOM = r"[^\s@;,<>()\[\]\"\\.\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060-\u2064\ufeff]+"
_BARE = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
MAX_ADDRESS = 320
"""Characters of the longest address that RFC 5321 allows."""


def parse(member: str, text: str) -> tuple[Address, ...]:
    """The addresses in `text`, each once; empty parts are skipped, as public workflows leave them behind.

    Raises InvalidRecipients, naming `member` and the part that is no address.
    """
    # The same few people get most mails; what is longer than an address or two is not worth keeping.
    return _remembered(member, text) if len(text) < 2 * MAX_ADDRESS else _parse(member, text)


@lru_cache(maxsize=4096)
def _remembered(member: str, text: str) -> tuple[Address, ...]:
    return _parse(member, text)


def _parse(member: str, text: str) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for part in text.split(";"):
        if part := part.strip():
            one = _parse_one(member, part)
            found.setdefault(one.address.lower(), one)
    return tuple(found.values())


def _parse_one(member: str, part: str) -> Address:
    name, bracket, inside = part.removesuffix(">").rpartition("<")
    address = (inside if bracket and part.endswith(">") else part).strip()
    if len(address) > MAX_ADDRESS or not _BARE.fullmatch(address):
        raise InvalidRecipients(member, part[:MAX_ADDRESS])
    return Address(address, name.strip().strip('"').strip())


def join(addresses: Iterable[Address]) -> str | None:
    """Bare addresses as the wire writes them: split by `;` without blanks, None for none (recorded)."""
    return ";".join(one.address for one in addresses) or None


def split(joined: str | None) -> list[str]:
    """The bare addresses of a stored column."""
    return joined.split(";") if joined else []


def wanted(text: str | None) -> frozenset[str]:
    """The addresses a filter names, for comparing without case; what is no address simply matches nobody."""
    return frozenset(part.strip().lower() for part in (text or "").split(";") if part.strip())
