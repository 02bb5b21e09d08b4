"""The state of a trigger in a URL, and the cursor in it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.clock import iso_seconds, iso_ticks
from outlook_emulator.wire.cursors import State, calendar_state, mail_state, read_calendar_state, read_mail_state

YEAR_3000 = 32_503_680_000_000_000
instants, scopes = st.integers(0, YEAR_3000), st.integers(0, 2**32 - 1)


def mail_cursor(created: int, received: int, id: str | None) -> str:
    members = {
        "LastReceivedMailTime": iso_ticks(received),
        "LastCreatedMailTime": iso_ticks(created),
        "LastMessageId": id,
        "LastInternetMessageId": id,
    }
    return b64encode(json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()).decode()


@given(instants, instants, instants, scopes, st.none() | st.text(max_size=20))
def test_a_mail_state_holds_its_cursor(created: int, received: int, now: int, scope: int, id: str | None) -> None:
    """The cursor and the scope come back exactly, and JSON shows the recorded members with the time of the poll."""
    cursor = mail_cursor(created, received, id)
    state = mail_state(cursor, scope, now)

    assert State(cursor, scope) == read_mail_state(state)
    members = json.loads(b64decode(cursor)) | {"LastCreatedMailTime": iso_seconds(now)}
    assert members == json.loads(b64decode(state))


@given(instants, scopes)
def test_a_calendar_state_holds_its_cursor(position: int, scope: int) -> None:
    """The cursor and the scope come back exactly."""
    cursor = iso_ticks(position).replace("+00:00", "Z")

    assert State(cursor, scope) == read_calendar_state(calendar_state(cursor, scope))


@pytest.mark.parametrize(
    "state",
    [
        "",
        "x",
        "é",
        "e30=",
        b64encode(b"}").decode(),
        b64encode(b"{" + b" " * 48 + b"}").decode(),
        b64encode(b'{"LastCreatedMailTime":"' + b" " * 48 + b"}").decode(),
        b64encode(b'{"LastCreatedMailTime":"2026-01-01T00:00:00Z"' + b"\n" * 48 + b"}").decode(),
        b64encode(b'{"LastCreatedMailTime":"2026-01-01T00:00:00Z"' + b"\v" * 48 + b"}").decode(),
        b64encode(b'{"LastCreatedMailTime":"2026-01-01T00:00:00Z"\n}').decode(),
    ],
)
def test_a_state_of_another_form_is_its_own_cursor(state: str) -> None:
    """A state that was not made here, or was broken, is left to the trigger to read or refuse."""
    assert State(state, None) == read_mail_state(state)


@pytest.mark.parametrize("state", ["", "x", "Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567Z"])
def test_an_instant_of_another_form_is_its_own_cursor(state: str) -> None:
    """An instant without a scope is left to the trigger."""
    assert State(state, None) == read_calendar_state(state)
