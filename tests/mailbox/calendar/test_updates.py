"""Updates of events through HTTP: members left out, attendees, series, and both values of the setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

V1 = "/datasets/calendars/tables/Calendar/items"
V2 = "/datasets/calendars/v2/tables/Calendar/items"
V3 = "/datasets/calendars/v3/tables/Calendar/items"
VERSIONS = [V1, V2, V3]
SPAN = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
REQUIRED = {"Subject": "Review", **SPAN}
FULL: dict[str, Any] = {
    **REQUIRED,
    "TimeZone": "Europe/Oslo",
    "RequiredAttendees": "eve@example.org",
    "OptionalAttendees": "dan@example.org",
    "ResourceAttendees": "Room 5",
    "Location": "Hall",
    "Importance": "High",
    "Reminder": 30,
    "ShowAs": "Oof",
    "ResponseRequested": False,
    "Body": "<p>Bring numbers</p>",
    "Recurrence": "Weekly",
    "NumberOfOccurrences": 4,
}
OWN = ("Id", "ChangeKey", "DateTimeCreated", "DateTimeLastModified", "ICalUId", "WebLink")
"""Members that differ from event to event."""


def update(connection: Connection, path: str, event_id: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = connection.http.patch(f"{path}/{event_id}", json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def content(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in OWN}


class TestMembersLeftOut:
    """Members that the update of an event leaves out go to their defaults.

    From the vendor's page of the Office 365 twin, state of 2026-05. The defaults are those of a bare create, recorded
    from the twin: microsoft/Power-Fx O365OutlookTests, 2023-12.
    """

    @pytest.mark.parametrize("path", VERSIONS)
    def test_members_left_out_go_to_their_defaults(self, alice: Connection, path: str) -> None:
        """From the vendor's page of the Office 365 twin, state of 2026-05; its recordings fit both readings."""
        event = alice.post(V3, FULL).json()
        bare = alice.post(path, REQUIRED).json()

        changed = update(alice, path, event["Id"], REQUIRED)

        assert content(changed) == content(bare)
        assert changed["Id"] == event["Id"]
        assert [seen["Id"] for seen in alice.view(**{"$filter": f"Id eq '{event['Id']}'"})] == [event["Id"]]

    @pytest.mark.parametrize("name", sorted(FULL.keys() - REQUIRED.keys() - {"NumberOfOccurrences"}))
    @pytest.mark.parametrize("path", [V2, V3])
    def test_each_member_sent_again_stays(self, alice: Connection, path: str, name: str) -> None:
        body = FULL if path == V3 else FULL | {"IsHtml": True}
        event = alice.post(path, body).json()
        kept = {"IsHtml"} if name == "Body" else {"NumberOfOccurrences"} if name == "Recurrence" else set()
        sent = REQUIRED | {member: body[member] for member in {name} | kept if member in body}
        bare = alice.post(path, sent).json()

        changed = update(alice, path, event["Id"], sent)

        assert changed[name] == event[name] == bare[name]
        assert content(changed) == content(bare)

    def test_the_first_version_resets_what_only_it_can_set(self, alice: Connection) -> None:
        full = {
            **REQUIRED,
            "StartTimeZone": "Pacific Standard Time",
            "EndTimeZone": "Pacific Standard Time",
            "Categories": ["Red"],
            "Location": {"DisplayName": "Hall", "Address": {"City": "Oslo"}},
            "Attendees": [{"EmailAddress": {"Address": "eve@example.org"}}],
            "Body": {"ContentType": "HTML", "Content": "<p>x</p>"},
            "Recurrence": {"Pattern": {"Type": "Daily", "Interval": 2}},
        }
        event = alice.post(V1, full).json()
        bare = alice.post(V1, REQUIRED).json()

        assert content(update(alice, V1, event["Id"], REQUIRED)) == content(bare)

    def test_members_that_a_flat_body_cannot_set_stay(self, alice: Connection) -> None:
        """Inferred: the model of the later versions has no categories, so it cannot reset them."""
        event = alice.post(V1, REQUIRED | {"Categories": ["Red"]}).json()

        assert update(alice, V3, event["Id"], REQUIRED)["Categories"] == ["Red"]

    @pytest.mark.parametrize("path", VERSIONS)
    def test_subject_start_and_end_left_out_stay(self, alice: Connection, path: str) -> None:
        """Inferred: the definition requires these three, and they have no default."""
        event = alice.post(V3, FULL).json()
        bare = alice.post(path, REQUIRED).json()

        assert content(update(alice, path, event["Id"], {})) == content(bare)

    def test_null_counts_as_left_out(self, alice: Connection) -> None:
        event = alice.post(V3, FULL).json()

        changed = update(alice, V3, event["Id"], FULL | {"Location": None, "ShowAs": None})

        assert (changed["Location"], changed["ShowAs"], changed["Importance"]) == ("", "Free", "High")

    def test_an_all_day_event_becomes_one_with_times(self, alice: Connection) -> None:
        event = alice.meet(start="2026-03-09", End="2026-03-10", IsAllDay=True)

        changed = update(alice, V3, event["Id"], REQUIRED)

        assert (changed["IsAllDay"], changed["Start"][:16]) == (False, "2026-03-04T10:00")

    def test_an_attendee_resets_only_the_own_copy(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet(RequiredAttendees="bob@example.com", Location="Hall", ResponseRequested=False)
        (copy,) = bob.events()

        changed = update(bob, V3, copy["Id"], REQUIRED)

        assert (changed["Location"], changed["Organizer"]) == ("", "alice@example.com")
        # Inferred: whether a response is wanted is for the organizer to say.
        assert changed["ResponseRequested"] is False
        assert alice.event(meeting["Id"])["Location"] == "Hall"
        assert alice.mails() == []


class TestAttendees:
    def test_attendees_left_out_get_a_cancellation(self, alice: Connection, bob: Connection) -> None:
        """A reset takes attendees away, and the mail service tells them; from the same page, the mail is inferred."""
        meeting = alice.meet(RequiredAttendees="bob@example.com", OptionalAttendees="eve@example.org")

        update(alice, V3, meeting["Id"], REQUIRED)

        assert [event["Subject"] for event in bob.events()] == ["Canceled: Review"]
        assert [mail["Subject"] for mail in bob.mails()] == ["Canceled: Review", "Review"]
        assert "Canceled: Review" in [mail["subject"] for mail in alice.sandbox.outbox.mails()]

    @pytest.mark.parametrize("path", [V2, V3])
    def test_attendees_sent_again_get_an_update_and_keep_their_response(
        self, alice: Connection, bob: Connection, path: str
    ) -> None:
        """From the vendor's page of the Office 365 twin: attendees get an update whatever was changed."""
        meeting = alice.meet(start=SPAN["Start"], End=SPAN["End"], RequiredAttendees="bob@example.com", Location="Hall")
        bob.respond(bob.events()[0]["Id"], "Accept")

        update(alice, path, meeting["Id"], REQUIRED | {"RequiredAttendees": "bob@example.com"})

        (copy,) = bob.events()
        assert (copy["Subject"], copy["Location"], copy["ResponseType"]) == ("Review", "", 3)
        assert [mail["Subject"] for mail in bob.mails()] == ["Review", "Review"]
        (attendee,) = alice.get(f"{V1}/{meeting['Id']}")["Attendees"]
        assert attendee["Status"]["Response"] == "Accepted"

    def test_an_attendee_of_another_type_left_out_is_cancelled_alone(
        self, sandbox: Sandbox, alice: Connection, bob: Connection
    ) -> None:
        carol = sandbox.connect("carol")
        meeting = alice.meet(RequiredAttendees="bob@example.com", OptionalAttendees="carol@example.com")

        update(alice, V3, meeting["Id"], REQUIRED | {"OptionalAttendees": "carol@example.com"})

        assert [event["Subject"] for event in bob.events()] == ["Canceled: Review"]
        assert [event["Subject"] for event in carol.events()] == ["Review"]


class TestSeries:
    def twice_a_week(self, alice: Connection) -> dict[str, Any]:
        body = {
            "Subject": "Twice a week",
            "Start": "2026-03-03T10:00:00Z",
            "End": "2026-03-03T11:00:00Z",
            "Recurrence": {"Pattern": {"Type": "Weekly", "DaysOfWeek": ["Tuesday", "Thursday"]}},
        }
        event: dict[str, Any] = alice.post(V1, body).json()
        return event

    def test_a_weekly_series_whose_days_are_not_sent_keeps_only_the_weekday_of_its_start(
        self, alice: Connection
    ) -> None:
        """From the vendor's page of the Office 365 twin, state of 2026-05."""
        event = self.twice_a_week(alice)
        flat = alice.event(event["Id"])

        alice.patch(event["Id"], flat | {"Subject": "Renamed"})

        after = alice.get(f"{V1}/{event['Id']}")
        assert after["Recurrence"]["Pattern"]["DaysOfWeek"] == ["Tuesday"]
        assert (after["Subject"], after["Recurrence"]["Pattern"]["Interval"]) == ("Renamed", 1)

    def test_a_weekly_series_whose_days_are_sent_keeps_them(self, alice: Connection) -> None:
        event = self.twice_a_week(alice)

        changed = update(alice, V1, event["Id"], event | {"Subject": "Renamed"})

        assert (changed["Subject"], changed["Recurrence"]) == ("Renamed", event["Recurrence"])

    def test_a_series_whose_recurrence_is_left_out_becomes_a_single_event(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Daily", NumberOfOccurrences=3)

        changed = update(alice, V3, event["Id"], REQUIRED)

        assert (changed["Recurrence"], changed["Id"]) == ("None", event["Id"])
        assert len(alice.view()) == 1

    def test_a_series_whose_end_is_left_out_has_no_end(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Daily", NumberOfOccurrences=3)

        changed = update(alice, V3, event["Id"], REQUIRED | {"Recurrence": "Daily"})

        assert (changed["NumberOfOccurrences"], changed["RecurrenceEnd"]) == (None, None)
        assert len(alice.view()) == 28

    def test_an_exception_keeps_what_it_changed_itself(self, alice: Connection) -> None:
        event = alice.meet(Recurrence="Daily", NumberOfOccurrences=3, Location="Hall")
        second = alice.view()[1]
        alice.change(second["Id"], Subject="Special")

        series = {"Recurrence": "Daily", "NumberOfOccurrences": 3}
        alice.patch(event["Id"], {"Subject": "Renamed", "Start": event["Start"], "End": event["End"], **series})

        seen = [(shown["Subject"], shown["Location"]) for shown in alice.view()]
        assert seen == [("Renamed", ""), ("Special", ""), ("Renamed", "")]
        assert alice.view()[1]["Id"] == second["Id"]

    def test_an_occurrence_resets_alone(self, alice: Connection) -> None:
        alice.meet(Recurrence="Daily", NumberOfOccurrences=3, Location="Hall", ShowAs="Busy")
        second = alice.view()[1]

        changed = alice.patch(second["Id"], {name: second[name] for name in ("Subject", "Start", "End")})

        assert (changed["Id"], changed["Location"], changed["ShowAs"]) == (second["Id"], "", "Free")
        assert [event["Location"] for event in alice.view()] == ["Hall", "", "Hall"]


class TestMerge:
    """`--event-update merge`: members left out keep their values."""

    @pytest.fixture
    def alice(self, configured: Callable[..., Sandbox]) -> Connection:
        return configured(event_update="merge").connect("alice")

    @pytest.mark.parametrize("path", [V2, V3])
    def test_a_flat_patch_changes_only_the_fields_it_contains(self, alice: Connection, path: str) -> None:
        event = alice.meet(Location="Here", Body="<p>x</p>", ShowAs="Busy", Reminder=5, Recurrence="Weekly")

        changed = update(alice, path, event["Id"], {"Subject": "New"})

        assert changed.pop("DateTimeLastModified") != event.pop("DateTimeLastModified")
        assert changed == event | {"Subject": "New"}

    def test_a_first_version_patch_changes_only_the_fields_it_contains(self, alice: Connection) -> None:
        event = alice.post(V1, {"Subject": "Old", **SPAN, "Categories": ["Red"], "ShowAs": "Busy"}).json()

        changed = update(alice, V1, event["Id"], {"Location": {"DisplayName": "There"}})

        assert changed["Location"]["DisplayName"] == "There"
        moved = {name for name in event if event[name] != changed[name]}
        assert moved == {"Location", "ChangeKey", "DateTimeLastModified"}

    def test_a_first_version_pattern_survives_a_flat_change(self, alice: Connection) -> None:
        event = TestSeries().twice_a_week(alice)
        flat = alice.event(event["Id"])

        alice.patch(event["Id"], flat | {"Subject": "Renamed"})

        after = alice.get(f"{V1}/{event['Id']}")
        assert (after["Subject"], after["Recurrence"]) == ("Renamed", event["Recurrence"])

    def test_attendees_left_out_stay(self, alice: Connection) -> None:
        bob = alice.sandbox.connect("bob")
        meeting = alice.meet(RequiredAttendees="bob@example.com")

        alice.patch(meeting["Id"], {"Location": "Hall"})

        assert [(event["Subject"], event["Location"]) for event in bob.events()] == [("Review", "Hall")]
