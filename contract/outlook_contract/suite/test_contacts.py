"""Journeys through contacts: create, read, change, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import CONTACTS, Mailbox
from outlook_contract.suite.contacts import LISTS, PLACE, TEXTS, WHOLE_SECONDS

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

ADDRESSES = {
    "HomeAddress": PLACE,
    "BusinessAddress": {**PLACE, "City": "Milan"},
    "OtherAddress": {**PLACE, "City": "Bari"},
}


def create(mailbox: Mailbox, text: str, **members: Any) -> Any:
    """Create a contact whose given name has the marker of the run, and return it."""
    body = {"GivenName": mailbox.name(text), "HomePhones": [], **members}
    return mailbox.ok("ContactPostItem", body, table=CONTACTS)


def read(mailbox: Mailbox, contact: Any) -> Any:
    """The contact as it is now."""
    return mailbox.ok("ContactGetItem", table=CONTACTS, id=contact["Id"])


def change(mailbox: Mailbox, contact: Any, **members: Any) -> Any:
    """Change a contact, and return it; the two members that the definition requires are sent as they were."""
    required = {name: contact[name] for name in ("GivenName", "HomePhones")}
    return mailbox.ok("ContactPatchItem", {**required, **members}, table=CONTACTS, id=contact["Id"])


def test_a_contact_keeps_every_member(mailbox: Mailbox) -> None:
    """What was sent comes back in the answer to the creation, and when the contact is read."""
    sent = {**TEXTS, **LISTS, **ADDRESSES, "DisplayName": "Ada L.", "Birthday": "1815-12-10"}
    created = create(mailbox, "Whole", **sent)
    expected = {**sent, "GivenName": mailbox.name("Whole"), "Birthday": "1815-12-10T00:00:00+00:00"}
    mailbox.members("ContactPostItem", "", created, expected)
    mailbox.members("ContactGetItem", "", read(mailbox, created), {**expected, "Id": created["Id"]})


def test_a_created_contact_is_a_201(mailbox: Mailbox) -> None:
    """Creating answers 201 and changing 200 (recorded on the sibling connector)."""
    body = {"GivenName": mailbox.name("Status"), "HomePhones": []}
    exchange = mailbox.call("ContactPostItem", body, table=CONTACTS)
    mailbox.equal("ContactPostItem", "status", exchange.status, 201)
    exchange = mailbox.call("ContactPatchItem", body, table=CONTACTS, id=exchange.json()["Id"])
    mailbox.equal("ContactPatchItem", "status", exchange.status, 200)


def test_a_bare_contact_has_defaults(mailbox: Mailbox) -> None:
    """What was not sent is null or an empty list; three texts are empty once they are read.

    Recorded on the sibling connector, but for MobilePhone1 in a read before a change.
    """
    created = create(mailbox, "Bare")
    empty: dict[str, Any] = {name: [] for name in LISTS}
    texts = dict.fromkeys(name for name in TEXTS if name not in ("AssistantName", "Manager", "MobilePhone1"))
    later = dict.fromkeys(("AssistantName", "Manager", "MobilePhone1"), "")
    expected = {**empty, **texts, "Birthday": None, "FileAs": "", "DisplayName": mailbox.name("Bare")}
    mailbox.members("ContactPostItem", "", created, {**expected, **dict.fromkeys(later)})
    mailbox.members("ContactGetItem", "", read(mailbox, created), {**expected, **later})


def test_the_times_of_a_contact_are_whole_seconds(mailbox: Mailbox) -> None:
    """Both pairs of times are UTC, in whole seconds (recorded on the sibling connector)."""
    created = create(mailbox, "Times")
    for member in ("CreatedDateTime", "LastModifiedDateTime", "DateTimeCreated", "DateTimeLastModified"):
        value = str(created.get(member))
        mailbox.holds("ContactPostItem", member, value, "whole seconds, +00:00", bool(WHOLE_SECONDS.fullmatch(value)))
    mailbox.equal("ContactPostItem", "DateTimeCreated", created["DateTimeCreated"], created["CreatedDateTime"])


def test_the_display_name_is_made_of_the_names(mailbox: Mailbox) -> None:
    """Without DisplayName a contact has one made of its names; one that was sent stays (documented for Graph)."""
    name = mailbox.name("Made")
    mailbox.equal("ContactPostItem", "DisplayName", create(mailbox, "Made", Surname="Up")["DisplayName"], f"{name} Up")
    mailbox.equal(
        "ContactPostItem", "DisplayName", create(mailbox, "Sent", DisplayName="As sent")["DisplayName"], "As sent"
    )


def test_a_change_keeps_texts_and_clears_lists(mailbox: Mailbox) -> None:
    """Texts that a change does not send stay, lists are emptied, and the display name is made anew.

    Recorded on the sibling connector.
    """
    kept = {"CompanyName": "Engines", "Birthday": "1815-12-10T00:00:00+00:00", "HomeAddress": PLACE}
    created = create(mailbox, "Before", DisplayName="Sent", **kept, **LISTS)
    changed = change(mailbox, created, GivenName=mailbox.name("After"), HomePhones=["+44 9"])
    expected: dict[str, Any] = {name: [] for name in LISTS}
    expected |= {"Id": created["Id"], **kept, "HomePhones": ["+44 9"], "MobilePhone1": ""}
    expected |= {"GivenName": mailbox.name("After"), "DisplayName": mailbox.name("After")}
    mailbox.members("ContactPatchItem", "", changed, expected)
    mailbox.members("ContactGetItem", "", read(mailbox, created), expected)


def test_a_change_sets_what_it_sends(mailbox: Mailbox) -> None:
    """Every member that a change sends is replaced, and the change key is another."""
    created = create(mailbox, "Set", **TEXTS, **LISTS)
    sent: dict[str, Any] = {name: f"new {name}" for name in TEXTS}
    sent |= {"EmailAddresses": [{"Name": "New", "Address": "new@example.com"}], "Categories": ["Blue"]}
    changed = change(mailbox, created, **sent)
    mailbox.members("ContactPatchItem", "", changed, sent)
    key = changed["ChangeKey"]
    mailbox.holds("ContactPatchItem", "ChangeKey", key, "another than before", key != created["ChangeKey"])
    is_recorded = len(key) == 40 and key.startswith("EQAAABYAAA")
    mailbox.holds("ContactPatchItem", "ChangeKey", key, "40 characters from EQAAABYAAA on (recorded)", is_recorded)
    mailbox.equal("ContactPatchItem", "DateTimeCreated", changed["DateTimeCreated"], created["DateTimeCreated"])


def test_an_empty_text_clears_and_null_does_not(mailbox: Mailbox) -> None:
    """In a change, an empty text clears a member, and null counts as not sent (inferred)."""
    created = create(mailbox, "Cleared", CompanyName="Engines", JobTitle="Programmer")
    changed = change(mailbox, created, CompanyName="", JobTitle=None)
    mailbox.holds("ContactPatchItem", "body", changed["CompanyName"], "cleared", not changed["CompanyName"])
    mailbox.equal("ContactPatchItem", "body", changed["JobTitle"], "Programmer")


def test_a_deleted_contact_is_gone(mailbox: Mailbox) -> None:
    """A deleted contact is neither listed nor found."""
    created = create(mailbox, "Deleted")
    mailbox.ok("ContactDeleteItem", table=CONTACTS, id=created["Id"])
    ids = [contact["Id"] for contact in mailbox.ok("ContactGetItems", table=CONTACTS)["value"]]
    mailbox.holds("ContactGetItems", "value[].Id", len(ids), "not the deleted one", created["Id"] not in ids)
    body = {"GivenName": mailbox.name("Deleted"), "HomePhones": []}
    for operation in ("ContactGetItem", "ContactPatchItem", "ContactDeleteItem"):
        sent = body if operation == "ContactPatchItem" else None
        mailbox.refused(operation, 404, sent, table=CONTACTS, id=created["Id"], code="ErrorItemNotFound")


@pytest.mark.parametrize("operation", ["ContactGetItem", "ContactPatchItem", "ContactDeleteItem"])
def test_an_id_that_is_none_is_malformed(mailbox: Mailbox, operation: str) -> None:
    """A malformed id is a 400 (live notes on Graph)."""
    body = {"GivenName": mailbox.name("Nobody"), "HomePhones": []} if operation == "ContactPatchItem" else None
    mailbox.refused(operation, 400, body, table=CONTACTS, id="nope", code="ErrorInvalidIdMalformed")


@pytest.mark.parametrize(
    ("member", "entries", "most"),
    [
        ("EmailAddresses", [{"Name": str(n), "Address": f"a{n}@example.com"} for n in range(4)], 3),
        ("BusinessPhones", ["1", "2", "3"], 2),
        ("HomePhones", ["1", "2", "3"], 2),
    ],
)
def test_lists_have_a_largest_size(mailbox: Mailbox, member: str, entries: list[Any], most: int) -> None:
    """A contact has at most 3 addresses and 2 phones of a kind (recorded on Graph; HomePhones inferred)."""
    body = {"GivenName": mailbox.name(f"Too many {member}"), "HomePhones": [], member: entries}
    exchange = mailbox.refused("ContactPostItem", 400, body, table=CONTACTS)
    text = f"The multi value property {member} has {len(entries)} entries, that exceeds the max allowed value of {most}"
    seen = exchange.json().get("message", "")
    mailbox.holds("ContactPostItem", "message", seen, text, seen.startswith(text))
    kept = create(mailbox, f"Most {member}", **{member: entries[:most]})
    mailbox.equal("ContactPostItem", member, kept[member], entries[:most])


def test_a_contact_needs_a_given_name(mailbox: Mailbox) -> None:
    """The definition requires GivenName."""
    mailbox.refused("ContactPostItem", 400, {"HomePhones": []}, table=CONTACTS, code="ErrorInvalidRequest")


def test_a_contact_needs_values_of_the_declared_types(mailbox: Mailbox) -> None:
    """A text in the place of a list, and a birthday that is not a date, are refused."""
    body = {"GivenName": mailbox.name("Typed"), "HomePhones": []}
    for wrong in ({"EmailAddresses": "ada@example.com"}, {"Birthday": "tomorrow"}, {"Categories": [["Red"]]}):
        mailbox.refused("ContactPostItem", 400, {**body, **wrong}, table=CONTACTS, code="ErrorInvalidRequest")


def test_a_given_name_may_not_be_empty(mailbox: Mailbox) -> None:
    """GivenName is required, and an empty one counts as missing (inferred)."""
    body = {"GivenName": "", "HomePhones": [], "Surname": mailbox.name("Nobody")}
    mailbox.refused("ContactPostItem", 400, body, table=CONTACTS, code="ErrorInvalidRequest")


def test_empty_entries_of_lists_are_left_out(mailbox: Mailbox) -> None:
    """Workflow designers send an empty entry for a line that was left empty; the contact has none (inferred)."""
    lists = {"HomePhones": ["", "1"], "EmailAddresses": [{"Name": "", "Address": ""}], "Categories": ["Red", " "]}
    created = create(mailbox, "Empty entries", **lists)
    expected = {"HomePhones": ["1"], "EmailAddresses": [], "Categories": ["Red"]}
    mailbox.members("ContactPostItem", "", created, expected)


def test_a_mail_address_of_a_contact_has_an_at_sign(mailbox: Mailbox) -> None:
    """A text that is not a mail address is refused (inferred)."""
    body = {"GivenName": mailbox.name("No address"), "HomePhones": []}
    wrong = {"EmailAddresses": [{"Name": "Ada", "Address": "ada"}]}
    mailbox.refused("ContactPostItem", 400, {**body, **wrong}, table=CONTACTS, code="ErrorInvalidRequest")


def test_a_birthday_with_an_offset_is_an_instant(mailbox: Mailbox) -> None:
    """A birthday reads in UTC, whatever offset it was sent with (inferred)."""
    created = create(mailbox, "Offset", Birthday="1990-01-01T22:00:00-05:00")
    mailbox.equal("ContactPostItem", "Birthday", created["Birthday"], "1990-01-02T03:00:00+00:00")


def test_an_empty_text_reads_as_one_that_was_never_sent(mailbox: Mailbox) -> None:
    """A text that is sent empty, or cleared, is null like one that was never set (inferred)."""
    created = create(mailbox, "Empty texts", JobTitle="", CompanyName="Engines")
    mailbox.equal("ContactPostItem", "JobTitle", created["JobTitle"], None)
    mailbox.equal("ContactPatchItem", "CompanyName", change(mailbox, created, CompanyName="")["CompanyName"], None)


def test_a_contact_is_found_by_the_time_it_shows(mailbox: Mailbox) -> None:
    """Times are kept in whole seconds: a filter for the time that a contact shows finds it."""
    created = create(mailbox, "Found by time")
    query = f"DateTimeCreated eq {created['DateTimeCreated'].replace('+00:00', 'Z')}"
    ids = [contact["Id"] for contact in mailbox.ok("ContactGetItems", table=CONTACTS, filter=query)["value"]]
    mailbox.holds("ContactGetItems", "$filter", ids, "has the contact", created["Id"] in ids)


def test_the_time_of_a_change_moves_on(mailbox: Mailbox, emulator: Sandbox) -> None:
    """A change moves the time of change, under both of its names, and not that of the creation."""
    created = create(mailbox, "Later")
    emulator.clock.advance("1m")
    changed = change(mailbox, created, JobTitle="Late")
    for member in ("DateTimeLastModified", "LastModifiedDateTime"):
        mailbox.holds("ContactPatchItem", member, changed[member], "later", changed[member] > created[member])
    for member in ("DateTimeCreated", "CreatedDateTime"):
        mailbox.equal("ContactPatchItem", member, changed[member], created[member])


def test_a_contact_is_in_one_folder(mailbox: Mailbox, emulator: Sandbox) -> None:
    """A contact is found under its own folder alone."""
    connection = mailbox.url.rpartition("/")[2]
    name = mailbox.name("Folder")
    emulator.admin.request("POST", f"/connections/{connection}/contactfolders", json={"name": name})
    body = {"GivenName": mailbox.name("Apart"), "HomePhones": []}
    created = mailbox.ok("ContactPostItem", body, table=name)
    mailbox.ok("ContactGetItem", table=name, id=created["Id"])
    for operation, sent in (("ContactGetItem", None), ("ContactPatchItem", body), ("ContactDeleteItem", None)):
        mailbox.refused(operation, 404, sent, table=CONTACTS, id=created["Id"], code="ErrorItemNotFound")
    ids = [contact["Id"] for contact in mailbox.ok("ContactGetItems", table=CONTACTS)["value"]]
    mailbox.equal("ContactGetItems", "value[].Id", created["Id"] in ids, False)
    ids = [contact["Id"] for contact in mailbox.ok("ContactGetItems", table=name)["value"]]
    mailbox.equal("ContactGetItems", "value[].Id", ids, [created["Id"]])
