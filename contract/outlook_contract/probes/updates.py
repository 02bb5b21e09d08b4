"""What an update does to members that it leaves out, of events and of contacts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from outlook_contract.mailbox import CALENDAR, CONTACTS
from outlook_contract.probes.probe import probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.contacts import LISTS, PLACE, TEXTS
from outlook_contract.suite.events import V1, V2, V3, Version, day, event, viewed

_VERSIONS: Mapping[str, Version] = {"version 1": V1, "version 2": V2, "version 3": V3}
_DETAILS: Mapping[str, Any] = {
    "Importance": "High",
    "ShowAs": "Oof",
    "Reminder": 30,
    "ResponseRequested": False,
}
_NESTED: Mapping[str, Any] = {
    **_DETAILS,
    "Body": {"ContentType": "HTML", "Content": "<p>Agenda</p>"},
    "Location": {"DisplayName": "Hall"},
    "Categories": ["Red"],
}
_FLAT: Mapping[str, Any] = {**_DETAILS, "Body": "<p>Agenda</p>", "Location": "Hall"}
_BODIES: Mapping[str, Mapping[str, Any]] = {
    "version 1": _NESTED,
    "version 2": {**_FLAT, "IsHtml": True},
    "version 3": _FLAT,
}
_REQUIRED = ("Subject", "Start", "End")
_SERIES: Mapping[str, Any] = {"Recurrence": "Weekly", "NumberOfOccurrences": 4}
_CONTACT: Mapping[str, Any] = {
    **TEXTS,
    **LISTS,
    "DisplayName": "The Countess",
    "FileAs": "Lovelace, Ada",
    "Birthday": "1815-12-10",
    "HomeAddress": PLACE,
    "BusinessAddress": PLACE,
    "OtherAddress": PLACE,
}
_TIMES_AND_IDS = frozenset({"Id", "ChangeKey", "ParentFolderId", "DateTimeCreated", "DateTimeLastModified"})


@probe(
    1,
    "event-update",
    "What becomes of an event's members that an update leaves out, in each version?",
    settles=(
        *("update-reset", "update-required", "update-flat-categories", "occurrence-crossing"),
        *("event-body-at-once", "create-status", "rule-start"),
    ),
)
def event_update(run: ProbeRun) -> None:
    """Creates an event with all members in each version, and sends an update with the required ones alone."""
    for name, version in _VERSIONS.items():
        run.attempt(_update_event, name, version)
    run.attempt(_categories)
    run.attempt(_weekly)


def _update_event(run: ProbeRun, name: str, version: Version) -> None:
    body = event(run.name(name), day(8), **_BODIES[name])
    exchange = run.mailbox.call(version.create, body, table=CALENDAR)
    run.respond(f"{name}: create", exchange, "create-status")
    created = exchange.json()
    before = _read(run, version, created)
    run.record(
        f"{name}: the body in the answer to the creation is that of a read",
        created["Body"] == before["Body"],
        "event-body-at-once",
    )
    update = {member: body[member] for member in _REQUIRED}
    run.respond(f"{name}: update", _patched(run, version, created, update), "update-required")
    after = _read(run, version, created)
    run.record(f"{name}: members after the update", _changes(before, after, _BODIES[name]), "update-reset")
    bare = _patched(run, version, created, {"Location": _BODIES[name]["Location"]})
    run.respond(f"{name}: update without Subject, Start and End", bare, "update-required")


def _categories(run: ProbeRun) -> None:
    created = run.mailbox.ok(V1.create, event(run.name("categories"), day(8, 11), Categories=["Red"]), table=CALENDAR)
    for name, version in (("version 2", V2), ("version 3", V3)):
        _patched(run, version, created, event(run.name("categories"), day(8, 11)))
        seen = _read(run, V1, created)["Categories"]
        run.record(f"categories after an update of {name}", seen, "update-flat-categories")


def _weekly(run: ProbeRun) -> None:
    start = day(10)
    body = event(run.name("weekly"), start, **_SERIES)
    created = run.mailbox.ok(V3.create, body, table=CALENDAR)
    run.record("weekly series: days", _days(run, start), "rule-start")
    moved = event(run.name("weekly"), start + timedelta(days=1), **_SERIES)
    run.respond("weekly series: update to the next day", _patched(run, V3, created, moved))
    run.record("weekly series: days after it", _days(run, start), "update-reset")
    run.attempt(_crossing, start)
    single = event(run.name("weekly"), start)
    run.respond("weekly series: update without Recurrence", _patched(run, V3, created, single))
    run.record("weekly series: days after that", _days(run, start), "update-reset")


def _crossing(run: ProbeRun, start: datetime) -> None:
    """Moves an occurrence to the day of the next one, before it and over it."""
    seen = viewed(run.mailbox, start, start + timedelta(days=40))
    second, third = [item for item in seen if run.mine(item["Subject"]) == "weekly"][1:3]
    next_start = datetime.fromisoformat(third["Start"]).astimezone(UTC)
    for about, hours in (("two hours before the next", -2), ("over the next", 0), ("after the next", 2)):
        body = event(run.name("weekly"), next_start + timedelta(hours=hours))
        exchange = _patched(run, V3, second, body)
        run.respond(f"weekly series: move an occurrence {about}", exchange, "occurrence-crossing")


def _days(run: ProbeRun, start: datetime) -> list[int]:
    """How many days after the start of the series its occurrences are."""
    seen = viewed(run.mailbox, start - timedelta(hours=1), start + timedelta(days=40))
    starts = [item["Start"][:10] for item in seen if run.mine(item["Subject"]) == "weekly"]
    by_date = {(start + timedelta(days=number)).date().isoformat(): number for number in range(41)}
    return sorted(by_date.get(date, -1) for date in starts)


def _read(run: ProbeRun, version: Version, created: Mapping[str, Any]) -> Any:
    return run.mailbox.ok(version.read, table=CALENDAR, id=created["Id"])


def _patched(run: ProbeRun, version: Version, created: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
    return run.mailbox.call(version.change, body, table=CALENDAR, id=created["Id"])


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What became of each member that was sent at first: kept, or its new value."""
    return {
        member: "kept" if after.get(member) == before.get(member) else after.get(member, "(missing)") for member in sent
    }


