"""Events as values: attendees, recurrence rules, the fields of an event, and changes to them.

A plain text field needs five edits; everything else follows from them:

1. `store/records.py`: a field of `Event`, which declares the column too; then `make sql`.
2. `store/opening.py`: a new `SCHEMA_VERSION`, since older data files lack the column. `store/migrations.py`: a step
   that adds it to the earlier states of events in the change feed.
3. Here: a field of `EventFields`, and one of `EventChanges` if clients may set it.
4. `wire/calendar.py`: a member of each shape that shows it; requests are read by its name in snake_case.
5. `wire/calendar_convert.py`: where responses show it.

Storage, comparison, inheritance by exceptions, invitations, filters, the change feed, and iCalendar files (as a
property of our own) need no edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple, TypedDict

from outlook_emulator.enums import NO_RESPONSE, AttendeeType, DayOfWeek, Importance, ResponseType, ShowAs, WeekIndex
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.message import Address
from outlook_emulator.store.records import AFTER_EVENTS, FIRST_EVENT, Event

FIRST, LAST = FIRST_EVENT, AFTER_EVENTS
DEFAULT_REMINDER = 15
"""Minutes before an event that a reminder shows, unless the caller says otherwise (recorded)."""


class Attendee(NamedTuple):
    """An invited person or resource; `responded` is in microseconds since 1970, None before any answer."""

    address: str
    name: str = ""
    type: int = AttendeeType.Required
    response: int = NO_RESPONSE
    responded: int | None = None


class Rule(Frozen):
    """How a series repeats, in the event's own zone and in the terms of the connector's first version.

    `pattern`, `days_of_week`, `first_day_of_week` and `index` hold values of PatternType, DayOfWeek and WeekIndex.
    Fields that the pattern does not use keep their defaults. `start` is the local date of the first occurrence. `until`
    is the last possible date, None without an end. `count` is the number of occurrences, None where it was not given;
    a normalized rule with a count has `until` as well.
    """

    pattern: int
    start: date
    interval: int = 1
    month: int = 0
    day_of_month: int = 0
    days_of_week: tuple[int, ...] = ()
    first_day_of_week: int = DayOfWeek.Sunday
    index: int = WeekIndex.First
    until: date | None = None
    count: int | None = None


class EventFields(Frozen, kw_only=True):
    """The content of an event, independent of any calendar.

    `start` and `end` are microseconds since 1970. Zones are Windows ids, or IANA names where Windows has none. An
    all-day event starts and ends at midnight UTC, whatever its zones are. `reminder` is in minutes before the start,
    None for no reminder. `place` is the structured location of the first version (address and coordinates), as
    JSON-ready data. `excluded` and `added` hold starts that a series omits, or has in addition to its rule. Without an
    `organizer` the mailbox's owner organizes the event. `external_id` is the id that the event had in another service.
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
    importance: int = Importance.Low
    show_as: int = ShowAs.Free
    reminder: int | None = DEFAULT_REMINDER
    response_requested: bool = True
    categories: tuple[str, ...] = ()
    attendees: tuple[Attendee, ...] = ()
    organizer: Address | None = None
    response: int = ResponseType.Organizer
    responded: int | None = None
    is_cancelled: bool = False
    rule: Rule | None = None
    excluded: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    uid: str | None = None
    external_id: str | None = None


def wall_zone(event: EventFields | Event) -> str:
    """The zone whose wall clock an event follows, and whose dates a series repeats on: UTC for an all-day event.

    The mail service keeps the days of an all-day event, and no zone moves them (by design, a maintainer of Graph says).
    """
    return "UTC" if event.is_all_day else event.start_zone


class EventChanges(TypedDict, total=False):
    """The fields of an event that a caller sets. Missing ones get their default in a new event.

    In an update they keep their value or get their default, which is a setting.

    `blank_is_text` says that a missing body is empty text rather than empty HTML, where the two are stored differently.
    Times are still texts, since their meaning depends on the zone. `time_zone` is for the start and, without an
    `end_time_zone`, for the end. `recurrence`, `recurrence_end` and `number_of_occurrences` describe a series in the
    flat form; `rule` does in the first version's, and its `start` is ignored. A `rule` of None ends a series.
    `required_attendees`, `optional_attendees` and `resource_attendees` each replace the attendees of one type,
    `attendees` replaces all.
    """

    subject: str
    body: str
    is_html: bool
    blank_is_text: bool
    start: str
    end: str
    time_zone: str
    end_time_zone: str
    is_all_day: bool
    location: str
    place: Mapping[str, Any] | None
    importance: int
    show_as: int
    reminder: int
    response_requested: bool
    categories: tuple[str, ...]
    required_attendees: tuple[Address, ...]
    optional_attendees: tuple[Address, ...]
    resource_attendees: tuple[Address, ...]
    attendees: tuple[Attendee, ...]
    recurrence: int
    recurrence_end: str
    number_of_occurrences: int
    rule: Rule | None


class Series(NamedTuple):
    """An event for an iCalendar file, with its changed occurrences by their original start.

    With an `original` start it is a single occurrence without its series. A message about the event supersedes messages
    with a lower `sequence`.
    """

    event: EventFields
    changed: Mapping[int, EventFields] = {}
    original: int | None = None
    sequence: int = 0
