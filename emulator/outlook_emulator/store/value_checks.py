"""Checks the values in a database from elsewhere: what the emulator never writes, it could not always read either.

SQLite checks neither ranges nor enumerations nor JSON. What only the domain can tell, such as time zones and recurrence
rules, is checked by `sandbox/imports`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson

from outlook_emulator.clock import FIRST_INSTANT, LAST_INSTANT, LATEST
from outlook_emulator.enums import (
    AttendeeType,
    CallbackKind,
    CallbackState,
    ChangeAction,
    DayOfWeek,
    EventType,
    Importance,
    ItemKind,
    PatternType,
    QuestionKind,
    Recurrence,
    ResponseType,
    ShowAs,
    Watched,
    WeekIndex,
)
from outlook_emulator.store.records import AFTER_EVENTS, FIRST_EVENT, Event

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

Range = tuple[int, int]
_IMPORTANCE: Range = (min(Importance), max(Importance))
_RESPONSE: Range = (min(ResponseType), max(ResponseType))
_CHANGED: Range = (FIRST_INSTANT, LATEST + 365 * _DAY)
"""Unlike the dates in mails, these come from the clock, and a later change adds to them."""
_NUMBERS: dict[str, dict[str, Range]] = {
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
        "start_at": (FIRST_EVENT, AFTER_EVENTS - 1),
        "end_at": (FIRST_EVENT, AFTER_EVENTS - 1),
        "span_start": (FIRST_INSTANT - 10 * _DAY, LAST_INSTANT),
        "span_end": (FIRST_INSTANT, _FOREVER),
        "created": _CHANGED,
        "modified": _CHANGED,
        "version": (0, _LARGEST_NUMBER),
    },
    "contact": {"created": _CHANGED, "modified": _CHANGED, "version": (0, _LARGEST_NUMBER)},
    "change": {"at": _CHANGED},
    "callback": {"attempts": (0, _MOST_ATTEMPTS), "last_status": (0, 999)},
    "list_entry": {"type": (min(AttendeeType), max(AttendeeType)), "response": _RESPONSE},
}
"""The least and the greatest value of numbers that are neither keys, instants nor flags."""
TEXTS: dict[str, dict[str, Iterable[str]]] = {
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
SELECT id FROM tree
"""


