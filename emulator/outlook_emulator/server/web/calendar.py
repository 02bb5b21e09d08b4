"""The calendar of a mailbox: month, week and agenda, one event, and iCalendar files."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from starlette.responses import Response

from outlook_emulator.enums import AttendeeType, EventType, Importance, Recurrence, ResponseType, ShowAs
from outlook_emulator.errors import InvalidField
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.calendar import event_store, events, occurrences
from outlook_emulator.mailbox.calendar.event_rows import attendees_of, instant, local, rule_of
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.web import calendar_layout as layout
from outlook_emulator.server.web.download import download
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.server.web.rule_text import rule_text
from outlook_emulator.slices import Sliced
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Event, ItemFolder
from outlook_emulator.timezones import WINDOWS_IDS, canonical, iana
from outlook_emulator.wire.mail import Binary

CALENDAR = "/s/{sandbox}/m/{connection}/calendar"
EVENT = "/s/{sandbox}/m/{connection}/event/{event:path}"
_VIEWS = ("month", "week", "agenda")
_AGENDA_DAYS = 30
_AGENDA_PAGE = 100
_MOST_IN_DAY = 6
"""The events of a day that a month names; a link leads to all of them."""
_MOST_BARS = 4
_MOST_REASONS = 10
"""The left out parts of a file that the URL of a page holds."""
_YEARS = (1602, 4498)
"""The years in which Exchange allows events, with room for the weeks around them."""
_RESPONSES = {"accept": "Accept", "tentative": "Tentatively Accept", "decline": "Decline"}


class Span(NamedTuple):
    """What a calendar shows: `days` days from `first`, and dates that lead to the previous and the next span."""

    title: str
    first: date
    days: int
    previous: date
    next: date


class View(NamedTuple):
    """What the URL of a calendar asks for."""

    name: str
    date: date
    zone: str
    calendar: ItemFolder


async def load_calendar(request: PageRequest) -> dict[str, Any]:
    mailbox, view = request.mailbox, _view(request)
    span = _span(view)
    items = await in_slices(_items(mailbox, view, span), request.sandbox)
    folders = CALENDARS.all(mailbox.db, mailbox.owner.id)
    now = local(mailbox.now, view.zone)
    start = _next_hour(view.date, now)

    def to(**values: Any) -> str:
        return request.url(CALENDAR, **{**_query(view), **values})

    return {
        "view": view,
        "views": [(name.title(), to(view=name)) for name in _VIEWS],
        "span": span,
        "to": to,
        "total": len(items),
        "now": now,
        "calendars": [folder.name for folder in folders],
        "zones": _zones(view.zone),
        "start": start,
        "end": start + timedelta(hours=1),
        "recurrences": [kind.name for kind in Recurrence],
        "show_as": ["Busy", "Free", "Tentative", "Oof", "WorkingElsewhere"],
        **{"month": _month, "week": _week, "agenda": _agenda}[view.name](request, view, span, items),
    }


def _items(mailbox: Mailbox, view: View, span: Span) -> Sliced[list[layout.Item]]:
    """What takes place in a span, ordered by start."""
    items = []
    # A day more on both sides, since the days of an all-day event are those of UTC.
    since = instant(_midnight(span.first - layout.DAY), view.zone)
    until = instant(_midnight(span.first + (span.days + 1) * layout.DAY), view.zone)
    for event in occurrences.stream(mailbox, view.calendar.id, since, until):
        yield None
        if event is not None:
            items.append(layout.item_of(event, view.zone))
    return layout.on(items, span.first, span.days)


def _view(request: PageRequest) -> View:
    query, mailbox = request.query, request.mailbox
    name = query.get("view") or "month"
    if name not in _VIEWS:
        raise InvalidField("view", f"must be month, week or agenda, not '{name[:50]}'.")
    zone = iana(canonical(query.get("zone") or "UTC", "zone"))
    zone = "UTC" if zone == "Etc/UTC" else zone
    calendars = CALENDARS.all(mailbox.db, mailbox.owner.id)
    named = query.get("calendar")
    calendar = item_folders.resolve(mailbox, CALENDARS, named) if named else None
    return View(
        name,
        _date(query.get("date", "")) or local(mailbox.now, zone).date(),
        zone,
        calendar or next(folder for folder in calendars if folder.is_default),
    )


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidField("date", f"must be a date such as 2026-03-02, not '{text[:50]}'.") from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise InvalidField("date", f"must be in the years {_YEARS[0]} to {_YEARS[1]}.")
    return day


def _query(view: View) -> dict[str, Any]:
    """The values of the URL that shows a view again."""
    return {
        "view": view.name,
        "date": view.date,
        "zone": view.zone,
        "calendar": "" if view.calendar.is_default else view.calendar.name,
    }


def _span(view: View) -> Span:
    day = view.date
    if view.name == "month":
        first = day.replace(day=1)
        after = first + timedelta(days=monthrange(first.year, first.month)[1])
        monday = first - timedelta(days=first.weekday())
        weeks = -(-(after - monday).days // layout.WEEK)
        before = (first - layout.DAY).replace(day=1)
        return Span(f"{first:%B} {first.year}", monday, weeks * layout.WEEK, before, after)
    if view.name == "week":
        monday = day - timedelta(days=day.weekday())
        week = timedelta(days=layout.WEEK)
        return Span(_range(monday, monday + week - layout.DAY), monday, layout.WEEK, day - week, day + week)
    days = timedelta(days=_AGENDA_DAYS)
    return Span(_range(day, day + days - layout.DAY), day, _AGENDA_DAYS, day - days, day + days)


def _range(first: date, last: date) -> str:
    """A span of days in words, such as `2 to 8 March 2026`."""
    start = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        start += f" {first:%B}"
    if first.year != last.year:
        start += f" {first.year}"
    return f"{start} to {last.day} {last:%B} {last.year}"


def _month(request: PageRequest, view: View, span: Span, items: list[layout.Item]) -> dict[str, Any]:
    weeks = []
    wide = [item for item in items if item.is_bar or item.first != item.last]
    by_day: dict[date, list[layout.Item]] = {}
    for item in items:
        if not (item.is_bar or item.first != item.last):
            by_day.setdefault(item.first, []).append(item)
    for monday in (span.first + timedelta(days=day) for day in range(0, span.days, layout.WEEK)):
        rows, left_out = layout.bars(layout.on(wide, monday, layout.WEEK), monday, _MOST_BARS)
        days = [monday + timedelta(days=number) for number in range(layout.WEEK)]
        cells = []
        for day in days:
            timed = by_day.get(day, [])
            more = max(len(timed) - _MOST_IN_DAY, 0) + len(layout.on(left_out, day, 1))
            cells.append({"date": day, "items": timed[:_MOST_IN_DAY], "more": more})
        weeks.append({"days": days, "rows": rows, "cells": cells})
    return {"weeks": weeks}


def _week(request: PageRequest, view: View, span: Span, items: list[layout.Item]) -> dict[str, Any]:
    rows, left_out = layout.bars([item for item in items if item.is_bar], span.first, _MOST_BARS)
    blocks = [item for item in items if not item.is_bar]
    hours = layout.hours_of(blocks)
    days = []
    for day in (span.first + timedelta(days=number) for number in range(layout.WEEK)):
        column = layout.day_of(layout.on(blocks, day, 1), day, hours)
        days.append(column._replace(more=column.more + len(layout.on(left_out, day, 1))))
    return {"days": days, "rows": rows, "hours": hours}


def _agenda(request: PageRequest, view: View, span: Span, items: list[layout.Item]) -> dict[str, Any]:
    skip = request.query.get("skip", "0")
    start = int(skip) if skip.isdecimal() and len(skip) < 9 else 0

    def day_of(item: layout.Item) -> date:
        return max(item.first, span.first)

    ordered = sorted(items, key=lambda item: (day_of(item), not item.is_all_day, item.start))
    shown = ordered[start : start + _AGENDA_PAGE]
    values = _query(view)
    earlier = request.url(CALENDAR, **values, skip=max(start - _AGENDA_PAGE, 0) or None) if start else ""
    later = request.url(CALENDAR, **values, skip=start + _AGENDA_PAGE) if start + _AGENDA_PAGE < len(ordered) else ""
    return {
        "groups": [(day, list(group)) for day, group in groupby(shown, day_of)],
        "first_shown": start + 1,
        "last_shown": start + len(shown),
        "earlier": earlier,
        "later": later,
    }


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _next_hour(day: date, now: datetime) -> datetime:
    """The start that the form for a new event proposes."""
    if day != now.date():
        return _midnight(day) + timedelta(hours=9)
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


@cache
def _named_zones() -> tuple[tuple[str, str], ...]:
    zones = {iana(id): name for name, id in WINDOWS_IDS.items()}
    zones["UTC"] = zones.pop("Etc/UTC")
    return tuple(zones.items())


def _zones(zone: str) -> list[tuple[str, str]]:
    """The zones that Outlook names, and the one that is shown."""
    zones = list(_named_zones())
    return zones if zone in dict(zones) else [(zone, zone), *zones]


# --- Forms of a calendar ---


async def create_event(request: PageRequest) -> str:
    form, view = request.form, _view(request)
    is_all_day = form.has("allDay")
    zone = _outlook_name(view.zone)
    times = {
        name: _time(form.text(name.lower()), name.lower(), view.zone, zone, is_all_day) for name in ("Start", "End")
    }
    body: dict[str, Any] = {"Subject": form.text("subject"), **times, "IsAllDay": is_all_day, "TimeZone": zone}
    body |= {
        member: text
        for name, member in (
            ("location", "Location"),
            ("showAs", "ShowAs"),
            ("required", "RequiredAttendees"),
            ("optional", "OptionalAttendees"),
            ("body", "Body"),
        )
        if (text := form.text(name))
    }
    if (recurrence := form.text("recurrence")) not in ("", "None"):
        body["Recurrence"] = recurrence
        if count := form.text("count"):
            body["NumberOfOccurrences"] = _count(count)
    table = request.mailbox.id_of(IdKind.CALENDAR, view.calendar.id)
    created = await request.submit("POST", f"/datasets/calendars/v3/tables/{path_part(table)}/items", body)
    return request.url(EVENT, event=created["Id"], zone=view.zone)


def _time(text: str, field: str, zone: str, zone_name: str, is_all_day: bool) -> str:
    """A time of the form as the connector reads it; with its offset if Outlook has no name for the zone."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidField(field, "must be a date and a time, such as 2026-03-02T09:00.") from None
    if is_all_day:
        # The day that is meant begins at midnight, whatever time the form proposed.
        wall = _midnight(wall.date()) + (timedelta(days=1) if field == "end" else timedelta())
        return wall.isoformat()
    if zone_name:
        return wall.isoformat()
    return wall.replace(tzinfo=ZoneInfo(zone)).isoformat()


