"""Writes events as an iCalendar file (RFC 5545), or as a message to attendees (RFC 5546), with icalendar."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from icalendar import Alarm, Calendar, Component, Event, Timezone, vCalAddress, vCategory, vRecur, vText

from outlook_emulator.clock import iso_seconds, moment
from outlook_emulator.enums import NO_RESPONSE, AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule, Series
from outlook_emulator.mailbox.formats.ics_rules import parts_of
from outlook_emulator.mailbox.formats.ics_zones import UTC, ZONE, at, on_the_wall
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.timezones import iana, zone

HTML = "X-ALT-DESC"
ALL_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT"
BUSY_STATUS = "X-MICROSOFT-CDO-BUSYSTATUS"
IMPORTANCE = "X-MICROSOFT-CDO-IMPORTANCE"
# Properties and parameters of our own, where iCalendar has none.
ITEM_ID = "X-OUTLOOK-ITEM-ID"
PLACE = "X-OUTLOOK-PLACE"
RESPONSE = "X-OUTLOOK-RESPONSE"
RESPONDED = "X-OUTLOOK-RESPONDED"
RESPONSE_REQUESTED = "X-OUTLOOK-RESPONSE-REQUESTED"
NAME = "X-OUTLOOK-NAME"
_OWN_TEXTS_EXCEPT = ("subject", "body", "location", "start_zone", "end_zone")
OWN_TEXTS = {
    f"X-OUTLOOK-{field.name.upper().replace('_', '-')}": field.name
    for field in fields(EventFields)
    if field.type == "str" and field.name not in _OWN_TEXTS_EXCEPT
}
"""The properties of text fields that have no property of iCalendar, and the fields."""
NO_UID = "@no-uid.outlook-connector-emulator"
"""The end of a generated UID: iCalendar has no event without a UID."""

PARTSTATS = {
    "NEEDS-ACTION": NO_RESPONSE,
    "ACCEPTED": ResponseType.Accepted,
    "TENTATIVE": ResponseType.TentativelyAccepted,
    "DECLINED": ResponseType.Declined,
}
BUSY_STATUSES = {status.name.upper(): status for status in ShowAs}

_STATED = {response: partstat for partstat, response in PARTSTATS.items()}
_ROLES = {
    AttendeeType.Required: {"ROLE": "REQ-PARTICIPANT", "CUTYPE": "INDIVIDUAL"},
    AttendeeType.Optional: {"ROLE": "OPT-PARTICIPANT", "CUTYPE": "INDIVIDUAL"},
    AttendeeType.Resource: {"ROLE": "NON-PARTICIPANT", "CUTYPE": "RESOURCE"},
}
_PRIORITIES = {Importance.High: 1, Importance.Normal: 5, Importance.Low: 9}
_ENDLESS = 2038
"""Time zones are written up to this year at least, for readers of endless series."""
_PIECE = 74


class _Text(vText):
    # The package's own escaping turns a backslash before an N into a line end, as in C:\New.
    def to_ical(self) -> bytes:
        text = re.sub(r"([\\;,])", r"\\\1", self.encode("utf-8", "replace").decode())
        return re.sub(r"\r\n|\r|\n", r"\\n", text).encode()


class _Message(NamedTuple):
    """The values that all events of a file share."""

    now: int
    method: str | None
    organizer: Address | None


def compose(
    series: Iterable[Series], *, now: int, method: str | None = None, organizer: Address | None = None
) -> bytes:
    """The events as an iCalendar file; with a `method` (REQUEST, CANCEL, REPLY) as a message to attendees.

    `now` (microseconds) becomes the time stamp; equal input gives equal bytes. `organizer` is the sender of a message,
    for events without an organizer of their own. Reading the file again gives the same events, except that times lose
    their fraction of a second, line ends become `\\r\\n`, and a changed occurrence has the UID of its series. A message
    omits its sender's own response and the external id. Raises InvalidRequest for a message about an event without an
    organizer.
    """
    message = _Message(now, method.upper() if method else None, organizer)
    calendar = Calendar()
    calendar.add("PRODID", "-//Outlook Connector Emulator//EN")
    calendar.add("VERSION", "2.0")
    if message.method:
        calendar.add("METHOD", message.method)
    events = list(series)
    for number, event in enumerate(events):
        for component in _components(event, number, message):
            calendar.add_component(component)
    # Last, when it is known which zones the events use; in the file they stand first.
    calendar.subcomponents[:0] = _timezones(calendar, events)
    return b"".join(b"%s\r\n" % _folded(line.encode()) for line in calendar.content_lines() if line)


def _folded(line: bytes) -> bytes:
    """A content line in pieces of at most 74 bytes, as the package folds it.

    The package looks at every character, which takes half a second where a body has a megabyte.
    """
    pieces, start = [], 0
    while len(line) - start > _PIECE:
        end = start + _PIECE
        # Not inside a character, nor behind the first character of an escape.
        while line[end] & 0xC0 == 0x80:
            end -= 1
        if line[end - 1] in b"\\^":
            end -= 1
        pieces.append(line[start:end])
        start = end
    return b"\r\n ".join((*pieces, line[start:]))


def _components(series: Series, number: int, message: _Message) -> Iterator[Event]:
    event = series.event
    uid = event.uid or _generated_uid(event, number)
    whole = _component(event, uid, message, series.sequence)
    if series.original is not None:
        _add_moment(whole, "RECURRENCE-ID", series.original, event.start_zone, event.is_all_day)
    yield whole
    # Sorted, so that equal events give equal bytes.
    for original, changed in sorted(series.changed.items()):
        component = _component(changed, uid, message, series.sequence)
        _add_moment(component, "RECURRENCE-ID", original, event.start_zone, event.is_all_day)
        yield component


def _generated_uid(event: EventFields, number: int) -> str:
    # The number keeps equal events of one file apart.
    seed = f"{number} {event.start} {event.end} {event.subject}"
    return sha256(seed.encode("utf-8", "replace")).hexdigest()[:32] + NO_UID


def _component(event: EventFields, uid: str, message: _Message, sequence: int) -> Event:
    component = Event()
    component.add("UID", _Text(uid))
    component.add("DTSTAMP", moment(message.now))
    component.add("SEQUENCE", sequence)
    _add_moment(component, "DTSTART", event.start, event.start_zone, event.is_all_day)
    # A day without a zone of its own is read in the zone of the start.
    end_zone = {ZONE: event.end_zone} if event.is_all_day and event.end_zone != event.start_zone else {}
    _add_moment(component, "DTEND", event.end, event.end_zone, event.is_all_day, end_zone)
    _add_texts(component, event)
    _add_status(component, event, message)
    if not message.method:
        _add_private(component, event)
    _add_people(component, event, message)
    _add_recurrence(component, event)
    if event.reminder is not None:
        component.add_component(_alarm(event.reminder))
    return component


def _add_moment(
    component: Event, name: str, instant: int, zone_name: str, is_all_day: bool, more: dict[str, str] | None = None
) -> None:
    value, params = _moment(instant, zone_name, is_all_day)
    # EXDATE and RDATE hold lists; for other properties a list means several values.
    component.add(name, [value] if name in ("EXDATE", "RDATE") else value, parameters=params | (more or {}))


def _moment(instant: int, zone_name: str, is_all_day: bool) -> tuple[date, dict[str, str]]:
    """An instant in iCalendar's form: a day, a time in UTC, or a wall-clock time in a zone."""
    utc = moment(instant).replace(microsecond=0)
    local = on_the_wall(instant, zone_name).replace(microsecond=0)
    params = {} if zone_name == UTC else {ZONE: zone_name}
    if is_all_day:
        return utc.date(), params | {"VALUE": "DATE"}
    # The hour before clocks go back occurs twice, and iCalendar cannot say which one is meant.
    if zone_name == UTC or local.fold:
        return utc, params
    return local.replace(tzinfo=None), params | {"TZID": iana(zone_name)}


