"""What events look like: the first version nests as the mail service does, later ones are flat.

Flat events are read with their enumerations as numbers or as text, depending on the operation; they are written as
text.
"""

from typing import Annotated, Generic, Required, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.timezones import ZONE_NAMES
from outlook_emulator.wire.base import (
    DateTime,
    Double,
    Email,
    Emails,
    EventTime,
    Html,
    ImportanceName,
    ImportanceNumber,
    Int32,
    Schema,
    Size,
    Time,
    Uri,
)
from outlook_emulator.wire.contacts import EmailAddress, PhysicalAddress
from outlook_emulator.wire.metadata import EntityQuery, Page

T = TypeVar("T")

FilledCalendarId = Annotated[str, Schema(values_from="CalendarGetTables", shortest=1)]
Days = Annotated[int, Schema(format="int32", least=0, most=1825)]
ShowAsName = Annotated[str, Schema(names=enums.ShowAs)]
ShowAsNumber = Annotated[int, Schema(format="int32", numbers=enums.ShowAs)]
RecurrenceName = Annotated[str, Schema(names=enums.Recurrence)]
RecurrenceNumber = Annotated[int, Schema(format="int32", numbers=enums.Recurrence)]
ResponseTypeName = Annotated[str, Schema(names=enums.ResponseType)]
ResponseTypeNumber = Annotated[int, Schema(format="int32", numbers=enums.ResponseType)]
DayName = Annotated[str, Schema(names=enums.DayOfWeek)]
ZoneName = Annotated[str, Schema(choices=ZONE_NAMES)]
AnyZone = Annotated[str, Schema(grammar="time-zone")]
# Not declared as addresses, since a room may have a name alone.
Names = Annotated[str, Schema(separator=";")]


class Recipient(TypedDict):
    """Someone with a mail address."""

    EmailAddress: EmailAddress


class ItemBody(TypedDict):
    """A text and whether it is HTML."""

    ContentType: Annotated[str, Schema(names=enums.BodyContentType)]
    Content: str


class ResponseStatus(TypedDict):
    """What someone answered to an invitation, and when; the year 1 stands for never."""

    Response: ResponseTypeName
    Time: DateTime


class Attendee(TypedDict):
    """Someone invited to an event."""

    Status: ResponseStatus
    Type: Annotated[str, Schema(names=enums.AttendeeType)]
    EmailAddress: EmailAddress


class GeoCoordinates(TypedDict):
    """A point on the globe; unknown parts are null."""

    Altitude: Double | None
    Latitude: Double | None
    Longitude: Double | None
    Accuracy: Double | None
    AltitudeAccuracy: Double | None


class Location(TypedDict):
    """Where an event takes place."""

    DisplayName: str
    Address: PhysicalAddress
    Coordinates: GeoCoordinates


class RecurrencePattern(TypedDict):
    """How an event repeats."""

    Type: Annotated[str, Schema(names=enums.PatternType)]
    Interval: Int32
    Month: Int32
    DayOfMonth: Int32
    DaysOfWeek: list[DayName]
    FirstDayOfWeek: DayName
    Index: Annotated[str, Schema(names=enums.WeekIndex)]


class RecurrenceRange(TypedDict):
    """How long an event repeats; recordings hold plain dates here, against the declared format."""

    Type: Annotated[str, Schema(names=enums.RangeType)]
    StartDate: Annotated[str, Schema(format="date-time", grammar="iso-8601")]
    EndDate: Annotated[str, Schema(format="date-time", grammar="iso-8601")]
    NumberOfOccurrences: Int32


class PatternedRecurrence(TypedDict):
    """How and how long an event repeats."""

    Range: RecurrenceRange
    Pattern: RecurrencePattern


class CalendarEventBackend(TypedDict):
    """An event of the first version, both as it is read and as it is written."""

    Id: str
    Attendees: list[Attendee]
    Body: ItemBody
    BodyPreview: str
    Categories: list[str]
    ChangeKey: str
    DateTimeCreated: DateTime
    DateTimeLastModified: DateTime
    End: Required[EventTime]
    EndTimeZone: AnyZone
    HasAttachments: bool
    ICalUId: str | None
    Importance: ImportanceName
    IsAllDay: bool
    IsCancelled: bool
    IsOrganizer: bool
    Location: Location
    Organizer: Recipient
    # Null for a single event; a series has its range before its pattern (recorded from the Office 365 twin).
    Recurrence: PatternedRecurrence | None
    Reminder: Size
    ResponseRequested: bool
    ResponseStatus: ResponseStatus
    SeriesMasterId: str | None
    ShowAs: ShowAsName
    Start: Required[EventTime]
    StartTimeZone: AnyZone
    Subject: Required[str]
    Type: Annotated[str, Schema(names=enums.EventType)]
    WebLink: Uri | None
    # Null in every recording.
    Reason: str | None


class CalendarEventList(TypedDict):
    """Events of the first version that a trigger fires for."""

    value: list[CalendarEventBackend]


class _Span(TypedDict):
    Subject: str
    Start: DateTime
    End: DateTime


