"""The three kinds of time zone names: Outlook's, those of Windows, and those of the IANA."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.errors import InvalidRequest
from outlook_emulator.timezones import MACHINE, RETIRED, WINDOWS_IDS, ZONE_NAMES, canonical, iana, zone

YEAR = 2017
"""The year of Outlook's list, which has a zone of its own for Saratov but not yet for Sao Tome."""

CHANGED = {
    # In the IANA's data, summer time is the standard and winter time (+01:00) the exception.
    "(UTC+01:00) Windhoek": timedelta(hours=2),
    # Volgograd had Moscow's time until October 2018, then +04:00 until December 2020.
    "(UTC+04:00) Volgograd": timedelta(hours=3),
}
"""The zones whose standard offset in 2017 is not the one in their name."""

OFFSET = re.compile(r"\(UTC(?:([+-])(\d\d):(\d\d))?\) .+")


def named_offset(name: str) -> timedelta:
    match = OFFSET.fullmatch(name)
    assert match
    sign, hours, minutes = match.groups(default="0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


def standard_offsets(where: ZoneInfo) -> set[timedelta]:
    """Return the offsets in the middle of each month, without daylight saving time."""
    days = [datetime(YEAR, month, 15, tzinfo=where) for month in range(1, 13)]
    return {(day.utcoffset() or timedelta()) - (day.dst() or timedelta()) for day in days}


def test_names() -> None:
    """There is a zone for every name that the connector declares, and the empty name is first."""
    assert len(ZONE_NAMES) == len(set(ZONE_NAMES)) == 137
    assert ZONE_NAMES[0] == ""
    assert len(set(WINDOWS_IDS.values())) == 136


@pytest.mark.parametrize(("name", "windows_id"), WINDOWS_IDS.items())
def test_outlook_name(name: str, windows_id: str) -> None:
    """Each Outlook name refers to a zone with the offset in its name, apart from the listed exceptions."""
    assert canonical(name, "TimeZone") == windows_id
    assert standard_offsets(zone(windows_id)) == {CHANGED.get(name, named_offset(name))}


@pytest.mark.parametrize(("name", "offset"), CHANGED.items())
def test_changed_zone(name: str, offset: timedelta) -> None:
    """Each listed exception has another offset than the one in its name."""
    assert named_offset(name) != offset


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("(UTC-08:00) Pacific Time (US & Canada)", "Pacific Standard Time"),
        ("Pacific Standard Time", "Pacific Standard Time"),
        ("America/Los_Angeles", "Pacific Standard Time"),
        ("US/Pacific", "Pacific Standard Time"),
        ("Asia/Kolkata", "India Standard Time"),
        ("Asia/Calcutta", "India Standard Time"),
        ("Asia/Kamchatka", "Russia Time Zone 11"),
        ("Etc/GMT+12", "Dateline Standard Time"),
        # Windows has no such zone.
        ("Antarctica/Troll", "Antarctica/Troll"),
        ("PST8PDT", "PST8PDT"),
        # Outlook's list does not have this Windows zone.
        ("Qyzylorda Standard Time", "Qyzylorda Standard Time"),
        ("Z", "UTC"),
        ("GMT", "UTC"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Etc/GMT", "UTC"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("GMT Standard Time", "GMT Standard Time"),
        ("Europe/London", "GMT Standard Time"),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    """Every kind of name, in any case, maps to one canonical name."""
    for spelling in (name, name.upper(), name.lower(), f" \t{name}\n"):
        assert canonical(spelling, "TimeZone") == expected


@pytest.mark.parametrize("name", sorted(available_timezones() - MACHINE))
def test_iana_zone(name: str) -> None:
    """Every IANA zone has a canonical name, which is its own canonical name and can be loaded."""
    kept = canonical(name, "TimeZone")

    assert canonical(kept, "TimeZone") == kept
    assert zone(kept) is zone(kept)
    assert kept in (name, canonical(iana(kept), "TimeZone"))


@pytest.mark.parametrize("windows_id", sorted(set(WINDOWS_IDS.values()) - RETIRED.keys()))
def test_round_trip(windows_id: str) -> None:
    """The IANA name of a Windows zone maps back to the zone."""
    assert canonical(iana(windows_id), "TimeZone") == windows_id


@pytest.mark.parametrize("windows_id", RETIRED)
def test_retired_zone(windows_id: str) -> None:
    """A retired zone keeps its Windows id, although its IANA name now maps to another."""
    assert canonical(windows_id, "TimeZone") == windows_id
    assert canonical(iana(windows_id), "TimeZone") != windows_id


def test_summer_time() -> None:
    """A zone includes its daylight saving time rules."""
    noon = datetime(2026, 7, 1, 12, tzinfo=zone("Pacific Standard Time"))

    assert noon.astimezone(UTC).hour == 19


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/passwd",
        "/usr/share/zoneinfo/Europe/Berlin",
        "Europe/../Europe/Berlin",
        "Europe",
        "Europe/Berlin\0",
        "\0",
        "\ud800",
        "localtime",
        "posix/Europe/Berlin",
        "right/UTC",
        "tzdata.zi",
        "zone.tab",
        "x" * 100_000,
    ],
)
def test_unknown_zone(name: str) -> None:
    """An unknown zone is an error whose particulars name the member and a shortened text, and no file is opened."""
    with pytest.raises(InvalidRequest) as refusal:
        canonical(name, "StartTimeZone")

    assert "'StartTimeZone'" in refusal.value.original
    assert name[:100] in refusal.value.original
    assert len(refusal.value.original) < 200


@settings(deadline=None)
@given(st.text() | st.sampled_from([*ZONE_NAMES, *available_timezones()]).map(str.swapcase))
def test_any_name(name: str) -> None:
    """Any text is either a zone or an error."""
    try:
        kept = canonical(name, "TimeZone")
    except InvalidRequest:
        return
    assert zone(kept)
