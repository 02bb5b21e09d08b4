"""The entries of the lists that events and contacts hold, stored so that a filter over a list needs no scan."""

from __future__ import annotations

from collections.abc import Iterable

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import ListEntry


def insert(db: Database, kind: str, owner_id: int, entries: Iterable[ListEntry]) -> None:
    """Add the list entries of an item; `kind` is `event` or `contact`."""
    for entry in entries:
        db.execute(sql.INSERT_LIST_ENTRY, {"kind": kind, "owner_id": owner_id, **entry._asdict()})


def replace(db: Database, kind: str, owner_id: int, entries: Iterable[ListEntry]) -> None:
    """Put other list entries in the place of those that an item has."""
    delete(db, kind, owner_id)
    insert(db, kind, owner_id, entries)


def delete(db: Database, kind: str, owner_id: int) -> None:
    """Delete all list entries of an item."""
    db.execute(sql.DELETE_LIST_ENTRIES, {"kind": kind, "owner_id": owner_id})
