"""Named values of the sandbox itself, each a text."""

from __future__ import annotations

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database


def get(db: Database, key: str) -> str | None:
    """The value of a key, None where there is none."""
    row = db.one(sql.STATE, {"key": key})
    return None if row is None else str(row[0])


def put(db: Database, key: str, value: str) -> None:
    """Set a value, and replace an earlier one."""
    db.execute(sql.SET_STATE, {"key": key, "value": value})


def delete(db: Database, key: str) -> None:
    """Remove a value, if there is one."""
    db.execute(sql.DELETE_STATE, {"named": key})
