"""Journeys through series of events: occurrences, exceptions, ends of a series, and summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.suite.events import (
    FLAT_VERSIONS,
    V1,
    V2,
    V3,
    Version,
    change,
    create,
    day,
    delete,
    event,
    is_at,
    listed,
    viewed,
    written,
)

_VIEW = "GetEventsCalendarViewV2"
_CENTRAL_EUROPE = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"


@FLAT_VERSIONS
def test_a_counted_series_has_as_many_occurrences(mailbox: Mailbox, version: Version) -> None:
    """A daily series of three is one event in a list and three occurrences in a view, each with the series' id."""
    name = f"Counted {version.create}"
    series = create(mailbox, name, day(20), version=version, Recurrence="Daily", NumberOfOccurrences=3)
    mailbox.members(version.create, "", series, {"Recurrence": "Daily", "NumberOfOccurrences": 3})
    occurrences = _occurrences(mailbox, series, day(20, 0), day(30, 0))
    starts = [item["Start"][:16] for item in occurrences]
    mailbox.equal(_VIEW, "value[].Start", starts, [f"{day(20 + more):%Y-%m-%dT%H:%M}" for more in range(3)])
    ids = {item["Id"] for item in occurrences} | {series["Id"]}
    mailbox.equal(_VIEW, "value[].Id", len(ids), 4)
    same = [item["Id"] for item in listed(mailbox) if item["Subject"] == mailbox.name(name)]
    mailbox.equal(version.list, "value", same, [series["Id"]])


def test_a_series_of_the_first_version_has_a_pattern_and_a_range(mailbox: Mailbox) -> None:
    """The first version nests the recurrence as the mail service does; later versions read the same series flat."""
    recurrence = {
        "Pattern": {"Type": "Daily", "Interval": 2},
        "Range": {"Type": "Numbered", "NumberOfOccurrences": 3, "StartDate": f"{day(21):%Y-%m-%d}"},
    }
    series = create(mailbox, "Nested", day(21), version=V1, Recurrence=recurrence)
    mailbox.members("CalendarPostItem", "Recurrence.Pattern", series["Recurrence"]["Pattern"], recurrence["Pattern"])
    count = {"Type": "Numbered", "NumberOfOccurrences": 3, "EndDate": "0001-01-01"}
    mailbox.members("CalendarPostItem", "Recurrence.Range", series["Recurrence"]["Range"], count)
    mailbox.equal("CalendarPostItem", "Type", series["Type"], "SeriesMaster")
    starts = [item["Start"][:10] for item in _occurrences(mailbox, series, day(21, 0), day(30, 0))]
    mailbox.equal(_VIEW, "value[].Start", starts, [f"{day(21 + more):%Y-%m-%d}" for more in (0, 2, 4)])


def test_a_series_ends_on_its_last_day(mailbox: Mailbox) -> None:
    """A weekly series goes on to RecurrenceEnd and includes that day."""
    end = day(36, 0)
    series = create(mailbox, "Weekly", day(22), Recurrence="Weekly", RecurrenceEnd=written(end))
    mailbox.equal("V3CalendarPostItem", "Recurrence", series["Recurrence"], "Weekly")
    starts = [item["Start"][:10] for item in _occurrences(mailbox, series, day(22, 0), day(60, 0))]
    mailbox.equal(_VIEW, "value[].Start", starts, [f"{day(22 + more):%Y-%m-%d}" for more in (0, 7, 14)])


def test_a_changed_occurrence_leaves_the_others(mailbox: Mailbox) -> None:
    """A change of one occurrence changes neither the series nor the other occurrences."""
    series = create(mailbox, "Exception", day(23), Recurrence="Daily", NumberOfOccurrences=3)
    _, second, _ = _occurrences(mailbox, series, day(23, 0), day(30, 0))
    start = day(24, 13)
    body = event(mailbox.name("Special"), start)
    mailbox.ok("V3CalendarPatchItem", body, table=CALENDAR, id=second["Id"])
    seen = _occurrences(mailbox, series, day(23, 0), day(30, 0))
    names = [item["Subject"].removesuffix(f" {mailbox.marker}") for item in seen]
    mailbox.equal(_VIEW, "value[].Subject", names, ["Exception", "Special", "Exception"])
    mailbox.holds(_VIEW, "value[].Start", seen[1]["Start"], f"{start}", is_at(seen[1]["Start"], start))
    # Lists have each series once (recorded), and no occurrence.
    in_lists = [item["Subject"] for version in (V2, V3) for item in listed(mailbox, version=version)]
    mailbox.equal("V3CalendarGetItems", "value[].Subject", mailbox.name("Special") in in_lists, False)
    whole = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=series["Id"])
    mailbox.equal("V2CalendarGetItem", "Subject", whole["Subject"], mailbox.name("Exception"))


