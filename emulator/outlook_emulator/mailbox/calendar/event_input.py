"""What a caller asks of an event, made into its details: times and zones, who is invited, how it repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, TypedDict

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import AttendeeType
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.calendar.event_rows import instant, local
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule
from outlook_emulator.mailbox.mail.delivery import is_for
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.timezones import canonical

_FIRST, _LAST = microseconds(datetime(1601, 1, 1)), microseconds(datetime(4500, 1, 1))
"""The years an event may lie in; Exchange knows no others."""
_DAY = timedelta(days=1)
# A `+` that was not escaped in a query arrives as a blank.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")
_KINDS = {"required": "Required", "optional": "Optional", "resources": "Resource"}
_COPIED = (
    *("subject", "body", "is_html", "location", "place", "importance", "show_as", "reminder"),
    *("response_requested", "categories", "is_all_day"),
)


class EventChanges(TypedDict, total=False):
    """What a caller gave of an event; what is absent stays as it is, or gets its default.

    Times are still texts, since what they mean depends on the zone. `repeats`, `repeats_until` and `repeats_count`
    are the flat words for a series, `rule` is the first version's, whose `start` is not looked at; None ends a
    series. `required`, `optional` and `resources` each replace the attendees of one kind, `attendees` all.
    """

    subject: str
    body: str
    is_html: bool
    start: str
    end: str
    zone: str
    end_zone: str
    is_all_day: bool
    location: str
    place: Mapping[str, Any] | None
    importance: int
    show_as: int
    reminder: int
    response_requested: bool
    categories: tuple[str, ...]
    required: tuple[Address, ...]
    optional: tuple[Address, ...]
    resources: tuple[Address, ...]
    attendees: tuple[Attendee, ...]
    repeats: int
    repeats_until: str
    repeats_count: int
    rule: Rule | None


def new(mailbox: Mailbox, asked: EventChanges) -> EventFields:
    """The details of a new event. Raises InvalidRequest, naming the member at fault."""
    blank = EventFields(start=0, end=0)
    return _settled(mailbox, _timed(blank, asked), asked)


def changed(mailbox: Mailbox, details: EventFields, asked: EventChanges) -> EventFields:
    """An event's details with what was asked changed, and nothing else. Raises InvalidRequest."""
    return _settled(mailbox, _timed(details, asked), asked, details)


def read_time(text: str, zone_name: str, member: str) -> int:
    """The instant that a text means: by its own offset, or as wall-clock time in a zone. Raises InvalidRequest."""
    try:
        when = datetime.fromisoformat(_LOST_PLUS.sub("+", text.strip()))
        found = microseconds(when) if when.tzinfo else instant(when, zone_name)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"'{member}' must be an ISO 8601 date and time, not '{text[:60]}'.") from None
    if not _FIRST <= found < _LAST:
        raise InvalidRequest(f"'{member}' must lie between the years 1601 and 4500, unlike '{text[:60]}'.")
    return found


def read_day(text: str, member: str) -> date:
    """The date that a text names, whatever time and offset stand behind it. Raises InvalidRequest."""
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError:
        raise InvalidRequest(f"'{member}' must be an ISO 8601 date, not '{text[:60]}'.") from None


def check_series(details: EventFields) -> None:
    """Refuse a series whose occurrences last longer than the time until the next one, as Exchange does.

    Raises InvalidRequest.
    """
    if details.rule is None:
        return
    length = local(details.end, details.start_zone) - local(details.start, details.start_zone)
    if length > timedelta(days=recurrence.shortest_gap(details.rule)):
        raise InvalidRequest("An event must not last longer than the time until it occurs again: 'End' is too late.")


def clamp(when: int) -> int:
    """An instant moved into the years an event may lie in."""
    return max(_FIRST, min(when, _LAST))


def cadence(details: EventFields) -> tuple[object, ...]:
    """What decides at which instants a series has occurrences, but for where it ends."""
    rule = details.rule and replace(details.rule, until=None, count=None)
    wall = time() if details.is_all_day else local(details.start, details.start_zone).time()
    return rule, wall, details.start_zone


def _timed(details: EventFields, asked: EventChanges) -> EventFields:
    zone = canonical(asked["zone"], "TimeZone") if asked.get("zone") else details.start_zone
    end_zone = details.end_zone
    if asked.get("end_zone") or asked.get("zone"):
        end_zone = canonical(asked.get("end_zone") or asked["zone"], "EndTimeZone")
    start = read_time(asked["start"], zone, "Start") if "start" in asked else details.start
    end = read_time(asked["end"], end_zone, "End") if "end" in asked else details.end
    if end < start:
        end = start + _skipped(asked)
    timed = replace(details, start=start, end=end, start_zone=zone, end_zone=end_zone)
    return _whole_days(timed, details, asked) if asked.get("is_all_day", details.is_all_day) else timed


def _skipped(asked: EventChanges) -> int:
    """How long an event is, in microseconds, whose wall-clock start a change of the clocks puts behind its end."""
    walls = [datetime.fromisoformat(asked[name].strip()) for name in ("start", "end") if name in asked]
    if len(walls) == 2 and not any(wall.tzinfo for wall in walls) and walls[0] <= walls[1]:
        return (walls[1] - walls[0]) // timedelta(microseconds=1)
    raise InvalidRequest("'End' must not be before 'Start'.")


