"""The state of a trigger as a URL carries it, made of the cursor that the trigger reads, and back.

A state has the members that were recorded, and no others. They have no room for the exact position in the change feed
and for the scope, a number that names the trigger and mailbox of a state. Both stand where parsers skip them: in mail
states as blanks before the closing brace of the JSON, in calendar states as digits after the seventh of a second.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import a2b_base64, b2a_base64
from datetime import datetime
from itertools import product
from typing import NamedTuple

from outlook_emulator.clock import iso_seconds, iso_ticks, microseconds

_CREATED = b'"LastCreatedMailTime":"'
# Four blanks stand for a byte: JSON has four kinds of them.
_CHUNKS = [bytes(blanks) for blanks in product(b" \t\r\n", repeat=4)]
_BYTES = {chunk: byte for byte, chunk in enumerate(_CHUNKS)}
_POSITION_BYTES, _SCOPE_BYTES = 8, 4
_HIDDEN = 4 * (_POSITION_BYTES + _SCOPE_BYTES)
_SCOPED_INSTANT = re.compile(r"(.{1,40}\.\d{7})(\d{10})Z", re.ASCII)


class State(NamedTuple):
    """A cursor as a trigger reads it, and the scope of the state that held it, None where a state has none."""

    cursor: str
    scope: int | None


def mail_state(cursor: str, scope: int, now: int) -> str:
    """The state that carries a cursor of a mail trigger.

    `LastCreatedMailTime` is the time of the poll in whole seconds. (Recorded from the Office 365 twin: the trigger
    output in the tests of pnp/cli-microsoft365.)
    """
    start, instant, end = _parts(a2b_base64(cursor))
    position = microseconds(datetime.fromisoformat(instant.decode("ascii")))
    hidden = position.to_bytes(_POSITION_BYTES) + scope.to_bytes(_SCOPE_BYTES)
    blanks = b"".join(map(_CHUNKS.__getitem__, hidden))
    # The closing brace moves behind the blanks.
    state = b2a_base64(b"%b%b%b%b}" % (start, iso_seconds(now).encode(), end[:-1], blanks), newline=False)
    return state.decode("ascii")


def read_mail_state(state: str) -> State:
    """The cursor in a state of a mail trigger; one that a client made itself is its own cursor."""
    try:
        text = b64decode(state.encode("ascii"), validate=True)
        blanks = text[-_HIDDEN - 1 : -1]
        # No blanks: a client made the state itself, or copied it from a recording.
        if len(blanks) < _HIDDEN or blanks.strip():
            return State(state, None)
        hidden = bytes(_BYTES[blanks[at : at + 4]] for at in range(0, _HIDDEN, 4))
        position = iso_ticks(int.from_bytes(hidden[:_POSITION_BYTES]))
        start, _, end = _parts(text)
    except (ValueError, KeyError, OverflowError):
        # The trigger refuses what it cannot read.
        return State(state, None)
    cursor = b"%b%b%b}" % (start, position.encode(), end[: -_HIDDEN - 1])
    return State(b64encode(cursor).decode("ascii"), int.from_bytes(hidden[_POSITION_BYTES:]))


def calendar_state(cursor: str, scope: int) -> str:
    """The state that carries a cursor of a calendar trigger: an instant."""
    return f"{cursor[:-1]}{scope:010d}Z"


def read_calendar_state(state: str) -> State:
    """The cursor in a state of a calendar trigger; one that a client made itself is its own cursor."""
    match = _SCOPED_INSTANT.fullmatch(state)
    return State(state, None) if match is None else State(f"{match[1]}Z", int(match[2]))


def _parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """The position in the JSON of a state, and what comes before and after it. Raises ValueError."""
    before, name, rest = text.partition(_CREATED)
    instant, quote, after = rest.partition(b'"')
    if not (name and quote):
        raise ValueError
    return before + name, instant, quote + after
