"""Events through HTTP: the three versions of each operation, and Microsoft's own client."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from azure.connectors.outlook import CalendarEventHtmlClient

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from tests.bodies import from_fragment, from_text
from tests.conftest import Connection

V1 = "/datasets/calendars/tables/Calendar/items"
V2 = "/datasets/calendars/v2/tables/Calendar/items"
V3 = "/datasets/calendars/v3/tables/Calendar/items"
SPAN = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}


def ask(alice: Connection, method: str, path: str, **more: Any) -> tuple[int, str]:
    """Return the status and the error code of an error response."""
    answer = alice.http.request(method, path, **more)
    body = answer.json()
    return answer.status_code, body["error"]["code"]


class TestCreating:
    @pytest.mark.parametrize("member", ["ResourceAttendees", "RequiredAttendees"])
    def test_too_many_attendees_are_refused(self, alice: Connection, member: str) -> None:
        """An event has at most as many attendees as a mail has recipients, rooms included."""
        event = {"Subject": "All", **SPAN, member: "".join(f"a{number}@b.c;" for number in range(5001))}

        assert ask(alice, "POST", V3, json=event) == (413, "ContentTooLarge")
        assert [] == alice.get(V3)["value"]

    def test_a_minimal_event_has_the_recorded_defaults(self, alice: Connection) -> None:
        event = alice.post(
            V3, {"Subject": "Review", "Start": "2026-03-04T13:30:00.250Z", "End": "2026-03-04T14:00:00Z"}
        ).json()

        assert list(event) == [
            *("Subject", "Start", "End", "ShowAs", "Recurrence", "ResponseType", "ResponseTime", "ICalUId"),
            *("Importance", "Id", "DateTimeCreated", "DateTimeLastModified", "Organizer", "TimeZone"),
            *("SeriesMasterId", "Categories", "WebLink", "RequiredAttendees", "OptionalAttendees"),
            *("ResourceAttendees", "Body", "IsHtml", "Location", "IsAllDay", "RecurrenceEnd", "NumberOfOccurrences"),
            *("Reminder", "ResponseRequested"),
        ]
        unpredictable = {name: event.pop(name) for name in ("Id", "DateTimeCreated", "DateTimeLastModified")}
        assert event == {
            "Subject": "Review",
            "Start": "2026-03-04T13:30:00.2500000+00:00",
            "End": "2026-03-04T14:00:00.0000000+00:00",
            "ShowAs": "Free",
            "Recurrence": "None",
            "ResponseType": "Organizer",
            "ResponseTime": "0001-01-01T00:00:00+00:00",
            "ICalUId": None,
            "Importance": "Low",
            "Organizer": "alice@example.com",
            "TimeZone": "UTC",
            "SeriesMasterId": None,
            "Categories": [],
            "WebLink": None,
            "RequiredAttendees": "",
            "OptionalAttendees": "",
            "ResourceAttendees": "",
            "Body": "",
            "IsHtml": True,
            "Location": "",
            "IsAllDay": False,
            "RecurrenceEnd": None,
            "NumberOfOccurrences": None,
            "Reminder": 15,
            "ResponseRequested": True,
        }
        assert unpredictable["Id"].startswith("AQMkADAw")

    @pytest.mark.parametrize("path", [V1, V2, V3])
    def test_every_version_answers_201_as_recorded(self, alice: Connection, path: str) -> None:
        assert alice.post(path, {"Subject": "Review", **SPAN}).status_code == 201

    def test_the_second_version_stores_plain_text_unless_is_html_is_set(self, alice: Connection) -> None:
        plain = alice.post(V2, {"Subject": "A", **SPAN, "Body": "1 < 2"}).json()
        html = alice.post(V2, {"Subject": "B", **SPAN, "Body": "<b>x</b>", "IsHtml": "true"}).json()
        third = alice.post(V3, {"Subject": "C", **SPAN, "Body": "<b>x</b>"}).json()

        assert (plain["IsHtml"], plain["Body"]) == (True, from_text("1 &lt; 2"))
        assert (html["IsHtml"], third["IsHtml"]) == (True, True)

    def test_every_field_of_the_flat_versions_round_trips(self, alice: Connection) -> None:
        said = {
            "Subject": "Offsite",
            "TimeZone": "(UTC+09:30) Darwin",
            "RequiredAttendees": "bob@example.org; carol@example.org",
            "OptionalAttendees": "dan@example.org;",
            "ResourceAttendees": "Room 5;beamer@example.org",
            "Location": "Boathouse",
            "Importance": "High",
            "Recurrence": "Weekly",
            "NumberOfOccurrences": 4,
            "Reminder": 30,
            "ShowAs": "Oof",
            "ResponseRequested": False,
            "Body": "<p>Bring boots</p>",
        }
        event = alice.post(V3, {**said, "Start": "2026-03-04T09:00:00", "End": "2026-03-04T17:00:00"}).json()

        again = alice.event(event["Id"])
        assert again == event
        expected = said | {
            "Body": from_fragment("<p>Bring boots</p>"),
            "TimeZone": "AUS Central Standard Time",
            "RequiredAttendees": "bob@example.org;carol@example.org;",
            "OptionalAttendees": "dan@example.org;",
            "ResourceAttendees": "Room 5;beamer@example.org;",
            "Start": "2026-03-03T23:30:00.0000000+00:00",
            "End": "2026-03-04T07:30:00.0000000+00:00",
        }
        assert {name: again[name] for name in expected} == expected

    def test_the_first_version_uses_the_backend_model(self, alice: Connection) -> None:
        said = {
            "Subject": "Planning",
            "Start": "2026-03-09T09:00:00",
            "End": "2026-03-09T10:00:00",
            "StartTimeZone": "Pacific Standard Time",
            "EndTimeZone": "Pacific Standard Time",
            "Body": {"ContentType": "Text", "Content": "Agenda follows"},
            "Categories": ["Blue category"],
            "Importance": "Normal",
            "ShowAs": "Busy",
            "Location": {
                "DisplayName": "Room 1",
                "Address": {"City": "Oslo"},
                "Coordinates": {"Latitude": 59.9, "Longitude": 10.7},
            },
            "Attendees": [{"EmailAddress": {"Name": "Bob", "Address": "bob@example.org"}, "Type": "Optional"}],
            "Recurrence": {
                "Pattern": {"Type": "RelativeMonthly", "Interval": 2, "DaysOfWeek": ["Monday"], "Index": "Second"},
                "Range": {"Type": "EndDate", "StartDate": "2026-03-09", "EndDate": "2026-12-31"},
            },
        }
        event = alice.post(V1, said).json()
        again = alice.get(f"{V1}/{event['Id']}")

        assert again == event
        assert again["Start"] == "2026-03-09T16:00:00+00:00"
        assert again["StartTimeZone"] == again["EndTimeZone"] == "Pacific Standard Time"
        assert again["Body"] == {"ContentType": "HTML", "Content": from_text("Agenda follows")}
        assert again["BodyPreview"] == "Agenda follows"
        assert again["Type"] == "SeriesMaster"
        assert again["IsOrganizer"] is True
        assert again["Organizer"] == {"EmailAddress": {"Name": "Alice", "Address": "alice@example.com"}}
        assert again["Location"]["Address"]["City"] == "Oslo"
        assert again["Location"]["Address"]["Street"] is None
        assert again["Location"]["Coordinates"]["Latitude"] == 59.9
        assert again["Attendees"] == [
            {
                "Status": {"Response": "None", "Time": "0001-01-01T00:00:00+00:00"},
                "Type": "Optional",
                "EmailAddress": {"Name": "Bob", "Address": "bob@example.org"},
            }
        ]
        assert again["Recurrence"]["Range"] == {
            "StartDate": "2026-03-09",
            "EndDate": "2026-11-09",
            "Type": "EndDate",
            "NumberOfOccurrences": 0,
        }
        assert again["Recurrence"]["Pattern"]["Index"] == "Second"
        assert again["ICalUId"]
        assert again["WebLink"].startswith("https://outlook.")

    @pytest.mark.parametrize(
        ("zone", "shown"),
        [
            ("(UTC-08:00) Pacific Time (US & Canada)", "Pacific Standard Time"),
            ("pacific standard time", "Pacific Standard Time"),
            ("America/Los_Angeles", "Pacific Standard Time"),
        ],
    )
    def test_a_start_without_an_offset_is_read_in_its_zone(self, alice: Connection, zone: str, shown: str) -> None:
        event = alice.post(
            V3, {"Subject": "A", "Start": "2026-03-09T09:00:00", "End": "2026-03-09T10:00:00", "TimeZone": zone}
        ).json()

        assert (event["Start"], event["TimeZone"]) == ("2026-03-09T16:00:00.0000000+00:00", shown)

    def test_a_start_with_an_offset_ignores_the_zone(self, alice: Connection) -> None:
        event = alice.post(
            V3,
            {
                "Subject": "A",
                "Start": "2026-03-09T09:00:00+02:00",
                "End": "2026-03-09T09:00:00Z",
                "TimeZone": "Asia/Tokyo",
            },
        ).json()

        assert (event["Start"], event["TimeZone"]) == ("2026-03-09T07:00:00.0000000+00:00", "Tokyo Standard Time")

    def test_common_client_mistakes_are_tolerated(self, alice: Connection) -> None:
        event = alice.post(
            V3,
            {
                "subject": "Trailing\n",
                "start": "2026-03-04T10:00:00.1234567Z",
                "end": "2026-03-04T11:00:00Z",
                "isAllDay": "false",
                "importance": 2,
                "unknown": {"a": 1},
                "requiredAttendees": None,
                "required_attendees": "x@example.org;;",
            },
        ).json()

        assert event["Subject"] == "Trailing"
        assert event["Importance"] == "High"
        assert event["RequiredAttendees"] == "x@example.org;"
        assert event["Start"] == "2026-03-04T10:00:00.1234560+00:00"

    @pytest.mark.parametrize("path", [V2, V3])
    def test_empty_texts_of_expressions_without_a_value_count_as_left_out(self, alice: Connection, path: str) -> None:
        """Workflow engines write them where an expression yields null; a required time cannot be left out."""
        members = ("Importance", "IsAllDay", "Recurrence", "RecurrenceEnd", "NumberOfOccurrences", "Reminder")
        event = {"Subject": "A", **SPAN, **dict.fromkeys((*members, "ShowAs", "ResponseRequested", "TimeZone"), "")}
        plain = alice.post(path, {"Subject": "A", **SPAN}).json()

        created = alice.post(path, event).json()

        assert all(created[name] == plain[name] for name in event)
        assert ask(alice, "POST", path, json={**event, "Start": ""}) == (400, "ErrorInvalidRequest")
        assert ask(alice, "PATCH", f"{path}/{quote(plain['Id'], safe='')}", json={**event, "Start": ""})[0] == 400

    def test_an_empty_end_of_a_series_that_is_counted(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Daily", RecurrenceEnd="", NumberOfOccurrences=2)

        assert (event["Recurrence"], event["NumberOfOccurrences"]) == ("Daily", 2)

    def test_times_may_be_in_lower_case(self, alice: Connection) -> None:
        span = {name: time.lower() for name, time in SPAN.items()}

        event = alice.post(V3, {"Subject": "A", **span, "Recurrence": "Daily", "RecurrenceEnd": "2026-03-06t00:00:00z"})

        assert event.json()["Start"] == "2026-03-04T10:00:00.0000000+00:00"


class TestReading:
    def test_each_version_of_a_list_has_its_own_enum_format(self, alice: Connection) -> None:
        event = alice.meet(ShowAs="Busy", Recurrence="Daily", Importance="Normal")

        (words,) = alice.get(V2)["value"]
        (numbers,) = alice.get(V3)["value"]
        (backend,) = alice.get(V1)["value"]

        assert words == event
        assert [numbers[name] for name in ("ShowAs", "Recurrence", "ResponseType", "Importance")] == [2, 1, 1, 1]
        assert numbers["Id"] == backend["Id"] == event["Id"]

    def test_envelopes_are_as_recorded(self, alice: Connection) -> None:
        links: dict[str, Any] = {"value": [], "@odata.nextLink": None, "@odata.deltaLink": None}
        window = {"calendarId": "Calendar", "startDateTimeOffset": "2026-01-01", "endDateTimeOffset": "2026-02-01"}

        assert alice.get(V1) == links
        assert alice.get(V2) == links
        assert alice.get(V3) == {"value": []}
        assert alice.get("/Events/CalendarView", **window) == {"Values": [], "NextLink": None}
        assert alice.get("/datasets/calendars/v2/tables/items/calendarview", **window) == links

    def test_only_the_view_shows_uid_and_link_of_a_flat_event(self, alice: Connection) -> None:
        event = alice.meet()

        (seen,) = alice.view()

        assert seen.pop("ICalUId") == alice.get(f"{V1}/{event['Id']}")["ICalUId"]
        assert seen.pop("WebLink").startswith("https://outlook.live.com/owa/?itemid=")
        assert seen == {name: value for name, value in event.items() if name not in ("ICalUId", "WebLink")}

    def test_calendars_show_their_owner(self, alice: Connection) -> None:
        (calendar,) = alice.get("/datasets/calendars/tables")["value"]

        assert calendar.pop("Name").startswith("AQMkADAw")
        assert calendar == {
            "DisplayName": "Calendar",
            "DynamicProperties": {"Owner": {"Name": "Alice", "Address": "alice@example.com"}},
            "items": [],
        }

    def test_a_calendar_is_addressed_by_id_or_name(self, alice: Connection) -> None:
        event = alice.meet()
        (calendar,) = alice.get("/datasets/calendars/tables")["value"]

        for table in (calendar["Name"], calendar["Name"].replace("=", "%253D"), "calendar", "Calendar"):
            assert alice.get(f"/datasets/calendars/v2/tables/{table}/items/{event['Id']}") == event

    def test_a_calendar_describes_its_events(self, alice: Connection) -> None:
        described = alice.get("/$metadata.json/datasets/calendars/tables/Calendar")

        assert described["title"] == "Calendar"
        assert described["x-ms-permission"] == "read-write"
        items = described["schema"]["items"]
        assert items["required"] == ["Subject", "Start"]
        assert items["properties"]["Start"]["format"] == "date-time"
        titles = [
            items["properties"][name]["title"] for name in ("ICalUId", "DateTimeCreated", "HasAttachments", "Start")
        ]
        assert titles == ["Event Unique ID", "Created time", "Has attachments?", "Start time"], "as on the page"
        assert set(items["properties"]) == set(alice.get(f"{V1}/{alice.meet()['Id']}"))

    def test_calendars_keep_their_events_apart(self, alice: Connection) -> None:
        answer = alice.api.post(f"/connections/{alice.id}/calendars", json={"name": "Side projects"})
        assert answer.status_code == 201, answer.text
        side = answer.json()["id"]
        event = alice.post(f"/datasets/calendars/v3/tables/{side}/items", {"Subject": "Boat", **SPAN}).json()

        assert alice.events() == []
        assert alice.get(f"/datasets/calendars/v2/tables/side projects/items/{event['Id']}") == event
        assert ask(alice, "GET", f"{V2}/{event['Id']}") == (404, "ErrorItemNotFound")
        names = [calendar["DisplayName"] for calendar in alice.get("/datasets/calendars/tables")["value"]]
        assert names == ["Calendar", "Side projects"]

    def test_lists_are_filtered_ordered_and_paged(self, alice: Connection) -> None:
        for day, name in ((6, "Zebra"), (4, "Apple"), (5, "apple tart")):
            alice.meet(name, f"2026-03-0{day}T10:00:00Z", Location=f"Room {day}")

        def subjects(**query: Any) -> list[str]:
            return [event["Subject"] for event in alice.events(**query)]

        assert subjects() == ["Zebra", "apple tart", "Apple"]
        assert subjects(**{"$filter": "startswith(Subject,'apple')"}) == ["apple tart", "Apple"]
        assert subjects(**{"$filter": "Start/DateTime ge '2026-03-05T00:00:00Z'"}) == ["Zebra", "apple tart"]
        assert subjects(**{"$filter": "start/dateTime lt 2026-03-05 or Location eq 'room 6'"}) == ["Zebra", "Apple"]
        assert subjects(**{"$orderby": "Start desc", "$top": 2}) == ["Zebra", "apple tart"]
        assert subjects(**{"$orderby": "Subject", "$skip": 1}) == ["apple tart", "Zebra"]
        assert subjects(**{"$top": 0}) == []

    def test_an_event_is_found_by_its_id_in_a_filter(self, alice: Connection) -> None:
        created, _ = alice.meet("One"), alice.meet("Two")

        assert [event["Id"] for event in alice.events(**{"$filter": f"Id eq '{created['Id']}'"})] == [created["Id"]]
        assert alice.events(**{"$filter": "Id eq 'nonsense'"}) == []

    def test_events_are_found_by_category_and_attendee(self, alice: Connection) -> None:
        alice.post(
            V1,
            {
                "Subject": "Tagged",
                **SPAN,
                "Categories": ["Red", "Work"],
                "Attendees": [{"EmailAddress": {"Address": "bob@example.org"}}],
            },
        )
        alice.meet("Plain")

        for condition in (
            "Categories/any(c: c eq 'work')",
            "attendees/any(a: a/emailAddress/address eq 'bob@example.org')",
            "contains(RequiredAttendees,'bob@')",
        ):
            assert [event["Subject"] for event in alice.events(**{"$filter": condition})] == ["Tagged"], condition
        assert [event["Subject"] for event in alice.events(**{"$filter": "not Categories/any(c: c eq 'red')"})] == [
            "Plain"
        ]


class TestView:
    def test_it_contains_every_event_that_overlaps_the_window(self, alice: Connection) -> None:
        alice.meet("before", "2026-03-01T23:00:00Z", End="2026-03-02T00:00:00Z")
        alice.meet("across the start", "2026-03-01T23:00:00Z", End="2026-03-02T01:00:00Z")
        alice.meet("no time at all", "2026-03-02T00:00:00Z", End="2026-03-02T00:00:00Z")
        alice.meet("for weeks", "2026-02-01T00:00:00Z", End="2026-04-01T00:00:00Z")
        alice.meet("at the end", "2026-03-03T00:00:00Z")

        seen = alice.view("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")

        assert [event["Subject"] for event in seen] == ["for weeks", "across the start", "no time at all"]

    def test_search_covers_subject_and_body(self, alice: Connection) -> None:
        alice.meet("Budget")
        alice.meet("Review", Body="<p>of the BUDGET</p>")
        alice.meet("Lunch")

        assert [event["Subject"] for event in alice.view(search="budget")] == ["Budget", "Review"]
        assert [event["Subject"] for event in alice.view(search="budget review")] == ["Review"]

    def test_it_is_filtered_and_paged_as_a_list_is(self, alice: Connection) -> None:
        alice.meet("Daily", Recurrence="Daily", ShowAs="Busy")

        busy: dict[str, Any] = {"$filter": "ShowAs eq 'Busy'", "$top": 5, "$skip": 2}
        assert len(alice.view(**busy)) == 5
        late = alice.view(**{"$filter": "Start ge 2026-03-30", "$orderby": "Start desc"})
        assert [event["Start"][:10] for event in late] == ["2026-03-31", "2026-03-30"]

    def test_a_window_of_more_than_1825_days_is_rejected_as_recorded(self, alice: Connection) -> None:
        window = {"calendarId": "Calendar", "startDateTimeOffset": "2020-01-01", "endDateTimeOffset": "2025-01-01"}
        answer = alice.http.get("/datasets/calendars/v2/tables/items/calendarview", params=window)

        assert answer.status_code == 400
        assert answer.json()["error"] == {
            "message": "Your request can't be completed. The range between the start and end dates is greater than the"
            " allowed range. Maximum number of days: 1825",
            "code": "ErrorInvalidRequest",
            "originalMessage": "Your request can't be completed. The range between the start and end dates is greater"
            " than the allowed range. Maximum number of days: 1825",
        }
        assert alice.view("2020-01-02", "2024-12-31") == []

    def test_an_offset_with_an_unescaped_plus_is_accepted(self, alice: Connection) -> None:
        alice.meet("Noon", "2026-03-04T12:00:00Z")

        path = "/datasets/calendars/v2/tables/items/calendarview?calendarId=Calendar"
        window = "startDateTimeOffset=2026-03-04T13:00:00+01:00&endDateTimeOffset=2026-03-04T13:10:00+01:00"
        seen = alice.http.get(f"{path}&{window}").json()["value"]

        assert [event["Subject"] for event in seen] == ["Noon"]


class TestChanging:
    def test_every_change_gives_a_new_change_key(self, alice: Connection) -> None:
        event = alice.post(V1, {"Subject": "Same", **SPAN}).json()
        keys = {event["ChangeKey"]}
        for _ in range(3):
            keys.add(alice.http.patch(f"{V1}/{event['Id']}", json={"Subject": "Same"}).json()["ChangeKey"])

        assert len(keys) == 4

    def test_a_new_zone_keeps_the_instants(self, alice: Connection) -> None:
        event = alice.meet()

        changed = alice.change(event["Id"], TimeZone="Europe/Oslo")

        assert (changed["Start"], changed["TimeZone"]) == (event["Start"], "W. Europe Standard Time")

    def test_an_all_day_event_keeps_its_dates_in_another_zone(self, alice: Connection) -> None:
        event = alice.meet(start="2026-03-09", End="2026-03-10", IsAllDay=True)

        changed = alice.change(event["Id"], TimeZone="Pacific Standard Time", IsAllDay=True)

        assert (changed["Start"], changed["End"]) == (event["Start"], event["End"])
        assert changed["TimeZone"] == "Pacific Standard Time"

    def test_a_new_location_clears_the_address_of_the_old_one(self, alice: Connection) -> None:
        place = {"DisplayName": "A", "Address": {"City": "Oslo"}}
        event = alice.post(V1, {"Subject": "x", **SPAN, "Location": place}).json()

        alice.change(event["Id"], Location="B")

        after = alice.get(f"{V1}/{event['Id']}")["Location"]
        assert (after["DisplayName"], after["Address"]["City"]) == ("B", None)

    def test_an_attendee_named_again_changes_its_type(self, alice: Connection) -> None:
        event = alice.meet(RequiredAttendees="bob@example.org")

        changed = alice.change(event["Id"], OptionalAttendees="bob@example.org")

        assert (changed["RequiredAttendees"], changed["OptionalAttendees"]) == ("", "bob@example.org;")

    def test_sending_back_a_whole_event_changes_nothing(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Monthly", NumberOfOccurrences=3, Location="Here")

        changed = alice.change(event["Id"], **event)

        assert changed | {"DateTimeLastModified": ""} == event | {"DateTimeLastModified": ""}

    def test_a_filter_uses_the_current_values(self, alice: Connection) -> None:
        event = alice.meet(RequiredAttendees="bob@example.org")
        condition = {"$filter": "Attendees/any(a: a/EmailAddress/Address eq 'bob@example.org')"}
        assert len(alice.events(**condition)) == 1

        alice.change(event["Id"], RequiredAttendees="carol@example.org")

        assert alice.events(**condition) == []

    def test_a_deleted_event_is_gone(self, alice: Connection) -> None:
        event = alice.meet()

        answer = alice.http.delete(f"{V1}/{event['Id']}")

        assert (answer.status_code, answer.content) == (200, b"")
        assert alice.events() == alice.view() == []
        for method, path in (("GET", V1), ("GET", V2), ("PATCH", V3), ("DELETE", V1)):
            more = {"json": {"Subject": "x"}} if method == "PATCH" else {}
            assert ask(alice, method, f"{path}/{event['Id']}", **more) == (404, "ErrorItemNotFound")


class TestOldIds:
    """Ids of the old mail service contain slashes, and update and delete fail with them (Learn page)."""

    @pytest.fixture
    def old_event(self, alice: Connection) -> dict[str, Any]:
        ics = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:old\r\nSUMMARY:Old\r\n"
            "DTSTAMP:20260101T000000Z\r\nDTSTART:20260304T100000Z\r\nDTEND:20260304T110000Z\r\n"
            "X-OUTLOOK-ITEM-ID:AAMkADAw/xyz+abc=\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        answer = alice.api.post(
            f"/connections/{alice.id}/calendars/Calendar/import",
            content=ics,
            headers={"Content-Type": "text/calendar"},
        )
        assert answer.status_code == 201, answer.text
        (event,) = alice.events()
        return event

    def test_imported_events_never_share_an_id(self, alice: Connection, old_event: dict[str, Any]) -> None:
        ours = alice.meet()
        carried = alice.api.get(f"/connections/{alice.id}/calendars/Calendar/export").text
        spoofed = carried.replace("X-OUTLOOK-ITEM-ID:AAMkADAw/xyz+abc=", f"X-OUTLOOK-ITEM-ID:{ours['Id']}")
        for file in (carried, spoofed):
            answer = alice.api.post(f"/connections/{alice.id}/calendars/Calendar/import", content=file)
            assert answer.status_code == 201, answer.text

        ids = [event["Id"] for event in alice.events()]
        assert len(ids) == len(set(ids)) == 6
        assert alice.event(ours["Id"])["Subject"] == "Review"

    def test_list_and_view_show_them(self, alice: Connection, old_event: dict[str, Any]) -> None:
        assert old_event["Id"] == "AAMkADAw/xyz+abc="
        assert [event["Id"] for event in alice.view()] == [old_event["Id"]]

    def test_a_read_accepts_an_escaped_id(self, alice: Connection, old_event: dict[str, Any]) -> None:
        for escaped in ("AAMkADAw%2Fxyz%2Babc%3D", "AAMkADAw%252Fxyz%252Babc%253D"):
            assert alice.get(f"{V2}/{escaped}")["Subject"] == "Old"

    @pytest.mark.parametrize("id", ["AAMkADAw/xyz+abc=", "AAMkADAw%2Fxyz%2Babc%3D", "AAMkADAw%252Fxyz%252Babc%253D"])
    def test_update_and_delete_answer_404(self, alice: Connection, old_event: dict[str, Any], id: str) -> None:
        assert ask(alice, "PATCH", f"{V3}/{id}", json={"Subject": "x"})[0] == 404
        assert ask(alice, "DELETE", f"{V1}/{id}")[0] == 404
        assert alice.events() == [old_event]


class TestClient:
    """Microsoft's own client, unchanged."""

    def test_it_makes_reads_changes_and_deletes_events(self, alice: Connection) -> None:
        (calendar,) = alice.sdk("calendar_get_tables_async")["value"]
        event = CalendarEventHtmlClient(
            subject="From the client",
            start="2026-03-04T10:00:00Z",
            end="2026-03-04T11:00:00Z",
            time_zone="(UTC) Coordinated Universal Time",
            required_attendees="bob@example.org",
            is_all_day=False,
            show_as="Busy",
        )

        created = alice.sdk("calendar_post_item_async", event, calendar["Name"])
        assert (created["RequiredAttendees"], created["ShowAs"]) == ("bob@example.org;", "Busy")
        assert alice.sdk("calendar_get_item_async", calendar["Name"], created["Id"]) == created

        event.subject = "Changed"
        changed = alice.sdk("calendar_patch_item_async", event, calendar["Name"], created["Id"])
        assert (changed["Subject"], changed["ShowAs"]) == ("Changed", "Busy")
        listed = alice.sdk("calendar_get_items_async", "Calendar", filter="Subject eq 'Changed'", top="5")
        assert [event["Id"] for event in listed["value"]] == [created["Id"]]
        seen = alice.sdk(
            "get_events_calendar_view_async", calendar["Name"], "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"
        )
        assert [event["Subject"] for event in seen["value"]] == ["Changed"]

        alice.sdk("calendar_delete_item_async", calendar["Name"], created["Id"])
        assert alice.sdk("calendar_get_items_async", "Calendar")["value"] == []


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}, "Subject"),
            ({"Subject": "x", "End": "2026-03-04T11:00:00Z"}, "Start"),
            ({"Subject": "x", "Start": "2026-03-04T10:00:00Z"}, "End"),
            ({"Subject": "x", **SPAN, "Start": "2026-03-04T12:00:00Z"}, "End"),
            ({"Subject": "x", **SPAN, "Start": "2026-02-30T10:00:00Z"}, "Start"),
            ({"Subject": "x", **SPAN, "Start": "soon"}, "Start"),
            ({"Subject": "x", **SPAN, "Start": "0001-01-01T00:00:00Z"}, "Start"),
            ({"Subject": "x", **SPAN, "TimeZone": "Middle Earth"}, "TimeZone"),
            ({"Subject": "x", **SPAN, "Importance": "Huge"}, "Importance"),
            ({"Subject": "x", **SPAN, "ShowAs": "Hidden"}, "ShowAs"),
            ({"Subject": "x", **SPAN, "Reminder": -1}, "Reminder"),
            ({"Subject": "x", **SPAN, "Reminder": 2**31}, "Reminder"),
            ({"Subject": "x", **SPAN, "Reminder": "soon"}, "Reminder"),
            ({"Subject": "x", **SPAN, "Recurrence": "Hourly"}, "Recurrence"),
            ({"Subject": "x", **SPAN, "Recurrence": "Daily", "NumberOfOccurrences": 0}, "NumberOfOccurrences"),
            ({"Subject": "x", **SPAN, "Recurrence": "Daily", "NumberOfOccurrences": 1000}, "NumberOfOccurrences"),
            ({"Subject": "x", **SPAN, "Recurrence": "Daily", "RecurrenceEnd": "2026-03-01"}, "End"),
            ({"Subject": "x", **SPAN, "Recurrence": "Daily", "RecurrenceEnd": "never"}, "RecurrenceEnd"),
            ({"Subject": "x", **SPAN, "Recurrence": "None", "RecurrenceEnd": "never"}, "RecurrenceEnd"),
            (
                {
                    "Subject": "x",
                    **SPAN,
                    "Recurrence": "Daily",
                    "RecurrenceEnd": "2026-04-01",
                    "NumberOfOccurrences": 2,
                },
                "RecurrenceEnd",
            ),
            ({"Subject": "x", **SPAN, "RequiredAttendees": "nobody"}, "nobody"),
            ({"Subject": "a\x00b", **SPAN}, "Subject"),
            ({"Subject": "x", **SPAN, "OptionalAttendees": "A\x00 <q@example.com>"}, "'OptionalAttendees'"),
        ],
    )
    def test_an_invalid_event_is_rejected_by_property(
        self, alice: Connection, body: dict[str, Any], named: str
    ) -> None:
        answer = alice.http.post(V3, json=body)

        assert answer.status_code == 400
        assert named in answer.json()["error"]["originalMessage"]
        assert alice.events() == []

    @pytest.mark.parametrize(
        ("recurrence", "named"),
        [
            ({"Pattern": {}}, "Type"),
            ({"Pattern": {"Type": "Weekly"}}, "DaysOfWeek"),
            ({"Pattern": {"Type": "Daily", "Interval": 0}}, "Interval"),
            ({"Pattern": {"Type": "AbsoluteMonthly", "DayOfMonth": 32}}, "DayOfMonth"),
            ({"Pattern": {"Type": "Daily"}, "Range": {"Type": "Numbered"}}, "NumberOfOccurrences"),
            ({"Pattern": {"Type": "Daily"}, "Range": {"Type": "EndDate"}}, "EndDate"),
            ({"Pattern": {"Type": "Daily"}, "Range": {"EndDate": "2026-05-01", "NumberOfOccurrences": 2}}, "EndDate"),
            (
                {"Pattern": {"Type": "Daily"}, "Range": {"Type": "EndDate", "EndDate": "2026-01-01"}},
                "Recurrence.Range.EndDate",
            ),
        ],
    )
    def test_an_invalid_recurrence_is_rejected_by_property(
        self, alice: Connection, recurrence: dict[str, Any], named: str
    ) -> None:
        answer = alice.http.post(V1, json={"Subject": "x", **SPAN, "Recurrence": recurrence})

        assert answer.status_code == 400
        assert named in answer.json()["message"]
        assert alice.events() == []

    def test_a_rejected_change_changes_nothing(self, alice: Connection) -> None:
        event = alice.meet()

        for body in ({"Start": "2027-01-01T00:00:00Z"}, {"Subject": "x", "TimeZone": "?"}, {"Recurrence": "Often"}):
            assert alice.http.patch(f"{V3}/{event['Id']}", json=body).status_code == 400

        assert alice.event(event["Id"]) == event

    def test_unknown_calendars_and_ids(self, alice: Connection, bob: Connection) -> None:
        theirs = bob.meet()
        (their_calendar,) = bob.get("/datasets/calendars/tables")["value"]

        assert ask(alice, "GET", "/datasets/calendars/v3/tables/Nowhere/items") == (404, "ErrorFolderNotFound")
        assert ask(alice, "GET", f"/datasets/calendars/v3/tables/{their_calendar['Name']}/items")[0] == 404
        assert ask(alice, "GET", f"{V2}/{theirs['Id']}") == (404, "ErrorItemNotFound")
        assert ask(alice, "GET", f"{V2}/nonsense") == (400, "ErrorInvalidIdMalformed")
        assert ask(alice, "DELETE", f"{V1}/{theirs['Id']}") == (404, "ErrorItemNotFound")
        assert bob.event(theirs["Id"]) == theirs

    @pytest.mark.parametrize(
        "query",
        [
            {"$filter": "Colour eq 'red'"},
            {"$filter": "Subject eq"},
            {"$filter": "Start gt 'soon'"},
            {"$orderby": "Nothing"},
            {"$top": -1},
            {"$skip": "x"},
        ],
    )
    def test_an_invalid_query_option_is_named(self, alice: Connection, query: dict[str, Any]) -> None:
        answer = alice.http.get(V3, params=query)

        assert answer.status_code == 400
        assert next(iter(query)) in answer.json()["message"]

    def test_an_invalid_view_window_is_rejected(self, alice: Connection) -> None:
        path = "/datasets/calendars/v2/tables/items/calendarview"
        good = {"calendarId": "Calendar", "startDateTimeOffset": "2026-03-01", "endDateTimeOffset": "2026-04-01"}
        for change in (
            {"startDateTimeOffset": "2026-05-01"},
            {"startDateTimeOffset": "x"},
            {"endDateTimeOffset": ""},
            {"calendarId": "Nowhere"},
        ):
            assert alice.http.get(path, params=good | change).status_code in (400, 404), change


def test_an_ews_setting_gives_new_events_old_ids() -> None:
    app = create_app(Settings(event_ids="ews"), VirtualClock(datetime(2026, 3, 2)))

    async def story() -> None:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": "Key k"}
        root = "http://emulator/apim/outlook/me"
        async with httpx.AsyncClient(transport=transport, headers=headers, trust_env=False) as http:
            created = (await http.post(root + V3, json={"Subject": "Old", **SPAN})).json()
            assert "/" in created["Id"]
            assert "+" in created["Id"]
            assert [event["Id"] for event in (await http.get(root + V3)).json()["value"]] == [created["Id"]]
            escaped = quote(created["Id"], safe="")
            assert (await http.get(f"{root}{V2}/{escaped}")).json()["Subject"] == "Old"
            assert (await http.delete(f"{root}{V1}/{escaped}")).status_code == 404

    asyncio.run(story())
    app.state.sandboxes.close()
