"""Times and zones that the mail service refuses, through HTTP: in every version, on create and on update."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Connection

V1 = "/datasets/calendars/tables/Calendar/items"
V2 = "/datasets/calendars/v2/tables/Calendar/items"
V3 = "/datasets/calendars/v3/tables/Calendar/items"
VERSIONS = [V1, V2, V3]
BODY = {"Subject": "Review", "Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
VALIDATION = ("ErrorPropertyValidationFailure", "At least one property failed validation.")
CROSSING = ("ErrorOccurrenceCrossingBoundary", "Modified occurrence is crossing or overlapping adjacent occurrence.")


def refused(connection: Connection, method: str, path: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return code and text of an error of the mail service."""
    answer = connection.http.request(method, path, json=body)
    assert answer.status_code == 400, answer.text
    shown = answer.json()
    assert shown["message"].startswith(f"{shown['error']['message']}\r\nclientRequestId: ")
    return shown["error"]["code"], shown["error"]["message"]


def moved(day: int, hour: float = 10, minutes: int = 30) -> dict[str, Any]:
    """Return a body that moves an occurrence to a day and hour of March 2026."""
    start, end = int(hour * 60), int(hour * 60) + minutes
    times = [f"2026-03-{day + total // 1440:02}T{total % 1440 // 60:02}:{total % 60:02}:00Z" for total in (start, end)]
    return {"Subject": "Moved", "Start": times[0], "End": times[1]}


class TestValidation:
    """End before Start, unknown zone: 400 ErrorPropertyValidationFailure.

    Recorded from the mail service, and seen through a workflow's connector, in public files.
    """

    @pytest.mark.parametrize("path", VERSIONS)
    @pytest.mark.parametrize("series", [False, True])
    def test_an_end_before_the_start_fails_validation(self, alice: Connection, path: str, series: bool) -> None:
        """Recorded from the mail service, in a public file; seen through a workflow's connector as well."""
        repeated = {"Pattern": {"Type": "Daily"}} if path == V1 else "Daily"
        body = BODY | {"End": "2026-03-04T09:59:59Z"} | ({"Recurrence": repeated} if series else {})

        assert refused(alice, "POST", path, body) == VALIDATION
        assert alice.events() == []

        event = alice.meet(Recurrence="Daily" if series else "None")
        assert refused(alice, "PATCH", f"{path}/{event['Id']}", body) == VALIDATION
        assert alice.event(event["Id"]) == event

    def test_an_end_before_the_start_fails_validation_with_a_lost_plus(self, alice: Connection) -> None:
        """A plus that was not escaped arrives as a blank."""
        body = BODY | {"Start": "2026-03-04T10:00:00 01:00", "End": "2026-03-04T09:00:00 01:00"}

        assert refused(alice, "POST", V3, body) == VALIDATION

    def test_an_occurrence_with_its_end_before_its_start_fails_validation(self, alice: Connection) -> None:
        alice.meet(Recurrence="Daily", NumberOfOccurrences=2)
        first = alice.view()[0]

        body = BODY | {"End": "2026-03-04T09:00:00Z"}
        assert refused(alice, "PATCH", f"{V3}/{first['Id']}", body) == VALIDATION

    @pytest.mark.parametrize(
        ("path", "member"), [(V1, "StartTimeZone"), (V1, "EndTimeZone"), (V2, "TimeZone"), (V3, "TimeZone")]
    )
    def test_an_unknown_zone_fails_validation(self, alice: Connection, path: str, member: str) -> None:
        """Recorded from the mail service, in a public file; seen through a workflow's connector as well."""
        body = BODY | {member: "Middle Earth Standard Time"}

        assert refused(alice, "POST", path, body) == VALIDATION
        assert alice.events() == []

        event = alice.meet()
        assert refused(alice, "PATCH", f"{path}/{event['Id']}", body) == VALIDATION
        assert alice.event(event["Id"]) == event

    def test_the_original_message_names_the_member(self, alice: Connection) -> None:
        """An addition of ours."""
        answer = alice.http.post(V1, json=BODY | {"StartTimeZone": "Nowhere"})

        assert "'StartTimeZone' must be a known time zone" in answer.json()["error"]["originalMessage"]


