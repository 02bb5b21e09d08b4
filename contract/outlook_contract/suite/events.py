"""Events as the checks write them and find them again, in the three versions of the operations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox


class Version(NamedTuple):
    """The operations of one version. `read` is that of the second for the third, which has none of its own."""

    create: str
    read: str
    change: str
    list: str


V1 = Version("CalendarPostItem", "CalendarGetItem", "CalendarPatchItem", "CalendarGetItems")
V2 = Version("V2CalendarPostItem", "V2CalendarGetItem", "V2CalendarPatchItem", "V2CalendarGetItems")
V3 = Version("V3CalendarPostItem", "V2CalendarGetItem", "V3CalendarPatchItem", "V3CalendarGetItems")
VERSIONS = pytest.mark.parametrize("version", [V1, V2, V3], ids=["V1", "V2", "V3"])
FLAT_VERSIONS = pytest.mark.parametrize("version", [V2, V3], ids=["V2", "V3"])

_START = datetime.now(UTC) + timedelta(days=1)
"""The day that others are counted from, the same for a whole run. It is tomorrow, so that no event comes near while a
run takes hours, or moves the clock by hours.
"""


def day(ahead: int, hour: int = 9, minute: int = 0) -> datetime:
    """A full minute some days after tomorrow, in UTC."""
    return _START.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=ahead)


def written(when: datetime) -> str:
    """An instant as a request has it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_at(text: str, when: datetime) -> bool:
    """Whether a time in a response is an instant: in any offset, in UTC without one."""
    seen = datetime.fromisoformat(text)
    return when == (seen if seen.tzinfo else seen.replace(tzinfo=UTC))


def event(subject: str, start: datetime, minutes: int = 30, **members: Any) -> dict[str, Any]:
    """The body of an event in any version; members are those of the version."""
    end = start + timedelta(minutes=minutes)
    return {"Subject": subject, "Start": written(start), "End": written(end), **members}


def create(
    mailbox: Mailbox, text: str, start: datetime | None = None, minutes: int = 30, *, version: Version = V3, **more: Any
) -> Any:
    """Create an event whose subject has the marker of the run, and return it; it starts in two days by default."""
    return mailbox.ok(version.create, event(mailbox.name(text), start or day(1), minutes, **more), table=CALENDAR)


def change(mailbox: Mailbox, created: Any, *, version: Version = V3, **members: Any) -> Any:
    """Change members of a flat event; the three that an update must have are sent as they were."""
    body = {name: created[name] for name in ("Subject", "Start", "End")} | members
    return mailbox.ok(version.change, body, table=CALENDAR, id=created["Id"])


def delete(mailbox: Mailbox, created: Any) -> None:
    """Delete an event."""
    mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=created["Id"])


def listed(mailbox: Mailbox, *, version: Version = V3, **query: Any) -> list[Any]:
    """The events of the run, in the order of a list operation."""
    events: list[Any] = mailbox.ok(version.list, table=CALENDAR, **query)["value"]
    return [item for item in events if mailbox.marker in item["Subject"]]


def viewed(mailbox: Mailbox, first: datetime, last: datetime, **query: Any) -> list[Any]:
    """The events and occurrences of the run between two instants, in the order of the second calendar view."""
    span = {"startDateTimeOffset": written(first), "endDateTimeOffset": written(last)}
    events: list[Any] = mailbox.ok("GetEventsCalendarViewV2", calendarId=CALENDAR, **span, **query)["value"]
    return [item for item in events if mailbox.marker in item["Subject"]]


def with_subject(mailbox: Mailbox, subject: str) -> Any:
    """The event with this subject, once it is in the calendar. Raises Unexpected."""

    def look() -> Any:
        return next((item for item in listed(mailbox) if item["Subject"] == subject), None)

    return mailbox.until(f"An event with the subject {subject!r}", look)


def subjects(events: list[Any], marker: str) -> list[str]:
    """The subjects of events, without the marker of the run."""
    return [item["Subject"].removesuffix(f" {marker}") for item in events]
