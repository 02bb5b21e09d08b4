"""Repairs what earlier versions stored and no read understands, so that one odd value does not cost its sandbox.

A migration runs it on the new database; the old file is kept. What it replaces is declared in `value_checks`, which
refuses the same values in an import.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

import orjson

from outlook_emulator.enums import EventType
from outlook_emulator.errors import InvalidProperty
from outlook_emulator.store.value_checks import SHAPES, TEXTS, Shape, outside, ranges_of, unknown

_STRUCTURE = frozenset({"id", "seq", "rowid_", "message_id", "mailbox_id", "at"})
"""Keys, and positions in the change feed: to change one would break more than it mends."""
_SINGLE, _SERIES = int(EventType.SingleInstance), int(EventType.SeriesMaster)
_TOGETHER = {
    "event": (
        ("end_at < start_at", "end_at = start_at"),
        ("master_id IS NOT NULL AND original_start IS NULL", f"master_id = NULL, type = {_SINGLE}"),
        (f"type = {_SERIES} AND rule IS NULL", f"type = {_SINGLE}"),
        (f"type <> {_SERIES} AND rule IS NOT NULL", "rule = NULL"),
        (
            "rule IS NULL AND (recurrence <> 0 OR recurrence_end IS NOT NULL OR occurrences IS NOT NULL OR reach > 1)",
            "recurrence = 0, recurrence_end = NULL, occurrences = NULL, reach = 1",
        ),
    ),
    "question": (("(answer IS NULL) <> (answered IS NULL)", "answer = NULL, answered = NULL"),),
}
"""Values that do not fit together: the condition, and what makes them fit."""


def repair(connection: sqlite3.Connection, tables: Iterable[str]) -> list[str]:
    """Replace the values in tables that cannot be read, and return how many were replaced, column by column.

    Numbers get the nearest value, lists and objects keep the parts that fit, and unknown zones become UTC. A row with
    an unknown kind or state is deleted, since nothing can be done with it.
    """
    repaired: Counter[str] = Counter()
    for table in tables:
        for column in TEXTS.get(table, {}):
            statement = f'DELETE FROM "{table}" WHERE {unknown(table, column)}'
            repaired[f"{table}.{column}"] += connection.execute(statement).rowcount
        for column, (least, most) in ranges_of(connection, table).items():
            if column not in _STRUCTURE:
                statement = f'UPDATE "{table}" SET "{column}" = max({least}, min({most}, "{column}"))'
                repaired[f"{table}.{column}"] += _changed(connection, statement, outside(column, (least, most)))
        for column, shape in SHAPES.get(table, {}).items():
            repaired[f"{table}.{column}"] += _repair_json(connection, table, column, shape)
        for condition, values in _TOGETHER.get(table, ()):
            repaired[table] += _changed(connection, f'UPDATE "{table}" SET {values}', condition)
    for column in ("start_zone", "end_zone"):
        repaired[f"event.{column}"] += _repair_zones(connection, column)
    return [f"{name} ({count})" for name, count in repaired.items() if count]


def _changed(connection: sqlite3.Connection, statement: str, condition: str) -> int:
    return connection.execute(f"{statement} WHERE {condition}").rowcount


def _repair_json(connection: sqlite3.Connection, table: str, column: str, shape: Shape) -> int:
    rows = connection.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
    odd = [(key, text) for key, text in rows if not shape.fits_text(text)]
    for key, text in odd:
        value = shape.mended(text)
        mended = None if value is None else orjson.dumps(value).decode()
        connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (mended, key))
    return len(odd)


def _repair_zones(connection: sqlite3.Connection, column: str) -> int:
    # Here, since only databases with events need the names.
    from outlook_emulator.timezones import canonical

    changed = 0
    for (name,) in connection.execute(f"SELECT DISTINCT {column} FROM event").fetchall():
        try:
            # A text column may hold bytes, too.
            known = canonical(str(name), column)
        except InvalidProperty:
            known = "UTC"
        if known != name:
            statement = f"UPDATE event SET {column} = ? WHERE {column} = ? COLLATE BINARY"
            changed += connection.execute(statement, (known, name)).rowcount
    return changed
