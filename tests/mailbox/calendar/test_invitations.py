"""Meetings through HTTP: copies in the attendees' calendars, invitation mails and responses."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from typing import Any, cast

import icalendar
import pytest

from tests.conftest import Connection, Sandbox

V1 = "/datasets/calendars/tables/Calendar/items"


def calendar_part(connection: Connection, mail: dict[str, Any]) -> tuple[Message, icalendar.Calendar]:
    """Return the text/calendar part of a mail, raw and parsed."""
    whole = message_from_bytes(connection.mime(mail["Id"]))
    (part,) = (candidate for candidate in whole.walk() if candidate.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return part, icalendar.Calendar.from_ical(content)


def only_event(calendar: icalendar.Calendar) -> Any:
    (event,) = calendar.walk("VEVENT")
    return event


def attendees(connection: Connection, event_id: str) -> dict[str, str]:
    """Return each attendee's response by address, as the first version of the operation shows it."""
    shown = connection.get(f"{V1}/{event_id}")["Attendees"]
    return {attendee["EmailAddress"]["Address"]: attendee["Status"]["Response"] for attendee in shown}


class TestInviting:
    def test_an_attendee_gets_a_copy_and_a_mail(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet(
            "Review", RequiredAttendees="bob@example.com", Body="<p>Bring <b>numbers</b></p>", ShowAs="Busy"
        )

        (copy,) = bob.events()
        assert copy["Id"] != meeting["Id"]
        assert (copy["Organizer"], copy["ResponseType"], copy["ShowAs"]) == ("alice@example.com", 5, 1)
        same = ("Subject", "Start", "End", "TimeZone", "Body", "RequiredAttendees", "Location")
        assert {name: copy[name] for name in same} == {name: meeting[name] for name in same}
        mail = bob.mail()
        assert (mail["Subject"], mail["From"], mail["To"]) == ("Review", "alice@example.com", "bob@example.com")
        assert (mail["Body"], mail["Attachments"], mail["HasAttachment"]) == (meeting["Body"], [], False)
        assert alice.mail("Sent Items")["Subject"] == "Review"
        assert bob.view()[0]["ICalUId"] == alice.view()[0]["ICalUId"]

    def test_optional_attendees_get_a_copy_and_rooms_a_blind_one(
        self, alice: Connection, bob: Connection, sandbox: Sandbox
    ) -> None:
        """Attendees are recipients of the same type, in invitations and cancellations (documented in MS-OXOCAL)."""
        meeting = alice.meet(
            "Review",
            RequiredAttendees="ann@example.org",
            OptionalAttendees="bob@example.com;dan@example.org",
            ResourceAttendees="room@example.org",
        )
        alice.http.delete(f"{V1}/{meeting['Id']}").raise_for_status()

        everyone = ("ann@example.org", "bob@example.com;dan@example.org")
        assert [(mail["To"], mail["Cc"], mail["Bcc"]) for mail in bob.mails()] == [(*everyone, None)] * 2
        sent = [(mail["To"], mail["Cc"], mail["Bcc"]) for mail in alice.mails("Sent Items")]
        assert sent == [(*everyone, "room@example.org")] * 2
        assert "room@example.org" in sandbox.outbox.mails()[0]["recipients"]

    def test_a_meeting_without_required_attendees_is_to_nobody(self, alice: Connection, bob: Connection) -> None:
        alice.meet("Review", OptionalAttendees="bob@example.com")

        assert (bob.mail()["To"], bob.mail()["Cc"]) == (None, "bob@example.com")

    def test_the_mail_contains_a_valid_calendar_part(self, alice: Connection, bob: Connection) -> None:
        alice.meet("Review", RequiredAttendees="bob@example.com", OptionalAttendees="dan@example.org")

        part, calendar = calendar_part(bob, bob.mail())

        assert part.get_param("method") == "REQUEST"
        assert calendar["METHOD"] == "REQUEST"
        event = only_event(calendar)
        assert event["UID"] == bob.view()[0]["ICalUId"]
        assert str(event["ORGANIZER"]).lower() == "mailto:alice@example.com"
        roles = {str(attendee).lower(): attendee.params["ROLE"] for attendee in event["ATTENDEE"]}
        assert roles == {"mailto:bob@example.com": "REQ-PARTICIPANT", "mailto:dan@example.org": "OPT-PARTICIPANT"}

    def test_external_attendees_get_a_mail(self, sandbox: Sandbox, alice: Connection) -> None:
        alice.meet("Review", RequiredAttendees="eve@example.org", ResourceAttendees="Room 5")

        (departed,) = sandbox.outbox.mails()
        assert departed["recipients"] == ["eve@example.org"]

    @pytest.mark.parametrize("kind", ["Required", "Optional", "Resource"])
    def test_every_attendee_type_is_invited_in_both_formats(
        self, alice: Connection, bob: Connection, kind: str
    ) -> None:
        flat = alice.meet("Flat", **{f"{kind}Attendees": "bob@example.com"})
        said = [{"EmailAddress": {"Address": "bob@example.com", "Name": "Bob"}, "Type": kind}]
        span = {"Start": "2026-03-05T10:00:00Z", "End": "2026-03-05T11:00:00Z"}
        nested = alice.post(V1, {"Subject": "Nested", **span, "Attendees": said}).json()

        assert alice.event(nested["Id"])[f"{kind}Attendees"] == "bob@example.com;"
        assert alice.get(f"{V1}/{flat['Id']}")["Attendees"][0]["Type"] == kind
        assert [event["Subject"] for event in bob.events()] == ["Nested", "Flat"]

    def test_an_organizer_is_never_an_attendee(self, alice: Connection) -> None:
        meeting = alice.meet(RequiredAttendees="ALICE@example.com")

        assert meeting["RequiredAttendees"] == ""
        assert len(alice.events()) == 1
        assert alice.mails() == []

    def test_a_new_mailbox_gets_its_earlier_invitations(self, sandbox: Sandbox, alice: Connection) -> None:
        alice.meet("Early", RequiredAttendees="late@example.com")
        alice.meet("Off", RequiredAttendees="other@example.com")

        late = sandbox.connect("late")

        assert [(event["Subject"], event["ResponseType"]) for event in late.events()] == [("Early", 5)]
        assert late.mail()["Subject"] == "Early"

    def test_an_invalid_address_invites_nobody(self, alice: Connection, bob: Connection) -> None:
        span = {"Start": "2026-03-05T10:00:00Z", "End": "2026-03-05T11:00:00Z"}
        body = {"Subject": "x", **span, "RequiredAttendees": "bob@example.com", "OptionalAttendees": "nobody at all"}
        answer = alice.http.post("/datasets/calendars/v3/tables/Calendar/items", json=body)

        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "ErrorInvalidRecipients"
        assert alice.events() == bob.events() == bob.mails() == []


class TestAnswering:
    @pytest.mark.parametrize(
        ("said", "name", "shown"),
        [
            ("Accept", "Accepted", "Busy"),
            ("accept", "Accepted", "Busy"),
            ("Tentatively Accept", "TentativelyAccepted", "Tentative"),
            ("Tentatively%20Accept", "TentativelyAccepted", "Tentative"),
            ("TentativelyAccept", "TentativelyAccepted", "Tentative"),
            ("tentativelyaccept", "TentativelyAccepted", "Tentative"),
        ],
    )
    def test_every_spelling_of_a_response(
        self, alice: Connection, bob: Connection, said: str, name: str, shown: str
    ) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com;carol@example.org", ShowAs="Busy")
        (copy,) = bob.events()

        bob.respond(copy["Id"], said)

        answered = bob.event(bob.events()[0]["Id"])
        assert (answered["ResponseType"], answered["ShowAs"]) == (name, shown)
        assert not answered["ResponseTime"].startswith("0001")
        assert attendees(alice, meeting["Id"]) == {"bob@example.com": name, "carol@example.org": "None"}
        mail = alice.mail()
        assert mail["From"] == "bob@example.com"
        assert mail["Subject"].endswith(": Review")

    def test_the_response_mail_contains_a_comment_and_a_calendar_reply(
        self, alice: Connection, bob: Connection
    ) -> None:
        alice.meet("Review", RequiredAttendees="bob@example.com")
        bob.respond(bob.events()[0]["Id"], "Decline", Comment="On <holiday>", SendResponse=True)

        mail = alice.mail()
        part, calendar = calendar_part(alice, mail)

        assert mail["Subject"] == "Declined: Review"
        assert "On &lt;holiday&gt;" in mail["Body"]
        assert part.get_param("method") == "REPLY"
        event = only_event(calendar)
        assert event["ATTENDEE"].params["PARTSTAT"] == "DECLINED"
        assert event["UID"] == alice.view()[0]["ICalUId"]

    def test_a_single_occurrence_can_be_answered(self, alice: Connection, bob: Connection) -> None:
        alice.meet("Daily", RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=3)
        second = bob.view()[1]

        bob.respond(second["Id"], "Accept")

        assert [event["ResponseType"] for event in bob.view()] == ["NotResponded", "Accepted", "NotResponded"]
        theirs = alice.view()
        assert [attendees(alice, event["Id"])["bob@example.com"] for event in theirs] == ["None", "Accepted", "None"]

    def test_no_answer_without_an_invitation(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet()
        for connection, id, response, status in (
            (alice, meeting["Id"], "Accept", 400),
            (alice, meeting["Id"], "Perhaps", 400),
            (bob, meeting["Id"], "Accept", 404),
            (bob, "nonsense", "Accept", 400),
        ):
            answer = connection.http.post(f"/codeless/api/v2.0/me/events/{id}/{response}")
            assert answer.status_code == status, answer.text


class TestUpdating:
    def test_a_new_time_updates_the_copies_and_resets_responses(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        bob.respond(bob.events()[0]["Id"], "Accept")
        (copy,) = bob.events()

        alice.change(meeting["Id"], Start="2026-03-06T10:00:00Z", End="2026-03-06T11:00:00Z")

        moved = bob.event(copy["Id"])
        assert moved["Start"].startswith("2026-03-06T10:00")
        assert moved["ResponseType"] == "NotResponded"
        assert attendees(alice, meeting["Id"]) == {"bob@example.com": "None"}
        assert len(bob.mails()) == 2

    def test_other_changes_keep_the_response(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        bob.respond(bob.events()[0]["Id"], "Accept")
        (copy,) = bob.events()

        alice.change(meeting["Id"], Location="Hall", Subject="Big review")

        updated = bob.event(copy["Id"])
        assert (updated["Location"], updated["Subject"], updated["ResponseType"]) == ("Hall", "Big review", "Accepted")
        assert attendees(alice, meeting["Id"]) == {"bob@example.com": "Accepted"}

    def test_personal_fields_stay_in_the_copies(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        (copy,) = bob.events()
        bob.change(copy["Id"], Reminder=60)

        alice.change(meeting["Id"], ShowAs="Oof", Reminder=5)
        assert (bob.event(copy["Id"])["Reminder"], bob.event(copy["Id"])["ShowAs"]) == (60, "Tentative")

        alice.change(meeting["Id"], Location="Hall")
        assert bob.event(copy["Id"])["Reminder"] == 60

    def test_an_attendee_changes_only_their_own_copy(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")

        bob.change(bob.events()[0]["Id"], Subject="Mine")

        assert alice.event(meeting["Id"])["Subject"] == "Review"
        assert alice.mails() == []

    def test_attendees_can_be_added_and_removed(self, sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
        carol = sandbox.connect("carol")
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")

        alice.change(meeting["Id"], RequiredAttendees="carol@example.com")

        assert [event["Subject"] for event in bob.events()] == ["Canceled: Review"]
        assert [mail["Subject"] for mail in bob.mails()] == ["Canceled: Review", "Review"]
        assert [event["Subject"] for event in carol.events()] == ["Review"]
        assert [mail["Subject"] for mail in carol.mails()] == ["Review"]

    def test_attendees_get_an_update_whatever_was_changed(
        self, sandbox: Sandbox, alice: Connection, bob: Connection
    ) -> None:
        """From the vendor's page of the Office 365 twin, state of 2026-05."""
        carol = sandbox.connect("carol")
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")

        alice.change(meeting["Id"], OptionalAttendees="carol@example.com")
        assert (len(bob.mails()), len(carol.mails())) == (2, 1)
        assert bob.events()[0]["OptionalAttendees"] == "carol@example.com;"

        alice.change(meeting["Id"], Reminder=5)
        assert (len(bob.mails()), len(carol.mails())) == (3, 2)


class TestCancelling:
    def test_deletion_cancels_the_copies(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=2)

        assert alice.http.delete(f"{V1}/{meeting['Id']}").status_code == 200

        assert alice.events() == []
        (copy,) = bob.get(V1)["value"]
        assert (copy["Subject"], copy["IsCancelled"], copy["ShowAs"]) == ("Canceled: Review", True, "Free")
        mail = bob.mails()[0]
        part, calendar = calendar_part(bob, mail)
        assert mail["Subject"] == "Canceled: Review"
        assert part.get_param("method") == "CANCEL"
        assert only_event(calendar)["STATUS"] == "CANCELLED"

    def test_a_single_occurrence_can_be_cancelled(self, alice: Connection, bob: Connection) -> None:
        alice.meet("Daily", RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=3)

        alice.http.delete(f"{V1}/{alice.view()[1]['Id']}")

        assert len(alice.view()) == 2
        assert [event["Subject"] for event in bob.view()] == ["Daily", "Canceled: Daily", "Daily"]

    def test_deleting_a_copy_does_not_affect_others(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")

        bob.http.delete(f"{V1}/{bob.events()[0]['Id']}")

        assert bob.events() == []
        assert alice.event(meeting["Id"])["Subject"] == "Review"
        assert alice.mails() == []


class TestSingleOccurrences:
    """Invitations to single occurrences of a series, and the mails about them."""

    @pytest.fixture
    def weekly(self, alice: Connection, bob: Connection) -> dict[str, Any]:
        return alice.meet("Weekly", RequiredAttendees="bob@example.com", Recurrence="Weekly", NumberOfOccurrences=4)

    def test_a_mail_about_an_occurrence_names_it(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        second, third = alice.view()[1:3]
        alice.change(second["Id"], Location="Hall")
        _, changed = calendar_part(bob, bob.mails()[0])
        alice.http.delete(f"{V1}/{third['Id']}")
        _, off = calendar_part(bob, bob.mails()[0])

        assert only_event(changed)["RECURRENCE-ID"].dt.isoformat() == "2026-03-11T10:00:00+00:00"
        assert "RRULE" not in only_event(changed)
        assert (off["METHOD"], only_event(off)["RECURRENCE-ID"].dt.day) == ("CANCEL", 18)

    def test_a_mail_about_a_series_contains_its_exceptions(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        second, third = alice.view()[1:3]
        alice.change(second["Id"], Subject="Special")
        alice.http.delete(f"{V1}/{third['Id']}")
        alice.change(weekly["Id"], Location="Hall")

        _, calendar = calendar_part(bob, bob.mails()[0])
        series, special = cast("list[icalendar.Event]", calendar.walk("VEVENT"))
        assert [moment.day for moment in series.exdates] == [18]
        assert special["SUMMARY"] == "Special"
        assert special.sequence > 0

    def test_a_response_to_an_occurrence_names_it(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        bob.respond(bob.view()[1]["Id"], "Accept")

        _, calendar = calendar_part(alice, alice.mail())
        assert only_event(calendar)["RECURRENCE-ID"].dt.day == 11

    def test_an_attendee_of_two_occurrences_sees_only_these(
        self, sandbox: Sandbox, alice: Connection, weekly: dict[str, Any]
    ) -> None:
        carol = sandbox.connect("carol")
        second, third = alice.view()[1:3]
        for occurrence in (second, third):
            alice.change(occurrence["Id"], OptionalAttendees="carol@example.com")

        assert [event["Start"][8:10] for event in carol.view()] == ["11", "18"]
        carol.respond(carol.view()[1]["Id"], "Accept")
        assert attendees(alice, third["Id"])["carol@example.com"] == "Accepted"
        assert attendees(alice, second["Id"])["carol@example.com"] == "None"

        alice.http.delete(f"{V1}/{weekly['Id']}")
        assert [event["Subject"] for event in carol.view()] == ["Canceled: Weekly", "Canceled: Weekly"]

    def test_an_attendee_invited_later_to_the_series_sees_all_of_it(
        self, sandbox: Sandbox, alice: Connection, weekly: dict[str, Any]
    ) -> None:
        carol = sandbox.connect("carol")
        second = alice.view()[1]
        alice.change(second["Id"], OptionalAttendees="carol@example.com", Subject="Special")
        carol.respond(carol.view()[0]["Id"], "Accept")

        alice.change(weekly["Id"], OptionalAttendees="carol@example.com")

        seen = [(event["Subject"], event["ResponseType"]) for event in carol.view()]
        assert seen == [
            ("Weekly", "NotResponded"),
            ("Special", "Accepted"),
            ("Weekly", "NotResponded"),
            ("Weekly", "NotResponded"),
        ]
        assert len(carol.events()) == 1

    def test_attendee_changes_of_a_series_reach_its_exceptions(
        self, sandbox: Sandbox, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        carol = sandbox.connect("carol")
        second = alice.view()[1]
        alice.change(second["Id"], Subject="Special")

        alice.change(weekly["Id"], RequiredAttendees="carol@example.com")
        assert list(attendees(alice, second["Id"])) == ["carol@example.com"]
        alice.change(second["Id"], Subject="More special")

        assert [event["Subject"] for event in carol.view()] == ["Weekly", "More special", "Weekly", "Weekly"]
        assert all(event["Subject"].startswith("Canceled: ") for event in bob.view())

    def test_an_occurrence_with_only_a_response_follows_its_series(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        bob.respond(bob.view()[1]["Id"], "Accept")

        alice.change(weekly["Id"], Subject="Renamed", Location="Hall", End="2026-03-04T12:00:00Z")

        for connection in (alice, bob):
            seen = [(event["Subject"], event["Location"], event["End"][11:16]) for event in connection.view()]
            assert seen == [("Renamed", "Hall", "12:00")] * 4

    def test_a_response_to_a_series_keeps_earlier_responses(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        third = bob.view()[2]
        alice.change(alice.view()[1]["Id"], Location="Hall")
        bob.respond(third["Id"], "Tentatively Accept")
        bob.respond(bob.events()[0]["Id"], "Accept")

        own = [event["ResponseType"] for event in bob.view()]
        assert own == ["Accepted", "Accepted", "TentativelyAccepted", "Accepted"]
        assert [attendees(alice, event["Id"])["bob@example.com"] for event in alice.view()] == own

    def test_an_attendee_who_moved_a_copy_still_gets_occurrence_updates(
        self, alice: Connection, bob: Connection, weekly: dict[str, Any]
    ) -> None:
        bob.change(bob.events()[0]["Id"], Start="2026-03-04T15:00:00Z", End="2026-03-04T15:30:00Z")

        alice.change(alice.view()[1]["Id"], Subject="Special")

        assert "Special" in [event["Subject"] for event in bob.view()]


class TestAddresses:
    def test_a_tagged_address_is_the_same_attendee(self, sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob+work@example.com;alice+me@example.com")
        assert alice.event(meeting["Id"])["RequiredAttendees"] == "bob+work@example.com;"

        bob.respond(bob.events()[0]["Id"], "Accept")
        assert attendees(alice, meeting["Id"]) == {"bob+work@example.com": "Accepted"}

        alice.change(meeting["Id"], RequiredAttendees="bob@example.com")
        assert bob.events()[0]["Subject"] == "Review"
        alice.meet("Late", RequiredAttendees="zed+x@example.com")
        assert [event["Subject"] for event in sandbox.connect("zed").events()] == ["Late"]

    def test_an_attendees_own_change_keeps_the_attendee(self, alice: Connection, bob: Connection) -> None:
        alice.meet("Review", RequiredAttendees="bob@example.com;carol@example.org")
        (copy,) = bob.events()

        assert bob.change(copy["Id"], Reminder=30)["RequiredAttendees"] == "bob@example.com;carol@example.org;"

    def test_an_attendee_invited_again_must_respond_again(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        bob.respond(bob.events()[0]["Id"], "Accept")
        alice.change(meeting["Id"], RequiredAttendees="")
        alice.change(meeting["Id"], RequiredAttendees="bob@example.com")

        (copy,) = bob.events()
        assert (copy["Subject"], copy["ResponseType"], copy["ShowAs"]) == ("Review", 5, 1)

    def test_sending_back_a_whole_event_sends_no_mail(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com", Location="Hall")
        whole = alice.get(f"{V1}/{meeting['Id']}")

        answer = alice.http.patch(f"{V1}/{meeting['Id']}", json=whole)

        assert answer.status_code == 200
        assert len(bob.mails()) == 1

    def test_a_cancelled_meeting_rejects_responses(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        alice.http.delete(f"{V1}/{meeting['Id']}")

        assert bob.http.post(f"/codeless/api/v2.0/me/events/{bob.events()[0]['Id']}/Accept").status_code == 400

    def test_a_patch_returns_the_same_event_as_a_read(self, alice: Connection, bob: Connection) -> None:
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com")
        bob.respond(bob.events()[0]["Id"], "Accept")
        span = {"Start": "2026-03-06T10:00:00Z", "End": "2026-03-06T11:00:00Z"}

        assert alice.http.patch(f"{V1}/{meeting['Id']}", json=span).json() == alice.get(f"{V1}/{meeting['Id']}")
