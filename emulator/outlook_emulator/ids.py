"""Converts keys of the store to the ids that clients see, and back.

Ids have the layout and the length of those of a personal mailbox, as many are pasted in public code: URL-safe base64 of
the mailbox, the store, the folder and a counter. Clients size their columns by them. They contain their mailbox, so
that an id of another mailbox can be told from a malformed one.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from enum import IntEnum
from functools import lru_cache
from struct import Struct

from outlook_emulator.errors import ConnectorError, InvalidId, InvalidRequest, NotFound
from outlook_emulator.patterns import pattern


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


# The folder that an id names besides the item: the hidden one with the list of calendars, or the kind's default folder.
_FOLDER_NUMBERS = {
    IdKind.CALENDAR: 0x06,
    IdKind.MESSAGE: 0x0C,
    IdKind.ATTACHMENT: 0x0C,
    IdKind.EVENT: 0x0D,
    IdKind.OCCURRENCE: 0x0D,
    IdKind.CONTACT: 0x0E,
}
_FOLDERS = (IdKind.FOLDER, IdKind.CONTACT_FOLDER)
_ITEM_END = Struct(">QQ2xBI2xB")
_FOLDER_END = Struct(">QQBI2x")
_ATTACHMENT_END = Struct(">QQ")
_ATTACHMENT_MARK = b"\x01\x12\x00\x10\x00"
_CONVERSATION_END = Struct(">QIHBB")
_CHANGE_KEY = Struct(">QQ2xI")
# The key of a contact begins with its type and its length, that of an event does not (both recorded).
_CONTACT_KEY_START = b"\x11\x00\x00\x00\x16\x00\x00\x00"
# Where the part begins that differs between the items of a mailbox, and where that of its mailbox ends.
_MAILBOX_END = 31
_OWN_START = 40
"""How many characters of an id follow from its mailbox alone."""
_ITEM_START_SIZE = 78
_ITEM_SIZE = _ITEM_START_SIZE + _ITEM_END.size
_TICKS_START = _MAILBOX_END + 4
_TICKS_END = _TICKS_START + 8
_KINDS = {
    _ITEM_SIZE: (IdKind.MESSAGE, IdKind.EVENT, IdKind.CONTACT, IdKind.CALENDAR),
    # Three bytes more before the folder, and eight for the start.
    _ITEM_SIZE + 11: (IdKind.OCCURRENCE,),
    _ITEM_SIZE + len(_ATTACHMENT_MARK) + _ATTACHMENT_END.size: (IdKind.ATTACHMENT,),
    _MAILBOX_END + 23 + _FOLDER_END.size: _FOLDERS,
    _MAILBOX_END + 3 + _CONVERSATION_END.size: (IdKind.CONVERSATION,),
}
"""The kinds that an id can be of, by its length in bytes."""

ITEM_PATTERN = "^A[AQ]Mk(?:[A-Za-z0-9+/_-]{4}){24,99}(?:[A-Za-z0-9+/_-]{2}==|[A-Za-z0-9+/_-]{3}=)?$"
"""Matches what reads like the id of an item of any mailbox, as pasted in public code: base64 with Exchange's start."""
_ITEM_FORM = pattern(ITEM_PATTERN[1:-1])
_CONNECTION_ID = pattern(r"(?=.{1,128}\Z)[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*")
_PREFIX = "AQMkADAwAT"
_MASK_32 = 2**32 - 1
_MASK_64 = 2**64 - 1
_LARGEST_KEY = 2**63 - 1
# Multiplying by an odd number permutes the numbers of so many bits, so ids look random without a table.
_SCATTER_32 = 0x9E3779B1
_GATHER_32 = pow(_SCATTER_32, -1, 2**32)
_SCATTER_64 = 0x9E3779B97F4A7C15
_GATHER_64 = pow(_SCATTER_64, -1, 2**64)
# The key of an occurrence: that of its series, then its original start in seconds since the year 1.
_START_BITS = 39
_TICKS = 10_000_000
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_FILE_TIME_1970 = 116_444_736_000_000_000


@lru_cache(maxsize=16384)
def encode(kind: IdKind, mailbox_id: int, key: int) -> str:
    """The wire id of `key` in a mailbox."""
    return b2a_base64(_packed(kind, mailbox_id, key), newline=False).translate(_URL_SAFE).decode("ascii")


