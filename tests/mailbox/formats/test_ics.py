"""Events as iCalendar files: reading files of other programs, writing, and round trips."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.enums import AttendeeType, DayOfWeek, Importance, PatternType, ResponseType, ShowAs, WeekIndex
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule, Series
from outlook_emulator.mailbox.formats import ics, ics_zones
from outlook_emulator.mailbox.formats.ics import MAX_EVENTS, compose
from outlook_emulator.mailbox.message import Address
from outlook_emulator.timezones import zone
from tests.paths import ICS

FILES = sorted(ICS.glob("*.ics"))
ADA = Address("ada@example.com", "Ada Byron")
LONDON = "GMT Standard Time"
NEW_YORK = "Eastern Standard Time"
TOKYO = "Tokyo Standard Time"
HOUR = 3_600_000_000
DAY = 24 * HOUR


def calendar(*lines: str, head: tuple[str, ...] = ()) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", *head, *lines, "END:VCALENDAR", ""]).encode()


def parse(raw: bytes) -> list[Series]:
    return ics.parse(raw).items


def vevent(*lines: str) -> list[str]:
    start = [] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20260302T090000Z"]
    return ["BEGIN:VEVENT", "UID:one", *start, *lines, "END:VEVENT"]


def parse_event(*lines: str, head: tuple[str, ...] = ()) -> EventFields:
    (series,) = parse(calendar(*vevent(*lines), head=head))
    return series.event


def utc(*parts: int) -> int:
    return microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


def in_zone(name: str, *parts: int) -> int:
    return microseconds(datetime(*parts, tzinfo=zone(name)))  # type: ignore[arg-type, misc]


def again(*series: Series) -> list[Series]:
    return parse(compose(series, now=0))


def by_subject(name: str) -> dict[str, Series]:
    return {series.event.subject: series for series in parse((ICS / f"{name}.ics").read_bytes())}


# Fixtures


def test_a_busy_week() -> None:
    """The people, bodies, dates, zones, categories, statuses and reminders of one week are all read."""
    week = by_subject("busy-week")
    planning, review = week["Week planning"].event, week["Review of the Bernoulli program"].event
    boston, birthday = week["Call with the Boston observatory"].event, week["Mary's birthday"].event

    assert len(week) == 19
    assert planning.organizer == ADA
    assert planning.attendees[2:] == (
        Attendee("mary@example.org", "Mary Somerville", AttendeeType.Optional, ResponseType.TentativelyAccepted),
        Attendee("mill-room@example.com", "Mill Room", AttendeeType.Resource, ResponseType.Accepted),
    )
    assert (planning.body, planning.is_html) == (
        "What each of us hopes to finish by Friday.\r\nBring last week's list.",
        False,
    )
    assert (review.show_as, review.importance, review.is_html) == (ShowAs.Tentative, Importance.High, True)
    assert review.body == "<p>Steps 1&ndash;25, line by line. <b>Bring the diagram; it is long.</b></p>"
    assert (review.location, review.categories) == ("1 Dorset Street, London", ("Engine", "Review"))
    assert (boston.start_zone, boston.start) == (NEW_YORK, utc(2026, 3, 3, 19))
    assert (birthday.is_all_day, birthday.start_zone, birthday.reminder) == (True, LONDON, 12 * 60)
    assert (birthday.show_as, birthday.end - birthday.start) == (ShowAs.Free, DAY)
    assert week["Canceled: Pump inspection"].event.is_cancelled
    assert week["Loom demonstration"].event.end == utc(2026, 3, 4, 15, 45)
    assert week["Working from the library"].event.show_as == ShowAs.WorkingElsewhere
    assert week["Lunch"].event.reminder is None


def test_a_year_of_series() -> None:
    """Rules, their ends and the excluded, added and changed dates are read in the zone of the series."""
    year = by_subject("recurring-year")
    standup, changed = year["Stand-up"][:2]
    lessons, accounts = year["Algebra lessons"].event.rule, year["Close the month's accounts"].event.rule
    course, pacific = year["Evening course: steam"].event, year["Call with the San Francisco mint"].event
    weekdays = tuple(DayOfWeek[name] for name in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))

    assert len(year) == 9
    assert standup.rule == Rule(
        PatternType.Weekly,
        date(2026, 1, 5),
        days_of_week=weekdays,
        first_day_of_week=DayOfWeek.Monday,
        until=date(2026, 12, 31),
    )
    assert standup.excluded == (in_zone(LONDON, 2026, 4, 3, 9, 30),)
    assert list(changed) == [in_zone(LONDON, 2026, 3, 30, 9, 30)] == [utc(2026, 3, 30, 8, 30)]
    assert changed[utc(2026, 3, 30, 8, 30)].start == utc(2026, 3, 30, 10)
    assert lessons is not None
    # UNTIL is midnight, so it excludes the lesson that would start later that day.
    assert lessons.until == date(2026, 12, 17)
    assert accounts is not None
    assert list(recurrence.dates(accounts, date(2026, 2, 1), date(2026, 3, 31))) == [
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]
    assert course.rule is not None
    assert (course.rule.count, course.rule.until) == (10, date(2026, 11, 11))
    assert course.added == (utc(2026, 11, 21, 10),)
    assert year["Friday lunch"].event.rule == Rule(
        PatternType.Weekly,
        date(2026, 1, 2),
        days_of_week=(DayOfWeek.Friday,),
        first_day_of_week=DayOfWeek.Monday,
    )
    assert (pacific.start_zone, pacific.start) == ("Pacific Standard Time", utc(2026, 1, 14, 16))


def test_floating_times() -> None:
    """Times and dates without a zone are UTC, and a missing end is derived as in RFC 5545."""
    events = [series.event for series in parse((ICS / "floating.ics").read_bytes())]

    assert [(event.start, event.end - event.start, event.is_all_day) for event in events] == [
        (utc(2026, 3, 10, 9), HOUR, False),
        (utc(2026, 3, 11), DAY, True),
        (utc(2026, 3, 12), 2 * DAY, True),
        (utc(2026, 3, 13, 9), 0, False),
    ]
    assert {event.start_zone for event in events} == {"UTC"}


def test_zones_by_any_name() -> None:
    """A zone is recognised by Windows id, display name, the end of a global name, or the rules of its definition."""
    starts = [
        (series.event.start_zone, series.event.start) for series in parse((ICS / "windows-zone.ics").read_bytes())
    ]

    assert starts == [
        ("Pacific Standard Time", utc(2026, 3, 2, 17)),
        (TOKYO, utc(2026, 3, 2)),
        ("Romance Standard Time", utc(2026, 3, 2, 8)),
        (NEW_YORK, utc(2026, 3, 2, 14)),
        (NEW_YORK, utc(2026, 6, 2, 13)),
    ]


def test_an_old_id() -> None:
    """The id of an item from an older mailbox keeps its slash and plus."""
    (series,) = parse((ICS / "ews-id.ics").read_bytes())

    assert series.event.external_id == "AAMkADAw/xyz+abc="
    assert again(series) == [series]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fixtures_written_anew(path: Path) -> None:
    """A file that is read, written and read again gives equal values."""
    series = parse(path.read_bytes())

    assert again(*series) == series


@pytest.mark.parametrize("name", ["busy-week", "recurring-year"])
def test_others_see_the_same_occurrences(name: str) -> None:
    """An independent library finds the same occurrences in the original and in the rewritten file."""
    raw = (ICS / f"{name}.ics").read_bytes()

    def seen(content: bytes) -> list[tuple[str, str]]:
        occurrences = recurring_ical_events.of(icalendar.Calendar.from_ical(content)).between(
            (2026, 1, 1), (2027, 1, 1)
        )
        # Compare wall-clock times: the library ignores the offset of a Windows zone's definition.
        return sorted((str(event["SUMMARY"]), event.start.isoformat()[:16]) for event in occurrences)

    written = seen(compose(parse(raw), now=0))

    # RFC 5545 skips months without a 31st; the rewritten file uses the last day, as Outlook does.
    assert [entry for entry in written if "accounts" not in entry[0]] == [
        entry for entry in seen(raw) if "accounts" not in entry[0]
    ]
    assert [start[5:10] for subject, start in written if "accounts" in subject][:4] == (
        ["01-31", "02-28", "03-31", "04-30"] if name == "recurring-year" else []
    )


# Reading details


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], (Importance.Normal, ShowAs.Busy)),
        (["PRIORITY:4"], (Importance.High, ShowAs.Busy)),
        (["PRIORITY:5"], (Importance.Normal, ShowAs.Busy)),
        (["PRIORITY:6"], (Importance.Low, ShowAs.Busy)),
        (["PRIORITY:0"], (Importance.Normal, ShowAs.Busy)),
        (["PRIORITY:1", "X-MICROSOFT-CDO-IMPORTANCE:0"], (Importance.Low, ShowAs.Busy)),
        (["TRANSP:TRANSPARENT"], (Importance.Normal, ShowAs.Free)),
        (["STATUS:TENTATIVE"], (Importance.Normal, ShowAs.Tentative)),
        (["TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"], (Importance.Normal, ShowAs.Oof)),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OTHERWISE"], (Importance.Normal, ShowAs.Busy)),
    ],
)
def test_importance_and_status(lines: list[str], expected: tuple[int, int]) -> None:
    """Microsoft's properties win over those of the RFC; the defaults are Normal and Busy."""
    event = parse_event(*lines)

    assert (event.importance, event.show_as) == expected