def _add_texts(component: Event, event: EventFields) -> None:
    if event.is_html:
        component.add(HTML, _Text(event.body), parameters={"FMTTYPE": "text/html"})
    plain = plain_text(event.body) if event.is_html else event.body
    place = json.dumps(dict(event.place), sort_keys=True) if event.place is not None else ""
    texts = {"SUMMARY": event.subject, "LOCATION": event.location, "DESCRIPTION": plain, PLACE: place}
    texts |= {name: getattr(event, field) for name, field in OWN_TEXTS.items()}
    for name, text in texts.items():
        if text:
            component.add(name, _Text(text))
    if event.categories:
        categories = vCategory([])
        categories.cats = [_Text(category) for category in event.categories]
        component.add("CATEGORIES", categories)


def _add_status(component: Event, event: EventFields, message: _Message) -> None:
    # Each value twice: other programs read the RFC's property, and only Microsoft's keeps every value of Outlook.
    component.add("PRIORITY", _PRIORITIES[Importance(event.importance)])
    component.add(IMPORTANCE, _Text(str(int(event.importance))))
    component.add("TRANSP", "TRANSPARENT" if event.show_as == ShowAs.Free else "OPAQUE")
    component.add(BUSY_STATUS, _Text(ShowAs(event.show_as).name.upper()))
    if event.is_cancelled or message.method == "CANCEL":
        component.add("STATUS", "CANCELLED")
    if not event.response_requested:
        component.add(RESPONSE_REQUESTED, _Text("FALSE"))


