"""The state of a trigger as a URL carries it, made of the cursor that the trigger reads, and back.

A state has the members that were recorded, and no others. They have no room for the exact position in the change feed
and for the scope, a number that names the trigger and mailbox of a state. Both stand where parsers skip them: in mail
states as blanks before the closing brace of the JSON, in calendar states as digits after the seventh of a second.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

import orjson

from outlook_emulator.clock import iso_seconds, iso_ticks, microseconds

_CREATED = "LastCreatedMailTime"
# Four blanks stand for a byte: JSON has four kinds of them.
_CHUNKS = [bytes(blanks) for blanks in product(b" \t\r\n", repeat=4)]
_BYTES = {chunk: byte for byte, chunk in enumerate(_CHUNKS)}
_POSITION_BYTES, _SCOPE_BYTES = 8, 4
_HIDDEN = re.compile(rb"((?:[ \t\r\n]{4}){%d})\}\Z" % (_POSITION_BYTES + _SCOPE_BYTES))
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
    members = _members(cursor)
    position = microseconds(datetime.fromisoformat(members[_CREATED]))
    text = orjson.dumps(members | {_CREATED: iso_seconds(now)})
    hidden = position.to_bytes(_POSITION_BYTES) + scope.to_bytes(_SCOPE_BYTES)
    return b64encode(text[:-1] + b"".join(_CHUNKS[byte] for byte in hidden) + b"}").decode("ascii")


def read_mail_state(state: str) -> State:
    """The cursor in a state of a mail trigger; one that a client made itself is its own cursor."""
    try:
        match = _HIDDEN.search(b64decode(state.encode("ascii"), validate=True))
        if match is None:
            return State(state, None)
        hidden = bytes(_BYTES[match[1][at : at + 4]] for at in range(0, len(match[1]), 4))
        position = iso_ticks(int.from_bytes(hidden[:_POSITION_BYTES]))
        cursor = orjson.dumps(_members(state) | {_CREATED: position})
    except (Error, ValueError, TypeError, OverflowError):
        # The trigger refuses what it cannot read.
        return State(state, None)
    return State(b64encode(cursor).decode("ascii"), int.from_bytes(hidden[_POSITION_BYTES:]))


def calendar_state(cursor: str, scope: int) -> str:
    """The state that carries a cursor of a calendar trigger: an instant."""
    return f"{cursor[:-1]}{scope:010d}Z"


def read_calendar_state(state: str) -> State:
    """The cursor in a state of a calendar trigger; one that a client made itself is its own cursor."""
    match = _SCOPED_INSTANT.fullmatch(state)
    return State(state, None) if match is None else State(f"{match[1]}Z", int(match[2]))


def _members(text: str) -> dict[str, Any]:
    members: dict[str, Any] = orjson.loads(b64decode(text))
    return members
