"""The properties by which events and contacts can be filtered and ordered, named as in the connector and its backend.

The backend's names are those of Outlook REST and Graph. ChangeKey, WebLink, HasAttachments and ParentFolderId are not
among them, since they are computed, or equal for all items of a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints

from outlook_emulator.enums import AttendeeType, EventType, Importance, Recurrence, ResponseType, ShowAs
from outlook_emulator.odata import Collection, Kind, Member, Vocabulary
from outlook_emulator.store import records

_PLACES = ("home", "business", "other")


def _vocabulary(kind: str, members: Mapping[str, Member | Collection]) -> Vocabulary:
    # Published clients write the names of connector and back end in either case.
    return Vocabulary(kind, {name.lower(): member for name, member in members.items()})


def _texts(field: str) -> Collection:
    return Collection(field, {"": Member("value")})


def _instants(**fields: str) -> dict[str, Member]:
    # A keyword cannot hold the slash of `Start/DateTime`.
    return {name.replace("_", "/"): Member(field, Kind.INSTANT) for name, field in fields.items()}


_TIMES = _instants(
    DateTimeCreated="created",
    CreatedDateTime="created",
    DateTimeLastModified="modified",
    LastModifiedDateTime="modified",
)
_ADDRESS = {"address": Member("value"), "name": Member("name")}

_EVENT_PROPERTIES: dict[str, Member | Collection] = {
    "Id": Member("id", Kind.ID),
    "SeriesMasterId": Member("master_id", Kind.ID),
    "ICalUId": Member("uid"),
    **_TIMES,
    **_instants(
        Start="start_at",
        Start_DateTime="start_at",
        End="end_at",
        End_DateTime="end_at",
        OriginalStart="original_start",
        RecurrenceEnd="recurrence_end",
        ResponseTime="responded",
        ResponseStatus_Time="responded",
    ),
    **dict.fromkeys(("TimeZone", "StartTimeZone", "Start/TimeZone"), Member("start_zone")),
    **dict.fromkeys(("EndTimeZone", "End/TimeZone"), Member("end_zone")),
    "Subject": Member("subject"),
    **dict.fromkeys(("Body", "Body/Content"), Member("body")),
    "BodyPreview": Member("preview"),
    **dict.fromkeys(("Location", "Location/DisplayName"), Member("location")),
    **dict.fromkeys(("Organizer", "Organizer/EmailAddress/Address"), Member("organizer")),
    "Organizer/EmailAddress/Name": Member("organizer_name"),
    "RequiredAttendees": Member("required"),
    "OptionalAttendees": Member("optional"),
    "ResourceAttendees": Member("resources"),
    "IsHtml": Member("shown_as_html", Kind.FLAG),
    "IsAllDay": Member("is_all_day", Kind.FLAG),
    "IsCancelled": Member("is_cancelled", Kind.FLAG),
    "IsOrganizer": Member("is_organizer", Kind.FLAG),
    "ResponseRequested": Member("response_requested", Kind.FLAG),
    **dict.fromkeys(("Reminder", "ReminderMinutesBeforeStart"), Member("reminder", Kind.NUMBER)),
    "NumberOfOccurrences": Member("occurrences", Kind.NUMBER),
    "ShowAs": Member("show_as", Kind.NUMBER, ShowAs),
    "Importance": Member("importance", Kind.NUMBER, Importance),
    "Recurrence": Member("recurrence", Kind.NUMBER, Recurrence),
    "Type": Member("type", Kind.NUMBER, EventType),
    **dict.fromkeys(("ResponseType", "ResponseStatus/Response"), Member("response", Kind.NUMBER, ResponseType)),
    "Categories": _texts("categories"),
    "Attendees": Collection(
        "attendees",
        {
            **{f"emailaddress/{name}": member for name, member in _ADDRESS.items()},
            "type": Member("type", Kind.NUMBER, AttendeeType),
            "status/response": Member("response", Kind.NUMBER, ResponseType),
        },
    ),
}
_HIDDEN_COLUMNS = ("external_id", "place", "rule", "excluded", "added")
"""Columns of events that no property shows."""


def _event_texts() -> dict[str, Member]:
    """The text columns of events that have no property above: `OnlineMeetingUrl` would be online_meeting_url."""
    named = {property.field for property in _EVENT_PROPERTIES.values()}
    texts = (field for field, hint in get_type_hints(records.Event).items() if hint in (str, str | None))
    return {field.replace("_", ""): Member(field) for field in texts if field not in (*named, *_HIDDEN_COLUMNS)}


EVENTS = _vocabulary("event", _event_texts() | _EVENT_PROPERTIES)
"""The properties of events, by the flat names of the later versions and the nested ones of the first."""

_LISTS = ("im_addresses", "home_phones", "business_phones", "categories")
_NO_TEXTS = ("id", "mailbox_id", "folder_id", "birthday", "email_addresses", *_LISTS, "created", "modified", "version")


def _contact_texts() -> dict[str, Member]:
    """The plain texts of contacts: `HomeAddress/City` is home_city, `JobTitle` is job_title."""
    members = {}
    for field in records.Contact._fields:
        place, _, part = field.partition("_")
        nested = place in _PLACES and f"other_{part}" in records.Contact._fields
        if field not in _NO_TEXTS:
            members[(f"{place}address/{part}" if nested else field).replace("_", "")] = Member(field)
    return members


CONTACTS = _vocabulary(
    "contact",
    {
        **_contact_texts(),
        "MobilePhone": Member("mobile_phone1"),
        "Id": Member("id", Kind.ID),
        "Birthday": Member("birthday", Kind.INSTANT),
        **_TIMES,
        "EmailAddresses": Collection("email_addresses", _ADDRESS),
        **{field.replace("_", ""): _texts(field) for field in _LISTS},
    },
)
"""The properties of contacts, by the members of responses and Graph's names for the same."""
