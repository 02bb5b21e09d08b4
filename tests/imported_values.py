"""Imports sandboxes with one strange value each: what is imported can be read, and what cannot be read is refused.

`python -m tests.imported_values [SECONDS]` changes every column of an exported sandbox to values that its own program
never writes, imports the file, and reads, exports and changes everything in it. It stops at the first server error, or
goes on with `--all`, and prints how many imports were refused. The test suite tries some of them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from random import Random
from traceback import walk_tb
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.sandbox import imports, state
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.server.webhooks import push_triggers
from outlook_emulator.settings import Settings
from outlook_emulator.store.database import Database
from tests.server.test_fuzz import START, Reply, question, send, subscription, trigger

ADMIN = f"{ROOT}/sandboxes/default"
EVENTS = "/datasets/calendars/tables/Calendar/items"
_NUMBERS = (
    -1,
    0,
    1,
    2,
    3,
    7,
    99,
    10**9,
    2**31,
    2**53,
    -(10**15),
    10**15,
    -(10**17),
    10**17,
    2**62,
    2**63 - 1,
    -(2**63),
)
_TEXTS = (
    *("", "x", "\0", "é" * 300, "9" * 4301, "😀", "Nowhere/Zone", "Europe/Berlin", "UTC", "../../etc/passwd"),
    *("{", "[]", "{}", "null", "0", '"x"', "[null]", "[[]]", "[0]", "[1e400]", '["x"]', "[[1]]", "[[[]]]", "[{}]"),
    *('{"x": null}', "[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, "[99999999999999999999]", "[-99999999999999999]"),
    *('["\\ud800"]', "[[null, null, null, null, null]]", '[["a@b.c", "n", 9, 9, 9]]', '[["a@b.c", "n"]]'),
    *('["a@b.c", "n", 9, 9, 9]', "a@b.c;;", "not an address", "<b>", "&#" + "9" * 4301 + ";", "\r\nX: y"),
)
_BLOBS = (b"", b"\xff\xfe", b"{", b"\r\n\r\n", b"Content-Type: multipart/mixed\r\n\r\nx", b"&#9999999999;")


_AT_ONCE = 24
"""How many changes are tried before everything is read."""


class Change(NamedTuple):
    """A value that every row of a table gets in a column."""

    table: str
    column: str
    value: Any


def running() -> Iterator[Starlette]:
    """An app without limits of calls."""
    app = create_app(Settings(max_calls=0), VirtualClock(START))
    yield app
    app.state.sandboxes.close()


def exported(app: Starlette) -> bytes:
    """A sandbox with rows in every table, exported."""
    for id in ("alice", "bob"):
        _post(app, f"{ADMIN}/connections", {"id": id, "sendAs": ["team@outlook.com"]})
    eml = "From: Eve <e@f.g>\nTo: alice@outlook.com\nSubject: Raw\nContent-Type: text/html\n\n<p>Hi</p>"
    _post(app, f"{ADMIN}/connections/alice/deliver", {"eml": eml, "folder": "Archive/Deep"})
    _post(app, f"{ADMIN}/connections/alice/deliver", {"from": "e@f.g", "subject": "s", "text": "b", "isFlagged": True})
    files = [{"Name": "a.txt", "ContentBytes": "YQ=="}]
    mail = {"To": "bob@outlook.com;x@y.z", "Cc": "alice@outlook.com", "Bcc": "c@d.e", "ReplyTo": "r@s.t"}
    _post(app, _of("alice", "/v2/Mail"), {**mail, "Subject": "s", "Body": "<p>b</p>", "Attachments": files})
    attendees = [{"EmailAddress": {"Name": "Bob", "Address": "bob@outlook.com"}, "Type": "Optional"}]
    span = {"Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}
    zones = {"StartTimeZone": "Pacific Standard Time", "EndTimeZone": "W. Europe Standard Time"}
    place = {"DisplayName": "l", "Address": {"City": "c"}, "Coordinates": {"Latitude": 1.5, "Longitude": 2}}
    single = {"Subject": "One", **span, **zones, "Attendees": attendees, "Location": place, "Categories": ["red"]}
    _post(app, _of("alice", EVENTS), {**single, "Body": {"ContentType": "HTML", "Content": "<p>x</p>"}, "Reminder": 5})
    pattern = {"Type": "RelativeMonthly", "Interval": 2, "DaysOfWeek": ["Monday"], "Index": "Last"}
    ends = {"Type": "Numbered", "NumberOfOccurrences": 5, "StartDate": "2026-03-04"}
    series = {**single, "Subject": "Many", "Recurrence": {"Pattern": pattern, "Range": ends}}
    _post(app, _of("alice", EVENTS), series)
    weekly = {"Subject": "Weekly", **span, "TimeZone": "(UTC) Coordinated Universal Time", "Recurrence": "Weekly"}
    _post(app, _of("alice", "/datasets/calendars/v2/tables/Calendar/items"), weekly)
    for event in _values(app, _of("alice", _view("2026-03-01", "2026-03-20")))[-1:]:
        body = json.dumps({"Subject": "Moved", **span}).encode()
        send(app, "PATCH", _of("alice", f"{EVENTS}/{event['Id']}").encode(), body=body)
    card: dict[str, Any] = {"GivenName": "Ann", "Surname": "Lee", "HomePhones": ["1"], "Birthday": "1980-05-04"}
    card |= {"EmailAddresses": [{"Name": "n", "Address": "a@b.c"}], "Categories": ["x"], "ImAddresses": ["im"]}
    _post(app, _of("alice", "/datasets/contacts/tables/Contacts/items"), {**card, "HomeAddress": {"City": "c"}})
    _post(app, f"{ADMIN}/connections/alice/calendars", {"name": "Second"})
    _post(app, f"{ADMIN}/connections/alice/contactfolders", {"name": "Second"})
    _post(app, f"{ADMIN}/seed", {"name": "empty"})
    for path in ("/approvalmail/$subscriptions", "/mailwithoptions/$subscriptions"):
        question(app, path)
    for path in ("/MailSubscription", "/EventSubscription"):
        subscription(app, path)
    trigger(app)
    _post(app, _of("bob", "/v2/Mail"), {"To": "alice@outlook.com", "Subject": "hello", "Body": "mail"})
    _values(app, _of("alice", "/v2/Mail?searchQuery=hello&fetchOnlyUnread=false"))
    _post(app, f"{ADMIN}/clock", {"set": "2026-03-02T10:00:00Z", "freeze": True})
    return _get(app, f"{ADMIN}/export").body


def changes(file: bytes) -> list[Change]:
    """All changes: each column that has rows, with strange values of its type."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(file)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found: list[Change] = []
        for table in tables:
            if table.startswith(("sqlite_", "message_search")):
                continue
            assert db.execute(f"SELECT 1 FROM {table}").fetchone(), f"no row in {table}"
            if table == "sandbox_state":
                keys = [key for (key,) in db.execute("SELECT key FROM sandbox_state")]
                found += [Change(table, key, value) for key in keys for value in _TEXTS]
                continue
            columns = list(db.execute("SELECT name, type FROM pragma_table_info(?)", (table,)))
            found += [Change(table, name, value) for name, kind in columns for value in (*_of_kind(kind), None)]
    return found


