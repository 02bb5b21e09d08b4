"""Strange values that an earlier version stored: after the migration, everything in the sandbox can be read."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from outlook_emulator.store import images, value_checks
from tests.imported_values import change_everything, read_everything
from tests.server.test_fuzz import START

pytestmark = pytest.mark.slow

OLD = Path(__file__).parents[1] / "store" / "old" / "v6-all.snapshot.gz"
"""A snapshot with rows in every table."""
_NUMBERS = """
SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name NOT LIKE '%search%' AND c.name <> 'at'
AND (c.type = 'BIGINT' OR c.name IN ('importance', 'show_as'))
"""
"""The columns with instants that refer to nothing, and some with enumerations of numbers."""


def with_unknown_kinds() -> bytes:
    """The old snapshot with a text that is no member of the enumeration in the first row of each column of one."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(images.alone(gzip.decompress(OLD.read_bytes())))
        for table, columns in value_checks.TEXTS.items():
            for column in columns:
                db.execute(f"UPDATE {table} SET {column} = 'x' WHERE rowid = (SELECT min(rowid) FROM {table})")
        return db.serialize()


def with_values(*, text: str, number: int, zone: str | bytes) -> bytes:
    """The old snapshot with the same strange value in all columns of a kind; keys and enumerations stay."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(images.alone(gzip.decompress(OLD.read_bytes())))
        db.create_function("lowered", 1, str.lower, deterministic=True)
        for table, shapes in value_checks.SHAPES.items():
            for column in shapes:
                set_all(db, table, column, text)
        for table, column in db.execute(_NUMBERS).fetchall():
            set_all(db, table, column, number)
        set_all(db, "event", "start_zone", zone)
        return db.serialize()


def set_all(db: sqlite3.Connection, table: str, column: str, value: Any) -> None:
    db.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" IS NOT NULL', (value,))


@pytest.mark.parametrize(
    ("text", "number", "zone"),
    [
        ("{", 10**17, b"\xff"),
        ('{"x": 1, "Address": null}', -(10**17), "../../etc/passwd"),
        ('[null, "a", [1], ["a@b.c", "n"], ["a@b.c", "n", 9, 9, 9]]', 2**62, ""),
        ('"x"', -(2**62), "utc"),
    ],
)
def test_strange_values_are_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, number: int, zone: str | bytes
) -> None:
    """Every door still works, and the log says which columns were mended."""
    (tmp_path / "default.sqlite").write_bytes(with_values(text=text, number=number, zone=zone))
    app = create_app(Settings(max_calls=0, data=str(tmp_path)), VirtualClock(START))
    messages = [record.message for record in caplog.records if "were replaced" in record.message]
    read_everything(app)
    change_everything(app)
    app.state.sandboxes.close()

    assert 1 == len(messages)
    assert "event.place (" in messages[0]
    assert "content.headers (" in messages[0]
    assert "event.start_zone (" in messages[0]
    assert not [record for record in caplog.records if record.exc_info]


def test_rows_of_unknown_kinds_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A callback, a subscription, a question and a change of a kind that nobody knows are gone; the rest works."""
    (tmp_path / "default.sqlite").write_bytes(with_unknown_kinds())
    app = create_app(Settings(max_calls=0, data=str(tmp_path)), VirtualClock(START))
    replaced = next(record.message for record in caplog.records if "were replaced" in record.message)
    read_everything(app)
    change_everything(app)
    app.state.sandboxes.close()

    assert all(f"{table}.kind (1)" in replaced for table in ("callback", "change", "list_entry", "question"))
    assert "subscription.watched (1)" in replaced
    assert not [record for record in caplog.records if record.exc_info]
