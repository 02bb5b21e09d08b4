"""Calendar files as people have them: what is taken, what is left out, and how zones and versions are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outlook_emulator.clock import microseconds
from outlook_emulator.mailbox.event import EventFields, Series
from outlook_emulator.mailbox.formats import ics
from outlook_emulator.mailbox.formats.ics_zone_names import guessed_zone, known_zone
from outlook_emulator.mailbox.recurrence import dates
from outlook_emulator.timezones import CUSTOM, canonical, zone

NEW_YORK = "Eastern Standard Time"
HOUR = 3_600_000_000
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x")


def calendar(*lines: str) -> bytes:
    return "\r\n".join([*HEAD, *lines, "END:VCALENDAR", ""]).encode()


def vevent(*lines: str, uid: str = "a", subject: str = "Tea") -> tuple[str, ...]:
    start = [] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20260411T090000Z"]
    return ("BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{subject}", *start, *lines, "END:VEVENT")


def zone_of(tzid: str, *, standard: str = "", daylight: str = "", west: bool = True) -> tuple[str, ...]:
    """A definition with the rules of New York, or with other ones."""
    winter, summer = ("-0500", "-0400") if west else ("+0130", "+0230")
    return (
        *("BEGIN:VTIMEZONE", f"TZID:{tzid}", "BEGIN:STANDARD", "DTSTART:20071104T020000"),
        *(f"TZOFFSETFROM:{summer}", f"TZOFFSETTO:{winter}"),
        *(standard or "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11", "END:STANDARD"),
        *("BEGIN:DAYLIGHT", "DTSTART:20070311T020000", f"TZOFFSETFROM:{winter}", f"TZOFFSETTO:{summer}"),
        *(daylight or "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3", "END:DAYLIGHT", "END:VTIMEZONE"),
    )


def utc(*parts: int) -> int:
    return microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


def parse_event(*lines: str, head: tuple[str, ...] = ()) -> EventFields:
    (series,) = ics.parse(calendar(*head, *vevent(*lines))).items
    return series.event


def subjects(*lines: str) -> list[str]:
    return sorted(series.event.subject for series in ics.parse(calendar(*lines)).items)


def starts(event: EventFields, count: int = 4) -> list[int]:
    """The first starts of a series."""
    assert event.rule is not None
    zone_name = "UTC" if event.is_all_day else event.start_zone
    clock = datetime.fromtimestamp(event.start / 10**6, zone(zone_name)).time()
    days = list(dates(event.rule, event.rule.start, event.rule.start.replace(year=event.rule.start.year + 2)))[:count]
    return [microseconds(datetime.combine(day, clock, zone(zone_name))) for day in days]


# What is left out


GOOD = vevent(uid="good", subject="Good")


@pytest.mark.parametrize(
    ("lines", "item", "line"),
    [
        (vevent("RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15", uid="b"), 'event "Tea"', 9),
        (vevent("RRULE:FREQ=SECONDLY", uid="b"), 'event "Tea"', 9),
        (vevent("DTSTART:20261341T090000Z", uid="b"), 'event "Tea"', 9),
        (vevent("RRULE:FREQ=WEEKLY;UNTIL=20260401T000000Z", uid="b"), 'event "Tea"', 9),
        (("BEGIN:VEVENT", "UID:b", "END:VEVENT"), 'event "b"', 9),
        (("BEGIN:VEVENT", "SUMMARY:Cut", "DTSTART:20260411T090000Z"), "VEVENT component", 9),
        (("no line at all",), 'line "no line at all"', 9),
        (("BEGIN:VTODO", "UID:t", "END:VTODO"), "VTODO (1)", 9),
        (("END:VALARM",), 'line "END:VALARM"', 9),
    ],
    ids=range(9),
)
def test_an_event_or_line_is_left_out(lines: tuple[str, ...], item: str, line: int) -> None:
    """What cannot be taken is left out with its place; the rest of the file is taken."""
    result = ics.parse(calendar(*GOOD, *lines))

    assert [series.event.subject for series in result.items] == ["Good"]
    assert [(skipped.item, skipped.line) for skipped in result.skipped] == [(item, line)]
    assert result.skipped[0].reason.endswith(".")


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("DTEND:tomorrow", 'DTEND of event "Tea"'),
        ("DTEND:20260410T090000Z", 'DTEND of event "Tea"'),
        ("DURATION:an hour", 'DURATION of event "Tea"'),
        ("DURATION:-PT1H", 'DURATION of event "Tea"'),
        ("BEGIN:VALARM\r\nTRIGGER:PT-2H\r\nEND:VALARM", 'alarm of event "Tea"'),
        ("X-OUTLOOK-PLACE:[]", 'X-OUTLOOK-PLACE of event "Tea"'),
        ("X-OUTLOOK-RESPONDED:soon", 'X-OUTLOOK-RESPONDED of event "Tea"'),
        ("RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:never,20260412T090000Z", 'EXDATE of event "Tea"'),
        ("RRULE:FREQ=DAILY;COUNT=3\r\nRDATE:20260420T090000Z,x", 'RDATE of event "Tea"'),
        ("ATTENDEE;X-OUTLOOK-RESPONDED=x:mailto:a@example.com", 'X-OUTLOOK-RESPONDED of event "Tea"'),
    ],
)
def test_a_line_of_an_event_is_left_out(line: str, item: str) -> None:
    """An event can do without most of its lines."""
    result = ics.parse(calendar(*vevent(line)))

    assert len(result.items) == 1
    assert [skipped.item for skipped in result.skipped] == [item]


def test_the_second_alarm_counts_if_the_first_is_bad() -> None:
    """The reminder is the first alarm that can be read."""
    bad, good = (("BEGIN:VALARM", f"TRIGGER:{text}", "END:VALARM") for text in ("soon", "-PT20M"))

    assert parse_event(*bad, *good).reminder == 20


def test_a_long_report_ends() -> None:
    """Of very many lines that are left out only the first thousand are listed."""
    result = ics.parse(calendar(*["junk"] * 5000, *vevent()))

    assert len(result.skipped) == 1001
    assert result.skipped[-1].item == "4000 more items"


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\xef\xbb\xbf", b"\r\n\xef\xbb\xbf"])
def test_files_that_were_joined(between: bytes) -> None:
    """A file may hold several, whose last lines have no end and whose first lines have a byte order mark."""
    result = ics.parse(calendar(*GOOD).strip() + between + calendar(*vevent(uid="b", subject="Second")))

    assert ["Good", "Second"] == [series.event.subject for series in result.items]
    assert [] == result.skipped


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + calendar(*vevent(subject="Café")),
        calendar(*vevent(subject="Café")).decode().encode("utf-16"),
        calendar(*vevent(subject="Café")).decode().encode("utf-16-be"),
        calendar(*vevent(subject="Café")).replace(b"\r\n", b"\n"),
        calendar(*vevent(subject="Café")).replace(b"\r\n", b"\r"),
        calendar(*vevent(subject="Café")).decode().encode("cp1252"),
        b"\r\n\r\n" + calendar(*vevent(subject="Café")),
        calendar(*vevent(subject="Caf\u00e9")).replace("é".encode(), b"\xc3\r\n \xa9"),
        calendar(*vevent()).replace(b"SUMMARY:Tea", b"SUMMARY;ENCODING=QUOTED-PRINTABLE:Ca=\r\nf=C3=A9"),
        calendar(*vevent(subject="Café")).replace(b"BEGIN:V", b"begin:v").replace(b"SUMMARY", b"summary"),
        "\r\n".join(vevent(subject="Café")).encode(),
        calendar(*vevent(subject="Café")).removesuffix(b"END:VCALENDAR\r\n"),
    ],
    ids=range(12),
)
def test_forms_of_a_file(raw: bytes) -> None:
    """Byte order marks, encodings, line ends and missing frames do not matter."""
    assert [series.event.subject for series in ics.parse(raw).items] == ["Café"]


@pytest.mark.parametrize(
    "text",
    [
        *("20260411T090000Z", "2026-04-11T09:00:00Z", "20260411T0900Z", "20260411T110000+0200", "20260411t090000z"),
        *("20260411T090000.000Z", " 20260411T090000Z "),
    ],
)
def test_forms_of_a_time(text: str) -> None:
    """A time in the forms that programs write."""
    assert parse_event(f"DTSTART:{text}").start == utc(2026, 4, 11, 9)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DTSTART:20260411", True),
        ("DTSTART:20260411Z", True),
        ("DTSTART;VALUE=DATE:20260411T000000", True),
        ("DTSTART;VALUE=DATE;TZID=Asia/Tokyo:20260411", True),
        ("DTSTART;TZID=America/New_York;VALUE=DATE:20260411", True),
        ("DTSTART;VALUE=DATE-TIME:20260411T000000", False),
    ],
)
def test_days(line: str, expected: bool) -> None:
    """A day is a day in every zone."""
    event = parse_event(line, head=("X-WR-TIMEZONE:Pacific/Auckland",))

    assert event.is_all_day == expected
    assert not expected or (event.start, event.end) == (utc(2026, 4, 11), utc(2026, 4, 12))


# Zones


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("(GMT+10:00) Canberra, Melbourne, Sydney", "AUS Eastern Standard Time"),
        ("(GMT-05:00) Eastern Time (US & Canada)", NEW_YORK),
        ("(UTC-05:00) Eastern Time (US and Canada)", NEW_YORK),
        ("(UTC-08:00) Pacific Time (US &amp; Canada)", "Pacific Standard Time"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien", "W. Europe Standard Time"),
        ("(GMT+01.00) Sarajevo/Warsaw/Zagreb", "Central European Standard Time"),
        ("(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "GMT Standard Time"),
        ("(GMT+03:00) Moscow, St. Petersburg, Volgograd", "Russian Standard Time"),
        ("GMT -0500 (Standard) / GMT -0400 (Daylight)", NEW_YORK),
        ("UTC+01", "W. Central Africa Standard Time"),
        ("GMT+0530", "India Standard Time"),
        ("-05:00", "SA Pacific Standard Time"),
        ("UTC-03:30", f"{CUSTOM}<-0330>3:30:00"),
        ("Eastern", NEW_YORK),
        ("W. Europe", "W. Europe Standard Time"),
        ("Pacific Daylight Time", "Pacific Standard Time"),
        ("Pacific Time (US & Canada)", "Pacific Standard Time"),
        ("America/New York", NEW_YORK),
        (" Europe/Berlin ", "W. Europe Standard Time"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "W. Europe Standard Time"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Mars", None),
        ("UTC+99", None),
        ("x" * 1000, None),
    ],
)
def test_zone_names(name: str, expected: str | None) -> None:
    """Names of zones as Exchange, Notes, older versions of Windows and libraries write them."""
    assert (known_zone(name) or guessed_zone(name)) == expected


@pytest.mark.parametrize(
    ("tzid", "param"),
    [
        ("Customized Time Zone", "Customized Time Zone"),
        ("Here\\, There", '"Here, There"'),
        ("Here\\, There", "Here\\, There"),
        ("(UTC-05:00) Ostküste", '"(UTC-05:00) Ostküste"'),
        ("(UTC-05:00) Ostküste", "(UTC-05:00) Ostküste"),
        ("EST", "EST"),
        ("US-Eastern", " US-Eastern "),
        ("GMT -5", "GMT -5"),
    ],
)
def test_a_series_keeps_its_time_over_the_change_of_clocks(tzid: str, param: str) -> None:
    """A zone that the file defines is the known zone with the same rules."""
    lines = (f"DTSTART;TZID={param}:20260223T103000", f"DTEND;TZID={param}:20260223T110000", "RRULE:FREQ=WEEKLY")
    event = parse_event(*lines, head=zone_of(tzid))

    assert event.start_zone == event.end_zone == NEW_YORK
    assert starts(event) == [
        utc(2026, 2, 23, 15, 30),
        *(utc(2026, 3, day, hour, 30) for day, hour in ((2, 15), (9, 14), (16, 14))),
    ]


@pytest.mark.parametrize(
    ("standard", "daylight"),
    [
        (
            "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11;BYHOUR=2;BYMINUTE=0",
            "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3;BYHOUR=2",
        ),
        ("RRULE:FREQ=YEARLY;BYDAY=SU;BYSETPOS=1;BYMONTH=11", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYSETPOS=2"),
        (
            "RRULE:FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=SU",
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=SU",
        ),
        ("RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=1SU;BYMONTH=11;WKST=MO", "RRULE:FREQ=YEARLY;BYDAY=+2SU;BYMONTH=3"),
        ("RDATE:20251102T020000,20261101T020000", "RDATE:20250309T020000,20260308T020000,20270314T020000"),
    ],
    ids=["hours", "positions", "days", "usual", "dates"],
)
def test_rules_of_a_definition(standard: str, daylight: str) -> None:
    """A zone changes its offset on the dates of its rules, however they are said."""
    head = zone_of("mine", standard=standard, daylight=daylight)

    assert parse_event("DTSTART;TZID=mine:20260301T090000", head=head).start == utc(2026, 3, 1, 14)
    assert parse_event("DTSTART;TZID=mine:20260308T090000", head=head).start == utc(2026, 3, 8, 13)
    assert parse_event("DTSTART;TZID=mine:20261101T090000", head=head).start == utc(2026, 11, 1, 14)


def test_a_zone_that_nobody_knows() -> None:
    """A series in a zone with rules of its own keeps them, also when it is written and read again."""
    lines = ("DTSTART;TZID=Own:20260223T103000", "DURATION:PT30M", "RRULE:FREQ=WEEKLY")
    raw = calendar(*zone_of("Own", west=False), *vevent(*lines))
    (series,) = ics.parse(raw).items

    assert starts(series.event) == [utc(2026, 2, 23, 9), utc(2026, 3, 2, 9), utc(2026, 3, 9, 8), utc(2026, 3, 16, 8)]
    assert series.event.start_zone.startswith(CUSTOM)
    assert canonical(series.event.start_zone, "zone") == series.event.start_zone
    assert ics.parse(ics.compose([series], now=0)).items == [series]


def test_an_end_without_a_zone() -> None:
    """A floating end is in the zone of the start."""
    event = parse_event("DTSTART;TZID=mine:20260411T090000", "DTEND:20260411T100000", head=zone_of("mine"))

    assert (event.start, event.end) == (utc(2026, 4, 11, 13), utc(2026, 4, 11, 14))


def test_an_unknown_zone() -> None:
    """Times in a zone that nobody knows are read in the zone of the calendar, and that is reported once."""
    head = ("X-WR-TIMEZONE:Asia/Tokyo",)
    result = ics.parse(calendar(*head, *vevent("DTSTART;TZID=Mars:20260411T090000", "DTEND;TZID=Mars:20260411T100000")))

    assert result.items[0].event.start == utc(2026, 4, 11)
    assert [(skipped.item, skipped.line) for skipped in result.skipped] == [('time zone "Mars"', 8)]


# Series


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("DTSTART:20260305T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"), [(3, 16), (3, 30)]),
        (("DTSTART:20260308T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"), [(3, 9), (3, 23)]),
        (("DTSTART:20260308T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"), [(3, 16), (3, 30)]),
        (("DTSTART:20260320T090000Z", "RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=1MO"), [(5, 4), (7, 6)]),
        (("DTSTART:20260320T090000Z", "RRULE:FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=5"), [(6, 5), (9, 5)]),
        (("DTSTART:20260305T093000Z", "RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=30;BYSECOND=0"), [(3, 5), (3, 6)]),
        (("DTSTART:20260307T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=SA"), [(3, 7), (3, 14)]),
        (("DTSTART:20260307T090000Z", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU"), [(11, 1), (11, 7)]),
        (("DTSTART:20260307T090000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=3"), [(2, 3), (2, 3)]),
        (("DTSTART:20260307T090000Z", "RRULE:FREQ=DAILY\\;COUNT=3"), [(3, 7), (3, 8)]),
    ],
)
def test_intervals_count_from_the_start(lines: tuple[str, ...], expected: list[tuple[int, int]]) -> None:
    """Weeks and months count from those of DTSTART, as in RFC 5545."""
    event = parse_event(*lines)

    assert [datetime.fromtimestamp(start / 10**6, UTC).timetuple()[1:3] for start in starts(event, 2)] == expected


def test_two_ends_and_many_occurrences() -> None:
    """Of COUNT and UNTIL the earlier one counts; a COUNT above Outlook's becomes the last date."""
    both = parse_event("RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z").rule
    many = parse_event("RRULE:FREQ=DAILY;COUNT=1500").rule

    assert both is not None
    assert both.until is not None
    assert both.until.isoformat() == "2026-04-13"
    assert many is not None
    assert many.until is not None
    assert (many.count, many.until.isoformat()) == (None, "2030-05-19")