def _add_private(component: Event, event: EventFields) -> None:
    component.add(RESPONSE, _Text(ResponseType(event.response).name))
    if event.responded is not None:
        component.add(RESPONDED, _Text(iso_seconds(event.responded)))
    if event.external_id:
        component.add(ITEM_ID, _Text(event.external_id))


def _add_people(component: Event, event: EventFields, message: _Message) -> None:
    organizer = event.organizer or (message.organizer if message.method else None)
    if organizer is not None:
        component.add("ORGANIZER", _person(organizer.address, organizer.name))
    elif message.method:
        raise InvalidRequest(f"The event '{event.subject[:100]}' has no organizer, so it cannot be sent.")
    for attendee in event.attendees:
        component.add("ATTENDEE", _attendee(attendee, event.response_requested or message.method is not None))


def _person(address: str, name: str) -> vCalAddress:
    clean = address.encode("utf-8", "replace").decode()
    person = vCalAddress("mailto:" + re.sub(r"[^\w.!$&'*+/=^`{|}~@-]", lambda match: quote(match[0]), clean))
    # Parameters cannot contain control characters, and the package reads some backslashes in them as escapes.
    shown = re.sub(r"[\x00-\x1f\x7f\\]+", " ", name.encode("utf-8", "replace").decode()).strip()
    if shown:
        person.params["CN"] = shown
    if shown != name:
        person.params[NAME] = quote(name, errors="replace")
    return person


def _attendee(attendee: Attendee, wants_response: bool) -> vCalAddress:
    person = _person(attendee.address, attendee.name)
    response = ResponseType(attendee.response)
    # iCalendar has no status for the organizer, who attends in any case.
    fallback = "ACCEPTED" if response == ResponseType.Organizer else "NEEDS-ACTION"
    person.params.update(_ROLES[AttendeeType(attendee.type)])
    person.params["PARTSTAT"] = _STATED.get(response, fallback)
    person.params["RSVP"] = "TRUE" if wants_response else "FALSE"
    # So that reading the file gives the same response again.
    if response not in _STATED:
        person.params[RESPONSE] = response.name
    if attendee.responded is not None:
        person.params[RESPONDED] = iso_seconds(attendee.responded)
    return person


def _add_recurrence(component: Event, event: EventFields) -> None:
    if event.rule is not None:
        component.add("RRULE", vRecur(_parts(event.rule, event)))
    for name, instants in (("EXDATE", event.excluded), ("RDATE", event.added)):
        for instant in instants:
            _add_moment(component, name, instant, event.start_zone, event.is_all_day)


def _parts(rule: Rule, event: EventFields) -> dict[str, list[Any]]:
    parts = parts_of(rule)
    if rule.until is None or "COUNT" in parts:
        return parts
    if event.is_all_day:
        return parts | {"UNTIL": [rule.until]}
    # The RFC wants UTC here where the start has a zone. At the time of the start, the last day still counts.
    clock = on_the_wall(event.start, event.start_zone).time().replace(microsecond=0)
    return parts | {"UNTIL": [moment(at(rule.until, clock, event.start_zone))]}


def _alarm(reminder: int) -> Alarm:
    alarm = Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("DESCRIPTION", "Reminder")
    alarm.add("TRIGGER", timedelta(minutes=-reminder))
    return alarm


def _timezones(calendar: Calendar, series: list[Series]) -> list[Component]:
    events = [event for entry in series for event in (entry.event, *entry.changed.values())]
    years = [moment(instant).year for event in events for instant in (event.start, event.end)]
    span = max(min(years, default=_ENDLESS) - 1, 1), min(max([*years, _ENDLESS]) + 1, 9999)
    return [Timezone.from_ical(_timezone(name, *span)) for name in sorted(calendar.get_used_tzids() - {UTC})]


@lru_cache(maxsize=256)
def _timezone(name: str, first: int, last: int) -> bytes:
    # Kept as bytes: the zone's history takes ten milliseconds to search, and each calendar needs components of its own.
    written: bytes = Timezone.from_tzinfo(zone(name), name, date(first, 1, 1), date(last, 1, 1)).to_ical()
    return written
