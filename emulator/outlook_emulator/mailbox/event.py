"""The values events are made of: who is invited, how it repeats, and all that an event says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from outlook_emulator.enums import AttendeeType, DayOfWeek, Importance, ResponseType, ShowAs, WeekIndex
from outlook_emulator.mailbox.message import Address

DEFAULT_REMINDER = 15
"""Minutes before an event that a reminder shows, unless the caller says otherwise (recorded)."""


class Attendee(NamedTuple):
    """Someone invited; `responded` is in microseconds since 1970, None when there was no answer yet."""

    address: str
    name: str = ""
    type: int = AttendeeType["Required"]
    response: int = ResponseType["None"]
    responded: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """How a series repeats, in the event's own zone and in the connector's first-version words.

    `pattern`, `days_of_week`, `first_day_of_week` and `index` hold values of PatternType, DayOfWeek and WeekIndex;
    what a pattern does not use keeps its default. `start` is the local date of the first occurrence, `until` that of
    the last one that may be (None: no end), `count` the number of occurrences where that was given; a rule with a
    count that was settled has `until` as well.
    """

    pattern: int
    start: date
    interval: int = 1
    month: int = 0
    day_of_month: int = 0
    days_of_week: tuple[int, ...] = ()
    first_day_of_week: int = DayOfWeek["Sunday"]
    index: int = WeekIndex["First"]
    until: date | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFields:
    """Everything an event says, in no calendar yet.

    `start` and `end` are microseconds since 1970. Zones are Windows ids, or IANA names where Windows has none. An
    all-day event starts and ends at midnight in `start_zone`. `reminder` is in minutes before the start, None for no
    reminder. `place` is the structured location of the first version (address and coordinates), as JSON-ready data.
    `excluded` and `added` hold starts that a series leaves out or has on top of its rule. Without an `organizer` the
    event is its owner's own.
    """

    subject: str = ""
    start: int
    end: int
    start_zone: str = "UTC"
    end_zone: str = "UTC"
    is_all_day: bool = False
    body: str = ""
    is_html: bool = True
    location: str = ""
    place: Mapping[str, Any] | None = None
    importance: int = Importance["Low"]
    show_as: int = ShowAs["Free"]
    reminder: int | None = DEFAULT_REMINDER
    response_requested: bool = True
    categories: tuple[str, ...] = ()
    attendees: tuple[Attendee, ...] = ()
    organizer: Address | None = None
    response: int = ResponseType["Organizer"]
    responded: int | None = None
    is_cancelled: bool = False
    rule: Rule | None = None
    excluded: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    uid: str | None = None
    external_id: str | None = None


class Series(NamedTuple):
    """An event as it travels in an iCalendar file: itself, and its changed occurrences by their original start.

    With an `original` start it is one occurrence that travels alone. A message about it supersedes those of a lower
    `sequence`.
    """

    event: EventFields
    changed: Mapping[int, EventFields] = {}
    original: int | None = None
    sequence: int = 0
