"""Converts request bodies to changes of an event, and events to response bodies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, cast

import orjson

from outlook_emulator import enums
from outlook_emulator.clock import iso_short, iso_ticks
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.ids import event_change_key
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.calendar.event_input import read_day
from outlook_emulator.mailbox.calendar.event_rows import attendees_of, rule_of
from outlook_emulator.mailbox.calendar.occurrences import master_wire_id, wire_id
from outlook_emulator.mailbox.calendar.responses import Reply
from outlook_emulator.mailbox.event import Attendee, EventChanges, Rule
from outlook_emulator.mailbox.item_folders import Listed
from outlook_emulator.mailbox.message import Address
from outlook_emulator.mailbox.stored_body import shown_body
from outlook_emulator.store.records import Event
from outlook_emulator.timezones import canonical
from outlook_emulator.wire import calendar as shapes
from outlook_emulator.wire.base import members_of, snake_case
from outlook_emulator.wire.metadata import EntityListResponse, Table, TableMetadata
from outlook_emulator.wire.metadata_convert import listed, table_metadata
from outlook_emulator.wire.table_titles import EVENT

_LINE_ENDS = re.compile(r"[\r\n]+")
# How .NET writes a time that was never set (recorded from the Office 365 twin).
_NEVER = "0001-01-01T00:00:00+00:00"
_NO_DATE = "0001-01-01"
_NAMES = {
    kind: {int(member): name for name, member in kind.__members__.items()}
    for kind in (
        *(enums.ShowAs, enums.Recurrence, enums.ResponseType, enums.Importance, enums.EventType, enums.AttendeeType),
        *(enums.PatternType, enums.DayOfWeek, enums.WeekIndex),
    )
}
_ADDRESS = ("Street", "City", "State", "CountryOrRegion", "PostalCode")
_COORDINATES = ("Altitude", "Latitude", "Longitude", "Accuracy", "AltitudeAccuracy")


def from_client(shape: shapes.CalendarEventClient) -> EventChanges:
    """The changes in a second-version body, whose text is plain unless it says otherwise."""
    changes = _from_flat(shape)
    changes["blank_is_text"] = True
    # A change with neither leaves the format as it is.
    if "Body" in shape or "IsHtml" in shape:
        changes["is_html"] = shape.get("IsHtml", False)
    return changes


def from_html_client(shape: shapes.CalendarEventHtmlClient) -> EventChanges:
    """The changes in a third-version body, whose text is HTML."""
    changes = _from_flat(shape)
    if "Body" in shape:
        changes["is_html"] = True
    return changes


def from_backend(shape: shapes.CalendarEventBackend) -> EventChanges:
    """The changes in a first-version body; read-only members are ignored."""
    members = cast(dict[str, Any], shape)
    changes = _changes(members, _NESTED_CONVERTERS)
    changes["blank_is_text"] = True
    if members.get("StartTimeZone"):
        changes["time_zone"] = canonical(members["StartTimeZone"], "start_time_zone")
    if "Body" in members:
        changes["body"] = members["Body"].get("Content", "")
        changes["is_html"] = members["Body"].get("ContentType", "HTML") == "HTML"
    if "Location" in members:
        location = members["Location"]
        changes["location"] = location.get("DisplayName", "")
        changes["place"] = {key: location[key] for key in ("Address", "Coordinates") if location.get(key)} or None
    if "Recurrence" in members:
        # The member has the name of a field that only flat bodies set, but describes a whole rule.
        changes.pop("recurrence")
        changes["rule"] = _rule(members["Recurrence"])
    return changes


def reply(shape: shapes.ResponseToEventInvite) -> Reply:
    """The comment of a response, and whether to mail the organizer, which is the default."""
    return Reply(shape.get("Comment", ""), shape.get("SendResponse", True))


def calendars(calendars: Sequence[Listed]) -> EntityListResponse[Table]:
    """A list of calendars, each named by its id and with its owner; key order as recorded."""
    return listed(
        [
            {
                "Name": calendar.id,
                "DisplayName": calendar.name,
                "DynamicProperties": {"Owner": {"Name": calendar.owner_name, "Address": calendar.owner_address}},
                "items": [],
            }
            for calendar in calendars
        ]
    )


def calendar_metadata(calendar: Listed) -> TableMetadata:
    """The metadata of a calendar's events for low-code clients; the required members are recorded."""
    return table_metadata(calendar.id, calendar.name, shapes.CalendarEventBackend, EVENT, ("Subject", "Start"))


