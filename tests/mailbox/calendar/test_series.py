"""Series through HTTP: wall-clock times across daylight saving changes, stable ids and changed occurrences."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection

V1 = "/datasets/calendars/tables/Calendar/items"
LONDON = {"TimeZone": "Europe/London"}


def starts(events: list[dict[str, Any]]) -> list[str]:
    """Return the start of each event, to the minute."""
    return [event["Start"][:16] for event in events]


def delete(alice: Connection, event_id: str) -> None:
    answer = alice.http.delete(f"{V1}/{event_id}")
    assert answer.status_code == 200, answer.text


def status_of(alice: Connection, event_id: str) -> int:
    return alice.http.get(f"/datasets/calendars/v2/tables/Calendar/items/{event_id}").status_code


class TestExpansion:
    def test_wall_clock_time_stays_across_daylight_saving_changes(self, alice: Connection) -> None:
        alice.meet("Stand-up", "2026-03-27T09:00:00", **LONDON, Recurrence="Daily", NumberOfOccurrences=4)

        assert starts(alice.view()) == [
            "2026-03-27T09:00",
            "2026-03-28T09:00",
            "2026-03-29T08:00",
            "2026-03-30T08:00",
        ]

    def test_lists_show_the_series_and_views_its_occurrences(self, alice: Connection) -> None:
        series = alice.meet(Recurrence="Weekly", RecurrenceEnd="2026-03-25T00:00:00Z")

        (listed,) = alice.events()
        seen = alice.view()

        assert (listed["Id"], listed["Recurrence"], listed["SeriesMasterId"]) == (series["Id"], 2, None)
        assert listed["RecurrenceEnd"] == "2026-03-25T00:00:00.0000000+00:00"
        assert starts(seen) == ["2026-03-04T10:00", "2026-03-11T10:00", "2026-03-18T10:00", "2026-03-25T10:00"]
        assert {event["SeriesMasterId"] for event in seen} == {series["Id"]}
        assert {event["Recurrence"] for event in seen} == {"None"}
        assert len({event["Id"] for event in seen} | {series["Id"]}) == 5

    def test_ids_of_occurrences_are_stable_and_can_be_read(self, alice: Connection) -> None:
        alice.meet(Recurrence="Daily")

        first = {event["Start"]: event["Id"] for event in alice.view("2026-03-10", "2026-03-13")}
        second = {event["Start"]: event["Id"] for event in alice.view("2026-03-09", "2026-03-20")}

        assert first.items() <= second.items()
        for start, id in first.items():
            assert alice.event(id)["Start"] == start
        backend = alice.get(f"{V1}/{next(iter(first.values()))}")
        assert (backend["Type"], backend["Recurrence"]) == ("Occurrence", None)

    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("Daily", ["2026-01-31", "2026-02-01", "2026-02-02"]),
            ("Weekly", ["2026-01-31", "2026-02-07", "2026-02-14"]),
            ("Monthly", ["2026-01-31", "2026-02-28", "2026-03-31"]),
            ("Yearly", ["2026-01-31", "2027-01-31", "2028-01-31"]),
        ],
    )
    def test_flat_recurrence_values(self, alice: Connection, word: str, expected: list[str]) -> None:
        alice.meet(start="2026-01-31T10:00:00Z", Recurrence=word, NumberOfOccurrences=3)

        assert [start[:10] for start in starts(alice.view("2026-01-01", "2029-01-01"))] == expected

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ({"Type": "Daily", "Interval": 10}, ["03-02", "03-12", "03-22"]),
            (
                {"Type": "Weekly", "DaysOfWeek": ["Tuesday", "Thursday"], "Interval": 2},
                ["03-03", "03-05", "03-17", "03-19", "03-31"],
            ),
            ({"Type": "AbsoluteMonthly", "DayOfMonth": 15}, ["03-15"]),
            ({"Type": "RelativeMonthly", "DaysOfWeek": ["Friday"], "Index": "Last"}, ["03-27"]),
            (
                {
                    "Type": "RelativeMonthly",
                    "DaysOfWeek": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
                    "Index": "First",
                },
                ["03-02"],
            ),
            ({"Type": "AbsoluteYearly", "Month": 3, "DayOfMonth": 31}, ["03-31"]),
            ({"Type": "RelativeYearly", "Month": 3, "DaysOfWeek": ["Sunday"], "Index": "Second"}, ["03-08"]),
        ],
    )
    def test_first_version_patterns(self, alice: Connection, pattern: dict[str, Any], expected: list[str]) -> None:
        body = {
            "Subject": "Pattern",
            "Start": "2026-03-02T10:00:00Z",
            "End": "2026-03-02T10:30:00Z",
            "Recurrence": {"Pattern": pattern, "Range": {"Type": "NoEnd"}},
        }
        event = alice.post(V1, body).json()

        assert [start[5:10] for start in starts(alice.view())] == expected
        # A series starts on the first date that matches its pattern.
        assert event["Start"][:10] == f"2026-{expected[0]}"

    def test_an_endless_series_has_occurrences_far_ahead(self, alice: Connection) -> None:
        alice.meet(start="1999-01-04T08:00:00", **LONDON, Recurrence="Weekly")

        assert starts(alice.view("2049-07-01", "2049-07-13")) == ["2049-07-05T07:00", "2049-07-12T07:00"]

    def test_all_day_series_keep_their_days(self, alice: Connection) -> None:
        alice.meet(
            start="2026-03-28",
            End="2026-03-29",
            IsAllDay=True,
            TimeZone="Europe/Oslo",
            Recurrence="Daily",
            NumberOfOccurrences=3,
        )

        spans = [(event["Start"][5:16], event["End"][5:16]) for event in alice.view()]
        assert spans == [
            ("03-28T00:00", "03-29T00:00"),
            ("03-29T00:00", "03-30T00:00"),
            ("03-30T00:00", "03-31T00:00"),
        ]

    def test_long_occurrences_overlap_a_window(self, alice: Connection) -> None:
        alice.meet(start="2026-03-02T10:00:00Z", End="2026-03-06T10:00:00Z", Recurrence="Weekly")

        assert starts(alice.view("2026-03-13T00:00:00Z", "2026-03-13T01:00:00Z")) == ["2026-03-09T10:00"]


class TestOccurrences:
    @pytest.fixture
    def days(self, alice: Connection) -> list[dict[str, Any]]:
        """Return five occurrences on consecutive days from 2 March."""
        alice.meet("Daily", "2026-03-02T10:00:00Z", Recurrence="Daily", NumberOfOccurrences=5)
        return alice.view()

    def test_a_filter_finds_an_occurrence_by_id(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.change(days[1]["Id"], Subject="Changed")
        (master,) = alice.events()

        for occurrence in days:
            assert [seen["Id"] for seen in alice.view(**{"$filter": f"Id eq '{occurrence['Id']}'"})] == [
                occurrence["Id"]
            ]
            assert alice.events(**{"$filter": f"Id eq '{occurrence['Id']}'"}) == []
        assert alice.view(**{"$filter": f"Id eq '{master['Id']}'"}) == []
        assert len(alice.view(**{"$filter": f"SeriesMasterId eq '{master['Id']}'"})) == 5

    def test_a_changed_occurrence_keeps_its_id(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        (master,) = alice.events()
        third = days[2]

        changed = alice.change(third["Id"], Subject="Moved", Start="2026-03-04T15:00:00Z", End="2026-03-04T16:00:00Z")

        assert (changed["Id"], changed["SeriesMasterId"]) == (third["Id"], master["Id"])
        assert alice.event(third["Id"]) == changed
        assert alice.get(f"{V1}/{third['Id']}")["Type"] == "Exception"
        seen = alice.view()
        assert [event["Subject"] for event in seen] == ["Daily", "Daily", "Moved", "Daily", "Daily"]
        assert [event["Id"] for event in seen] == [event["Id"] for event in days]
        (after,) = alice.events()
        assert (after["Subject"], after["NumberOfOccurrences"]) == ("Daily", 5)

    def test_an_occurrence_moved_out_of_a_window_leaves_it(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.change(days[4]["Id"], Start="2026-05-01T10:00:00Z", End="2026-05-01T11:00:00Z")

        assert len(alice.view()) == 4
        assert starts(alice.view("2026-05-01", "2026-05-02")) == ["2026-05-01T10:00"]

    def test_a_deleted_occurrence_stays_deleted(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        delete(alice, days[0]["Id"])
        alice.change(days[3]["Id"], Subject="Changed")
        delete(alice, days[3]["Id"])

        assert starts(alice.view()) == ["2026-03-03T10:00", "2026-03-04T10:00", "2026-03-06T10:00"]
        for gone in (days[0], days[3]):
            assert status_of(alice, gone["Id"]) == 404

    def test_sending_back_an_occurrence_does_not_make_it_a_series(
        self, alice: Connection, days: list[dict[str, Any]]
    ) -> None:
        changed = alice.change(days[2]["Id"], **days[2] | {"Recurrence": "Weekly", "Subject": "x"})

        assert changed["Recurrence"] == "None"
        assert len(alice.view()) == 5

    def test_deleting_a_series_deletes_its_occurrences(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.change(days[2]["Id"], Subject="Changed")
        (master,) = alice.events()

        delete(alice, master["Id"])

        assert alice.view() == alice.events() == []
        assert status_of(alice, days[2]["Id"]) == status_of(alice, days[0]["Id"]) == 404

    def test_an_id_of_a_date_without_an_occurrence(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        (master,) = alice.events()
        alice.change(master["Id"], NumberOfOccurrences=2)

        assert len(alice.view()) == 2
        assert status_of(alice, days[4]["Id"]) == 404


class TestLimits:
    def test_an_occurrence_cannot_overlap_the_next(self, alice: Connection) -> None:
        body = {
            "Subject": "Long",
            "Start": "2026-03-02T10:00:00Z",
            "End": "2026-03-03T10:00:01Z",
            "Recurrence": "Daily",
        }
        answer = alice.http.post("/datasets/calendars/v3/tables/Calendar/items", json=body)

        assert answer.status_code == 400
        assert "End" in answer.json()["message"]
        assert alice.events() == []

    def test_a_day_of_25_hours_is_one_all_day_occurrence(self, alice: Connection) -> None:
        alice.meet(start="2026-10-25", End="2026-10-26", IsAllDay=True, TimeZone="Europe/London", Recurrence="Daily")

        spans = [
            (event["Start"][5:16], event["End"][5:16])
            for event in alice.view("2026-10-25T12:00:00Z", "2026-10-26T12:00:00Z")
        ]
        assert spans == [("10-25T00:00", "10-26T00:00"), ("10-26T00:00", "10-27T00:00")]

    def test_a_skipped_midnight(self, alice: Connection) -> None:
        """Havana's clocks skip from midnight to one; an all-day series keeps that day, as it is in no zone."""
        alice.meet(
            start="2026-03-08",
            End="2026-03-09",
            IsAllDay=True,
            TimeZone="America/Havana",
            Recurrence="Daily",
            NumberOfOccurrences=3,
        )

        assert [event["Start"][5:16] for event in alice.view()] == ["03-08T00:00", "03-09T00:00", "03-10T00:00"]
        assert [event["End"][5:16] for event in alice.view()] == ["03-09T00:00", "03-10T00:00", "03-11T00:00"]

    def test_a_skipped_start(self, alice: Connection) -> None:
        event = alice.meet(start="2026-03-08T02:30:00", End="2026-03-08T03:00:00", TimeZone="Pacific Standard Time")

        assert (event["Start"][11:16], event["End"][11:16]) == ("10:30", "11:00")


