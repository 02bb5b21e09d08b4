"""The polling protocol: the query carries a state, and `Location` is the address of the next poll."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote
from zlib import crc32

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import epochs
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers.mail_triggers import Poll
from outlook_emulator.operations.operation import Operation
from outlook_emulator.operations.triggers import MAIL_CURSOR
from outlook_emulator.recent import Recent
from outlook_emulator.server.connector.exchange import Exchange, RawHeaders, Response
from outlook_emulator.server.connector.query import split_off
from outlook_emulator.wire import cursors
from outlook_emulator.wire.cursors import State
from outlook_emulator.wire.large_json import write_json

FIRST, WAITING, IDLE = 15, 0, 60
"""`Retry-After` in seconds: without items (recorded), with more to come (documented), and after items (inferred)."""
NOTIFIED = 3600
"""`Retry-After` where a poke makes the client poll early, so that its own poll is a safety net only.

Recorded twice from the Office 365 twin, each time on a 200: flagged mail (pnp/cli-microsoft365) and changed events (a
trigger output on qiita.com). That a 202 has it too is inferred.
"""

# Of the characters in a state, those that a query must not hold; in lower case (recorded).
_ESCAPES = [(character, f"%{ord(character):02x}") for character in "+/=:"]
_known: Recent[tuple[str, str], State] = Recent(1000)
"""What states hold that were issued or read last, by parameter and value: most come back with the next poll."""


def cursor_of(operation: Operation, exchange: Exchange, mailbox: Mailbox) -> str | None:
    """The cursor in the query, None on a first poll.

    Its name is case-sensitive. A name in another case is ignored, so such a poll always is a first one (recorded).
    Raises InvalidRequest for the cursor of another trigger or mailbox, or of an epoch that is over.
    """
    name = operation.cursor or ""
    _, texts = split_off(exchange.scope["query_string"], name)
    if not texts:
        return None
    key = name, texts[-1]
    known = _known.get(key)
    if known is None:
        read = cursors.read_mail_state if operation.cursor == MAIL_CURSOR else cursors.read_calendar_state
        known = read(unquote(texts[-1]))
        if known.scope is not None:
            _known.keep(key, known)
    cursor, scope = known
    if scope is not None and not _is_of(scope, operation, mailbox):
        raise InvalidRequest(
            f"The query parameter '{operation.cursor}' belongs to another trigger or mailbox,"
            " or to what a reset or a restored snapshot has undone."
        )
    return cursor


def poll_response(operation: Operation, exchange: Exchange, mailbox: Mailbox, poll: Poll) -> Response:
    """200 with the items, or an empty 202; both say where and when to poll next."""
    wait = WAITING if poll.more else _idle(operation, bool(poll.items))
    headers = _headers(_location(operation, exchange, mailbox, poll.cursor), wait)
    if not poll.items:
        return Response(202, b"", headers)
    body = write_json(operation.render(poll.items))
    return Response(200, body, [(b"content-type", b"application/json; charset=utf-8"), *headers])


def nothing_yet(exchange: Exchange) -> Response:
    """The response to a poll whose items are held back: poll again with the same state."""
    # The same state gives the same items again (recorded from the Office 365 twin), so nothing is lost.
    return Response(202, b"", _headers(_same(exchange), _idle(exchange.row, False)))


def once_more(exchange: Exchange, body: bytes) -> Response:
    """The response to a poll whose items are delivered twice: poll again at once, with the same state."""
    kind = [(b"content-type", b"application/json; charset=utf-8")]
    return Response(200, body, [*kind, *_headers(_same(exchange), WAITING)])


def _idle(operation: Operation, has_items: bool) -> int:
    if operation.is_notified:
        return NOTIFIED
    return IDLE if has_items else FIRST


def _headers(location: bytes, wait: int) -> RawHeaders:
    return [(b"location", location), (b"retry-after", b"%d" % wait)]


def _location(operation: Operation, exchange: Exchange, mailbox: Mailbox, cursor: str) -> bytes:
    """The address of the next poll: the query as it came, then the state with escapes in lower case (recorded)."""
    scope = _scope(operation, mailbox, epochs.current(mailbox.db))
    name = operation.cursor or ""
    state = b"%b=%b" % (name.encode(), _escaped_state(name, cursor, scope, mailbox.now // 1_000_000))
    others, _ = split_off(exchange.scope["query_string"], name)
    return _absolute(exchange, b"&".join([*others, state]))


@lru_cache(maxsize=256)
def _escaped_state(name: str, cursor: str, scope: int, second: int) -> bytes:
    """The state in a query; kept for a while, as it only changes with the second while nothing new comes."""
    if name == MAIL_CURSOR:
        state = cursors.mail_state(cursor, scope, second * 1_000_000)
    else:
        state = cursors.calendar_state(cursor, scope)
    for character, escape in _ESCAPES:
        state = state.replace(character, escape)
    _known.keep((name, state), State(cursor, scope))
    return state.encode("ascii")


def _same(exchange: Exchange) -> bytes:
    return _absolute(exchange, exchange.scope["query_string"])


def _absolute(exchange: Exchange, query: bytes) -> bytes:
    scope = exchange.scope
    host = exchange.headers.get(b"host") or b"localhost"
    return b"%b://%b%b?%b" % (scope["scheme"].encode(), host, scope["raw_path"], query)


def _is_of(scope: int, operation: Operation, mailbox: Mailbox) -> bool:
    # The present epoch first: almost every cursor is from it.
    return scope == _scope(operation, mailbox, epochs.current(mailbox.db)) or any(
        scope == _scope(operation, mailbox, epoch) for epoch in epochs.valid(mailbox.db)
    )


def _scope(operation: Operation, mailbox: Mailbox, epoch: int) -> int:
    """A number that only states of this trigger, mailbox and epoch have."""
    return _scope_number(mailbox.owner.id, operation.family, epoch)


@lru_cache(maxsize=1024)
def _scope_number(owner_id: int, family: str, epoch: int) -> int:
    # Short, since every state carries it. It notices mix-ups, and there is nothing to protect from forgery.
    return crc32(b"%d %b %d" % (owner_id, family.encode(), epoch))
