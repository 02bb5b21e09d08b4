"""The items of the trigger for added, updated and deleted events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection
from tests.mailbox.triggers.test_mail_triggers import Poller

VERSIONS = [
    "/datasets/calendars/tables/Calendar/onchangeditems",
    "/datasets/calendars/v2/tables/Calendar/onchangeditems",
]
CALENDAR = "/datasets/calendars/tables/Calendar/items"
GONE = {
    "ActionType": "deleted",
    "IsAdded": False,
    "IsUpdated": False,
    **dict.fromkeys(("Start", "End", "RequiredAttendees", "OptionalAttendees", "ResourceAttendees"), ""),
    **dict.fromkeys(("ShowAs", "Recurrence", "ResponseType", "Importance"), 0),
    **dict.fromkeys(("Subject", "ResponseTime", "ICalUId", "DateTimeCreated", "DateTimeLastModified", "Organizer")),
    **dict.fromkeys(("TimeZone", "SeriesMasterId", "Categories", "WebLink", "Body", "Location", "IsAllDay")),
    **dict.fromkeys(("RecurrenceEnd", "NumberOfOccurrences", "Reminder", "ResponseRequested")),
    "IsHtml": False,
}


def series(alice: Connection, **more: Any) -> dict[str, Any]:
    """A daily series in Sydney, of three days by default."""
    more = more or {"RecurrenceEnd": "2026-03-05"}
    start, zone = "2026-03-03T09:00:00", "(UTC+10:00) Canberra, Melbourne, Sydney"
    return alice.meet("S", start, TimeZone=zone, Recurrence="Daily", Importance="High", Reminder=5, **more)


@pytest.mark.parametrize("path", VERSIONS)
def test_a_deleted_item_has_action_type_and_id_everything_else_null_empty_or_0(alice: Connection, path: str) -> None:
    """Of a deleted event, an occurrence, and an event that left the window there is only an id.

    Recorded from the Office 365 twin: the output of the trigger in a public file of 2019. It had no IsAdded,
    IsUpdated, ICalUId and WebLink; our definition declares them, so they are false and null (inferred).
    """
    poller = Poller(alice, path, incomingDays=20, pastDays=2)
    event = alice.meet("A", RequiredAttendees="bob@example.com", Body="<b>x</b>", Location="Here", Importance="High")
    moved = alice.meet("B")
    series(alice)
    occurrence = next(item["Id"] for item in poller.ask() if item["Subject"] == "S")
    alice.http.delete(f"{CALENDAR}/{event['Id']}").raise_for_status()
    alice.http.delete(f"{CALENDAR}/{occurrence}").raise_for_status()
    alice.change(moved["Id"], Subject="B", Start="2036-03-04T10:00:00Z", End="2036-03-04T10:30:00Z")

    items = poller.ask()
    assert {event["Id"], occurrence, moved["Id"]} == {item["Id"] for item in items}
    for item in items:
        assert GONE | {"Id": item["Id"]} == item


@pytest.mark.parametrize("path", VERSIONS)
def test_an_added_occurrence_has_the_recurrence_of_its_series(alice: Connection, path: str) -> None:
    """The recurrence ends at midnight in the event's zone, without a count and a time of modification.

    Recorded from the Office 365 twin: the output of the trigger in a public file of 2019.
    """
    poller = Poller(alice, path)
    master = series(alice)
    items = poller.ask()

    assert ["added"] * 3 == [item["ActionType"] for item in items]
    for item in items:
        shown = {name: item[name] for name in ("Recurrence", "RecurrenceEnd", "NumberOfOccurrences")}
        assert {"Recurrence": 1, "RecurrenceEnd": "2026-03-05T00:00:00+11:00", "NumberOfOccurrences": None} == shown
        assert (None, master["Id"], 5) == (item["DateTimeLastModified"], item["SeriesMasterId"], item["Reminder"])
        assert item["DateTimeCreated"] is not None


@pytest.mark.parametrize("path", VERSIONS)
def test_an_added_occurrence_of_a_counted_or_endless_series_has_no_end(alice: Connection, path: str) -> None:
    """A series with a number of occurrences, or without end, gives its occurrences no end and no number (inferred)."""
    poller = Poller(alice, path, incomingDays=5, pastDays=0)
    series(alice, NumberOfOccurrences=2)
    series(alice, Location="Endless")
    items = poller.ask()

    assert len(items) > 4
    assert {(1, None, None)} == {
        (item["Recurrence"], item["RecurrenceEnd"], item["NumberOfOccurrences"]) for item in items
    }


@pytest.mark.parametrize("path", VERSIONS)
def test_an_updated_occurrence_has_a_time_of_modification(alice: Connection, path: str) -> None:
    """An updated occurrence has the recurrence of its series, and says when it was modified (inferred)."""
    poller = Poller(alice, path)
    series(alice)
    second = poller.ask()[1]["Id"]
    alice.change(second, Subject="Special", Start="2026-03-03T23:00:00Z", End="2026-03-03T23:30:00Z")

    (item,) = poller.ask()
    assert ("Special", "updated", second) == (item["Subject"], item["ActionType"], item["Id"])
    assert (1, "2026-03-05T00:00:00+11:00") == (item["Recurrence"], item["RecurrenceEnd"])
    assert item["DateTimeLastModified"] is not None


@pytest.mark.parametrize("path", VERSIONS)
def test_an_added_single_event_is_whole(alice: Connection, path: str) -> None:
    """An event that is not part of a series keeps its own times and has no recurrence."""
    poller = Poller(alice, path)
    event = alice.meet("A", Reminder=7)
    (item,) = poller.ask()

    same = ("Id", "Subject", "Start", "End", "DateTimeCreated", "DateTimeLastModified", "Reminder", "TimeZone")
    assert {name: event[name] for name in same} == {name: item[name] for name in same}
    assert (0, None, None) == (item["Recurrence"], item["RecurrenceEnd"], item["NumberOfOccurrences"])
