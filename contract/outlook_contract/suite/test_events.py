"""Journeys through a calendar, in the three versions of the operations."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.suite.events import (
    FLAT_VERSIONS,
    V1,
    V2,
    V3,
    VERSIONS,
    Version,
    change,
    create,
    day,
    delete,
    event,
    is_at,
    listed,
    subjects,
)
from outlook_contract.suite.polling import Poller

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_DETAILS: dict[str, Any] = {
    "Location": "Hall",
    "Importance": "High",
    "ShowAs": "Oof",
    "Reminder": 30,
    "ResponseRequested": False,
}
_NESTED: dict[str, Any] = {**_DETAILS, "Location": {"DisplayName": "Hall"}}
_BARE = {"ShowAs": "Free", "Importance": "Low", "IsAllDay": False, "ResponseRequested": True, "Recurrence": "None"}
_UNKNOWN_ZONE = "Middle Earth Standard Time"


# --- Create, read, change, delete ---


@VERSIONS
def test_an_event_reads_as_it_was_written(mailbox: Mailbox, version: Version) -> None:
    """A created event has the members that were sent, in the response and in a read.

    The first version nests some of them, later ones are flat. Recorded from the Office 365 twin: microsoft/Power-Fx.
    """
    details = _NESTED if version == V1 else _DETAILS
    start = day(2, 10)
    created = create(mailbox, "Whole", start, 45, version=version, **details)
    read = mailbox.ok(version.read, table=CALENDAR, id=created["Id"])
    for operation, seen in ((version.create, created), (version.read, read)):
        location = seen["Location"]["DisplayName"] if version == V1 else seen["Location"]
        flat = {**seen, "Location": location}
        mailbox.members(operation, "", flat, {"Subject": mailbox.name("Whole"), **_DETAILS})
        mailbox.holds(operation, "Start", seen["Start"], f"{start}", is_at(seen["Start"], start))
        end = start + timedelta(minutes=45)
        mailbox.holds(operation, "End", seen["End"], f"{end}", is_at(seen["End"], end))
    mailbox.equal(version.read, "Id", read["Id"], created["Id"])


def test_a_bare_event_has_the_defaults(mailbox: Mailbox) -> None:
    """An event of which only subject and times were sent is Free and of low importance.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    for version in (V2, V3):
        created = create(mailbox, "Bare", version=version)
        mailbox.members(version.create, "", created, _BARE)
        organizer = {"ResponseType": "Organizer", "ResponseTime": "0001-01-01T00:00:00+00:00"}
        mailbox.members(version.create, "", created, organizer)
        mailbox.members(version.create, "", created, {"SeriesMasterId": None, "RecurrenceEnd": None})
        # Recorded as well: the second version stores a missing body as text, the third as empty HTML.
        converted = "<!-- converted from text -->" in created["Body"]
        mailbox.equal(version.create, "Body", converted, version == V2)
        mailbox.equal(version.create, "Body", created["Body"] == "", version == V3)


def test_times_have_their_recorded_forms(mailbox: Mailbox) -> None:
    """Start and End have seven digits of a second; times of change drop zeros at their end.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    created = create(mailbox, "Forms")
    for name in ("Start", "End"):
        seven = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", created[name])
        mailbox.holds("V3CalendarPostItem", name, created[name], "seven digits and +00:00", seven is not None)
    for name in ("DateTimeCreated", "DateTimeLastModified"):
        short = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?\+00:00", created[name])
        mailbox.holds("V3CalendarPostItem", name, created[name], "no zeros at the end", short is not None)


def test_lists_of_the_third_version_have_numbers(mailbox: Mailbox) -> None:
    """The list of the third version has numbers where the list of the second has words."""
    created = create(mailbox, "Numbers", Importance="High", ShowAs="Oof")
    for version, expected in ((V2, ("High", "Oof")), (V3, (2, 3))):
        event_in_list = next(item for item in listed(mailbox, version=version) if item["Id"] == created["Id"])
        importance, show_as = expected
        mailbox.members(version.list, "value[]", event_in_list, {"Importance": importance, "ShowAs": show_as})


@FLAT_VERSIONS
def test_a_body_is_stored_as_a_document(mailbox: Mailbox, version: Version) -> None:
    """HTML comes back within a whole document, text of the second version as HTML that was converted from text.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    text = "<p>Bring <b>numbers</b></p>" if version == V3 else "Bring numbers"
    created = create(mailbox, "Body", version=version, Body=text)
    mailbox.equal(version.create, "IsHtml", created["IsHtml"], True)
    body = created["Body"]
    mailbox.holds(version.create, "Body", body, "a document with a meta element", body.startswith("<html><head>"))
    mailbox.holds(version.create, "Body", body, "the text that was sent", text in body)
    converted = "<!-- converted from text -->" in body
    mailbox.equal(version.create, "Body", converted, version == V2)


