"""Writes events as an iCalendar file (RFC 5545), or as a message to attendees (RFC 5546).

The time zones are written by the icalendar package. The events are not: it takes a millisecond for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from outlook_emulator.clock import iso_seconds, moment
from outlook_emulator.enums import NO_RESPONSE, AttendeeType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.event import Attendee, EventFields, Rule, Series
from outlook_emulator.mailbox.formats.ics_lines import escaped, folded, parameter
from outlook_emulator.mailbox.formats.ics_rules import parts_of
from outlook_emulator.mailbox.formats.ics_zones import UTC, ZONE, at, on_the_wall
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.timezones import CUSTOM, iana, zone

HTML = "X-ALT-DESC"
ALL_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT"
BUSY_STATUS = "X-MICROSOFT-CDO-BUSYSTATUS"
IMPORTANCE = "X-MICROSOFT-CDO-IMPORTANCE"
# Properties and parameters of our own, where iCalendar has none.
ITEM_ID = "X-OUTLOOK-ITEM-ID"
OWN_UID = "X-OUTLOOK-UID"
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
_ROLES: dict[int, str] = {
    AttendeeType.Required: ";ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL",
    AttendeeType.Optional: ";ROLE=OPT-PARTICIPANT;CUTYPE=INDIVIDUAL",
    AttendeeType.Resource: ";ROLE=NON-PARTICIPANT;CUTYPE=RESOURCE",
}
_STATUSES: dict[int, str] = {status: name for name, status in BUSY_STATUSES.items()}
_PRIORITIES: dict[int, int] = {Importance.High: 1, Importance.Normal: 5, Importance.Low: 9}
_ENDLESS = 2038
"""Time zones are written up to this year at least, for readers of endless series."""


class _Message(NamedTuple):
    """The values that all events of a file share."""

    stamp: str
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
    message = _Message(_utc(now), method.upper() if method else None, organizer)
    file = _File(message)
    for number, event in enumerate(series):
        file.add(event, number)
    return file.content()


class _File:
    """A calendar while its events are written."""

    def __init__(self, message: _Message) -> None:
        self._message = message
        self._lines: list[str] = []
        self._zones: dict[str, None] = {}
        self._years = (_ENDLESS, _ENDLESS)
        self._written: set[tuple[str, int | None]] = set()

    def content(self) -> bytes:
        method = [f"METHOD:{escaped(self._message.method)}"] if self._message.method else []
        head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Outlook Connector Emulator//EN", *method]
        first, last = max(self._years[0] - 1, 1), min(self._years[1] + 1, 9999)
        # First in the file, although only the events tell which zones they use.
        zones = [_timezone(name, first, last) for name in sorted(self._zones)]
        lines = [folded(line.encode()) for line in self._lines]
        return b"\r\n".join([*(line.encode() for line in head), *zones, *lines, b"END:VCALENDAR", b""])

    def add(self, series: Series, number: int) -> None:
        event = series.event
        uid = event.uid or _generated_uid(event, number)
        own_uid = None
        # Others take a second event with a UID for a new version of the first.
        if (uid, series.original) in self._written:
            uid, own_uid = _generated_uid(event, number), uid
        self._written.add((uid, series.original))
        original = None if series.original is None else (series.original, event)
        self._add_event(event, uid, series.sequence, original, own_uid)
        # Sorted, so that equal events give equal bytes.
        for start, changed in sorted(series.changed.items()):
            self._add_event(changed, uid, series.sequence, (start, event), own_uid)

    def _add_event(
        self,
        event: EventFields,
        uid: str,
        sequence: int,
        original: tuple[int, EventFields] | None,
        own_uid: str | None,
    ) -> None:
        lines, message = self._lines, self._message
        lines += ("BEGIN:VEVENT", f"UID:{escaped(uid)}", f"DTSTAMP:{message.stamp}", f"SEQUENCE:{sequence}")
        if own_uid is not None:
            lines.append(f"{OWN_UID}:{escaped(own_uid)}")
        if original is not None:
            self._add_moment("RECURRENCE-ID", original[0], original[1].start_zone, original[1].is_all_day)
        self._add_moment("DTSTART", event.start, event.start_zone, event.is_all_day)
        # A day without a zone of its own is read in the zone of the start.
        needs_zone = event.is_all_day and event.end_zone == UTC != event.start_zone
        self._add_moment(
            "DTEND", event.end, event.end_zone, event.is_all_day, parameter(ZONE, UTC) if needs_zone else ""
        )
        years = (moment(event.start).year, moment(event.end).year)
        self._years = (min(self._years[0], *years), max(self._years[1], *years))
        lines.extend(_texts(event))
        lines.extend(_status(event, message))
        if not message.method:
            lines.extend(_private(event))
        lines.extend(_people(event, message))
        self._add_recurrence(event)
        if event.reminder is not None:
            lines += ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder")
            lines += (f"TRIGGER:-PT{event.reminder}M", "END:VALARM")
        lines.append("END:VEVENT")

    def _add_moment(self, name: str, instant: int, zone_name: str, is_all_day: bool, more: str = "") -> None:
        """A line with an instant: a day, a time in UTC, or a wall-clock time in a zone."""
        params = "" if zone_name == UTC else parameter(ZONE, zone_name)
        if is_all_day:
            self._lines.append(f"{name}{params}{more};VALUE=DATE:{_day(moment(instant))}")
            return
        local = moment(instant) if zone_name == UTC else on_the_wall(instant, zone_name)
        # The hour before clocks go back occurs twice, and iCalendar cannot say which one is meant.
        if zone_name == UTC or local.fold:
            self._lines.append(f"{name}{params}{more}:{_utc(instant)}")
            return
        tzid = tzid_of(zone_name)
        self._zones[zone_name] = None
        self._lines.append(f"{name}{params}{more}{parameter('TZID', tzid)}:{_day(local)}T{_clock(local)}")

    def _add_recurrence(self, event: EventFields) -> None:
        if event.rule is not None:
            parts = _parts(event.rule, event)
            self._lines.append(
                "RRULE:" + ";".join(f"{name}={','.join(map(str, values))}" for name, values in parts.items())
            )
        for name, instants in (("EXDATE", event.excluded), ("RDATE", event.added)):
            for instant in instants:
                self._add_moment(name, instant, event.start_zone, event.is_all_day)


def tzid_of(zone_name: str) -> str:
    """The name of a zone in a file; without characters that readers of iCalendar disagree about."""
    return "Custom/" + re.sub(r"[^\w.+-]", "_", zone_name) if zone_name.startswith(CUSTOM) else iana(zone_name)


def _day(when: datetime) -> str:
    # Not strftime, which writes years before 1000 with fewer digits.
    return f"{when.year:04}{when.month:02}{when.day:02}"


def _clock(when: datetime) -> str:
    return f"{when.hour:02}{when.minute:02}{when.second:02}"


def _utc(instant: int) -> str:
    when = moment(instant)
    return f"{_day(when)}T{_clock(when)}Z"


def _generated_uid(event: EventFields, number: int) -> str:
    # The number keeps equal events of one file apart.
    seed = f"{number} {event.start} {event.end} {event.subject}"
    return sha256(seed.encode("utf-8", "replace")).hexdigest()[:32] + NO_UID


def _texts(event: EventFields) -> Iterator[str]:
    if event.is_html:
        yield f"{HTML};FMTTYPE=text/html:{escaped(event.body)}"
    plain = plain_text(event.body) if event.is_html else event.body
    place = json.dumps(dict(event.place), sort_keys=True) if event.place is not None else ""
    texts = {"SUMMARY": event.subject, "LOCATION": event.location, "DESCRIPTION": plain, PLACE: place}
    texts |= {name: getattr(event, field) for name, field in OWN_TEXTS.items()}
    for name, text in texts.items():
        if text:
            yield f"{name}:{escaped(text)}"
    if event.categories:
        yield f"CATEGORIES:{','.join(map(escaped, event.categories))}"


def _status(event: EventFields, message: _Message) -> Iterator[str]:
    # Each value twice: other programs read the RFC's property, and only Microsoft's keeps every value of Outlook.
    yield f"PRIORITY:{_PRIORITIES[event.importance]}"
    yield f"{IMPORTANCE}:{int(event.importance)}"
    yield f"TRANSP:{'TRANSPARENT' if event.show_as == ShowAs.Free else 'OPAQUE'}"
    yield f"{BUSY_STATUS}:{_STATUSES[event.show_as]}"
    if event.is_cancelled or message.method == "CANCEL":
        yield "STATUS:CANCELLED"
    if not event.response_requested:
        yield f"{RESPONSE_REQUESTED}:FALSE"


def _private(event: EventFields) -> Iterator[str]:
    yield f"{RESPONSE}:{ResponseType(event.response).name}"
    if event.responded is not None:
        yield f"{RESPONDED}:{escaped(iso_seconds(event.responded))}"
    if event.external_id:
        yield f"{ITEM_ID}:{escaped(event.external_id)}"


def _people(event: EventFields, message: _Message) -> Iterator[str]:
    organizer = event.organizer or (message.organizer if message.method else None)
    if organizer is not None:
        name, value = _person(organizer.address, organizer.name)
        yield f"ORGANIZER{name}:{value}"
    elif message.method:
        raise InvalidRequest(f"The event '{event.subject[:100]}' has no organizer, so it cannot be sent.")
    wants_response = event.response_requested or message.method is not None
    for attendee in event.attendees:
        yield _attendee(attendee, wants_response)


def _person(address: str, name: str) -> tuple[str, str]:
    """The parameters with a person's name, and the URL of the address."""
    clean = address.encode("utf-8", "replace").decode()
    url = "mailto:" + re.sub(r"[^\w.!$&'*+/=^`{|}~@-]", lambda match: quote(match[0]), clean)
    # Parameters cannot contain control characters, and some readers take backslashes in them for escapes.
    shown = re.sub(r"[\x00-\x1f\x7f\\]+", " ", name.encode("utf-8", "replace").decode()).strip()
    exact = parameter(NAME, quote(name, errors="replace")) if shown != name else ""
    return (parameter("CN", shown) if shown else "") + exact, url


