"""How events read: attendee strings, the order of lists, times of change, and the organizer's own events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from outlook_emulator.clock import iso_short, microseconds
from tests.conftest import Connection, Sandbox

V1 = "/datasets/calendars/tables/Calendar/items"
V2 = "/datasets/calendars/v2/tables/Calendar/items"
V3 = "/datasets/calendars/v3/tables/Calendar/items"
TABLE = "/datasets/calendars/v2/tables/Calendar"
SPAN = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
LISTS = ("RequiredAttendees", "OptionalAttendees", "ResourceAttendees")
FLAT_TRIGGERS: dict[str, dict[str, Any]] = {
    f"{TABLE}/onnewitems": {},
    f"{TABLE}/onupdateditems": {},
    f"{TABLE}/onchangeditems": {},
    "/v2/Events/OnUpcomingEvents": {"table": "Calendar", "lookAheadTimeInMinutes": 60 * 24 * 7},
}


def flat_shapes(connection: Connection) -> list[dict[str, Any]]:
    """The only event of a calendar as each flat list, read and view shows it."""
    (listed,) = connection.get(V3)["value"]
    (listed_in_words,) = connection.get(V2)["value"]
    window = {"calendarId": "Calendar", "startDateTimeOffset": "2026-03-01", "endDateTimeOffset": "2026-04-01"}
    (viewed,) = connection.get("/Events/CalendarView", **window)["Values"]
    return [listed, listed_in_words, connection.event(listed["Id"]), viewed, *connection.view()]


def start_triggers(connection: Connection) -> dict[str, str]:
    """The next URL of each flat trigger."""
    answers = {path: connection.http.get(path, params=query) for path, query in FLAT_TRIGGERS.items()}
    return {path: answer.headers["location"] for path, answer in answers.items()}


def lists_of(event: dict[str, Any]) -> tuple[str, ...]:
    return tuple(event[name] for name in LISTS)


class TestAttendeeStrings:
    """Attendee strings end in `;`, with one attendee too; `""` when none. Both forms are taken."""

    def test_attendee_strings_end_in_a_semicolon(self, alice: Connection, bob: Connection) -> None:
        """Noted from live use of the Office 365 twin: two projects that synchronize calendars, 2024 and 2025."""
        alice.meet(RequiredAttendees="Bob@Example.com;Ann@example.org", OptionalAttendees="bob2@Example.org")
        expected = ("Bob@Example.com;Ann@example.org;", "bob2@Example.org;", "")

        assert [lists_of(event) for event in flat_shapes(alice)] == [expected] * 5
        assert [lists_of(event) for event in flat_shapes(bob)] == [expected] * 5

    def test_attendee_strings_end_in_a_semicolon_in_triggers(self, alice: Connection) -> None:
        """Noted from live use of the Office 365 twin: its triggers' outputs, 2024."""
        pollers = start_triggers(alice)
        alice.change(
            alice.meet(ResourceAttendees="Room 5")["Id"], **SPAN, Subject="Changed", ResourceAttendees="Room 5"
        )

        seen = {path: alice.http.get(location).json()["value"] for path, location in pollers.items()}

        assert {path: [lists_of(item) for item in items] for path, items in seen.items()} == {
            path: [("", "", "Room 5;")] for path in FLAT_TRIGGERS
        }

    @pytest.mark.parametrize("text", ["bob@example.com", "bob@example.com;", " bob@example.com ; "])
    @pytest.mark.parametrize("path", [V2, V3])
    def test_both_forms_of_attendee_strings_are_taken(self, alice: Connection, path: str, text: str) -> None:
        """Noted from live use of the Office 365 twin: input takes both forms."""
        event = alice.post(path, {"Subject": "A", **SPAN, "RequiredAttendees": text}).json()

        assert lists_of(event) == ("bob@example.com;", "", "")
        sent_back = alice.http.patch(f"{path}/{event['Id']}", json=event).json()
        assert lists_of(sent_back) == ("bob@example.com;", "", "")

    @pytest.mark.parametrize("path", [V2, V3])
    def test_the_case_of_addresses_is_kept(self, alice: Connection, bob: Connection, path: str) -> None:
        """Noted from live use of the Office 365 twin: a calendar synchronizer, 2024. Inferred for a later change."""
        event = alice.post(path, {"Subject": "A", **SPAN, "RequiredAttendees": "Bob@Example.com"}).json()
        assert lists_of(event) == ("Bob@Example.com;", "", "")

        body = {"Subject": "A", **SPAN, "OptionalAttendees": "BOB@example.com"}
        changed = alice.http.patch(f"{path}/{event['Id']}", json=body).json()

        assert lists_of(changed) == ("", "BOB@example.com;", "")
        assert [lists_of(copy) for copy in bob.events()] == [("", "BOB@example.com;", "")]
        assert {mail["Subject"] for mail in bob.mails()} == {"A"}

    def test_the_first_version_lists_its_attendees_without_semicolons(self, alice: Connection) -> None:
        """Recorded from the Office 365 twin: version 1 has a list of attendees, not a string."""
        event = alice.meet(RequiredAttendees="Bob@Example.com;")

        (attendee,) = alice.get(f"{V1}/{event['Id']}")["Attendees"]
        assert attendee["EmailAddress"]["Address"] == "Bob@Example.com"

    def test_addresses_of_mails_end_in_no_semicolon(self, alice: Connection, bob: Connection) -> None:
        """Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12."""
        alice.send("bob@example.com;ann@example.org")

        assert bob.mail()["To"] == "bob@example.com;ann@example.org"

    def test_a_wait_reports_each_attendee(self, alice: Connection) -> None:
        """The admin API lists attendees one by one, so no semicolon reaches it."""
        alice.meet("Party", RequiredAttendees="Ann@example.org;", ResourceAttendees="Room 5")

        (event,) = alice.sandbox.wait(kind="event", subject="Party")
        assert event["recipients"] == ["Ann@example.org", "Room 5"]