def test_a_deleted_occurrence_leaves_the_others(mailbox: Mailbox) -> None:
    """A deleted occurrence is gone from the view; the others and the series stay."""
    series = create(mailbox, "Hole", day(23), Recurrence="Daily", NumberOfOccurrences=3)
    first, second, third = _occurrences(mailbox, series, day(23, 0), day(30, 0))
    delete(mailbox, second)
    left = [item["Id"] for item in _occurrences(mailbox, series, day(23, 0), day(30, 0))]
    mailbox.equal(_VIEW, "value[].Id", left, [first["Id"], third["Id"]])
    mailbox.refused("V2CalendarGetItem", 404, table=CALENDAR, id=second["Id"], code="ErrorItemNotFound")


def test_a_deleted_series_takes_its_occurrences_along(mailbox: Mailbox) -> None:
    """Without the series, the view has none of its occurrences, changed or not."""
    series = create(mailbox, "Whole", day(23), Recurrence="Daily", NumberOfOccurrences=3)
    occurrences = _occurrences(mailbox, series, day(23, 0), day(30, 0))
    mailbox.ok(
        "V3CalendarPatchItem", event(mailbox.name("Special"), day(24, 13)), table=CALENDAR, id=occurrences[1]["Id"]
    )
    delete(mailbox, series)
    mailbox.equal(_VIEW, "value", _occurrences(mailbox, series, day(23, 0), day(30, 0)), [])
    mailbox.refused("V2CalendarGetItem", 404, table=CALENDAR, id=occurrences[0]["Id"])


@FLAT_VERSIONS
def test_an_occurrence_may_not_pass_its_neighbour(mailbox: Mailbox, version: Version) -> None:
    """An occurrence that would lie on or beyond the next one is refused. Documented for the mail service."""
    series = create(mailbox, "Crossing", day(24), version=version, Recurrence="Daily", NumberOfOccurrences=3)
    first = _occurrences(mailbox, series, day(24, 0), day(30, 0))[0]
    for start in (day(25), day(26, 12)):
        body = event(mailbox.name("Crossing"), start)
        place: dict[str, Any] = {"table": CALENDAR, "id": first["Id"]}
        mailbox.refused(version.change, 400, body, **place, code="ErrorOccurrenceCrossingBoundary")
    seen = _occurrences(mailbox, series, day(24, 0), day(30, 0))[0]
    mailbox.equal(_VIEW, "value[].Start", seen["Start"], first["Start"])


def test_a_series_keeps_its_hour_when_summer_time_begins(mailbox: Mailbox) -> None:
    """Occurrences are at the same time of day in the zone of the series, so in UTC they move by an hour."""
    sunday = _start_of_summer_time()
    saturday = sunday - timedelta(days=1)
    local = {"Start": f"{saturday:%Y-%m-%d}T09:00:00", "End": f"{saturday:%Y-%m-%d}T09:30:00"}
    body = {"Subject": mailbox.name("Summer"), **local, "TimeZone": _CENTRAL_EUROPE}
    series = mailbox.ok("V3CalendarPostItem", {**body, "Recurrence": "Daily", "NumberOfOccurrences": 3}, table=CALENDAR)
    occurrences = _occurrences(mailbox, series, saturday, sunday + timedelta(days=3))
    for member, minute in (("Start", "00"), ("End", "30")):
        hours = [item[member][11:16] for item in occurrences]
        mailbox.equal(_VIEW, f"value[].{member}", hours, [f"{hour}:{minute}" for hour in ("08", "07", "07")])
    mailbox.equal("V3CalendarPostItem", "TimeZone", series["TimeZone"], "W. Europe Standard Time")


