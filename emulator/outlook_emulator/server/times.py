"""Durations and instants as callers write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from outlook_emulator.clock import microseconds, moment
from outlook_emulator.errors import InvalidRequest

_DAYS = r"(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
_SECONDS = r"(?P<seconds>[0-9]{1,15}(?:\.[0-9]{1,9})?)"
_TIME = rf"(?:(?P<hours>[0-9]{{1,9}})H)?(?:(?P<minutes>[0-9]{{1,9}})M)?(?:{_SECONDS}S)?"
# In ISO 8601 an M before the T would be months, which have no length: they match none of these.
_DURATIONS = [
    re.compile(one, re.IGNORECASE) for one in (rf"P(?=.){_DAYS}(?:T(?=.){_TIME})?", rf"(?=.){_DAYS}{_TIME}", _SECONDS)
]
_MICROSECOND = timedelta(microseconds=1)


def read_duration(text: str, member: str) -> int:
    """A duration in microseconds; `member` is what the caller calls it. Raises InvalidRequest."""
    found = next(filter(None, (one.fullmatch(text.strip()) for one in _DURATIONS)), None)
    try:
        if found is not None:
            given = {unit: float(amount) for unit, amount in found.groupdict().items() if amount}
            return timedelta(**given) // _MICROSECOND
    except OverflowError:
        pass
    wanted = "like PT1H30M or 1h30m, or a number of seconds"
    raise InvalidRequest(f"'{member}' must be a duration {wanted}, not '{text[:50]}'.")


def read_instant(text: str, member: str) -> int:
    """The instant that an ISO 8601 text names, read as UTC where it has no offset. Raises InvalidRequest."""
    try:
        instant = microseconds(datetime.fromisoformat(text))
        moment(instant)  # With its offset taken away, an instant may lie outside of the calendar.
    except (ValueError, OverflowError):
        raise InvalidRequest(f"'{member}' must be an ISO 8601 date and time, not '{text[:50]}'.") from None
    return instant
