"""Converts the mails and events of triggers to response bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from outlook_emulator.enums import ActionType
from outlook_emulator.mailbox.mail.reading import MessageView
from outlook_emulator.mailbox.triggers.event_triggers import Changed
from outlook_emulator.store.records import Event
from outlook_emulator.wire import calendar as shapes
from outlook_emulator.wire.calendar_convert import backend, numbers, numbers_list
from outlook_emulator.wire.mail import ClientReceiveMessage, TriggerBatchResponse
from outlook_emulator.wire.mail_convert import received


def mails(message_views: Sequence[MessageView]) -> TriggerBatchResponse[ClientReceiveMessage]:
    """Mails for which a trigger fires; their importance is a number in every version (recorded)."""
    return {"value": [received(view) for view in message_views]}


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
    return {**marks, **numbers(change.event)}