@pytest.mark.parametrize(
    ("alarm", "expected"),
    [
        (["TRIGGER:-PT90S"], 1),
        (["TRIGGER:-P1DT2H"], 26 * 60),
        (["TRIGGER:PT5M"], 0),
        (["TRIGGER;RELATED=END:-PT1H"], 30),
        (["TRIGGER;VALUE=DATE-TIME:20260302T080000Z"], 60),
        (["ACTION:NONE", "TRIGGER;VALUE=DATE-TIME:19760401T005545Z"], None),
        (["ACTION:DISPLAY"], None),
        (["TRIGGER:-P99999999D"], 2**31 - 1),
    ],
)
def test_reminders(alarm: list[str], expected: int | None) -> None:
    """An alarm becomes a reminder in minutes before the start."""
    event = parse_event("DURATION:PT30M", "BEGIN:VALARM", *alarm, "END:VALARM")

    assert event.reminder == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ATTENDEE:mailto:ada@example.com", Attendee("ada@example.com")),
        ("ATTENDEE;CN=Ada:MAILTO:ada%2Bx@example.com?subject=x", Attendee("ada+x@example.com", "Ada")),
        ("ATTENDEE;CN=Byron, Ada:mailto:ada@example.com", Attendee("ada@example.com", "Byron, Ada")),
        ("ATTENDEE;EMAIL=ada@example.com:urn:uuid:1", Attendee("ada@example.com")),
        ("ATTENDEE:ada@example.com", Attendee("ada@example.com")),
        (
            "ATTENDEE;ROLE=NON-PARTICIPANT;PARTSTAT=DECLINED:mailto:a@example.com",
            Attendee("a@example.com", "", AttendeeType.Optional, ResponseType.Declined),
        ),
        (
            "ATTENDEE;CUTYPE=resource;PARTSTAT=DELEGATED:mailto:a@example.com",
            Attendee("a@example.com", "", AttendeeType.Resource),
        ),
    ],
)
def test_attendees(line: str, expected: Attendee) -> None:
    """Attendees are read in the forms that other programs write."""
    assert parse_event(line).attendees == (expected,)