def test_an_update_of_a_series_reaches_its_occurrences(mailbox: Mailbox) -> None:
    """A new place of the series is the place of each occurrence; what one has of its own stays, as in Outlook."""
    series = create(mailbox, "Moved", day(25), Recurrence="Daily", NumberOfOccurrences=2)
    second = _occurrences(mailbox, series, day(25, 0), day(30, 0))[1]
    mailbox.ok("V3CalendarPatchItem", event(mailbox.name("Special"), day(26)), table=CALENDAR, id=second["Id"])
    renamed = mailbox.name("Renamed")
    change(mailbox, series, Recurrence="Daily", NumberOfOccurrences=2, Location="Hall", Subject=renamed)
    occurrences = _occurrences(mailbox, series, day(25, 0), day(30, 0))
    mailbox.equal(_VIEW, "value[].Location", [item["Location"] for item in occurrences], ["Hall", "Hall"])
    names = [item["Subject"] for item in occurrences]
    mailbox.equal(_VIEW, "value[].Subject", names, [renamed, mailbox.name("Special")])


def test_a_wrong_recurrence_is_refused(mailbox: Mailbox) -> None:
    """The word for the recurrence must be known, and there must be at least one occurrence. Inferred."""
    for version in (V2, V3):
        for wrong in ({"Recurrence": "Hourly"}, {"Recurrence": "Daily", "NumberOfOccurrences": -1}):
            body = event(mailbox.name("Wrong"), day(1)) | wrong
            mailbox.refused(version.create, 400, body, table=CALENDAR)


def _occurrences(mailbox: Mailbox, series: Any, first: datetime, last: datetime) -> list[Any]:
    return [item for item in viewed(mailbox, first, last) if item["SeriesMasterId"] == series["Id"]]


def _start_of_summer_time() -> datetime:
    """Midnight of the last Sunday in March of next year, when central Europe changes its clocks."""
    last = datetime(datetime.now(UTC).year + 1, 3, 31, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def test_a_month_that_lacks_the_day_has_its_last_one(mailbox: Mailbox) -> None:
    """A series on the 31st is on the last day of shorter months, as in Outlook."""
    first = datetime(datetime.now(UTC).year + 1, 1, 31, 9, tzinfo=UTC)
    series = create(mailbox, "Month's end", first, Recurrence="Monthly", NumberOfOccurrences=4)
    seen = [item["Start"][5:10] for item in _occurrences(mailbox, series, first, first + timedelta(days=120))]
    last = "02-29" if (first.year % 4 == 0) else "02-28"
    mailbox.equal(_VIEW, "value[].Start", seen, ["01-31", last, "03-31", "04-30"])


def test_a_series_on_weekdays_keeps_to_its_weeks(mailbox: Mailbox) -> None:
    """Every second week counts from the first day of the week that the pattern names."""
    # A Tuesday; the week that begins on Sunday ends with the Saturday after it, the one from Monday with the Sunday.
    first = datetime(2030, 1, 1, 9, tzinfo=UTC)
    for start, expected in (("Sunday", ["01-01", "01-13", "01-15"]), ("Monday", ["01-01", "01-06", "01-15"])):
        pattern = {"Type": "Weekly", "Interval": 2, "DaysOfWeek": ["Sunday", "Tuesday"], "FirstDayOfWeek": start}
        recurrence = {"Pattern": pattern, "Range": {"Type": "Numbered", "NumberOfOccurrences": 3}}
        series = create(mailbox, f"Weeks from {start}", first, version=V1, Recurrence=recurrence)
        mailbox.members("CalendarPostItem", "Recurrence.Pattern", series["Recurrence"]["Pattern"], pattern)
        seen = [item["Start"][5:10] for item in _occurrences(mailbox, series, first, first + timedelta(days=40))]
        mailbox.equal(_VIEW, "value[].Start", seen, expected)


def test_a_series_on_the_last_weekday_of_a_month(mailbox: Mailbox) -> None:
    """`Last` is the last such weekday, whether it is the fourth or the fifth."""
    first = datetime(2030, 1, 31, 9, tzinfo=UTC)
    pattern = {"Type": "RelativeMonthly", "Interval": 1, "DaysOfWeek": ["Thursday"], "Index": "Last"}
    recurrence = {"Pattern": pattern, "Range": {"Type": "Numbered", "NumberOfOccurrences": 4}}
    series = create(mailbox, "Last Thursday", first, version=V1, Recurrence=recurrence)
    seen = [item["Start"][5:10] for item in _occurrences(mailbox, series, first, first + timedelta(days=120))]
    mailbox.equal(_VIEW, "value[].Start", seen, ["01-31", "02-28", "03-28", "04-25"])


def test_a_series_says_where_it_ends(mailbox: Mailbox) -> None:
    """RecurrenceEnd or NumberOfOccurrences reads as it was sent, and the other one is null."""
    counted = create(mailbox, "Counted end", day(62), Recurrence="Daily", NumberOfOccurrences=2)
    mailbox.members("V3CalendarPostItem", "", counted, {"NumberOfOccurrences": 2, "RecurrenceEnd": None})
    dated = create(mailbox, "Dated end", day(62), Recurrence="Daily", RecurrenceEnd=written(day(64, 0)))
    expected = {"NumberOfOccurrences": None, "RecurrenceEnd": f"{day(64):%Y-%m-%d}T00:00:00.0000000+00:00"}
    mailbox.members("V3CalendarPostItem", "", dated, expected)
    read = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=dated["Id"])
    mailbox.members("V2CalendarGetItem", "", read, {**expected, "Recurrence": "Daily"})