def decode(kind: IdKind, mailbox_id: int, text: str, field: str) -> int:
    """The key of an id. Raises NotFound for the id of another mailbox or kind, and for one that reads like a real one.

    Raises InvalidId with the `field` for any other text.
    """
    try:
        packed = a2b_base64(text.encode("ascii").translate(_STANDARD))
    except (Error, ValueError):
        raise InvalidId(field) from None
    kinds = _KINDS.get(len(packed))
    if kinds is None:
        raise _unknown(text, None, field)
    # Any of the kinds will do: those of one length hold owner and key in the same bytes.
    owner, key = _unpacked(kinds[0], packed)
    if not 0 <= key <= _LARGEST_KEY:
        raise _unknown(text, encode(kinds[0], owner, 0), field)
    # An id has a single spelling, and each of its bytes follows from owner and key.
    if kind in kinds and owner == mailbox_id and encode(kind, owner, key) == text:
        return key
    if any(encode(other, owner, key) == text for other in kinds):
        raise NotFound()
    raise _unknown(text, encode(kinds[0], owner, 0), field)


def event_change_key(mailbox_id: int, key: int, version: int) -> str:
    """A text that differs after every change of an event: 32 characters, as recorded."""
    return _change_key(b"", mailbox_id, key, version)


def contact_change_key(mailbox_id: int, key: int, version: int) -> str:
    """A text that differs after every change of a contact: `EQAAABYAAA…` with 40 characters, as recorded."""
    return _change_key(_CONTACT_KEY_START, mailbox_id, key, version)


def event_uid(created: int, random: int) -> str:
    """The UID of an event made at `created`, in microseconds since 1970, from 128 random bits.

    112 upper-case hex digits, as recorded: a fixed start, the time in 100 ns since 1601 with its low byte first, the
    length of the rest, and the rest.
    """
    file_time = (created * 10 + _FILE_TIME_1970).to_bytes(8, "little").hex().upper()
    return f"040000008200E00074C5B7101A82E00800000000{file_time}000000000000000010000000{random:032X}"


def check_connection_id(id: str) -> None:
    """Raise InvalidRequest for a text that cannot be a connection id."""
    if not _CONNECTION_ID.fullmatch(id):
        rule = "1 to 128 letters, digits, -_~ and inner dots"
        raise InvalidRequest(f"A connection id has {rule}, unlike '{id[:130]}'.")


def looks_like_id(text: str) -> bool:
    """Whether a text has the form of an id, rather than of a name."""
    # No layout has a length that three divides, so base64 always ends in padding.
    return text.startswith(_PREFIX) and text.endswith("=")


def _unknown(text: str, own: str | None, field: str) -> ConnectorError:
    """The error for an id that no mailbox here issued: a real mailbox may have, if it has the form.

    `own` is an id of the mailbox that the text seems to be from: a text that starts like it is a damaged id.
    """
    is_damaged = own is not None and text.startswith(own[:_OWN_START])
    return NotFound() if _ITEM_FORM.fullmatch(text) and not is_damaged else InvalidId(field)


def _packed(kind: IdKind, mailbox_id: int, key: int) -> bytes:
    start, store, store_end = _start(kind, mailbox_id)
    if kind is IdKind.CONVERSATION:
        scattered = key * _SCATTER_64 & _MASK_64
        owner = store >> 32
        check = _check(kind, mailbox_id, scattered & _MASK_32, scattered >> 32)
        return start + _CONVERSATION_END.pack(scattered, owner, store_end >> 48, check, owner & 255)
    row = key >> _START_BITS if kind is IdKind.OCCURRENCE else key
    # The counter has 32 bits, so a larger key shows in the store's GUID.
    high, low = row >> 32, row * _SCATTER_32 & _MASK_32
    check = _check(kind, mailbox_id, low, high)
    if kind in _FOLDERS:
        return start + _FOLDER_END.pack(store ^ high, store_end, check, low)
    item = start + _ITEM_END.pack(store ^ high, store_end, check, low, 0)
    if kind is IdKind.OCCURRENCE:
        ticks = (key & (1 << _START_BITS) - 1) * _TICKS
        return item[:_TICKS_START] + ticks.to_bytes(8) + item[_TICKS_START:-1] + b"\x10"
    if kind is IdKind.ATTACHMENT:
        scattered = key * _SCATTER_64 & _MASK_64
        return item + _ATTACHMENT_MARK + _ATTACHMENT_END.pack(scattered ^ store_end, scattered)
    return item


