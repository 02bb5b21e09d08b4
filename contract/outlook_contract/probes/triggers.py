"""What triggers answer: status, waits, the state in `Location`, and which items fire."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import change, create, day, delete
from outlook_contract.suite.polling import MAIL_TRIGGERS, TRIGGERS

_STATES = ("LastPollInformation", "triggerstate")
_BATCH = 60
"""More mails than any poll is thought to return."""


@probe(
    8,
    "polls",
    "What does each trigger answer to a first poll, to an idle one, and with items waiting?",
    settles=(
        *("retry-after-of-triggers", "state-of-triggers", "batch", "first-poll-fraction", "changed-items-days"),
        *("skip-of-triggers", "deleted-item-flags", "changed-occurrence", "changed-items-window"),
    ),
    needs=(Need.ADDRESS,),
    has_heavy_parts=True,
)
def polls(run: ProbeRun) -> None:
    """Polls all triggers, does something for each of them, and polls them again."""
    locations = {}
    for operation, parameters in TRIGGERS.items():
        exchange = run.mailbox.call(operation, **parameters)
        run.record(f"{operation}: first poll", _poll(run, exchange), "retry-after-of-triggers", "state-of-triggers")
        locations[operation] = str(exchange.headers.get("location", ""))
        if operation in MAIL_TRIGGERS:
            run.record(f"{operation}: times in the first state", _times(exchange), "first-poll-fraction")
    for operation, location in locations.items():
        exchange = run.mailbox.follow(location)
        answer = _poll(run, exchange)
        if exchange.status == 202:
            # A mailbox in use may have something for it.
            run.record(f"{operation}: idle poll", answer, "retry-after-of-triggers")
    soon = _fire(run)
    for operation, location in locations.items():
        run.record(f"{operation}: poll with an item waiting", _hit(run, operation, location), "retry-after-of-triggers")
    delete(run.mailbox, soon)
    run.attempt(_queries)
    run.attempt(_changed_items)
    if run.heavy:
        run.attempt(_many)


def _fire(run: ProbeRun) -> Any:
    """Does something for every trigger, and returns the upcoming event."""
    address = run.mailbox.address
    mention = f'<p><a href="mailto:{address}">@{address}</a> please look</p>'
    mail = run.to_self("hit", Body=mention)
    run.mailbox.ok("Flag", messageId=mail["Id"])
    soon = create(run.mailbox, run.text("hit"), run.now() + timedelta(minutes=20))
    return change(run.mailbox, soon, Location="Hall")


def _hit(run: ProbeRun, operation: str, location: str) -> Any:
    """The first poll that brings what was done."""
    exchanges: list[Exchange] = []

    def look() -> bool:
        exchanges.append(run.mailbox.follow(location))
        return exchanges[-1].status == 200

    run.eventually(look)
    answer = _poll(run, exchanges[-1])
    if exchanges[-1].status == 200:
        items = exchanges[-1].json()["value"]
        answer["items"] = sum(run.mine(item.get("Subject")) == "hit" for item in items)
        # The items of others may be many.
        answer["Retry-After"] = answer["Retry-After"] if len(items) == answer["items"] else "(others' items)"
    return answer


def _poll(run: ProbeRun, exchange: Exchange) -> dict[str, Any]:
    location = str(exchange.headers.get("location", ""))
    query = urlsplit(location).query
    answer = run.response(exchange, "Retry-After")
    answer["Location"] = {"path": urlsplit(location).path, "names": [name for name, _ in parse_qsl(query)]}
    answer["state"] = _state(query)
    return answer


def _state(query: str) -> Any:
    """The state in a query: the members and kinds of a mail trigger's, else how many instants it has."""
    values = dict(parse_qsl(query))
    name = next((name for name in values if name.casefold() in map(str.casefold, _STATES)), "")
    if name == "triggerstate":
        return {"is an instant": values[name][:4].isdigit()}
    try:
        members = json.loads(b64decode(values[name]))
    except (KeyError, ValueError):
        return "(not base64 of JSON)"
    return {member: "null" if value is None else type(value).__name__ for member, value in members.items()}


def _times(exchange: Exchange) -> dict[str, str]:
    """How the times in a mail trigger's state are written: with or without a fraction."""
    query = dict(parse_qsl(urlsplit(str(exchange.headers.get("location", ""))).query))
    try:
        members = json.loads(b64decode(query["LastPollInformation"]))
    except (KeyError, ValueError):
        return {}
    times = {name: value for name, value in members.items() if name.endswith("Time") and isinstance(value, str)}
    return {name: "with a fraction" if "." in value else "whole seconds" for name, value in times.items()}


