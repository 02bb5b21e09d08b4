"""The search index of a sandbox, which follows the change feed, so that sending a mail does not pay for it."""

from __future__ import annotations

from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.slices import Sliced
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import sandbox_state, search
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Message
from outlook_emulator.store.search import SearchText

LONGEST_TEXT = 100_000
"""How many characters of a mail's text a search looks at."""
_AT_ONCE = 25
"""The most changes whose messages are indexed in one transaction, which ends early after a long text."""
_MANY = 1000
_INDEXED_SEQ = "indexed_seq"
"""The key of the last entry of the change feed that is in the search index."""


def update(db: Database) -> Sliced[None]:
    """Bring the index up to date with the change feed, for all mailboxes of the sandbox."""
    count = 0
    while not is_current(db):
        with db.transaction():
            count += index_next(db)
        yield None
    if count > _MANY:
        # Many small pieces slow down every later search.
        while search.merge(db):
            yield None


def is_current(db: Database) -> bool:
    """Whether the index has all changes."""
    return _indexed(db) >= changes.last(db)


def lag(db: Database) -> int:
    """By how many changes the index lags behind."""
    return changes.last(db) - _indexed(db)


def check(db: Database) -> None:
    """Raise ValueError if the position of an index from elsewhere is not in the change feed."""
    if not 0 <= _indexed(db) <= changes.last(db):
        raise ValueError("the search index is ahead of the changes")


def _indexed(db: Database) -> int:
    text = sandbox_state.get(db, _INDEXED_SEQ)
    return int(text) if text else 0


def index_next(db: Database) -> int:
    """Index the messages of the next changes; returns their number."""
    indexed, newest = _indexed(db), changes.last(db)
    changed = search.changed_messages(db, indexed, _AT_ONCE)
    # The changes of other items that follow the last one need no entry.
    reached = newest if len(changed) < _AT_ONCE else changed[-1][0]
    # A message that changed twice is indexed once, as it is now.
    keys: set[int] = set()
    size = 0
    for seq, key in changed:
        if key not in keys:
            keys.add(key)
            size += _index(db, key)
        if size > LONGEST_TEXT:
            reached = seq
            break
    sandbox_state.put(db, _INDEXED_SEQ, str(reached))
    return len(keys)


def _index(db: Database, message_id: int) -> int:
    """Index a message as it is now; returns the number of characters of its text."""
    # Removed even if it comes back: its tags hold the folder and the flags, which may be what has changed.
    search.remove(db, message_id)
    message = mail_store.message_of_any(db, message_id)
    if message is None:
        return 0
    text = _search_text(db, message)
    search.index(db, message, text)
    return sum(map(len, text))


def _search_text(db: Database, message: Message) -> SearchText:
    files = mail_store.attachments(db, message.content_id) if message.has_files else []
    text = plain_text(message.body, LONGEST_TEXT) if message.is_html else message.body
    values = (
        message.subject,
        text,
        message.sender or "",
        message.recipients_to or "",
        message.recipients_cc or "",
        message.recipients_bcc or "",
        " ".join(file.name for file in files),
    )
    return SearchText(*(value[:LONGEST_TEXT] for value in values))
