"""Reads events from an iCalendar file (RFC 5545); `ics_compose` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import unquote

import orjson

from outlook_emulator.clock import instant_of
from outlook_emulator.content_limits import ATTENDEES, ITEMS
from outlook_emulator.enums import NO_RESPONSE, AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox import recurrence
from outlook_emulator.mailbox.event import FIRST, LAST, Attendee, EventFields, Series, wall_zone
from outlook_emulator.mailbox.formats.ics_compose import (
    ALL_DAY,
    BUSY_STATUS,
    BUSY_STATUSES,
    HTML,
    IMPORTANCE,
    ITEM_ID,
    NAME,
    NO_UID,
    OWN_TEXTS,
    OWN_UID,
    PARTSTATS,
    PLACE,
    RESPONDED,
    RESPONSE,
    RESPONSE_REQUESTED,
    compose,
)
from outlook_emulator.mailbox.formats.ics_lines import (
    MAX_EVENTS,
    Component,
    Property,
    Report,
    read_calendars,
    split_texts,
    unescaped,
)
from outlook_emulator.mailbox.formats.ics_times import Reading, as_day, end_of, occurrence, repeated
from outlook_emulator.mailbox.formats.ics_values import duration_of
from outlook_emulator.mailbox.formats.ics_zones import When, Zones, on_the_wall
from outlook_emulator.mailbox.formats.skipped import Parsed
from outlook_emulator.mailbox.message import Address
from outlook_emulator.store.value_checks import PLACE as PLACE_SHAPE

__all__ = ["MAX_EVENTS", "compose", "parse"]

T = TypeVar("T")

_MINUTE = 60_000_000
_LONGEST_REMINDER = 2**31 - 1
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_NAMES = {
    *("X-WR-TIMEZONE", "TZID", "X-LIC-LOCATION", "TZOFFSETFROM", "TZOFFSETTO", "ACTION", "TRIGGER"),
    *("UID", "RECURRENCE-ID", "SEQUENCE", "DTSTAMP", "LAST-MODIFIED"),
    *("DTSTART", "DTEND", "DURATION", "RRULE", "EXRULE", "EXDATE", "RDATE"),
    *("SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES", "PRIORITY", "STATUS", "TRANSP", "ORGANIZER", "ATTENDEE"),
    *(
        HTML,
        ALL_DAY,
        BUSY_STATUS,
        IMPORTANCE,
        ITEM_ID,
        OWN_UID,
        PLACE,
        RESPONSE,
        RESPONDED,
        RESPONSE_REQUESTED,
        *OWN_TEXTS,
    ),
}
"""The names of the lines that are read; others are passed over, since a large file has most of those."""
_OTHERS = {"VTODO": "Tasks", "VJOURNAL": "Journal entries", "VFREEBUSY": "Free and busy times"}


class _Entry(NamedTuple):
    """One VEVENT: an event with its changed occurrences, or a changed occurrence with its RECURRENCE-ID."""

    event: EventFields
    start: When
    reading: Reading
    component: Component
    original: Property | None
    changed: dict[int, _Entry]
    longer: dict[int, EventFields]

    @property
    def uid(self) -> str:
        line = self.component.first("UID")
        return "" if line is None else line.value.strip()

    @property
    def is_series(self) -> bool:
        return self.event.rule is not None or bool(self.event.added)

    @property
    def revision(self) -> tuple[int, str]:
        """A version with a higher value supersedes one with a lower."""
        sequence = self.component.first("SEQUENCE")
        number = sequence.value.strip() if sequence is not None else ""
        changed = self.component.first("LAST-MODIFIED")
        return int(number) if number.isdecimal() and len(number) < 10 else 0, changed.value.strip() if changed else ""

    @property
    def stamp(self) -> str:
        line = self.component.first("DTSTAMP")
        return "" if line is None else line.value.strip()


def parse(raw: bytes) -> Parsed[Series]:
    """The events of an iCalendar file, each series with its changed occurrences, and what was left out.

    An event that cannot be read, or that Outlook cannot represent, is left out, and so are lines of an event that it
    can do without. Inferred: times without a zone are in the calendar's own (X-WR-TIMEZONE), else in UTC. A zone that
    the file defines becomes the known zone with the same rules. Line ends become `\\r\\n`. The first alarm is the
    reminder. A series that does not occur on its own start begins on the first date that its rule matches, as in
    Outlook, unlike in the RFC. Of several versions of an event, the one with the highest SEQUENCE counts.

    Raises InvalidRequest for text that is not a calendar, and if no event of several can be taken; TooMuchContent for
    more than 10,000 events or 100,000 dates, and for an event with more than 5,000 attendees or 50,000 categories.
    """
    report = Report()
    calendars = read_calendars(raw, _NAMES, report)
    if not calendars:
        raise InvalidRequest("The content is not a calendar: it has no VCALENDAR.")
    entries = [entry for calendar in calendars for entry in _entries(calendar, report)]
    series = [_as_series(entry) for entry in _grouped(entries)]
    skipped = report.items()
    reasons = [item for item in skipped if not item.item.startswith(tuple(_OTHERS))]
    if not series and reasons:
        reason = next((item for item in reasons if item.item.startswith("event")), reasons[0])
        raise InvalidRequest(
            f"No event of the calendar can be taken. Line {reason.line}, {reason.item}: {reason.reason}"
        )
    return Parsed(series, skipped)


def _entries(calendar: Component, report: Report) -> list[_Entry]:
    zones = Zones(calendar, report)
    entries, others = [], dict[str, list[Component]]()
    number = 0
    for component in calendar.parts:
        if component.name == "VEVENT":
            number += 1
            reading = Reading(zones, report, _name(component, number))
            entry = _guarded(_entry, component, reading)
            if entry is not None:
                entries.append(entry)
        elif component.name in _OTHERS:
            others.setdefault(component.name, []).append(component)
    for name, components in others.items():
        report.add(f"{name} ({len(components)})", components[0].line, f"{_OTHERS[name]} do not belong in a calendar.")
    return entries


def _guarded(function: Callable[[Component, Reading], T], component: Component, reading: Reading) -> T | None:
    """The result for an event; None, and a line in the report, if the event cannot be read."""
    try:
        return function(component, reading)
    except TooMuchContent:
        raise
    except InvalidRequest as error:
        reason = error.message
    except (ValueError, ArithmeticError) as error:
        reason = str(error)[:300]
    reading.report.add(reading.name, component.line, reason)
    return None


def _name(event: Component, number: int) -> str:
    for name in ("SUMMARY", "UID"):
        line = event.first(name)
        if line is not None and line.value.strip():
            return f'event "{_clean(line).strip()[:60]}"'
    return f"event number {number}"


# --- Versions and occurrences ---


def _grouped(entries: list[_Entry]) -> list[_Entry]:
    """Leave out superseded versions, and move changed occurrences into their series.

    A changed occurrence without a series stays an entry of its own.
    """
    masters: dict[str, dict[tuple[int, str], _Entry]] = {}
    kept: set[int] = set()
    for entry in entries:
        if entry.original is None and entry.uid:
            _add_version(masters.setdefault(entry.uid, {}), entry)
        elif entry.original is None:
            kept.add(id(entry))
    kept |= {id(entry) for versions in masters.values() for entry in versions.values()}
    series = {uid: last for uid, versions in masters.items() for last in versions.values() if last.is_series}
    alone: dict[tuple[str, int], _Entry] = {}
    for entry in entries:
        if entry.original is None:
            continue
        master = series.get(entry.uid)
        start = _original_start(entry, master or entry)
        if start is None:
            continue
        if master is not None and _is_taken_back(entry, start, master):
            _supersede(entry, master)
            continue
        changed = master.changed if master is not None else alone
        key: Any = start if master is not None else (entry.uid or str(id(entry)), start)
        before = changed.get(key)
        if before is not None and (entry.revision, entry.stamp) < (before.revision, before.stamp):
            _supersede(entry, before)
            continue
        if before is not None:
            _supersede(before, entry)
        changed[key] = entry
    kept |= {id(entry) for entry in alone.values()}
    return [entry for entry in entries if id(entry) in kept]


def _is_taken_back(entry: _Entry, start: int, series: _Entry) -> bool:
    """Whether the series excludes the occurrence that an entry changes, or a later version of it no longer has that."""
    event, difference = series.event, series.revision[0] - entry.revision[0]
    if difference < 0 or event.rule is None:
        return False
    if start in event.excluded:
        return True
    day = on_the_wall(start, wall_zone(event)).date()
    return difference > 0 and not (start in event.added or recurrence.includes(event.rule, day))


def _add_version(versions: dict[tuple[int, str], _Entry], entry: _Entry) -> None:
    """Add an event to those with its UID. Of several versions only those of the latest revision stay.

    Some programs give all events the same UID: without a sign that one is a later version, all are taken.
    """
    if versions:
        latest = next(iter(versions.values()))
        if entry.revision < latest.revision:
            _supersede(entry, latest)
            return
        if entry.revision > latest.revision:
            for older in versions.values():
                _supersede(older, entry)
            versions.clear()
    content = (entry.event.start, entry.event.subject)
    before = versions.get(content)
    if before is not None and entry.stamp < before.stamp:
        _supersede(entry, before)
        return
    if before is not None:
        _supersede(before, entry)
    versions[content] = entry


def _supersede(old: _Entry, new: _Entry) -> None:
    reason = f"The event in line {new.component.line} has the same UID and is its later version."
    old.reading.report.add(old.reading.name, old.component.line, reason)


def _original_start(entry: _Entry, series: _Entry) -> int | None:
    """The start that a changed occurrence had; None, and a line in the report, if it cannot be read."""
    line = entry.original
    assert line is not None
    try:
        if "RANGE" in line.params:
            entry.reading.leave_out(line, "RANGE", "Outlook changes single occurrences, so only this one is changed.")
        return occurrence(line, line.value, series.event, series.start, entry.reading.zones)
    except (InvalidRequest, ValueError, ArithmeticError) as error:
        reason = error.message if isinstance(error, InvalidRequest) else str(error)
        entry.reading.report.add(entry.reading.name, line.line, f"Its RECURRENCE-ID cannot be read: {reason}")
        return None


def _as_series(entry: _Entry) -> Series:
    changed = entry.longer | {start: changed.event for start, changed in entry.changed.items()}
    if entry.original is None:
        return Series(entry.event, changed)
    return Series(entry.event, {}, _original_start(entry, entry))


# --- One event ---


def _entry(component: Component, reading: Reading) -> _Entry:
    start_line = component.first("DTSTART")
    if start_line is None:
        raise InvalidRequest("It has no DTSTART.")
    start = reading.zones.when(start_line)
    if _text(component, ALL_DAY).strip().upper() == "TRUE":
        start = as_day(start)
    end = end_of(component, start, reading)
    if not FIRST <= start.instant <= end.instant < LAST:
        raise InvalidRequest("It is not between the years 1601 and 4500.")
    original = component.first("RECURRENCE-ID")
    fields = _fields(component, start, end, reading)
    if original is not None:
        # Some programs repeat the rule of the series.
        return _Entry(fields, start, reading, component, original, {}, {})
    event, longer = repeated(component, fields, start, reading)
    return _Entry(event, start, reading, component, None, {}, longer)


def _fields(component: Component, start: When, end: When, reading: Reading) -> EventFields:
    uid = _text(component, OWN_UID) or _text(component, "UID").strip()
    organizer = component.first("ORGANIZER")
    html = next((line for line in component.all(HTML) if line.param("FMTTYPE").lower() == "text/html"), None)
    people, categories = component.all("ATTENDEE"), _categories(component)
    for number, what, limit in ((len(people), "attendees", ATTENDEES), (len(categories), "categories", ITEMS)):
        if number > limit.most:
            raise TooMuchContent(f"The event in line {component.line} has more than {limit.most} {what}.")
    own_texts: dict[str, Any] = {field: _text(component, name) for name, field in OWN_TEXTS.items()}
    return EventFields(
        **own_texts,
        subject=_text(component, "SUMMARY"),
        start=start.instant,
        end=end.instant,
        start_zone=start.zone,
        end_zone=end.zone,
        is_all_day=start.is_day,
        body=_text(component, "DESCRIPTION") if html is None else _clean(html),
        is_html=html is not None,
        location=_text(component, "LOCATION"),
        place=_or_none(component, PLACE, _place, reading),
        importance=_importance(component),
        show_as=_show_as(component),
        reminder=_reminder(component, start, end, reading),
        response_requested=_wants_response(component),
        categories=categories,
        attendees=tuple(_attendee(person, reading) for person in people),
        organizer=None if organizer is None else _address(organizer),
        response=_response(component, organizer is not None),
        responded=_or_none(component, RESPONDED, _stamp, reading),
        is_cancelled=_text(component, "STATUS").strip().upper() == "CANCELLED",
        # A UID that `compose` generated is none of the event's own.
        uid=uid if uid and not uid.endswith(NO_UID) else None,
        external_id=_text(component, ITEM_ID) or None,
    )


# --- Properties ---


def _text(event: Component, name: str) -> str:
    # Called most often, and most events lack most lines.
    return _clean(event.properties[name][0]) if name in event.properties else ""


def _clean(line: Property) -> str:
    if "ENCODING" in line.params and line.param("ENCODING").upper() == "QUOTED-PRINTABLE":
        return _LINE_ENDS.sub("\r\n", _quoted_printable(line))
    return unescaped(line.value)


def _quoted_printable(line: Property) -> str:
    """The text of a line in vCalendar 1.0."""
    from quopri import decodestring

    from outlook_emulator.mailbox.formats.charsets import decode_text

    return decode_text(decodestring(line.value.encode()), line.param("CHARSET") or "utf-8")


def _or_none(event: Component, name: str, read: Callable[[str], T], reading: Reading) -> T | None:
    """The value of one of our own lines; None without the line, or if it cannot be read, which is reported."""
    line = event.first(name)
    if line is None or not line.value.strip():
        return None
    try:
        return read(_clean(line))
    except (InvalidRequest, ValueError) as error:
        reading.leave_out(line, name, error.message if isinstance(error, InvalidRequest) else str(error)[:300])
        return None


def _place(text: str) -> dict[str, Any]:
    place = orjson.loads(text)
    if not PLACE_SHAPE.fits(place):
        raise InvalidRequest(f"{PLACE} must hold the address and the coordinates of an event as JSON.")
    return cast(dict[str, Any], place)


def _categories(event: Component) -> tuple[str, ...]:
    if "CATEGORIES" not in event.properties:
        return ()
    texts = (text.strip() for line in event.all("CATEGORIES") for text in split_texts(line.value))
    return tuple(text for text in texts if text)


def _importance(event: Component) -> int:
    # Microsoft's property first: it has Outlook's three values, and the nine of PRIORITY only come near them.
    stated = _text(event, IMPORTANCE).strip()
    if stated in ("0", "1", "2"):
        return Importance(int(stated))
    priority = _text(event, "PRIORITY").strip()
    if priority in ("1", "2", "3", "4"):
        return Importance.High
    return Importance.Low if priority in ("6", "7", "8", "9") else Importance.Normal


def _show_as(event: Component) -> int:
    # Microsoft's property first: the RFC has no words for out of office and working elsewhere.
    stated = BUSY_STATUSES.get(_text(event, BUSY_STATUS).strip().upper())
    if stated is not None:
        return stated
    if _text(event, "TRANSP").strip().upper() == "TRANSPARENT":
        return ShowAs.Free
    return ShowAs.Tentative if _text(event, "STATUS").strip().upper() == "TENTATIVE" else ShowAs.Busy


def _stamp(text: str) -> int:
    return instant_of(datetime.fromisoformat(text))


def _reminder(event: Component, start: When, end: When, reading: Reading) -> int | None:
    """Minutes before the start; a reminder after the start counts as 0 (inferred)."""
    for alarm in event.parts:
        trigger = alarm.first("TRIGGER")
        # With ACTION:NONE, Apple's programs turn off the calendar's default alarm.
        if alarm.name != "VALARM" or trigger is None or _text(alarm, "ACTION").strip().upper() == "NONE":
            continue
        try:
            early = _early(trigger, start, end, reading.zones)
        except InvalidRequest as error:
            reading.leave_out(trigger, "alarm", error.message)
            continue
        return min(max(early // _MINUTE, 0), _LONGEST_REMINDER)
    return None


def _early(trigger: Property, start: When, end: When, zones: Zones) -> int:
    """How long before the start an alarm is, in microseconds."""
    if trigger.value.strip()[:1] in ("P", "p", "-", "+"):
        base = end if trigger.param("RELATED").upper() == "END" else start
        length = duration_of(trigger.value)
        # As integers: a time delta is rounded where it is very long.
        return start.instant - base.instant - (length.days * 86_400 + length.seconds) * 1_000_000
    # Inferred: a reminder at a stated time is counted from the midnight of the event's zone.
    return start.in_zone - zones.when(trigger).in_zone


# --- People ---


def _address(person: Property) -> Address:
    exact = person.param(NAME)
    name = unquote(exact) if exact else person.param("CN")
    value = person.value.strip()
    scheme, _, rest = value.partition(":")
    if scheme.lower() == "mailto":
        # A mailto URL may go on with a query, such as a subject.
        return Address(unquote(rest.partition("?")[0]).strip(), name)
    # The value can be an id, with the address in a parameter (RFC 7986).
    return Address(person.param("EMAIL") or (value if "@" in value else ""), name)


def _attendee(person: Property, reading: Reading) -> Attendee:
    address, name = _address(person)
    is_optional = person.param("ROLE").upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT")
    kind = AttendeeType.Optional if is_optional else AttendeeType.Required
    if person.param("CUTYPE").upper() in ("RESOURCE", "ROOM"):
        kind = AttendeeType.Resource
    partstat = PARTSTATS.get(person.param("PARTSTAT").upper(), NO_RESPONSE)
    response = ResponseType.__members__.get(person.param(RESPONSE), partstat)
    responded = person.param(RESPONDED)
    try:
        when = _stamp(responded) if responded else None
    except ValueError as error:
        reading.leave_out(person, RESPONDED, str(error)[:300])
        when = None
    return Attendee(address, name, kind, response, when)


def _wants_response(event: Component) -> bool:
    """Whether responses are requested: from any attendee, or by default."""
    stated = {person.param("RSVP").upper() for person in event.all("ATTENDEE")} - {""}
    return _text(event, RESPONSE_REQUESTED).upper() != "FALSE" and (not stated or "TRUE" in stated)


def _response(event: Component, has_organizer: bool) -> int:
    # The file does not say whose calendar it is.
    unstated = ResponseType.NotResponded if has_organizer else ResponseType.Organizer
    return ResponseType.__members__.get(_text(event, RESPONSE), unstated)