def test_whose_event_it_is() -> None:
    """An event without an organizer belongs to the owner; with one, it has no response yet."""
    own, other = (
        parse_event(),
        parse_event("ORGANIZER:mailto:ada@example.com", "ATTENDEE;RSVP=FALSE:mailto:b@example.com"),
    )

    assert (own.organizer, own.response, own.response_requested) == (None, ResponseType.Organizer, True)
    assert other.organizer == Address("ada@example.com")
    assert (other.response, other.response_requested) == (ResponseType.NotResponded, False)


def test_the_zone_of_the_calendar() -> None:
    """X-WR-TIMEZONE is the zone of times and dates without their own; it moves no date."""
    head = ("X-WR-TIMEZONE:America/New_York",)
    timed, whole = (
        parse_event("DTSTART:20260302T090000", head=head),
        parse_event("DTSTART;VALUE=DATE:20260302", head=head),
    )

    assert (timed.start, timed.start_zone) == (utc(2026, 3, 2, 14), NEW_YORK)
    assert (whole.start, whole.end, whole.start_zone) == (utc(2026, 3, 2), utc(2026, 3, 3), NEW_YORK)
    assert parse_event("DTSTART:20260302T090000", head=("X-WR-TIMEZONE:Nowhere",)).start_zone == "UTC"


def test_a_definition_that_says_where_it_is() -> None:
    """The zone name that libical writes into a definition wins over the definition itself."""
    definition = ["BEGIN:VTIMEZONE", "TZID:mine", "X-LIC-LOCATION:Europe/London", "END:VTIMEZONE"]
    event = parse_event("DTSTART;TZID=mine:20260302T090000", head=tuple(definition))

    assert event.start_zone == LONDON


def test_files_do_not_touch_each_other() -> None:
    """A zone that one file defines is unknown in the next file."""
    definition = (
        *("BEGIN:VTIMEZONE", "TZID:mine", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
        *("TZOFFSETFROM:+0130", "TZOFFSETTO:+0130", "END:STANDARD", "END:VTIMEZONE"),
    )
    start = "DTSTART;TZID=mine:20260302T090000"

    assert parse_event(start, head=definition).start == utc(2026, 3, 2, 7, 30)
    assert parse_event(start).start == utc(2026, 3, 2, 9)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("20260306T090000Z", date(2026, 3, 6)),
        ("20260306T085959Z", date(2026, 3, 5)),
        ("20260306", date(2026, 3, 6)),
        ("20260306T090000", date(2026, 3, 6)),
        ("20260306T235959", date(2026, 3, 6)),
    ],
)
def test_until(until: str, expected: date) -> None:
    """A series has no occurrence that would start after UNTIL."""
    rule = parse_event("DTSTART;TZID=Europe/London:20260302T090000", f"RRULE:FREQ=DAILY;UNTIL={until}").rule

    assert rule is not None
    assert rule.until == expected


