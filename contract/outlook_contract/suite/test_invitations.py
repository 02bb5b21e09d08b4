"""Journeys of a meeting between two mailboxes: the mailbox under test invites its partner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.suite.events import (
    FLAT_VERSIONS,
    V1,
    Version,
    change,
    create,
    day,
    delete,
    event,
    is_at,
    listed,
    viewed,
    with_subject,
)

_RESPOND = "RespondToEvent"
_LIST = "V3CalendarGetItems"
_NOT_RESPONDED, _TENTATIVE, _ACCEPTED = 5, 2, 3


def test_an_invitation_arrives(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """The attendee has the event, not responded to, and a mail with its subject.

    Strings of attendees end in a semicolon. Notes from live use of the Office 365 twin, by two projects.
    """
    details = {"Location": "Hall", "Body": "<p>Bring numbers</p>"}
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Invited", day(2, 16), **details)
    mailbox.equal("V3CalendarPostItem", "RequiredAttendees", created["RequiredAttendees"], f"{partner_address};")
    mailbox.equal(_LIST, "value[].RequiredAttendees", copy["RequiredAttendees"], f"{partner_address};")
    mailbox.members(_LIST, "value[]", copy, {"ResponseType": _NOT_RESPONDED, "OptionalAttendees": ""})
    mailbox.members(_LIST, "value[]", copy, {name: created[name] for name in ("Body", "Location", "End", "TimeZone")})
    mailbox.holds(_LIST, "value[].Start", copy["Start"], f"{day(2, 16)}", is_at(copy["Start"], day(2, 16)))
    mailbox.equal(_LIST, "value[].Organizer", copy["Organizer"].casefold(), mailbox.address.casefold())
    mail = partner.mail(subject)
    mailbox.equal("GetEmailsV2", "value[].Subject", mail["Subject"], subject)


@FLAT_VERSIONS
def test_attendees_of_each_kind_are_invited(
    mailbox: Mailbox, partner: Mailbox, partner_address: str, version: Version
) -> None:
    """An optional attendee is invited as a required one is, and a resource is a text; addresses keep their case."""
    kinds: dict[str, Any] = {"OptionalAttendees": f"{partner_address};", "ResourceAttendees": "Room 5"}
    kinds["RequiredAttendees"] = "Some.Body@Example.com"
    created = create(mailbox, f"Kinds {version.create}", day(2, 17), version=version, **kinds)
    expected = {"OptionalAttendees": f"{partner_address};", "ResourceAttendees": "Room 5;"}
    expected["RequiredAttendees"] = "Some.Body@Example.com;"
    mailbox.members(version.create, "", created, expected)
    copy = with_subject(partner, created["Subject"])
    mailbox.members(_LIST, "value[]", copy, expected)


def test_the_first_version_lists_attendees(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """The first version has each attendee with address, kind and response of its own, and invites as the others do."""
    attendees = [
        {"EmailAddress": {"Address": partner_address, "Name": "Partner"}, "Type": "Required"},
        {"EmailAddress": {"Address": "someone@example.com", "Name": "Some One"}, "Type": "Optional"},
    ]
    created = create(mailbox, "Nested", day(2, 18), version=V1, Attendees=attendees)
    seen = [{name: attendee[name] for name in ("EmailAddress", "Type")} for attendee in created["Attendees"]]
    mailbox.equal("CalendarPostItem", "Attendees", seen, attendees)
    copy = with_subject(partner, created["Subject"])
    mailbox.equal(_LIST, "value[].ResponseType", copy["ResponseType"], _NOT_RESPONDED)
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Tentatively Accept")
    mailbox.mail(f"Tentative: {created['Subject']}")
    read = mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
    responses = [attendee["Status"]["Response"] for attendee in read["Attendees"]]
    mailbox.equal("CalendarGetItem", "Attendees[].Status.Response", responses, ["TentativelyAccepted", "None"])


def test_accepting_tells_the_organizer(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """The organizer gets a mail with the comment, and sees the response in the event."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Accepted", day(3, 16))
    partner.ok(_RESPOND, {"Comment": "Gladly"}, event_id=copy["Id"], response="Accept")
    mail = mailbox.mail(f"Accepted: {subject}")
    mailbox.holds(_RESPOND, "Comment", mail["Body"], "the comment", "Gladly" in mail["Body"])
    _waits_for_response(mailbox, created, "Accepted")
    answered = with_subject(partner, subject)
    mailbox.equal(_RESPOND, "response", answered["ResponseType"], _ACCEPTED)


