"""Journeys through $filter, $orderby, $top and $skip, on contacts and events."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox
from outlook_contract.suite.events import FLAT_VERSIONS, Version, create, day, subjects, written

LISTS = ("ContactGetItems", "V2CalendarGetItems", "V3CalendarGetItems")


def table(operation: str) -> str:
    """The table that a list operation lists."""
    return CONTACTS if operation == "ContactGetItems" else CALENDAR


def contacts(mailbox: Mailbox, **query: Any) -> list[str]:
    """The surnames of this run's contacts, in the order of the list."""
    listed = mailbox.ok("ContactGetItems", table=CONTACTS, **query)["value"]
    return [contact["Surname"] for contact in listed if mailbox.marker in (contact["GivenName"] or "")]


def two_contacts(mailbox: Mailbox) -> tuple[str, str]:
    """Create two contacts, once in a run, and return their surnames; their company is `Co` and the run's mark."""
    mark = mailbox.marker[-8:]
    if not contacts(mailbox, filter=f"Surname eq 'Alpha{mark}'"):
        shared: dict[str, Any] = {"HomePhones": [], "CompanyName": f"Co{mark}"}
        first: dict[str, Any] = {"Surname": f"Alpha{mark}", "Categories": [f"Red{mark}"], "JobTitle": "O'Hara"}
        second: dict[str, Any] = {
            "Surname": f"Beta{mark}",
            "EmailAddresses": [{"Name": "B", "Address": f"b{mark}@example.com"}],
        }
        for number, members in enumerate((first, second)):
            body = {"GivenName": mailbox.name(f"Filter {number}"), **shared, **members}
            mailbox.ok("ContactPostItem", body, table=CONTACTS)
    return f"Alpha{mark}", f"Beta{mark}"


@pytest.mark.parametrize(
    ("text", "alpha", "beta"),
    [
        ("Surname eq '{alpha}'", True, False),
        ("surname eq '{ALPHA}'", True, False),
        ("CompanyName eq 'Co{mark}' and Surname ne '{alpha}'", False, True),
        ("CompanyName eq 'Co{mark}' and not (Surname eq '{alpha}')", False, True),
        ("Surname eq '{alpha}' or Surname eq '{beta}'", True, True),
        ("startswith(Surname, 'Alpha{mark}')", True, False),
        ("endswith(Surname, 'ta{mark}')", False, True),
        ("contains(Surname, 'lpha{mark}')", True, False),
        ("CompanyName eq 'Co{mark}' and startswith(Surname, 'lpha')", False, False),
        ("CompanyName eq 'Co{mark}' and endswith(Surname, 'Alpha')", False, False),
        ("CompanyName eq 'Co{mark}' and Surname ge '{beta}'", False, True),
        ("CompanyName eq 'Co{mark}' and Surname lt '{beta}'", True, False),
        ("CompanyName eq 'Co{mark}' and Surname gt '{alpha}'", False, True),
        ("CompanyName eq 'Co{mark}' and Surname le '{alpha}'", True, False),
        ("CompanyName eq 'Co{mark}' and JobTitle eq 'O''Hara'", True, False),
        ("CompanyName eq 'Co{mark}' and JobTitle eq null", False, True),
        ("CompanyName eq 'Co{mark}' and JobTitle ne 'O''Hara'", False, True),
        ("substringof('lpha{mark}', Surname)", True, False),
        ("Categories/any(c: c eq 'Red{mark}')", True, False),
        ("EmailAddresses/any(a: a/Address eq 'b{mark}@example.com')", False, True),
        ("Surname eq 'Nobody{mark}'", False, False),
    ],
)
def test_contacts_are_filtered(mailbox: Mailbox, text: str, alpha: bool, beta: bool) -> None:
    """Each operator and function of a filter finds its contacts and no others."""
    first, second = two_contacts(mailbox)
    mark = mailbox.marker[-8:]
    query = text.format(alpha=first, beta=second, ALPHA=first.upper(), mark=mark)
    expected = [name for name, listed in ((first, alpha), (second, beta)) if listed]
    mailbox.equal("ContactGetItems", "$filter", sorted(contacts(mailbox, filter=query)), expected)


def test_contacts_are_ordered_and_cut(mailbox: Mailbox) -> None:
    """$orderby sorts both ways; $top and $skip cut the sorted list."""
    first, second = two_contacts(mailbox)
    query = {"filter": f"CompanyName eq 'Co{mailbox.marker[-8:]}'"}
    for order, expected in (
        ("Surname", [first, second]),
        ("Surname asc", [first, second]),
        ("Surname desc", [second, first]),
        ("CompanyName,Surname desc", [second, first]),
        ("CompanyName desc,Surname", [first, second]),
    ):
        mailbox.equal("ContactGetItems", "$orderby", contacts(mailbox, **query, orderby=order), expected)
    mailbox.equal("ContactGetItems", "$top", contacts(mailbox, **query, orderby="Surname", top=1), [first])
    mailbox.equal("ContactGetItems", "$skip", contacts(mailbox, **query, orderby="Surname", skip=1), [second])
    mailbox.equal("ContactGetItems", "$skip", contacts(mailbox, **query, orderby="Surname", top=1, skip=2), [])


