"""Writing events as an iCalendar file (RFC 5545), or as an invitation (RFC 5546), by the icalendar package."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from icalendar import Alarm, Calendar, Component, Event, Timezone, vCalAddress, vCategory, vRecur, vText

from outlook_emulator.clock import iso_seconds, moment
from outlook_emulator.enums import AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule, Series
from outlook_emulator.mailbox.formats.ics_rules import parts_of
from outlook_emulator.mailbox.formats.ics_zones import UTC, ZONE, at, on_the_wall
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.timezones import iana, zone

HTML = "X-ALT-DESC"
BUSY_STATUS = "X-MICROSOFT-CDO-BUSYSTATUS"
IMPORTANCE = "X-MICROSOFT-CDO-IMPORTANCE"
# Properties and parameters of our own, for what iCalendar has no words for.
ITEM_ID = "X-OUTLOOK-ITEM-ID"
PLACE = "X-OUTLOOK-PLACE"
RESPONSE = "X-OUTLOOK-RESPONSE"
RESPONDED = "X-OUTLOOK-RESPONDED"
RESPONSE_REQUESTED = "X-OUTLOOK-RESPONSE-REQUESTED"
NAME = "X-OUTLOOK-NAME"
NO_UID = "@no-uid.outlook-connector-emulator"
"""How a made-up UID ends, for iCalendar has no event without one."""

PARTSTATS = {
    "NEEDS-ACTION": ResponseType["None"],
    "ACCEPTED": ResponseType["Accepted"],
    "TENTATIVE": ResponseType["TentativelyAccepted"],
    "DECLINED": ResponseType["Declined"],
}
BUSY_STATUSES = {one.name.upper(): one for one in ShowAs}

_STATED = {response: partstat for partstat, response in PARTSTATS.items()}
_ROLES = {
    AttendeeType["Required"]: {"ROLE": "REQ-PARTICIPANT", "CUTYPE": "INDIVIDUAL"},
    AttendeeType["Optional"]: {"ROLE": "OPT-PARTICIPANT", "CUTYPE": "INDIVIDUAL"},
    AttendeeType["Resource"]: {"ROLE": "NON-PARTICIPANT", "CUTYPE": "RESOURCE"},
}
_PRIORITIES = {Importance["High"]: 1, Importance["Normal"]: 5, Importance["Low"]: 9}
_ENDLESS = 2038
"""The year up to which time zones are written at least: what readers of an endless series will look at."""


class _Text(vText):
    # The package's own escaping takes a backslash before an N for a line end, as in C:\New.
    def to_ical(self) -> bytes:
        text = re.sub(r"([\\;,])", r"\\\1", self.encode("utf-8", "replace").decode())
        return re.sub(r"\r\n|\r|\n", r"\\n", text).encode()


class _Message(NamedTuple):
    """What all the events of one file share."""

    now: int
    method: str | None
    organizer: Address | None


def compose(
    series: Iterable[Series], *, now: int, method: str | None = None, organizer: Address | None = None
) -> bytes:
    """The events as an iCalendar file; with a `method` (REQUEST, CANCEL, REPLY) as a message to those invited.

    `now` (microseconds) becomes the time stamp; equal input gives equal bytes. `organizer` is who sends the message,
    for events that name no organizer of their own. Reading the file again gives the same events, except that times
    lose their fraction of a second, line ends become `\\r\\n`, and a changed occurrence has the UID of its series;
    a message keeps back its sender's own response and the old id of the item.
    Raises InvalidRequest for a message about an event that nobody organizes.
    """
    message = _Message(now, method.upper() if method else None, organizer)
    calendar = Calendar()
    calendar.add("PRODID", "-//Outlook Connector Emulator//EN")
    calendar.add("VERSION", "2.0")
    if message.method:
        calendar.add("METHOD", message.method)
    events = list(series)
    for number, one in enumerate(events):
        for component in _components(one, number, message):
            calendar.add_component(component)
    calendar.subcomponents[:0] = _timezones(calendar, events)
    written: bytes = calendar.to_ical()
    return written


def _components(series: Series, number: int, message: _Message) -> Iterator[Event]:
    event = series.event
    uid = event.uid or _made_up_uid(event, number)
    whole = _component(event, uid, message, series.sequence)
    if series.original is not None:
        _add_moment(whole, "RECURRENCE-ID", series.original, event.start_zone, event.is_all_day)
    yield whole
    for original, details in sorted(series.changed.items()):
        component = _component(details, uid, message, series.sequence)
        _add_moment(component, "RECURRENCE-ID", original, event.start_zone, event.is_all_day)
        yield component


def _made_up_uid(event: EventFields, number: int) -> str:
    seed = f"{number} {event.start} {event.end} {event.subject}"
    return sha256(seed.encode("utf-8", "replace")).hexdigest()[:32] + NO_UID


def _component(details: EventFields, uid: str, message: _Message, sequence: int) -> Event:
    component = Event()
    component.add("UID", _Text(uid))
    component.add("DTSTAMP", moment(message.now))
    component.add("SEQUENCE", sequence)
    _add_moment(component, "DTSTART", details.start, details.start_zone, details.is_all_day)
    # The days of an all-day event are those of the zone it starts in.
    end_zone = {ZONE: details.end_zone} if details.is_all_day and details.end_zone != details.start_zone else {}
    days_zone = details.start_zone if details.is_all_day else details.end_zone
    _add_moment(component, "DTEND", details.end, days_zone, details.is_all_day, end_zone)
    _add_texts(component, details)
    _add_status(component, details, message)
    if not message.method:
        _add_own(component, details)
    _add_people(component, details, message)
    _add_recurrence(component, details)
    if details.reminder is not None:
        component.add_component(_alarm(details.reminder))
    return component


def _add_moment(
    component: Event, name: str, instant: int, zone_name: str, is_all_day: bool, more: dict[str, str] | None = None
) -> None:
    value, params = _moment(instant, zone_name, is_all_day)
    # EXDATE and RDATE hold lists, and a list would be taken for several values elsewhere.
    component.add(name, [value] if name in ("EXDATE", "RDATE") else value, parameters=params | (more or {}))


def _moment(instant: int, zone_name: str, is_all_day: bool) -> tuple[date, dict[str, str]]:
    """An instant as iCalendar has it: a day, a time in UTC, or a time on the wall of a zone."""
    utc = moment(instant).replace(microsecond=0)
    local = on_the_wall(instant, zone_name).replace(microsecond=0)
    params = {} if zone_name == UTC else {ZONE: zone_name}
    if is_all_day:
        return local.date(), params | {"VALUE": "DATE"}
    # A wall shows the hour before the clocks go back twice, and iCalendar cannot say which one is meant.
    if zone_name == UTC or local.fold:
        return utc, params
    return local.replace(tzinfo=None), params | {"TZID": iana(zone_name)}


def _add_texts(component: Event, details: EventFields) -> None:
    if details.is_html:
        component.add(HTML, _Text(details.body), parameters={"FMTTYPE": "text/html"})
    plain = plain_text(details.body) if details.is_html else details.body
    place = json.dumps(dict(details.place), sort_keys=True) if details.place is not None else ""
    texts = {"SUMMARY": details.subject, "LOCATION": details.location, "DESCRIPTION": plain, PLACE: place}
    for name, text in texts.items():
        if text:
            component.add(name, _Text(text))
    if details.categories:
        categories = vCategory([])
        categories.cats = [_Text(one) for one in details.categories]
        component.add("CATEGORIES", categories)


def _add_status(component: Event, details: EventFields, message: _Message) -> None:
    component.add("PRIORITY", _PRIORITIES[Importance(details.importance)])
    component.add(IMPORTANCE, _Text(str(int(details.importance))))
    component.add("TRANSP", "TRANSPARENT" if details.show_as == ShowAs["Free"] else "OPAQUE")
    component.add(BUSY_STATUS, _Text(ShowAs(details.show_as).name.upper()))
    if details.is_cancelled or message.method == "CANCEL":
        component.add("STATUS", "CANCELLED")
    if not details.response_requested:
        component.add(RESPONSE_REQUESTED, _Text("FALSE"))


def _add_own(component: Event, details: EventFields) -> None:
    component.add(RESPONSE, _Text(ResponseType(details.response).name))
    if details.responded is not None:
        component.add(RESPONDED, _Text(iso_seconds(details.responded)))
    if details.external_id:
        component.add(ITEM_ID, _Text(details.external_id))


def _add_people(component: Event, details: EventFields, message: _Message) -> None:
    organizer = details.organizer or (message.organizer if message.method else None)
    if organizer is not None:
        component.add("ORGANIZER", _person(organizer.address, organizer.name))
    elif message.method:
        raise InvalidRequest(f"The event '{details.subject[:100]}' has no organizer, and so cannot be sent to anyone.")
    for attendee in details.attendees:
        component.add("ATTENDEE", _attendee(attendee, details.response_requested or message.method is not None))


def _person(address: str, name: str) -> vCalAddress:
    clean = address.encode("utf-8", "replace").decode()
    person = vCalAddress("mailto:" + re.sub(r"[^\w.!$&'*+/=^`{|}~@-]", lambda found: quote(found[0]), clean))
    # Parameters have no way to write controls, and the package reads some of their backslashes as escapes.
    shown = re.sub(r"[\x00-\x1f\x7f\\]+", " ", name.encode("utf-8", "replace").decode()).strip()
    if shown:
        person.params["CN"] = shown
    if shown != name:
        person.params[NAME] = quote(name, errors="replace")
    return person


def _attendee(attendee: Attendee, is_asked: bool) -> vCalAddress:
    person = _person(attendee.address, attendee.name)
    response = ResponseType(attendee.response)
    fallback = "ACCEPTED" if response == ResponseType["Organizer"] else "NEEDS-ACTION"
    person.params.update(_ROLES[AttendeeType(attendee.type)])
    person.params["PARTSTAT"] = _STATED.get(response, fallback)
    person.params["RSVP"] = "TRUE" if is_asked else "FALSE"
    if response not in _STATED:
        person.params[RESPONSE] = response.name
    if attendee.responded is not None:
        person.params[RESPONDED] = iso_seconds(attendee.responded)
    return person


def _add_recurrence(component: Event, details: EventFields) -> None:
    if details.rule is not None:
        component.add("RRULE", vRecur(_parts(details.rule, details)))
    for name, instants in (("EXDATE", details.excluded), ("RDATE", details.added)):
        for instant in instants:
            _add_moment(component, name, instant, details.start_zone, details.is_all_day)


def _parts(rule: Rule, details: EventFields) -> dict[str, list[Any]]:
    parts = parts_of(rule)
    if rule.until is None or "COUNT" in parts:
        return parts
    if details.is_all_day:
        return parts | {"UNTIL": [rule.until]}
    clock = on_the_wall(details.start, details.start_zone).time().replace(microsecond=0)
    return parts | {"UNTIL": [moment(at(rule.until, clock, details.start_zone))]}


def _alarm(reminder: int) -> Alarm:
    alarm = Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("DESCRIPTION", "Reminder")
    alarm.add("TRIGGER", timedelta(minutes=-reminder))
    return alarm


def _timezones(calendar: Calendar, series: list[Series]) -> list[Component]:
    events = [details for one in series for details in (one.event, *one.changed.values())]
    years = [moment(instant).year for details in events for instant in (details.start, details.end)]
    span = max(min(years, default=_ENDLESS) - 1, 1), min(max([*years, _ENDLESS]) + 1, 9999)
    return [Timezone.from_ical(_timezone(name, *span)) for name in sorted(calendar.get_used_tzids() - {UTC})]


@lru_cache(maxsize=256)
def _timezone(name: str, first: int, last: int) -> bytes:
    written: bytes = Timezone.from_tzinfo(zone(name), name, date(first, 1, 1), date(last, 1, 1)).to_ical()
    return written