@VERSIONS
def test_a_change_shows(mailbox: Mailbox, version: Version) -> None:
    """A change keeps the id, and reads and lists show it."""
    created = create(mailbox, "Draft", version=version)
    body = event(mailbox.name("Final"), day(3, 14), 60)
    changed = mailbox.ok(version.change, body, table=CALENDAR, id=created["Id"])
    read = mailbox.ok(version.read, table=CALENDAR, id=created["Id"])
    for operation, seen in ((version.change, changed), (version.read, read)):
        mailbox.members(operation, "", seen, {"Id": created["Id"], "Subject": mailbox.name("Final")})
        mailbox.holds(operation, "Start", seen["Start"], f"{day(3, 14)}", is_at(seen["Start"], day(3, 14)))
    names = {item["Id"]: item["Subject"] for item in listed(mailbox, version=version)}
    mailbox.equal(version.list, "value[].Subject", names.get(created["Id"]), mailbox.name("Final"))


@VERSIONS
def test_a_change_resets_what_it_leaves_out(mailbox: Mailbox, version: Version) -> None:
    """Members that an update leaves out go to the defaults of a bare event. Vendor's page of the Office 365 twin."""
    before: dict[str, Any] = {"Body": "<p>Bring numbers</p>", "RequiredAttendees": "someone@example.com"}
    created = create(mailbox, "Reset", version=V3, **_DETAILS, **before)
    mailbox.ok(version.change, event(mailbox.name("Reset"), day(1)), table=CALENDAR, id=created["Id"])
    read = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"])
    expected: dict[str, Any] = {"Location": "", "Importance": "Low", "ShowAs": "Free", "Reminder": 15}
    expected |= {"ResponseRequested": True, "RequiredAttendees": ""}
    seen = {name: read[name] for name in expected}
    mailbox.equal(version.change, "body", seen, expected)
    mailbox.holds(version.change, "body", read["Body"], "no text of before", "Bring" not in read["Body"])


def test_a_change_keeps_what_it_repeats(mailbox: Mailbox) -> None:
    """Members that an update sends again stay, whatever it does with the others."""
    created = create(mailbox, "Kept", **_DETAILS)
    changed = change(mailbox, created, **_DETAILS)
    mailbox.members("V3CalendarPatchItem", "", changed, _DETAILS)


@VERSIONS
def test_a_deleted_event_is_gone(mailbox: Mailbox, version: Version) -> None:
    """A deleted event can be neither read nor changed nor deleted again, and no list has it."""
    created = create(mailbox, "Gone", version=version)
    delete(mailbox, created)
    place: dict[str, Any] = {"table": CALENDAR, "id": created["Id"], "code": "ErrorItemNotFound"}
    mailbox.refused(version.read, 404, **place)
    mailbox.refused(version.change, 404, event(mailbox.name("Back"), day(1)), **place)
    mailbox.refused("CalendarDeleteItem", 404, **place)
    ids = [item["Id"] for item in listed(mailbox, version=version)]
    mailbox.holds(version.list, "value[].Id", ids, "without the deleted event", created["Id"] not in ids)


