"""The polling protocol: the query carries a cursor, and `Location` is the address of the next poll."""

from __future__ import annotations

from urllib.parse import quote, unquote
from zlib import crc32

import orjson

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import epochs
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers.mail_triggers import Poll
from outlook_emulator.operations.operation import Operation
from outlook_emulator.server.connector.exchange import Exchange, RawHeaders, Response

SCOPE = "pollScope"
"""The query parameter that names the trigger and mailbox of a cursor, which may be no more than an instant."""
FIRST, WAITING, IDLE = 15, 0, 60
"""`Retry-After` in seconds: without items (recorded), with more to come (documented), and after items (inferred)."""


def cursor_of(operation: Operation, exchange: Exchange, mailbox: Mailbox) -> str | None:
    """The cursor in the query, None on a first poll.

    Its name is case-sensitive. A name in another case is ignored, so such a poll always is a first one (recorded).
    Raises InvalidRequest for the cursor of another trigger or mailbox, or of an epoch that is over.
    """
    query = {name: unquote(value) for name, _, value in _pairs(exchange)}
    cursor = query.get(operation.cursor or "")
    if cursor is not None and SCOPE in query and not _is_of(query[SCOPE], operation, mailbox):
        raise InvalidRequest(
            f"The query parameter '{operation.cursor}' belongs to another trigger or mailbox,"
            " or to what a reset or a restored snapshot has undone."
        )
    return cursor


def poll_response(operation: Operation, exchange: Exchange, mailbox: Mailbox, poll: Poll) -> Response:
    """200 with the items, or an empty 202; both say where and when to poll next."""
    wait = WAITING if poll.more else IDLE if poll.items else FIRST
    headers: RawHeaders = [
        (b"location", _location(operation, exchange, mailbox, poll.cursor)),
        (b"retry-after", b"%d" % wait),
    ]
    if not poll.items:
        return Response(202, b"", headers)
    body = orjson.dumps(operation.render(poll.items))
    return Response(200, body, [(b"content-type", b"application/json; charset=utf-8"), *headers])


def nothing_yet(exchange: Exchange) -> Response:
    """The response to a poll whose items are held back: poll again with the same cursor."""
    scope = exchange.scope
    query = scope["query_string"].decode("latin-1")
    return Response(202, b"", [(b"location", _absolute(exchange, query)), (b"retry-after", b"%d" % FIRST)])


def _location(operation: Operation, exchange: Exchange, mailbox: Mailbox, cursor: str) -> bytes:
    """The address of the next poll: the same query, then the cursor with escapes in lower case (recorded)."""
    kept = [f"{name}{mark}{value}" for name, mark, value in _pairs(exchange) if name not in (operation.cursor, SCOPE)]
    state = f"{operation.cursor}={_escaped(cursor)}&{SCOPE}={_scope(operation, mailbox, epochs.current(mailbox.db))}"
    return _absolute(exchange, "&".join([*kept, state]))


def _absolute(exchange: Exchange, query: str) -> bytes:
    scope = exchange.scope
    host = exchange.header("host") or "localhost"
    path = scope["raw_path"].decode("latin-1")
    return f"{scope['scheme']}://{host}{path}?{query}".encode("latin-1")


def _escaped(text: str) -> str:
    first, *rest = quote(text, safe="").split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _pairs(exchange: Exchange) -> list[tuple[str, str, str]]:
    raw = exchange.scope["query_string"].decode("latin-1")
    return [part.partition("=") for part in raw.split("&") if part]


def _is_of(scope: str, operation: Operation, mailbox: Mailbox) -> bool:
    # The present epoch first: almost every cursor is from it.
    return scope == _scope(operation, mailbox, epochs.current(mailbox.db)) or any(
        scope == _scope(operation, mailbox, epoch) for epoch in epochs.valid(mailbox.db)
    )


def _scope(operation: Operation, mailbox: Mailbox, epoch: int) -> str:
    owner = f"{mailbox.owner.id} {operation.family} {epoch}"
    return f"{crc32(owner.encode()):08x}"