@pytest.mark.parametrize(
    "line",
    [
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20260409T000000",
        "RECURRENCE-ID;VALUE=DATE:20260409",
        "RECURRENCE-ID:20260408T220000Z",
        "RECURRENCE-ID:20260409T000000Z",
        "RECURRENCE-ID:20260409",
        "RECURRENCE-ID;TZID=Mars:20260409T000000",
    ],
)
def test_a_changed_day(line: str) -> None:
    """The changed occurrence of an all-day series is found by its date in every form."""
    series = vevent("DTSTART;VALUE=DATE:20260402", "RRULE:FREQ=WEEKLY;COUNT=3")
    changed = vevent(line, "DTSTART;VALUE=DATE:20260410")
    (read,) = ics.parse(calendar("X-WR-TIMEZONE:Europe/Berlin", *series, *changed)).items

    assert list(read.changed) == [utc(2026, 4, 9)]


@pytest.mark.parametrize("until", ["20260415T220000Z", "20260416", "20260416T000000Z", "20260416T215959Z"])
def test_the_end_of_days(until: str) -> None:
    """Exchange writes the midnight at which the last day begins, in UTC."""
    head = ("X-WR-TIMEZONE:Europe/Berlin",)
    event = parse_event("DTSTART;VALUE=DATE:20260402", f"RRULE:FREQ=WEEKLY;UNTIL={until}", head=head)

    assert event.rule is not None
    assert event.rule.until is not None
    assert event.rule.until.isoformat() == "2026-04-16"


