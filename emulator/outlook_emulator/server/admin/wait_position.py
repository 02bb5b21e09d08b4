"""Reads the condition `newerThan` of a wait: from the id of an item to the number that newer items exceed."""

from __future__ import annotations

from contextlib import suppress

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.ids import IdKind, decode
from outlook_emulator.mailbox import changes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.slices import Sliced
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import outbox
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database

# Every number of 18 digits fits into SQLite's 64-bit integers; one of 19 may not.
_LONGEST_NUMBER = 18
_NEWEST = {"mail": mail_store.newest_content, "event": calendar_store.newest_event}
"""The functions that return the newest number that `newerThan` can name, by kind; other kinds are callbacks."""


def position(sandbox: Sandbox, kind: str, text: str) -> Sliced[int]:
    """The number of the item with this id: of its content for a mail, its own for other items. Raises InvalidRequest.

    A moved mail is searched in the change feed, which may be long.

    Contents are numbered in the order in which mails are written, so moving a mail does not change its number.
    """
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None
    if kind == "event":
        return _event_key(sandbox, text)
    if kind == "mail":
        number = (yield from _content_of(sandbox, text)) if number is None else _outbox_content(sandbox, number)
    if number is None:
        raise _unknown(kind, text)
    return number


def newest(db: Database, kind: str) -> int:
    """The greatest number that `newerThan` can name now."""
    newest_number = _NEWEST.get(kind, trigger_store.newest_callback)
    return newest_number(db)


def _outbox_content(sandbox: Sandbox, number: int) -> int | None:
    source = outbox.source(sandbox.db, number)
    return None if source is None else source.content_id


def _content_of(sandbox: Sandbox, text: str) -> Sliced[int | None]:
    owner_id, key = _decoded(sandbox, IdKind.MESSAGE, text)
    message = mail_store.message_of_any(sandbox.db, key)
    if message is None:
        # Moving a mail gives it another id.
        key = yield from changes.key_after_moves(sandbox.db, owner_id, key)
        message = mail_store.message_of_any(sandbox.db, key)
    return None if message is None else message.content_id


def _event_key(sandbox: Sandbox, text: str) -> int:
    for owner in sandbox.connections().values():
        if event := calendar_store.event_by_external_id(sandbox.db, owner.id, text):
            return event.id
    return _decoded(sandbox, IdKind.EVENT, text)[1]


def _decoded(sandbox: Sandbox, kind: IdKind, text: str) -> tuple[int, int]:
    """The mailbox and the key behind a wire id. Raises InvalidRequest."""
    # Mailbox 0 does not exist; it is tried so that a malformed id is an error of its own even without connections.
    for mailbox_id in (0, *(owner.id for owner in sandbox.connections().values())):
        with suppress(NotFound):
            return mailbox_id, decode(kind, mailbox_id, text, "newerThan")
    raise _unknown(kind.name.lower(), text)


def _unknown(kind: str, text: str) -> InvalidRequest:
    return InvalidRequest(f"'newerThan' names no {kind} of this sandbox: '{text[:200]}'.")
