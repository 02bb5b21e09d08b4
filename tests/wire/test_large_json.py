"""Large JSON is read in steps, and means the same as read at once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.content_limits import ITEMS, NESTING, TEXT
from outlook_emulator.errors import TooMuchContent
from outlook_emulator.wire import large_json
from outlook_emulator.wire.large_json import LongText, joined, read_large_json

_TEXTS = st.text(max_size=40) | st.text('"\\/\n\u00e9\U0001f600 ab', max_size=200)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(_TEXTS, inner, max_size=6),
    max_leaves=10,
)
_CONTAINERS = st.lists(_VALUES, max_size=8) | st.dictionaries(_TEXTS, _VALUES, max_size=8)


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_json, "_STEP", 12)
    monkeypatch.setattr(large_json, "_PIECE", 16)


@given(_CONTAINERS, st.sampled_from([0, orjson.OPT_INDENT_2]))
def test_reads_what_was_written(value: Any, option: int) -> None:
    assert joined(read_large_json(orjson.dumps(value, option=option))) == value


@given(_CONTAINERS)
def test_reads_escapes_wherever_a_piece_ends(value: Any) -> None:
    import json

    assert joined(read_large_json(json.dumps(value, ensure_ascii=True).encode())) == value


@given(st.text('{}[]",:\\ u0a1', max_size=40).map(str.encode) | st.binary(max_size=30))
def test_refuses_what_the_library_refuses(data: bytes) -> None:
    try:
        wanted = orjson.loads(data)
    except ValueError:
        wanted = None
    try:
        value = joined(read_large_json(data))
    except ValueError:
        value = None
    assert value == (wanted if isinstance(wanted, dict | list) else None)


def test_refuses_too_many_items_and_levels() -> None:
    with pytest.raises(TooMuchContent, match=str(ITEMS.most)):
        read_large_json(b'{"a":[' + b",".join([b"1"] * (ITEMS.most + 10)) + b"]}")
    with pytest.raises(TooMuchContent, match=str(NESTING.most)):
        read_large_json(b"[" * (NESTING.most + 1))


def test_joins_no_text_above_the_limit() -> None:
    with pytest.raises(TooMuchContent, match=str(TEXT.most)):
        str(LongText(["a" * TEXT.most, "a"]))