@probe(
    2,
    "contact-update",
    "What does an update do to a contact's members that it leaves out, and how do empty ones read?",
    settles=(
        *("contact-file-as", "contact-empty-texts", "contact-patch-null", "contact-patch-birthday"),
        *("contact-patch-given-name", "contact-display-name", "contact-home-phones", "create-status"),
    ),
)
def contact_update(run: ProbeRun) -> None:
    """Creates contacts with every member and with few, and sends updates with one member each."""
    run.attempt(_few)
    run.attempt(_names)
    run.attempt(_whole)


def _whole(run: ProbeRun) -> None:
    whole = {**_CONTACT, "GivenName": run.name("whole")}
    exchange = run.mailbox.call("ContactPostItem", whole, table=CONTACTS)
    run.respond("create", exchange, "create-status")
    created = exchange.json()
    before = _contact(run, created)
    run.record("members as they were sent", _changes(whole, before, whole), "contact-file-as")
    _update(run, created, {"GivenName": run.name("other")})
    run.record("members after an update of GivenName", _changes(before, _contact(run, created), whole))
    run.record(
        "birthday, addresses and file-as name after it",
        {name: _contact(run, created).get(name) for name in ("Birthday", "HomeAddress", "FileAs", "DisplayName")},
        *("contact-patch-birthday", "contact-file-as", "contact-display-name"),
    )
    run.attempt(_update_of_null, created)


def _few(run: ProbeRun) -> None:
    exchange = run.mailbox.call("ContactPostItem", {"GivenName": run.name("few"), "HomePhones": []}, table=CONTACTS)
    answered, few = exchange.json(), exchange.json()
    run.record("few members: in the answer to the creation", _values(answered), "contact-empty-texts")
    run.record("few members: in a read", _values(_contact(run, few)), "contact-empty-texts", "contact-file-as")
    _update(run, few, {"GivenName": run.name("few"), "HomePhones": ["+44 9"]})
    run.record("few members: after an update", _values(_contact(run, few)), "contact-empty-texts")


def _names(run: ProbeRun) -> None:
    """The limit of phones, and the display name that is made of other members."""
    for number in (2, 3):
        body = {"GivenName": run.name(f"{number} phones"), "HomePhones": [f"+44 {n}" for n in range(number)]}
        exchange = run.mailbox.call("ContactPostItem", body, table=CONTACTS)
        run.respond(f"create with {number} home phones", exchange, "contact-home-phones")
    company = {"GivenName": "", "HomePhones": [], "CompanyName": run.name("company")}
    exchange = run.mailbox.call("ContactPostItem", company, table=CONTACTS)
    run.respond("create with a company alone", exchange, "contact-display-name")
    if exchange.is_success:
        run.record("display name of a company", exchange.json().get("DisplayName"), "contact-display-name")
    names = {"GivenName": run.name("names"), "MiddleName": "M", "Surname": "S", "Generation": "II", "Title": "Dr."}
    exchange = run.mailbox.call("ContactPostItem", {**names, "HomePhones": []}, table=CONTACTS)
    run.record("display name of several names", exchange.json().get("DisplayName"), "contact-display-name")


def _update_of_null(run: ProbeRun, created: Mapping[str, Any]) -> None:
    name_alone = {"GivenName": run.name("other")}
    for name, value in (("null", None), ("empty", "")):
        run.respond(f"CompanyName {name}: update", _update(run, created, {**name_alone, "CompanyName": value}))
        seen = _contact(run, created).get("CompanyName")
        run.record(f"CompanyName {name}: after it", seen, "contact-patch-null")
    street = {**name_alone, "HomeAddress": {"Street": "2 Mill"}}
    run.respond("update with a street alone", _update(run, created, street))
    run.record("address after it", _contact(run, created).get("HomeAddress"), "contact-patch-null")
    exchange = _update(run, created, {"JobTitle": "Author"})
    run.respond("update without GivenName", exchange, "contact-patch-given-name")
    seen = _contact(run, created).get("GivenName")
    run.record("given name after it", seen, "contact-patch-given-name")


def _values(contact: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if name not in _TIMES_AND_IDS}


def _contact(run: ProbeRun, created: Mapping[str, Any]) -> Any:
    return run.mailbox.ok("ContactGetItem", table=CONTACTS, id=created["Id"])


def _update(run: ProbeRun, created: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
    return run.mailbox.call("ContactPatchItem", body, table=CONTACTS, id=created["Id"])
