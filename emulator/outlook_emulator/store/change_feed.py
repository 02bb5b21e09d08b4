"""The change feed: one entry for each change of an item, in the order of the changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from outlook_emulator.enums import ItemKind
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.new_rows import NewChange
from outlook_emulator.store.records import Change

ALL = -1
"""Stands for any number of entries."""


def append(db: Database, entries: Sequence[NewChange]) -> None:
    """Add entries."""
    numbers = db.insert_rows(sql.APPEND_CHANGE, entries)
    if db.fresh is not None:
        for number, entry in zip(numbers, entries, strict=True):
            db.fresh.add_change(number, entry)


def newest_at(db: Database) -> int:
    """The instant of the newest entry, 0 when there is none."""
    (at,) = db.one(sql.LAST_CHANGE_AT, {})
    return int(at)


def last_number(db: Database) -> int:
    """The sequence number of the newest entry, 0 when there is none."""
    (number,) = db.one(sql.LAST_CHANGE, {})
    return int(number)


def first_number(db: Database) -> int:
    """The sequence number of the oldest entry, 0 when there is none."""
    (number,) = db.one(sql.FIRST_CHANGE, {})
    return int(number)


def number_before_bytes(db: Database, most: int) -> int:
    """The sequence number of the newest entry that is not among the newest ones with `most` bytes of earlier states."""
    size = 0
    for number, length in db.execute(sql.CHANGE_SIZES, {}):
        size += length
        if size > most:
            return int(number)
    return 0


def earlier_states(db: Database) -> Iterator[tuple[int, str]]:
    """The earlier states of events in all entries, as JSON, each with the number of its entry."""
    return iter(db.execute(sql.EARLIER_STATES, {}))


def delete(db: Database, number: int) -> int:
    """Delete the entries up to a sequence number; returns the instant of the last of them."""
    (at,) = db.one(sql.CHANGE_UNTIL, {"seq": number})
    db.execute(sql.DELETE_CHANGES, {"seq": number})
    return int(at)


def after_number(db: Database, number: int, top: int) -> list[Change]:
    """Up to `top` entries with a greater sequence number, oldest first."""
    return [Change._make(row) for row in db.all(sql.CHANGES, {"seq": number, "top": top})]


def removals(db: Database, mailbox_id: int, after: int, until: int) -> list[tuple[str, int]]:
    """The deletions and moves of a mailbox's mails in a span of sequence numbers: the actions, and the mails' keys."""
    return db.all(sql.REMOVALS, {"mailbox_id": mailbox_id, "after": after, "until": until})


def of_mailbox(db: Database, mailbox_id: int, kind: ItemKind, after: int, top: int = ALL) -> list[Change]:
    """The entries about one kind of item in a mailbox that are later than an instant, up to `top`, oldest first."""
    values = {"mailbox_id": mailbox_id, "kind": kind.value, "after": after, "top": top}
    return [Change._make(row) for row in db.all(sql.CHANGES_OF, values)]