# --- Times ---


def test_a_time_without_an_offset_is_in_the_zone(mailbox: Mailbox) -> None:
    """A time without an offset is in the zone of the event; one with Z is UTC. Notes from live use of the twin."""
    start = day(2, 9)
    local = {"Start": start.strftime("%Y-%m-%dT18:00:00"), "End": start.strftime("%Y-%m-%dT18:30:00")}
    zone = "(UTC+09:00) Osaka, Sapporo, Tokyo"
    for body in (event(mailbox.name("Tokyo"), start), {"Subject": mailbox.name("Tokyo"), **local}):
        created = mailbox.ok("V3CalendarPostItem", {**body, "TimeZone": zone}, table=CALENDAR)
        mailbox.holds("V3CalendarPostItem", "Start", created["Start"], f"{start}", is_at(created["Start"], start))
        end = start + timedelta(minutes=30)
        mailbox.holds("V3CalendarPostItem", "End", created["End"], f"{end}", is_at(created["End"], end))
        mailbox.equal("V3CalendarPostItem", "TimeZone", created["TimeZone"], "Tokyo Standard Time")
    utc = {"Subject": mailbox.name("No zone"), **local, "TimeZone": ""}
    created = mailbox.ok("V3CalendarPostItem", utc, table=CALENDAR)
    mailbox.equal("V3CalendarPostItem", "Start", created["Start"], f"{local['Start']}.0000000+00:00")


def test_a_time_may_have_an_offset_and_a_fraction(mailbox: Mailbox) -> None:
    """Clients send offsets and parts of a second; responses are in UTC with seven digits. Recorded from the twin."""
    start = day(2)
    times = {"Start": f"{start:%Y-%m-%d}T12:00:00.250+03:00", "End": f"{start:%Y-%m-%d}T09:30:00.2500000Z"}
    created = mailbox.ok("V3CalendarPostItem", {"Subject": mailbox.name("Offset"), **times}, table=CALENDAR)
    expected = {"Start": f"{start:%Y-%m-%d}T09:00:00.2500000+00:00", "End": f"{start:%Y-%m-%d}T09:30:00.2500000+00:00"}
    mailbox.members("V3CalendarPostItem", "", created, expected)


def test_the_first_version_has_two_zones(mailbox: Mailbox) -> None:
    """Start and end are each in a zone of their own, by its Windows id (documented for the shape)."""
    zones = {"StartTimeZone": "Tokyo Standard Time", "EndTimeZone": "India Standard Time"}
    times = {"Start": f"{day(2):%Y-%m-%d}T18:00:00", "End": f"{day(2):%Y-%m-%d}T15:00:00"}
    created = mailbox.ok("CalendarPostItem", {"Subject": mailbox.name("Zones"), **times, **zones}, table=CALENDAR)
    expected = {"Start": f"{day(2):%Y-%m-%d}T09:00:00+00:00", "End": f"{day(2):%Y-%m-%d}T09:30:00+00:00"}
    mailbox.members("CalendarPostItem", "", created, {**expected, **zones})


def test_a_text_of_the_first_version_is_stored_as_html(mailbox: Mailbox) -> None:
    """A body of the type Text comes back as HTML that was converted from text. Recorded for a missing body."""
    body = {"ContentType": "Text", "Content": "1 <b>2</b>"}
    created = create(mailbox, "Text", version=V1, Body=body)
    mailbox.equal("CalendarPostItem", "Body.ContentType", created["Body"]["ContentType"], "HTML")
    content = created["Body"]["Content"]
    for part in ("<!-- converted from text -->", "1 &lt;b&gt;2&lt;/b&gt;"):
        mailbox.holds("CalendarPostItem", "Body.Content", content, f"contains {part}", part in content)
    mailbox.equal("CalendarPostItem", "BodyPreview", created["BodyPreview"], "1 <b>2</b>")
    bare = create(mailbox, "No text", version=V1)["Body"]["Content"]
    part = "<!-- converted from text -->"
    mailbox.holds("CalendarPostItem", "Body.Content", bare, f"contains {part}", part in bare)


