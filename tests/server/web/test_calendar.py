"""The calendar of a mailbox, and one event, over HTTP."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Connection, Sandbox
from tests.server.web.forms import PageReader, Visitor, text_of

BERLIN = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"
HALF_BROKEN = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VEVENT
UID:1@example.com
DTSTART:20260310T090000Z
DTEND:20260310T093000Z
SUMMARY:Kept
END:VEVENT
BEGIN:VEVENT
UID:2@example.com
DTSTART:yesterday
SUMMARY:Broken
END:VEVENT
END:VCALENDAR
"""


def page_of(connection: Connection, **query: Any) -> str:
    """The path of a mailbox's calendar, below its sandbox."""
    return str(httpx.URL(f"m/{connection.id}/calendar", params=query))


def event_page(connection: Connection, event: dict[str, Any], **query: Any) -> str:
    return str(httpx.URL(f"m/{connection.id}/event/{event['Id']}", params=query))


def places(html: str) -> list[tuple[float, float, float, float]]:
    """The rectangles of the blocks in a week: left and width in percent of the day, top and height in pixels."""
    rectangles = re.findall(r'<foreignObject x="([\d.]+)%" y="([\d.]+)" width="([\d.]+)%" height="([\d.]+)"', html)
    return [(float(x), float(y), float(width), float(height)) for x, y, width, height in rectangles]


@pytest.mark.parametrize(
    ("view", "title"),
    [("month", "March 2026"), ("week", "2 to 8 March 2026"), ("agenda", "2 to 31 March 2026")],
)
def test_views(alice: Connection, web: Visitor, view: str, title: str) -> None:
    """Each view shows the event under its title; without a date it shows that of the sandbox's clock."""
    alice.meet("Review", "2026-03-04T10:00:00Z")
    text = web.text(page_of(alice, view=view))

    assert title in text
    assert "10:00" in text
    assert "Review" in text


def test_url_leads_to_other_times(alice: Connection, web: Visitor) -> None:
    """The URL holds view, date and zone, and the links to other times keep them."""
    alice.meet("In June", "2026-06-10T10:00:00Z")
    html = web.get(page_of(alice, view="week", date="2026-06-03", zone="America/New_York"))

    assert "In June" not in html
    following = next(link for link in PageReader(html).links if "date=2026-06-10" in link and "view=week" in link)
    assert "06:00 In June" in web.text(following)


@pytest.mark.parametrize("query", [{"view": "year"}, {"date": "soon"}, {"date": "9999-01-01"}, {"zone": "Moon/Sea"}])
def test_bad_url(alice: Connection, web: Visitor, query: dict[str, str]) -> None:
    """A URL with an unknown view, date or zone is refused with the name of the value."""
    assert next(iter(query)) in text_of(web.get(page_of(alice, **query), 400))


@pytest.mark.parametrize("zone", ["Europe/Vienna", "W. Europe Standard Time", BERLIN])
def test_names_of_a_zone(alice: Connection, web: Visitor, zone: str) -> None:
    """A zone can be named as IANA, Windows or Outlook do."""
    alice.meet("Review", "2026-03-04T10:00:00Z")

    assert "11:00 to 11:30 Review" in web.text(page_of(alice, view="agenda", zone=zone))


def test_series_over_a_change_of_the_clocks(alice: Connection, web: Visitor) -> None:
    """A series keeps its wall-clock time in its own zone, and moves by an hour in UTC."""
    alice.meet("Standup", "2026-03-27T09:00:00", End="2026-03-27T09:30:00", TimeZone=BERLIN, Recurrence="Daily")
    berlin = web.text(page_of(alice, view="agenda", date="2026-03-28", zone="Europe/Berlin"))
    utc = web.text(page_of(alice, view="agenda", date="2026-03-28", zone="UTC"))

    assert "28 March 2026 09:00 to 09:30 ↻ Series: Standup" in berlin
    assert "29 March 2026 09:00 to 09:30 ↻ Series: Standup" in berlin
    assert "28 March 2026 08:00 to 08:30" in utc
    assert "29 March 2026 07:00 to 07:30" in utc


