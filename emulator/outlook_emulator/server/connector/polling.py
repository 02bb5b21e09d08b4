"""The polling protocol: a cursor comes in with the query, and goes out in the `Location` that the caller asks next."""

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
"""Says beside the cursor whose it is, since an instant alone could be anybody's."""
FIRST, WAITING, IDLE = 15, 0, 60
"""`Retry-After` in seconds: with nothing new (recorded), with more waiting (documented), and after items (inferred)."""


def cursor_of(operation: Operation, exchange: Exchange, mailbox: Mailbox) -> str | None:
    """The state a caller brings, None on a first poll.

    Its name counts letter by letter: a wrongly cased one is ignored, so that such a poll starts afresh each time
    (recorded). Raises InvalidRequest for the state of another trigger or mailbox, or from a world that is over.
    """
    given = {name: unquote(value) for name, _, value in _pairs(exchange)}
    cursor = given.get(operation.cursor or "")
    if cursor is not None and SCOPE in given and not _is_of(given[SCOPE], operation, mailbox):
        raise InvalidRequest(
            f"The query parameter '{operation.cursor}' belongs to another trigger or mailbox,"
            " or to what a reset or a restored snapshot has undone."
        )
    return cursor


def poll_response(operation: Operation, exchange: Exchange, mailbox: Mailbox, poll: Poll) -> Response:
    """200 with what was found, or an empty 202; both say where and when to ask next."""
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
    """What a poll is answered whose finds are held back: ask again, from where you stand."""
    scope = exchange.scope
    query = scope["query_string"].decode("latin-1")
    return Response(202, b"", [(b"location", _absolute(exchange, query)), (b"retry-after", b"%d" % FIRST)])


def _location(operation: Operation, exchange: Exchange, mailbox: Mailbox, cursor: str) -> bytes:
    """The address of the next poll: this one's, original query first, then the state, escaped in lower case."""
    kept = [f"{name}{mark}{value}" for name, mark, value in _pairs(exchange) if name not in (operation.cursor, SCOPE)]
    state = f"{operation.cursor}={_escaped(cursor)}&{SCOPE}={_scope(operation, mailbox, epochs.present(mailbox.db))}"
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
    # The present world first: almost every state is from it.
    return scope == _scope(operation, mailbox, epochs.present(mailbox.db)) or any(
        scope == _scope(operation, mailbox, world) for world in epochs.living(mailbox.db)
    )


def _scope(operation: Operation, mailbox: Mailbox, world: int) -> str:
    whose = f"{mailbox.owner.id} {operation.family} {world}"
    return f"{crc32(whose.encode()):08x}"