def test_periods() -> None:
    """An added date can have a length of its own."""
    lines = ("DURATION:PT1H", "RDATE;VALUE=PERIOD:20260412T090000Z/PT2H,20260413T090000Z/20260413T100000Z")
    (series,) = ics.parse(calendar(*vevent(*lines))).items

    assert series.event.added == (utc(2026, 4, 12, 9), utc(2026, 4, 13, 9))
    assert {start: event.end - event.start for start, event in series.changed.items()} == {
        utc(2026, 4, 12, 9): 2 * HOUR
    }


# Versions


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("SEQUENCE:0",), ("SEQUENCE:2", "DTSTART:20260412T090000Z"), ["New"]),
        (("SEQUENCE:2", "DTSTART:20260412T090000Z"), ("SEQUENCE:0",), ["Old"]),
        ((), ("SEQUENCE:1",), ["New"]),
        (("LAST-MODIFIED:20260101T000000Z",), ("LAST-MODIFIED:20260102T000000Z",), ["New"]),
        (("SEQUENCE:1",), ("SEQUENCE:1", "DTSTART:20260412T090000Z"), ["New", "Old"]),
    ],
)
def test_two_versions(first: tuple[str, ...], second: tuple[str, ...], expected: list[str]) -> None:
    """The version with the higher SEQUENCE counts; without a sign of versions both events are taken."""
    assert subjects(*vevent(*first, subject="Old"), *vevent(*second, subject="New")) == expected