def _of_kind(kind: str) -> tuple[Any, ...]:
    if kind == "BLOB":
        return _BLOBS
    return _TEXTS if kind == "TEXT" else _NUMBERS


def changed(file: bytes, tried: Iterable[Change]) -> tuple[bytes, list[Change]]:
    """The file with those of the changes that an import accepts, and these changes."""
    accepted = []
    for change in tried:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(file)
            db.create_function("lowered", 1, str.lower, deterministic=True)
            # Some changes are refused by SQLite, the others by the import.
            with suppress(sqlite3.Error, ValueError, InvalidRequest):
                apply(db, change)
                with closing(Database(image=db.serialize())) as trial:
                    imports.check(trial, now=0)
                    push_triggers.check_all(trial)
                    imports.adopt(trial, prefix="", samples=(), epoch=0)
                    state.read_rng(trial)
                file = db.serialize()
                accepted.append(change)
    return file, accepted


def apply(db: sqlite3.Connection, change: Change) -> None:
    """Write the value of a change. Raises sqlite3.Error for one that SQLite refuses."""
    if change.table == "sandbox_state":
        db.execute("UPDATE sandbox_state SET value = ? WHERE key = ?", (change.value, change.column))
    else:
        db.execute(f'UPDATE OR REPLACE "{change.table}" SET "{change.column}" = ?', (change.value,))