def test_exception_of_a_series(alice: Connection, web: Visitor) -> None:
    """A changed occurrence is marked, says where it was, and leads to its series, which lists it."""
    series = alice.meet("Standup", "2026-03-02T10:00:00Z", Recurrence="Daily", NumberOfOccurrences=5)
    occurrences = alice.view()
    changed = alice.change(
        occurrences[1]["Id"], Subject="Later", Start="2026-03-03T15:00:00Z", End="2026-03-03T16:00:00Z"
    )
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{occurrences[3]['Id']}").raise_for_status()
    agenda = web.text(page_of(alice, view="agenda"))
    html = web.get(event_page(alice, changed))

    assert "Changed occurrence: Later" in agenda
    assert 3 == agenda.count("Series: Standup")
    assert "originally 2026-03-03 10:00:00 UTC" in text_of(html)
    master = next(link for link in PageReader(html).links if quote(series["Id"]) in link)
    text = web.text(master)
    assert "series every day, 5 times" in text
    assert "2026-03-03 10:00:00 UTC 2026-03-03, 15:00 to 16:00 Later" in text
    assert "2026-03-05 10:00:00 UTC cancelled" in text


def test_days_of_an_all_day_event(alice: Connection, web: Visitor) -> None:
    """No zone moves an all-day event to another day, and it fills its days as one bar."""
    alice.meet("Fair", "2026-03-04T00:00:00", End="2026-03-06T00:00:00", IsAllDay=True)
    for zone in ("UTC", "America/Los_Angeles", "Asia/Tokyo"):
        text = web.text(page_of(alice, view="agenda", zone=zone))
        assert "Wednesday, 4 March 2026 All day, until 2026-03-05 Fair" in text

    assert 1 == len(re.findall(r'<td colspan="2"><div class="bar">', web.get(page_of(alice))))


def test_bar_over_weeks(alice: Connection, web: Visitor) -> None:
    """A long event is a bar in each week, marked where it goes on."""
    alice.meet("Trip", "2026-03-06T00:00:00", End="2026-03-11T00:00:00", IsAllDay=True)

    assert ["3", "2"] == re.findall(r'<td colspan="(\d)"><div class="bar cut">', web.get(page_of(alice)))


def test_overlapping_events(alice: Connection, web: Visitor) -> None:
    """Events at the same time stand side by side; the next one has the whole width again."""
    alice.meet("A", "2026-03-04T10:00:00Z", End="2026-03-04T12:00:00Z")
    alice.meet("B", "2026-03-04T11:00:00Z", End="2026-03-04T13:00:00Z")
    alice.meet("C", "2026-03-04T13:00:00Z", End="2026-03-04T13:30:00Z")

    assert [(0, 96, 50, 96), (50, 144, 50, 96), (0, 240, 100, 24)] == places(web.get(page_of(alice, view="week")))


def test_event_over_midnight(alice: Connection, web: Visitor) -> None:
    """An event over midnight has a block on both days, and the week then shows all hours."""
    alice.meet("Deploy", "2026-03-04T23:00:00Z", End="2026-03-05T02:00:00Z")

    assert [(0, 1104, 100, 48), (0, 0, 100, 96)] == places(web.get(page_of(alice, view="week")))


def test_crowded_day(alice: Connection, web: Visitor) -> None:
    """A day with many events names some, and leads to all; the agenda has pages."""
    import_events(alice, 120)
    month, agenda = web.get(page_of(alice)), web.get(page_of(alice, view="agenda", date="2026-03-04"))

    assert 6 == month.count('class="event ')
    assert "114 more" in month
    assert "114 more" in web.get(page_of(alice, view="week"))
    assert "1 to 100 of 120" in text_of(agenda)
    later = next(link for link in PageReader(agenda).links if "skip=100" in link)
    assert "101 to 120 of 120" in web.text(later)


def import_events(alice: Connection, count: int) -> None:
    entries = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTART:20260304T100000Z\r\nDTEND:20260304T110000Z\r\nSUMMARY:{number}\r\n"
        "END:VEVENT\r\n"
        for number in range(count)
    )
    file = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{entries}END:VCALENDAR\r\n"
    path = f"/connections/{alice.id}/calendars/Calendar/import"
    alice.api.post(path, content=file, headers={"content-type": "text/calendar"}).raise_for_status()


def test_answers_of_the_connector(alice: Connection, web: Visitor) -> None:
    """An event is shown as the connector answers it in three versions, with the commands that ask for it."""
    event = alice.meet("Review", RequiredAttendees="bob@example.com")
    text = web.text(event_page(alice, event))

    assert "V1 CalendarGetItem" in text
    assert '"EmailAddress": { "Name": "bob@example.com"' in text
    assert "V2 V2CalendarGetItem" in text
    assert '"ShowAs": "Free"' in text
    assert "V3 V3CalendarGetItems" in text
    assert '"ShowAs": 0' in text
    for url in re.findall(r"curl -s -H 'Authorization: Bearer anything' \\ '([^']+)'", text):
        answer = httpx.get(url, headers={"Authorization": "Bearer anything"}, trust_env=False).json()
        assert event["Id"] in {answer.get("Id"), *(item["Id"] for item in answer.get("value", []))}