def backend(event: Event) -> shapes.CalendarEventBackend:
    """An event in the first version's shape; key order as recorded."""
    return {
        "Id": wire_id(event),
        "Attendees": [_attendee_shape(attendee) for attendee in attendees_of(event)],
        "Body": {"ContentType": "HTML" if event.shown_as_html else "Text", "Content": shown_body(event)},
        "BodyPreview": event.preview,
        "Categories": orjson.loads(event.categories),
        "ChangeKey": event_change_key(event.mailbox_id, event.id, event.version),
        "DateTimeCreated": iso_short(event.created),
        "DateTimeLastModified": iso_short(event.modified),
        # Without the seven digits that later versions have (recorded from the Office 365 twin).
        "End": iso_short(event.end_at),
        "EndTimeZone": event.end_zone,
        # The emulator keeps no attachments of events.
        "HasAttachments": False,
        "ICalUId": event.uid,
        "Importance": _NAMES[enums.Importance][event.importance],
        "IsAllDay": bool(event.is_all_day),
        "IsCancelled": bool(event.is_cancelled),
        "IsOrganizer": bool(event.is_organizer),
        "Location": _location(event),
        "Organizer": {"EmailAddress": {"Name": event.organizer_name, "Address": event.organizer}},
        "Recurrence": _recurrence(event),
        "Reminder": event.reminder or 0,
        "ResponseRequested": bool(event.response_requested),
        "ResponseStatus": {
            "Response": _NAMES[enums.ResponseType][event.response],
            "Time": _answered(event.responded),
        },
        "SeriesMasterId": master_wire_id(event),
        "ShowAs": _NAMES[enums.ShowAs][event.show_as],
        "Start": iso_short(event.start_at),
        "StartTimeZone": event.start_zone,
        "Subject": event.subject,
        "Type": _NAMES[enums.EventType][event.type],
        "WebLink": _web_link(event),
        "Reason": None,
    }


def backend_page(events: Sequence[Event]) -> EntityListResponse[shapes.CalendarEventBackend]:
    return listed([backend(event) for event in events])


def in_words(event: Event) -> shapes.CalendarEventClientReceiveStringEnums:
    """A flat event, enumerations as text."""
    return cast(shapes.CalendarEventClientReceiveStringEnums, _flat(event, _words))


def words_page(events: Sequence[Event]) -> EntityListResponse[shapes.CalendarEventClientReceiveStringEnums]:
    return listed([in_words(event) for event in events])


def numbers_list(events: Sequence[Event]) -> shapes.CalendarEventListClientReceive:
    """Flat events with their enumerations as numbers, in an envelope without links (recorded)."""
    return cast(shapes.CalendarEventListClientReceive, {"value": [numbers(event) for event in events]})


def numbers(event: Event) -> dict[str, Any]:
    """A flat event with its enumerations as numbers."""
    return _flat(event, _numbers)


def view(events: Sequence[Event]) -> EntityListResponse[shapes.CalendarEventClientReceiveStringEnums]:
    """A calendar view, the only flat response with UID and link (recorded)."""
    return listed([_viewed(event) for event in events])


def first_view(
    events: Sequence[Event],
) -> shapes.PaginatedListResponse[shapes.CalendarEventClientReceiveStringEnums]:
    """The first version's calendar view, which has its own envelope (recorded)."""
    shown: Any = {"Values": [_viewed(event) for event in events], "NextLink": None}
    return cast(shapes.PaginatedListResponse[shapes.CalendarEventClientReceiveStringEnums], shown)


def _viewed(event: Event) -> Any:
    return in_words(event) | {"ICalUId": event.uid, "WebLink": _web_link(event)}


def _words(event: Event) -> tuple[Any, ...]:
    return (
        _NAMES[enums.ShowAs][event.show_as],
        _NAMES[enums.Recurrence][event.recurrence],
        _NAMES[enums.ResponseType][event.response],
        _NAMES[enums.Importance][event.importance],
    )


def _numbers(event: Event) -> tuple[Any, ...]:
    return event.show_as, event.recurrence, event.response, event.importance


