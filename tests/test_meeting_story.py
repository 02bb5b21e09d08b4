"""A meeting of three mailboxes: every calendar is correct after each step."""

from __future__ import annotations

from tests.conftest import Connection, Sandbox


def shown(connection: Connection) -> list[tuple[str, str, str]]:
    """Return the events of one week in a calendar: subject, start and the owner's response."""
    events = connection.view("2026-03-02", "2026-03-09")
    return [(event["Subject"], event["Start"][8:16], event["ResponseType"]) for event in events]


def responses(connection: Connection, event_id: str) -> list[tuple[str, str]]:
    attendees = connection.get(f"/datasets/calendars/tables/Calendar/items/{event_id}")["Attendees"]
    return [(entry["EmailAddress"]["Address"].partition("@")[0], entry["Status"]["Response"]) for entry in attendees]


def test_life_of_a_meeting(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    carol = sandbox.connect("carol")
    everyone = (alice, bob, carol)

    # Alice invites Bob and Carol to a stand-up on three days, at nine in London.
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
    assert [guest.mail()["Subject"] for guest in (bob, carol)] == ["Stand-up", "Stand-up"]

    # Bob accepts, Carol declines; Alice sees both.
    bob.respond(bob.events()[0]["Id"], "Accept", Comment="Gladly")
    carol.respond(carol.events()[0]["Id"], "Decline")
    assert shown(bob) == [("Stand-up", day, "Accepted") for day in days]
    assert shown(carol) == []
    assert responses(alice, meeting["Id"]) == [("bob", "Accepted"), ("carol", "Declined")]
    assert [mail["Subject"] for mail in alice.mails()] == ["Declined: Stand-up", "Accepted: Stand-up"]

    # Alice moves the meeting by an hour: both are invited again, so it is back in Carol's calendar.
    alice.change(meeting["Id"], Start="2026-03-03T10:00:00", End="2026-03-03T10:30:00")
    days = ["03T10:00", "04T10:00", "05T10:00"]
    assert shown(alice) == [("Stand-up", day, "Organizer") for day in days]
    assert shown(bob) == shown(carol) == [("Stand-up", day, "NotResponded") for day in days]
    assert responses(alice, meeting["Id"]) == [("bob", "None"), ("carol", "None")]
    bob.respond(bob.events()[0]["Id"], "Tentatively Accept")
    assert responses(alice, meeting["Id"]) == [("bob", "TentativelyAccepted"), ("carol", "None")]

    # Alice moves and renames the second occurrence; the series stays unchanged.
    second = alice.view("2026-03-04", "2026-03-05")[0]
    alice.change(second["Id"], Subject="Retrospective", Start="2026-03-04T15:00:00", End="2026-03-04T16:00:00")
    moved = ("Retrospective", "04T15:00")
    assert shown(alice)[1] == (*moved, "Organizer")
    assert shown(bob)[1] == shown(carol)[1] == (*moved, "NotResponded")
    assert [subject for subject, _, _ in shown(bob)] == ["Stand-up", "Retrospective", "Stand-up"]
    assert shown(bob)[0][2] == "TentativelyAccepted"
    for connection in everyone:
        assert [event["Subject"] for event in connection.events()] == ["Stand-up"]

    # Carol accepts only that occurrence.
    carol.respond(carol.view("2026-03-04", "2026-03-05")[0]["Id"], "Accept")
    assert [response for _, _, response in shown(carol)] == ["NotResponded", "Accepted", "NotResponded"]
    assert responses(alice, second["Id"]) == [("bob", "None"), ("carol", "Accepted")]

    # Alice cancels the third occurrence, then the whole series.
    third = alice.view("2026-03-05", "2026-03-06")[0]
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{third['Id']}")
    assert [subject for subject, _, _ in shown(alice)] == ["Stand-up", "Retrospective"]
    assert [subject for subject, _, _ in shown(bob)] == ["Stand-up", "Retrospective", "Canceled: Stand-up"]
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{meeting['Id']}")
    assert shown(alice) == []
    cancelled = ["Canceled: Stand-up", "Canceled: Retrospective", "Canceled: Stand-up"]
    assert [subject for subject, _, _ in shown(bob)] == [subject for subject, _, _ in shown(carol)] == cancelled
    assert bob.mails()[0]["Subject"] == "Canceled: Stand-up"

    # Bob deletes the cancelled series from his calendar.
    bob.http.delete(f"/datasets/calendars/tables/Calendar/items/{bob.events()[0]['Id']}")
    assert shown(bob) == []
    assert len(shown(carol)) == 3
