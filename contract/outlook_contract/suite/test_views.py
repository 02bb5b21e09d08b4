"""Journeys through the two calendar views: what lies in a span of time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.suite.events import create, day, subjects, viewed, written

_V1, _V2 = "GetEventsCalendarView", "GetEventsCalendarViewV2"
_VIEWS = pytest.mark.parametrize("operation", [_V1, _V2], ids=["V1", "V2"])


@_VIEWS
def test_a_view_has_what_overlaps_its_span(mailbox: Mailbox, operation: str) -> None:
    """A view has each event that overlaps the span, and none that ends where it begins or begins where it ends."""
    first, last = day(40, 9), day(40, 12)
    half = timedelta(minutes=30)
    starts = {
        "Before": first - timedelta(hours=2),
        "Touching": first - half,
        "Into": first - half / 2,
        "Within": first + half,
        "Out of": last - half / 2,
        "At the end": last,
    }
    for name, start in starts.items():
        create(mailbox, f"{operation} {name}", start)
    seen = [name for name in _names(mailbox, operation, first, last) if name.startswith(f"{operation} ")]
    expected = [f"{operation} {name}" for name in ("Into", "Within", "Out of")]
    mailbox.equal(operation, "value", sorted(seen), sorted(expected))


@_VIEWS
def test_a_view_has_what_lasts_longer_than_its_span(mailbox: Mailbox, operation: str) -> None:
    """An event that began days before the span and ends days after it is in the view."""
    create(mailbox, f"{operation} week", day(100), 7 * 1440)
    names = _names(mailbox, operation, day(103), day(104))
    mailbox.holds(operation, "value", names, "the event of a week", f"{operation} week" in names)


@_VIEWS
def test_a_view_has_the_earliest_start_first(mailbox: Mailbox, operation: str) -> None:
    """A view is in the order of time, whatever the order of creation. Inferred from the back end's documentation."""
    for name, hour in (("b", 10), ("c", 11), ("a", 9)):
        create(mailbox, f"{operation} {name}", day(41, hour))
    names = _names(mailbox, operation, day(41, 0), day(42, 0))
    seen = [name for name in names if name.startswith(f"{operation} ")]
    mailbox.equal(operation, "value", seen, [f"{operation} {name}" for name in "abc"])


@_VIEWS
def test_a_view_has_occurrences_in_place_of_a_series(mailbox: Mailbox, operation: str) -> None:
    """Of a series, a view has the occurrences in the span alone, with the id of their series."""
    series = create(mailbox, f"{operation} series", day(43), Recurrence="Daily", NumberOfOccurrences=5)
    events = _events(mailbox, operation, day(44, 0), day(46, 0))
    seen = [item for item in events if item["SeriesMasterId"] == series["Id"]]
    mailbox.equal(operation, "value[].Start", [item["Start"][:10] for item in seen], _days(44, 45))
    mailbox.holds(operation, "value[].Id", seen, "no series", series["Id"] not in {item["Id"] for item in events})


@_VIEWS
def test_a_view_has_links_and_identities(mailbox: Mailbox, operation: str) -> None:
    """In a view each event has a link and an identity of 112 hexadecimal digits. Recorded from the twin and Graph."""
    for hour in (15, 16):
        create(mailbox, f"{operation} link {hour}", day(45, hour))
    events = _events(mailbox, operation, day(45, 14), day(45, 17))
    mailbox.equal(operation, "value[].ICalUId", len({event["ICalUId"] for event in events}), len(events))
    for event in events:
        identity = str(event["ICalUId"])
        is_identity = re.fullmatch("040000008200E00074C5B7101A82E008[0-9A-F]{80}", identity) is not None
        mailbox.holds(operation, "value[].ICalUId", identity, "112 digits", is_identity)
        link = f"https://outlook.live.com/owa/?itemid={quote(event['Id'], safe='')}&exvsurl=1&path=/calendar/item"
        mailbox.equal(operation, "value[].WebLink", event["WebLink"], link)


def test_the_second_view_takes_filter_order_and_page(mailbox: Mailbox) -> None:
    """`$filter`, `$orderby`, `$top` and `$skip` act on what lies in the span."""
    for name, hour in (("Talk a", 9), ("Talk b", 10), ("Lunch", 12), ("Talk c", 14)):
        create(mailbox, name, day(47, hour), ShowAs="Busy" if name == "Talk c" else "Free")
    span = (day(47, 0), day(48, 0))
    talks = "startswith(Subject,'Talk')"

    def names(**query: Any) -> list[str]:
        return subjects(viewed(mailbox, *span, **query), mailbox.marker)

    mailbox.equal(_V2, "$filter", names(filter=talks), ["Talk a", "Talk b", "Talk c"])
    for condition, expected in (
        ("contains(Subject,'alk b')", ["Talk b"]),
        (f"endswith(Subject,'a {mailbox.marker}')", ["Talk a"]),
        ("startswith(Subject,'Lunch') or startswith(Subject,'talk a')", ["Talk a", "Lunch"]),
        ("startswith(Subject,'L') and not startswith(Subject,'Talk')", ["Lunch"]),
        ("ShowAs eq 'Busy'", ["Talk c"]),
        (f"Start ge {written(day(47, 12))}", ["Lunch", "Talk c"]),
        (f"{talks} and Start le {written(day(47, 10))}", ["Talk a", "Talk b"]),
    ):
        mailbox.equal(_V2, "$filter", names(filter=condition), expected)
    mailbox.equal(_V2, "$orderby", names(filter=talks, orderby="Start desc"), ["Talk c", "Talk b", "Talk a"])
    mailbox.equal(_V2, "$top", names(filter=talks, top=2), ["Talk a", "Talk b"])
    mailbox.equal(_V2, "$top", names(filter=talks, orderby="Start desc", top=1), ["Talk c"])
    mailbox.equal(_V2, "$skip", names(filter=talks, top=2, skip=2), ["Talk c"])