@pytest.mark.parametrize("line", ["EXDATE;TZID=Europe/London:20260401T090000", "EXDATE;VALUE=DATE:20260401"])
def test_exceptions_by_time_or_day(line: str) -> None:
    """EXDATE excludes an occurrence by its time in any zone, or by its date."""
    event = parse_event("DTSTART;TZID=Europe/London:20260302T090000", "RRULE:FREQ=DAILY", line)

    assert event.excluded == (utc(2026, 4, 1, 8),)


def test_exceptions_of_whole_days() -> None:
    """In an all-day series EXDATE excludes a date, regardless of its time."""
    event = parse_event("DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=DAILY", "EXDATE:20260304T120000Z,20260305T000000Z")

    assert event.excluded == (utc(2026, 3, 4), utc(2026, 3, 5))


def test_a_start_that_is_no_occurrence() -> None:
    """A series starts on the first date that matches its rule and keeps its duration."""
    event = parse_event("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=WE")
    whole = parse_event("DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=WEEKLY;BYDAY=WE")

    assert (event.start, event.end) == (utc(2026, 3, 4, 9), utc(2026, 3, 4, 10))
    assert (whole.start, whole.end) == (utc(2026, 3, 4), utc(2026, 3, 5))


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("DTSTART;TZID=Europe/Berlin:20260411T000000", "DTEND;TZID=Europe/Berlin:20260413T000000", 2),
        ("DTSTART;TZID=Europe/Berlin:20260411T000000", "DTEND:20260411T220000Z", 1),
        ("DTSTART;TZID=Europe/Berlin:20260411T000000", "DURATION:P3D", 3),
        ("DTSTART;VALUE=DATE:20260411", "DTEND;VALUE=DATE:20260412", 1),
        ("DTSTART;VALUE=DATE:20260411", "SUMMARY:no end", 1),
        ("DTSTART:20260411T000000Z", "DTEND:20260412T000000Z", 1),
    ],
)
def test_all_day_events_in_the_forms_of_outlook(start: str, end: str, days: int) -> None:
    """Outlook marks an all-day event beside its times (documentation of its iCalendar format, MS-OXCICAL)."""
    event = parse_event(start, end, "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE")

    assert (event.is_all_day, event.start, event.end) == (True, utc(2026, 4, 11), utc(2026, 4, 11) + days * DAY)


@pytest.mark.parametrize(
    ("start", "mark"), [("DTSTART:20260411T090000Z", "TRUE"), ("DTSTART:20260411T000000Z", "FALSE")]
)
def test_a_time_off_midnight_or_without_the_mark_is_no_day(start: str, mark: str) -> None:
    """An event with times is an all-day event only with Outlook's mark and from midnight (inferred)."""
    assert not parse_event(start, f"X-MICROSOFT-CDO-ALLDAYEVENT:{mark}").is_all_day


@pytest.mark.parametrize("until", ["20260413", "20260413T000000Z", "20260413T040000Z", "20260414T035959Z"])
def test_the_end_of_an_all_day_series(until: str) -> None:
    """UNTIL is a date, midnight UTC, or a time on the last day in the zone of the series."""
    event = parse_event(
        "DTSTART;VALUE=DATE:20260411", f"RRULE:FREQ=DAILY;UNTIL={until}", head=("X-WR-TIMEZONE:America/New_York",)
    )

    assert event.rule is not None
    assert event.rule.until == date(2026, 4, 13)


def test_a_reminder_at_a_stated_time_of_an_all_day_event() -> None:
    """A stated time counts from midnight in the zone of the event, where the day begins for its owner (inferred)."""
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20260410T210000Z", "END:VALARM")
    event = parse_event("DTSTART;VALUE=DATE:20260411", *alarm, head=("X-WR-TIMEZONE:Europe/Berlin",))

    assert event.reminder == 60


def test_changed_occurrences_find_their_series() -> None:
    """A changed occurrence is matched by UID, in any order; without a series it becomes a single event."""
    early = ["BEGIN:VEVENT", "UID:late", "RECURRENCE-ID:20260303T090000Z", "DTSTART:20260303T100000Z", "END:VEVENT"]
    late = ["BEGIN:VEVENT", "UID:late", "DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY", "END:VEVENT"]
    alone = ["BEGIN:VEVENT", "UID:alone", *early[2:]]
    all_series = parse(calendar(*early, *late, *alone))

    assert [(series.event.uid, list(series.changed)) for series in all_series] == [
        ("late", [utc(2026, 3, 3, 9)]),
        ("alone", []),
    ]


def test_several_calendars() -> None:
    """A file may contain several calendars, each with its own zone."""
    first = calendar(*vevent("DTSTART:20260302T090000"), head=("X-WR-TIMEZONE:Asia/Tokyo",))
    second = calendar(*vevent("DTSTART:20260302T090000"))

    assert [series.event.start_zone for series in parse(first + second)] == [TOKYO, "UTC"]


