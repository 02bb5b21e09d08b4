"""Lists messages: the filters of Get emails, and full-text search."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.access import open_mailbox
from outlook_emulator.mailbox.mail import folders, search_index
from outlook_emulator.mailbox.mail.reading import MessageView, message_view
from outlook_emulator.mailbox.mail.search import parse
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.slices import Sliced, in_one_step
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import search as store_search
from outlook_emulator.store.full_text import MAX_ALTERNATIVES, TooManyAlternatives
from outlook_emulator.store.records import Facets, Message, MessageKey
from outlook_emulator.store.search_tree import Node, Span, both

_IMPORTANCES = ("low", "normal", "high")
_FEW = 5000
"""How many messages a list skips in next to no time."""


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


_NO_TEXT_FILTER = TextFilter(None, None, None, None, None)


def text_filter_of(
    to: str | None, cc: str | None, to_or_cc: str | None, from_: str | None, subject: str | None
) -> TextFilter:
    """The filters by address and by subject that are set; most requests set none."""
    if to or cc or to_or_cc or from_ or subject:
        return TextFilter(to, cc, to_or_cc, from_, subject)
    return _NO_TEXT_FILTER


class _Selection(NamedTuple):
    """Which messages of which folder a list shows; `window` is the number of messages that text filters look at."""

    mailbox: Mailbox
    folder_id: int
    facets: Facets
    text_filter: TextFilter
    window: int
    top: int
    skip: int
    include_attachments: bool

    def views(self, messages: Iterable[Message]) -> list[MessageView]:
        """The first `top` of the messages that pass the text filters."""
        if self.text_filter.is_set:
            messages = filter(self.text_filter.matches, messages)
        mailbox, include_attachments, top = self.mailbox, self.include_attachments, self.top
        # Cut again: filters read a window, and a search may return more than `top`.
        return [message_view(mailbox, message, include_attachments) for message in islice(messages, top)]


def find_or_search(
    mailbox: Mailbox, *, search_query: str | None = None, **filters: Any
) -> list[MessageView] | Sliced[list[MessageView]]:
    """The messages that `find` or `search` returns. `filters` are those of `find`."""
    if search_query and search_query.strip():
        return search(mailbox, search_query, **filters)
    if filters.get("skip", 0) > _FEW:
        return in_one_step(partial(find, mailbox, **filters))
    return find(mailbox, **filters)


def find(mailbox: Mailbox, **filters: Any) -> list[MessageView]:
    """The newest messages of a folder that match all filters, which are the keywords of `_select`.

    Address and subject filters look at the newest `filter_window` messages only, as the sibling connector documents
    (inferred here). Raises FolderNotFound, AccessDenied, InvalidId, and InvalidField for `top` and `skip`.
    """
    selection = _select(mailbox, **filters)
    mailbox, folder_id, facets, _, window, _, skip, _ = selection
    return selection.views(mail_store.newest_messages(mailbox.db, folder_id, facets, window, skip))


def search(mailbox: Mailbox, query: str, **filters: Any) -> Sliced[list[MessageView]]:
    """The newest messages of a folder that match a search and all filters; see `find`.

    Raises InvalidField for the query as well.
    """
    selection = _select(mailbox, **filters)
    mailbox, folder_id, facets, _, window, _, skip, _ = selection
    tree = parse(query, mailbox.now)
    yield from search_index.update(mailbox.db)
    # The alternatives of a search are merged before the page is cut, so each must return the skipped ones too.
    keys = yield from _matching(mailbox, tree, folder_id, facets, window + skip)
    messages = (mail_store.message(mailbox.db, mailbox.owner.id, key) for key in keys[skip : skip + window])
    return selection.views(message for message in messages if message is not None)


def page(
    mailbox: Mailbox,
    folder_id: int,
    facets: Facets,
    *,
    since: int | None = None,
    until: int | None = None,
    before: MessageKey | None = None,
    top: int,
) -> list[Message]:
    """The newest messages of a folder that have the facets, behind the position `before`.

    They were received from `since` until just before `until`. A page costs the same at every position.
    """
    end = MessageKey(mail_store.EVER if until is None else until, 0)
    return mail_store.messages_before(
        mailbox.db,
        folder_id,
        facets,
        end if before is None else min(before, end),
        since=-mail_store.EVER if since is None else since,
        top=top,
    )


def search_page(
    mailbox: Mailbox,
    query: str,
    folder_id: int,
    facets: Facets,
    *,
    since: int | None = None,
    until: int | None = None,
    before: MessageKey | None = None,
    top: int,
) -> Sliced[list[Message]]:
    """The messages of a `page` that match a search. Raises InvalidField for the query."""
    tree = both([parse(query, mailbox.now), Span(since, None if until is None else until - 1)])
    yield from search_index.update(mailbox.db)
    keys = yield from _matching(mailbox, tree, folder_id, facets, top, before)
    messages = (mail_store.message(mailbox.db, mailbox.owner.id, key) for key in keys[:top])
    return [message for message in messages if message is not None]


def _matching(
    mailbox: Mailbox, tree: Node, folder_id: int, facets: Facets, top: int, before: MessageKey | None = None
) -> Sliced[list[int]]:
    try:
        return (yield from store_search.find(mailbox.db, tree, folder_id, facets, top, before))
    except TooManyAlternatives:
        problem = f"combines dates with other terms in more than {MAX_ALTERNATIVES} ways."
        raise InvalidField("search_query", problem) from None


def _select(
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
    top: int = 10,
    skip: int = 0,
) -> _Selection:
    _check_page(mailbox, top, skip)
    mailbox = open_mailbox(mailbox, mailbox_address)
    folder_id = folders.resolve(mailbox, folder_path)
    text_filter = text_filter_of(to, cc, to_or_cc, from_, subject_filter)
    facets = Facets(fetch_only_unread, fetch_only_flagged, fetch_only_with_attachment, importance_facet(importance))
    # Text filters run on what the query returns, so it must return the whole window; all other filters are in the SQL.
    window = mailbox.rules.filter_window if text_filter.is_set else top
    return _Selection(mailbox, folder_id, facets, text_filter, window, top, skip, include_attachments)


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
