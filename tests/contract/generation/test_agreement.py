"""Members of a generated request that are made to agree."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_contract.generation.agreement import agree

START = "2026-03-02T09:00:00Z"


def agreed(body: dict[str, Any]) -> dict[str, Any]:
    agree({}, body)
    return body


@pytest.mark.parametrize("end", ["2026-03-02T10:00:00Z", START])
def test_an_event_that_agrees(end: str) -> None:
    """An event of less than a day that ends after its start stays as it is."""
    assert {"Start": START, "End": end} == agreed({"Start": START, "End": end})


@pytest.mark.parametrize("end", ["2026-03-02T08:00:00Z", "2026-03-04T09:00:00Z", "2026-03-02T10:00:00", "soon"])
def test_an_event_that_does_not(end: str) -> None:
    """An end before the start, a day later, in another form, or no time at all becomes the start."""
    assert {"Start": START, "End": START} == agreed({"Start": START, "End": end})


def test_an_event_of_a_day() -> None:
    """An all-day event takes the day of its start, from midnight to midnight."""
    body = agreed({"Start": START, "End": "2026-03-09T10:00:00Z", "IsAllDay": True})

    assert ("2026-03-02T00:00:00", "2026-03-03T00:00:00") == (body["Start"], body["End"])


@pytest.mark.parametrize(
    ("members", "left"),
    [
        ({"NumberOfOccurrences": 3, "RecurrenceEnd": "x"}, {"NumberOfOccurrences": 3}),
        ({"NumberOfOccurrences": 0, "RecurrenceEnd": "x"}, {"RecurrenceEnd": "2026-03-12T00:00:00Z"}),
        ({"NumberOfOccurrences": 5000}, {}),
    ],
)
def test_a_series_has_one_end(members: dict[str, Any], left: dict[str, Any]) -> None:
    """A series keeps a valid number of occurrences, or else gets an end after its start."""
    event = {"Start": START, "End": START, "Recurrence": "Daily"}

    assert event | left == agreed(event | members)


def test_a_single_event_keeps_what_only_a_series_needs() -> None:
    """Without a recurrence, its members have no effect and stay."""
    event = {"Start": START, "End": START, "Recurrence": "None", "NumberOfOccurrences": 0}

    assert event == agreed(dict(event))


def test_a_pattern_is_whole() -> None:
    """A pattern of the first version keeps its kind, and gets every member that the kind may need, and no end."""
    recurrence = agreed({"Start": START, "End": START, "Recurrence": {"Pattern": {"Type": "Weekly"}}})["Recurrence"]

    assert ("Weekly", 1, ["Wednesday"]) == tuple(
        recurrence["Pattern"][name] for name in ("Type", "Interval", "DaysOfWeek")
    )
    assert {"Type": "NoEnd"} == recurrence["Range"]


def test_people_have_addresses() -> None:
    """Attendees and entries of a contact that have a name alone are left out."""
    named, addressed = {"Name": "A"}, {"Name": "B", "Address": "b@example.com"}
    body = agreed(
        {"Attendees": [{"EmailAddress": named}, {"EmailAddress": addressed}, {}], "EmailAddresses": [named, addressed]}
    )

    assert ([{"EmailAddress": addressed}], [addressed]) == (body["Attendees"], body["EmailAddresses"])


@pytest.mark.parametrize(
    ("end", "expected"), [("2026-03-09", "2026-03-09"), ("2026-03-01", "2026-03-02"), ("2099-01-01", "2026-03-02")]
)
def test_a_view_has_a_window(end: str, expected: str) -> None:
    """A window that runs backwards or is too long becomes empty."""
    query = {"startDateTimeOffset": "2026-03-02", "endDateTimeOffset": end}
    agree(query, None)

    assert expected == query["endDateTimeOffset"]
