"""Checks the values in a database from elsewhere: what the emulator never writes, it could not always read either.

SQLite checks neither ranges nor enumerations nor JSON. What only the domain can tell, such as time zones and recurrence
rules, is checked by `sandbox/imports`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from outlook_emulator.clock import FIRST_INSTANT, LAST_INSTANT
from outlook_emulator.enums import (
    AttendeeType,
    CallbackKind,
    CallbackState,
    ChangeAction,
    EventType,
    Importance,
    ItemKind,
    QuestionKind,
    Recurrence,
    ResponseType,
    ShowAs,
    Watched,
)
from outlook_emulator.store.records import Event

_DAY = 86_400_000_000
_LARGEST_KEY = 2**53
"""Far beyond what counting reaches, and far from where SQLite has no further key."""
_LARGEST_MAILBOX = 2**32 - 1
_LARGEST_NUMBER = 2**31 - 1
_FOREVER = 2**62
_WELL_KNOWN = 8
_MOST_ATTEMPTS = 30
_OWN_RANGES = frozenset({"rowid_", "span_start", "span_end"})
"""The large numbers that are no instants, or may lie beyond all instants."""

_Range = tuple[int, int]
_IMPORTANCE: _Range = (min(Importance), max(Importance))
_RESPONSE: _Range = (min(ResponseType), max(ResponseType))
_NUMBERS: dict[str, dict[str, _Range]] = {
    "mailbox": {"id": (0, _LARGEST_MAILBOX)},
    "content": {"conversation_id": (0, 2**63 - 1), "importance": _IMPORTANCE},
    "attachment": {"size": (0, _LARGEST_NUMBER)},
    "message": {"importance": _IMPORTANCE},
    "event": {
        "type": (min(EventType), max(EventType)),
        "importance": _IMPORTANCE,
        "show_as": (min(ShowAs), max(ShowAs)),
        "reminder": (0, _LARGEST_NUMBER),
        "response": _RESPONSE,
        "recurrence": (min(Recurrence), max(Recurrence)),
        "occurrences": (1, _LARGEST_NUMBER),
        "reach": (0, 2),
        "span_start": (FIRST_INSTANT - 10 * _DAY, LAST_INSTANT),
        "span_end": (FIRST_INSTANT, _FOREVER),
        "version": (0, _LARGEST_NUMBER),
    },
    "contact": {"version": (0, _LARGEST_NUMBER)},
    "callback": {"attempts": (0, _MOST_ATTEMPTS), "last_status": (0, 999)},
    "list_entry": {"type": (min(AttendeeType), max(AttendeeType)), "response": _RESPONSE},
}
"""The least and the greatest value of numbers that are neither keys, instants nor flags."""
_TEXTS: dict[str, dict[str, Iterable[str]]] = {
    "change": {"kind": ItemKind, "action": ChangeAction},
    "callback": {"kind": CallbackKind, "state": CallbackState},
    "subscription": {"watched": Watched},
    "question": {"kind": QuestionKind},
    "list_entry": {"kind": (ItemKind.EVENT, ItemKind.CONTACT)},
}
"""The texts that are members of enumerations."""
_REFERENCES: dict[str, Sequence[str]] = {
    "mailbox": (
        *(
            f"NOT EXISTS (SELECT 1 FROM folder WHERE folder.id = {name} AND folder.mailbox_id = mailbox.id)"
            for name in ("inbox_id", "sent_id", "deleted_id")
        ),
        f"(SELECT count(DISTINCT well_known) FROM folder WHERE mailbox_id = mailbox.id) < {_WELL_KNOWN}",
        *(
            f"NOT EXISTS (SELECT 1 FROM {table} WHERE mailbox_id = mailbox.id AND is_default = 1)"
            for table in ("calendar", "contact_folder")
        ),
    ),
    "message": ("mailbox_id <> (SELECT mailbox_id FROM folder WHERE id = folder_id)",),
    "event": (
        "mailbox_id <> (SELECT mailbox_id FROM calendar WHERE id = calendar_id)",
        # Not the other way round: an occurrence may come without its series, from a file or by an invitation.
        "master_id IS NOT NULL AND original_start IS NULL",
        "end_at < start_at",
        "(type = 4) <> (rule IS NOT NULL)",
    ),
    "contact": ("mailbox_id <> (SELECT mailbox_id FROM contact_folder WHERE id = folder_id)",),
    "question": ("(answer IS NULL) <> (answered IS NULL)",),
    "search_entry": (
        # As `search` makes the row ids, so that the index has room for every message.
        "(rowid_ & 0x1FFFFF) <> (message_id & 0x1FFFFF)",
        "NOT EXISTS (SELECT 1 FROM message_search_content WHERE id = rowid_ AND c0 = message_id)",
        "(SELECT count(*) FROM message_search_content) <> (SELECT count(*) FROM search_entry)",
    ),
}
"""What is wrong with a row, as a condition."""
_FOLDERS_IN_TREES = """
WITH RECURSIVE tree (id, mailbox_id) AS (
    SELECT id, mailbox_id FROM folder WHERE parent_id IS NULL
    UNION SELECT folder.id, folder.mailbox_id FROM tree JOIN folder
    ON folder.mailbox_id = tree.mailbox_id AND folder.parent_id = tree.id
)
SELECT count(*) FROM tree
"""


def check(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Check the values in tables, whose columns have values of their types. Raises ValueError."""
    for table in tables:
        _check_numbers(connection, table)
        for column, texts in _TEXTS.get(table, {}).items():
            known = ", ".join(f"'{text}'" for text in texts)
            _check_none(connection, table, f'"{column}" NOT IN ({known})', f"an unknown value in '{column}'")
        if shapes := _SHAPES.get(table):
            _check_json(connection, table, shapes)
    for table, conditions in _REFERENCES.items():
        for condition in conditions:
            _check_none(connection, table, condition, "values that do not fit together")
    (folders,), (in_trees,) = (
        connection.execute(query).fetchone() for query in ("SELECT count(*) FROM folder", _FOLDERS_IN_TREES)
    )
    if folders != in_trees:
        raise ValueError("its folders are no tree")
    _check_none(connection, "sqlite_sequence", f"seq NOT BETWEEN 0 AND {_LARGEST_KEY}", "a counter beyond all keys")


