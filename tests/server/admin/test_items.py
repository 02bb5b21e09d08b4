"""Calendars and contact folders over the admin API: create, import from files, export to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Connection
from tests.paths import FIXTURES

ICS = sorted((FIXTURES / "ics").glob("*.ics"))
VCF = sorted((FIXTURES / "vcf").glob("*.vcf"))


def admin(alice: Connection, method: str, path: str, **more: Any) -> httpx.Response:
    return alice.api.request(method, f"/connections/{alice.id}/{path}", **more)


def exported(alice: Connection, shelf: str) -> str:
    """Export a calendar or contact folder, without the lines that differ between copies."""
    answer = admin(alice, "GET", f"{shelf}/export")
    assert answer.status_code == 200, answer.text
    lines = answer.text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("DTSTAMP", "X-OUTLOOK-ITEM-ID")))


@pytest.mark.parametrize("file", ICS, ids=lambda file: file.stem)
def test_exported_events_import_unchanged(alice: Connection, file: Path) -> None:
    assert admin(alice, "POST", "calendars", json={"name": "Copy"}).status_code == 201
    first = admin(alice, "POST", "calendars/Calendar/import", content=file.read_bytes())
    assert first.status_code == 201, first.text

    out = admin(alice, "GET", "calendars/Calendar/export")
    assert out.headers["content-type"] == "text/calendar; charset=utf-8"
    second = admin(alice, "POST", "calendars/Copy/import", content=out.content)

    assert len(second.json()["ids"]) == len(first.json()["ids"]) == len(alice.events()) > 0
    assert exported(alice, "calendars/Copy") == exported(alice, "calendars/Calendar")
    window = {"startDateTimeOffset": "2026-01-01", "endDateTimeOffset": "2027-01-01"}
    views = []
    for name in ("Calendar", "Copy"):
        seen = alice.get("/datasets/calendars/v2/tables/items/calendarview", calendarId=name, **window)["value"]
        own = ("Id", "SeriesMasterId", "WebLink", "DateTimeCreated", "DateTimeLastModified")
        views.append([{key: item[key] for key in item if key not in own} for item in seen])
    assert views[0] == views[1]


@pytest.mark.parametrize("file", VCF, ids=lambda file: file.stem)
def test_exported_contacts_import_unchanged(alice: Connection, file: Path) -> None:
    assert admin(alice, "POST", "contactfolders", json={"name": "Copy"}).status_code == 201
    first = admin(alice, "POST", "contactfolders/Contacts/import", content=file.read_bytes())
    assert first.status_code == 201, first.text

    out = admin(alice, "GET", "contactfolders/Contacts/export")
    assert out.headers["content-type"] == "text/vcard; charset=utf-8"
    second = admin(alice, "POST", "contactfolders/Copy/import", content=out.content)

    assert len(second.json()["ids"]) == len(first.json()["ids"]) > 0
    assert exported(alice, "contactfolders/Copy") == exported(alice, "contactfolders/Contacts")


def test_imported_series_follow_daylight_saving_time(alice: Connection) -> None:
    """In the sample, the clocks in London change on 29 March, so the stand-up moves by an hour in UTC."""
    admin(alice, "POST", "calendars/Calendar/import", content=(FIXTURES / "ics" / "recurring-year.ics").read_bytes())

    seen = alice.view("2026-03-27", "2026-03-31")
    stand_ups = [item["Start"][:16] for item in seen if "tand-up" in item["Subject"]]

    assert stand_ups[0][11:] != stand_ups[-1][11:]
    assert alice.events(**{"$filter": "Type eq 'SeriesMaster'"})


def test_import_sends_no_invitations(alice: Connection, bob: Connection) -> None:
    ics = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:S\r\nDTSTAMP:20260101T000000Z"
        b"\r\nDTSTART:20260304T100000Z\r\nORGANIZER:mailto:ALICE@example.com\r\nATTENDEE:mailto:bob@example.com\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert admin(alice, "POST", "calendars/Calendar/import", content=ics).status_code == 201

    assert bob.events() == bob.mails() == []
    (event,) = alice.view()
    assert (event["RequiredAttendees"], event["ResponseType"]) == ("bob@example.com;", "Organizer")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("calendars/Calendar/import", b""),
        ("calendars/Calendar/import", b"hello"),
        (
            "calendars/Calendar/import",
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        ),
        ("contactfolders/Contacts/import", b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n"),
        ("contactfolders/Contacts/import", b"\xff\xfe\x00"),
    ],
)
def test_invalid_file_imports_nothing(alice: Connection, path: str, content: bytes) -> None:
    answer = admin(alice, "POST", path, content=content)

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "ErrorInvalidRequest"
    assert alice.events() == alice.get("/datasets/contacts/tables/Contacts/items")["value"] == []


def test_one_invalid_event_costs_no_other(alice: Connection) -> None:
    good = (FIXTURES / "ics" / "busy-week.ics").read_text(encoding="utf-8")
    bad = good.replace("END:VCALENDAR", "BEGIN:VEVENT\r\nUID:x\r\nSUMMARY:Bad\r\nEND:VEVENT\r\nEND:VCALENDAR")
    strict = admin(alice, "POST", "calendars/Calendar/import?strict=true", content=bad.encode())
    answer = admin(alice, "POST", "calendars/Calendar/import", content=bad.encode())

    assert (strict.status_code, answer.status_code) == (400, 201)
    assert len(alice.events()) == len(answer.json()["ids"]) == good.count("BEGIN:VEVENT")
    (skipped,) = answer.json()["skipped"]
    assert skipped == strict.json()["skipped"][0]
    assert (skipped["item"], skipped["line"]) == (
        'event "Bad"',
        bad.count("\n", 0, bad.index("BEGIN:VEVENT\r\nUID:x")) + 1,
    )


@pytest.mark.parametrize("path", ["calendars/Nowhere/import", "contactfolders/Nowhere/import"])
def test_unknown_folder(alice: Connection, path: str) -> None:
    file = VCF[0] if "contact" in path else ICS[0]

    assert admin(alice, "POST", path, content=file.read_bytes()).status_code == 404


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "AQMkADAwATExabc="])
def test_invalid_name(alice: Connection, name: str) -> None:
    for kind in ("calendars", "contactfolders"):
        assert admin(alice, "POST", kind, json={"name": name}).status_code == 400


def test_names_ignore_case(alice: Connection) -> None:
    first, second = (admin(alice, "POST", "calendars", json={"name": name}).json() for name in ("Work", "work"))

    assert first == second


# What is left out

ODD_BOOK = (
    b"BEGIN:VCARD\r\nFN:Ann\r\nno line\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nFN:Bob\r\nEND:VCARD\r\n"
)
SKIPPED = [
    {"item": 'card "Ann"', "line": 3, "reason": "It is not a property: 'no line'."},
    {"item": "card 2", "line": 5, "reason": "It has nothing that a contact can hold."},
]
REASONS = [f"{skipped['item']}, line {skipped['line']}: {skipped['reason']}" for skipped in SKIPPED]


def test_an_import_reports_what_it_leaves_out(alice: Connection) -> None:
    """The good cards are imported; the answer and the journal tell what was left out, and why."""
    answer = admin(alice, "POST", "contactfolders/Contacts/import", content=ODD_BOOK)

    assert answer.status_code == 201
    assert answer.json()["skipped"] == SKIPPED
    names = {item["DisplayName"] for item in alice.get("/datasets/contacts/tables/Contacts/items")["value"]}
    assert names == {"Ann", "Bob"}
    assert len(answer.json()["ids"]) == 2
    assert imports(alice) == [{"place": "Contacts", "status": 201, "imported": 2, "skipped": 2, "reasons": REASONS}]


def test_a_strict_import_refuses_the_whole_file(alice: Connection) -> None:
    """With `strict`, nothing is imported, and the error has the same list."""
    answer = admin(alice, "POST", "contactfolders/Contacts/import?strict=true", content=ODD_BOOK)

    assert answer.status_code == 400
    body = answer.json()
    assert body["skipped"] == SKIPPED
    assert body["message"].startswith("Nothing was imported, since 2 parts would be left out. " + REASONS[0])
    assert alice.get("/datasets/contacts/tables/Contacts/items")["value"] == []
    assert imports(alice) == [{"place": "Contacts", "status": 400, "imported": 0, "skipped": 2, "reasons": REASONS}]


def test_a_strict_import_takes_a_whole_file(alice: Connection) -> None:
    """A file of which nothing would be left out is imported with `strict` as without."""
    answer = admin(alice, "POST", "contactfolders/Contacts/import?strict=true", content=VCF[0].read_bytes())

    assert answer.status_code == 201
    assert answer.json()["skipped"] == []
    (entry,) = imports(alice)
    assert (entry["imported"], entry["skipped"], entry["reasons"]) == (len(answer.json()["ids"]), 0, [])


def imports(alice: Connection) -> list[dict[str, Any]]:
    """The imports in the journal, without ids and times."""
    page = alice.api.get("/journal", params={"kind": "import", "connection": alice.id}).json()
    members = ("place", "status", "imported", "skipped", "reasons")
    assert alice.api.get("/journal/counts").json()["imports"] == len(page["value"])
    return [{member: entry[member] for member in members} for entry in page["value"]]
