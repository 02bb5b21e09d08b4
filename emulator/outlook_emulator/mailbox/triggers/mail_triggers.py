"""The mail triggers: mails that are new, flagged or mention the owner since a position in the change feed.

All state is in the cursor, which the client sends back: base64 of JSON, as recorded on the sibling connector.
`LastCreatedMailTime` is the position in the feed. `LastReceivedMailTime` is when the newest mail that the trigger fired
for was received, and before that the first poll. Times of receipt are compared with it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error, b2a_base64
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import orjson

from outlook_emulator.clock import iso_ticks, microseconds
from outlook_emulator.enums import ChangeAction, ItemKind
from outlook_emulator.errors import InvalidField, NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import folders, listing
from outlook_emulator.mailbox.mail.reading import files_of, message_of, message_view
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.recent import Recent
from outlook_emulator.slices import Sliced, whole
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.records import Change, Message

BATCH = 50
"""The most mails in a response; further ones wait for the next poll, which the response asks for at once (inferred)."""
_LONGEST_CURSOR = 4096
_SIMULATE = "simulate"


class Poll(NamedTuple):
    """The items of a poll, the cursor for the next poll, and whether more items are waiting."""

    items: Sequence[Any]
    cursor: str
    more: bool = False


class Position(NamedTuple):
    """The position of a mail poller, in the feed and in time of receipt, and the ids of the newest mail it got."""

    created: int
    received: int
    message_id: str | None = None
    internet_message_id: str | None = None


_known: Recent[str, Position] = Recent(1000)
"""The positions in the cursors that were issued or read last: most are sent back with the next poll."""


class _Filters(NamedTuple):
    """Which mails a trigger fires for; `folder_id` is None for any folder."""

    folder_id: int | None
    text: listing.TextFilter
    importance: str
    with_attachment: bool
    include_attachments: bool


def on_new_email(
    mailbox: Mailbox,
    *,
    folder_path: str = "Inbox",
    x_ms_operation_context: str | None = None,
    cursor: str | None = None,
    **parameters: Any,
) -> Poll | Sliced[Poll]:
    """Mails that arrived in a folder; a mail that was moved there keeps its time of receipt (Learn page).

    A designer's test run (`simulate`) gets the newest mail instead. `parameters` are those of `_filters`.
    """
    filters = _filters(mailbox, folder_path, **parameters)
    if (x_ms_operation_context or "").lower() == _SIMULATE:
        # The definition of the Office 365 twin maps the test run to Get emails with these two values.
        newest_mail = listing.find(mailbox, folder_path=folder_path, fetch_only_unread=False, top=1, **parameters)
        return Poll(newest_mail, _text(_baseline(mailbox)))
    return _poll(mailbox, filters, cursor, _ARRIVALS, _arrived)


def on_flagged_email(
    mailbox: Mailbox, *, folder_path: str = "Inbox", cursor: str | None = None, **parameters: Any
) -> Poll | Sliced[Poll]:
    """Mails that were flagged, that arrived flagged, or that are flagged and changed in any way (Learn page)."""
    filters = _filters(mailbox, folder_path, **parameters)
    return _poll(mailbox, filters, cursor, _ARRIVALS | {ChangeAction.UPDATED}, _is_flagged)


def on_new_mention(
    mailbox: Mailbox,
    *,
    folder_path: str | None = None,
    message_id_to_fire_on_first_trigger_run: str | None = None,
    cursor: str | None = None,
    **parameters: Any,
) -> Poll | Sliced[Poll]:
    """Mails that arrived and mention the owner, in one folder or in any.

    The first poll can name a message to fire for.
    """
    filters = _filters(mailbox, folder_path, **parameters)
    if cursor is None and message_id_to_fire_on_first_trigger_run:
        field = "message_id_to_fire_on_first_trigger_run"
        first = message_of(mailbox, message_id_to_fire_on_first_trigger_run, field)
        return Poll([message_view(mailbox, first, filters.include_attachments)], _text(_baseline(mailbox)))
    mentions = mention_of(mailbox)

    def wanted(entry: Change, message: Message, since: Position) -> bool:
        return _arrived(entry, message, since) and mentions.search(message.body) is not None

    return _poll(mailbox, filters, cursor, _ARRIVALS, wanted)


def mention_of(mailbox: Mailbox) -> re.Pattern[str]:
    """A pattern for mentions of the owner: Outlook's link, or the name or address after an @ (inferred)."""
    address, name = re.escape(mailbox.owner.address), re.escape(mailbox.owner.display_name)
    link = rf"<a\b[^<>]*\bhref\s*=\s*[\"']?mailto:{address}\b[^<>]*>\s*@"
    return re.compile(rf"{link}|(?<![\w@.])@(?:{address}|{name})(?![\w@-])", re.IGNORECASE)


