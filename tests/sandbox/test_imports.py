"""The values in an imported sandbox: what cannot be read later is refused, and what is imported can be read."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from starlette.applications import Starlette

from tests import imported_values
from tests.imported_values import ADMIN, Change, changed, changes, check, exported
from tests.server.test_fuzz import send

pytestmark = pytest.mark.slow

UNREADABLE: list[tuple[str, str, Any]] = [
    ("event", "start_zone", "Nowhere/Zone"),
    ("event", "end_zone", "../../etc/passwd"),
    ("event", "end_at", 10**17),
    ("event", "end_at", -(10**17)),
    ("event", "show_as", 99),
    ("event", "reminder", -1),
    ("event", "rule", '{"x": null}'),
    ("event", "place", "0"),
    ("event", "attendees", '[["a@b.c", "n", 9, 9, 9]]'),
    ("event", "excluded", "[99999999999999999999]"),
    ("contact", "birthday", 2**62),
    ("contact", "email_addresses", "[[1]]"),
    ("content", "headers", "{}"),
    ("content", "importance", 3),
    ("change", "before", "[]"),
    ("change", "kind", "x"),
    ("callback", "attempts", 10**9),
    ("callback", "headers", '{"x": null}'),
    ("folder", "parent_id", 1),
    ("folder", "well_known", "x"),
    ("mailbox", "inbox_id", 99),
    ("message", "id", 2**63 - 1),
    ("question", "options", "[0]"),
    ("subscription", "watched", "x"),
    ("search_entry", "message_id", 2),
    ("search_entry", "rowid_", 10**9),
    ("sandbox_state", "answer_key", "x"),
    ("sandbox_state", "clock", "[]"),
]


_EVENT = "BEGIN:VEVENT\r\nDTSTART:20260304T100000Z\r\n{}\r\nEND:VEVENT\r\n"
_PLACES = ["1", "[]", '{"x":1}', '{"Address":null}', '{"Address":{"City":[1]}}', '{"Address":{"City":NaN}}']
_PLACES += [
    '{"Address":{"City":1000000000000000000000}}',
    '{"Address":{"City":"\\\\ud800"}}',
    '{"a":' * 2000 + "1" + "}" * 2000,
]
_LINES = [f"X-OUTLOOK-PLACE:{place}" for place in _PLACES]
_LINES += [
    "UID:without-its-series\r\nRECURRENCE-ID:20260304T100000Z",
    "X-OUTLOOK-RESPONDED:0001-01-01T00:00:00+14:00",
    'ATTENDEE;X-OUTLOOK-RESPONDED="9999-12-31T23:59:59-14:00":mailto:a@b.c',
]
FILES = {
    "deliver": "From: e@f.g\nDate: Fri, 31 Dec 9999 23:59:59 -1400\nSubject: Late\n\nb",
    "contactfolders/Contacts/import": "BEGIN:VCARD\nFN:Ann\nBDAY:0001-01-01T00:00:00+14:00\nEND:VCARD\n",
    "calendars/Calendar/import": f"BEGIN:VCALENDAR\r\n{''.join(map(_EVENT.format, _LINES))}END:VCALENDAR\r\n",
}


@pytest.fixture(scope="module")
def app() -> Any:
    yield from imported_values.running()


@pytest.fixture(scope="module")
def file(app: Starlette) -> bytes:
    return exported(app)


@pytest.mark.parametrize(("table", "column", "value"), UNREADABLE)
def test_unreadable_values_are_refused(file: bytes, table: str, column: str, value: Any) -> None:
    """A value that the emulator never writes, and that a later read or export would fail on."""
    assert (file, []) == changed(file, [Change(table, column, value)])


def test_accepted_values_can_be_read(app: Starlette, file: bytes) -> None:
    """Whatever strange values an import accepts, everything in the sandbox can be read, exported and changed."""
    strange, accepted = changed(file, Random(1).sample(changes(file), 60))
    check(app, strange)

    assert len(accepted) > 10


def test_what_files_bring_can_be_read_and_exported() -> None:
    """Values in files that no response could show are left out, so that an export of the sandbox can be imported."""
    for app in imported_values.running():
        place = f"{ADMIN}/connections"
        assert send(app, "POST", place.encode(), body=b'{"id": "alice"}').status == 201
        for path, content in FILES.items():
            headers = [(b"authorization", b"Bearer x"), (b"content-type", b"message/rfc822")]
            reply = send(app, "POST", f"{place}/alice/{path}".encode(), headers=headers, body=content.encode())
            assert reply.status == 201, reply
        reply = send(app, "GET", f"{ADMIN}/export".encode())
        assert reply.status == 200, reply
        check(app, reply.body)