# Writing details


def test_what_others_read() -> None:
    """A written file defines its zones, contains the body as text and HTML, and uses local times."""
    start = in_zone(LONDON, 2026, 7, 1, 9)
    event = EventFields(
        subject="Tea", start=start, end=start + HOUR, start_zone=LONDON, end_zone=LONDON, body="<p>Milk?</p>"
    )
    written = icalendar.Calendar.from_ical(compose([Series(event)], now=utc(2026, 3, 1)))
    (component,) = written.events

    assert [definition.tz_name for definition in written.timezones] == ["Europe/London"]
    assert str(component["DTSTART"].params["TZID"]) == "Europe/London"
    assert isinstance(component.start, datetime)
    assert (component.start.hour, component.start.utcoffset()) == (9, timedelta(hours=1))
    assert component["DESCRIPTION"] == "Milk?"
    assert component.stamp == datetime(2026, 3, 1, tzinfo=UTC)


def test_equal_events_give_equal_bytes() -> None:
    """Equal events give equal bytes, even if they have no UID."""
    series = parse((ICS / "recurring-year.ics").read_bytes())
    nameless = [Series(replace(entry.event, uid=None)) for entry in series]

    assert compose(nameless, now=5) == compose([Series(replace(entry.event)) for entry in nameless], now=5)
    assert [entry.event.uid for entry in again(*nameless)] == [None] * len(nameless)


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL", "REPLY"])
def test_messages(method: str) -> None:
    """A message contains the organizer and the attendees, but no private properties of the owner."""
    event = EventFields(
        start=0, end=HOUR, attendees=(Attendee("b@example.com"),), response_requested=False, external_id="x"
    )
    raw = compose([Series(event)], now=0, method=method.lower(), organizer=ADA)
    written = icalendar.Calendar.from_ical(raw)
    (component,) = written.events

    assert written["METHOD"] == method
    assert (component["ORGANIZER"], component["ORGANIZER"].params["CN"]) == ("mailto:ada@example.com", "Ada Byron")
    assert component["ATTENDEE"].params["RSVP"] == "TRUE"
    assert (component.get("STATUS") == "CANCELLED") == (method == "CANCEL")
    assert {"X-OUTLOOK-RESPONSE", "X-OUTLOOK-ITEM-ID"}.isdisjoint(component)


def test_a_message_needs_an_organizer() -> None:
    """A message without an organizer is rejected."""
    with pytest.raises(InvalidRequest, match="'Tea' has no organizer"):
        compose([Series(EventFields(subject="Tea", start=0, end=0))], now=0, method="REQUEST")


def test_the_hour_that_comes_twice() -> None:
    """When the clocks go back, a time in the repeated hour keeps its position."""
    start = utc(2026, 10, 25, 1, 30)
    series = Series(EventFields(start=start, end=start + HOUR, start_zone=LONDON, end_zone=LONDON))

    assert again(series) == [series]


def test_fractions_of_a_second_are_cut() -> None:
    """Fractions of a second are cut, because iCalendar has whole seconds only."""
    (series,) = again(Series(EventFields(start=1_999_999, end=2_000_001)))

    assert (series.event.start, series.event.end) == (1_000_000, 2_000_000)


@pytest.mark.parametrize(
    "text", ["C:\\New\\notes", "a\\\\n;b,c:d", 'x"y^n', "\\", "end\\", "a\x00b\x85\u2028c", "  x  "]
)
def test_awkward_texts(text: str) -> None:
    """A text with any escape sequences survives a round trip."""
    series = Series(
        EventFields(
            subject=text, location=text, body=text, start=0, end=0, attendees=(Attendee("a@example.com", text),)
        )
    )

    assert again(series) == [series]


def test_lone_surrogates_are_replaced() -> None:
    """A lone surrogate is written as a question mark."""
    (series,) = again(Series(EventFields(subject="\ud800", organizer=Address("\ud800", "\ud800"), start=0, end=0)))

    assert (series.event.subject, series.event.organizer) == ("?", Address("?", "?"))


