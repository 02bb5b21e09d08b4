"""The change feed: every mutation appends to it inside its own transaction, and all who watch a mailbox read it."""

from __future__ import annotations

from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Change


def append(
    db: Database,
    mailbox_id: int,
    action: ChangeAction,
    item_id: int,
    folder_id: int,
    at: int,
    kind: ItemKind = ItemKind.MESSAGE,
    before: str | None = None,
) -> None:
    """Add one entry, at `at` or just after the newest one. A move is two: deleted under the old id, moved to the new.

    `before` is what an event was until then, as JSON.
    """
    # Should the transaction fail, the instants it took are left out: nobody misses them.
    db.last_change = max(at, newest(db) + 1)
    db.execute(
        sql.APPEND_CHANGE,
        {
            "mailbox_id": mailbox_id,
            "kind": kind.value,
            "action": action.value,
            "item_id": item_id,
            "folder_id": folder_id,
            "at": db.last_change,
            "before": before,
        },
    )


def newest(db: Database) -> int:
    """The instant of the newest entry, in microseconds since 1970; 0 when there is none."""
    if db.last_change is None:
        (db.last_change,) = db.one(sql.LAST_CHANGE_AT, {})
    return int(db.last_change)


def position(db: Database, now: int) -> int:
    """The instant that divides what is in the feed from whatever comes, even while the clock stands still."""
    return max(newest(db), now - 1)


def last(db: Database) -> int:
    """The sequence number of the newest entry, 0 when there is none."""
    (seq,) = db.one(sql.LAST_CHANGE, {})
    return int(seq)


def after(db: Database, seq: int, top: int = 1000) -> list[Change]:
    """Up to `top` entries younger than `seq`, oldest first."""
    return [Change._make(row) for row in db.all(sql.CHANGES, {"seq": seq, "top": top})]


def of(db: Database, mailbox_id: int, kind: ItemKind, position: int) -> list[Change]:
    """The entries about one kind of item in a mailbox that are younger than a position, oldest first."""
    values = {"mailbox_id": mailbox_id, "kind": kind.value, "after": position}
    return [Change._make(row) for row in db.all(sql.CHANGES_OF, values)]