def read_position(mailbox: Mailbox, cursor: str) -> Position:
    """The position in a cursor. Raises InvalidField for a broken cursor, and for one of another mailbox."""
    position = _known.get(cursor)
    if position is None:
        position = _read(cursor)
        _known.keep(cursor, position)
    # A first poll sets the time of receipt to now, which is one microsecond after the position in the feed.
    check_position(mailbox, position.created, position.received - 1)
    if position.message_id is not None:
        try:
            mailbox.key_of(IdKind.MESSAGE, position.message_id, "cursor")
        except NotFound:
            raise InvalidField("cursor", "belongs to another mailbox.") from None
    return position


def _read(cursor: str) -> Position:
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        state = orjson.loads(b64decode(cursor.encode("ascii"), validate=True))
        position = Position(
            _instant(state["LastCreatedMailTime"]),
            _instant(state["LastReceivedMailTime"]),
            state.get("LastMessageId"),
            state.get("LastInternetMessageId"),
        )
        if not all(id is None or isinstance(id, str) for id in position[2:]):
            raise ValueError
    except (Error, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InvalidField("cursor", "is not a state of this trigger.") from None
    return position


def check_position(mailbox: Mailbox, position: int, *others: int) -> None:
    """Raise InvalidField for a cursor that is no position in the change feed, or one whose changes are forgotten.

    A position lies between 1970 and now. One that was issued before a reset of the clock may be after now. `others` are
    positions of which the changes may be forgotten.
    """
    newest = changes.position(mailbox.db, mailbox.now)
    if not (0 <= position <= newest and all(0 <= other <= newest for other in others)):
        raise InvalidField("cursor", "is not a position in the history of this mailbox.")
    if position < changes.start(mailbox.db):
        raise InvalidField("cursor", "is older than the changes that this mailbox remembers.")


def _filters(
    mailbox: Mailbox,
    folder_path: str | None,
    *,
    to: str | None = None,
    cc: str | None = None,
    to_or_cc: str | None = None,
    from_: str | None = None,
    importance: str = "Any",
    fetch_only_with_attachment: bool = False,
    subject_filter: str | None = None,
    include_attachments: bool = False,
) -> _Filters:
    """The filters that all mail triggers have; no folder means any. Raises FolderNotFound."""
    return _Filters(
        folders.resolve(mailbox, folder_path) if folder_path else None,
        listing.text_filter_of(to, cc, to_or_cc, from_, subject_filter),
        listing.importance_facet(importance),
        fetch_only_with_attachment,
        include_attachments,
    )


_ARRIVALS = frozenset({ChangeAction.CREATED, ChangeAction.MOVED})
_Test = Callable[[Change, Message, Position], bool]


def _poll(
    mailbox: Mailbox, filters: _Filters, cursor: str | None, actions: Set[str], wanted: _Test
) -> Poll | Sliced[Poll]:
    """The result of a poll; as sliced work where much has changed."""
    if cursor is None:
        # A first poll only fixes where to start (recorded from the Office 365 twin).
        return Poll((), _text(_baseline(mailbox)))
    since = read_position(mailbox, cursor)
    if changes.newest(mailbox.db) <= since.created:
        # Most polls come when nothing has changed. The position stays, as all later changes are behind it as well.
        return Poll((), _text(since))
    pages = changes.pages_of(mailbox.db, mailbox.owner.id, ItemKind.MESSAGE, since.created)
    first = next(pages)
    work = _fire(mailbox, filters, since, chain([first], pages), actions, wanted)
    return work if len(first) == changes.PAGE else whole(work)


def _fire(
    mailbox: Mailbox,
    filters: _Filters,
    since: Position,
    pages: Iterable[list[Change]],
    actions: Set[str],
    wanted: _Test,
) -> Sliced[Poll]:
    """The result of a poll, from the pages of the change feed since a position."""
    # Fixed before the first pause: what is written meanwhile is for the next poll.
    end = changes.position(mailbox.db, mailbox.now)
    entries = _entries(mailbox, filters, since, pages, end, actions)
    # A mail arrives once, but changes often: then its newest entry counts, so that it is returned once.
    may_repeat = not actions <= _ARRIVALS
    if may_repeat:
        entries = _newest(entries)
    matches: list[tuple[Change, Message]] = []
    for entry in entries:
        yield None
        message = None if entry is None else mail_store.message(mailbox.db, mailbox.owner.id, entry.item_id)
        if entry and message and wanted(entry, message, since) and _passes(mailbox, filters, message):
            if may_repeat and _has_changed(mailbox, entry, end):
                continue
            matches.append((entry, message))
            # One more than fits, to know whether there are more.
            if len(matches) > BATCH:
                break
    messages = [message for _, message in matches[:BATCH]]
    more = len(matches) > BATCH
    position = matches[BATCH - 1][0].at if more else end
    return Poll(
        [message_view(mailbox, message, filters.include_attachments) for message in messages],
        _text(_moved_on(mailbox, since, messages, position, more)),
        more,
    )


def _entries(
    mailbox: Mailbox, filters: _Filters, since: Position, pages: Iterable[list[Change]], end: int, actions: Set[str]
) -> Iterator[Change | None]:
    """The entries that may fire a trigger, up to a position; None stands for a page that was read.

    Raises InvalidField if the change feed has forgotten later ones during a pause.
    """
    read_until = since.created
    for page in pages:
        check_position(mailbox, read_until)
        for entry in page:
            if entry.at > end:
                return
            read_until = entry.at
            if entry.action in actions and filters.folder_id in (None, entry.folder_id):
                yield entry
        yield None


def _newest(entries: Iterable[Change | None]) -> Iterator[Change | None]:
    """The newest entry of each item, oldest first, after a None for each page."""
    gathered: list[Change] = []
    for entry in entries:
        if entry is None:
            yield None
        else:
            gathered.append(entry)
    yield from changes.newest_of_each(gathered)


def _has_changed(mailbox: Mailbox, entry: Change, end: int) -> bool:
    """Whether the mail of an entry has changed since a poll began, so that the next poll finds it."""
    later = changes.of(mailbox.db, mailbox.owner.id, ItemKind.MESSAGE, end)
    return any(change.item_id == entry.item_id for change in later)


def _arrived(entry: Change, message: Message, since: Position) -> bool:
    if entry.action == ChangeAction.MOVED:
        # Strictly later: a mail that is moved in fires only if it was received after the last one (page of the Office
        # 365 twin).
        return message.received > since.received
    # Several mails can have the same time of receipt; the position in the feed keeps each from firing twice.
    return entry.action == ChangeAction.CREATED and message.received >= since.received


def _is_flagged(entry: Change, message: Message, since: Position) -> bool:
    # Whatever the entry says: any change to a flagged mail fires (Learn page).
    return bool(message.is_flagged)


def _passes(mailbox: Mailbox, filters: _Filters, message: Message) -> bool:
    if filters.importance and message.importance != ("low", "normal", "high").index(filters.importance):
        return False
    if filters.with_attachment and not message.has_attachments:
        return False
    if not filters.text.matches(message):
        return False
    # The costly checks last: they read attachments and the mail as it came.
    # Protected mail, mail above the limit and mail with a broken body are skipped (Learn page).
    return not (message.is_encrypted or _is_too_large(mailbox, message) or _is_broken(mailbox, message))


def _is_too_large(mailbox: Mailbox, message: Message) -> bool:
    most = mailbox.rules.max_mail_bytes
    files = files_of(mailbox, message.content_id) if message.has_files else ()
    return most > 0 and len(message.body.encode()) + sum(file.size for file in files) > most


def _is_broken(mailbox: Mailbox, message: Message) -> bool:
    """Whether a mail from outside the sandbox is not a complete MIME message."""
    stored = mail_store.stored_mail(mailbox.db, message.content_id)
    if stored.raw is None:
        return False
    # The email package is only needed here.
    from outlook_emulator.mailbox.formats.mime import is_broken

    return is_broken(stored.raw)


def _baseline(mailbox: Mailbox) -> Position:
    return Position(changes.position(mailbox.db, mailbox.now), mailbox.now)


def _moved_on(mailbox: Mailbox, since: Position, messages: Sequence[Message], position: int, more: bool) -> Position:
    """The position after a poll. The time of receipt stays while nothing comes.

    (Recorded from the Office 365 twin, whose state had a time months old: tests of pnp/cli-microsoft365.)
    """
    moved = since._replace(created=position)
    if not messages:
        return moved
    newest = max((*_previous(mailbox, since), *messages), key=lambda message: (message.received, message.id))
    return moved._replace(
        # While items wait for the next poll, their time of receipt is compared with the same time. A mail can be dated
        # in the future, and must not keep later ones from firing.
        received=since.received if more else min(max(since.received, newest.received), mailbox.now),
        message_id=mailbox.id_of(IdKind.MESSAGE, newest.id),
        internet_message_id=newest.message_id,
    )


def _previous(mailbox: Mailbox, since: Position) -> Iterator[Message]:
    """The newest mail of earlier polls, if it still exists."""
    if since.message_id is not None:
        key = mailbox.key_of(IdKind.MESSAGE, since.message_id, "cursor")
        if (message := mail_store.message(mailbox.db, mailbox.owner.id, key)) is not None:
            yield message


@lru_cache(maxsize=256)
def _text(position: Position) -> str:
    state = {
        # Names and order as recorded from the Office 365 twin.
        "LastReceivedMailTime": iso_ticks(position.received),
        "LastCreatedMailTime": iso_ticks(position.created),
        "LastMessageId": position.message_id,
        "LastInternetMessageId": position.internet_message_id,
    }
    cursor = b2a_base64(orjson.dumps(state), newline=False).decode("ascii")
    _known.keep(cursor, position)
    return cursor


def _instant(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))