def test_answers_about_an_occurrence(alice: Connection, web: Visitor) -> None:
    """An occurrence is in no list, so its third answer is a view."""
    alice.meet("Standup", "2026-03-02T10:00:00Z", Recurrence="Daily", NumberOfOccurrences=3)
    occurrence = alice.view()[1]
    html = web.get(event_page(alice, occurrence))

    assert "V3 GetEventsCalendarViewV2" in text_of(html)
    assert 3 == text_of(html).count(f'"Id": "{occurrence["Id"]}"')


def test_pages_leave_no_trace(alice: Connection, web: Visitor) -> None:
    """What a page asks the connector is not in the journal."""
    event = alice.meet()
    before = alice.sandbox.api.get("/journal").json()["value"]
    web.get(event_page(alice, event))

    assert before == alice.sandbox.api.get("/journal").json()["value"]


def test_create(sandbox: Sandbox, web: Visitor) -> None:
    """The form creates an event in the zone of the page, repeats it and invites its attendees."""
    alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
    created = web.send(
        page_of(alice, zone="Europe/Berlin"),
        "create",
        subject="Plan",
        start="2026-03-04T10:00",
        end="2026-03-04T11:00",
        location="Room 4",
        required=bob.address,
        showAs="Busy",
        recurrence="Weekly",
        count="3",
        body="Bring numbers",
    )
    (event,) = alice.events()

    assert quote(event["Id"]) in created.headers["location"]
    assert ("Plan", "Room 4", 2, 3) == tuple(
        event[name] for name in ("Subject", "Location", "ShowAs", "NumberOfOccurrences")
    )
    assert event["Start"].startswith("2026-03-04T09:00:00")
    assert "every week on Wednesday, 3 times" in web.text(created.headers["location"])
    assert "Plan" in web.text(page_of(bob))


def test_create_all_day(alice: Connection, web: Visitor) -> None:
    """An all-day event lasts through the day on which it ends."""
    web.send(page_of(alice), "create", subject="Fair", start="2026-03-04T09:00", end="2026-03-05T10:00", allDay="yes")

    assert "Wednesday, 4 March 2026 All day, until 2026-03-05 Fair" in web.text(page_of(alice, view="agenda"))


def test_create_in_a_zone_without_an_outlook_name(alice: Connection, web: Visitor) -> None:
    """A zone that Outlook cannot name still gives the right instant."""
    web.send(
        page_of(alice, zone="Antarctica/Troll"),
        "create",
        subject="Cold",
        start="2026-07-04T10:00",
        end="2026-07-04T11:00",
    )

    assert alice.events()[0]["Start"].startswith("2026-07-04T08:00:00")


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"start": "soon"}, "start"),
        ({"end": "2026-03-04T09:00"}, "End"),
        ({"end": "9999-12-31T23:59", "allDay": "yes"}, "must be in the years 1602 to 4498"),
        ({"required": "nobody"}, "Recipient 'nobody'"),
        ({"recurrence": "Daily", "count": "many"}, "count"),
    ],
)
def test_refused_event(alice: Connection, web: Visitor, fields: dict[str, str], part: str) -> None:
    """A refused form says what is wrong and keeps what was typed."""
    sent = {"subject": "Plan", "start": "2026-03-04T10:00", "end": "2026-03-04T11:00", **fields}

    assert part.lower() in web.refusal(page_of(alice), "create", **sent).lower()
    assert [] == alice.events()


@pytest.mark.parametrize(
    ("response", "shown"),
    [("accept", "Accepted"), ("tentative", "TentativelyAccepted"), ("decline", "Declined")],
)
def test_respond(sandbox: Sandbox, web: Visitor, response: str, shown: str) -> None:
    """The buttons answer an invitation: the organizer sees the answer and gets the comment."""
    alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
    event = alice.meet("Review", RequiredAttendees=bob.address)
    (copy,) = bob.events()
    sent = web.send(event_page(bob, copy), "respond", response=response, comment="See you", send="yes")

    assert shown in web.text(event_page(alice, event))
    assert "See you" in alice.mail()["BodyPreview"]
    web.get(sent.headers["location"])


def test_respond_without_telling(sandbox: Sandbox, web: Visitor) -> None:
    """An answer that is not sent changes the own calendar only."""
    alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
    alice.meet("Review", RequiredAttendees=bob.address)
    (copy,) = bob.events()
    web.send(event_page(bob, copy), "respond", response="accept")

    assert [] == alice.mails()