def _flat(event: Event, spelled: Any) -> dict[str, Any]:
    """The members of a flat event; key order as recorded."""
    show_as, recurrence, response, importance = spelled(event)
    return {
        "Subject": event.subject,
        "Start": iso_ticks(event.start_at),
        "End": iso_ticks(event.end_at),
        "ShowAs": show_as,
        "Recurrence": recurrence,
        "ResponseType": response,
        "ResponseTime": _answered(event.responded),
        "ICalUId": None,
        "Importance": importance,
        "Id": wire_id(event),
        "DateTimeCreated": iso_short(event.created),
        "DateTimeLastModified": iso_short(event.modified),
        "Organizer": event.organizer,
        "TimeZone": event.start_zone,
        "SeriesMasterId": master_wire_id(event),
        "Categories": orjson.loads(event.categories),
        "WebLink": None,
        "RequiredAttendees": event.required,
        "OptionalAttendees": event.optional,
        "ResourceAttendees": event.resources,
        "Body": shown_body(event),
        "IsHtml": bool(event.shown_as_html),
        "Location": event.location,
        "IsAllDay": bool(event.is_all_day),
        "RecurrenceEnd": None if event.recurrence_end is None else iso_ticks(event.recurrence_end),
        "NumberOfOccurrences": event.occurrences,
        "Reminder": event.reminder or 0,
        "ResponseRequested": bool(event.response_requested),
    }


def _changes(members: dict[str, Any], converters: Mapping[str, Callable[[Any], Any]]) -> EventChanges:
    """The members that set a field of an event, under its name; those without a converter are taken as they are."""
    fields = {field: value for member, value in members.items() if (field := _field(member)) in _FIELDS}
    converted = {name: converters[name](value) for name, value in fields.items() if name in converters}
    return cast(EventChanges, fields | converted)


def _from_flat(shape: shapes.CalendarEventClient | shapes.CalendarEventHtmlClient) -> EventChanges:
    return _changes(cast(dict[str, Any], shape), _FLAT_CONVERTERS)


def _one_line(text: str) -> str:
    # As for mails: public workflows send subjects that end in a line feed.
    return _LINE_ENDS.sub(" ", text.rstrip("\r\n"))


def _resources(text: str) -> tuple[Address, ...]:
    return tuple(_resource(part) for part in text.split(";") if part.strip())


def _resource(text: str) -> Address:
    # The connector declares names here, so a room may lack an address.
    return addresses.parse(text)[0] if "@" in text else Address(text.strip(), text.strip())


def _attendees(members: list[dict[str, Any]]) -> tuple[Attendee, ...]:
    return tuple(_attendee(shape, index) for index, shape in enumerate(members))


def _attendee(shape: dict[str, Any], index: int) -> Attendee:
    person = shape.get("EmailAddress", {})
    kind = enums.AttendeeType[shape.get("Type", "Required")]
    address = person.get("Address", "")
    if kind == enums.AttendeeType.Resource and "@" not in address and (address or person.get("Name")):
        name = address or person["Name"]
        return Attendee(name, person.get("Name", name), kind)
    parsed = addresses.parse(address)
    if len(parsed) != 1:
        raise InvalidRequest(f"The property 'Attendees[{index}].EmailAddress.Address' must be one mail address.")
    # Responses show the address where there is no name, and clients send whole events back.
    name = person.get("Name", "")
    return Attendee(parsed[0].address, "" if name == parsed[0].address else name, kind)


_FIELDS = EventChanges.__annotations__.keys()
# Cached: a regular expression for each member would double the cost of a request.
_field = cache(snake_case)
FLAT_MEMBERS = frozenset(_field(member) for member in members_of(shapes.CalendarEventClient)) & _FIELDS
"""The fields of an event that a flat body may set."""
BACKEND_MEMBERS = (frozenset(_field(member) for member in members_of(shapes.CalendarEventBackend)) & _FIELDS) - {
    "recurrence"
} | {"rule", "place", "is_html", "time_zone"}
"""The fields of an event that a body of the first version may set."""
_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "subject": _one_line,
    "importance": enums.Importance.__getitem__,
    "show_as": enums.ShowAs.__getitem__,
}
_FLAT_CONVERTERS = _CONVERTERS | {
    "required_attendees": addresses.parse,
    "optional_attendees": addresses.parse,
    "resource_attendees": _resources,
    "recurrence": lambda name: int(enums.Recurrence[name]),
}
_NESTED_CONVERTERS = _CONVERTERS | {"categories": tuple, "attendees": _attendees}