def _outlook_name(zone: str) -> str:
    """The name by which Outlook shows a zone, empty if it has none."""
    return dict(_named_zones()).get(zone, "")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise InvalidField("count", f"must be a number, not '{text[:20]}'.")
    return int(text)


async def create_calendar(request: PageRequest) -> str:
    folder = await request.admin("AddCalendar", {"name": request.form.text("name")})
    return request.url(CALENDAR, **{**_query(_view(request)), "calendar": folder["name"]})


async def import_file(request: PageRequest) -> str:
    view = _view(request)
    table = request.mailbox.id_of(IdKind.CALENDAR, view.calendar.id)
    result = await request.admin("ImportCalendar", content=sent_file(request), media_type="text/calendar", table=table)
    first = next(iter(result["ids"]), None)
    day = view.date
    if first is not None:
        day = layout.item_of(events.by_id(request.mailbox, first), view.zone).first
    return request.url(CALENDAR, **{**_query(view), "date": day, **imported_values(result)})


def sent_file(request: PageRequest) -> bytes:
    """The content of the only file of a form. Raises InvalidField without one."""
    files = request.form.files.get("file", [])
    if not files:
        raise InvalidField("file", "must be a file.")
    return files[0].content


def imported_values(result: Any) -> dict[str, Any]:
    """What an import did, as values of a URL."""
    skipped = result.get("skipped", [])
    return {
        "imported": len(result["ids"]),
        "skipped": len(skipped) or None,
        "reason": [
            f"{part['item']}{', line ' + str(part['line']) if part['line'] else ''}: {part['reason']}"
            for part in skipped[:_MOST_REASONS]
        ]
        or None,
    }