def test_the_second_view_searches(mailbox: Mailbox) -> None:
    """`search` leaves only events that contain the words, in subject or body (documented)."""
    word = f"quince{mailbox.marker[-8:]}"
    create(mailbox, f"About {word}", day(49))
    create(mailbox, "About nothing", day(49, 11))
    create(mailbox, "About fruit", day(49, 12), Body=f"<p>A {word}</p>")

    def found() -> list[str]:
        return subjects(viewed(mailbox, day(49, 0), day(50, 0), search=word.upper()), mailbox.marker)

    names = mailbox.until("A hit of the search", found)
    mailbox.equal(_V2, "search", names, [f"About {word}", "About fruit"])


@pytest.mark.reads
@_VIEWS
def test_a_wrong_span_is_refused(mailbox: Mailbox, operation: str) -> None:
    """Both ends must be dates, in their order. Inferred."""
    right = {"startDateTimeOffset": written(day(1)), "endDateTimeOffset": written(day(2))}
    for wrong in (
        {"startDateTimeOffset": "soon"},
        {"endDateTimeOffset": "later"},
        {"endDateTimeOffset": written(day(0))},
        {"endDateTimeOffset": None},
    ):
        mailbox.refused(operation, 400, calendarId=CALENDAR, **(right | wrong))


@pytest.mark.reads
@_VIEWS
def test_a_view_of_an_unknown_calendar_is_refused(mailbox: Mailbox, operation: str) -> None:
    """A calendar that the mailbox lacks is not found. Inferred: the code is Exchange's own."""
    span = {"startDateTimeOffset": written(day(1)), "endDateTimeOffset": written(day(2))}
    mailbox.refused(operation, 404, calendarId="Nowhere", **span, code="ErrorFolderNotFound")


def _events(mailbox: Mailbox, operation: str, first: Any, last: Any) -> list[Any]:
    if operation == _V2:
        return viewed(mailbox, first, last)
    span = {"startDateTimeOffset": written(first), "endDateTimeOffset": written(last)}
    events: list[Any] = mailbox.ok(operation, calendarId=CALENDAR, **span)["Values"]
    return [item for item in events if mailbox.marker in item["Subject"]]


def _names(mailbox: Mailbox, operation: str, first: Any, last: Any) -> list[str]:
    return subjects(_events(mailbox, operation, first, last), mailbox.marker)


def _days(*ahead: int) -> list[str]:
    return [f"{day(number):%Y-%m-%d}" for number in ahead]


@_VIEWS
def test_a_view_has_the_occurrences_that_overlap_its_span(mailbox: Mailbox, operation: str) -> None:
    """An occurrence that ends where the span begins, or begins where it ends, is not in it."""
    series = create(mailbox, f"{operation} edges", day(55, 9), Recurrence="Daily", NumberOfOccurrences=4)
    for first, last, expected in (
        (day(55, 9, 30), day(57, 9), [56]),
        (day(55, 9, 29), day(57, 9, 1), [55, 56, 57]),
    ):
        events = _events(mailbox, operation, first, last)
        seen = [item["Start"][:10] for item in events if item["SeriesMasterId"] == series["Id"]]
        mailbox.equal(operation, "value[].Start", seen, _days(*expected))


@_VIEWS
def test_an_occurrence_is_no_series(mailbox: Mailbox, operation: str) -> None:
    """An occurrence names its series and does not repeat; what it is called is in the first version."""
    series = create(mailbox, f"{operation} kinds", day(59), Recurrence="Daily", NumberOfOccurrences=2)
    events = _events(mailbox, operation, day(59, 0), day(60, 0))
    (item,) = [event for event in events if event["SeriesMasterId"] == series["Id"]]
    expected = {"Recurrence": "None", "RecurrenceEnd": None, "NumberOfOccurrences": None}
    mailbox.members(operation, "value[]", item, expected)
    nested = mailbox.ok("CalendarGetItem", table=CALENDAR, id=item["Id"])
    expected = {"Type": "Occurrence", "SeriesMasterId": series["Id"], "Recurrence": None}
    mailbox.members("CalendarGetItem", "", nested, expected)


def test_a_search_of_a_view_needs_every_word(mailbox: Mailbox) -> None:
    """`search` leaves out events that have only one of two words."""
    word = f"medlar{mailbox.marker[-8:]}"
    create(mailbox, f"Green {word}", day(61))
    create(mailbox, f"Ripe {word}", day(61, 11))

    def found() -> list[str]:
        return subjects(viewed(mailbox, day(61, 0), day(62, 0), search=f"ripe {word}"), mailbox.marker)

    names = mailbox.until("A hit of the search", found)
    mailbox.equal(_V2, "search", names, [f"Ripe {word}"])


@pytest.mark.reads
@_VIEWS
def test_a_view_is_at_most_five_years_long(mailbox: Mailbox, operation: str) -> None:
    """A span of 1825 days is the longest. Recorded from the Office 365 twin."""
    for days, status in ((1825, 200), (1826, 400)):
        span = {"startDateTimeOffset": written(day(0)), "endDateTimeOffset": written(day(days))}
        exchange = mailbox.call(operation, calendarId=CALENDAR, **span)
        mailbox.equal(operation, "endDateTimeOffset", exchange.status, status)
        if status == 400:
            text = "Maximum number of days: 1825"
            mailbox.holds(operation, "message", exchange.json(), text, text in str(exchange.json()))
