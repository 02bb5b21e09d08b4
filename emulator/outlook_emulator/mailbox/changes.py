"""The change feed: every mutation appends to it in its own transaction, and everything that watches a mailbox reads it.

An instant is also a position in the feed, since no two entries have the same instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outlook_emulator.clock import LATEST
from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.slices import Sliced
from outlook_emulator.store import change_feed, sandbox_state
from outlook_emulator.store.database import Database
from outlook_emulator.store.new_rows import NewChange, NewMessage
from outlook_emulator.store.records import Change

PAGE = 500
"""How many entries are read at once."""
SPAN = 5000
"""How many entries are searched at once for the moves of a mail: in some 3 ms."""
_START = "feed_start"
"""The key of the instant of the newest entry that was deleted."""


def append(
    db: Database,
    mailbox_id: int,
    action: ChangeAction,
    item_id: int,
    folder_id: int,
    at: int,
    kind: ItemKind = ItemKind.MESSAGE,
    before: str = "",
) -> None:
    """Add an entry at the instant `at`, or just after the newest entry.

    A move adds two entries: deleted with the old id, moved with the new one. `before` is the earlier state of an event,
    as JSON.
    """
    # `_value_`, as `value` takes several times as long, and the driver binds members of an enum slowly.
    entry = NewChange(mailbox_id, kind._value_, action._value_, item_id, folder_id, _next_instant(db, at), before)
    _append(db, [entry])
    db.appended_bytes += len(before)


def append_created(db: Database, messages: Iterable[tuple[int, NewMessage]], at: int) -> None:
    """Add an entry for each of several new messages, given with their keys."""
    kind, action = ItemKind.MESSAGE._value_, ChangeAction.CREATED._value_
    entries = [
        NewChange(message.mailbox_id, kind, action, key, message.folder_id, _next_instant(db, at), "")
        for key, message in messages
    ]
    _append(db, entries)


def _append(db: Database, entries: list[NewChange]) -> None:
    change_feed.append(db, entries)
    db.appended += len(entries)


def _next_instant(db: Database, at: int) -> int:
    # If the transaction is rolled back, the instant stays unused, which does no harm.
    db.last_change = max(at, newest(db) + 1)
    return db.last_change


def newest(db: Database) -> int:
    """The instant of the newest entry, in microseconds since 1970; 0 when there is none."""
    if db.last_change is None:
        db.last_change = change_feed.newest_at(db)
    return db.last_change


def start(db: Database) -> int:
    """The first position whose later entries are all there: 0, or the instant of the newest entry that was deleted."""
    if db.feed_start is None:
        db.feed_start = int(sandbox_state.get(db, _START) or 0)
    return db.feed_start


def check_start(db: Database) -> None:
    """Raise ValueError if the start of a feed from elsewhere is not an instant."""
    if not 0 <= int(sandbox_state.get(db, _START) or 0) <= LATEST:
        raise ValueError("the change feed starts at no instant")


def forget(db: Database, number: int) -> None:
    """Delete the entries up to a sequence number, but not all. Call it in a transaction."""
    at = change_feed.delete(db, number)
    sandbox_state.put(db, _START, str(at))
    # Read again, as the transaction may fail.
    db.feed_start = None


def position(db: Database, now: int) -> int:
    """The position after all present entries and before all later ones, also while the clock stands still."""
    # Less one: a change that follows at this same instant is later than the position.
    return max(newest(db), now - 1)


def last(db: Database) -> int:
    """The sequence number of the newest entry, 0 when there is none."""
    return change_feed.last_number(db)


def after(db: Database, seq: int, top: int = 1000) -> list[Change]:
    """Up to `top` entries after a sequence number, oldest first."""
    return change_feed.after_number(db, seq, top)


def of(db: Database, mailbox_id: int, kind: ItemKind, position: int) -> list[Change]:
    """The entries about one kind of item in a mailbox after a position, oldest first."""
    # Most polls come when nothing has changed.
    if newest(db) <= position:
        return []
    return change_feed.of_mailbox(db, mailbox_id, kind, position)


def pages_of(db: Database, mailbox_id: int, kind: ItemKind, position: int) -> Iterator[list[Change]]:
    """The same entries page by page, each read when it is taken; only the last page has fewer than PAGE entries."""
    page = change_feed.of_mailbox(db, mailbox_id, kind, position, PAGE) if newest(db) > position else []
    yield page
    while len(page) == PAGE:
        page = change_feed.of_mailbox(db, mailbox_id, kind, page[-1].at, PAGE)
        yield page


def key_after_moves(db: Database, mailbox_id: int, key: int) -> Sliced[int]:
    """The key that a mail has now, if it had another one before it was moved."""
    is_deleted, number = False, change_feed.first_number(db) - 1
    # Asked again after each pause, in which the mail may be moved once more.
    while number < (newest_number := last(db)):
        until = min(number + SPAN, newest_number)
        for action, item in change_feed.removals(db, mailbox_id, number, until):
            # A move is two neighbours: the deletion of the old mail, and the move with the new key.
            if is_deleted and action == ChangeAction.MOVED:
                key = item
            is_deleted = action == ChangeAction.DELETED and item == key
        number = until
        yield None
    return key


def newest_of_each(entries: Iterable[Change]) -> Iterable[Change]:
    """The newest entry of each item, oldest first: so a trigger returns each item once."""
    last: dict[int, Change] = {}
    for entry in entries:
        # Taken out first, so that it comes last.
        last.pop(entry.item_id, None)
        last[entry.item_id] = entry
    return last.values()
