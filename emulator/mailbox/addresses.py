"""Mail addresses as callers write them: bare or with a display name, several split by semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from emulator.errors import InvalidRecipients
from emulator.mailbox.message import Address

_BARE = re.compile(r"[^\s@;,<>()\[\]\"\\]+@[^\s@;,<>()\[\]\"\\.]+(?:\.[^\s@;,<>()\[\]\"\\.]+)*")
_NAMED = re.compile(r"\"?(?P<name>[^\"<>]*?)\"?\s*<(?P<address>[^<>]*)>")
MAX_ADDRESS = 320
"""Characters of the longest address that RFC 5321 allows."""


@lru_cache(maxsize=4096)
def parse(member: str, text: str) -> tuple[Address, ...]:
    """The addresses in `text`, each once; empty parts are skipped, as public workflows leave them behind.

    Raises InvalidRecipients, naming `member` and the part that is no address.
    """
    found: dict[str, Address] = {}
    for part in text.split(";"):
        if part := part.strip():
            one = _parse_one(member, part)
            found.setdefault(one.address.lower(), one)
    return tuple(found.values())


def _parse_one(member: str, part: str) -> Address:
    named = _NAMED.fullmatch(part)
    address = named["address"].strip() if named else part
    if len(address) > MAX_ADDRESS or not _BARE.fullmatch(address):
        raise InvalidRecipients(member, part[:MAX_ADDRESS])
    return Address(address, named["name"].strip() if named else "")


def join(addresses: Iterable[Address]) -> str | None:
    """Bare addresses as the wire writes them: split by `;` without blanks, None for none (recorded)."""
    return ";".join(one.address for one in addresses) or None


def split(joined: str | None) -> list[str]:
    """The bare addresses of a stored column."""
    return joined.split(";") if joined else []


def wanted(text: str | None) -> frozenset[str]:
    """The addresses a filter names, for comparing without case; what is no address simply matches nobody."""
    return frozenset(part.strip().lower() for part in (text or "").split(";") if part.strip())
