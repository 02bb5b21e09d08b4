"""A meeting's life among three mailboxes: each one's calendar is right after every step."""

from __future__ import annotations

from tests.conftest import Connection, Sandbox


def shown(connection: Connection) -> list[tuple[str, str, str]]:
    """What a week looks like to someone: subject, start and the own answer."""
    seen = connection.view("2026-03-02", "2026-03-09")
    return [(one["Subject"], one["Start"][8:16], one["ResponseType"]) for one in seen]


def answers(connection: Connection, event_id: str) -> list[tuple[str, str]]:
    attendees = connection.get(f"/datasets/calendars/tables/Calendar/items/{event_id}")["Attendees"]
    return [(one["EmailAddress"]["Address"].partition("@")[0], one["Status"]["Response"]) for one in attendees]


def test_the_life_of_a_meeting(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    carol = sandbox.connect("carol")
    everyone = (alice, bob, carol)

    # Alice invites the two to a stand-up on three days, at nine in London.
    meeting = alice.meet(
        "Stand-up",
        "2026-03-03T09:00:00",
        TimeZone="(UTC+00:00) Dublin, Edinburgh, Lisbon, London",
        RequiredAttendees="bob@example.com",
        OptionalAttendees="carol@example.com",
        Recurrence="Daily",
        NumberOfOccurrences=3,
        ShowAs="Busy",
    )
    days = ["03T09:00", "04T09:00", "05T09:00"]
    assert shown(alice) == [("Stand-up", day, "Organizer") for day in days]
    assert shown(bob) == shown(carol) == [("Stand-up", day, "NotResponded") for day in days]
    assert [one.mail()["Subject"] for one in (bob, carol)] == ["Stand-up", "Stand-up"]

    # Bob accepts, Carol declines; Alice sees both.
    bob.respond(bob.events()[0]["Id"], "Accept", Comment="Gladly")
    carol.respond(carol.events()[0]["Id"], "Decline")
    assert shown(bob) == [("Stand-up", day, "Accepted") for day in days]
    assert shown(carol) == [("Stand-up", day, "Declined") for day in days]
    assert answers(alice, meeting["Id"]) == [("bob", "Accepted"), ("carol", "Declined")]
    assert [one["Subject"] for one in alice.mails()] == ["Declined: Stand-up", "Accepted: Stand-up"]

    # Alice moves it by an hour: everyone is asked again.
    alice.change(meeting["Id"], Start="2026-03-03T10:00:00", End="2026-03-03T10:30:00")
    days = ["03T10:00", "04T10:00", "05T10:00"]
    assert shown(alice) == [("Stand-up", day, "Organizer") for day in days]
    assert shown(bob) == shown(carol) == [("Stand-up", day, "NotResponded") for day in days]
    assert answers(alice, meeting["Id"]) == [("bob", "None"), ("carol", "None")]
    bob.respond(bob.events()[0]["Id"], "Tentatively Accept", SendResponse=False)
    assert answers(alice, meeting["Id"]) == [("bob", "TentativelyAccepted"), ("carol", "None")]

    # She puts the second one into the afternoon, under another name; the series stays.
    second = alice.view("2026-03-04", "2026-03-05")[0]
    alice.change(second["Id"], Subject="Retrospective", Start="2026-03-04T15:00:00", End="2026-03-04T16:00:00")
    moved = ("Retrospective", "04T15:00")
    assert shown(alice)[1] == (*moved, "Organizer")
    assert shown(bob)[1] == shown(carol)[1] == (*moved, "NotResponded")
    assert [one[0] for one in shown(bob)] == ["Stand-up", "Retrospective", "Stand-up"]
    assert shown(bob)[0][2] == "TentativelyAccepted"
    for one in everyone:
        assert [event["Subject"] for event in one.events()] == ["Stand-up"]

    # Carol accepts that one alone.
    carol.respond(carol.view("2026-03-04", "2026-03-05")[0]["Id"], "Accept")
    assert [one[2] for one in shown(carol)] == ["NotResponded", "Accepted", "NotResponded"]
    assert answers(alice, second["Id"]) == [("bob", "None"), ("carol", "Accepted")]

    # The third is off, then the whole series is.
    third = alice.view("2026-03-05", "2026-03-06")[0]
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{third['Id']}")
    assert [one[0] for one in shown(alice)] == ["Stand-up", "Retrospective"]
    assert [one[0] for one in shown(bob)] == ["Stand-up", "Retrospective", "Canceled: Stand-up"]
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{meeting['Id']}")
    assert shown(alice) == []
    cancelled = ["Canceled: Stand-up", "Canceled: Retrospective", "Canceled: Stand-up"]
    assert [one[0] for one in shown(bob)] == [one[0] for one in shown(carol)] == cancelled
    assert bob.mails()[0]["Subject"] == "Canceled: Stand-up"

    # Bob tidies up.
    bob.http.delete(f"/datasets/calendars/tables/Calendar/items/{bob.events()[0]['Id']}")
    assert shown(bob) == []
    assert len(shown(carol)) == 3