class TestOrder:
    """Lists without `$orderby`: newest Start first."""

    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_lists_without_orderby_have_the_newest_start_first(self, alice: Connection, path: str) -> None:
        """Recorded from the Office 365 twin: 83 events, series by their own start; microsoft/Power-Fx, 2023-12.

        Inferred: of events with the same start the last created comes first.
        """
        for name, start in (("b", "03-05"), ("d", "03-07"), ("a", "03-04"), ("c1", "03-06"), ("c2", "03-06")):
            alice.meet(name, f"2026-{start}T10:00:00Z", **({"Recurrence": "Daily"} if name == "b" else {}))

        def names(**query: Any) -> list[str]:
            return [event["Subject"] for event in alice.get(path, **query)["value"]]

        assert names() == ["d", "c2", "c1", "b", "a"]
        assert [names(**{"$top": 2, "$skip": skip}) for skip in (0, 2, 4)] == [["d", "c2"], ["c1", "b"], ["a"]]
        assert names(**{"$filter": "Start ge 2026-03-05", "$top": 3}) == ["d", "c2", "c1"]
        assert names(**{"$orderby": "Start"}) == ["a", "b", "c1", "c2", "d"]

    def test_views_have_the_earliest_start_first(self, alice: Connection) -> None:
        """Inferred: no recording shows two events in a view. The back end's documentation orders views by start."""
        for name, start in (("b", "03-05"), ("a", "03-04")):
            alice.meet(name, f"2026-{start}T10:00:00Z")

        assert [event["Subject"] for event in alice.view()] == ["a", "b"]


