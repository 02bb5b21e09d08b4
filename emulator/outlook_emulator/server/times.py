"""Reads durations and instants from requests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from outlook_emulator.clock import instant_of
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.patterns import pattern

_DAYS = r"(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
_SECONDS = r"(?P<seconds>[0-9]{1,15}(?:\.[0-9]{1,9})?)"
_MILLISECONDS = r"(?:(?P<milliseconds>[0-9]{1,15})ms)?"
_TIME = rf"(?:(?P<hours>[0-9]{{1,9}})H)?(?:(?P<minutes>[0-9]{{1,9}})M)?(?:{_SECONDS}S)?"
# In ISO 8601 an M before the T means months, which have no fixed length: it matches none of these.
_DURATIONS = [
    pattern(form, re.IGNORECASE)
    for form in (rf"P(?=.){_DAYS}(?:T(?=.){_TIME})?", rf"(?=.){_DAYS}{_TIME}{_MILLISECONDS}", _SECONDS)
]
_MICROSECOND = timedelta(microseconds=1)


def read_duration(text: str, member: str) -> int:
    """A duration in microseconds; `member` is its name in the request. Raises InvalidRequest."""
    match = next(filter(None, (form.fullmatch(text.strip()) for form in _DURATIONS)), None)
    try:
        if match is not None:
            units = {unit: float(amount) for unit, amount in match.groupdict().items() if amount}
            return timedelta(**units) // _MICROSECOND
    except OverflowError:
        pass
    if text.lstrip().startswith("-"):
        raise InvalidRequest(f"'{member}' must not be negative, but is '{text[:50]}'.")
    form = "like PT1H30M, 1h30m or 300ms, or a number of seconds"
    raise InvalidRequest(f"'{member}' must be a duration {form}, not '{text[:50]}'.")


def read_instant(text: str, member: str) -> int:
    """The instant in an ISO 8601 text, by default in UTC. Raises InvalidRequest."""
    try:
        return instant_of(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidRequest(f"'{member}' must be an ISO 8601 date and time, not '{text[:50]}'.") from None
