"""Lists messages: the filters of Get emails, and full-text search with an index that follows the change feed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox import addresses, changes
from outlook_emulator.mailbox.access import open_mailbox
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.mailbox.mail.reading import MessageView, files_of, message_view
from outlook_emulator.mailbox.mail.search import parse
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import sandbox_state, search
from outlook_emulator.store.full_text import MAX_ALTERNATIVES, TooManyAlternatives
from outlook_emulator.store.records import Facets, Message, MessageKey
from outlook_emulator.store.search import SearchText
from outlook_emulator.store.search_tree import Node, Span, both

_MANY = 1000
_INDEXED_SEQ = "indexed_seq"
"""The key of the last entry of the change feed that is in the search index."""
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
    """The newest messages of a folder that match all filters.

    Address and subject filters look at the newest `filter_window` messages only, as the sibling connector documents
    (inferred here). Raises FolderNotFound, AccessDenied, InvalidId, and InvalidField for `top`, `skip` and the search
    query.
    """
    _check_page(mailbox, top, skip)
    mailbox = open_mailbox(mailbox, mailbox_address)
    folder_id = folders.resolve(mailbox, folder_path)
    text_filter = TextFilter(to, cc, to_or_cc, from_, subject_filter)
    facets = Facets(fetch_only_unread, fetch_only_flagged, fetch_only_with_attachment, importance_facet(importance))
    # Text filters run on what the query returns, so it must return the whole window; all other filters are in the SQL.
    window = mailbox.rules.filter_window if text_filter.is_set else top
    if search_query and search_query.strip():
        messages = _search(mailbox, folder_id, facets, search_query, window, skip)
    else:
        messages = mail_store.newest_messages(mailbox.db, folder_id, facets, window, skip)
    if text_filter.is_set:
        messages = filter(text_filter.matches, messages)
    # Cut again: filters read a window, and a search may return more than `top`.
    return [message_view(mailbox, message, include_attachments) for message in islice(messages, top)]


def page(
    mailbox: Mailbox,
    folder_id: int,
    facets: Facets,
    *,
    query: str = "",
    since: int | None = None,
    until: int | None = None,
    before: MessageKey | None = None,
    top: int,
) -> list[Message]:
    """The newest messages of a folder behind a position that have the facets and match a search.

    They were received from `since` until just before `until`. A page costs the same at every position. Raises
    InvalidField for the search query.
    """
    if query.strip():
        span = Span(since, None if until is None else until - 1)
        tree = parse(query, mailbox.now)
        update_index(mailbox)
        keys = _matching(mailbox, both([tree, span]) if span != Span() else tree, folder_id, facets, top, before)
        messages = (mail_store.message(mailbox.db, mailbox.owner.id, key) for key in keys[:top])
        return [message for message in messages if message is not None]
    end = MessageKey(mail_store.EVER if until is None else until, 0)
    return mail_store.messages_before(
        mailbox.db,
        folder_id,
        facets,
        end if before is None else min(before, end),
        since=-mail_store.EVER if since is None else since,
        top=top,
    )


def update_index(mailbox: Mailbox) -> None:
    """Bring the search index up to date with the change feed, for all mailboxes of the sandbox.

    A search calls this first, so that sending a mail does not pay for the index.
    """
    text = sandbox_state.get(mailbox.db, _INDEXED_SEQ)
    indexed = int(text) if text else 0
    newest = changes.last(mailbox.db)
    if indexed == newest:
        return
    with mailbox.db.transaction():
        keys = search.changed_messages(mailbox.db, indexed)
        for key in keys:
            _index(mailbox, key)
        if len(keys) > _MANY:
            search.optimize(mailbox.db)
        sandbox_state.put(mailbox.db, _INDEXED_SEQ, str(newest))


class TextFilter:
    """The filters by address and by subject; a message must match all that are set."""

    def __init__(
        self, to: str | None, cc: str | None, to_or_cc: str | None, from_: str | None, subject: str | None
    ) -> None:
        self._to, self._cc = addresses.wanted(to, "to"), addresses.wanted(cc, "cc")
        self._to_or_cc, self._from = addresses.wanted(to_or_cc, "to_or_cc"), addresses.wanted(from_, "from")
        self._subject = (subject or "").lower()
        self.is_set = bool(self._to or self._cc or self._to_or_cc or self._from or self._subject)

    def matches(self, message: Message) -> bool:
        if self._subject and self._subject not in message.subject.lower():
            return False
        if self._from and (message.sender or "").lower() not in self._from:
            return False
        if not (self._to or self._cc or self._to_or_cc):
            return True
        to, cc = _lowered(message.recipients_to), _lowered(message.recipients_cc)
        filters = ((self._to, to), (self._cc, cc), (self._to_or_cc, to | cc))
        return all(not wanted or wanted & recipients for wanted, recipients in filters)


def _lowered(joined: str | None) -> frozenset[str]:
    return frozenset(addresses.split(joined.lower())) if joined else frozenset()


def importance_facet(importance: str) -> str:
    """The importance to filter by, in lower case; empty for any other text, such as `Any`."""
    lowered = importance.lower()
    return lowered if lowered in _IMPORTANCES else ""


def _check_page(mailbox: Mailbox, top: int, skip: int) -> None:
    # The first two versions declare no maximum; the sibling's third declares 1000.
    if not 1 <= top <= mailbox.rules.max_top:
        raise InvalidField("top", f"must be from 1 to {mailbox.rules.max_top}, not {top}.")
    if skip < 0:
        raise InvalidField("skip", f"must not be negative, but is {skip}.")


def _search(mailbox: Mailbox, folder_id: int, facets: Facets, query: str, top: int, skip: int) -> Iterator[Message]:
    tree = parse(query, mailbox.now)
    update_index(mailbox)
    # The alternatives of a search are merged before the page is cut, so each must return the skipped ones too.
    keys = _matching(mailbox, tree, folder_id, facets, top + skip)
    messages = (mail_store.message(mailbox.db, mailbox.owner.id, key) for key in keys[skip : skip + top])
    return (message for message in messages if message is not None)


def _matching(
    mailbox: Mailbox, tree: Node, folder_id: int, facets: Facets, top: int, before: MessageKey | None = None
) -> list[int]:
    try:
        return search.find(mailbox.db, tree, folder_id, facets, top, before)
    except TooManyAlternatives:
        problem = f"combines dates with other terms in more than {MAX_ALTERNATIVES} ways."
        raise InvalidField("search_query", problem) from None


def _index(mailbox: Mailbox, message_id: int) -> None:
    # Removed even if it comes back: its tags hold the folder and the flags, which may be what has changed.
    search.remove(mailbox.db, message_id)
    message = mail_store.message_of_any(mailbox.db, message_id)
    if message is not None:
        search.index(mailbox.db, message, _search_text(mailbox, message))


def _search_text(mailbox: Mailbox, message: Message) -> SearchText:
    files = files_of(mailbox, message.content_id) if message.has_files else []
    return SearchText(
        subject=message.subject,
        body=plain_text(message.body) if message.is_html else message.body,
        sender=message.sender or "",
        recipients_to=message.recipients_to or "",
        recipients_cc=message.recipients_cc or "",
        recipients_bcc=message.recipients_bcc or "",
        attachments=" ".join(file.name for file in files),
    )
