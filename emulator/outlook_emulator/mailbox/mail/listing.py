"""Finding mail: the filters of Get emails, and full text search over an index that follows the change feed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import addresses, changes
from outlook_emulator.mailbox.access import opened
from outlook_emulator.mailbox.mail import folders, search
from outlook_emulator.mailbox.mail.reading import MessageView, files_of, message_view
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.store import sql
from outlook_emulator.store.records import Message, facet_key

EVER = 2**63 - 1
"""Beyond every instant and every row of the index."""
_MILLISECOND = 1000
_MANY = 1000
_LAST_MILLISECOND = 2**42 - 1
_INDEXED_SEQ = "indexed_seq"
_IMPORTANCES = ("low", "normal", "high")


def find(
    mailbox: Mailbox,
    *,
    folder_path: str = "Inbox",
    to: str | None = None,
    cc: str | None = None,
    to_or_cc: str | None = None,
    from_: str | None = None,
    importance: str = "Any",
    fetch_only_with_attachment: bool = False,
    subject_filter: str | None = None,
    fetch_only_unread: bool = True,
    fetch_only_flagged: bool = False,
    mailbox_address: str | None = None,
    include_attachments: bool = False,
    search_query: str | None = None,
    top: int = 10,
    skip: int = 0,
) -> list[MessageView]:
    """The newest messages of a folder that pass every filter given.

    Address and subject filters look at the newest `filter_window` messages only, as the sibling connector documents
    (inferred here). Raises FolderNotFound, AccessDenied, and InvalidRequest for a `top`, `skip` or search query that
    cannot be.
    """
    _check_page(mailbox, top, skip)
    mailbox = opened(mailbox, mailbox_address)
    folder_id = folders.resolve(mailbox, folder_path)
    named = Named(to, cc, to_or_cc, from_, subject_filter)
    facets = (fetch_only_unread, fetch_only_flagged, fetch_only_with_attachment, facet_of(importance))
    if search_query and search_query.strip():
        messages = _search(mailbox, folder_id, facets, search_query, named.window(mailbox, top), skip)
    else:
        messages = _list(mailbox, folder_id, facets, named.window(mailbox, top), skip)
    if named.any:
        messages = filter(named.matches, messages)
    return [message_view(mailbox, one, include_attachments) for one in islice(messages, top)]


def catch_up(mailbox: Mailbox) -> None:
    """Bring the search index up to date with the change feed, for all mailboxes of the sandbox.

    The index is written when someone searches, so that sending does not pay for it.
    """
    row = mailbox.db.one(sql.STATE, {"key": _INDEXED_SEQ})
    done = int(row[0]) if row else 0
    newest = changes.last(mailbox.db)
    if done == newest:
        return
    with mailbox.db.transaction():
        changed = mailbox.db.all(sql.CHANGED_MESSAGES, {"seq": done})
        for (message_id,) in changed:
            _index(mailbox, message_id)
        if len(changed) > _MANY:
            # Many small pieces slow every later search down; one piece does not.
            mailbox.db.execute(sql.MERGE_INDEX, {})
        mailbox.db.execute(sql.SET_STATE, {"key": _INDEXED_SEQ, "value": str(newest)})


class Named:
    """The filters that name people or words."""

    def __init__(
        self, to: str | None, cc: str | None, to_or_cc: str | None, from_: str | None, subject: str | None
    ) -> None:
        self.to, self.cc, self.to_or_cc = (addresses.wanted(one) for one in (to, cc, to_or_cc))
        self.from_ = addresses.wanted(from_)
        self.subject = (subject or "").lower()
        self.any = bool(self.to or self.cc or self.to_or_cc or self.from_ or self.subject)

    def window(self, mailbox: Mailbox, top: int) -> int:
        return mailbox.rules.filter_window if self.any else top

    def matches(self, message: Message) -> bool:
        if self.subject and self.subject not in message.subject.lower():
            return False
        if self.from_ and (message.sender or "").lower() not in self.from_:
            return False
        if not (self.to or self.cc or self.to_or_cc):
            return True
        to, cc = _lowered(message.recipients_to), _lowered(message.recipients_cc)
        wanted = ((self.to, to), (self.cc, cc), (self.to_or_cc, to | cc))
        return all(not names or names & found for names, found in wanted)


def _lowered(joined: str | None) -> frozenset[str]:
    return frozenset(addresses.split(joined.lower())) if joined else frozenset()


def _check_page(mailbox: Mailbox, top: int, skip: int) -> None:
    # The first two versions declare no maximum; the sibling's third declares 1000.
    if not 1 <= top <= mailbox.rules.max_top:
        raise InvalidRequest(f"The query parameter 'top' must be from 1 to {mailbox.rules.max_top}, not {top}.")
    if skip < 0:
        raise InvalidRequest(f"The query parameter 'skip' must not be negative, but is {skip}.")


def facet_of(importance: str) -> str:
    lowered = importance.lower()
    return lowered if lowered in _IMPORTANCES else ""


_Facets = tuple[bool, bool, bool, str]


def _list(mailbox: Mailbox, folder_id: int, facets: _Facets, top: int, skip: int) -> Iterator[Message]:
    values = {"folder_id": folder_id, "since": -EVER, "until": EVER, "top": top, "skip": skip}
    return map(Message._make, mailbox.db.execute(sql.LIST_MESSAGES[facet_key(*facets)], values))


def _search(mailbox: Mailbox, folder_id: int, facets: _Facets, query: str, top: int, skip: int) -> Iterator[Message]:
    alternatives = search.parse(query, mailbox.now)
    catch_up(mailbox)
    found: dict[int, int] = {}
    for one in alternatives:
        found.update(mailbox.db.all(sql.SEARCH, _search_values(one, folder_id, facets, top + skip)))
    for _, message_id in sorted(found.items(), reverse=True)[skip : skip + top]:
        yield Message._make(mailbox.db.one(sql.MESSAGE, {"id": message_id, "mailbox_id": mailbox.owner.id}))


def _search_values(one: search.Alternative, folder_id: int, facets: _Facets, top: int) -> dict[str, Any]:
    unread, flagged, attachment, importance = facets
    tags = [f"folder{folder_id}", "unread" * unread, "flagged" * flagged, "hasattachment" * attachment]
    tags.append(f"importance{importance}" * bool(importance))
    match = " AND ".join(f'tags : "{tag}"' for tag in tags if tag)
    return {
        "match": f"{match} AND ({one.match})" if one.match else match,
        "since": -EVER if one.since is None else _rowid(one.since, 0),
        "until": EVER if one.until is None else _rowid(one.until + _MILLISECOND, 0),
        "top": top,
    }


def _index(mailbox: Mailbox, message_id: int) -> None:
    if old := mailbox.db.one(sql.SEARCH_ENTRY, {"message_id": message_id}):
        mailbox.db.execute(sql.FORGET_MESSAGE, {"rowid": old[0]})
        mailbox.db.execute(sql.DELETE_SEARCH_ENTRY, {"message_id": message_id})
    row = mailbox.db.one(sql.MESSAGE_ANYWHERE, {"id": message_id})
    if row is None:
        return
    message = Message._make(row)
    rowid = _rowid(message.received, message_id)
    mailbox.db.execute(sql.INDEX_MESSAGE, {"rowid": rowid, **_entry(mailbox, message)})
    mailbox.db.execute(sql.SET_SEARCH_ENTRY, {"message_id": message_id, "rowid": rowid})


def _rowid(received: int, message_id: int) -> int:
    """A row number that grows with the time of receipt, in milliseconds; the message's key keeps it unique."""
    millisecond = min(max(received // _MILLISECOND, 0), _LAST_MILLISECOND)
    return millisecond << 21 | message_id & 0x1FFFFF


def _entry(mailbox: Mailbox, message: Message) -> dict[str, Any]:
    files = files_of(mailbox, message.content_id) if message.has_files else []
    return {
        "message_id": message.id,
        "subject": message.subject,
        "body": plain_text(message.body) if message.is_html else message.body,
        "sender": message.sender or "",
        "recipients_to": message.recipients_to or "",
        "recipients_cc": message.recipients_cc or "",
        "recipients_bcc": message.recipients_bcc or "",
        "attachments": " ".join(one.name for one in files),
        "tags": _tags(message),
    }


def _tags(message: Message) -> str:
    tags = ["all", f"folder{message.folder_id}", f"importance{_IMPORTANCES[message.importance]}"]
    tags += ["unread"] * (not message.is_read) + ["flagged"] * message.is_flagged
    return " ".join(tags + ["hasattachment"] * message.has_attachments)
