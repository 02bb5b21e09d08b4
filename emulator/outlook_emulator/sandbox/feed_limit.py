"""Keeps the change feed of a sandbox short: entries that are older than what the setting keeps are deleted."""

from __future__ import annotations

from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import search_index
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.store import change_feed

EVERY = 64
"""After so many new entries, the feed is looked at."""
_BATCHES = 4
"""So many batches of messages are indexed at once if the search index needs entries that are to go."""
_MOST_AT_ONCE = 2000
_MOST_BYTES = 64 * 1024 * 1024
"""How many bytes the earlier states of events may take."""


def trim(sandbox: Sandbox) -> None:
    """Delete the oldest entries of the feed, in short steps. Call it while no thread has the database."""
    db = sandbox.db
    db.appended = 0
    last = changes.last(db)
    end = last - sandbox.settings.change_feed_entries
    if db.appended_bytes > _MOST_BYTES // 4:
        db.appended_bytes = 0
        end = max(end, change_feed.number_before_bytes(db, _MOST_BYTES))
    first = change_feed.first_number(db)
    if end < first:
        return
    with db.transaction():
        # Whoever sends many mails and never searches would keep the feed growing.
        for _ in range(_BATCHES):
            if search_index.lag(db) <= last - end:
                break
            search_index.index_next(db)
        end = min(end, last - search_index.lag(db), first + _MOST_AT_ONCE)
        if end >= first:
            changes.forget(db, end)
