"""Makes the members of a generated request agree where a JSON schema cannot say that they must.

An event ends after its start, a series has one end, an all-day event begins at midnight (deviation
rules-between-members).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

_DAY = timedelta(days=1)
_RANGE = {"Type": "NoEnd"}


def agree(query: MutableMapping[str, Any], body: Any) -> None:
    """Change a valid request in place so that its members agree."""
    if isinstance(query, MutableMapping) and "startDateTimeOffset" in query:
        _window(query)
    if not isinstance(body, MutableMapping):
        return
    if isinstance(listed := body.get("Attendees"), list):
        body["Attendees"] = [entry for entry in listed if _address(entry.get("EmailAddress") or {})]
    if isinstance(listed := body.get("EmailAddresses"), list):
        body["EmailAddresses"] = [entry for entry in listed if _address(entry)]
    if "Start" in body and "End" in body:
        _times(body)
        if "Attendees" in body or isinstance(body.get("Recurrence"), MutableMapping):
            _nested(body)
        else:
            _series(body)


def _window(query: MutableMapping[str, Any]) -> None:
    start, end = _instant(query["startDateTimeOffset"]), _instant(query.get("endDateTimeOffset", ""))
    if end is None or start is None or not timedelta() <= end - start <= 1800 * _DAY:
        query["endDateTimeOffset"] = query["startDateTimeOffset"]


def _times(body: MutableMapping[str, Any]) -> None:
    start, end = _instant(body["Start"]), _instant(body["End"])
    if body.get("IsAllDay"):
        first = datetime.fromisoformat(body["Start"][:10])
        body["Start"], body["End"] = (f"{day.date().isoformat()}T00:00:00" for day in (first, first + _DAY))
    elif start is None or end is None or not timedelta() <= end - start < _DAY or _has_offset(body) == 1:
        body["End"] = body["Start"]


def _series(body: MutableMapping[str, Any]) -> None:
    if body.get("Recurrence", "None") == "None":
        return
    if body.get("NumberOfOccurrences", 0) in range(1, 1000):
        body.pop("RecurrenceEnd", None)
        return
    # A single event ignores what would be no number of occurrences for a series.
    body.pop("NumberOfOccurrences", None)
    if "RecurrenceEnd" in body:
        first = datetime.fromisoformat(body["Start"][:10])
        body["RecurrenceEnd"] = f"{(first + 10 * _DAY).date().isoformat()}T00:00:00Z"


def _nested(body: MutableMapping[str, Any]) -> None:
    recurrence = body.get("Recurrence")
    if not isinstance(recurrence, MutableMapping):
        return
    pattern = recurrence.get("Pattern") or {}
    kind = pattern.get("Type", "Daily")
    whole = {"Type": kind, "Interval": 1, "Month": 3, "DayOfMonth": 4, "DaysOfWeek": ["Wednesday"], "Index": "First"}
    recurrence["Pattern"] = {**whole, "FirstDayOfWeek": pattern.get("FirstDayOfWeek", "Sunday")}
    recurrence["Range"] = dict(_RANGE)


def _address(entry: MutableMapping[str, Any]) -> str:
    """The address of a person; one that has a name alone is refused."""
    return str(entry.get("Address") or "").strip()


def _has_offset(body: MutableMapping[str, Any]) -> int:
    """How many of start and end have an offset."""
    return sum(text.endswith("Z") or text[-6:-5] in ("+", "-") for text in (body["Start"], body["End"]))


def _instant(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
