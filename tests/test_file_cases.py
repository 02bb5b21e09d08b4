"""Odd files of `fixtures/cases`, through the doors of the admin API: what comes out is what `NAME.json` expects.

`why` says which program writes such a file, or what is odd about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.bodies import BEFORE_FRAGMENT, TEXT_END, TEXT_START
from tests.conftest import Connection
from tests.paths import CASES


def check_contacts(alice: Connection, content: bytes, expect: Any) -> None:
    """The members that the case names are in the contacts, in the order of the file."""
    path = f"/connections/{alice.id}/contactfolders/Contacts/import"
    response = alice.api.post(path, content=content, headers={"Content-Type": "text/vcard"})
    assert response.status_code == 201, response.text

    items = {item["Id"]: item for item in alice.get("/datasets/contacts/tables/Contacts/items")["value"]}
    contacts = [items[id] for id in response.json()["ids"]]

    assert [{name: contact[name] for name in case} for contact, case in zip(contacts, expect, strict=True)] == expect


def check_events(alice: Connection, content: bytes, expect: Any) -> None:
    """A view of the calendar has the occurrences that the case expects.

    Expected are `occurrences` (start, end, subject; all-day ones by their dates), `summaries`, the `starts` in order,
    the ones among them in `after`, the `people` (organizer and required attendees), or that an export has each event
    once (`uniqueInExport`).
    """
    path = f"/connections/{alice.id}/calendars/Calendar"
    response = alice.api.post(f"{path}/import", content=content, headers={"Content-Type": "text/calendar"})
    assert response.status_code == 201, response.text

    since, until = expect.get("window", ("2026-01-01", "2026-12-31"))
    window = {"startDateTimeOffset": since, "endDateTimeOffset": until, "$top": "256", "calendarId": "Calendar"}
    items = alice.get("/datasets/calendars/v2/tables/items/calendarview", **window)["value"]
    items.sort(key=lambda item: (item["Start"], item["Subject"]))
    seen = [[*_times(item), item["Subject"]] for item in items]
    export = alice.api.get(f"{path}/export").text
    results = {
        "occurrences": seen,
        "summaries": sorted(subject for *_, subject in seen),
        "starts": [item["Start"][:19] for item in items],
        "after": [start for start, *_ in seen if start in expect.get("after", ())],
        "people": [[item["Organizer"], item["RequiredAttendees"]] for item in items],
        "uniqueInExport": len(_identities(export)) == len(set(_identities(export))),
    }
    wanted = {name: sorted(value) if name in ("occurrences", "summaries") else value for name, value in expect.items()}

    assert {name: results[name] for name in wanted.keys() - {"window"}} == {
        name: value for name, value in wanted.items() if name != "window"
    }


def _times(item: dict[str, Any]) -> list[str]:
    if item["IsAllDay"]:
        return [item["Start"][:10], item["End"][:10]]
    return [f"{item['Start'][:19]}Z", f"{item['End'][:19]}Z"]


def _identities(export: str) -> list[tuple[str, ...]]:
    """UID and RECURRENCE-ID of each event of a calendar file."""
    return [
        tuple(line for line in event.splitlines() if line.startswith(("UID:", "RECURRENCE-ID")))
        for event in export.split("BEGIN:VEVENT")[1:]
    ]


def check_mail(alice: Connection, content: bytes, expect: Any) -> None:
    """The delivered mail has the values that the case names, and `replySent` stands above the quote of a reply."""
    mail = alice.get(f"/Mail/{alice.deliver(content)['Id']}")
    mail |= {
        "attachments": [[attachment["Name"], attachment["Size"]] for attachment in mail["Attachments"]],
        "Body": written(mail["Body"]),
    }
    if "replySent" in expect:
        alice.post(f"/v3/Mail/ReplyTo/{mail['Id']}", {"Body": "Yes"})
        (reply,) = alice.mails("SentItems")
        mail["replySent"] = re.findall("<b>Sent:</b> (.*?, .*?, [0-9]+)", reply["Body"])[0].replace(" 0", " ")

    assert {name: mail[name] for name in expect} == expect


def written(body: str) -> str:
    """A body without the document in which the mail service stores it."""
    if body.startswith(TEXT_START):
        return unescape(body.removeprefix(TEXT_START).removesuffix(TEXT_END)).replace("<br>", "").strip()
    return body.removeprefix(BEFORE_FRAGMENT).removesuffix("</body></html>").strip()


CHECKS: dict[str, Callable[[Connection, bytes, Any], None]] = {
    ".ics": check_events,
    ".eml": check_mail,
    ".vcf": check_contacts,
}
FILES = sorted(path for path in CASES.iterdir() if path.suffix in CHECKS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_odd_file(alice: Connection, file: Path) -> None:
    """An odd file is read as its case expects."""
    case = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))

    CHECKS[file.suffix](alice, file.read_bytes(), case["expect"])
