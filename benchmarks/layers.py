"""The time that each layer takes of a request, without the network."""

from __future__ import annotations

import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.client import Request
from benchmarks.in_process import repeated, response_headers
from benchmarks.requests import LIST, POLL, SEND, TEST
from benchmarks.server import bare, emulator
from outlook_emulator.mailbox.mail import listing
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.connector.query import QueryReader
from outlook_emulator.server.connector.routes import Routes
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import sandbox_state
from outlook_emulator.store.records import Facets
from outlook_emulator.wire import mail_convert
from outlook_emulator.wire.body import reader_of
from outlook_emulator.wire.mail import ClientSendHtmlMessage

_QUERY = LIST.path.partition("?")[2].encode()
_BATCH = 200


def layers() -> None:
    """Print the microseconds of each layer, for a list of ten mails and for sending a mail."""
    app: Any = emulator(100)
    sandbox, owner = app.state.sandboxes.find("bench")
    mailbox = sandbox.mailbox(owner)
    routes, by_id = Routes(OPERATIONS), {row.id: row for row in OPERATIONS}
    query, body = QueryReader(by_id["GetEmailsV2"].parameters), reader_of(ClientSendHtmlMessage)
    values = query.read(_QUERY, lambda name: None)
    values.pop("search_query", None)
    message_views = listing.find(mailbox, **values)
    shapes = mail_convert.batch(message_views)
    unread = Facets(unread=True)
    draft = mail_convert.draft_from_html(body.read(SEND.body))

    def read_store() -> None:
        list(mail_store.newest_messages(sandbox.db, owner.inbox_id, unread, 10, 0))

    def read_after_write() -> None:
        sandbox_state.put(sandbox.db, "benchmark", "x")
        read_store()

    print("The time of each layer in microseconds, without uvicorn and the network:")
    _show("route", lambda: routes.match("GET", ["bench", "v2", "Mail"]))
    _show("list: read the query", lambda: query.read(_QUERY, lambda name: None))
    _show("list: the same one again", read_store)
    _show("list: query after a write", read_after_write)
    _show("list: the whole function", lambda: listing.find(mailbox, **values))
    _show("list: records to shapes", lambda: mail_convert.batch(message_views))
    _show("list: shapes to JSON", lambda: orjson.dumps(shapes))
    _show("list: the whole app", repeated(app, LIST, _BATCH), _BATCH)
    _show("poll: the whole app", repeated(app, _next_poll(app), _BATCH), _BATCH)
    _show("test connection: the app", repeated(app, TEST, _BATCH), _BATCH)
    _show("send: read the body", lambda: mail_convert.draft_from_html(body.read(SEND.body)))
    send = by_id["SendEmailV2"].run
    assert send is not None
    _show("send: the whole function", lambda: send(mailbox, draft))
    _show("send: the whole app", repeated(app, SEND, _BATCH), _BATCH)
    with TemporaryDirectory() as folder:
        stored: Any = emulator(100, data=folder)
        _show("send: the app with --data", repeated(stored, SEND, _BATCH), _BATCH)
        stored.state.sandboxes.close()
    _show("a bare Starlette route", repeated(bare(b""), Request("GET", "/"), _BATCH), _BATCH)


def _next_poll(app: Any) -> Request:
    """The request of the second poll: the address that the first response contains."""
    location = urlsplit(response_headers(app, POLL)[b"location"].decode())
    return Request("GET", f"{location.path}?{location.query}")


def _show(name: str, call: Callable[[], Any], times: int = 1) -> None:
    """Print the best of several rounds, which other processes disturb least."""
    rounds = 15
    best = min(_round(call, max(1, 1000 // times)) for _ in range(rounds))
    print(f"  {name:28} {best / times * 1e6:7.1f}")


def _round(call: Callable[[], Any], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times
