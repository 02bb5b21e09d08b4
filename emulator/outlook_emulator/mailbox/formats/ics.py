"""Events as an iCalendar file (RFC 5545): reading one with the icalendar package; writing is in `ics_compose`."""

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
from outlook_emulator.enums import AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Attendee, EventFields, Series
from outlook_emulator.mailbox.formats.ics_compose import (
    BUSY_STATUS,
    BUSY_STATUSES,
    HTML,
    IMPORTANCE,
    ITEM_ID,
    NAME,
    NO_UID,
    PARTSTATS,
    PLACE,
    RESPONDED,
    RESPONSE,
    RESPONSE_REQUESTED,
    compose,
)
from outlook_emulator.mailbox.formats.ics_times import all_of, end_of, first_of, occurrence, repeated
from outlook_emulator.mailbox.formats.ics_zones import When, Zones, hide_zones
from outlook_emulator.mailbox.formats.mime import decode_text
from outlook_emulator.mailbox.message import Address

__all__ = ["compose", "parse"]

T = TypeVar("T")

MAX_EVENTS = 10_000

_MINUTE = 60_000_000
_LONGEST_REMINDER = 2**31 - 1
_BOM = b"\xef\xbb\xbf"
_FOLD = re.compile(r"(?:\r\n|\r|\n)[ \t]")


class _Entry(NamedTuple):
    """One VEVENT: an event with its changed occurrences, or one of these where `original` says which."""

    details: EventFields
    uid: str
    original: vDDDTypes | None
    changed: dict[int, EventFields]

    @property
    def is_series(self) -> bool:
        return self.details.rule is not None or bool(self.details.added)


def parse(raw: bytes) -> list[Series]:
    """The events of an iCalendar file, series with the occurrences that differ.

    Inferred: times without a zone are in the calendar's own (X-WR-TIMEZONE), else in UTC; a zone that nobody knows is
    read by its definition, and its times become UTC; line ends become `\\r\\n`; of several alarms the first is the
    reminder; a series that does not occur on its own start begins with the first date its rule matches, as Outlook has
    it and the RFC has not. Other components, and a RANGE of occurrences, are ignored.

    Raises InvalidRequest, naming the event or line, when this is no calendar, has no event or more than 10,000 of
    them, or says something that no event of Outlook's can.
    """
    text = _FOLD.sub("", decode_text(raw.removeprefix(_BOM), "utf-8"))
    if len(re.findall(r"^BEGIN:VEVENT", text, re.IGNORECASE | re.MULTILINE)) > MAX_EVENTS:
        raise InvalidRequest(f"The calendar has more than {MAX_EVENTS} events.")
    # Bytes, for the package would open a file of the name that a text without line ends is.
    calendars = _guarded("The content is not a calendar that can be read", _calendars, hide_zones(text).encode())
    if not calendars:
        raise InvalidRequest("The content is not a calendar: it has no VCALENDAR, or one that does not end.")
    found = [series for calendar in calendars for series in _series(calendar)]
    if not found:
        raise InvalidRequest("The calendar has no VEVENT.")
    return found


def _guarded(what: str, function: Callable[..., T], *values: Any) -> T:
    try:
        return function(*values)
    except InvalidRequest as error:
        raise InvalidRequest(f"{what}: {error.message}") from error
    except Exception as error:
        # The package raises nearly anything on broken values.
        raise InvalidRequest(f"{what}: {str(error)[:300] or type(error).__name__}") from error


def _calendars(raw: bytes) -> list[Component]:
    return [one for one in Calendar.from_ical(raw, multiple=True) if one.name == "VCALENDAR"]


def _series(calendar: Component) -> list[Series]:
    zones = _guarded("The calendar's time zones cannot be read", Zones.of, calendar)
    entries = [
        _guarded(_name(event, number), _entry, event, zones)
        for number, event in enumerate((one for one in calendar.subcomponents if one.name == "VEVENT"), start=1)
    ]
    return [Series(one.details, one.changed) for one in _grouped(entries, zones)]


def _name(event: Component, number: int) -> str:
    uid = str(event.get("UID", ""))
    return f"The event '{uid[:100]}' cannot be read" if uid else f"The event number {number} cannot be read"


def _grouped(entries: list[_Entry], zones: Zones) -> list[_Entry]:
    """The entries without the changed occurrences, which go to the last series with their UID before them, if any."""
    series = {one.uid: one for one in reversed(entries) if one.original is None and one.is_series and one.uid}
    found = []
    for one in entries:
        if one.original is None:
            found.append(one)
            series |= {one.uid: one} if one.is_series else {}
        elif one.uid in series:
            master = series[one.uid]
            what = f"The RECURRENCE-ID of the event '{one.uid[:100]}' cannot be read"
            original = _guarded(what, occurrence, one.original, one.original.params, master.details, zones)
            master.changed[original] = one.details
        else:
            found.append(one)
    return found


