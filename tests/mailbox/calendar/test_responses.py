"""Responses to invitations through HTTP: what becomes of the attendee's event, and what the organizer learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.connectors.outlook import ResponseToEventInvite

from tests.conftest import Connection, Sandbox

V1 = "/datasets/calendars/tables/Calendar/items"
V2_TABLE = "/datasets/calendars/v2/tables/Calendar"
NOT_REQUESTED = "Your request can't be completed. The meeting organizer hasn't requested a response."


def response_of(organizer: Connection, event_id: str) -> str:
    """Return the response of the only attendee in the organizer's event."""
    (attendee,) = organizer.get(f"{V1}/{event_id}")["Attendees"]
    response: str = attendee["Status"]["Response"]
    return response


def status_of(connection: Connection, event_id: str) -> int:
    return connection.http.get(f"{V2_TABLE}/items/{event_id}").status_code


class Watch:
    """A trigger of a connection, polled by its cursor."""

    def __init__(self, connection: Connection, trigger: str) -> None:
        self._connection = connection
        self._location = connection.http.get(f"{V2_TABLE}/{trigger}").headers["Location"]

    def poll(self) -> list[dict[str, Any]]:
        answer = self._connection.http.get(self._location)
        self._location = answer.headers["Location"]
        return answer.json()["value"] if answer.status_code == 200 else []


@pytest.fixture
def meeting(alice: Connection, bob: Connection) -> dict[str, Any]:
    return alice.meet("Review", RequiredAttendees="bob@example.com", ShowAs="Busy")


@pytest.fixture
def daily(alice: Connection, bob: Connection) -> dict[str, Any]:
    return alice.meet("Daily", RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=3)


class TestDeclining:
    """A declined meeting leaves the attendee's calendar.

    From notes on live use of the mail service behind the connector: microsoftgraph/microsoft-graph-docs 2284, 2018.
    """

    @pytest.mark.parametrize("said", ["Decline", "decline", "Declined"])
    def test_a_declined_meeting_leaves_the_calendar(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any], said: str
    ) -> None:
        """From notes on live use of the mail service: microsoftgraph/microsoft-graph-docs 2284, 2018."""
        (copy,) = bob.events()
        changed = Watch(bob, "onchangeditems")

        bob.respond(copy["Id"], said)

        assert bob.events() == bob.view() == []
        assert status_of(bob, copy["Id"]) == 404
        assert [(item["ActionType"], item["Id"]) for item in changed.poll()] == [("deleted", copy["Id"])]
        assert response_of(alice, meeting["Id"]) == "Declined"
        assert [mail["Subject"] for mail in alice.mails()] == ["Declined: Review"]

    def test_without_a_response_mail_it_leaves_alike(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any]
    ) -> None:
        bob.respond(bob.events()[0]["Id"], "Decline", SendResponse=False)

        assert bob.events() == []
        assert (response_of(alice, meeting["Id"]), alice.mails()) == ("None", [])

    def test_one_occurrence_leaves_its_series(self, alice: Connection, bob: Connection, daily: dict[str, Any]) -> None:
        second = bob.view()[1]
        changed = Watch(bob, "onchangeditems")

        bob.respond(second["Id"], "Decline")

        assert [event["Start"][8:10] for event in bob.view()] == ["04", "06"]
        assert status_of(bob, second["Id"]) == 404
        assert [(item["ActionType"], item["Id"]) for item in changed.poll()] == [("deleted", second["Id"])]
        assert [response_of(alice, event["Id"]) for event in alice.view()] == ["None", "Declined", "None"]

    def test_a_series_leaves_with_its_exceptions(
        self, alice: Connection, bob: Connection, daily: dict[str, Any]
    ) -> None:
        alice.change(alice.view()[1]["Id"], Subject="Special")

        bob.respond(bob.events()[0]["Id"], "Decline")

        assert bob.events() == bob.view() == []
        assert [response_of(alice, event["Id"]) for event in alice.view()] == ["Declined"] * 3

    def test_an_update_invites_again(self, alice: Connection, bob: Connection, meeting: dict[str, Any]) -> None:
        """Inferred: an update is a meeting request, which puts an event into a calendar that has none."""
        bob.respond(bob.events()[0]["Id"], "Decline")

        alice.change(meeting["Id"], Location="Hall")

        assert [(event["Location"], event["ResponseType"]) for event in bob.events()] == [("Hall", 5)]

    def test_an_update_of_the_series_leaves_a_declined_occurrence_away(
        self, alice: Connection, bob: Connection, daily: dict[str, Any]
    ) -> None:
        bob.respond(bob.view()[1]["Id"], "Decline")

        alice.change(daily["Id"], Location="Hall")

        seen = [(event["Start"][8:10], event["Location"]) for event in bob.view()]
        assert seen == [("04", "Hall"), ("06", "Hall")]

    def test_an_update_of_a_declined_occurrence_invites_to_it_again(
        self, alice: Connection, bob: Connection, daily: dict[str, Any]
    ) -> None:
        bob.respond(bob.view()[1]["Id"], "Decline")

        alice.change(alice.view()[1]["Id"], Location="Hall")

        assert [event["Location"] for event in bob.view()] == ["", "Hall", ""]

    def test_a_cancellation_of_a_declined_meeting_is_only_a_mail(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any]
    ) -> None:
        bob.respond(bob.events()[0]["Id"], "Decline")

        alice.http.delete(f"{V1}/{meeting['Id']}")

        assert bob.events() == []
        assert bob.mails()[0]["Subject"] == "Canceled: Review"

    def test_a_declined_meeting_can_stay(self, configured: Callable[..., Sandbox]) -> None:
        """`--declined keep`, the way of Outlook's later option to keep declined events."""
        sandbox = configured(declined="keep")
        alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com", ShowAs="Busy")
        (copy,) = bob.events()

        bob.respond(copy["Id"], "Decline")

        answered = bob.event(copy["Id"])
        assert (answered["ResponseType"], answered["ShowAs"]) == ("Declined", "Free")
        assert response_of(alice, meeting["Id"]) == "Declined"


