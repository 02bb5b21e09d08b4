"""Reads events from an iCalendar file (RFC 5545) with the icalendar package; `ics_compose` writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from icalendar import Calendar, Component, vDDDTypes, vText
from icalendar.parser import unescape_backslash

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import NO_RESPONSE, AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.formats.charsets import decode_text
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
    PARTSTATS,
    PLACE,
    RESPONDED,
    RESPONSE,
    RESPONSE_REQUESTED,
    compose,
)
from outlook_emulator.mailbox.formats.ics_times import all_of, as_day, end_of, first_of, occurrence, repeated
from outlook_emulator.mailbox.formats.ics_zones import When, Zones, hide_zones
from outlook_emulator.mailbox.formats.skipped import Parsed
from outlook_emulator.mailbox.message import Address

__all__ = ["compose", "parse"]

T = TypeVar("T")

MAX_EVENTS = 10_000

_MINUTE = 60_000_000
_LONGEST_REMINDER = 2**31 - 1
_BOM = b"\xef\xbb\xbf"
_FOLD = re.compile(r"(?:\r\n|\r|\n)[ \t]")


class _Entry(NamedTuple):
    """One VEVENT: an event with its changed occurrences, or a changed occurrence with its `original` start."""

    event: EventFields
    uid: str
    original: vDDDTypes | None
    changed: dict[int, EventFields]

    @property
    def is_series(self) -> bool:
        return self.event.rule is not None or bool(self.event.added)


def parse(raw: bytes) -> Parsed[Series]:
    """The events of an iCalendar file, each series with its changed occurrences.

    Inferred: times without a zone are in the calendar's own (X-WR-TIMEZONE), else in UTC. An unknown zone is read by
    its definition, and its times become UTC. Line ends become `\\r\\n`. The first alarm is the reminder. A series that
    does not occur on its own start begins on the first date that its rule matches, as in Outlook, unlike in the RFC.
    Other components, and a RANGE of occurrences, are ignored.

    Raises InvalidRequest, naming the event or line, for text that is not a calendar, for no event or more than 10,000,
    and for events that Outlook cannot represent.
    """
    text = _FOLD.sub("", decode_text(raw.removeprefix(_BOM), "utf-8"))
    # Counted in the text, because the package can only parse the whole file.
    if len(re.findall(r"^BEGIN:VEVENT", text, re.IGNORECASE | re.MULTILINE)) > MAX_EVENTS:
        raise InvalidRequest(f"The calendar has more than {MAX_EVENTS} events.")
    # As bytes: the package takes a text without line ends for a file name, and opens that file.
    calendars = _guarded("The content is not a calendar that can be read", _calendars, hide_zones(text).encode())
    if not calendars:
        raise InvalidRequest("The content is not a calendar: it has no VCALENDAR, or one that does not end.")
    events = [series for calendar in calendars for series in _series(calendar)]
    if not events:
        raise InvalidRequest("The calendar has no VEVENT.")
    return Parsed(events)


def _guarded(what: str, function: Callable[..., T], *values: Any) -> T:
    try:
        return function(*values)
    except InvalidRequest as error:
        raise InvalidRequest(f"{what}: {error.message}") from error
    except Exception as error:
        # The package raises many kinds of errors on broken values.
        raise InvalidRequest(f"{what}: {str(error)[:300] or type(error).__name__}") from error


def _calendars(raw: bytes) -> list[Component]:
    return [calendar for calendar in Calendar.from_ical(raw, multiple=True) if calendar.name == "VCALENDAR"]


def _series(calendar: Component) -> list[Series]:
    zones = _guarded("The calendar's time zones cannot be read", Zones.of, calendar)
    components = [part for part in calendar.subcomponents if part.name == "VEVENT"]
    entries = [
        _guarded(_name(component, number), _entry, component, zones)
        for number, component in enumerate(components, start=1)
    ]
    return [Series(entry.event, entry.changed) for entry in _grouped(entries, zones)]


def _name(event: Component, number: int) -> str:
    uid = str(event.get("UID", ""))
    return f"The event '{uid[:100]}' cannot be read" if uid else f"The event number {number} cannot be read"


def _grouped(entries: list[_Entry], zones: Zones) -> list[_Entry]:
    """Move changed occurrences into their series: the last one before them with their UID, else the first one after.

    A changed occurrence without a series stays an entry of its own.
    """
    series = {
        entry.uid: entry for entry in reversed(entries) if entry.original is None and entry.is_series and entry.uid
    }
    grouped = []
    for entry in entries:
        if entry.original is None:
            grouped.append(entry)
            series |= {entry.uid: entry} if entry.is_series else {}
        elif entry.uid in series:
            master = series[entry.uid]
            what = f"The RECURRENCE-ID of the event '{entry.uid[:100]}' cannot be read"
            original = _guarded(what, occurrence, entry.original, entry.original.params, master.event, zones)
            master.changed[original] = entry.event
        else:
            grouped.append(entry)
    return grouped


def _entry(event: Component, zones: Zones) -> _Entry:
    start_property = first_of(event, "DTSTART")
    if start_property is None:
        raise InvalidRequest("It has no DTSTART.")
    start = zones.when(start_property.dt, start_property.params)
    if _text(event, ALL_DAY).upper() == "TRUE":
        start = as_day(start)
    end = end_of(event, start, zones)
    uid = _text(event, "UID")
    organizer = first_of(event, "ORGANIZER")
    attendees = _attendees(event)
    html = [value for value in all_of(event, HTML) if value.params.get("FMTTYPE", "").lower() == "text/html"]
    place = _text(event, PLACE)
    responded = _text(event, RESPONDED)
    own_texts: dict[str, Any] = {field: _text(event, name) for name, field in OWN_TEXTS.items()}
    fields = EventFields(
        **own_texts,
        subject=_text(event, "SUMMARY"),
        start=start.instant,
        end=end.instant,
        start_zone=start.zone,
        end_zone=end.zone,
        is_all_day=start.is_day,
        body=_clean(html[0]) if html else _text(event, "DESCRIPTION"),
        is_html=bool(html),
        location=_text(event, "LOCATION"),
        place=_place(place) if place else None,
        importance=_importance(event),
        show_as=_show_as(event),
        reminder=_reminder(event, start, end, zones),
        response_requested=_wants_response(event),
        categories=tuple(
            str(text).strip() for line in all_of(event, "CATEGORIES") for text in line.cats if str(text).strip()
        ),
        attendees=attendees,
        organizer=_address(organizer) if organizer is not None else None,
        response=_response(event, organizer is not None),
        responded=_stamp(responded) if responded else None,
        is_cancelled=_text(event, "STATUS").upper() == "CANCELLED",
        # A UID that `compose` generated is none of the event's own.
        uid=uid if uid and not uid.endswith(NO_UID) else None,
        external_id=_text(event, ITEM_ID) or None,
    )
    return _Entry(repeated(event, fields, zones), uid, first_of(event, "RECURRENCE-ID"), {})


# --- Properties ---


def _text(event: Component, name: str) -> str:
    value = first_of(event, name)
    return "" if value is None else _clean(value)


def _clean(value: Any) -> str:
    # The package does not unescape the values of unknown properties.
    text = str(value) if isinstance(value, vText) else unescape_backslash(str(value))
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def _param(value: Any, name: str) -> str:
    text = value.params.get(name, "")
    # The package splits a text at commas outside of quotes.
    return ",".join(text) if isinstance(text, list) else str(text)


def _place(text: str) -> dict[str, Any]:
    place = json.loads(text)
    if not isinstance(place, dict):
        raise InvalidRequest(f"{PLACE} must hold a JSON object.")
    return place


def _importance(event: Component) -> int:
    # Microsoft's property first: it has Outlook's three values, and the nine of PRIORITY only come near them.
    stated = _text(event, IMPORTANCE)
    if stated in ("0", "1", "2"):
        return Importance(int(stated))
    priority = _text(event, "PRIORITY")
    if priority in ("1", "2", "3", "4"):
        return Importance.High
    return Importance.Low if priority in ("6", "7", "8", "9") else Importance.Normal


def _show_as(event: Component) -> int:
    # Microsoft's property first: the RFC has no words for out of office and working elsewhere.
    stated = BUSY_STATUSES.get(_text(event, BUSY_STATUS).upper())
    if stated is not None:
        return stated
    if _text(event, "TRANSP").upper() == "TRANSPARENT":
        return ShowAs.Free
    return ShowAs.Tentative if _text(event, "STATUS").upper() == "TENTATIVE" else ShowAs.Busy


def _stamp(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def _reminder(event: Component, start: When, end: When, zones: Zones) -> int | None:
    """Minutes before the start; a reminder after the start counts as 0 (inferred)."""
    for alarm in event.subcomponents:
        trigger = first_of(alarm, "TRIGGER")
        # With ACTION:NONE, Apple's programs turn off the calendar's default alarm.
        if alarm.name != "VALARM" or trigger is None or _text(alarm, "ACTION").upper() == "NONE":
            continue
        if isinstance(trigger.dt, timedelta):
            base = end if _param(trigger, "RELATED").upper() == "END" else start
            early = start.instant - base.instant - trigger.dt // timedelta(microseconds=1)
        else:
            # Inferred: a reminder at a stated time is counted from the midnight of the event's zone.
            early = start.in_zone - zones.when(trigger.dt, trigger.params).in_zone
        return min(max(early // _MINUTE, 0), _LONGEST_REMINDER)
    return None


# --- People ---


def _address(person: Any) -> Address:
    scheme, _, rest = str(person).partition(":")
    exact = _param(person, NAME)
    name = unquote(exact) if exact else _param(person, "CN")
    if scheme.lower() == "mailto":
        # A mailto URL may go on with a query, such as a subject.
        return Address(unquote(rest.partition("?")[0]), name)
    # The value can be an id, with the address in a parameter (RFC 7986).
    return Address(_param(person, "EMAIL") or (str(person) if "@" in str(person) else ""), name)


def _attendees(event: Component) -> tuple[Attendee, ...]:
    return tuple(_attendee(person) for person in all_of(event, "ATTENDEE"))


def _attendee(person: Any) -> Attendee:
    address, name = _address(person)
    kind = (
        AttendeeType.Optional
        if _param(person, "ROLE").upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT")
        else AttendeeType.Required
    )
    if _param(person, "CUTYPE").upper() in ("RESOURCE", "ROOM"):
        kind = AttendeeType.Resource
    partstat = PARTSTATS.get(_param(person, "PARTSTAT").upper(), NO_RESPONSE)
    responded = _param(person, RESPONDED)
    return Attendee(
        address,
        name,
        kind,
        ResponseType.__members__.get(_param(person, RESPONSE), partstat),
        _stamp(responded) if responded else None,
    )


def _wants_response(event: Component) -> bool:
    """Whether responses are requested: from any attendee, or by default."""
    stated = {_param(person, "RSVP").upper() for person in all_of(event, "ATTENDEE")} - {""}
    return _text(event, RESPONSE_REQUESTED).upper() != "FALSE" and (not stated or "TRUE" in stated)


def _response(event: Component, has_organizer: bool) -> int:
    # The file does not say whose calendar it is.
    unstated = ResponseType.NotResponded if has_organizer else ResponseType.Organizer
    return ResponseType.__members__.get(_text(event, RESPONSE), unstated)