@FLAT_VERSIONS
def test_events_are_filtered_and_ordered(mailbox: Mailbox, version: Version) -> None:
    """A list of events knows filters by text, time and word, orders and pages."""
    mark = f"{version.list[:2]}{mailbox.marker[-8:]}"
    details: dict[str, dict[str, Any]] = {"One": {"ShowAs": "Busy"}, "Two": {}, "Three": {"Importance": "High"}}
    for number, (text, more) in enumerate(details.items()):
        create(mailbox, f"{text} {mark}", day(3 + number), version=version, Location=f"Room {number}", **more)
    own = f"contains(Subject, '{mark}')"

    def listed(**query: Any) -> list[str]:
        events = mailbox.ok(version.list, table=CALENDAR, **query)["value"]
        return [subject.split()[0] for subject in subjects(events, mailbox.marker)]

    for condition, expected in (
        (f"Subject eq '{mailbox.name(f'One {mark}')}'", ["One"]),
        (f"{own} and ShowAs eq 'Busy'", ["One"]),
        (f"{own} and Importance eq 'High'", ["Three"]),
        (f"{own} and Start ge {written(day(4))}", ["Two", "Three"]),
        (f"{own} and Start lt {written(day(4))}", ["One"]),
        (f"{own} and Location ne 'Room 1'", ["One", "Three"]),
        (f"{own} and IsAllDay eq true", []),
        # Names of the back end, and times as texts, which published clients write.
        (f"{own} and start/dateTime ge '{written(day(4))}'", ["Two", "Three"]),
        (f"{own} and Start/DateTime lt {written(day(4))}", ["One"]),
        (f"{own} and Location/DisplayName eq 'Room 1'", ["Two"]),
    ):
        mailbox.equal(version.list, "$filter", listed(filter=condition, orderby="Start"), expected)
    mailbox.equal(version.list, "$orderby", listed(filter=own, orderby="Start desc"), ["Three", "Two", "One"])
    mailbox.equal(version.list, "$orderby", listed(filter=own, orderby="Subject"), ["One", "Three", "Two"])
    mailbox.equal(version.list, "$top", listed(filter=own, orderby="Start", top=2), ["One", "Two"])
    mailbox.equal(version.list, "$skip", listed(filter=own, orderby="Start", top=2, skip=1), ["Two", "Three"])


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("filter", "Nothing eq 'a'"),
        ("filter", "Id eq"),
        ("filter", "Id eq 'a"),
        ("filter", "frobnicate(Id)"),
        ("orderby", "Nothing"),
        ("orderby", "Id sideways"),
        ("top", "many"),
        ("top", -1),
        ("skip", -1),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(mailbox: Mailbox, operation: str, parameter: str, text: Any) -> None:
    """A query option that is wrong is a 400, not an empty or a whole list."""
    mailbox.refused(operation, 400, table=table(operation), **{parameter: text}, code="ErrorInvalidRequest")


@pytest.mark.reads
@pytest.mark.parametrize("operation", LISTS)
def test_top_limits_a_list(mailbox: Mailbox, operation: str) -> None:
    """$top=1 lists one item at most, and $skip past the end lists none."""
    items = mailbox.ok(operation, table=table(operation), top=1)["value"]
    mailbox.holds(operation, "$top", len(items), "at most 1", len(items) <= 1)
    mailbox.equal(operation, "$skip", mailbox.ok(operation, table=table(operation), skip=100_000)["value"], [])


@pytest.mark.reads
def test_the_envelope_of_a_list_has_links(mailbox: Mailbox) -> None:
    """Lists have two links that are null; version 3 of events has only `value`, and the first view another envelope.

    Recorded on the sibling connector.
    """
    span = {"startDateTimeOffset": written(day(0)), "endDateTimeOffset": written(day(1))}
    for operation, query, expected in (
        ("CalendarGetItems", {"table": CALENDAR, "top": 1}, ["value", "@odata.nextLink", "@odata.deltaLink"]),
        ("GetEventsCalendarView", {"calendarId": CALENDAR, **span}, ["Values", "NextLink"]),
        ("GetEventsCalendarViewV2", {"calendarId": CALENDAR, **span}, ["value", "@odata.nextLink", "@odata.deltaLink"]),
    ):
        mailbox.equal(operation, "members", list(mailbox.ok(operation, **query)), expected)
    links = ("@odata.nextLink", "@odata.deltaLink")
    for operation, expected in zip(LISTS, (["value", *links], ["value", *links], ["value"]), strict=True):
        answer = mailbox.ok(operation, table=table(operation), top=1)
        mailbox.equal(operation, "members", list(answer), expected)
        for link in links:
            mailbox.equal(operation, link, answer.get(link), None)