def _attendee(attendee: Attendee, wants_response: bool) -> str:
    name, url = _person(attendee.address, attendee.name)
    response = ResponseType(attendee.response)
    # iCalendar has no status for the organizer, who attends in any case.
    fallback = "ACCEPTED" if response == ResponseType.Organizer else "NEEDS-ACTION"
    partstat = _STATED.get(response, fallback)
    answer = f";PARTSTAT={partstat};RSVP={'TRUE' if wants_response else 'FALSE'}"
    # So that reading the file gives the same response again.
    if response not in _STATED:
        answer += parameter(RESPONSE, response.name)
    if attendee.responded is not None:
        answer += parameter(RESPONDED, iso_seconds(attendee.responded))
    return f"ATTENDEE{name}{_ROLES[attendee.type]}{answer}:{url}"


def _parts(rule: Rule, event: EventFields) -> dict[str, list[Any]]:
    parts = parts_of(rule)
    if rule.until is None or "COUNT" in parts:
        return parts
    if event.is_all_day:
        return parts | {"UNTIL": [f"{rule.until:%Y%m%d}".zfill(8)]}
    # The RFC wants UTC here where the start has a zone. At the time of the start, the last day still counts.
    clock = on_the_wall(event.start, event.start_zone).time().replace(microsecond=0)
    return parts | {"UNTIL": [_utc(at(rule.until, clock, event.start_zone))]}


def load() -> None:
    """Import what zones other than UTC need, which takes 100 ms; the first one would do it otherwise."""
    import icalendar  # noqa: F401


@lru_cache(maxsize=256)
def _timezone(zone_name: str, first: int, last: int) -> bytes:
    # Kept as bytes, since the zone's history takes ten milliseconds to search.
    from icalendar import Timezone

    definition = Timezone.from_tzinfo(zone(zone_name), tzid_of(zone_name), date(first, 1, 1), date(last, 1, 1))
    written: bytes = definition.to_ical()
    return written.rstrip(b"\r\n")