def _whole_days(timed: EventFields, before: EventFields, asked: EventChanges) -> EventFields:
    """An all-day event from midnight to midnight, a day at least: on the dates as they are written or were before."""
    zone = timed.start_zone
    first = read_day(asked["start"], "Start") if "start" in asked else _day(before.start, before.start_zone)
    last = _last_day(asked["end"]) if "end" in asked else _day(before.end - 1, before.start_zone) + _DAY
    return replace(
        timed,
        start=instant(datetime.combine(first, time()), zone),
        end=instant(datetime.combine(max(last, first + _DAY), time()), zone),
        end_zone=zone,
    )


def _day(when: int, zone: str) -> date:
    return local(when, zone).date()


def _last_day(text: str) -> date:
    """The day before whose beginning an all-day event ends."""
    end = datetime.fromisoformat(_LOST_PLUS.sub("+", text.strip()))
    return end.date() if end.time() == time() else end.date() + _DAY


def _settled(
    mailbox: Mailbox, timed: EventFields, asked: EventChanges, before: EventFields | None = None
) -> EventFields:
    given: dict[str, Any] = {name: asked[name] for name in _COPIED if name in asked}  # type: ignore[literal-required]
    if given.get("location", timed.location) != timed.location:
        # An address belongs to the place it was given with.
        given.setdefault("place", None)
    if given.get("reminder", 0) < 0:
        raise InvalidRequest("'Reminder' must not be negative.")
    for name in ("subject", "body", "location"):
        _refuse_nul(given.get(name, ""), name.capitalize())
    for category in given.get("categories", ()):
        _refuse_nul(category, "Categories")
    details = replace(timed, **given, attendees=_attendees(mailbox, timed, asked))
    return _repeated(details, asked, before)


def _refuse_nul(text: str, member: str) -> None:
    if "\x00" in text:
        raise InvalidRequest(f"'{member}' must not hold a NUL character.")


def _attendees(mailbox: Mailbox, details: EventFields, asked: EventChanges) -> tuple[Attendee, ...]:
    if "attendees" in asked:
        wanted: Iterable[Attendee] = asked["attendees"]
    elif any(key in asked for key in _KINDS):
        wanted = _of_kinds(details.attendees, asked)
    else:
        return details.attendees
    known = {one.address.lower(): one for one in details.attendees}
    organizer = details.organizer.address.lower() if details.organizer else mailbox.owner.address
    kept: dict[str, Attendee] = {}
    for one in wanted:
        _refuse_nul(one.name, "Attendees")
        address = one.address.lower()
        # Who organizes an event is not invited to it; whoever was invited before keeps name and answer.
        if not is_for(organizer, address):
            old = known.get(address, one)
            kept[address] = old._replace(type=int(one.type), name=one.name or old.name)
    return tuple(sorted(kept.values(), key=lambda one: one.type))


def _of_kinds(present: Iterable[Attendee], asked: EventChanges) -> list[Attendee]:
    """Attendees of which those of each kind that was given are replaced; who is named last counts."""
    replaced = {AttendeeType[kind] for key, kind in _KINDS.items() if key in asked}
    wanted = [one for one in present if one.type not in replaced]
    for key, kind in _KINDS.items():
        people: Iterable[Address] = asked.get(key, ())  # type: ignore[assignment]
        wanted += (Attendee(*one, AttendeeType[kind]) for one in people)
    return wanted


def _repeated(details: EventFields, asked: EventChanges, before: EventFields | None) -> EventFields:
    first = local(details.start, details.start_zone).date()
    rule = _rule(details, asked, before, first)
    if rule is None:
        return replace(details, rule=None, excluded=(), added=())
    settled = recurrence.settle(rule)
    moved = settled.start - first
    if moved:
        details = _shifted(details, moved)
    details = replace(details, rule=settled)
    check_series(details)
    # Outlook lets go of all changed occurrences when a series moves: they would hang in the air.
    if before is not None and cadence(before) != cadence(details):
        details = replace(details, excluded=(), added=())
    return details


def _rule(details: EventFields, asked: EventChanges, before: EventFields | None, first: date) -> Rule | None:
    if "rule" in asked:
        rule = asked["rule"]
        return None if rule is None else replace(rule, start=first)
    present = before.rule if before else None
    kind = asked.get("repeats", recurrence.word(present) if present else 0)
    if not kind:
        return None
    until, count = _range(asked, present)
    if before and before.rule and recurrence.word(before.rule) == kind:
        old = local(before.start, before.start_zone).date()
        if old == first or not _is_plain(before.rule, kind, old):
            return replace(before.rule, start=first, until=until, count=count)
    return recurrence.simple(kind, first, until, count)


def _is_plain(rule: Rule, kind: int, start: date) -> bool:
    """Whether a rule says no more than its word: then it follows when its event moves to another day."""
    plain = recurrence.simple(kind, start)
    return replace(rule, start=start, until=None, count=None) == plain


def _range(asked: EventChanges, present: Rule | None) -> tuple[date | None, int | None]:
    if "repeats_until" in asked and "repeats_count" in asked:
        raise InvalidRequest("'RecurrenceEnd' and 'NumberOfOccurrences' cannot both be given.")
    if "repeats_until" in asked:
        return read_day(asked["repeats_until"], "RecurrenceEnd"), None
    if "repeats_count" in asked:
        return None, asked["repeats_count"]
    if present is None:
        return None, None
    return (None, present.count) if present.count else (present.until, None)


def _shifted(details: EventFields, by: timedelta) -> EventFields:
    zone = details.start_zone
    return replace(
        details,
        start=instant(local(details.start, zone) + by, zone),
        end=instant(local(details.end, zone) + by, zone),
    )