def _attendee_shape(attendee: Attendee) -> shapes.Attendee:
    return {
        "Status": {"Response": _NAMES[enums.ResponseType][attendee.response], "Time": _answered(attendee.responded)},
        "Type": _NAMES[enums.AttendeeType][attendee.type],
        "EmailAddress": {"Name": attendee.name or attendee.address, "Address": attendee.address},
    }


def _rule(shape: dict[str, Any] | None) -> Rule | None:
    """A first-version recurrence as a rule, None to end a series; the type of its range selects end or count."""
    if shape is None:
        return None
    pattern, span = shape.get("Pattern", {}), shape.get("Range", {})
    if "Type" not in pattern:
        raise InvalidRequest("The property 'Recurrence.Pattern.Type' is required.")
    until, count = _end(span)
    return Rule(
        enums.PatternType[pattern["Type"]],
        # Replaced later: a series begins with its event, whatever the range says.
        date.min,
        interval=pattern.get("Interval", 1),
        month=pattern.get("Month", 0),
        day_of_month=pattern.get("DayOfMonth", 0),
        days_of_week=tuple(int(enums.DayOfWeek[day]) for day in pattern.get("DaysOfWeek", ())),
        first_day_of_week=enums.DayOfWeek[pattern.get("FirstDayOfWeek", "Sunday")],
        index=enums.WeekIndex[pattern.get("Index", "First")],
        until=until,
        count=count,
    )


def _end(span: dict[str, Any]) -> tuple[date | None, int | None]:
    end = span.get("EndDate", "")
    until = read_day(end, "end_date") if end and not end.startswith(_NO_DATE) else None
    count = span.get("NumberOfOccurrences") or None
    kind = span.get("Type")
    if kind is None:
        if until and count:
            raise InvalidRequest("'Recurrence.Range' must not have both 'EndDate' and 'NumberOfOccurrences'.")
        return until, count
    if kind == "EndDate" and until is None:
        raise InvalidRequest("The property 'Recurrence.Range.EndDate' is required.")
    if kind == "Numbered" and count is None:
        raise InvalidRequest("The property 'Recurrence.Range.NumberOfOccurrences' must be at least 1.")
    return until if kind == "EndDate" else None, count if kind == "Numbered" else None


def _recurrence(event: Event) -> shapes.PatternedRecurrence | None:
    rule = rule_of(event)
    if rule is None:
        return None
    # Without an end the date is in the year 1 and the number 0 (recorded from the Office 365 twin).
    kind = "Numbered" if rule.count else "EndDate" if rule.until else "NoEnd"
    return {
        "Range": {
            "StartDate": rule.start.isoformat(),
            "EndDate": rule.until.isoformat() if rule.until and kind == "EndDate" else _NO_DATE,
            "Type": kind,
            "NumberOfOccurrences": rule.count or 0,
        },
        "Pattern": {
            "Type": _NAMES[enums.PatternType][rule.pattern],
            "Interval": rule.interval,
            "Month": rule.month,
            "DayOfMonth": rule.day_of_month,
            "DaysOfWeek": [_NAMES[enums.DayOfWeek][day] for day in rule.days_of_week],
            "FirstDayOfWeek": _NAMES[enums.DayOfWeek][rule.first_day_of_week],
            "Index": _NAMES[enums.WeekIndex][rule.index],
        },
    }


def _location(event: Event) -> shapes.Location:
    place: dict[str, Any] = {} if event.place is None else orjson.loads(event.place)
    address, coordinates = place.get("Address", {}), place.get("Coordinates", {})
    # Both objects are there even if all of their members are null (recorded from the Office 365 twin).
    shown: Any = {
        "DisplayName": event.location,
        "Address": {name: address.get(name) for name in _ADDRESS},
        "Coordinates": {name: coordinates.get(name) for name in _COORDINATES},
    }
    return cast(shapes.Location, shown)


def _answered(when: int | None) -> str:
    return _NEVER if when is None else iso_short(when)


def _web_link(event: Event) -> str:
    from urllib.parse import quote

    return f"https://outlook.live.com/owa/?itemid={quote(wire_id(event), safe='')}&exvsurl=1&path=/calendar/item"
