"""Converts the mails and events of triggers to response bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, cast

from outlook_emulator.clock import moment
from outlook_emulator.enums import ActionType
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.mailbox.mail.reading import MessageView
from outlook_emulator.mailbox.triggers.event_triggers import Changed
from outlook_emulator.store.records import Event
from outlook_emulator.timezones import zone
from outlook_emulator.wire import calendar as shapes
from outlook_emulator.wire.calendar_convert import backend, numbers, numbers_list
from outlook_emulator.wire.mail import ClientReceiveMessage, TriggerBatchResponse
from outlook_emulator.wire.mail_convert import received


def mails(message_views: Sequence[MessageView]) -> TriggerBatchResponse[ClientReceiveMessage]:
    """Mails for which a trigger fires; their importance is a number in every version (recorded)."""
    return {"value": [received(view) for view in message_views]}


def without_attachments(batch: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mails of a batch that have attachments, without them; None if there are none.

    A trigger fires so before attachments are delivered (documentation of the sibling connector on dynamic delivery).
    """
    mails = [{**mail, "Attachments": []} for mail in batch["value"] if mail["Attachments"]]
    return {"value": mails} if mails else None


def backend_events(events: Sequence[Event]) -> shapes.CalendarEventList:
    """Events for which a first-version trigger fires."""
    return {"value": [backend(event) for event in events]}


def events(fired: Sequence[Event]) -> shapes.CalendarEventListClientReceive:
    """Events for which a second-version trigger fires, with enumerations as numbers (recorded)."""
    return numbers_list(fired)


def changed(changes: Sequence[Changed]) -> shapes.CalendarEventListWithActionType:
    """Changed events, each with the kind of its change."""
    return cast(shapes.CalendarEventListWithActionType, {"value": [_changed(change) for change in changes]})


def _changed(change: Changed) -> dict[str, object]:
    action = ActionType(change.action)
    marks = {"ActionType": action.name, "IsAdded": action.name == "added", "IsUpdated": action.name == "updated"}
    if action is ActionType.deleted:
        return {**marks, **_GONE, "Id": wire_id(change.event)}
    return {**marks, **numbers(change.event), **_of_series(change)}


def _of_series(change: Changed) -> dict[str, object]:
    """The members of an occurrence that come from its series.

    An added one was recorded from the Office 365 twin in 2019: its recurrence ends at midnight in the event's zone, and
    it has no time of modification. That an updated one is alike, but for that time, is inferred.
    """
    series = change.series
    if series is None:
        return {}
    end = None if series.recurrence_end is None else moment(series.recurrence_end).date()
    midnight = None if end is None else datetime.combine(end, time(), zone(series.start_zone))
    members: dict[str, object] = {
        "Recurrence": series.recurrence,
        "RecurrenceEnd": None if midnight is None else midnight.isoformat(),
        "NumberOfOccurrences": None,
    }
    return members | {"DateTimeLastModified": None} if change.action == ActionType.added else members


# Recorded from the Office 365 twin in 2019: of a deleted event only the id is known, and texts, numbers and booleans
# that cannot be null in the service have their defaults.
_GONE: dict[str, object] = {
    "Subject": None,
    "Start": "",
    "End": "",
    "ShowAs": 0,
    "Recurrence": 0,
    "ResponseType": 0,
    "ResponseTime": None,
    "ICalUId": None,
    "Importance": 0,
    "Id": None,
    "DateTimeCreated": None,
    "DateTimeLastModified": None,
    "Organizer": None,
    "TimeZone": None,
    "SeriesMasterId": None,
    "Categories": None,
    "WebLink": None,
    "RequiredAttendees": "",
    "OptionalAttendees": "",
    "ResourceAttendees": "",
    "Body": None,
    "IsHtml": False,
    "Location": None,
    "IsAllDay": None,
    "RecurrenceEnd": None,
    "NumberOfOccurrences": None,
    "Reminder": None,
    "ResponseRequested": None,
}