class TestAccepting:
    """Accepting makes the event anew. From the vendor's page of the Office 365 twin, state of 2026-05."""

    @pytest.mark.parametrize("said", ["Accept", "accepted"])
    def test_accepting_makes_the_event_anew(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any], said: str
    ) -> None:
        """From the vendor's page of the Office 365 twin: new Id, new created time, and "created" fires again."""
        (copy,), (seen,) = bob.events(), bob.view()
        created, updated = Watch(bob, "onnewitems"), Watch(bob, "onupdateditems")
        changed = Watch(bob, "onchangeditems")
        bob.api.post("/clock", json={"advance": "1m"}).raise_for_status()

        bob.respond(copy["Id"], said)

        (new,) = bob.events()
        assert new["Id"] != copy["Id"]
        assert new["DateTimeCreated"] > copy["DateTimeCreated"]
        assert (new["ResponseType"], new["ShowAs"]) == (3, 2)
        assert bob.view()[0]["ICalUId"] == seen["ICalUId"] == alice.view()[0]["ICalUId"]
        assert status_of(bob, copy["Id"]) == 404
        assert [item["Id"] for item in created.poll()] == [new["Id"]]
        assert updated.poll() == []
        actions = {item["Id"]: item["ActionType"] for item in changed.poll()}
        assert actions == {copy["Id"]: "deleted", new["Id"]: "added"}
        assert response_of(alice, meeting["Id"]) == "Accepted"

    def test_updates_and_cancellations_reach_the_new_event(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any]
    ) -> None:
        bob.respond(bob.events()[0]["Id"], "Accept")
        (new,) = bob.events()

        alice.change(meeting["Id"], Location="Hall")
        assert bob.event(new["Id"])["Location"] == "Hall"
        assert bob.event(new["Id"])["ResponseType"] == "Accepted"

        alice.http.delete(f"{V1}/{meeting['Id']}")
        assert bob.event(new["Id"])["Subject"] == "Canceled: Review"

    def test_a_series_takes_its_exceptions_along(
        self, alice: Connection, bob: Connection, daily: dict[str, Any]
    ) -> None:
        alice.change(alice.view()[1]["Id"], Subject="Special")
        alice.http.delete(f"{V1}/{alice.view()[2]['Id']}")
        before = bob.view()
        created = Watch(bob, "onnewitems")

        bob.respond(bob.events()[0]["Id"], "Accept")

        seen = bob.view()
        assert [event["Subject"] for event in seen] == ["Daily", "Special", "Canceled: Daily"]
        assert [event["ResponseType"] for event in seen[:2]] == ["Accepted", "Accepted"]
        (series,) = bob.events()
        assert {event["SeriesMasterId"] for event in seen} == {series["Id"]}
        assert not {event["Id"] for event in seen} & {event["Id"] for event in before}
        assert [item["Id"] for item in created.poll()] == [series["Id"]]
        alice.change(alice.view()[1]["Id"], Location="Hall")
        assert bob.view()[1]["Location"] == "Hall"

    def test_an_occurrence_keeps_its_id(self, alice: Connection, bob: Connection, daily: dict[str, Any]) -> None:
        """Inferred: the id of an occurrence belongs to its series, which is not accepted."""
        second = bob.view()[1]

        bob.respond(second["Id"], "Accept")

        assert bob.event(second["Id"])["ResponseType"] == "Accepted"
        assert len(bob.view()) == 3

    def test_a_tentatively_accepted_meeting_keeps_its_id(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any]
    ) -> None:
        """Inferred: the vendor's page speaks of accepting alone."""
        (copy,) = bob.events()
        created = Watch(bob, "onnewitems")

        bob.respond(copy["Id"], "Tentatively Accept")

        assert bob.event(copy["Id"])["ResponseType"] == "TentativelyAccepted"
        assert created.poll() == []

    def test_an_id_of_the_old_mail_service_is_new_as_well(self, configured: Callable[..., Sandbox]) -> None:
        sandbox = configured(event_ids="ews")
        alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
        alice.meet("Daily", RequiredAttendees="bob@example.com", Recurrence="Daily", NumberOfOccurrences=2)
        old = bob.events()[0]["Id"]

        answer = bob.http.post(f"/codeless/api/v2.0/me/events/{old.replace('/', '%2F')}/Accept")

        assert answer.status_code == 202, answer.text
        (new,) = bob.events()
        assert "/" in new["Id"]
        assert new["Id"] != old
        assert {event["SeriesMasterId"] for event in bob.view()} == {new["Id"]}

    def test_an_accepted_meeting_can_keep_its_id(self, configured: Callable[..., Sandbox]) -> None:
        """`--accepted keep`."""
        sandbox = configured(accepted="keep")
        alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
        alice.meet("Review", RequiredAttendees="bob@example.com", ShowAs="Busy")
        (copy,) = bob.events()
        created = Watch(bob, "onnewitems")

        bob.respond(copy["Id"], "Accept")

        answered = bob.event(copy["Id"])
        assert (answered["ResponseType"], answered["ShowAs"]) == ("Accepted", "Busy")
        assert answered["DateTimeCreated"] == copy["DateTimeCreated"]
        assert created.poll() == []