def _check_numbers(connection: sqlite3.Connection, table: str) -> None:
    ranges = dict(_NUMBERS.get(table, {}))
    query = "SELECT name, type, pk, dflt_value FROM pragma_table_info(?)"
    for name, kind, is_key, default in connection.execute(query, (table,)):
        if name in ranges:
            continue
        if kind == "BIGINT" and name not in _OWN_RANGES:
            ranges[name] = (FIRST_INSTANT, LAST_INSTANT)
        elif kind == "INTEGER" and default == "0":
            ranges[name] = (0, 1)
        elif kind == "INTEGER" and is_key:
            ranges[name] = (0, _LARGEST_KEY)
    for name, (least, most) in ranges.items():
        _check_none(connection, table, f'"{name}" NOT BETWEEN {least} AND {most}', f"a value out of range in '{name}'")


def _check_none(connection: sqlite3.Connection, table: str, condition: str, problem: str) -> None:
    """Raise ValueError if a row fulfils a condition."""
    if connection.execute(f'SELECT 1 FROM "{table}" WHERE {condition} LIMIT 1').fetchone():
        raise ValueError(f"its table '{table}' has {problem}")


# --- JSON ---

Shape = Callable[[Any], bool]
"""Whether a JSON value has a form."""


def _check_json(connection: sqlite3.Connection, table: str, shapes: dict[str, Shape]) -> None:
    for column, has_shape in shapes.items():
        for (text,) in connection.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'):
            if not _is_json(text, has_shape):
                raise ValueError(f"its table '{table}' has a value that cannot be read in '{column}'")


def _is_json(text: str, has_shape: Shape) -> bool:
    try:
        return has_shape(orjson.loads(text))
    except ValueError:
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_instant(value: Any) -> bool:
    return type(value) is int and FIRST_INSTANT <= value <= LAST_INSTANT


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _list_of(entry: Shape) -> Shape:
    return lambda value: isinstance(value, list) and all(map(entry, value))


def _is_object_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_address(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (1, 2) and all(map(_is_text, value))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


def _is_attendee(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 5 or not _is_pair(value[:2]):
        return False
    kind, response, responded = value[2:]
    return (
        type(kind) is int
        and min(AttendeeType) <= kind <= max(AttendeeType)
        and type(response) is int
        and _RESPONSE[0] <= response <= _RESPONSE[1]
        and (responded is None or _is_instant(responded))
    )


def is_place(value: Any) -> bool:
    """Whether a JSON value can be the address and the coordinates of an event: objects of texts and numbers."""
    return isinstance(value, dict) and all(
        isinstance(part, dict) and all(isinstance(entry, str | float | int | None) for entry in part.values())
        for part in value.values()
    )


_addresses, _texts = _list_of(_is_address), _list_of(_is_text)
_ENVELOPE: dict[str, Shape] = {
    "sender": lambda value: value is None or _is_address(value),
    "to": _addresses,
    "cc": _addresses,
    "reply_to": _addresses,
    "in_reply_to": _is_text_or_none,
    "references": _texts,
    "headers": _list_of(_is_pair),
}


def _is_envelope(value: Any) -> bool:
    return isinstance(value, dict) and all(name in value and fits(value[name]) for name, fits in _ENVELOPE.items())


_EVENT_JSON: dict[str, Shape] = {
    "place": is_place,
    "categories": _texts,
    "attendees": _list_of(_is_attendee),
    "rule": _is_object,
    "excluded": _list_of(_is_instant),
    "added": _list_of(_is_instant),
}


def _is_event(value: Any) -> bool:
    """A row of an event as the change feed keeps it."""
    if not isinstance(value, list) or len(value) != len(Event._fields):
        return False
    event = Event._make(value)._asdict()
    hints = Event.__annotations__
    return all(_is_column(event[name], str(hint)) for name, hint in hints.items()) and all(
        event[name] is None or _is_json(event[name], fits) for name, fits in _EVENT_JSON.items()
    )


def _is_column(value: Any, hint: str) -> bool:
    if value is None:
        return "None" in hint
    return type(value) is int if "int" in hint else isinstance(value, str)


_SHAPES: dict[str, dict[str, Shape]] = {
    "callback": {"headers": _is_object_of_texts},
    "change": {"before": _is_event},
    "contact": {
        "email_addresses": _addresses,
        **dict.fromkeys(("im_addresses", "home_phones", "business_phones", "categories"), _texts),
    },
    "content": {"headers": _is_envelope},
    "event": _EVENT_JSON,
    "push": {"parameters": _is_object_of_texts},
    "question": {"options": _texts},
    "subscription": {"options": _is_object},
}
"""The columns with JSON, and the form that it has."""