def test_accepting_makes_the_event_anew(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An accepted event has a new id, and the old id is not found. Vendor's page of the Office 365 twin."""
    subject, _, copy = _meeting(mailbox, partner, partner_address, "Anew", day(3, 17), Body="<p>Kept</p>")
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Accept")
    answered = with_subject(partner, subject)
    mailbox.equal(_RESPOND, "response", answered["Id"] != copy["Id"], True, known="accepted-event")
    mailbox.members(_LIST, "value[]", answered, {name: copy[name] for name in ("Start", "End", "Body", "Organizer")})
    seen = partner.call("V2CalendarGetItem", table=CALENDAR, id=copy["Id"])
    mailbox.equal(_RESPOND, "response", seen.status, 404, known="accepted-event")


def test_accepting_tentatively_keeps_the_event(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """The event keeps its id, and the organizer gets a mail. That it keeps its id is inferred."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Perhaps", day(3, 18))
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Tentatively Accept")
    mailbox.mail(f"Tentative: {subject}")
    _waits_for_response(mailbox, created, "TentativelyAccepted")
    answered = with_subject(partner, subject)
    mailbox.members(_LIST, "value[]", answered, {"ResponseType": _TENTATIVE})
    mailbox.equal(_RESPOND, "response", answered["Id"], copy["Id"], known="accepted-others")


def test_a_declined_meeting_leaves_the_calendar(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """The attendee's event is gone, and the organizer hears of it. Notes from live use of the mail service."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Declined", day(4, 16))
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Decline")
    mailbox.mail(f"Declined: {subject}")
    _waits_for_response(mailbox, created, "Declined")
    left = [item["Subject"] for item in listed(partner)]
    mailbox.equal(_RESPOND, "response", subject in left, False, known="declined-event")


def test_a_response_that_is_not_sent_tells_nobody(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """With SendResponse false, the attendee's event alone shows the response. Inferred from the mail service."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Quiet", day(4, 17))
    partner.ok(_RESPOND, {"SendResponse": False}, event_id=copy["Id"], response="Tentatively Accept")
    answered = with_subject(partner, subject)
    mailbox.equal(_RESPOND, "SendResponse", answered["ResponseType"], _TENTATIVE)
    mailbox.equal(_RESPOND, "SendResponse", _response(mailbox, created), "None")
    mailbox.equal(_RESPOND, "SendResponse", mailbox.find(f"Tentative: {subject}"), None)


def test_a_response_that_nobody_wants_is_refused(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An event without ResponseRequested refuses a response that is sent. Recorded from the mail service."""
    _, _, copy = _meeting(mailbox, partner, partner_address, "Unasked", day(4, 18), ResponseRequested=False)
    answer = partner.refused(_RESPOND, 400, {}, event_id=copy["Id"], response="Accept", code="ErrorInvalidRequest")
    text = "The meeting organizer hasn't requested a response."
    mailbox.holds(_RESPOND, "message", answer.json(), text, text in str(answer.json()))
    partner.ok(_RESPOND, {"SendResponse": False}, event_id=copy["Id"], response="Accept")


@pytest.mark.parametrize("response", ["Accept", "Decline"])
def test_a_response_without_an_invitation_is_refused(mailbox: Mailbox, response: str) -> None:
    """A response to an own event, to an event that is gone, or with a malformed id is refused."""
    created = create(mailbox, f"Own {response}")
    mailbox.refused(_RESPOND, 400, {}, event_id=created["Id"], response=response)
    delete(mailbox, created)
    mailbox.refused(_RESPOND, 404, {}, event_id=created["Id"], response=response, code="ErrorItemNotFound")
    mailbox.refused(_RESPOND, 400, {}, event_id="nope", response=response, code="ErrorInvalidIdMalformed")


def test_an_update_reaches_the_attendee(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """A new time and place are those of the attendee's event; after a new time it asks for a response again."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Updated", day(5, 16))
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Tentatively Accept")
    _waits_for_response(mailbox, created, "TentativelyAccepted")
    change(mailbox, created, RequiredAttendees=partner_address, Location="Yard")
    partner.until("The first place", lambda: with_subject(partner, subject)["Location"] == "Yard")
    mailbox.equal(_LIST, "value[].ResponseType", with_subject(partner, subject)["ResponseType"], _TENTATIVE)
    mailbox.equal("CalendarGetItem", "Attendees[].Status.Response", _response(mailbox, created), "TentativelyAccepted")
    start = day(5, 18)
    body = event(subject, start, RequiredAttendees=partner_address, Location="Hall")
    mailbox.ok("V3CalendarPatchItem", body, table=CALENDAR, id=created["Id"])

    def moved() -> Any:
        seen = with_subject(partner, subject)
        return seen if seen["Location"] == "Hall" else None

    seen = partner.until("The new place in the attendee's event", moved)
    mailbox.holds(_LIST, "value[].Start", seen["Start"], f"{start}", is_at(seen["Start"], start))
    mailbox.equal(_LIST, "value[].ResponseType", seen["ResponseType"], _NOT_RESPONDED)
    mailbox.equal("CalendarGetItem", "Attendees[].Status.Response", _response(mailbox, created), "None")


def test_an_update_without_attendees_uninvites(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An attendee who is no longer named gets a cancellation."""
    subject, created, _ = _meeting(mailbox, partner, partner_address, "Uninvited", day(5, 17))
    changed = change(mailbox, created, RequiredAttendees="")
    mailbox.equal("V3CalendarPatchItem", "RequiredAttendees", changed["RequiredAttendees"], "")
    partner.mail(f"Canceled: {subject}")
    names = [item["Subject"] for item in listed(partner)]
    mailbox.holds(_LIST, "value[].Subject", names, f"not {subject} as before", subject not in names)


def test_an_update_invites_whom_it_adds(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An attendee who is named later gets the event and the invitation then."""
    created = create(mailbox, "Added", day(5, 19))
    change(mailbox, created, RequiredAttendees=partner_address)
    copy = with_subject(partner, created["Subject"])
    mailbox.equal(_LIST, "value[].ResponseType", copy["ResponseType"], _NOT_RESPONDED)
    partner.mail(created["Subject"])


def test_a_cancelled_meeting_says_so(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """When the organizer deletes a meeting, the attendee gets a mail. That its subject has "Canceled: " is inferred."""
    subject, created, _ = _meeting(mailbox, partner, partner_address, "Off", day(6, 16))
    delete(mailbox, created)
    mail = partner.mail(f"Canceled: {subject}")
    mailbox.equal("GetEmailsV2", "value[].From", mail["From"].casefold(), mailbox.address.casefold())


def test_an_attendee_changes_only_the_own_copy(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """What an attendee deletes stays with the organizer, with the response as it was."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Mine", day(6, 17))
    delete(partner, copy)
    read = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"])
    mailbox.members("V2CalendarGetItem", "", read, {"Subject": subject, "RequiredAttendees": f"{partner_address};"})
    mailbox.equal("CalendarDeleteItem", "", subject in [item["Subject"] for item in listed(partner)], False)
    for box in (mailbox, partner):
        mailbox.equal("CalendarDeleteItem", "Inbox", box.find(f"Canceled: {subject}"), None)


def _meeting(
    mailbox: Mailbox, partner: Mailbox, partner_address: str, text: str, start: datetime, **members: Any
) -> tuple[str, Any, Any]:
    """The subject of a new meeting, the organizer's event, and the attendee's."""
    created = create(mailbox, text, start, RequiredAttendees=partner_address, **members)
    return created["Subject"], created, with_subject(partner, created["Subject"])


def _response(mailbox: Mailbox, created: Any) -> str:
    """The response of the only attendee, as the organizer sees it."""
    (attendee,) = mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])["Attendees"]
    return str(attendee["Status"]["Response"])


def _waits_for_response(mailbox: Mailbox, created: Any, expected: str) -> None:
    mailbox.until(f"The response {expected}", lambda: _response(mailbox, created) == expected)


def test_an_attendee_sees_a_meeting_as_tentative(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """Before a response the attendee's time is tentative, and after an acceptance it is as the organizer's."""
    subject, _, copy = _meeting(mailbox, partner, partner_address, "Shown", day(7, 16), ShowAs="Oof")
    mailbox.members(_LIST, "value[]", copy, {"ShowAs": 1, "ResponseTime": "0001-01-01T00:00:00+00:00"})
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Tentatively Accept")
    answered = with_subject(partner, subject)
    mailbox.members(_LIST, "value[]", answered, {"ShowAs": 1, "ResponseType": _TENTATIVE})
    partner.ok(_RESPOND, {}, event_id=answered["Id"], response="Accept")
    accepted = partner.until("The acceptance", lambda: _accepted(partner, subject))
    mailbox.members(_LIST, "value[]", accepted, {"ShowAs": 3, "ResponseType": _ACCEPTED})


def test_a_response_has_its_time(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """Organizer and attendee see when a response was given, in place of the year 1."""
    subject, created, copy = _meeting(mailbox, partner, partner_address, "Timed", day(7, 17))
    partner.ok(_RESPOND, {}, event_id=copy["Id"], response="Tentatively Accept")
    _waits_for_response(mailbox, created, "TentativelyAccepted")
    (attendee,) = mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])["Attendees"]
    times = (attendee["Status"]["Time"], with_subject(partner, subject)["ResponseTime"])
    for time in times:
        mailbox.holds(_RESPOND, "Time", time, "a time", not time.startswith("0001"))


def test_the_mails_of_a_meeting_say_what_it_is(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An invitation has the text and the importance of its event; an update and a cancellation are mails, too."""
    members = {"Body": "<p>Bring numbers</p>", "Importance": "High"}
    subject, created, _ = _meeting(mailbox, partner, partner_address, "Told", day(7, 18), **members)
    mail = partner.mail(subject)
    mailbox.members("GetEmailsV2", "value[]", mail, {"BodyPreview": "Bring numbers", "Importance": 2})
    mailbox.equal("GetEmailsV2", "value[].From", mail["From"].casefold(), mailbox.address.casefold())
    mailbox.equal("GetEmailsV2", "value[].To", mail["To"].casefold(), partner_address.casefold())
    partner.ok("Move", messageId=mail["Id"], folderPath="Archive")
    change(mailbox, created, RequiredAttendees=partner_address, Location="Hall", Importance="Normal")
    update = partner.mail(subject)
    mailbox.equal("GetEmailsV2", "value[].Importance", update["Importance"], 1, known="update-mail")


def test_a_cancelled_meeting_is_marked(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """A meeting that its organizer deleted stays in the attendee's calendar as cancelled, with free time (inferred)."""
    subject, created, _ = _meeting(mailbox, partner, partner_address, "Marked", day(8, 16))
    delete(mailbox, created)
    item = with_subject(partner, f"Canceled: {subject}")
    mailbox.equal(_LIST, "value[].ShowAs", item["ShowAs"], 0)
    nested = partner.ok("CalendarGetItem", table=CALENDAR, id=item["Id"])
    mailbox.members("CalendarGetItem", "", nested, {"IsCancelled": True, "IsOrganizer": False})
    answer = partner.refused(_RESPOND, 400, {}, event_id=item["Id"], response="Accept")
    mailbox.holds(_RESPOND, "message", answer.json(), "canceled", "canceled" in str(answer.json()))


def test_a_comment_of_a_response_is_text(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """Markup in a comment is shown, and does not format the mail; a response is one of three words (definition)."""
    subject, _, copy = _meeting(mailbox, partner, partner_address, "Markup", day(8, 17))
    partner.refused(_RESPOND, 400, {}, event_id=copy["Id"], response="Perhaps", code="ErrorInvalidRequest")
    partner.ok(_RESPOND, {"Comment": "1 <b>2</b>"}, event_id=copy["Id"], response="Tentatively Accept")
    mailbox.equal(_RESPOND, "Comment", mailbox.mail(f"Tentative: {subject}")["BodyPreview"], "1 <b>2</b>")


def test_an_organizer_is_no_attendee(mailbox: Mailbox, own_address: str, partner_address: str) -> None:
    """The own address among the attendees is left out (inferred)."""
    created = create(mailbox, "Myself", day(8, 18), RequiredAttendees=f"{own_address};{partner_address}")
    mailbox.equal("V3CalendarPostItem", "RequiredAttendees", created["RequiredAttendees"], f"{partner_address};")


def test_a_response_reaches_an_occurrence(mailbox: Mailbox, partner: Mailbox, partner_address: str) -> None:
    """An attendee who declines one occurrence still has the others. A request without a comment may have no body."""
    members: dict[str, Any] = {"Recurrence": "Daily", "NumberOfOccurrences": 3, "RequiredAttendees": partner_address}
    series = create(mailbox, "Some days", day(70, 9), **members)
    copy = with_subject(partner, series["Subject"])
    first = [item for item in viewed(partner, day(70, 0), day(75, 0)) if item["SeriesMasterId"] == copy["Id"]]
    mailbox.equal(_LIST, "value", len(first), 3)
    partner.ok(_RESPOND, event_id=first[1]["Id"], response="Decline")
    left = [item for item in viewed(partner, day(70, 0), day(75, 0)) if item["SeriesMasterId"] == copy["Id"]]
    starts = [item["Start"] for item in left]
    mailbox.equal(_RESPOND, "response", starts, [first[0]["Start"], first[2]["Start"]], known="declined-event")


def _accepted(partner: Mailbox, subject: str) -> Any:
    seen = with_subject(partner, subject)
    return seen if seen["ResponseType"] == _ACCEPTED else None
