"""Converts keys of the store to the ids that clients see, and back.

Ids look like those of a personal mailbox: URL-safe base64 that starts with `AQMkADAw` and ends in `=` (public samples).
They contain their mailbox, so that an id of another mailbox can be told from a malformed one.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error, b2a_base64
from enum import IntEnum
from functools import lru_cache
from struct import Struct

from outlook_emulator.errors import InvalidId, NotFound


class IdKind(IntEnum):
    """What an id names."""

    MESSAGE = 1
    FOLDER = 2
    ATTACHMENT = 3
    CONVERSATION = 4
    CALENDAR = 5
    EVENT = 6
    OCCURRENCE = 7
    CONTACT_FOLDER = 8
    CONTACT = 9


_LAYOUT = Struct(">9sBIQB")
_ITEM = urlsafe_b64decode("AQMkADAwATEx")
_CONVERSATION = urlsafe_b64decode("AAQkADAwATEx")
_CHANGE_KEY = Struct(">6sQI")
_CHANGE_KEY_START = b"\x11\x00\x00\x00\x16\x00"
_MASK = 2**64 - 1
_LARGEST_KEY = 2**63 - 1
# Multiplying by an odd number permutes the 64-bit numbers, so ids look random without a table.
_SCATTER = 0x9E3779B97F4A7C15
_GATHER = pow(_SCATTER, -1, 2**64)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@lru_cache(maxsize=16384)
def encode(kind: IdKind, mailbox_id: int, key: int) -> str:
    """The wire id of `key` in a mailbox."""
    scattered = key * _SCATTER & _MASK
    prefix = _CONVERSATION if kind is IdKind.CONVERSATION else _ITEM
    packed = _LAYOUT.pack(prefix, kind, mailbox_id, scattered, _check(kind, mailbox_id, scattered))
    return _text(packed)


def decode(kind: IdKind, mailbox_id: int, text: str, field: str) -> int:
    """The key of an id. Raises InvalidId with the `field` if no mailbox issued the id, NotFound if another one did."""
    try:
        packed = urlsafe_b64decode(text.encode("ascii"))
    except (Error, ValueError):
        raise InvalidId(field) from None
    if len(packed) != _LAYOUT.size or _text(packed) != text:
        raise InvalidId(field)
    prefix, kind_number, owner, scattered, check = _LAYOUT.unpack(packed)
    if prefix not in (_ITEM, _CONVERSATION) or check != _check(kind_number, owner, scattered):
        raise InvalidId(field)
    key: int = scattered * _GATHER & _MASK
    if key > _LARGEST_KEY:
        raise InvalidId(field)
    if kind_number != kind or owner != mailbox_id:
        raise NotFound()
    return key


def change_key(key: int, version: int) -> str:
    """A text that differs after every change of an item. It starts like recorded ones."""
    return b2a_base64(_CHANGE_KEY.pack(_CHANGE_KEY_START, key, version), newline=False).decode("ascii")


def looks_like_id(text: str) -> bool:
    """Whether a text has the form of an id, rather than of a name."""
    return text.startswith("AQMkADAwATEx") and text.endswith("=")


def _check(kind: int, mailbox_id: int, scattered: int) -> int:
    return (scattered ^ scattered >> 29 ^ mailbox_id ^ kind) & 0xFF


def _text(packed: bytes) -> str:
    return b2a_base64(packed, newline=False).translate(_URL_SAFE).decode("ascii")