def test_a_series_has_at_most_999_occurrences(mailbox: Mailbox) -> None:
    """More than 999 occurrences are refused, Exchange's own limit."""
    body = event(mailbox.name("Many"), day(63), Recurrence="Daily", NumberOfOccurrences=1000)
    mailbox.refused("V3CalendarPostItem", 400, body, table=CALENDAR)


def test_a_series_at_another_time_forgets_its_changes(mailbox: Mailbox) -> None:
    """When a series moves, its changed and deleted occurrences are as the others again, as in Outlook."""
    series = create(mailbox, "Moves", day(65, 9), Recurrence="Daily", NumberOfOccurrences=3)
    first, second, _ = _occurrences(mailbox, series, day(65, 0), day(70, 0))
    delete(mailbox, first)
    mailbox.ok("V3CalendarPatchItem", event(mailbox.name("Special"), day(66, 13)), table=CALENDAR, id=second["Id"])
    for hour in (11, 9):
        moved = event(series["Subject"], day(65, hour), Recurrence="Daily", NumberOfOccurrences=3)
        mailbox.ok("V3CalendarPatchItem", moved, table=CALENDAR, id=series["Id"])
        occurrences = _occurrences(mailbox, series, day(65, 0), day(70, 0))
        seen = [(item["Subject"], item["Start"][11:13]) for item in occurrences]
        mailbox.equal(_VIEW, "value[]", seen, [(series["Subject"], f"{hour:02}")] * 3)


def test_a_changed_occurrence_says_what_it_is(mailbox: Mailbox) -> None:
    """A changed occurrence is an exception of its series, which names it still; it keeps its id."""
    series = create(mailbox, "Kinds", day(71), Recurrence="Daily", NumberOfOccurrences=2)
    first, second = _occurrences(mailbox, series, day(71, 0), day(75, 0))
    mailbox.ok("V3CalendarPatchItem", event(mailbox.name("Special"), day(71, 13)), table=CALENDAR, id=first["Id"])
    for id, kind in ((series["Id"], "SeriesMaster"), (first["Id"], "Exception"), (second["Id"], "Occurrence")):
        nested = mailbox.ok("CalendarGetItem", table=CALENDAR, id=id)
        expected = {"Id": id, "Type": kind, "SeriesMasterId": None if kind == "SeriesMaster" else series["Id"]}
        expected["Subject"] = mailbox.name("Special" if kind == "Exception" else "Kinds")
        mailbox.members("CalendarGetItem", "", nested, expected)


def test_a_series_without_an_end_goes_on(mailbox: Mailbox) -> None:
    """A yearly series has a pattern and a range without an end. Recorded from the Office 365 twin."""
    first = datetime(2030, 3, 9, 9, tzinfo=UTC)
    series = create(mailbox, "Every year", first, Recurrence="Yearly")
    span = {"StartDate": "2030-03-09", "EndDate": "0001-01-01", "Type": "NoEnd", "NumberOfOccurrences": 0}
    days = {"Month": 3, "DayOfMonth": 9, "DaysOfWeek": [], "FirstDayOfWeek": "Sunday", "Index": "First"}
    nested = mailbox.ok("CalendarGetItem", table=CALENDAR, id=series["Id"])
    pattern = {"Type": "AbsoluteYearly", "Interval": 1, **days}
    mailbox.equal("CalendarGetItem", "Recurrence", nested["Recurrence"], {"Range": span, "Pattern": pattern})
    mailbox.members("V3CalendarPostItem", "", series, {"RecurrenceEnd": None, "NumberOfOccurrences": None})
    for year, expected in ((2031, ["2031-03-09"]), (2050, ["2050-03-09"])):
        seen = _occurrences(mailbox, series, datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC))
        mailbox.equal(_VIEW, "value[].Start", [item["Start"][:10] for item in seen], expected)