def test_an_all_day_event_is_from_midnight_to_midnight(mailbox: Mailbox) -> None:
    """An all-day event reads as midnight to midnight UTC whatever its zone. By design of the mail service (Graph)."""
    start = day(4, 0)
    body = event(mailbox.name("Holiday"), start, 1440, IsAllDay=True)
    for zone in ("UTC", "(UTC+09:00) Osaka, Sapporo, Tokyo"):
        local = {"Start": body["Start"].removesuffix("Z"), "End": body["End"].removesuffix("Z"), "TimeZone": zone}
        created = mailbox.ok("V3CalendarPostItem", {**body, **local}, table=CALENDAR)
        mailbox.equal("V3CalendarPostItem", "IsAllDay", created["IsAllDay"], True)
        for name, when in (("Start", start), ("End", start + timedelta(days=1))):
            mailbox.holds("V3CalendarPostItem", name, created[name], f"{when}", is_at(created[name], when))
    later = start + timedelta(days=3)
    longer = event(body["Subject"], start, 3 * 1440, IsAllDay=True)
    changed = mailbox.ok("V3CalendarPatchItem", longer, table=CALENDAR, id=created["Id"])
    mailbox.holds("V3CalendarPatchItem", "End", changed["End"], f"{later}", is_at(changed["End"], later))


@VERSIONS
def test_an_all_day_event_off_midnight_is_refused(mailbox: Mailbox, version: Version) -> None:
    """Start must be midnight, and the event 24 hours long. Recorded from the mail service: O365/python-o365 845."""
    body = event(mailbox.name("Holiday"), day(4, 1), 1440, IsAllDay=True)
    answer = mailbox.refused(version.create, 400, body, table=CALENDAR, code="ErrorInvalidRequest")
    _has_text(mailbox, version.create, answer, "Event.Start property for an all-day event needs to be set to midnight.")
    body = event(mailbox.name("Holiday"), day(4, 0), 0, IsAllDay=True)
    answer = mailbox.refused(version.create, 400, body, table=CALENDAR, code="ErrorInvalidRequest")
    _has_text(mailbox, version.create, answer, "The duration of an event marked as All day must be at least 24 hours.")


@VERSIONS
def test_an_end_before_the_start_is_refused(mailbox: Mailbox, version: Version) -> None:
    """Neither a new event nor a changed one may end before it starts. Recorded from the mail service."""
    backwards = event(mailbox.name("Backwards"), day(1), -30)
    code = "ErrorPropertyValidationFailure"
    mailbox.refused(version.create, 400, backwards, table=CALENDAR, code=code)
    created = create(mailbox, "Forwards", version=version)
    mailbox.refused(version.change, 400, backwards, table=CALENDAR, id=created["Id"], code=code)
    read = mailbox.ok(version.read, table=CALENDAR, id=created["Id"])
    mailbox.equal(version.read, "Subject", read["Subject"], mailbox.name("Forwards"))


@VERSIONS
def test_an_unknown_zone_is_refused(mailbox: Mailbox, version: Version) -> None:
    """A time zone must be one that the service knows. Recorded from the mail service."""
    member = "StartTimeZone" if version == V1 else "TimeZone"
    body = event(mailbox.name("Nowhere"), day(1)) | {member: _UNKNOWN_ZONE}
    answer = mailbox.refused(version.create, 400, body, table=CALENDAR, code="ErrorPropertyValidationFailure")
    _has_text(mailbox, version.create, answer, "At least one property failed validation.")


# --- What is refused ---


@VERSIONS
def test_a_malformed_event_id_is_refused(mailbox: Mailbox, version: Version) -> None:
    """A malformed id is refused. Notes from live use of the mail service."""
    place: dict[str, Any] = {"table": CALENDAR, "id": "nope", "code": "ErrorInvalidIdMalformed"}
    mailbox.refused(version.read, 400, **place)
    mailbox.refused(version.change, 400, event(mailbox.name("Nope"), day(1)), **place)
    mailbox.refused("CalendarDeleteItem", 400, **place)


