"""One event of a mailbox: its attendees and answers, and what the connector says about it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from outlook_emulator.enums import AttendeeType, EventType, Importance, ResponseType, ShowAs
from outlook_emulator.errors import InvalidField
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox.calendar import event_store, events, occurrences
from outlook_emulator.mailbox.calendar.event_rows import attendees_of, local, rule_of
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.server.web import calendar_layout as layout
from outlook_emulator.server.web.download import download
from outlook_emulator.server.web.page import Page, PageRequest, path_part
from outlook_emulator.server.web.rule_text import rule_text
from outlook_emulator.server.web.zones import zones_with
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event, ItemFolder
from outlook_emulator.timezones import canonical, iana

CALENDAR = "/s/{sandbox}/m/{connection}/calendar"
EVENT = "/s/{sandbox}/m/{connection}/event/{event:path}"
FILE = "/s/{sandbox}/m/{connection}/event.ics/{event:path}"
_RESPONSES = {"accept": "Accept", "tentative": "Tentatively Accept", "decline": "Decline"}


async def load_event(request: PageRequest) -> dict[str, Any]:
    event, calendar = _event(request)
    zone = _zone_of(request, event)
    rule = rule_of(event)
    return {
        "item": layout.item_of(event, zone),
        "event": event,
        "zone": zone,
        "zones": zones_with(zone),
        "calendar": calendar,
        "calendar_url": request.url(
            CALENDAR,
            view="week",
            date=layout.item_of(event, zone).first,
            zone=zone,
            calendar="" if calendar.is_default else calendar.name,
        ),
        "file_url": request.url(FILE),
        "type": EventType(event.type).name,
        "rule": rule_text(rule) if rule else "",
        "changed": _changed(request, event, zone),
        "series_url": request.url(EVENT, event=master, zone=zone)
        if (master := occurrences.master_wire_id(event))
        else "",
        "original": event.original_start if event.type == EventType.Exception else None,
        "response": ResponseType(event.response).name,
        "show_as": ShowAs(event.show_as).name,
        "importance": Importance(event.importance).name,
        "attendees": [
            {
                "name": person.name,
                "address": person.address,
                "type": AttendeeType(person.type).name,
                "response": ResponseType(person.response).name,
                "responded": person.responded,
            }
            for person in attendees_of(event)
        ],
        "text": plain_text(event.body) if event.is_html else event.body,
        "can_respond": not event.is_organizer and not event.is_cancelled,
        "answers": await _answers(request, event, calendar),
    }


def _event(request: PageRequest) -> tuple[Event, ItemFolder]:
    mailbox = request.mailbox
    event = events.by_id(mailbox, request.path["event"])
    calendars = CALENDARS.all(mailbox.db, mailbox.owner.id)
    return event, next(folder for folder in calendars if folder.id == event.calendar_id)


def _zone_of(request: PageRequest, event: Event) -> str:
    """The zone of the URL, or that of the event."""
    zone = iana(canonical(request.query.get("zone") or event.start_zone, "zone"))
    return "UTC" if zone == "Etc/UTC" else zone


def _changed(request: PageRequest, event: Event, zone: str) -> list[dict[str, Any]]:
    """The changed and the cancelled occurrences of a series, by their original start."""
    if event.rule is None:
        return []
    exceptions = event_store.exceptions(request.mailbox, event)
    stored = {exception.original_start: exception for exception in exceptions}
    starts = sorted({*orjson.loads(event.excluded), *(start for start in stored if start is not None)})
    return [
        {"start": start, "item": layout.item_of(stored[start], zone) if start in stored else None} for start in starts
    ]


async def _answers(request: PageRequest, event: Event, calendar: ItemFolder) -> list[dict[str, Any]]:
    """What the connector answers about an event in each generation of its operations."""
    mailbox, id = request.mailbox, occurrences.wire_id(event)
    table = mailbox.id_of(IdKind.CALENDAR, calendar.id)
    item, table_path = path_part(id), f"tables/{path_part(table)}/items"
    literal = id.replace("'", "''")
    query: dict[str, Any] = {"$filter": f"Id eq '{literal}'"}
    third, path = "V3CalendarGetItems", f"/datasets/calendars/v3/{table_path}"
    if event.master_id is not None:
        # Lists hold a series once; only views hold its occurrences.
        third, path = "GetEventsCalendarViewV2", "/datasets/calendars/v2/tables/items/calendarview"
        query |= {
            "calendarId": table,
            "startDateTimeOffset": _iso(event.start_at),
            "endDateTimeOffset": _iso(event.end_at + 1_000_000),
        }
    asked: list[tuple[str, str, str, dict[str, Any]]] = [
        ("V1", "CalendarGetItem", f"/datasets/calendars/{table_path}/{item}", {}),
        ("V2", "V2CalendarGetItem", f"/datasets/calendars/v2/{table_path}/{item}", {}),
        ("V3", third, path, query),
    ]
    answers = []
    for version, operation, path, values in asked:
        answer = await request.connector("GET", request.path["connection"], path, query=values)
        answers.append(
            {
                "version": version,
                "operation": operation,
                "status": answer.status,
                "json": answer.json,
                "curl": answer.curl(request.server_url),
            }
        )
    return answers


def _iso(instant: int) -> str:
    return local(instant, "UTC").isoformat() + "Z"


async def respond(request: PageRequest) -> str | None:
    form = request.form
    event, _ = _event(request)
    answer = _RESPONSES.get(form.text("response"))
    if answer is None:
        raise InvalidField("response", "must be accept, tentative or decline.")
    path = f"/codeless/api/v2.0/me/events/{quote(occurrences.wire_id(event), safe='')}/{quote(answer, safe='')}"
    body = {"Comment": form.text("comment"), "SendResponse": form.has("send")}
    await request.submit("POST", path, body)
    return _after(request, event)


def _after(request: PageRequest, event: Event) -> str | None:
    """Where to go after a change: to the event, which may have a new id, or to its calendar if it is gone."""
    mailbox = request.mailbox
    if event.master_id is not None:
        return None
    copies = calendar_store.events_by_uid(mailbox.db, mailbox.owner.id, event.uid)
    if not copies:
        return _calendar_of(request, event)
    return request.url(EVENT, event=occurrences.wire_id(copies[0]), zone=request.query.get("zone"))


async def delete_event(request: PageRequest) -> str:
    event, calendar = _event(request)
    table = request.mailbox.id_of(IdKind.CALENDAR, calendar.id)
    id = occurrences.wire_id(event)
    await request.submit("DELETE", f"/datasets/calendars/tables/{path_part(table)}/items/{path_part(id)}")
    return _calendar_of(request, event)


def _calendar_of(request: PageRequest, event: Event) -> str:
    zone = _zone_of(request, event)
    return request.url(CALENDAR, view="week", date=layout.item_of(event, zone).first, zone=zone)


async def export_file(request: PageRequest) -> Response:
    from outlook_emulator.mailbox.formats import ics

    event, _ = _event(request)
    content = ics.compose([events.export_event(request.mailbox, event)], now=request.mailbox.now)
    return download(f"{event.subject or 'event'}.ics", content, "text/calendar")


PAGES = (
    Page(path=FILE, load=export_file),
    Page(
        path=EVENT,
        title="Event",
        template="event.html",
        section="Calendar",
        load=load_event,
        actions={"respond": respond, "delete": delete_event},
    ),
)