class TestSendResponse:
    @pytest.mark.parametrize(("said", "response"), [("Accept", 3), ("Tentatively Accept", 2), ("Decline", None)])
    def test_send_response_false_tells_the_organizer_nothing(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any], said: str, response: int | None
    ) -> None:
        """The definition has the switch; that no other way tells the organizer is how the mail service works: an
        organizer's event follows the response mails.
        """
        before = alice.get(f"{V1}/{meeting['Id']}")
        answer = ResponseToEventInvite(comment="Quietly", send_response=False)

        bob.sdk("respond_to_event_async", answer, bob.events()[0]["Id"], said)

        assert [event["ResponseType"] for event in bob.events()] == ([] if response is None else [response])
        assert alice.get(f"{V1}/{meeting['Id']}") == before
        assert alice.mails() == bob.mails("Sent Items") == []

    def test_send_response_false_for_an_occurrence_tells_nothing(
        self, alice: Connection, bob: Connection, daily: dict[str, Any]
    ) -> None:
        bob.respond(bob.view()[1]["Id"], "Accept", SendResponse=False)

        assert [event["ResponseType"] for event in bob.view()] == ["NotResponded", "Accepted", "NotResponded"]
        assert [response_of(alice, event["Id"]) for event in alice.view()] == ["None"] * 3

    @pytest.mark.parametrize("body", [None, {}, {"Comment": "Hi"}, {"SendResponse": None}, {"SendResponse": True}])
    def test_a_response_is_sent_by_default(
        self, alice: Connection, bob: Connection, meeting: dict[str, Any], body: dict[str, Any] | None
    ) -> None:
        """From the connector's definition: the default is true."""
        bob.post(f"/codeless/api/v2.0/me/events/{bob.events()[0]['Id']}/Accept", body)

        assert response_of(alice, meeting["Id"]) == "Accepted"
        assert alice.mail()["Subject"] == "Accepted: Review"

    @pytest.mark.parametrize("said", ["Accept", "Tentatively Accept", "Decline"])
    def test_sending_a_response_that_was_not_requested_is_refused(
        self, alice: Connection, bob: Connection, said: str
    ) -> None:
        """Recorded from the mail service behind the connector, in seven public files."""
        meeting = alice.meet("Review", RequiredAttendees="bob@example.com", ResponseRequested=False)
        (copy,) = bob.events()
        path = f"/codeless/api/v2.0/me/events/{copy['Id']}/{said}"

        for body in ({}, {"SendResponse": True}):
            answer = bob.http.post(path, json=body)
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert (error["code"], error["message"]) == ("ErrorInvalidRequest", NOT_REQUESTED)
        assert bob.events() == [copy]
        assert response_of(alice, meeting["Id"]) == "None"

        assert bob.http.post(path, json={"SendResponse": False}).status_code == 202
        assert [event["ResponseType"] for event in bob.events()] != [5]


