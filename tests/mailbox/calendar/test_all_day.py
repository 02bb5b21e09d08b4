"""All-day events are midnight to midnight `+00:00` in every zone, wherever they are written and read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

V1 = "/datasets/calendars/tables/Calendar/items"
V2 = "/datasets/calendars/v2/tables/Calendar/items"
V3 = "/datasets/calendars/v3/tables/Calendar/items"
TABLE = "/datasets/calendars/v2/tables/Calendar"
UPCOMING = "/v2/Events/OnUpcomingEvents"
BERLIN = "W. Europe Standard Time"
ZONES = ("UTC", BERLIN, "Pacific Standard Time", "Tokyo Standard Time", "Line Islands Standard Time", "UTC-11")
DAYS = ("2026-04-11T00:00:00.0000000+00:00", "2026-04-12T00:00:00.0000000+00:00")
"""11 April as the flat versions write it; version 1 writes no zeros."""
HOLIDAY = {"Subject": "Holiday", "Start": "2026-04-11T00:00:00", "End": "2026-04-12T00:00:00", "IsAllDay": True}
OFF_MIDNIGHT = (
    "Your request can't be completed. The Event.{} property for an all-day event needs to be set to midnight."
)
TOO_SHORT = "Your request can't be completed. The duration of an event marked as All day must be at least 24 hours."


def body_in(path: str, zone: str, **more: Any) -> dict[str, Any]:
    """The holiday in a zone, as a version takes it."""
    zones = {"StartTimeZone": zone, "EndTimeZone": zone} if path == V1 else {"TimeZone": zone}
    return {**HOLIDAY, **zones, **more}


def span(event: dict[str, Any]) -> tuple[str, str]:
    return event["Start"], event["End"]


def holiday(connection: Connection, zone: str = BERLIN, **more: Any) -> dict[str, Any]:
    return dict(connection.post(V3, body_in(V3, zone, **more)).json())


def load(connection: Connection, *lines: str, head: tuple[str, ...] = ()) -> None:
    """Import an iCalendar file with one event."""
    event = ("BEGIN:VEVENT", "UID:1", "SUMMARY:Holiday", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT")
    text = "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *head, *event, "END:VCALENDAR", ""))
    path = f"/connections/{connection.id}/calendars/Calendar/import"
    answer = connection.api.post(path, content=text, headers={"Content-Type": "text/calendar"})
    assert answer.status_code == 201, answer.text


def saved(connection: Connection) -> str:
    """The calendar as an iCalendar file."""
    return connection.api.get(f"/connections/{connection.id}/calendars/Calendar/export").text


def poll(connection: Connection, location: str) -> list[dict[str, Any]]:
    answer = connection.http.get(location)
    return list(answer.json()["value"]) if answer.status_code == 200 else []


class TestMidnight:
    @pytest.mark.parametrize("zone", ZONES)
    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_all_day_events_are_midnight_to_midnight_in_every_zone(
        self, alice: Connection, path: str, zone: str
    ) -> None:
        """By design of the back end: microsoft-graph-docs 1802 and 6003; seen live by a calendar synchronizer."""
        created = alice.post(path, body_in(path, zone)).json()

        assert [day[:10] for day in span(created)] == ["2026-04-11", "2026-04-12"]
        assert created["StartTimeZone" if path == V1 else "TimeZone"] == zone
        for version in (V1, V2, V3):
            (listed,) = alice.get(version)["value"]
            expected = ("2026-04-11T00:00:00+00:00", "2026-04-12T00:00:00+00:00") if version == V1 else DAYS
            assert (span(listed), listed["IsAllDay"]) == (expected, True)
        assert span(alice.event(created["Id"])) == DAYS
        first = alice.get(f"{V1}/{created['Id']}")
        assert span(first) == ("2026-04-11T00:00:00+00:00", "2026-04-12T00:00:00+00:00")
        assert (first["StartTimeZone"], first["EndTimeZone"]) == (zone, zone)

    @pytest.mark.parametrize(
        ("zone", "start", "end"),
        [
            (BERLIN, "2026-04-11", "2026-04-12"),
            (BERLIN, "2026-04-11T00:00:00.0000000", "2026-04-12T00:00:00.0000000"),
            (BERLIN, "2026-04-10T22:00:00Z", "2026-04-11T22:00:00Z"),
            (BERLIN, "2026-04-11T00:00:00+02:00", "2026-04-12T00:00:00+02:00"),
            (BERLIN, *DAYS),
            ("", "2026-04-11T00:00:00Z", "2026-04-12T00:00:00.000Z"),
            ("", "2026-04-11T00:00:00+02:00", "2026-04-12T00:00:00+02:00"),
            ("(UTC-08:00) Pacific Time (US & Canada)", "2026-04-11T07:00:00Z", "2026-04-12T07:00:00Z"),
        ],
    )
    def test_a_start_at_midnight_in_its_zone_is_that_date(
        self, alice: Connection, zone: str, start: str, end: str
    ) -> None:
        """Inferred: the date of a midnight as it is written, or of one in the zone given.

        Responses write midnight UTC beside any zone, and clients send whole events back.
        """
        assert span(holiday(alice, zone, Start=start, End=end)) == DAYS

    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_an_all_day_event_that_is_sent_back_stays_as_it_is(self, alice: Connection, path: str) -> None:
        """Responses of every version are taken as requests, as Power Apps sends them (recorded from the twin)."""
        created = alice.post(path, body_in(path, BERLIN)).json()

        answer = alice.http.patch(f"{path}/{created['Id']}", json=created)

        assert answer.status_code == 200, answer.text
        unstable = ("DateTimeLastModified", "ChangeKey")
        assert [answer.json() | dict.fromkeys(unstable)] == [created | dict.fromkeys(unstable)]

    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_an_update_moves_an_all_day_event_by_dates(self, alice: Connection, path: str) -> None:
        """By design of the back end: microsoft-graph-docs 1802."""
        created = holiday(alice)

        body = body_in(path, "Tokyo Standard Time", Start="2026-04-12T00:00:00", End="2026-04-14T00:00:00")
        alice.http.patch(f"{path}/{created['Id']}", json=body).raise_for_status()

        after = alice.event(created["Id"])
        assert [day[:13] for day in span(after)] == ["2026-04-12T00", "2026-04-14T00"]
        assert after["TimeZone"] == "Tokyo Standard Time"

    def test_an_event_that_is_no_longer_all_day_has_the_times_given(self, alice: Connection) -> None:
        """Inferred: without IsAllDay, times are read in the zone again."""
        created = holiday(alice)

        after = alice.change(
            created["Id"], Start="2026-04-11T09:00:00", End="2026-04-11T10:00:00", IsAllDay=False, TimeZone=BERLIN
        )

        assert [day[:16] for day in span(after)] == ["2026-04-11T07:00", "2026-04-11T08:00"]


class TestRefusals:
    """Start or End off midnight, or under 24 hours: 400 with the recorded texts."""

    @pytest.mark.parametrize(
        ("start", "end", "text"),
        [
            ("2026-04-11T10:00:00", "2026-04-11T11:00:00", OFF_MIDNIGHT.format("Start")),
            ("2026-04-11T00:00:01", "2026-04-12T00:00:00", OFF_MIDNIGHT.format("Start")),
            ("2026-04-11T00:00:00", "2026-04-12T12:00:00", OFF_MIDNIGHT.format("End")),
            ("2026-04-11T00:00:00", "2026-04-11T23:59:59", OFF_MIDNIGHT.format("End")),
            ("2026-04-10T23:00:00Z", "2026-04-11T23:00:00Z", OFF_MIDNIGHT.format("Start")),
            ("2026-04-11T00:00:00", "2026-04-11T00:00:00", TOO_SHORT),
            ("2026-04-11", "2026-04-11", TOO_SHORT),
        ],
    )
    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_an_all_day_event_off_midnight_or_under_24_hours_is_refused(
        self, alice: Connection, path: str, start: str, end: str, text: str
    ) -> None:
        """Recorded from the back end: O365/python-o365 845 (Start) and Office-365-SDK-for-Java 5 (24 hours).

        The text about End is inferred from that about Start, as is the order of the checks.
        """
        timed = alice.post(path, {**body_in(path, BERLIN), "IsAllDay": False}).json()
        body = body_in(path, BERLIN, Start=start, End=end)

        created = alice.http.post(path, json=body)
        updated = alice.http.patch(f"{path}/{timed['Id']}", json=body)

        for answer in (created, updated):
            error = answer.json()
            assert (answer.status_code, error["error"]["code"]) == (400, "ErrorInvalidRequest")
            assert error["error"]["message"] == error["error"]["originalMessage"] == text
            assert error["message"].startswith(f"{text}\r\nclientRequestId: ")
            assert "serviceRequestId" in error["message"]
        (kept,) = alice.get(V3)["value"]
        assert kept["IsAllDay"] is False

    def test_a_timed_event_that_is_updated_to_all_day_must_be_at_midnight(self, alice: Connection) -> None:
        """Recorded from the back end: O365/python-o365 845. Inferred for an update that leaves the times out."""
        timed = alice.meet()
        at_midnight = alice.post(V3, {**body_in(V3, BERLIN), "IsAllDay": False}).json()

        refused = alice.http.patch(f"{V3}/{timed['Id']}", json={"IsAllDay": True})
        moved = alice.change(at_midnight["Id"], IsAllDay=True, TimeZone=BERLIN)

        assert (refused.status_code, refused.json()["error"]["message"]) == (400, OFF_MIDNIGHT.format("Start"))
        assert span(moved) == DAYS


class TestWindows:
    def test_views_show_all_day_events_on_their_utc_day(self, alice: Connection) -> None:
        """Inferred: a window is compared with the midnights that the event reads."""
        holiday(alice, "Tokyo Standard Time")

        seen = {
            (since, until): [span(event) for event in alice.view(since, until)]
            for since, until in (
                ("2026-04-10T00:00:00Z", "2026-04-11T00:00:00Z"),
                ("2026-04-11T00:00:00Z", "2026-04-11T00:00:01Z"),
                ("2026-04-11T23:59:59Z", "2026-04-13T00:00:00Z"),
                ("2026-04-12T00:00:00Z", "2026-04-13T00:00:00Z"),
            )
        }

        assert list(seen.values()) == [[], [DAYS], [DAYS], []]
        window = {"calendarId": "Calendar", "startDateTimeOffset": "2026-04-11", "endDateTimeOffset": "2026-04-12"}
        assert [span(event) for event in alice.get("/Events/CalendarView", **window)["Values"]] == [DAYS]

    def test_filters_and_orders_use_the_midnights_that_an_all_day_event_reads(self, alice: Connection) -> None:
        """Inferred from how the back end reads such events: microsoft-graph-docs 1802."""
        holiday(alice, "Tokyo Standard Time")
        alice.meet("Evening before", "2026-04-10T18:00:00Z")
        alice.meet("Morning", "2026-04-11T05:00:00Z")

        def subjects(**query: Any) -> list[str]:
            return [event["Subject"] for event in alice.events(**query)]

        assert subjects(**{"$filter": f"Start eq '{DAYS[0]}'"}) == ["Holiday"]
        assert subjects(**{"$filter": "Start/DateTime ge '2026-04-11' and End/DateTime le '2026-04-12'"}) == [
            "Morning",
            "Holiday",
        ]
        assert subjects(**{"$orderby": "Start"}) == ["Evening before", "Holiday", "Morning"]

    @pytest.mark.parametrize("zone", [BERLIN, "Pacific Standard Time"])
    def test_triggers_show_the_midnights_of_an_all_day_event(
        self, sandbox: Sandbox, alice: Connection, zone: str
    ) -> None:
        """By design of the back end: microsoft-graph-docs 1802. Inferred: an upcoming event starts at midnight UTC."""
        sandbox.clock.freeze("2026-04-10T12:00:00Z")
        queries: dict[str, dict[str, str]] = {
            **{f"{TABLE}/{name}": {} for name in ("onnewitems", "onupdateditems", "onchangeditems")},
            UPCOMING: {"table": "Calendar", "lookAheadTimeInMinutes": "60"},
        }
        first = "/datasets/calendars/tables/Calendar/onnewitems"
        pollers = {
            path: alice.http.get(path, params=query).headers["location"]
            for path, query in {**queries, first: {}}.items()
        }
        event = holiday(alice, zone)
        alice.change(event["Id"], **{**body_in(V3, zone), "Subject": "Changed"})

        upcoming = pollers.pop(UPCOMING)
        (backend,) = poll(alice, pollers.pop(first))
        assert span(backend) == ("2026-04-11T00:00:00+00:00", "2026-04-12T00:00:00+00:00")
        for path, location in pollers.items():
            assert [(path, span(item)) for item in poll(alice, location)] == [(path, DAYS)]
        assert poll(alice, upcoming) == []
        sandbox.clock.set("2026-04-10T22:59:59Z")
        assert poll(alice, upcoming) == []
        sandbox.clock.set("2026-04-10T23:00:00Z")
        assert [span(item) for item in poll(alice, upcoming)] == [DAYS]

    def test_the_admin_api_shows_the_midnights_of_an_all_day_event(self, alice: Connection) -> None:
        """The admin API agrees with the connector."""
        holiday(alice, "Tokyo Standard Time")

        (event,) = alice.sandbox.wait(kind="event", subject="Holiday")
        assert event["start"] == DAYS[0]


class TestSeries:
    @pytest.mark.parametrize("zone", ["Pacific Standard Time", BERLIN, "Tokyo Standard Time"])
    def test_a_series_of_all_day_events_keeps_its_dates(self, alice: Connection, zone: str) -> None:
        """Inferred from single events: the dates of a series are those that its zone shows, and no clock moves them.

        The clocks of Berlin go forward on 29 March 2026, those of Los Angeles on 8 March.
        """
        holiday(
            alice, zone, Start="2026-03-06", End="2026-03-07", Recurrence="Weekly", RecurrenceEnd="2026-03-31T00:00:00"
        )

        days = [day[:13] for event in alice.view("2026-03-01", "2026-04-30") for day in span(event)]
        assert days == [f"2026-03-{day}T00" for day in ("06", "07", "13", "14", "20", "21", "27", "28")]

    def test_an_exception_of_an_all_day_series_moves_by_dates(self, alice: Connection) -> None:
        """Inferred from single events."""
        series = holiday(alice, Recurrence="Weekly", NumberOfOccurrences=3)
        second = alice.view("2026-04-18", "2026-04-19")[0]

        moved = alice.change(
            second["Id"], **body_in(V3, BERLIN, Start="2026-04-20T00:00:00", End="2026-04-21T00:00:00")
        )

        assert (moved["Id"], [day[:13] for day in span(moved)]) == (second["Id"], ["2026-04-20T00", "2026-04-21T00"])
        assert [event["Start"][:10] for event in alice.view("2026-04-01", "2026-05-30")] == [
            "2026-04-11",
            "2026-04-20",
            "2026-04-25",
        ]
        assert alice.event(second["Id"])["SeriesMasterId"] == series["Id"]
        refused = alice.http.patch(f"{V3}/{second['Id']}", json=body_in(V3, BERLIN, End="2026-04-11T10:00:00"))
        assert (refused.status_code, refused.json()["error"]["message"]) == (400, OFF_MIDNIGHT.format("End"))

    def test_an_occurrence_of_an_all_day_series_becomes_a_timed_event(self, alice: Connection) -> None:
        """Inferred: an exception has times of its own, in its own zone."""
        holiday(alice, Recurrence="Daily", NumberOfOccurrences=2)
        second = alice.view("2026-04-12", "2026-04-13")[0]

        alice.change(
            second["Id"], IsAllDay=False, Start="2026-04-12T09:00:00", End="2026-04-12T10:00:00", TimeZone=BERLIN
        )

        assert [(event["IsAllDay"], event["Start"][:16]) for event in alice.view("2026-04-11", "2026-04-14")] == [
            (True, "2026-04-11T00:00"),
            (False, "2026-04-12T07:00"),
        ]
        load_again = saved(alice)
        assert "RECURRENCE-ID;VALUE=DATE" in load_again.replace(f";X-OUTLOOK-ZONE={BERLIN}", "").replace(
            f';X-OUTLOOK-ZONE="{BERLIN}"', ""
        )


class TestPeople:
    def test_attendees_see_an_all_day_event_on_the_same_day(self, alice: Connection, bob: Connection) -> None:
        """By design of the back end: microsoft-graph-docs 1802."""
        event = holiday(alice, "Tokyo Standard Time", RequiredAttendees=bob.address)

        (copy,) = bob.events()
        assert (span(copy), copy["IsAllDay"], copy["TimeZone"]) == (DAYS, True, "Tokyo Standard Time")
        moved = body_in(V3, BERLIN, Start="2026-04-18", End="2026-04-19", RequiredAttendees=bob.address)
        alice.change(event["Id"], **moved)
        (copy,) = bob.events()
        assert [day[:13] for day in span(copy)] == ["2026-04-18T00", "2026-04-19T00"]

    def test_invitations_hold_the_dates_of_an_all_day_event(self, sandbox: Sandbox, alice: Connection) -> None:
        """An iCalendar message states dates (RFC 5545), whatever the zone."""
        holiday(alice, "Tokyo Standard Time", RequiredAttendees="ann@elsewhere.example")

        mail = sandbox.admin.request("GET", "/outbox")["value"][-1]
        raw = sandbox.api.get(f"/outbox/{mail['id']}/mime").text
        assert "20260411" in raw.replace("=\r\n", "")
        assert "20260410" not in raw.replace("=\r\n", "")


class TestFiles:
    @pytest.mark.parametrize(
        ("lines", "head"),
        [
            (("DTSTART;VALUE=DATE:20260411", "DTEND;VALUE=DATE:20260412"), ()),
            (("DTSTART;VALUE=DATE:20260411",), ("X-WR-TIMEZONE:Europe/Berlin",)),
            (("DTSTART;VALUE=DATE;TZID=America/New_York:20260411", "DURATION:P1D"), ()),
            (("DTSTART;VALUE=DATE:20260411", "DTEND;VALUE=DATE:20260411"), ("X-WR-TIMEZONE:Asia/Tokyo",)),
        ],
    )
    def test_all_day_events_from_a_file_are_midnight_to_midnight(
        self, alice: Connection, lines: tuple[str, ...], head: tuple[str, ...]
    ) -> None:
        """Seen live by a calendar synchronizer: MShekow/outlook-calendar-sync 2. RFC 5545 gives dates no zone."""
        load(alice, *lines, head=head)

        (event,) = alice.events()
        assert (span(event), event["IsAllDay"]) == (DAYS, True)
        assert [span(event) for event in alice.view("2026-04-01", "2026-04-30")] == [DAYS]

    @pytest.mark.parametrize("zone", [BERLIN, "Pacific Standard Time", "UTC"])
    def test_a_file_holds_the_dates_of_an_all_day_event(self, alice: Connection, bob: Connection, zone: str) -> None:
        """RFC 5545: an all-day event is written with VALUE=DATE. Reading the file again gives the same events."""
        holiday(alice, zone, Recurrence="Weekly", NumberOfOccurrences=3)
        second = alice.view("2026-04-18", "2026-04-19")[0]
        alice.change(second["Id"], **body_in(V3, zone, Start="2026-04-20", End="2026-04-22", Subject="Moved"))
        alice.http.delete(f"{V1}/{alice.view('2026-04-25', '2026-04-26')[0]['Id']}").raise_for_status()

        text = saved(alice)
        unfolded = [line for line in text.replace("\r\n ", "").split("\r\n") if "VALUE=DATE" in line]
        assert sorted((line.partition(";")[0], line.rpartition(":")[2]) for line in unfolded) == [
            ("DTEND", "20260412"),
            ("DTEND", "20260422"),
            ("DTSTART", "20260411"),
            ("DTSTART", "20260420"),
            ("EXDATE", "20260425"),
            ("RECURRENCE-ID", "20260418"),
        ]
        bob.api.post(f"/connections/{bob.id}/calendars/Calendar/import", content=text).raise_for_status()
        expected = [("Holiday", "2026-04-11T00"), ("Moved", "2026-04-20T00")]
        for connection in (alice, bob):
            view = connection.view("2026-04-01", "2026-04-30")
            assert [(event["Subject"], event["Start"][:13]) for event in view] == expected

    def test_a_reminder_of_an_all_day_event_survives_a_file(self, alice: Connection, bob: Connection) -> None:
        """Reminders count minutes before the start; the file holds the same minutes."""
        holiday(alice, "Tokyo Standard Time", Reminder=900)

        bob.api.post(f"/connections/{bob.id}/calendars/Calendar/import", content=saved(alice)).raise_for_status()

        assert [event["Reminder"] for event in bob.events()] == [900]