@VERSIONS
@pytest.mark.parametrize("wrong", [{"Start": "soon"}, {"Importance": "Huge"}, {"Reminder": "late"}], ids=str)
def test_a_wrong_member_is_refused(mailbox: Mailbox, version: Version, wrong: dict[str, Any]) -> None:
    """A member that is not a date, not a word of its list or not a number is refused; nothing is created. Inferred."""
    mailbox.refused(version.create, 400, event(mailbox.name("Wrong"), day(1)) | wrong, table=CALENDAR)
    names = subjects(listed(mailbox, version=version), mailbox.marker)
    mailbox.holds(version.list, "value[].Subject", names, "without the refused event", "Wrong" not in names)


@pytest.mark.reads
@VERSIONS
def test_an_unknown_calendar_is_refused(mailbox: Mailbox, version: Version) -> None:
    """A calendar that the mailbox lacks is not found. Inferred: the code is Exchange's own."""
    mailbox.refused(version.list, 404, table="Nowhere", code="ErrorFolderNotFound")


@pytest.mark.reads
def test_calendars_describe_themselves(mailbox: Mailbox) -> None:
    """The mailbox has a calendar; its metadata names it, and an unknown calendar has none."""
    tables = mailbox.ok("CalendarGetTables")["value"]
    names = [table["DisplayName"] for table in tables]
    mailbox.holds("CalendarGetTables", "value[].DisplayName", names, "at least one calendar", bool(names))
    table = mailbox.ok("CalendarGetTable", table=tables[0]["Name"])
    mailbox.members("CalendarGetTable", "", table, {"name": tables[0]["Name"], "title": names[0]})
    mailbox.refused("CalendarGetTable", 404, table="Nowhere")


# --- Lists ---


@VERSIONS
def test_lists_have_the_newest_start_first(mailbox: Mailbox, version: Version) -> None:
    """Without `$orderby`, the newest start comes first. Recorded from the Office 365 twin: microsoft/Power-Fx."""
    for name, ahead in (("Order b", 6), ("Order c", 7), ("Order a", 5)):
        create(mailbox, name, day(ahead), version=version)
    names = [name for name in subjects(listed(mailbox, version=version), mailbox.marker) if name.startswith("Order")]
    latest = list(dict.fromkeys(names))
    mailbox.equal(version.list, "value", latest, ["Order c", "Order b", "Order a"])
    ordered = subjects(listed(mailbox, version=version, orderby="Start"), mailbox.marker)
    ascending = list(dict.fromkeys(name for name in ordered if name.startswith("Order")))
    mailbox.equal(version.list, "$orderby", ascending, ["Order a", "Order b", "Order c"])


@VERSIONS
def test_pages_follow_each_other(mailbox: Mailbox, version: Version) -> None:
    """`$top` and `$skip` cut pages out of the list, without a gap or an overlap."""
    for number in range(3):
        create(mailbox, f"Page {number}", day(8 + number), version=version)
    whole = mailbox.ok(version.list, table=CALENDAR, orderby="Start desc", top=3)["value"]
    pages = [
        mailbox.ok(version.list, table=CALENDAR, orderby="Start desc", top=1, skip=skip)["value"] for skip in range(3)
    ]
    mailbox.equal(version.list, "$top", [len(page) for page in pages], [1, 1, 1])
    mailbox.equal(version.list, "$skip", [page[0]["Id"] for page in pages if page], [item["Id"] for item in whole])