# Round trips

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")
TEXTS = st.text(LETTERS, max_size=100)
BODIES = st.lists(st.text(LETTERS, max_size=40), max_size=3).map("\r\n".join)
WORDS = st.text(LETTERS, min_size=1, max_size=20).map(str.strip).filter(bool)
ADDRESSES = st.from_regex(r"[a-zé0-9.+_%?&'=/-]{1,20}@[a-z0-9-]{1,20}\.example", fullmatch=True)
INSTANTS = st.integers(utc(1990, 1, 1) // 10**6, utc(2060, 1, 1) // 10**6).map(lambda second: second * 10**6)
ZONES = st.sampled_from(
    ["UTC", LONDON, NEW_YORK, TOKYO, "Nepal Standard Time", "Lord Howe Standard Time", "Antarctica/Troll"]
)
RESPONSES = st.sampled_from(ResponseType)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
PLACES = st.dictionaries(TEXTS, st.none() | NUMBERS | TEXTS, max_size=3)
ATTENDEES = st.builds(Attendee, ADDRESSES, TEXTS, st.sampled_from(AttendeeType), RESPONSES, st.none() | INSTANTS)


@st.composite
def event_fields(draw: st.DrawFn, zone_name: str, uid: str | None) -> EventFields:
    is_all_day = draw(st.booleans())
    start, length = draw(INSTANTS), draw(st.integers(0, 10**6)) * 10**6
    end = start + length
    if is_all_day:
        first = moment(start).date()
        start = ics_zones.midnight(first)
        end = ics_zones.midnight(first + timedelta(days=1 + length // DAY))
    return EventFields(
        subject=draw(TEXTS),
        start=start,
        end=end,
        start_zone=zone_name,
        end_zone=draw(ZONES),
        is_all_day=is_all_day,
        body=draw(BODIES),
        is_html=draw(st.booleans()),
        location=draw(TEXTS),
        place=draw(st.none() | st.dictionaries(TEXTS, PLACES, max_size=2)),
        importance=draw(st.sampled_from(Importance)),
        show_as=draw(st.sampled_from(ShowAs)),
        reminder=draw(st.none() | st.integers(0, 100_000)),
        response_requested=draw(st.booleans()),
        categories=tuple(draw(st.lists(WORDS, max_size=3))),
        attendees=tuple(draw(st.lists(ATTENDEES, max_size=3))),
        organizer=draw(st.none() | st.builds(Address, ADDRESSES, TEXTS)),
        response=draw(RESPONSES),
        responded=draw(st.none() | INSTANTS),
        is_cancelled=draw(st.booleans()),
        uid=uid,
        external_id=draw(st.none() | WORDS),
    )


@st.composite
def rules(draw: st.DrawFn, start: date) -> Rule:
    rule = Rule(
        draw(st.sampled_from(PatternType)),
        start,
        draw(st.integers(1, 20)),
        draw(st.integers(1, 12)),
        draw(st.integers(1, 28)),
        tuple(draw(st.sets(st.sampled_from(DayOfWeek), min_size=1))),
        draw(st.sampled_from(DayOfWeek)),
        draw(st.sampled_from(WeekIndex)),
    )
    end = draw(st.sampled_from(["none", "until", "count"]))
    first = recurrence.normalize(rule).start
    until = first + timedelta(days=draw(st.integers(0, 5000)))
    return recurrence.normalize(
        replace(
            rule, until=until if end == "until" else None, count=draw(st.integers(1, 30)) if end == "count" else None
        )
    )


@st.composite
def series(draw: st.DrawFn) -> Series:
    zone_name, uid = draw(ZONES), draw(st.none() | WORDS)
    event = draw(event_fields(zone_name, uid))
    if draw(st.booleans()):
        return Series(event)
    days_zone = "UTC" if event.is_all_day else zone_name
    local = moment(event.start).astimezone(zone(days_zone))
    rule = draw(rules(local.date()))
    start = ics_zones.at(rule.start, local.time(), days_zone)
    # Exchange has no series whose occurrences overlap.
    end = start + min(event.end - event.start, recurrence.shortest_gap(rule) * DAY - HOUR)
    if event.is_all_day:
        end = ics_zones.midnight(rule.start + timedelta(days=1))
    clock = moment(start).astimezone(zone(days_zone)).time()
    occurrences = tuple(
        ics_zones.at(rule.start + timedelta(days=days), clock, days_zone)
        for days in sorted(draw(st.sets(st.integers(0, 2000), max_size=4)))
    )
    whole = replace(
        event, start=start, end=end, rule=rule, excluded=occurrences[1:2], added=tuple(sorted(occurrences[2:]))
    )
    changed = {original: draw(event_fields(draw(ZONES), uid)) for original in occurrences[:1]}
    return Series(whole, changed)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(series(), min_size=1, max_size=3))
def test_round_trips(events: list[Series]) -> None:
    """Any event survives being written and read."""
    assert again(*events) == events


# Broken input


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "it has no VCALENDAR"),
        (b"fixtures/ics/ews-id.ics", "not a calendar"),
        (b"Dear Ada", "not a calendar"),
        (b"BEGIN:VCALENDAR\r\n", "Line 1, VCALENDAR component: Its END line is missing"),
        (calendar("BEGIN:VEVENT", "UID:x", "END:VEVENT"), 'Line 2, event "x": It has no DTSTART'),
        (calendar("BEGIN:VEVENT", "END:VEVENT"), "Line 2, event number 1: It has no DTSTART"),
        (calendar(*vevent("DTSTART:tomorrow")), "event \"one\": 'tomorrow' is neither a day nor a time"),
        (calendar(*vevent("DTSTART:20260231T090000")), "neither a day nor a time"),
        (calendar(*vevent("DTSTART:2026-W01T000000")), "neither a day nor a time"),
        (calendar(*vevent("DTSTART:P1D")), "neither a day nor a time"),
        (calendar(*vevent("DTSTART:15990101T000000Z")), "not between the years 1601 and 4500"),
        (calendar(*vevent("RRULE:FREQ=HOURLY")), "The RRULE has no equivalent"),
        (calendar(*vevent("RRULE:FREQ=SECONDLY;COUNT=4000000000")), "The RRULE has no equivalent"),
        (calendar(*vevent("RRULE:FREQ=NEVER")), "The RRULE has no equivalent"),
        (calendar(*vevent("RRULE:often")), "not a part of a rule"),
        (calendar(*vevent(f"RRULE:FREQ=YEARLY;BYMONTHDAY={'1,' * 5000}")), "more than 1000 characters"),
        (calendar(*vevent("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")), "more than one RRULE"),
        (calendar(*vevent("RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY")), "EXRULE"),
        (calendar(*vevent("RRULE:FREQ=DAILY;UNTIL=20200101T000000Z")), "it never occurs"),
        (calendar(*vevent("DTEND:20260305T090000Z", "RRULE:FREQ=DAILY")), "end after the next one starts"),
        (calendar(*["BEGIN:VEVENT"] * 5000, *["END:VEVENT"] * 5000), "No event of the calendar can be taken"),
    ],
    ids=range(21),
)
def test_bad_files_are_refused(raw: bytes, expected: str) -> None:
    """A file without an event that can be taken is refused, with the first problem and its place."""
    with pytest.raises(InvalidRequest, match=expected):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (calendar(*vevent() * (MAX_EVENTS + 1)), "more than 10000 events"),
        (calendar(*vevent("RRULE:FREQ=DAILY", f"EXDATE:{'20260302T090000Z,' * 100_001}")), "more than 100000 excluded"),
        (calendar(*vevent(*[f"RDATE:{'20260302,' * 20}"] * 6000)), "more than 100000 excluded and added dates"),
        (calendar(*vevent(*["ATTENDEE:mailto:a@example.com"] * 5001)), "line 2 has more than 5000 attendees"),
        (calendar(*vevent(f"CATEGORIES:{'a,' * 50_001}")), "line 2 has more than 50000 categories"),
    ],
    ids=["events", "excluded", "added", "attendees", "categories"],
)
def test_too_much(raw: bytes, expected: str) -> None:
    """A file with more than the emulator takes is refused with the limit."""
    with pytest.raises(TooMuchContent, match=expected) as error:
        parse(raw)

    assert error.value.status == 413


