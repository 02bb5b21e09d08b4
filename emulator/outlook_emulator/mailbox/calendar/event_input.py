"""Applies a caller's changes to the fields of an event: times and zones, attendees, and how it repeats."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from outlook_emulator.clock import microseconds, read_iso
from outlook_emulator.content_limits import ATTENDEES
from outlook_emulator.enums import NO_RECURRENCE, AttendeeType
from outlook_emulator.errors import InvalidField, InvalidProperty, RefusedByService, TooMuchContent
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.calendar.event_rows import instant, local
from outlook_emulator.mailbox.event import FIRST, LAST, Attendee, EventChanges, EventFields, Rule, wall_zone
from outlook_emulator.mailbox.mail.delivery import is_for
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address
from outlook_emulator.timezones import canonical

_DAY = timedelta(days=1)
# A `+` that was not escaped in a query arrives as a blank.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")
_ATTENDEE_FIELDS = {
    "required_attendees": AttendeeType.Required,
    "optional_attendees": AttendeeType.Optional,
    "resource_attendees": AttendeeType.Resource,
}
_CONVERTED = ("start", "end", "attendees", "rule")
_COPIED = tuple(
    field.name
    for field in fields(EventFields)
    if field.name in EventChanges.__annotations__ and field.name not in _CONVERTED
)
_BLANK = EventFields(start=0, end=0)
_DEFAULTS: Mapping[str, Any] = {
    **{name: getattr(_BLANK, name) for name in _COPIED if name != "subject"},
    **dict.fromkeys((*_ATTENDEE_FIELDS, "attendees"), ()),
    "time_zone": _BLANK.start_zone,
    "end_time_zone": "",
    "recurrence": int(NO_RECURRENCE),
    "rule": None,
}
"""The value of each field that an update leaves out, as in a new event. An empty zone is that of the start."""
_TEXTS = tuple(field.name for field in fields(EventFields) if field.name in _COPIED and field.type == "str")


def new(mailbox: Mailbox, changes: EventChanges) -> EventFields:
    """The fields of a new event. Raises InvalidRequest."""
    # Before the changes: an `is_html` that was sent wins.
    blank = replace(_BLANK, is_html=_is_blank_html(mailbox, changes))
    return _with_changes(mailbox, _with_times(blank, changes), changes)


def changed(mailbox: Mailbox, event: EventFields, changes: EventChanges, members: Collection[str]) -> EventFields:
    """The fields of an event after changes. `members` are all fields that the body of an update may set.

    By default, those that the body left out get the value that they would have in a new event. The real connector reads
    an update into one model and sends it whole (the vendor's page of the Office 365 twin says so); the enumerations of
    a bare create, recorded there, are the zero values of that model. Raises InvalidRequest.
    """
    if mailbox.rules.event_update == "merge":
        return _with_changes(mailbox, _with_times(event, changes), changes, event)
    complete = _complete(mailbox, event, changes, members)
    return _with_changes(mailbox, _with_times(event, complete), complete, event, is_whole=True)


def read_time(text: str, zone_name: str, field: str) -> int:
    """The instant of an ISO 8601 time; one without an offset is in the zone. Raises InvalidField."""
    try:
        when = _parsed(text)
        result = microseconds(when) if when.tzinfo else instant(when, zone_name)
    except (ValueError, OverflowError):
        raise InvalidField(field, f"must be an ISO 8601 date and time, not '{text[:60]}'.") from None
    if not FIRST <= result < LAST:
        raise InvalidField(field, f"must be between the years 1601 and 4500, not '{text[:60]}'.")
    return result


def read_day(text: str, field: str) -> date:
    """The date of an ISO 8601 date or time; time and offset are ignored. Raises InvalidField."""
    try:
        return read_iso(text).date()
    except ValueError:
        raise InvalidField(field, f"must be an ISO 8601 date, not '{text[:60]}'.") from None


def check_series(event: EventFields) -> None:
    """Raise InvalidField for a series whose occurrences would overlap, which Exchange refuses."""
    if event.rule is None:
        return
    length = local(event.end, wall_zone(event)) - local(event.start, wall_zone(event))
    if recurrence.overlaps(event.rule, length):
        raise InvalidField("end", "is too late: an occurrence must end before the next one starts.")


def clamp(when: int) -> int:
    """An instant, moved into the years in which events are allowed."""
    return max(FIRST, min(when, LAST))


def cadence(event: EventFields) -> tuple[object, ...]:
    """The values that determine when a series occurs, except where it ends."""
    rule = event.rule and replace(event.rule, until=None, count=None)
    return rule, local(event.start, wall_zone(event)).time(), wall_zone(event)


def _is_blank_html(mailbox: Mailbox, changes: EventChanges) -> bool:
    """Whether a missing body is HTML. Recorded: the first two versions store it as text, the third as empty HTML."""
    return mailbox.rules.bodies == "sent" or not changes.get("blank_is_text", False)


def _complete(mailbox: Mailbox, event: EventFields, changes: EventChanges, members: Collection[str]) -> EventChanges:
    """The changes, with a default for each member that the body left out.

    Subject, start and end keep their values: the definition requires them, and they have no default (inferred).
    """
    defaults = {name: value for name, value in _DEFAULTS.items() if name in members}
    if "is_html" in defaults:
        defaults["is_html"] = _is_blank_html(mailbox, changes)
    if event.organizer is not None:
        # Whether a response is wanted is for the organizer to say; a copy holds what the organizer said (inferred).
        defaults.pop("response_requested", None)
    # What was sent wins over the default.
    return cast(EventChanges, defaults | changes)


def _with_times(event: EventFields, changes: EventChanges) -> EventFields:
    start_zone, end_zone = event.start_zone, event.end_zone
    if changes.get("time_zone"):
        start_zone = end_zone = canonical(changes["time_zone"], "time_zone")
    if changes.get("end_time_zone"):
        end_zone = canonical(changes["end_time_zone"], "end_time_zone")
    # A new zone alone moves nothing: the instants stay, and are shown in the zone.
    start = read_time(changes["start"], start_zone, "start") if "start" in changes else event.start
    end = read_time(changes["end"], end_zone, "end") if "end" in changes else event.end
    if end < start:
        # Reading in the zone can turn the two around: 02:30 to 03:00 begins at 03:30 on the day that skips an hour.
        end = start + _skipped(changes)
    timed = replace(event, start=start, end=end, start_zone=start_zone, end_zone=end_zone)
    return _whole_days(timed, event, changes) if changes.get("is_all_day", event.is_all_day) else timed


def _skipped(changes: EventChanges) -> int:
    """The length, in microseconds, of an event whose wall-clock start a change of the clocks moves past its end."""
    walls = [_parsed(changes[name]) for name in ("start", "end") if name in changes]
    if len(walls) == 2 and not any(wall.tzinfo for wall in walls) and walls[0] <= walls[1]:
        return (walls[1] - walls[0]) // timedelta(microseconds=1)
    raise InvalidProperty("end", "must not be before the start.")


def _whole_days(timed: EventFields, before: EventFields, changes: EventChanges) -> EventFields:
    """An all-day event on the dates of its start and end. Raises RefusedByService as the mail service does.

    The texts about the start and the duration were recorded from the mail service; the one about the end is inferred.
    """
    first = _midnight("Start", changes.get("start"), timed.start, timed.start_zone, before)
    after = _midnight("End", changes.get("end"), timed.end, timed.end_zone, before)
    if after - first < _DAY:
        raise RefusedByService("The duration of an event marked as All day must be at least 24 hours.")
    return replace(timed, start=_midnight_utc(first), end=_midnight_utc(after))


def _midnight(name: str, text: str | None, when: int, zone_name: str, before: EventFields) -> date:
    """The date that begins at a start or end, which the caller wrote as `text` or left as it was `before`.

    Inferred: midnight is read as written, since responses write it in UTC whatever the zone, or else in the zone.
    """
    if text is None:
        walls = local(when, wall_zone(before)), local(when, "UTC")
    else:
        walls = _written(text), local(when, zone_name)
    for wall in walls:
        if wall.time() == time():
            return wall.date()
    raise RefusedByService(f"The Event.{name} property for an all-day event needs to be set to midnight.")


def _midnight_utc(day: date) -> int:
    return microseconds(datetime.combine(day, time()))


def _written(text: str) -> datetime:
    """The clock that an ISO 8601 text shows, whatever its offset."""
    return _parsed(text).replace(tzinfo=None)


def _parsed(text: str) -> datetime:
    return read_iso(_LOST_PLUS.sub("+", text.strip()))


def _with_changes(
    mailbox: Mailbox,
    timed: EventFields,
    changes: EventChanges,
    before: EventFields | None = None,
    is_whole: bool = False,
) -> EventFields:
    values: dict[str, Any] = {name: changes[name] for name in _COPIED if name in changes}  # type: ignore[literal-required]
    if values.get("location", timed.location) != timed.location:
        # The structured address belongs to the old location.
        # Unless the same change brings an address of its own.
        values.setdefault("place", None)
    if values.get("reminder", 0) < 0:
        raise InvalidField("reminder", "must not be negative.")
    for name in _TEXTS:
        _refuse_nul(values.get(name, ""), name)
    for category in values.get("categories", ()):
        _refuse_nul(category, "categories")
    event = replace(timed, **values, attendees=_attendees(mailbox, timed, changes))
    return _with_recurrence(event, changes, before, is_whole)


def _refuse_nul(text: str, field: str) -> None:
    if "\x00" in text:
        raise InvalidField(field, "must not contain a NUL character.")


def _attendees(mailbox: Mailbox, event: EventFields, changes: EventChanges) -> tuple[Attendee, ...]:
    if "attendees" in changes:
        listed: Collection[Attendee] = changes["attendees"]
    elif any(name in changes for name in _ATTENDEE_FIELDS):
        listed = _by_type(event.attendees, changes)
    else:
        return event.attendees
    if len(listed) > ATTENDEES.most:
        raise TooMuchContent(f"The event has {len(listed)} attendees; at most {ATTENDEES.most} are allowed.")
    types = {} if "attendees" in changes else _ATTENDEE_FIELDS
    field_of = {int(kind): name for name, kind in types.items()}
    known = {attendee.address.lower(): attendee for attendee in event.attendees}
    organizer = event.organizer.address.lower() if event.organizer else mailbox.owner.address
    kept: dict[str, Attendee] = {}
    for attendee in listed:
        _refuse_nul(attendee.name, field_of.get(attendee.type, "attendees"))
        address = attendee.address.lower()
        # The organizer is not an attendee. Attendees who stay keep their name and response.
        if not is_for(organizer, address):
            old = known.get(address, attendee)
            name = attendee.name or old.name
            kept[address] = old._replace(address=attendee.address, type=int(attendee.type), name=name)
    return tuple(sorted(kept.values(), key=lambda attendee: attendee.type))


def _by_type(present: Iterable[Attendee], changes: EventChanges) -> list[Attendee]:
    """The attendees, with those of each type in the changes replaced."""
    replaced = {kind for name, kind in _ATTENDEE_FIELDS.items() if name in changes}
    # Those first: an attendee who is named again under another type changes to that type.
    attendees = [attendee for attendee in present if attendee.type not in replaced]
    for name, kind in _ATTENDEE_FIELDS.items():
        people: Iterable[Address] = changes.get(name, ())  # type: ignore[assignment]
        attendees += (Attendee(*person, kind) for person in people)
    return attendees


def _with_recurrence(
    event: EventFields, changes: EventChanges, before: EventFields | None, is_whole: bool
) -> EventFields:
    first = local(event.start, wall_zone(event)).date()
    # A whole body describes the series anew: a weekly one repeats on the weekday of its start alone (vendor's page).
    rule = _rule(changes, None if is_whole else before, first)
    if rule is None:
        return replace(event, rule=None, excluded=(), added=())
    normalized = recurrence.normalize(rule)
    moved = normalized.start - first
    if moved:
        # The first occurrence is the first date that the pattern matches, so the event itself moves there.
        event = _shifted(event, moved)
    event = replace(event, rule=normalized)
    check_series(event)
    # Outlook drops all changed occurrences when a series moves, since their original starts no longer exist.
    if before is not None and cadence(before) != cadence(event):
        event = replace(event, excluded=(), added=())
    return event


def _rule(changes: EventChanges, before: EventFields | None, first: date) -> Rule | None:
    if "rule" in changes:
        rule = changes["rule"]
        return None if rule is None else replace(rule, start=first)
    present = before.rule if before else None
    kind = changes.get("recurrence", recurrence.kind_of(present) if present else 0)
    if not kind:
        if "recurrence_end" in changes:
            # Without effect, but refused all the same if it is no date.
            read_day(changes["recurrence_end"], "recurrence_end")
        return None
    until, count = _range(changes, present)
    # The flat form knows the kind alone, so a pattern of the first version outlives a flat change of the same kind.
    if before and before.rule and recurrence.kind_of(before.rule) == kind:
        old = local(before.start, wall_zone(before)).date()
        if old == first or not _is_simple(before.rule, kind, old):
            # The pattern's own days stay; a simple rule follows its event to the new day.
            return replace(before.rule, start=first, until=until, count=count)
    return recurrence.simple(kind, first, until, count)


def _is_simple(rule: Rule, kind: int, start: date) -> bool:
    """Whether a rule equals the simple one of its kind: then it follows when its event moves to another day."""
    return replace(rule, start=start, until=None, count=None) == recurrence.simple(kind, start)


def _range(changes: EventChanges, present: Rule | None) -> tuple[date | None, int | None]:
    if "recurrence_end" in changes and "number_of_occurrences" in changes:
        raise InvalidField("recurrence_end", "cannot be combined with a number of occurrences.")
    if "recurrence_end" in changes:
        return read_day(changes["recurrence_end"], "recurrence_end"), None
    if "number_of_occurrences" in changes:
        return None, changes["number_of_occurrences"]
    if present is None:
        return None, None
    return (None, present.count) if present.count else (present.until, None)


def _shifted(event: EventFields, by: timedelta) -> EventFields:
    zone = wall_zone(event)
    return replace(
        event,
        start=instant(local(event.start, zone) + by, zone),
        end=instant(local(event.end, zone) + by, zone),
    )