def test_a_change_that_a_later_version_takes_back() -> None:
    """A changed occurrence that a later version of the series excludes, or ends before, is left out."""
    series = vevent("SEQUENCE:3", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260412T090000Z")
    changes = [vevent("SEQUENCE:2", f"RECURRENCE-ID:202604{day}T090000Z") for day in ("12", "13", "29")]
    (read,) = ics.parse(calendar(*series, *changes[0], *changes[1], *changes[2])).items

    assert list(read.changed) == [utc(2026, 4, 13, 9)]


def test_an_export_has_each_event_once() -> None:
    """Events with the same UID are written so that others read all of them, and read again as they were."""
    events = [Series(EventFields(subject=name, start=0, end=HOUR, uid="same")) for name in ("a", "b")]
    raw = ics.compose(events, now=0)

    assert raw.count(b"UID:same\r\n") == 2
    assert raw.count(b"\r\nUID:same\r\n") == 1
    assert ics.parse(raw).items == events


def test_changed_occurrences_without_their_series() -> None:
    """Each stays an event of its own, without the rule that some programs repeat, and with its original start."""
    lines = [
        vevent(f"RECURRENCE-ID:202604{day}T090000Z", f"DTSTART:202604{day}T140000Z", "RRULE:FREQ=DAILY", subject=day)
        for day in ("12", "13")
    ]
    items = ics.parse(calendar(*lines[0], *lines[1])).items

    assert [(item.event.subject, item.event.rule, item.original) for item in items] == [
        ("12", None, utc(2026, 4, 12, 9)),
        ("13", None, utc(2026, 4, 13, 9)),
    ]
    assert ics.parse(ics.compose(items, now=0)).items == items