@pytest.mark.parametrize("raw", [calendar(), calendar("BEGIN:VTODO", "UID:x", "END:VTODO"), b"\n" + calendar()])
def test_calendars_without_events(raw: bytes) -> None:
    """A calendar without events has nothing to import, which is no error."""
    assert parse(raw) == []


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=YEARLY;BYSECOND=1,2,3", "FREQ=DAILY\r\nRRULE:FREQ=YEARLY"])
def test_zones_without_end(rule: str) -> None:
    """A zone whose definition has endless transitions is not read, and reported."""
    definition = (
        *("BEGIN:VTIMEZONE", "TZID:mine", "BEGIN:STANDARD", "DTSTART:16010101T000000", f"RRULE:{rule}"),
        *("TZOFFSETFROM:+0130", "TZOFFSETTO:+0130", "END:STANDARD", "END:VTIMEZONE"),
    )
    result = ics.parse(calendar(*vevent("DTSTART;TZID=mine:20260302T090000"), head=definition))

    assert [series.event.start for series in result.items] == [utc(2026, 3, 2, 9)]
    assert [(item.item, item.line) for item in result.skipped] == [
        ('definition of the time zone "mine"', 2),
        ('time zone "mine"', 13 + rule.count("\r")),
    ]


PIECES = st.sampled_from(
    [
        *(b"BEGIN:VCALENDAR\r\n", b"END:VCALENDAR\r\n", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"UID:x\r\n", b"\r\n"),
        *(b"DTSTART", b"DTEND", b":20260302T090000Z\r\n", b":20260302\r\n", b";TZID=Europe/London", b";VALUE=DATE"),
        *(b"RRULE:FREQ=WEEKLY;BYDAY=MO\r\n", b"RECURRENCE-ID", b"EXDATE", b"ATTENDEE;CN=x:mailto:y\r\n", b"DURATION:"),
        *(b"BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n", b"BEGIN:VTIMEZONE\r\nTZID:x\r\n", b"END:VTIMEZONE\r\n"),
        *(b"TRIGGER", b"X-OUTLOOK-PLACE:{}", b"CATEGORIES:a,b\r\n", b";", b":", b",", b'"', b"\\", b" ", b"=", b"\xff"),
    ]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.lists(PIECES, max_size=30).map(b"".join))
