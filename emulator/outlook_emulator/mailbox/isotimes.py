"""The form of dates and times in requests, as a regular expression for the connector's definition."""

from __future__ import annotations

_YEAR = r"(?:160[2-9]|16[1-9]\d|1[7-9]\d\d|[23]\d{3}|4[0-3]\d\d|44[0-8]\d)"
_LEAP_YEAR = r"(?:(?:1[6-9]|[23]\d|4[0-4])(?:0[48]|[2468][048]|[13579][26])|(?:2[048]|3[26]|40|44)00)"
_DAY = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])",
    r"(?:0[469]|11)-(?:0[1-9]|[12]\d|30)",
    r"02-(?:0[1-9]|1\d|2[0-8])",
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,7})?)?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
PATTERN = rf"^(?:{_YEAR}-(?:{'|'.join(_DAY)})|{_LEAP_YEAR}-02-29)(?:T{_CLOCK})?$"
"""A day in the years that Exchange allows, alone or with a time to the minute or finer, with or without an offset."""