class TestChangingASeries:
    def test_shortening_a_series_drops_exceptions_after_its_end(self, alice: Connection) -> None:
        series = alice.meet(Recurrence="Weekly", NumberOfOccurrences=4)
        last = alice.view()[3]
        alice.change(last["Id"], Subject="Special")

        alice.change(series["Id"], NumberOfOccurrences=2)

        assert len(alice.view()) == 2
        assert status_of(alice, last["Id"]) == 404
        alice.change(series["Id"], NumberOfOccurrences=4)
        assert [event["Subject"] for event in alice.view()] == ["Review"] * 4

    def test_unchanged_fields_of_an_occurrence_follow_its_series(self, alice: Connection) -> None:
        series = alice.meet("Daily", Recurrence="Daily", NumberOfOccurrences=2)
        alice.change(alice.view()[1]["Id"], Subject="Special")

        alice.change(series["Id"], Location="Hall", Subject="Renamed", End="2026-03-04T12:00:00Z")

        seen = [(event["Subject"], event["Location"], event["End"][11:16]) for event in alice.view()]
        assert seen == [("Renamed", "Hall", "12:00"), ("Special", "Hall", "12:00")]

    def test_the_first_version_ends_a_series_with_null(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Daily")

        answer = alice.http.patch(f"{V1}/{event['Id']}", json={"Recurrence": None, "Subject": None})

        assert (answer.json()["Type"], answer.json()["Subject"]) == ("SingleInstance", "Review")

    def test_a_series_keeps_exceptions_when_its_times_stay(self, alice: Connection) -> None:
        series = alice.meet("Daily", Recurrence="Daily", NumberOfOccurrences=3)
        second = alice.view()[1]
        alice.change(second["Id"], Subject="Special")

        alice.change(series["Id"], Subject="Renamed", Location="Hall")

        assert [event["Subject"] for event in alice.view()] == ["Renamed", "Special", "Renamed"]

    def test_a_new_time_of_day_drops_exceptions(self, alice: Connection) -> None:
        series = alice.meet("Daily", Recurrence="Daily", NumberOfOccurrences=3)
        _, second, third = alice.view()
        alice.change(second["Id"], Subject="Special")
        delete(alice, third["Id"])

        alice.change(series["Id"], Start="2026-03-04T12:00:00Z", End="2026-03-04T13:00:00Z")

        seen = alice.view()
        assert [event["Subject"] for event in seen] == ["Daily"] * 3
        assert starts(seen) == ["2026-03-04T12:00", "2026-03-05T12:00", "2026-03-06T12:00"]

    def test_a_new_day_moves_a_simple_rule(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Weekly", NumberOfOccurrences=2)

        alice.change(event["Id"], Start="2026-03-06T10:00:00Z", End="2026-03-06T11:00:00Z")

        assert starts(alice.view()) == ["2026-03-06T10:00", "2026-03-13T10:00"]

    def test_a_single_event_becomes_a_series_and_back(self, alice: Connection) -> None:
        meeting = alice.meet()

        alice.change(meeting["Id"], Recurrence="Weekly", RecurrenceEnd="2026-03-20T00:00:00Z")
        assert len(alice.view()) == 3
        assert alice.get(f"{V1}/{meeting['Id']}")["Type"] == "SeriesMaster"

        alice.change(meeting["Id"], Recurrence="None")
        assert [event["Id"] for event in alice.view()] == [meeting["Id"]]
        assert alice.get(f"{V1}/{meeting['Id']}")["Type"] == "SingleInstance"