class TestCrossing:
    """An occurrence moved onto or over its neighbour: 400 ErrorOccurrenceCrossingBoundary.

    Code and text from the vendor's documentation of the mail service.
    """

    @pytest.fixture
    def days(self, alice: Connection) -> list[dict[str, Any]]:
        """Return four occurrences of half an hour, from ten o'clock, on 2, 4, 6 and 8 March."""
        pattern = {"Type": "Daily", "Interval": 2}
        span = {"Start": "2026-03-02T10:00:00Z", "End": "2026-03-02T10:30:00Z"}
        whole = {"Pattern": pattern, "Range": {"Type": "Numbered", "NumberOfOccurrences": 4}}
        alice.post(V1, {"Subject": "Daily", **span, "Recurrence": whole})
        return alice.view()

    @pytest.mark.parametrize("path", VERSIONS)
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(moved(6), id="onto the next"),
            pytest.param(moved(2), id="onto the one before"),
            pytest.param(moved(6, 9.75), id="into the next"),
            pytest.param(moved(2, 10.25), id="into the one before"),
            pytest.param(moved(7), id="over the next"),
            pytest.param(moved(12), id="over all"),
            pytest.param(moved(1), id="over the one before"),
            pytest.param(moved(6, minutes=0), id="onto the next, without a duration"),
            pytest.param(moved(4, minutes=3 * 1440), id="around the next"),
        ],
    )
    def test_an_occurrence_moved_onto_or_over_its_neighbour_is_refused(
        self, alice: Connection, days: list[dict[str, Any]], path: str, body: dict[str, Any]
    ) -> None:
        """Code and text from the vendor's documentation of the mail service."""
        assert refused(alice, "PATCH", f"{path}/{days[1]['Id']}", body) == CROSSING
        assert alice.view() == days

    @pytest.mark.parametrize("body", [moved(2, 10.5), moved(6, 9.5), moved(3), moved(5, 23), moved(4, 0, 1440)])
    def test_an_occurrence_between_its_neighbours_is_moved(
        self, alice: Connection, days: list[dict[str, Any]], body: dict[str, Any]
    ) -> None:
        changed = alice.patch(days[1]["Id"], body)

        assert changed["Start"][:16] == body["Start"][:16]
        assert [event["Subject"] for event in alice.view()] == ["Daily", "Moved", "Daily", "Daily"]

    def test_the_first_and_the_last_have_one_neighbour(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.patch(days[0]["Id"], moved(1))
        alice.patch(days[3]["Id"], moved(30))

        assert [event["Start"][8:10] for event in alice.view()] == ["01", "04", "06", "30"]

    def test_a_moved_neighbour_counts_where_it_is(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.patch(days[2]["Id"], moved(7))
        alice.patch(days[1]["Id"], moved(6))

        assert refused(alice, "PATCH", f"{V3}/{days[1]['Id']}", moved(7)) == CROSSING
        assert refused(alice, "PATCH", f"{V3}/{days[3]['Id']}", moved(6, 12)) == CROSSING

    def test_a_deleted_neighbour_does_not_count(self, alice: Connection, days: list[dict[str, Any]]) -> None:
        alice.http.delete(f"{V1}/{days[2]['Id']}")

        alice.patch(days[1]["Id"], moved(6))

        assert refused(alice, "PATCH", f"{V3}/{days[1]['Id']}", moved(8)) == CROSSING

    def test_an_attendees_copy_has_the_same_limits(self, alice: Connection, bob: Connection) -> None:
        alice.meet(RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=3)

        assert refused(bob, "PATCH", f"{V3}/{bob.view()[1]['Id']}", moved(6)) == CROSSING

    def test_other_changes_of_an_occurrence_are_not_checked(self, alice: Connection) -> None:
        """A calendar file may hold occurrences that cross; their texts can be changed all the same."""
        ics = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:c\r\nSUMMARY:Daily\r\n"
            "DTSTAMP:20260101T000000Z\r\nDTSTART:20260302T100000Z\r\nDTEND:20260302T103000Z\r\n"
            "RRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:c\r\nSUMMARY:Crossing\r\n"
            "DTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260302T100000Z\r\nDTSTART:20260310T100000Z\r\n"
            "DTEND:20260310T103000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        path = f"/connections/{alice.id}/calendars/Calendar/import"
        assert alice.api.post(path, content=ics, headers={"Content-Type": "text/calendar"}).status_code == 201
        crossing = alice.view()[2]

        assert alice.change(crossing["Id"], Subject="Renamed")["Subject"] == "Renamed"