class _Numbers(TypedDict):
    ShowAs: ShowAsNumber
    Recurrence: RecurrenceNumber
    ResponseType: ResponseTypeNumber
    ResponseTime: DateTime
    # Null wherever an event is read or listed; only calendar views fill it (recorded from the Office 365 twin).
    ICalUId: str | None
    Importance: ImportanceNumber


class _Texts(TypedDict):
    ShowAs: ShowAsName
    Recurrence: RecurrenceName
    ResponseType: ResponseTypeName
    ResponseTime: DateTime
    ICalUId: str | None
    Importance: ImportanceName


class _Details(TypedDict):
    Id: str
    DateTimeCreated: DateTime
    DateTimeLastModified: DateTime
    Organizer: Email
    TimeZone: str
    SeriesMasterId: str | None
    Categories: list[str]
    WebLink: Uri | None
    # Empty rather than null without attendees, unlike the address lists of mails (recorded from the Office 365 twin).
    RequiredAttendees: Emails
    OptionalAttendees: Emails
    ResourceAttendees: Names
    Body: str
    IsHtml: bool
    Location: str
    IsAllDay: bool
    RecurrenceEnd: DateTime | None
    NumberOfOccurrences: Int32 | None
    Reminder: Int32
    ResponseRequested: bool


class CalendarEventClientReceive(_Span, _Numbers, _Details):
    """A flat event, enumerations as numbers."""


class CalendarEventClientReceiveStringEnums(_Span, _Texts, _Details):
    """A flat event, enumerations as text."""


class _Change(TypedDict):
    ActionType: Annotated[str, Schema(names=enums.ActionType)]
    IsAdded: bool
    IsUpdated: bool


class CalendarEventClientWithActionType(_Change):
    """A flat event and what happened to it; of a deleted one there is little more than an id (recorded)."""

    Subject: str | None
    Start: DateTime
    End: DateTime
    ShowAs: ShowAsNumber
    Recurrence: RecurrenceNumber
    ResponseType: ResponseTypeNumber
    ResponseTime: DateTime | None
    ICalUId: str | None
    Importance: ImportanceNumber
    Id: str
    DateTimeCreated: DateTime | None
    DateTimeLastModified: DateTime | None
    Organizer: Email | None
    TimeZone: str | None
    SeriesMasterId: str | None
    Categories: list[str] | None
    WebLink: Uri | None
    RequiredAttendees: Emails
    OptionalAttendees: Emails
    ResourceAttendees: Names
    Body: str | None
    IsHtml: bool
    Location: str | None
    IsAllDay: bool | None
    RecurrenceEnd: DateTime | None
    NumberOfOccurrences: Int32 | None
    Reminder: Int32 | None
    ResponseRequested: bool | None


class CalendarEventListClientReceive(TypedDict):
    """Flat events, in a list or for which a trigger fires."""

    value: list[CalendarEventClientReceive]


class CalendarEventListWithActionType(TypedDict):
    """Changed events that a trigger fires for."""

    value: list[CalendarEventClientWithActionType]


class PaginatedListResponse(TypedDict, Generic[T]):
    """The first calendar view's envelope, the only one that says `Values`."""

    Values: list[T]


class _Invitation(TypedDict, total=False):
    # Categories are missing on purpose: the description declares none for flat bodies.
    Subject: Required[str]
    Start: Required[EventTime]
    End: Required[EventTime]
    TimeZone: ZoneName
    RequiredAttendees: Emails
    OptionalAttendees: Emails
    ResourceAttendees: Names
    Location: str
    Importance: ImportanceName
    IsAllDay: bool
    Recurrence: RecurrenceName
    RecurrenceEnd: EventTime
    NumberOfOccurrences: Int32
    Reminder: Size
    ShowAs: ShowAsName
    ResponseRequested: bool


class CalendarEventClient(_Invitation, total=False):
    """A flat event to write, its body as plain text unless it says otherwise."""

    Body: str
    IsHtml: bool


class CalendarEventHtmlClient(_Invitation, total=False):
    """A flat event to write, its body always HTML."""

    Body: Html


class ResponseToEventInvite(TypedDict, total=False):
    """The comment of a response to an invitation, and whether to send it to the organizer."""

    Comment: str
    SendResponse: Annotated[bool, Schema(default=True)]


class CalendarViewQuery:
    """A calendar and a span of time."""

    calendar_id: FilledCalendarId
    start_date_time_offset: Time
    end_date_time_offset: Time


class SearchedCalendarViewQuery(CalendarViewQuery, EntityQuery):
    """A calendar, a span of time, and what to look for in it."""

    search: str | None = None


class EventItemsQuery(Page):
    """A page of the events an item trigger fires for; designers never show its filter."""

    filter: Annotated[str | None, Schema(key="$filter", grammar="odata-filter", hidden=True)] = None


class UpcomingEventsQuery:
    """A calendar and how many minutes before an event to fire."""

    table: FilledCalendarId
    look_ahead_time_in_minutes: Annotated[int, Schema(format="int32", least=1, most=527_040)] = 15


class ChangedEventsQuery:
    """How many days ahead of and behind now an event counts."""

    incoming_days: Days = 300
    past_days: Days = 50