def test_own_event_has_no_answer(alice: Connection, web: Visitor) -> None:
    """Who organizes an event cannot answer it."""
    assert 'value="respond"' not in web.get(event_page(alice, alice.meet()))


def test_delete(sandbox: Sandbox, web: Visitor) -> None:
    """A deleted event leads back to its week, and its attendees get a cancellation."""
    alice, bob = sandbox.connect("alice"), sandbox.connect("bob")
    event = alice.meet("Review", RequiredAttendees=bob.address)
    target = web.send(event_page(alice, event), "delete").headers["location"]

    assert [] == alice.events()
    assert "2 to 8 March 2026" in web.text(target)
    assert "Canceled: Review" in [mail["Subject"] for mail in bob.mails()]
    web.get(event_page(alice, event), 404)


def test_hostile_event(alice: Connection, web: Visitor) -> None:
    """The body of an event is shown as text, and its names are escaped."""
    event = alice.meet("<script>alert(1)</script>", Body="<p>Hello</p><script>alert(2)</script>")
    pages = web.get(event_page(alice, event)) + web.get(page_of(alice)) + web.get(page_of(alice, view="week"))

    assert "&lt;script&gt;alert(1)" in pages
    assert "<script>" not in pages


def test_import_and_export(alice: Connection, web: Visitor) -> None:
    """An import shows how many events came and which parts did not; the export holds what came."""
    sent = web.send(page_of(alice, view="week"), "import", files={"file": ("a.ics", HALF_BROKEN, "text/calendar")})
    text = web.text(sent.headers["location"])
    file = web.http.get(f"{web.base}m/{alice.id}/calendar.ics")

    assert "1 event imported. 1 left out: " in text
    assert "line 10" in text
    assert "9 to 15 March 2026" in text
    assert "Kept" in text
    assert "text/calendar" == file.headers["content-type"]
    assert "Calendar.ics" in file.headers["content-disposition"]
    assert "SUMMARY:Kept" in file.text


def test_file_of_an_event(alice: Connection, web: Visitor) -> None:
    """The page of an event offers a file with this event alone, a series with its changed occurrences."""
    alice.meet("Another", "2026-03-04T10:00:00Z")
    series = alice.meet("Standup", "2026-03-05T09:00:00Z", End="2026-03-05T09:30:00Z", Recurrence="Daily")
    html = web.get(event_page(alice, series))
    file = web.http.get(next(link for link in PageReader(html).links if "event.ics/" in link))

    assert "text/calendar" == file.headers["content-type"]
    assert "Standup.ics" in file.headers["content-disposition"]
    assert 1 == file.text.count("BEGIN:VEVENT")
    assert "RRULE:FREQ=DAILY" in file.text


def test_import_of_no_calendar(alice: Connection, web: Visitor) -> None:
    """A file that is no calendar is refused with the reason, and so is a form without a file."""
    form = next(form for form in PageReader(web.get(page_of(alice))).forms if form.fields.get("action") == "import")
    refused = web.http.post(form.action, data=form.fields, files={"file": ("a.ics", b"Hello", "text/calendar")})

    assert 400 == refused.status_code
    assert 'role="alert"' in refused.text
    assert "'file' must be a file." == web.refusal(page_of(alice), "import")


def test_more_calendars(alice: Connection, web: Visitor) -> None:
    """A new calendar is shown at once; the URL names it, and its events stay apart."""
    alice.meet("Review")
    page = web.send(page_of(alice), "calendar", name="Travel & more").headers["location"]
    web.send(page, "create", subject="Flight", start="2026-03-04T10:00", end="2026-03-04T11:00")

    assert "Flight" in web.text(page)
    assert "Review" not in web.text(page)
    assert "Flight" not in web.text(page_of(alice))


def test_id_of_another_service(alice: Connection, web: Visitor) -> None:
    """An event whose id has slashes, as those of Exchange Web Services can, opens too."""
    path = f"/connections/{alice.id}/calendars/Calendar/import"
    file = HALF_BROKEN.replace(b"SUMMARY:Kept", b"SUMMARY:Kept\nX-OUTLOOK-ITEM-ID:AAMkADAw/xyz+abc=")
    alice.api.post(path, content=file, headers={"content-type": "text/calendar"}).raise_for_status()
    links = PageReader(web.get(page_of(alice, view="agenda"))).links
    page = next(link for link in links if "/event/AAMkADAw%2Fxyz%2Babc%3D" in link)
    text = web.text(page)

    assert "Kept" in text
    assert 3 == text.count('"Id": "AAMkADAw/xyz+abc="')