def _entry(event: Component, zones: Zones) -> _Entry:
    start_property = first_of(event, "DTSTART")
    if start_property is None:
        raise InvalidRequest("It has no DTSTART.")
    start = zones.when(start_property.dt, start_property.params)
    end = end_of(event, start, zones)
    uid = _text(event, "UID")
    organizer = first_of(event, "ORGANIZER")
    attendees = _attendees(event)
    html = [one for one in all_of(event, HTML) if one.params.get("FMTTYPE", "").lower() == "text/html"]
    place = _text(event, PLACE)
    responded = _text(event, RESPONDED)
    details = EventFields(
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
        response_requested=_asks(event),
        categories=tuple(
            str(one).strip() for line in all_of(event, "CATEGORIES") for one in line.cats if str(one).strip()
        ),
        attendees=attendees,
        organizer=_address(organizer) if organizer is not None else None,
        response=_response(event, organizer is not None),
        responded=_stamp(responded) if responded else None,
        is_cancelled=_text(event, "STATUS").upper() == "CANCELLED",
        uid=uid if uid and not uid.endswith(NO_UID) else None,
        external_id=_text(event, ITEM_ID) or None,
    )
    return _Entry(repeated(event, details, zones), uid, first_of(event, "RECURRENCE-ID"), {})


# --- Properties ---


def _text(event: Component, name: str) -> str:
    value = first_of(event, name)
    return "" if value is None else _clean(value)


def _clean(value: Any) -> str:
    # The package leaves the values of names it does not know as they came.
    text = str(value) if isinstance(value, vText) else unescape_backslash(str(value))
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def _param(value: Any, name: str) -> str:
    found = value.params.get(name, "")
    # A comma without quotes around it makes a list of a text.
    return ",".join(found) if isinstance(found, list) else str(found)


def _place(text: str) -> dict[str, Any]:
    place = json.loads(text)
    if not isinstance(place, dict):
        raise InvalidRequest(f"{PLACE} holds no JSON object.")
    return place


def _importance(event: Component) -> int:
    stated = _text(event, IMPORTANCE)
    if stated in ("0", "1", "2"):
        return Importance(int(stated))
    priority = _text(event, "PRIORITY")
    if priority in ("1", "2", "3", "4"):
        return Importance["High"]
    return Importance["Low" if priority in ("6", "7", "8", "9") else "Normal"]


def _show_as(event: Component) -> int:
    stated = BUSY_STATUSES.get(_text(event, BUSY_STATUS).upper())
    if stated is not None:
        return stated
    if _text(event, "TRANSP").upper() == "TRANSPARENT":
        return ShowAs["Free"]
    return ShowAs["Tentative" if _text(event, "STATUS").upper() == "TENTATIVE" else "Busy"]


def _stamp(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def _reminder(event: Component, start: When, end: When, zones: Zones) -> int | None:
    """Minutes before the start; a reminder after it counts as at the start (inferred)."""
    for alarm in event.subcomponents:
        trigger = first_of(alarm, "TRIGGER")
        # Apple's way to say that there shall be no alarm, not even the calendar's own.
        if alarm.name != "VALARM" or trigger is None or _text(alarm, "ACTION").upper() == "NONE":
            continue
        if isinstance(trigger.dt, timedelta):
            base = end if _param(trigger, "RELATED").upper() == "END" else start
            shown = base.instant + trigger.dt // timedelta(microseconds=1)
        else:
            shown = zones.when(trigger.dt, trigger.params).instant
        return min(max((start.instant - shown) // _MINUTE, 0), _LONGEST_REMINDER)
    return None


# --- People ---


def _address(person: Any) -> Address:
    scheme, _, rest = str(person).partition(":")
    exact = _param(person, NAME)
    name = unquote(exact) if exact else _param(person, "CN")
    if scheme.lower() == "mailto":
        return Address(unquote(rest.partition("?")[0]), name)
    return Address(_param(person, "EMAIL") or (str(person) if "@" in str(person) else ""), name)


def _attendees(event: Component) -> tuple[Attendee, ...]:
    return tuple(_attendee(one) for one in all_of(event, "ATTENDEE"))


def _attendee(person: Any) -> Attendee:
    address, name = _address(person)
    kind = AttendeeType[
        "Optional" if _param(person, "ROLE").upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT") else "Required"
    ]
    if _param(person, "CUTYPE").upper() in ("RESOURCE", "ROOM"):
        kind = AttendeeType["Resource"]
    partstat = PARTSTATS.get(_param(person, "PARTSTAT").upper(), ResponseType["None"])
    responded = _param(person, RESPONDED)
    return Attendee(
        address,
        name,
        kind,
        ResponseType.__members__.get(_param(person, RESPONSE), partstat),
        _stamp(responded) if responded else None,
    )


def _asks(event: Component) -> bool:
    """Whether responses are requested: of anyone, or of nobody in particular."""
    asked = {_param(one, "RSVP").upper() for one in all_of(event, "ATTENDEE")} - {""}
    return _text(event, RESPONSE_REQUESTED).upper() != "FALSE" and (not asked or "TRUE" in asked)


def _response(event: Component, has_organizer: bool) -> int:
    # Whose calendar this is the file does not say.
    unstated = ResponseType["NotResponded" if has_organizer else "Organizer"]
    return ResponseType.__members__.get(_text(event, RESPONSE), unstated)