def check(app: Starlette, file: bytes) -> None:
    """Import a file, and read, export and change everything in it; nothing of that may be a server error."""
    assert _send_bytes(app, "POST", f"{ADMIN}/import", file).status == 200
    read_everything(app)
    change_everything(app)


def read_everything(app: Starlette) -> None:
    for path in (
        *("", "/connections", "/outbox", "/questions", "/callbacks", "/clock", "/snapshots", "/export", "/journal"),
        *("/faults", "/limits"),
    ):
        _get(app, ADMIN + path)
    for path in ("", "outbox", "triggers", "snapshots", "approvals", "clock", "journal"):
        _get(app, f"/_emulator/s/default/{path}")
    for mail in _values(app, f"{ADMIN}/outbox"):
        _get(app, f"{ADMIN}/outbox/{mail['id']}/mime")
    for id in _connections(app):
        place = f"{ADMIN}/connections/{quote(id)}"
        for name in ("subscriptions", "triggerConfigs", "messages", "events", "contacts"):
            _get(app, f"{place}/{name}")
        for name in ("mail", "calendar?day=2026-03-04", "contacts", "calendar.ics", "contacts.vcf"):
            _get(app, f"/_emulator/s/default/m/{quote(id)}/{name}")
        for query in ("", "&includeAttachments=true", "&searchQuery=hello", "&folderPath=SentItems", "&from=e@f.g"):
            for mail in _values(app, _of(id, f"/v2/Mail?top=50&fetchOnlyUnread=false{query}")):
                _get(app, _of(id, f"/Mail/{mail['Id']}"))
                _get(app, f"{place}/messages/{mail['Id']}/mime")
                for attachment in mail["Attachments"]:
                    _get(app, _of(id, f"/Mail/{mail['Id']}/Attachments/{attachment['Id']}"))
        for version in ("", "v2/", "v3/"):
            _get(app, _of(id, f"/datasets/calendars/{version}tables/Calendar/items"))
        for text in (
            "contains(Subject,'s')",
            "Categories/any(c:c eq 'red')",
            "Start/DateTime gt '2020-01-01T00:00:00'",
        ):
            _get(app, _of(id, f"{EVENTS}?$filter={quote(text)}&$orderby=Subject"))
        for start, end in (("2026-03-01", "2026-06-01"), ("1971-01-01", "1975-01-01"), ("9998-01-01", "9999-12-31")):
            for event in _values(app, _of(id, _view(start, end))):
                _get(app, _of(id, f"{EVENTS}/{event['Id']}"))
        for path in (
            *("/Mail/OnNewEmail", "/v2/Mail/OnNewEmail", "/v2/Mail/OnFlaggedEmail", "/v2/Mail/OnNewMentionMeEmail"),
            *("/v2/Events/OnUpcomingEvents?table=Calendar", "/OnFilePickerBrowse?operation=MailFolders"),
            *(f"/datasets/calendars/v2/tables/Calendar/on{kind}items" for kind in ("new", "updated", "changed")),
        ):
            _get(app, _of(id, path))
        for kind in ("calendars", "contacts"):
            for table in _values(app, _of(id, f"/datasets/{kind}/tables")):
                name, folder = quote(table["Name"], safe=""), kind.replace("contacts", "contactfolders")
                _get(app, _of(id, f"/datasets/{kind}/tables/{name}/items"))
                _get(app, f"{place}/{folder}/{name}/export")