async def export_file(request: PageRequest) -> Response:
    view = _view(request)
    table = request.mailbox.id_of(IdKind.CALENDAR, view.calendar.id)
    file: Binary = await request.admin("ExportCalendar", table=table)
    return download(f"{view.calendar.name}.ics", *file)


# --- One event ---


async def load_event(request: PageRequest) -> dict[str, Any]:
    event, calendar = _event(request)
    zone = _zone_of(request, event)
    rule = rule_of(event)
    return {
        "item": layout.item_of(event, zone),
        "event": event,
        "zone": zone,
        "zones": _zones(zone),
        "calendar": calendar,
        "calendar_url": request.url(
            CALENDAR,
            view="week",
            date=layout.item_of(event, zone).first,
            zone=zone,
            calendar="" if calendar.is_default else calendar.name,
        ),
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
    base = str(request.http.base_url).rstrip("/")
    answers = []
    for version, operation, path, values in asked:
        answer = await request.connector("GET", request.path["connection"], path, query=values)
        answers.append(
            {
                "version": version,
                "operation": operation,
                "status": answer.status,
                "json": answer.json,
                "curl": answer.curl(base),
            }
        )
    return answers


def _iso(instant: int) -> str:
    return local(instant, "UTC").isoformat() + "Z"


def path_part(text: str) -> str:
    """A parameter of a path as clients of the connector send it: encoded twice."""
    return quote(quote(text, safe=""), safe="")


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


PAGES = (
    Page(
        path=CALENDAR,
        title="Calendar",
        template="calendar.html",
        nav="Calendar",
        load=load_calendar,
        actions={"create": create_event, "calendar": create_calendar, "import": import_file},
    ),
    Page(path="/s/{sandbox}/m/{connection}/calendar.ics", load=export_file),
    Page(
        path=EVENT,
        title="Event",
        template="event.html",
        section="Calendar",
        load=load_event,
        actions={"respond": respond, "delete": delete_event},
    ),
)
