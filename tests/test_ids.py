"""Wire ids: unique, decodable, and strict about malformed and foreign ids."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidId, NotFound
from outlook_emulator.ids import ITEM_PATTERN, IdKind, decode, encode, looks_like_id

FIXED = settings(derandomize=True, database=None, deadline=None)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
LARGEST = 2**63 - 1
LENGTHS = {
    IdKind.MESSAGE: 140,
    IdKind.FOLDER: 104,
    IdKind.ATTACHMENT: 168,
    IdKind.CONVERSATION: 68,
    IdKind.CALENDAR: 140,
    IdKind.EVENT: 140,
    IdKind.OCCURRENCE: 156,
    IdKind.CONTACT_FOLDER: 104,
    IdKind.CONTACT: 140,
}
"""In ids of personal mailboxes that are pasted in public code; that of occurrences is inferred from work mailboxes."""

kinds = st.sampled_from(IdKind)
mailboxes = st.integers(1, 2**32 - 1)
keys = st.integers(1, LARGEST)


@FIXED
@given(kinds, mailboxes, keys)
@example(IdKind.MESSAGE, 1, LARGEST)
def test_round_trip(kind: IdKind, mailbox: int, key: int) -> None:
    """An id decodes to the key it was encoded from."""
    assert key == decode(kind, mailbox, encode(kind, mailbox, key), "id")


@FIXED
@given(kinds, mailboxes, keys)
def test_format(kind: IdKind, mailbox: int, key: int) -> None:
    """An id is URL-safe, contains no slash, and has start, end and length of those of a personal mailbox."""
    id = encode(kind, mailbox, key)

    assert re.fullmatch(r"AQ[MQ]kADAwATM0MDAAMS[A-Za-z0-9_-]+={1,2}", id)
    assert len(id) == LENGTHS[kind]
    assert looks_like_id(id) is (kind is not IdKind.CONVERSATION)


@FIXED
@given(st.lists(st.tuples(kinds, mailboxes, keys), min_size=2, max_size=50, unique=True))
def test_distinct(things: list[tuple[IdKind, int, int]]) -> None:
    """Different keys have different ids."""
    assert len(things) == len({encode(*thing) for thing in things})


def test_adjacent_keys() -> None:
    """Ids of adjacent keys differ near their end only, like those of a real mailbox, but in several characters."""
    first, other = (encode(IdKind.MESSAGE, 1, key) for key in (1, 2))

    assert first[:120] == other[:120]
    assert sum(a != b for a, b in zip(first, other, strict=True)) >= 5


@FIXED
@given(kinds, mailboxes, keys, st.integers(0, 1000), st.sampled_from(ALPHABET))
def test_changed_character(kind: IdKind, mailbox: int, key: int, place: int, character: str) -> None:
    """An id with one changed character is malformed, not found, or the valid id of another item."""
    id = encode(kind, mailbox, key)
    place %= len(id)
    assume(id[place] != character)
    changed = id[:place] + character + id[place + 1 :]

    try:
        key_back = decode(kind, mailbox, changed, "id")
    except (InvalidId, NotFound):
        return

    # The checksum has eight bits, so a changed id may belong to another item, but never to the same one.
    assert key != key_back
    assert changed == encode(kind, mailbox, key_back)


@FIXED
@given(kinds, mailboxes, keys, st.integers(1, 67))
def test_partial_id(kind: IdKind, mailbox: int, key: int, length: int) -> None:
    """A part of an id is malformed, and so is an id with additional characters."""
    id = encode(kind, mailbox, key)

    for text in (id[:length], id[length:], id + id[:length]):
        with pytest.raises(InvalidId):
            decode(kind, mailbox, text, "id")


@FIXED
@given(kinds, mailboxes, mailboxes, keys)
def test_another_mailbox(kind: IdKind, mailbox: int, other: int, key: int) -> None:
    """An id of another mailbox is not found, not malformed."""
    assume(mailbox != other)

    with pytest.raises(NotFound):
        decode(kind, other, encode(kind, mailbox, key), "id")


@pytest.mark.parametrize("kind", IdKind)
@pytest.mark.parametrize("other", IdKind)
def test_another_kind(kind: IdKind, other: IdKind) -> None:
    """An id of another kind in the same mailbox is not found."""
    if kind is other:
        assert decode(kind, 1, encode(other, 1, 5), "id") == 5
    else:
        with pytest.raises(NotFound):
            decode(kind, 1, encode(other, 1, 5), "id")


@pytest.mark.parametrize("key", [2**63, 2**64 - 1])
@pytest.mark.parametrize("mailbox", [1, 2])
def test_key_above_the_maximum(key: int, mailbox: int) -> None:
    """A forged id with a key above the maximum is malformed, in any mailbox."""
    with pytest.raises(InvalidId):
        decode(IdKind.MESSAGE, 1, encode(IdKind.MESSAGE, mailbox, key), "id")


@pytest.mark.parametrize(
    "id", ["AAMkAGI2" + "TG93AAA" * 20 + "TG9=", "AQMkADAwATMwMAEx" + "LTBi" * 31, "AQMkADAwATM0" + "ab+/" * 31]
)
def test_an_id_of_a_real_mailbox(id: str) -> None:
    """An id in Exchange's form that no mailbox here issued is not found, as on the real service."""
    assert re.fullmatch(ITEM_PATTERN, id)
    with pytest.raises(NotFound):
        decode(IdKind.MESSAGE, 1, id, "messageId")


@pytest.mark.parametrize("kind", [IdKind.MESSAGE, IdKind.ATTACHMENT, IdKind.EVENT, IdKind.OCCURRENCE, IdKind.CONTACT])
def test_ids_of_items_have_the_declared_form(kind: IdKind) -> None:
    """The pattern in the definition matches the ids that are issued."""
    assert all(re.fullmatch(ITEM_PATTERN, encode(kind, mailbox, 7)) for mailbox in (1, 2, 99))


@FIXED
@given(st.text() | st.text(ALPHABET).map("AQMkADAwATM0{}=".format) | st.text(ALPHABET, min_size=104, max_size=104))
@example("")
@example("AQMkADAwATM0=")
@example("ＡQMkADAwATM0")
@example("\ud800")
@example("AQMkADAwATM0\n=")
@example("A" * 100_000)
def test_invented_id(text: str) -> None:
    """An id that was never issued is malformed; the error names the parameter and does not quote the id."""
    with pytest.raises(InvalidId) as refusal:
        decode(IdKind.MESSAGE, 1, text, "messageId")

    assert ("Id is malformed.", "Id is malformed. (messageId)") == (refusal.value.message, refusal.value.original)


@pytest.mark.parametrize("spelling", [lambda id: id.replace("=", ""), lambda id: id + "\n", lambda id: f" {id}"])
def test_other_spellings(spelling: Callable[[str], str]) -> None:
    """An id has exactly one spelling; other spellings of the same base64 value are malformed."""
    id = encode(IdKind.MESSAGE, 1, 7)

    with pytest.raises(InvalidId):
        decode(IdKind.MESSAGE, 1, spelling(id), "id")
