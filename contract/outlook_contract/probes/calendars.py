"""How events read in lists and views: attendees, order and pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from outlook_contract.mailbox import CALENDAR, CONTACTS
from outlook_contract.probes.probe import probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import V1, V2, V3, create, day, written

_ATTENDEES: Mapping[str, str] = {
    "two attendees": "Ann.Bee@Example.com; carl@example.com",
    "one attendee": "Ann.Bee@Example.com",
    "no attendee": "",
}
_OPTIONAL = "Dora@Example.com"
_KINDS = ("RequiredAttendees", "OptionalAttendees", "ResourceAttendees")
_LISTS = {"version 1": V1.list, "version 2": V2.list, "version 3": V3.list}
_MANY_EVENTS = 55
"""More than the 50 that a user saw at most."""
_MANY_CONTACTS = 12
"""More than the 10 that a user saw at most."""


@probe(
    4,
    "attendee-strings",
    "How do the strings of attendees read, by each operation, and do filters compare them so?",
    settles=("attendee-filter", "own-appointment-response", "filter-double-encoded"),
)
def attendee_strings(run: ProbeRun) -> None:
    """Creates events with two, one and no attendee, who do not exist, and reads each by every operation."""
    first = run.mailbox.call("CalendarGetOnNewItemsV2", table=CALENDAR)
    start = day(20)
    for about, attendees in _ATTENDEES.items():
        created = create(
            run.mailbox, run.text(about), start, RequiredAttendees=attendees, OptionalAttendees=attendees and _OPTIONAL
        )
        reads: dict[str, Any] = {
            "V3CalendarPostItem": created,
            "V2CalendarGetItem": run.mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"]),
            "V2CalendarGetItems": _listed(run, "V2CalendarGetItems", about),
            "V3CalendarGetItems": _listed(run, "V3CalendarGetItems", about),
            "GetEventsCalendarViewV2": _viewed(run, about, start),
        }
        for operation, item in reads.items():
            seen = item and {name: item.get(name, "(missing)") for name in _KINDS}
            run.record(f"{about}: {operation}", seen, "attendee-filter")
        types = {operation: item and item.get("ResponseType") for operation, item in reads.items()}
        run.record(f"{about}: ResponseType", types, "own-appointment-response")
        nested = run.mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
        run.record(f"{about}: Attendees of version 1", nested["Attendees"])
        run.record(f"{about}: ResponseStatus of version 1", nested["ResponseStatus"], "own-appointment-response")
    poll = run.eventually(lambda: _polled(run, str(first.headers.get("location", ""))))
    run.record(
        "CalendarGetOnNewItemsV2", {item["about"]: item["seen"] for item in poll or ()}, "own-appointment-response"
    )
    run.attempt(_ampersand)
    for text in ("ann.bee@example.com", "Ann.Bee@Example.com;"):
        exchange = run.mailbox.call("V3CalendarGetItems", table=CALENDAR, filter=f"RequiredAttendees eq '{text}'")
        hits = None
        if exchange.is_success:
            hits = sorted(filter(None, (run.mine(item["Subject"]) for item in exchange.json()["value"])))
        run.record(f"a filter for {text}", {**run.response(exchange), "hits": hits}, "attendee-filter")


def _ampersand(run: ProbeRun) -> None:
    """A filter for a subject with an ampersand, encoded once and twice."""
    create(run.mailbox, run.text("salt & pepper"), day(20, 15))
    text = f"Subject eq '{run.name('salt & pepper')}'"
    for about, filter in (("once", text), ("twice", text.replace("&", "%26"))):
        exchange = run.mailbox.call("V3CalendarGetItems", table=CALENDAR, filter=filter)
        hits = len(exchange.json()["value"]) if exchange.is_success else None
        answer = {**run.response(exchange), "hits": hits}
        run.record(f"a filter with an ampersand, encoded {about}", answer, "filter-double-encoded")


def _polled(run: ProbeRun, location: str) -> list[dict[str, Any]]:
    exchange = run.mailbox.follow(location)
    items = exchange.json()["value"] if exchange.status == 200 else []
    seen = [
        {"about": run.mine(item["Subject"]), "seen": {name: item.get(name) for name in ("ResponseType", *_KINDS)}}
        for item in items
        if run.mine(item["Subject"])
    ]
    return seen if len(seen) >= len(_ATTENDEES) else []


def _listed(run: ProbeRun, operation: str, about: str) -> Any:
    items = run.mailbox.ok(operation, table=CALENDAR)["value"]
    return next((item for item in items if run.mine(item["Subject"]) == about), None)


def _viewed(run: ProbeRun, about: str, start: Any) -> Any:
    return next((item for item in _view(run, start, 1)["value"] if run.mine(item["Subject"]) == about), None)


def _view(run: ProbeRun, start: Any, days: int) -> Any:
    """The answer of the second calendar view."""
    span = {
        "startDateTimeOffset": written(start - timedelta(hours=1)),
        "endDateTimeOffset": written(start + timedelta(days=days)),
    }
    return run.mailbox.ok("GetEventsCalendarViewV2", calendarId=CALENDAR, **span)


@probe(
    5,
    "list-order",
    "In which order do lists and views come without $orderby, and how long is a page?",
    settles=(
        *("list-ties", "view-order", "view-page", "list-page", "contact-page"),
        *("all-day-windows", "all-day-series"),
    ),
    has_heavy_parts=True,
)
def list_order(run: ProbeRun) -> None:
    """Creates events whose starts and creation have opposite orders, and then more than fit a page."""
    start = day(30)
    for text, hours in (("late", 2), ("middle", 1), ("early", 0)):
        create(run.mailbox, run.text(text), start + timedelta(hours=hours))
    for text in ("tie 1", "tie 2"):
        create(run.mailbox, run.text(text), start + timedelta(hours=5))
    for name, operation in _LISTS.items():
        page = run.mailbox.ok(operation, table=CALENDAR)
        run.record(f"order of the list, {name}", _texts(run, page["value"]), "list-ties")
        others = {member: page[member] for member in page if member != "value" and "context" not in member}
        run.record(f"members beside the list, {name}", others)
    run.record("order of the view", _texts(run, _view(run, start, 1)["value"]), "view-order")
    create(run.mailbox, run.text("daily"), day(400), Recurrence="Daily", NumberOfOccurrences=300)
    view = _view(run, day(400), 320)
    run.record("occurrences of 300 in a view", _texts(run, view["value"]).count("daily"), "view-page")
    run.record("members beside the view", {name: view[name] for name in view if name != "value"}, "view-page")
    for _ in range(_MANY_CONTACTS):
        run.mailbox.ok("ContactPostItem", {"GivenName": run.name("many"), "HomePhones": []}, table=CONTACTS)
    contacts = run.mailbox.ok("ContactGetItems", table=CONTACTS)["value"]
    number = sum(run.mine(contact["GivenName"]) == "many" for contact in contacts)
    run.record(f"contacts of {_MANY_CONTACTS}", number, "contact-page")
    run.attempt(_all_day)
    if run.heavy:
        run.attempt(_many_events)


def _all_day(run: ProbeRun) -> None:
    """Which windows an all-day event is in, and on which days the occurrences of an all-day series are."""
    start = day(40, 0)
    whole = timedelta(days=1)
    zone = "(UTC-08:00) Pacific Time (US & Canada)"
    all_day = {"IsAllDay": True, "TimeZone": zone}
    created = create(run.mailbox, run.text("all day"), start, 24 * 60, version=V3, **all_day)
    read = {name: created[name] for name in ("TimeZone", "IsAllDay")}
    read |= {name: _distance(created[name], start) for name in ("Start", "End")}
    run.record("an all-day event in the zone of Los Angeles", read, "all-day-windows")
    for about, first in (
        ("the hour before midnight UTC", start - timedelta(hours=1)),
        ("the first hour in UTC", start),
        ("the last hour in UTC", start + timedelta(hours=23)),
        ("the last hour in Los Angeles", start + timedelta(hours=31)),
    ):
        span = {"startDateTimeOffset": written(first), "endDateTimeOffset": written(first + timedelta(minutes=59))}
        view = run.mailbox.ok("GetEventsCalendarViewV2", calendarId=CALENDAR, **span)
        seen = "all day" in _texts(run, view["value"])
        run.record(f"the view of {about} has an all-day event", seen, "all-day-windows")
    series = {"Recurrence": "Daily", "NumberOfOccurrences": 2, **all_day}
    create(run.mailbox, run.text("all-day series"), start + 5 * whole, 24 * 60, version=V3, **series)
    view = _view(run, start + 5 * whole, 4)["value"]
    starts = [_distance(item["Start"], start) for item in view if run.mine(item["Subject"]) == "all-day series"]
    run.record("hours from the day of an all-day event to those of a series", starts, "all-day-series")


def _distance(text: str, start: datetime) -> float:
    """The hours from an instant to a time in a response, which is in UTC if it has no offset."""
    seen = datetime.fromisoformat(text)
    return ((seen if seen.tzinfo else seen.replace(tzinfo=UTC)) - start).total_seconds() / 3600


def _many_events(run: ProbeRun) -> None:
    for number in range(_MANY_EVENTS):
        create(run.mailbox, run.text("many"), day(800) + timedelta(hours=number))
    for name, operation in _LISTS.items():
        page = run.mailbox.ok(operation, table=CALENDAR)
        run.record(f"events of {_MANY_EVENTS}, {name}", _texts(run, page["value"]).count("many"), "list-page")


def _texts(run: ProbeRun, items: list[Any]) -> list[str]:
    return [text for item in items if (text := run.mine(item["Subject"]))]