def test_a_series_of_the_first_version_may_end_on_a_day(mailbox: Mailbox) -> None:
    """A range of the type EndDate goes on to that day, and later versions say so."""
    span = {"Type": "EndDate", "StartDate": "2030-05-06", "EndDate": "2030-05-08"}
    recurrence = {"Pattern": {"Type": "Daily", "Interval": 1}, "Range": span}
    first = datetime(2030, 5, 6, 9, tzinfo=UTC)
    series = create(mailbox, "To a day", first, version=V1, Recurrence=recurrence)
    mailbox.equal(
        "CalendarPostItem", "Recurrence.Range", series["Recurrence"]["Range"], {**span, "NumberOfOccurrences": 0}
    )
    flat = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=series["Id"])
    end = {"RecurrenceEnd": "2030-05-08T00:00:00.0000000+00:00", "NumberOfOccurrences": None}
    mailbox.members("V2CalendarGetItem", "", flat, {"Recurrence": "Daily", **end})
    seen = _occurrences(mailbox, series, first - timedelta(days=1), first + timedelta(days=9))
    mailbox.equal(_VIEW, "value[].Start", [item["Start"][8:10] for item in seen], ["06", "07", "08"])


def test_a_series_on_the_second_weekday_of_every_other_month(mailbox: Mailbox) -> None:
    """Index and interval of a pattern by weekdays count."""
    pattern = {"Type": "RelativeMonthly", "Interval": 2, "DaysOfWeek": ["Tuesday"], "Index": "Second"}
    recurrence = {"Pattern": pattern, "Range": {"Type": "Numbered", "NumberOfOccurrences": 3}}
    first = datetime(2030, 1, 8, 9, tzinfo=UTC)
    series = create(mailbox, "Second Tuesday", first, version=V1, Recurrence=recurrence)
    seen = [item["Start"][5:10] for item in _occurrences(mailbox, series, first, first + timedelta(days=150))]
    mailbox.equal(_VIEW, "value[].Start", seen, ["01-08", "03-12", "05-14"])


def test_an_update_that_leaves_the_recurrence_out_ends_the_series(mailbox: Mailbox) -> None:
    """An update resets what it leaves out, the recurrence as well. Vendor's page of the Office 365 twin."""
    series = create(mailbox, "No series", day(78), Recurrence="Daily", NumberOfOccurrences=3)
    changed = change(mailbox, series)
    expected = {"Recurrence": "None", "NumberOfOccurrences": None}
    mailbox.members("V3CalendarPatchItem", "", changed, expected)
    names = [item["Start"][:10] for item in viewed(mailbox, day(78, 0), day(83, 0)) if item["Id"] == series["Id"]]
    mailbox.equal(_VIEW, "value[].Start", names, [f"{day(78):%Y-%m-%d}"], known="update-reset")


def test_an_update_of_a_weekly_series_leaves_the_day_of_its_start(mailbox: Mailbox) -> None:
    """Days that an update does not repeat are gone but for that of Start. Vendor's page of the Office 365 twin."""
    first = datetime(2030, 2, 5, 9, tzinfo=UTC)
    pattern = {"Type": "Weekly", "Interval": 1, "DaysOfWeek": ["Tuesday", "Thursday"]}
    recurrence = {"Pattern": pattern, "Range": {"Type": "Numbered", "NumberOfOccurrences": 4}}
    series = create(mailbox, "Two days", first, version=V1, Recurrence=recurrence)
    body = event(series["Subject"], first, Recurrence="Weekly", NumberOfOccurrences=2)
    mailbox.ok("V3CalendarPatchItem", body, table=CALENDAR, id=series["Id"])
    seen = [item["Start"][5:10] for item in _occurrences(mailbox, series, first, first + timedelta(days=30))]
    mailbox.equal(_VIEW, "value[].Start", seen, ["02-05", "02-12"], known="update-reset")
