"""The calendar of a mailbox: month, week and agenda, and iCalendar files."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.responses import Response

from outlook_emulator.enums import Recurrence
from outlook_emulator.errors import InvalidField
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.calendar import events, occurrences
from outlook_emulator.mailbox.calendar.event_rows import instant, local
from outlook_emulator.mailbox.item_folders import CALENDARS
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.web import calendar_layout as layout
from outlook_emulator.server.web.download import download
from outlook_emulator.server.web.event import CALENDAR, EVENT
from outlook_emulator.server.web.imports import imported_values, sent_file
from outlook_emulator.server.web.page import Page, PageRequest, path_part
from outlook_emulator.server.web.zones import outlook_name, zones_with
from outlook_emulator.slices import Sliced
from outlook_emulator.store.records import ItemFolder
from outlook_emulator.timezones import canonical, iana
from outlook_emulator.wire.mail import Binary

_VIEWS = ("month", "week", "agenda")
_AGENDA_DAYS = 30
_AGENDA_PAGE = 100
_MOST_IN_DAY = 6
"""The events of a day that a month names; a link leads to all of them."""
_MOST_BARS = 4
_YEARS = (1602, 4498)
"""The years in which Exchange allows events, with room for the weeks around them."""


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
        "zones": zones_with(view.zone),
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
    _check_year(day.year, "date")
    return day


def _check_year(year: int, field: str) -> None:
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise InvalidField(field, f"must be in the years {_YEARS[0]} to {_YEARS[1]}.")


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


# --- Forms of a calendar ---


async def create_event(request: PageRequest) -> str:
    form, view = request.form, _view(request)
    is_all_day = form.has("allDay")
    zone = outlook_name(view.zone)
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
    _check_year(wall.year, field)
    if is_all_day:
        # The day that is meant begins at midnight, whatever time the form proposed.
        wall = _midnight(wall.date()) + (timedelta(days=1) if field == "end" else timedelta())
        return wall.isoformat()
    if zone_name:
        return wall.isoformat()
    return wall.replace(tzinfo=ZoneInfo(zone)).isoformat()


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


async def export_file(request: PageRequest) -> Response:
    view = _view(request)
    table = request.mailbox.id_of(IdKind.CALENDAR, view.calendar.id)
    file: Binary = await request.admin("ExportCalendar", table=table)
    return download(f"{view.calendar.name}.ics", *file)


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
)