def test_an_upcoming_meeting_that_is_accepted_is_returned_again(alice: Connection, bob: Connection) -> None:
    """Inferred: accepting makes a new event, and the trigger returns each event once."""
    alice.meet("Soon", "2026-03-02T09:20:00Z", RequiredAttendees="bob@example.com")
    path = "/v2/Events/OnUpcomingEvents"
    first = bob.http.get(path, params={"table": "Calendar", "lookAheadTimeInMinutes": 30})
    second = bob.http.get(first.headers["Location"])
    assert [event["Subject"] for event in second.json()["value"]] == ["Soon"]

    bob.respond(bob.events()[0]["Id"], "Accept")

    third = bob.http.get(second.headers["Location"])
    assert [event["Id"] for event in third.json()["value"]] == [bob.events()[0]["Id"]]
    assert bob.http.get(third.headers["Location"]).status_code == 202


def test_an_occurrence_shows_as_its_own_response_says(alice: Connection, bob: Connection) -> None:
    """A response to the series changes neither response nor ShowAs of an occurrence that has its own; inferred."""
    alice.meet(Recurrence="Daily", NumberOfOccurrences=3, RequiredAttendees=bob.address, ShowAs="Busy")
    bob.respond(bob.view()[1]["Id"], "TentativelyAccept")

    bob.respond(bob.events()[0]["Id"], "Accept")

    shown = [(event["ResponseType"], event["ShowAs"]) for event in bob.view()]
    assert shown == [("Accepted", "Busy"), ("TentativelyAccepted", "Tentative"), ("Accepted", "Busy")]
