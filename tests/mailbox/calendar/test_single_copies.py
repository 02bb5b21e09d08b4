"""Attendees' copies of one occurrence of a series, when the occurrence or its series changes; inferred.

The vendor's page of the Office 365 twin has no word on them. What must hold: nobody keeps a meeting that is off.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection


def series(organizer: Connection, *guests: str) -> dict[str, Any]:
    people = ";".join(guests)
    return organizer.meet("Standup", Recurrence="Daily", NumberOfOccurrences=5, RequiredAttendees=people)


def subjects(connection: Connection) -> list[str]:
    return [event["Subject"] for event in connection.view()]


@pytest.mark.parametrize("gone", ["declined", "deleted"])
def test_an_occurrence_that_is_changed_comes_back_to_its_series(alice: Connection, bob: Connection, gone: str) -> None:
    """A new invitation to an occurrence that the attendee declined or deleted is in the attendee's series again."""
    series(alice, bob.address)
    second = bob.view()[1]
    if gone == "declined":
        bob.respond(second["Id"], "Decline")
    else:
        bob.http.delete(f"/datasets/calendars/tables/Calendar/items/{second['Id']}").raise_for_status()
    assert len(bob.view()) == 4

    alice.change(alice.view()[1]["Id"], Subject="Retrospective")

    again = bob.view()[1]
    assert again["Subject"] == "Retrospective"
    assert (again["Id"], again["SeriesMasterId"]) == (second["Id"], second["SeriesMasterId"])
    (listed,) = (event for event in bob.events() if event["SeriesMasterId"] is None)
    assert listed["Id"] == second["SeriesMasterId"]


@pytest.mark.parametrize(
    "change",
    [
        {"Recurrence": "None", "RecurrenceEnd": None, "NumberOfOccurrences": None},
        {"Start": "2026-03-04T15:00:00Z", "End": "2026-03-04T15:30:00Z"},
        {"NumberOfOccurrences": 1},
    ],
    ids=["no series", "moved", "shortened"],
)
def test_a_guest_of_one_occurrence_is_told_when_it_is_gone(
    alice: Connection, bob: Connection, change: dict[str, Any]
) -> None:
    """A change of the series that drops the occurrence cancels the copy of its guest, and mails the guest."""
    meeting = series(alice)
    alice.change(alice.view()[1]["Id"], RequiredAttendees=bob.address)
    assert subjects(bob) == ["Standup"]

    alice.change(meeting["Id"], **change)

    assert subjects(bob) == ["Canceled: Standup"]
    assert [mail["Subject"] for mail in bob.mails()] == ["Canceled: Standup", "Standup"]


def test_whoever_declined_the_series_is_told_that_one_occurrence_is_off(alice: Connection, bob: Connection) -> None:
    """Taken off the series, an attendee loses a later invitation to one occurrence, too, and gets one mail."""
    meeting = series(alice, bob.address)
    bob.respond(bob.events()[0]["Id"], "Decline")
    alice.change(alice.view()[1]["Id"], Subject="Retrospective")
    assert subjects(bob) == ["Retrospective"]
    before = len(bob.mails())

    alice.change(meeting["Id"], RequiredAttendees="")

    assert subjects(bob) == ["Canceled: Retrospective"]
    assert len(bob.mails()) == before + 1


def test_guests_of_one_occurrence_keep_it_when_another_part_of_the_series_changes(
    alice: Connection, bob: Connection
) -> None:
    meeting = series(alice)
    alice.change(alice.view()[1]["Id"], RequiredAttendees=bob.address)

    alice.change(meeting["Id"], Location="Hall")

    (copy,) = bob.view()
    assert (copy["Subject"], copy["Location"]) == ("Standup", "Hall")