class TestTimesOfChange:
    """Created and modified times drop trailing zeros."""

    @pytest.mark.parametrize(
        ("fraction", "shown"),
        [(".147840", ".14784"), (".100000", ".1"), (".147841", ".147841"), (".000001", ".000001"), (".000000", "")],
    )
    def test_created_and_modified_times_drop_trailing_zeros(self, sandbox: Sandbox, fraction: str, shown: str) -> None:
        """Recorded from the Office 365 twin, versions 1 and 2: microsoft/Power-Fx O365OutlookTests, 2023-12.

        Inferred: a whole second has no fraction, as .NET writes it.
        """
        alice = sandbox.connect("alice")
        sandbox.clock.freeze(f"2026-03-04T09:00:00{fraction}+00:00")
        event = alice.meet()

        expected = f"2026-03-04T09:00:00{shown}+00:00"
        shapes = [*flat_shapes(alice), *alice.get(V1)["value"], alice.get(f"{V1}/{event['Id']}")]
        assert {(shape["DateTimeCreated"], shape["DateTimeLastModified"]) for shape in shapes} == {(expected, expected)}
        for name in ("DateTimeCreated", "DateTimeLastModified", "CreatedDateTime"):
            for literal in (expected, expected.replace("+00:00", "Z"), f"'{expected}'"):
                (found,) = alice.events(**{"$filter": f"{name} eq {literal}"})
                assert found["Id"] == event["Id"]

    def test_start_and_end_keep_seven_digits(self, alice: Connection) -> None:
        """Recorded from the Office 365 twin: versions 2 and 3 write seven digits, version 1 writes no zeros."""
        event = alice.meet(start="2026-03-04T13:30:00.250Z", End="2026-03-04T14:00:00Z")

        assert {(shape["Start"], shape["End"]) for shape in flat_shapes(alice)} == {
            ("2026-03-04T13:30:00.2500000+00:00", "2026-03-04T14:00:00.0000000+00:00")
        }
        first = alice.get(f"{V1}/{event['Id']}")
        assert (first["Start"], first["End"]) == ("2026-03-04T13:30:00.25+00:00", "2026-03-04T14:00:00+00:00")

    @pytest.mark.parametrize("text", ["2026-03-04T09:00:00.14784+00:00", "0500-01-01T00:00:00+00:00"])
    def test_a_short_time_reads_as_the_same_instant(self, text: str) -> None:
        """What responses show is read back as the same instant, also before 1970."""
        assert iso_short(microseconds(datetime.fromisoformat(text))) == text


def test_an_organizers_own_event_has_the_recorded_forms(alice: Connection) -> None:
    """Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12; a calendar synchronizer, 2024.

    ResponseType is Organizer without a time. A bare event, all day or not, is Free with the mailbox's reminder.
    """
    timed = alice.meet(RequiredAttendees="bob@example.com")
    whole_day = alice.meet(start="2026-03-05", End="2026-03-06", IsAllDay=True)

    for event in (timed, whole_day):
        numbers = next(item for item in alice.get(V3)["value"] if item["Id"] == event["Id"])
        first = alice.get(f"{V1}/{event['Id']}")
        assert (event["ResponseType"], numbers["ResponseType"]) == ("Organizer", 1)
        assert event["ResponseTime"] == numbers["ResponseTime"] == "0001-01-01T00:00:00+00:00"
        assert first["ResponseStatus"] == {"Response": "Organizer", "Time": "0001-01-01T00:00:00+00:00"}
        assert (first["IsOrganizer"], event["Organizer"]) == (True, "alice@example.com")
        assert (event["ShowAs"], numbers["ShowAs"], event["Reminder"]) == ("Free", 0, 15)
        assert (first["ShowAs"], first["Reminder"]) == ("Free", 15)


def test_a_list_without_top_can_be_limited(configured: Callable[..., Sandbox]) -> None:
    """With `max_events`, a list without `$top` has so many events; `$top` still says otherwise.

    83 events came in one page, which is recorded from the Office 365 twin; a user's report has 50 at most.
    """
    alice = configured(max_events=2).connect("alice")
    for day in (3, 4, 5):
        span = {"Start": f"2026-03-0{day}T10:00:00Z", "End": f"2026-03-0{day}T11:00:00Z"}
        alice.post("/datasets/calendars/v3/tables/Calendar/items", {"Subject": f"{day}", **span})

    def subjects(version: str, **query: Any) -> list[str]:
        listed = alice.get(f"/datasets/calendars/{version}tables/Calendar/items", **query)
        return [event["Subject"] for event in listed["value"]]

    for version in ("", "v2/", "v3/"):
        assert subjects(version) == ["5", "4"]
        assert subjects(version, **{"$top": 3}) == ["5", "4", "3"]
