"""Reads the values of lines in an iCalendar file: times, durations and the parts of rules."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from outlook_emulator.errors import InvalidRequest

_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ]?(\d\d):?(\d\d):?(\d\d)?(?:[.,]\d+)?\s*(Z|[+-]\d\d:?\d\d)?T?|Z)?",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12})S)?)?", re.IGNORECASE
)
_LONGEST_RULE = 1000


def time_of(text: str) -> date | datetime:
    """A day, a wall-clock time, or a time with an offset as one in UTC. Raises InvalidRequest for any other text."""
    if len(text) in (15, 16) and text[:8].isdecimal() and text[8] == "T" and text[15:] in ("", "Z"):
        try:
            # Nearly all times have the form of the RFC, and this reads them ten times faster.
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"'{text[:60]}' is neither a day nor a time.")
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        if hour is None:
            return date(int(year), int(month), int(day))
        # Midnight at the end of a day, and a leap second.
        is_next_day, seconds = hour == "24", min(int(second or 0), 59)
        when = datetime(int(year), int(month), int(day), 0 if is_next_day else int(hour), int(minute), seconds)
        if is_next_day:
            when += timedelta(days=1)
        if offset is None:
            return when
        if offset in ("Z", "z"):
            return when.replace(tzinfo=UTC)
        size = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
        return when.replace(tzinfo=timezone(-size if offset[0] == "-" else size)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"'{text[:60]}' is neither a day nor a time: {error}.") from error


def duration_of(text: str) -> timedelta:
    """A duration such as `-PT15M`. Raises InvalidRequest for any other text."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        raise InvalidRequest(f"'{text[:60]}' is not a duration.")
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:])
    try:
        size = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise InvalidRequest(f"'{text[:60]}' is too long a duration.") from error
    return -size if match[1] == "-" else size


def rule_parts(text: str) -> dict[str, list[str]]:
    """The parts of a rule by name, in capitals, without parts and values that are empty.

    Raises InvalidRequest for a text of another form.
    """
    if len(text) > _LONGEST_RULE:
        raise InvalidRequest(f"The rule has more than {_LONGEST_RULE} characters.")
    parts: dict[str, list[str]] = {}
    # Some programs escape the semicolons.
    for part in text.replace("\\", "").strip().upper().split(";"):
        name, equals, values = part.partition("=")
        if not equals and part.strip():
            raise InvalidRequest(f"'{part[:60]}' is not a part of a rule.")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if listed:
            parts[name.strip()] = listed
    return parts
