"""Full-text search for messages, and the index behind it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from outlook_emulator.slices import LONG, Sliced
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.full_text import Alternative, alternatives
from outlook_emulator.store.mail import EVER, newest_message
from outlook_emulator.store.records import Facets, Message, MessageKey
from outlook_emulator.store.search_tree import Node

_MILLISECOND = 1000
# 42 bits for milliseconds and 21 for the key fill SQLite's row number. The milliseconds last until the year 2109.
_LAST_MILLISECOND = 2**42 - 1
_PAGES = 32
"""How many pages of the index are merged at once."""
_COMPARISONS, _FEWEST = 50_000, 200
"""How much a search compares while others wait, in words times messages, and the fewest messages that it looks at."""
_PREFIX = '" *'
"""What a match expression has behind the start of a word."""
_PHRASE = re.compile(r'"([^"]*)"')
_FEW = 1000
"""The same number for a search with the start of a word, for which SQLite gathers all words that start so."""
_IMPORTANCES = ("low", "normal", "high")


class SearchText(NamedTuple):
    """The text of a message that can be searched."""

    subject: str
    body: str
    sender: str
    recipients_to: str
    recipients_cc: str
    recipients_bcc: str
    attachments: str


def find(
    db: Database, query: Node, folder_id: int, facets: Facets, top: int, before: MessageKey | None = None
) -> Sliced[list[int]]:
    """The keys of the messages of a folder that match a search and have the facets, newest first.

    Only those behind the position `before`. May return more than `top`. Raises TooManyAlternatives.
    """
    # By row number: a message that fits two alternatives counts once, and a higher number is a newer message.
    keys_by_row: dict[int, int] = {}
    for alternative in alternatives(query):
        values = _search_values(alternative, folder_id, facets)
        if before is not None:
            values["until"] = min(values["until"], _rowid(*before))
        keys_by_row.update((yield from _newest(db, values, top)))
    return [key for _, key in sorted(keys_by_row.items(), reverse=True)]


def changed_messages(db: Database, number: int, top: int) -> list[tuple[int, int]]:
    """Up to `top` entries of the change feed about messages after a sequence number: their numbers, and the keys.

    Deleted messages are included.
    """
    return db.all(sql.CHANGED_MESSAGES, {"seq": number, "top": top})


def index(db: Database, message: Message, text: SearchText) -> None:
    """Add a message to the index; it must not be there."""
    rowid = _rowid(message.received, message.id)
    entry = {"rowid": rowid, "message_id": message.id, "tags": _tags(message), **text._asdict()}
    db.execute(sql.INDEX_MESSAGE, entry)
    db.execute(sql.SET_SEARCH_ENTRY, {"message_id": message.id, "rowid": rowid})


def remove(db: Database, message_id: int) -> None:
    """Remove a message from the index, if it is there."""
    if entry := db.one(sql.SEARCH_ENTRY, {"message_id": message_id}):
        db.execute(sql.FORGET_MESSAGE, {"rowid": entry[0]})
        db.execute(sql.DELETE_SEARCH_ENTRY, {"message_id": message_id})


def merge(db: Database) -> bool:
    """Merge some pages of the index, which consists of pieces; returns whether there was anything to do."""
    writes = db.writes
    db.execute(sql.MERGE_INDEX, {"pages": _PAGES})
    # The command itself counts as a write.
    return db.writes - writes > 1


def _newest(db: Database, values: dict[str, Any], top: int) -> Sliced[list[tuple[int, int]]]:
    """The row numbers and keys of the newest messages that match."""
    words = sum(len(phrase.split()) for phrase in _PHRASE.findall(values["match"]))
    most = _FEW if _PREFIX in values["match"] else max(_FEWEST, _COMPARISONS // words)
    # In one query: SQLite looks for the first match in the whole index, however small the span is that it is to search.
    if newest_message(db) > most:
        yield LONG
    return db.all(sql.SEARCH, {**values, "top": top})


def _search_values(alternative: Alternative, folder_id: int, facets: Facets) -> dict[str, Any]:
    tags = [f"folder{folder_id}", "unread" * facets.unread, "flagged" * facets.flagged]
    tags += ["hasattachment" * facets.attachment, f"importance{facets.importance}" * bool(facets.importance)]
    match = " AND ".join(f'tags : "{tag}"' for tag in tags if tag)
    return {
        "match": f"{match} AND ({alternative.match})" if alternative.match else match,
        "since": -EVER if alternative.since is None else _rowid(alternative.since, 0),
        # Row numbers know milliseconds alone, so the one in which a span ends belongs to it as a whole.
        "until": EVER if alternative.until is None else _rowid(alternative.until + _MILLISECOND, 0),
    }


def _rowid(received: int, message_id: int) -> int:
    """A row number that grows with the time of receipt, in milliseconds; the message's key makes it unique."""
    millisecond = min(max(received // _MILLISECOND, 0), _LAST_MILLISECOND)
    return millisecond << 21 | message_id & 0x1FFFFF


def _tags(message: Message) -> str:
    tags = ["all", f"folder{message.folder_id}", f"importance{_IMPORTANCES[message.importance]}"]
    tags += ["unread"] * (not message.is_read) + ["flagged"] * message.is_flagged
    return " ".join(tags + ["hasattachment"] * message.has_attachments)