@FLAT_VERSIONS
def test_a_filter_selects(mailbox: Mailbox, version: Version) -> None:
    """`$filter` leaves only events that match; one that names no property is refused."""
    for name in ("Filter x", "Filter y"):
        create(mailbox, name, day(3), version=version, Location="Hall" if name == "Filter x" else "Yard")
    name = mailbox.name("Filter x")
    events = mailbox.ok(version.list, table=CALENDAR, filter=f"Subject eq '{name}'")["value"]
    mailbox.equal(version.list, "$filter", sorted({item["Subject"] for item in events}), [name])
    start = f"Start ge {day(3):%Y-%m-%d} and startswith(Subject,'Filter y')"
    names = subjects(listed(mailbox, version=version, filter=start), mailbox.marker)
    mailbox.equal(version.list, "$filter", sorted(set(names)), ["Filter y"])
    mailbox.refused(version.list, 400, table=CALENDAR, filter="nonsense eq 1")


@pytest.mark.reads
def test_an_unknown_order_is_refused(mailbox: Mailbox) -> None:
    """`$orderby` must name a property, and `$top` must be a number."""
    for version in (V1, V2, V3):
        mailbox.refused(version.list, 400, table=CALENDAR, orderby="Nonsense")
        mailbox.refused(version.list, 400, table=CALENDAR, top="many")


def _has_text(mailbox: Mailbox, operation: str, answer: Any, text: str) -> None:
    message = str((answer.json() or {}).get("message", ""))
    mailbox.holds(operation, "message", message, text, text in message)


def test_a_reminder_is_not_negative(mailbox: Mailbox) -> None:
    """A reminder after the start is refused (inferred), and a reminder of 0 minutes is kept."""
    for version in (V1, V2, V3):
        body = event(mailbox.name("Reminder"), day(1), Reminder=-5)
        mailbox.refused(version.create, 400, body, table=CALENDAR)
        created = create(mailbox, "Reminder", version=version, Reminder=0)
        mailbox.equal(version.create, "Reminder", created["Reminder"], 0)


@FLAT_VERSIONS
def test_the_body_has_the_format_of_its_version(mailbox: Mailbox, version: Version) -> None:
    """Markup in version 3 is HTML; in version 2 it is text unless IsHtml says otherwise."""
    created = create(mailbox, "Markup", version=version, Body="1 <b>2</b>")
    part = "1 <b>2</b>" if version == V3 else "1 &lt;b&gt;2&lt;/b&gt;"
    mailbox.holds(version.create, "Body", created["Body"], f"contains {part}", part in created["Body"])
    if version == V2:
        created = create(mailbox, "Markup", version=version, Body="1 <b>2</b>", IsHtml=True)
        mailbox.holds(version.create, "Body", created["Body"], "contains 1 <b>2</b>", "1 <b>2</b>" in created["Body"])


def test_an_event_is_in_one_calendar(mailbox: Mailbox, emulator: Sandbox) -> None:
    """An event is found under its own calendar alone, and fires the triggers of no other; calendars go by name."""
    connection = mailbox.url.rpartition("/")[2]
    name = mailbox.name("Calendar")
    emulator.admin.request("POST", f"/connections/{connection}/calendars", json={"name": name})
    pollers = [Poller(mailbox, operation) for operation in ("CalendarGetOnNewItemsV2", "CalendarGetOnChangedItemsV2")]
    created = mailbox.ok("V3CalendarPostItem", event(mailbox.name("Apart"), day(1)), table=name)
    mailbox.ok("V2CalendarGetItem", table=name, id=created["Id"])
    names = [table["DisplayName"] for table in mailbox.ok("CalendarGetTables")["value"]]
    mailbox.equal("CalendarGetTables", "value[].DisplayName", names, sorted(names, key=str.casefold))
    for version in (V1, V2):
        mailbox.refused(version.read, 404, table=CALENDAR, id=created["Id"], code="ErrorItemNotFound")
    mailbox.refused("CalendarDeleteItem", 404, table=CALENDAR, id=created["Id"], code="ErrorItemNotFound")
    mailbox.equal("V3CalendarGetItems", "value[].Id", created["Id"] in [item["Id"] for item in listed(mailbox)], False)
    for poller in pollers:
        mailbox.equal(poller.operation, "table", poller.subjects(), [])