def _queries(run: ProbeRun) -> None:
    for about, operation, parameters in (
        ("$skip of a trigger", "CalendarGetOnNewItemsV2", {"table": CALENDAR, "skip": 1}),
        ("2000 days of changed items", "CalendarGetOnChangedItemsV2", {"table": CALENDAR, "incomingDays": 2000}),
        ("a negative number of days", "CalendarGetOnChangedItemsV2", {"table": CALENDAR, "pastDays": -1}),
    ):
        deviation = "skip-of-triggers" if "skip" in about else "changed-items-days"
        run.respond(about, run.mailbox.call(operation, **parameters), deviation)
    for operation in ("OnNewEmailV2", "CalendarGetOnNewItemsV2"):
        first = str(run.mailbox.call(operation, **TRIGGERS[operation]).headers.get("location", ""))
        start = next((first.partition(f"{name}=") for name in _STATES if f"{name}=" in first), ("", "", ""))
        for about, state in (("that is none", "nonsense"), ("of an empty object", "e30%3d"), ("that is empty", "")):
            exchange = run.mailbox.follow(f"{start[0]}{start[1]}{state}")
            run.record(f"{operation}: a state {about}", run.response(exchange), "state-of-triggers")
        wrong = f"{start[0]}{start[1].upper()}{unquote(start[2])}"
        exchange = run.mailbox.follow(wrong)
        run.record(f"{operation}: the state under another name", run.response(exchange), "state-of-triggers")


def _changed_items(run: ProbeRun) -> None:
    """What the trigger for changed events says of a series, of a change and of a deletion."""
    location = str(run.mailbox.call("CalendarGetOnChangedItemsV2", table=CALENDAR).headers.get("location", ""))
    series = create(run.mailbox, run.text("series"), day(14), Recurrence="Daily", NumberOfOccurrences=3)
    location = _changes(run, "added series", location, "changed-occurrence")
    change(run.mailbox, series, Recurrence="Daily", NumberOfOccurrences=3, Location="Hall")
    location = _changes(run, "updated series", location, "changed-occurrence")
    far = create(run.mailbox, run.text("far"), day(500))
    single = create(run.mailbox, run.text("single"), day(14, 12))
    location = _changes(run, "an event in the window and one beyond it", location, "changed-items-window")
    for item in (single, far, series):
        delete(run.mailbox, item)
    _changes(run, "deleted events", location, "deleted-item-flags")


def _changes(run: ProbeRun, about: str, location: str, deviation: str) -> str:
    exchanges: list[Exchange] = []

    def look() -> bool:
        exchanges.append(run.mailbox.follow(location))
        return exchanges[-1].status == 200

    run.eventually(look)
    items = exchanges[-1].json()["value"] if exchanges[-1].status == 200 else []
    own = [item for item in items if item.get("ActionType") == "deleted" or run.mine(item.get("Subject"))]
    run.record(about, [_item(item) for item in own], deviation)
    return str(exchanges[-1].headers.get("location", ""))


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    left_out = ("Id", "Body", "WebLink", "ICalUId", "Organizer")
    shown = {name: value for name, value in item.items() if name not in left_out}
    return {**shown, **{name: "(null)" if item.get(name) is None else "(a value)" for name in left_out}}


def _many(run: ProbeRun) -> None:
    location = str(run.mailbox.call("OnNewEmailV2").headers.get("location", ""))
    for _ in range(_BATCH):
        run.sent("batch")
    run.settle(60)
    counts = []
    for _ in range(_BATCH):
        exchange = run.mailbox.follow(location)
        if exchange.status != 200:
            break
        location = str(exchange.headers.get("location", ""))
        items = exchange.json()["value"]
        counts.append({"items": len(items), "Retry-After": exchange.headers.get("retry-after", "(no header)")})
    run.record(f"polls with {_BATCH} mails waiting", counts, "batch")


@probe(
    23,
    "mentions",
    "Which mails fire the trigger for mentions?",
    settles=("mentions",),
    needs=(Need.ADDRESS,),
)
def mentions(run: ProbeRun) -> None:
    """Sends mails that mention the owner in several ways, and polls the trigger."""
    address = run.mailbox.address
    name = run.owner or address
    bodies = {
        "an @ before the address": f"<p>@{address} please look</p>",
        "an @ before the name": f"<p>@{name} please look</p>",
        "a link to the address": f'<p><a href="mailto:{address}">@{name}</a> please look</p>',
        "Outlook's mention link": f'<p><a id="OWAAM1" href="mailto:{address}">@{name}</a> please look</p>',
        "the address alone": f"<p>{address} please look</p>",
        "nobody": "<p>please look</p>",
    }
    polled = {
        operation: str(run.mailbox.call(operation, folderPath="Inbox").headers.get("location", ""))
        for operation in ("OnNewMentionMeEmail", "OnNewMentionMeEmailV2")
    }
    for about, body in bodies.items():
        run.sent(about, Body=body)
    for about in bodies:
        run.look_for(about)
    for operation, location in polled.items():
        exchange = run.mailbox.follow(location)
        items = exchange.json()["value"] if exchange.status == 200 else []
        hits = sorted(filter(None, (run.mine(item["Subject"]) for item in items)))
        run.record(operation, {"status": exchange.status, "fires for": hits}, "mentions")
