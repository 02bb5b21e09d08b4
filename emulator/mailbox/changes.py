"""The change feed: every mutation appends to it inside its own transaction, and all who watch a mailbox read it."""

from __future__ import annotations

from emulator.store import sql
from emulator.store.database import Database
from emulator.store.records import Change

MESSAGE, EVENT, CONTACT = "message", "event", "contact"
CREATED, UPDATED, DELETED = "created", "updated", "deleted"


def append(
    db: Database, mailbox_id: int, action: str, item_id: int, folder_id: int, at: int, kind: str = MESSAGE
) -> None:
    """Add one entry. A move is two: deleted under the old id, created under the new one."""
    db.execute(
        sql.APPEND_CHANGE,
        {
            "mailbox_id": mailbox_id,
            "kind": kind,
            "action": action,
            "item_id": item_id,
            "folder_id": folder_id,
            "at": at,
        },
    )


def last(db: Database) -> int:
    """The sequence number of the newest entry, 0 when there is none."""
    (seq,) = db.one(sql.LAST_CHANGE, {})
    return int(seq)


def after(db: Database, seq: int, top: int = 1000) -> list[Change]:
    """Up to `top` entries younger than `seq`, oldest first."""
    return [Change._make(row) for row in db.all(sql.CHANGES, {"seq": seq, "top": top})]