def _unpacked(kind: IdKind, packed: bytes) -> tuple[int, int]:
    """The mailbox and the key in an id whose bytes may be anything."""
    if kind is IdKind.CONVERSATION:
        scattered, owner, *_ = _CONVERSATION_END.unpack_from(packed, _MAILBOX_END + 3)
        return owner * _GATHER_32 & _MASK_32, scattered * _GATHER_64 & _MASK_64
    if kind in _FOLDERS:
        store, _, _, low = _FOLDER_END.unpack(packed[-_FOLDER_END.size :])
    else:
        end = _ITEM_START_SIZE if kind is IdKind.ATTACHMENT else len(packed) - _ITEM_END.size
        store, _, _, low, _ = _ITEM_END.unpack_from(packed, end)
    mailbox_id = (store >> 32) * _GATHER_32 & _MASK_32
    high = (store ^ _store(mailbox_id)[0]) & _MASK_32
    key = high << 32 | low * _GATHER_32 & _MASK_32
    if kind is IdKind.OCCURRENCE:
        key = key << _START_BITS | int.from_bytes(packed[_TICKS_START:_TICKS_END]) // _TICKS
    return mailbox_id, key


@lru_cache(maxsize=4096)
def _start(kind: IdKind, mailbox_id: int) -> tuple[bytes, int, int]:
    """The first bytes of all ids of a kind in a mailbox, and the GUID of its store."""
    store, store_end = _store(mailbox_id)
    digits = _digits(store)
    # The text 00034001-XXXX-XXXX-0000-000000000000, where a pair of equal characters is followed by how many more come.
    mailbox = b"\x24\x0000\x013400\x001-" + digits[:4] + b"-" + digits[4:] + b"-00\x02-00\x0a"
    if kind is IdKind.CONVERSATION:
        return b"\x01\x04" + mailbox + b"\x00\x10\x00", store, store_end
    provider = (store_end * _SCATTER_64 & _MASK_64).to_bytes(8) + (store * _SCATTER_64 & _MASK_64).to_bytes(8)
    if kind in _FOLDERS:
        return b"\x01\x03" + mailbox + b"\x00\x2e\x00\x00\x03" + provider + b"\x01\x00", store, store_end
    entry = b"\x01\x51\x00\x08\x46" if kind is IdKind.OCCURRENCE else b"\x00\x46"
    folder = bytes((0, 0, 2, 1, _FOLDER_NUMBERS[kind], 0, 0, 0))
    place = store.to_bytes(8) + store_end.to_bytes(8) + folder
    return b"\x01\x03" + mailbox + entry + b"\x00\x00\x03" + provider + b"\x07\x00" + place, store, store_end


@lru_cache(maxsize=4096)
def _store(mailbox_id: int) -> tuple[int, int]:
    """The GUID of a mailbox's store, as two 64-bit numbers; the first 32 bits name the mailbox."""
    start = (mailbox_id * _SCATTER_32 & _MASK_32) << 32
    end = (mailbox_id + 1) * _SCATTER_64 & _MASK_64
    return start | end >> 32 ^ mailbox_id, end ^ end >> 29


def _digits(store: int) -> bytes:
    """Eight hex digits that follow from a store, no two equal ones side by side."""
    digit, digits = 0, ""
    for place in range(8):
        digit = (digit + 1 + (store >> 4 * place & 15) % 15) % 16
        digits += f"{digit:x}"
    return digits.encode()


def _check(kind: int, mailbox_id: int, low: int, high: int) -> int:
    return (low ^ low >> 13 ^ high ^ high >> 11 ^ mailbox_id ^ kind * 29) & 0xFF


def _change_key(start: bytes, mailbox_id: int, key: int, version: int) -> str:
    counter = key * _SCATTER_32 + version & _MASK_32
    return b2a_base64(start + _CHANGE_KEY.pack(*_store(mailbox_id), counter), newline=False).decode("ascii")