def test_arbitrary_bytes(raw: bytes) -> None:
    """Any bytes either give events or raise InvalidRequest, inside a calendar or not."""
    for content in (raw, calendar() + raw, b"BEGIN:VCALENDAR\r\n" + raw + b"\r\nEND:VCALENDAR\r\n"):
        survives(content)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.sampled_from(FILES), st.data())
def test_damaged_files(path: Path, data: st.DataObject) -> None:
    """Fixtures with changed bytes are either read or raise InvalidRequest."""
    raw = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw = raw[:place] + data.draw(st.binary(max_size=4) | PIECES) + raw[place + data.draw(st.integers(0, 40)) :]
    survives(raw)


def survives(raw: bytes) -> None:
    with suppress(InvalidRequest):
        compose(parse(raw), now=0)


# What others read


def seen_by_another(raw: bytes, since: date, until: date) -> list[tuple[str, int]]:
    """The occurrences that recurring-ical-events finds in a file: their subjects and starts."""
    # Wider by two days, since the other reader's days are those of each event's zone.
    wide = since - timedelta(days=2), until + timedelta(days=2)
    events = recurring_ical_events.of(icalendar.Calendar.from_ical(raw)).between(*wide)
    return _within(((str(event.get("SUMMARY", "")), _instant(event["DTSTART"].dt)) for event in events), since, until)


def _within(starts: Iterable[tuple[str, int]], since: date, until: date) -> list[tuple[str, int]]:
    first, last = ics_zones.midnight(since), ics_zones.midnight(until)
    return sorted(entry for entry in starts if first <= entry[1] < last)


def _instant(start: date) -> int:
    return microseconds(start) if isinstance(start, datetime) else ics_zones.midnight(start)


def seen_by_us(series: list[Series], since: date, until: date) -> list[tuple[str, int]]:
    """The occurrences that the values mean."""
    starts = []
    for event, changed, *_ in series:
        days_zone = "UTC" if event.is_all_day else event.start_zone
        clock = moment(event.start).astimezone(zone(days_zone)).time()
        own = {event.start} if event.rule is None else set(event.added)
        if event.rule is not None:
            own |= {
                ics_zones.at(day, clock, days_zone)
                for day in recurrence.dates(event.rule, since - timedelta(days=2), until)
            }
        own -= {*event.excluded, *changed}
        starts += [(event.subject, start) for start in own]
        starts += [(occurrence.subject, occurrence.start) for occurrence in changed.values()]
    return _within(starts, since, until)


@st.composite
def plain_series(draw: st.DrawFn) -> Series:
    """A series or event as any reader understands it: with a length, and away from the hours of changing clocks."""
    zone_name, is_all_day = draw(st.sampled_from(["UTC", LONDON, NEW_YORK, TOKYO])), draw(st.booleans())
    days_zone = "UTC" if is_all_day else zone_name
    first = date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 700)))
    clock = datetime.min.time() if is_all_day else datetime(1, 1, 1, draw(st.integers(6, 20)), 30).time()
    rule = draw(rules(first)) if draw(st.booleans()) else None
    start = ics_zones.at(rule.start if rule else first, clock, days_zone)
    event = EventFields(
        subject=draw(st.text("abcö ,;\\\"'", min_size=1, max_size=9)),
        start=start,
        end=start + (DAY if is_all_day else HOUR),
        start_zone=zone_name,
        end_zone=zone_name,
        is_all_day=is_all_day,
        rule=rule,
        uid=draw(st.uuids().map(str)),
        reminder=draw(st.none() | st.integers(0, 1000)),
        categories=tuple(draw(st.lists(WORDS, max_size=2))),
        attendees=tuple(draw(st.lists(ATTENDEES, max_size=2))),
    )
    if rule is None:
        return Series(event)
    days = list(recurrence.dates(rule, rule.start, rule.start + timedelta(days=900)))[1:6]
    excluded, moved = days[:1], days[1:2]
    changed = {
        ics_zones.at(day, clock, days_zone): replace(
            event, subject="moved", start=ics_zones.at(day, clock, days_zone) + DAY, rule=None
        )
        for day in moved
    }
    changed = {
        start: replace(event, end=event.start + (DAY if is_all_day else HOUR)) for start, event in changed.items()
    }
    return Series(replace(event, excluded=tuple(ics_zones.at(day, clock, days_zone) for day in excluded)), changed)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.lists(plain_series(), min_size=1, max_size=3))
def test_another_reader_finds_the_same(events: list[Series]) -> None:
    """recurring-ical-events finds the same occurrences in a written file, and it reads back as the same events."""
    raw = compose(events, now=0)

    assert parse(raw) == events
    for year in (2026, 2027):
        window = date(year, 1, 1), date(year + 1, 1, 1)
        assert seen_by_another(raw, *window) == seen_by_us(events, *window)