def change_everything(app: Starlette) -> None:
    for id in _connections(app):
        for mail in _values(app, _of(id, "/v2/Mail?top=3&fetchOnlyUnread=false")):
            _send(app, "POST", _of(id, f"/v3/Mail/ReplyTo/{mail['Id']}"), {"Body": "b", "ReplyAll": True})
            _send(
                app, "POST", _of(id, f"/codeless/api/v2.0/me/messages/{mail['Id']}/forward"), {"ToRecipients": "x@y.z"}
            )
            _send(app, "POST", _of(id, f"/Mail/Flag/{mail['Id']}"), {})
            _send(app, "DELETE", _of(id, f"/Mail/{mail['Id']}"))
        for event in _values(app, _of(id, EVENTS)):
            _send(app, "POST", _of(id, f"/codeless/api/v2.0/me/events/{event['Id']}/Accept"), {"SendResponse": True})
            body = {"Subject": "New", "Start": "2026-03-05T10:00:00", "End": "2026-03-05T11:00:00"}
            _send(app, "PATCH", _of(id, f"{EVENTS}/{event['Id']}"), body)
        for event in _values(app, _of(id, EVENTS)):
            _send(app, "DELETE", _of(id, f"{EVENTS}/{event['Id']}"))
        cards = "/datasets/contacts/tables/Contacts/items"
        for contact in _values(app, _of(id, cards)):
            _send(app, "PATCH", _of(id, f"{cards}/{contact['Id']}"), {"GivenName": "B"})
            _send(app, "DELETE", _of(id, f"{cards}/{contact['Id']}"))
        for live in _values(app, f"{ADMIN}/connections/{quote(id)}/subscriptions"):
            _send(app, "POST", f"{ADMIN}/connections/{quote(id)}/subscriptions/{quote(live['id'], safe='')}/poke", {})
    for pending in _values(app, f"{ADMIN}/questions"):
        _send(app, "POST", f"{ADMIN}/questions/{pending['id']}/answer", {"option": "Approve"})
    _send(app, "POST", f"{ADMIN}/clock", {"advance": "1h"})
    for path in ("/callbacks", "/export", "/outbox", "/questions"):
        _get(app, ADMIN + path)
    for method, path in (("PUT", "/snapshots/one"), ("POST", "/snapshots/one/restore"), ("POST", "/reset")):
        _send(app, method, ADMIN + path)


def _of(connection: str, path: str) -> str:
    return f"/apim/outlook/{quote(connection, safe='')}{path}"


def _view(start: str, end: str) -> str:
    return (
        "/datasets/calendars/v2/tables/items/calendarview"
        f"?calendarId=Calendar&startDateTimeOffset={start}&endDateTimeOffset={end}"
    )


def _connections(app: Starlette) -> list[str]:
    return [connection["id"] for connection in _values(app, f"{ADMIN}/connections")]


def _values(app: Starlette, path: str) -> list[Any]:
    reply = _get(app, path)
    return json.loads(reply.body)["value"] if reply.status == 200 else []


def _get(app: Starlette, path: str) -> Reply:
    return _send(app, "GET", path)


def _post(app: Starlette, path: str, body: Any) -> Reply:
    reply = _send(app, "POST", path, body)
    assert reply.status < 300, (path, reply)
    return reply


def _send(app: Starlette, method: str, path: str, body: Any = None) -> Reply:
    return _send_bytes(app, method, path, b"" if body is None else json.dumps(body).encode())


def _send_bytes(app: Starlette, method: str, path: str, body: bytes) -> Reply:
    place, _, query = path.partition("?")
    reply = send(app, method, place.encode(), query.encode(), body=body)
    # Of a file that somebody edited, the response names the row.
    is_named = reply.status == 503 and (
        b"another program, because its" in reply.body or b"cannot be used" in reply.body
    )
    assert reply.status < 500 or is_named, f"{method} {path}: {reply.status} {reply.body[:300]!r}"
    return reply


class Log(logging.Handler):
    """Keeps where the last exception in the log came from."""

    last = ""

    def install(self) -> None:
        """Take the place of all other handlers of the emulator's log."""
        logger = logging.getLogger("outlook_emulator")
        logger.handlers[:] = [self]
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and (error := record.exc_info[1]) is not None:
            *_, (frame, line) = walk_tb(error.__traceback__)
            self.last = f"{type(error).__name__}: {str(error)[:100]} in {frame.f_code.co_filename}:{line}"


def main(*words: str) -> int:
    seconds = float(next((word for word in words if word[0] != "-"), 60))
    log = Log()
    log.install()
    tried = accepted = failures = 0
    end = time.monotonic() + seconds
    for app in running():
        file = exported(app)
        check(app, file)
        possible = changes(file)
        rng = Random(time.time_ns())
        while time.monotonic() < end:
            broken, values = changed(file, rng.sample(possible, _AT_ONCE))
            tried, accepted = tried + _AT_ONCE, accepted + len(values)
            try:
                check(app, broken)
            except Exception as error:
                failures += 1
                print(*(f"{table}.{column} = {str(value)[:40]!r}" for table, column, value in values), sep="\n")
                print("   ", f"{type(error).__name__}: {str(error)[:120]}", log.last, flush=True)
                if "--all" not in words:
                    raise
    print(f"{tried} of {len(possible)} changes, {accepted} accepted, {failures} failures")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
