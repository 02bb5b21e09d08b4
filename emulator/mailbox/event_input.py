"""What a caller asks of an event, made into its details: times and zones, who is invited, how it repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, TypedDict

from emulator.clock import microseconds
from emulator.enums import AttendeeType
from emulator.errors import InvalidRequest
from emulator.mailbox import recurrence
from emulator.mailbox.event import Attendee, Details, Rule
from emulator.mailbox.event_rows import instant, local
from emulator.mailbox.mailbox import Mailbox
from emulator.mailbox.message import Address
from emulator.timezones import canonical

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


class Asked(TypedDict, total=False):
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
    place: Mapping[str, Any]
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


def new(mailbox: Mailbox, asked: Asked) -> Details:
    """The details of a new event. Raises InvalidRequest, naming the member at fault."""
    blank = Details(start=0, end=0)
    return _settled(mailbox, _timed(blank, asked), asked)


def changed(mailbox: Mailbox, details: Details, asked: Asked) -> Details:
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


def clamp(when: int) -> int:
    """An instant moved into the years an event may lie in."""
    return max(_FIRST, min(when, _LAST))


def cadence(details: Details) -> tuple[object, ...]:
    """What decides at which instants a series has occurrences, but for where it ends."""
    rule = details.rule and replace(details.rule, until=None, count=None)
    wall = local(details.start, details.start_zone)
    return rule, wall.time(), details.start_zone


def _timed(details: Details, asked: Asked) -> Details:
    zone = canonical(asked["zone"], "TimeZone") if asked.get("zone") else details.start_zone
    end_zone = details.end_zone
    if asked.get("end_zone") or asked.get("zone"):
        end_zone = canonical(asked.get("end_zone") or asked["zone"], "EndTimeZone")
    start = read_time(asked["start"], zone, "Start") if "start" in asked else details.start
    end = read_time(asked["end"], end_zone, "End") if "end" in asked else details.end
    if end < start:
        raise InvalidRequest("'End' must not be before 'Start'.")
    timed = replace(details, start=start, end=end, start_zone=zone, end_zone=end_zone)
    return _whole_days(timed) if asked.get("is_all_day", details.is_all_day) else timed


def _whole_days(details: Details) -> Details:
    """An all-day event from midnight to midnight, a day at least."""
    first = local(details.start, details.start_zone).date()
    end = local(details.end, details.start_zone)
    last = end.date() if end.time() == time() else end.date() + _DAY
    return replace(
        details,
        start=instant(datetime.combine(first, time()), details.start_zone),
        end=instant(datetime.combine(max(last, first + _DAY), time()), details.start_zone),
    )


def _settled(mailbox: Mailbox, timed: Details, asked: Asked, before: Details | None = None) -> Details:
    given: dict[str, Any] = {name: asked[name] for name in _COPIED if name in asked}  # type: ignore[literal-required]
    if given.get("reminder", 0) < 0:
        raise InvalidRequest("'Reminder' must not be negative.")
    for name in ("subject", "body", "location"):
        if "\x00" in given.get(name, ""):
            raise InvalidRequest(f"'{name.capitalize()}' must not hold a NUL character.")
    details = replace(timed, **given, attendees=_attendees(mailbox, timed.attendees, asked))
    return _repeated(details, asked, before)


def _attendees(mailbox: Mailbox, present: tuple[Attendee, ...], asked: Asked) -> tuple[Attendee, ...]:
    known = {one.address.lower(): one for one in present}
    if "attendees" in asked:
        wanted: Iterable[Attendee] = asked["attendees"]
    else:
        wanted = present
        for key, kind in _KINDS.items():
            if key in asked:
                people: Iterable[Address] = asked[key]  # type: ignore[literal-required]
                others = [one for one in wanted if one.type != AttendeeType[kind]]
                wanted = [*others, *(Attendee(*one, AttendeeType[kind]) for one in people)]
    kept: dict[str, Attendee] = {}
    for one in wanted:
        address = one.address.lower()
        # Who organizes an event is not invited to it; whoever was invited before keeps name and answer.
        if address != mailbox.owner.address and address not in kept:
            old = known.get(address, one)
            kept[address] = old._replace(type=int(one.type), name=one.name or old.name)
    return tuple(sorted(kept.values(), key=lambda one: one.type))


def _repeated(details: Details, asked: Asked, before: Details | None) -> Details:
    first = local(details.start, details.start_zone).date()
    rule = _rule(details, asked, before, first)
    if rule is None:
        return replace(details, rule=None, excluded=(), added=())
    settled = recurrence.settle(rule)
    moved = settled.start - first
    if moved:
        details = _shifted(details, moved)
    details = replace(details, rule=settled)
    # Outlook lets go of all changed occurrences when a series moves: they would hang in the air.
    if before is not None and cadence(before) != cadence(details):
        details = replace(details, excluded=(), added=())
    return details


def _rule(details: Details, asked: Asked, before: Details | None, first: date) -> Rule | None:
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


def _range(asked: Asked, present: Rule | None) -> tuple[date | None, int | None]:
    if "repeats_until" in asked and "repeats_count" in asked:
        raise InvalidRequest("'RecurrenceEnd' and 'NumberOfOccurrences' cannot both be given.")
    if "repeats_until" in asked:
        return read_day(asked["repeats_until"], "RecurrenceEnd"), None
    if "repeats_count" in asked:
        return None, asked["repeats_count"]
    if present is None:
        return None, None
    return (None, present.count) if present.count else (present.until, None)


def _shifted(details: Details, by: timedelta) -> Details:
    zone = details.start_zone
    return replace(
        details,
        start=instant(local(details.start, zone) + by, zone),
        end=instant(local(details.end, zone) + by, zone),
    )
