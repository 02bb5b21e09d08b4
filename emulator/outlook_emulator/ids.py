"""Wire ids: how a key of the store looks to a client, and back.

Ids look like those of a personal mailbox: URL-safe base64 that starts with `AQMkADAw` and ends in `=` (public samples).
They carry the mailbox they belong to, so an id of another mailbox is told from one that nobody gave out.
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
# Odd, so multiplying is a permutation of 64-bit numbers that its inverse undoes: ids look random yet need no table.
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


def decode(kind: IdKind, mailbox_id: int, text: str, name: str) -> int:
    """The key that `text` stands for.

    Raises InvalidId when no mailbox could have given it out, NotFound when another mailbox did. `name` is what the
    caller calls it.
    """
    try:
        packed = urlsafe_b64decode(text.encode("ascii"))
    except (Error, ValueError):
        raise InvalidId(name) from None
    if len(packed) != _LAYOUT.size or _text(packed) != text:
        raise InvalidId(name)
    prefix, found, owner, scattered, check = _LAYOUT.unpack(packed)
    if prefix not in (_ITEM, _CONVERSATION) or check != _check(found, owner, scattered):
        raise InvalidId(name)
    key: int = scattered * _GATHER & _MASK
    if key > _LARGEST_KEY:
        raise InvalidId(name)
    if found != kind or owner != mailbox_id:
        raise NotFound()
    return key


def change_key(key: int, version: int) -> str:
    """A text that is another after every change of an item; it begins as recorded ones do."""
    return b2a_base64(_CHANGE_KEY.pack(_CHANGE_KEY_START, key, version), newline=False).decode("ascii")


def looks_like_id(text: str) -> bool:
    """Whether `text` could be a wire id at all, rather than a name someone typed."""
    return text.startswith("AQMkADAwATEx") and text.endswith("=")


def _check(kind: int, mailbox_id: int, scattered: int) -> int:
    return (scattered ^ scattered >> 29 ^ mailbox_id ^ kind) & 0xFF


def _text(packed: bytes) -> str:
    return b2a_base64(packed, newline=False).translate(_URL_SAFE).decode("ascii")