def check(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Check the values in tables, whose columns have values of their types. Raises ValueError."""
    for table in tables:
        for column, range_ in ranges_of(connection, table).items():
            _check_none(connection, table, outside(column, range_), f"a value out of range in '{column}',")
        for column in TEXTS.get(table, {}):
            _check_none(connection, table, unknown(table, column), f"an unknown value in '{column}',")
        for column, shape in SHAPES.get(table, {}).items():
            for row, text in _texts_in(connection, table, column):
                if not shape.fits_text(text):
                    raise ValueError(f"its table '{table}' has a value that cannot be read in '{column}', row {row}")
    for table, conditions in _REFERENCES.items():
        for condition in conditions:
            _check_none(connection, table, condition, "values that do not fit together in")
    _check_none(connection, "folder", f"id NOT IN ({_FOLDERS_IN_TREES})", "a folder outside of the tree,")
    counters = f"seq NOT BETWEEN 0 AND {_LARGEST_KEY}"
    _check_none(connection, "sqlite_sequence", counters, "a counter beyond all keys,")


def ranges_of(connection: sqlite3.Connection, table: str) -> dict[str, Range]:
    """The columns of a table that hold numbers, each with its least and its greatest value."""
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
    return ranges


def outside(column: str, range_: Range) -> str:
    """The condition of rows whose number in a column is out of its range."""
    return f'"{column}" NOT BETWEEN {range_[0]} AND {range_[1]}'


def unknown(table: str, column: str) -> str:
    """The condition of rows whose text in a column is no member of its enumeration."""
    known = ", ".join(f"'{text}'" for text in TEXTS[table][column])
    return f'"{column}" NOT IN ({known})'


def _check_none(connection: sqlite3.Connection, table: str, condition: str, problem: str) -> None:
    """Raise ValueError that names the row if one fulfils a condition."""
    if row := connection.execute(f'SELECT rowid FROM "{table}" WHERE {condition} LIMIT 1').fetchone():
        raise ValueError(f"its table '{table}' has {problem} row {row[0]}")


# --- JSON ---

Fits = Callable[[Any], bool]
"""Whether a JSON value has a form."""


class Shape(NamedTuple):
    """The form of the JSON in a column: a list or an object, the parts of which have a form, or something else."""

    kind: Any
    fits_part: Fits | None = None
    """Whether an entry of the list, or a member of the object, has its form."""
    fits_whole: Fits = lambda value: True
    empty: Any = None
    """What takes the place of a value of which no part fits; None if the column may be null."""

    def fits(self, value: Any) -> bool:
        """Whether a value has the form."""
        return (
            isinstance(value, self.kind)
            and (self.fits_part is None or all(map(self.fits_part, _parts_of(value))))
            and self.fits_whole(value)
        )

    def fits_text(self, text: str) -> bool:
        """Whether a text is JSON of the form."""
        try:
            return self.fits(orjson.loads(text))
        except ValueError:
            return False

    def mended(self, text: str) -> Any:
        """A value of the form, with the parts that fit of a text that has not the form."""
        try:
            value = orjson.loads(text)
        except ValueError:
            return self.empty
        if self.fits_part is None or not isinstance(value, self.kind):
            return self.empty
        if isinstance(value, dict):
            return {name: part for name, part in value.items() if self.fits_part(part)}
        return [part for part in value if self.fits_part(part)]


def _parts_of(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _texts_in(connection: sqlite3.Connection, table: str, column: str) -> Iterator[tuple[int, str]]:
    """The texts in a column, each with the number of its row."""
    yield from connection.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _is_instant(value: Any) -> bool:
    return _is_number(value, (FIRST_INSTANT, LAST_INSTANT))


def _is_number(value: Any, range_: Range) -> bool:
    return type(value) is int and range_[0] <= value <= range_[1]


def _list_of(entry: Fits) -> Shape:
    return Shape(list, entry, empty=[])


def _is_address(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (1, 2) and all(map(_is_text, value))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


def _is_attendee(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 5 or not _is_pair(value[:2]):
        return False
    kind, response, responded = value[2:]
    return (
        _is_number(kind, (min(AttendeeType), max(AttendeeType)))
        and _is_number(response, _RESPONSE)
        and (responded is None or _is_instant(responded))
    )


def _is_part_of_place(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, str | float | int | None) for entry in value.values())


_addresses, _texts, _instants = _list_of(_is_address), _list_of(_is_text), _list_of(_is_instant)
_object, _object_of_texts = Shape(dict, empty={}), Shape(dict, _is_text, empty={})
PLACE = Shape(dict, _is_part_of_place)
"""The address and the coordinates of an event: objects of texts and numbers."""
_ENVELOPE: dict[str, Fits] = {
    "sender": _or_none(_is_address),
    "to": _addresses.fits,
    "cc": _addresses.fits,
    "reply_to": _addresses.fits,
    "in_reply_to": _or_none(_is_text),
    "references": _texts.fits,
    "headers": _list_of(_is_pair).fits,
}

_EMPTY_ENVELOPE: dict[str, Any] = {name: None if fits(None) else [] for name, fits in _ENVELOPE.items()}


def _is_envelope(value: Any) -> bool:
    return all(name in value and fits(value[name]) for name, fits in _ENVELOPE.items())


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _number_in(least: int, most: int) -> Fits:
    return lambda value: _is_number(value, (least, most))


_RULE: dict[str, Fits] = {
    "pattern": _number_in(min(PatternType), max(PatternType)),
    "start": _is_date,
    "interval": _number_in(1, 999),
    "month": _number_in(0, 12),
    "day_of_month": _number_in(0, 31),
    "days_of_week": _list_of(_number_in(min(DayOfWeek), max(DayOfWeek))).fits,
    "first_day_of_week": _number_in(min(DayOfWeek), max(DayOfWeek)),
    "index": _number_in(min(WeekIndex), max(WeekIndex)),
    "until": _or_none(_is_date),
    "count": _or_none(_number_in(1, 999)),
}


def _is_rule(value: Any) -> bool:
    return value.keys() == _RULE.keys() and all(fits(value[name]) for name, fits in _RULE.items())


_EVENT_JSON: dict[str, Shape] = {
    "place": PLACE,
    "categories": _texts,
    "attendees": _list_of(_is_attendee),
    "rule": Shape(dict, fits_whole=_is_rule),
    "excluded": _instants,
    "added": _instants,
}


def _is_event(value: Any) -> bool:
    """Whether a list is a row of an event as the change feed keeps it."""
    if len(value) != len(Event._fields):
        return False
    event = Event._make(value)._asdict()
    hints = Event.__annotations__
    return all(_is_column(event[name], str(hint)) for name, hint in hints.items()) and all(
        event[name] is None or shape.fits_text(event[name]) for name, shape in _EVENT_JSON.items()
    )


def _is_column(value: Any, hint: str) -> bool:
    if value is None:
        return "None" in hint
    return type(value) is int if "int" in hint else isinstance(value, str)


SHAPES: dict[str, dict[str, Shape]] = {
    "callback": {"headers": _object_of_texts},
    "change": {"before": Shape(list, fits_whole=_is_event)},
    "contact": {
        "email_addresses": _addresses,
        **dict.fromkeys(("im_addresses", "home_phones", "business_phones", "categories"), _texts),
    },
    "content": {"headers": Shape(dict, fits_whole=_is_envelope, empty=_EMPTY_ENVELOPE)},
    "event": _EVENT_JSON,
    "push": {"parameters": _object_of_texts},
    "question": {"options": _texts},
    "subscription": {"options": _object},
}
"""The columns with JSON, and the form that it has."""
