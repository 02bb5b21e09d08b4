"""What the connector answers to bodies that lack members or have wrong ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, CONTACTS
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import day, event

_JSON = {"Content-Type": "application/json"}


class _Write(NamedTuple):
    """A request that writes: its path, a body that is valid, and one wrong value for some members."""

    path: str
    body: Mapping[str, Any]
    required: tuple[str, ...]
    wrong: Mapping[str, Any]


@probe(
    12,
    "wrong-bodies",
    "What does a write answer whose body lacks a required member, has a wrong type or word, or is no JSON?",
    settles=("field-errors", "property-validation", "all-day-midnight", "all-day-end-text", "series-overlap"),
    needs=(Need.ADDRESS,),
)
def wrong_bodies(run: ProbeRun) -> None:
    """Sends each write with one mistake at a time. What is accepted all the same is deleted."""
    for name, write in _writes(run).items():
        for about, content in _mistakes(write):
            exchange = run.mailbox.raw("POST", write.path, content=content, headers=_JSON)
            run.respond(f"{name}: {about}", exchange, "field-errors")
            _discard(run, write, exchange)
        plain = run.mailbox.raw(
            "POST", write.path, content=json.dumps(write.body), headers={"Content-Type": "text/plain"}
        )
        run.respond(f"{name}: Content-Type text/plain", plain, "field-errors")
        _discard(run, write, plain)
    run.attempt(_events)
    run.attempt(_discard_mails)


def _writes(run: ProbeRun) -> dict[str, _Write]:
    # A mail without a subject is found again by its body.
    mail = {"To": run.mailbox.address, "Subject": run.name("mail"), "Body": f"<p>{run.name('mail')}</p>"}
    wrong_mail = {"Importance": "Urgent", "Attachments": "none", "To": 5}
    flat = event(run.name("event"), day(16))
    wrong_event = {"Start": "tomorrow", "Importance": "Urgent", "ShowAs": "Away", "IsAllDay": "maybe", "Reminder": "x"}
    contact = {"GivenName": run.name("contact"), "HomePhones": []}
    return {
        "SendEmail": _Write("/Mail", mail, ("To", "Subject", "Body"), wrong_mail),
        "SendEmailV2": _Write("/v2/Mail", mail, ("To", "Subject", "Body"), wrong_mail),
        "CalendarPostItem": _Write(
            f"/datasets/calendars/tables/{CALENDAR}/items", flat, ("Subject", "Start", "End"), wrong_event
        ),
        "V2CalendarPostItem": _Write(
            f"/datasets/calendars/v2/tables/{CALENDAR}/items", flat, ("Subject", "Start", "End"), wrong_event
        ),
        "V3CalendarPostItem": _Write(
            f"/datasets/calendars/v3/tables/{CALENDAR}/items", flat, ("Subject", "Start", "End"), wrong_event
        ),
        "ContactPostItem": _Write(
            f"/datasets/contacts/tables/{CONTACTS}/items",
            contact,
            ("GivenName", "HomePhones"),
            {"HomePhones": "none", "Birthday": "once", "EmailAddresses": ["a@example.com"]},
        ),
    }


def _mistakes(write: _Write) -> Iterator[tuple[str, str]]:
    """Each mistake in words, and the body that makes it."""
    for name in write.required:
        yield f"without {name}", json.dumps({key: value for key, value in write.body.items() if key != name})
        yield f"{name} null", json.dumps({**write.body, name: None})
    for name, value in write.wrong.items():
        yield f"{name} {json.dumps(value)}", json.dumps({**write.body, name: value})
    yield "an unknown member", json.dumps({**write.body, "Colour": "red"})
    yield "a member in small letters", json.dumps({key.lower(): value for key, value in write.body.items()})
    yield "an empty object", "{}"
    yield "an array", "[]"
    yield "null", "null"
    yield "no body", ""
    yield "broken JSON", "{"


def _discard(run: ProbeRun, write: _Write, exchange: Exchange) -> None:
    """Delete an event or contact that was accepted, since it may lack the marker of the run."""
    id = (exchange.json() or {}).get("Id") if exchange.is_success else None
    if id:
        operation, table = (
            ("ContactDeleteItem", CONTACTS) if "contacts" in write.path else ("CalendarDeleteItem", CALENDAR)
        )
        run.mailbox.call(operation, table=table, id=id)


def _discard_mails(run: ProbeRun) -> None:
    """Delete the mails that were accepted without a subject, which alone would have the marker of the run."""
    run.settle(10)
    # A deleted mail lies in Deleted Items, where the second delete is final.
    for folder in ("Inbox", "SentItems", "DeletedItems"):
        query = {"folderPath": folder, "fetchOnlyUnread": False, "includeAttachments": False, "top": 100}
        for mail in run.mailbox.ok("GetEmailsV2", **query)["value"]:
            if run.name("mail") in mail["Body"] and run.mailbox.marker not in (mail["Subject"] or ""):
                run.mailbox.call("DeleteEmail", messageId=mail["Id"])


def _events(run: ProbeRun) -> None:
    """Events whose members contradict each other."""
    path = f"/datasets/calendars/v3/tables/{CALENDAR}/items"
    write = _Write(path, {}, (), {})
    start = day(17)
    midnight, noon = "2031-03-05T00:00:00Z", "2031-03-05T12:00:00Z"
    bodies: Mapping[str, tuple[Mapping[str, Any], str]] = {
        "End before Start": (event(run.name("event"), start, -30), "property-validation"),
        "an unknown time zone": (event(run.name("event"), start, TimeZone="Middle Earth"), "property-validation"),
        "all day, Start at noon": (_all_day(run, noon, "2031-03-06T12:00:00Z"), "all-day-midnight"),
        "all day, End at noon": (_all_day(run, midnight, "2031-03-06T12:00:00Z"), "all-day-end-text"),
        "all day, of no length": (_all_day(run, midnight, midnight), "all-day-end-text"),
        "all day, midnight with an offset": (
            _all_day(run, "2031-03-05T00:00:00+02:00", "2031-03-06T00:00:00+02:00"),
            "all-day-midnight",
        ),
        "a series that overlaps": (
            event(run.name("event"), start, 26 * 60, Recurrence="Daily", NumberOfOccurrences=3),
            "series-overlap",
        ),
        "a series with both ends": (
            event(run.name("event"), start, Recurrence="Daily", NumberOfOccurrences=3, RecurrenceEnd=noon),
            "field-errors",
        ),
    }
    for about, (body, deviation) in bodies.items():
        exchange = run.mailbox.raw("POST", path, json=body)
        run.respond(f"an event: {about}", exchange, deviation)
        _discard(run, write, exchange)


def _all_day(run: ProbeRun, start: str, end: str) -> dict[str, Any]:
    return {"Subject": run.name("event"), "Start": start, "End": end, "IsAllDay": True}
