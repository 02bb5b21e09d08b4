"""Checks of every member of a mail, an event, a contact and a table: value, form and order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox
from outlook_contract.plugin import ContractRun
from outlook_contract.suite.events import V1, V2, V3, change, create, day, listed, viewed

_NEVER = "0001-01-01T00:00:00+00:00"
_FILE = {"Name": "a.txt", "ContentBytes": "aGk="}
_MAIL = [
    "Id",
    "DateTimeReceived",
    "HasAttachment",
    "InternetMessageId",
    "Subject",
    "BodyPreview",
    "Importance",
    "ConversationId",
    "IsRead",
    "IsHtml",
    "Body",
    "From",
    "To",
    "Cc",
    "Bcc",
    "ReplyTo",
    "Attachments",
]
_MAIL_IN_WORDS = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "ReplyTo",
    "Subject",
    "Body",
    "Importance",
    "BodyPreview",
    "HasAttachment",
    "Id",
    "InternetMessageId",
    "ConversationId",
    "DateTimeReceived",
    "IsRead",
    "Attachments",
    "IsHtml",
]
_ATTACHMENT = ["Id", "Name", "ContentBytes", "ContentType", "Size", "IsInline", "LastModifiedDateTime", "ContentId"]
_EVENT = [
    "Subject",
    "Start",
    "End",
    "ShowAs",
    "Recurrence",
    "ResponseType",
    "ResponseTime",
    "ICalUId",
    "Importance",
    "Id",
    "DateTimeCreated",
    "DateTimeLastModified",
    "Organizer",
    "TimeZone",
    "SeriesMasterId",
    "Categories",
    "WebLink",
    "RequiredAttendees",
    "OptionalAttendees",
    "ResourceAttendees",
    "Body",
    "IsHtml",
    "Location",
    "IsAllDay",
    "RecurrenceEnd",
    "NumberOfOccurrences",
    "Reminder",
    "ResponseRequested",
]
_NESTED_EVENT = [
    "Id",
    "Attendees",
    "Body",
    "BodyPreview",
    "Categories",
    "ChangeKey",
    "DateTimeCreated",
    "DateTimeLastModified",
    "End",
    "EndTimeZone",
    "HasAttachments",
    "ICalUId",
    "Importance",
    "IsAllDay",
    "IsCancelled",
    "IsOrganizer",
    "Location",
    "Organizer",
    "Recurrence",
    "Reminder",
    "ResponseRequested",
    "ResponseStatus",
    "SeriesMasterId",
    "ShowAs",
    "Start",
    "StartTimeZone",
    "Subject",
    "Type",
    "WebLink",
    "Reason",
]
_CONTACT = [
    "CreatedDateTime",
    "LastModifiedDateTime",
    "Id",
    "ParentFolderId",
    "Birthday",
    "FileAs",
    "DisplayName",
    "GivenName",
    "Initials",
    "MiddleName",
    "NickName",
    "Surname",
    "Title",
    "Generation",
    "EmailAddresses",
    "ImAddresses",
    "JobTitle",
    "CompanyName",
    "Department",
    "OfficeLocation",
    "Profession",
    "BusinessHomePage",
    "AssistantName",
    "Manager",
    "HomePhones",
    "BusinessPhones",
    "MobilePhone1",
    "HomeAddress",
    "BusinessAddress",
    "OtherAddress",
    "YomiCompanyName",
    "YomiGivenName",
    "YomiSurname",
    "Categories",
    "ChangeKey",
    "DateTimeCreated",
    "DateTimeLastModified",
]
_NO_PLACE = dict.fromkeys(("Street", "City", "State", "CountryOrRegion", "PostalCode"))
_NO_POINT = dict.fromkeys(("Altitude", "Latitude", "Longitude", "Accuracy", "AltitudeAccuracy"))
_SOON = timedelta(minutes=10)
"""How far the clocks of this machine and the target may differ."""


# --- Order ---


def test_the_members_of_a_mail_have_their_order(mailbox: Mailbox, own_address: str) -> None:
    """The forms of a mail, and attachments, have their members in the recorded order."""
    mail = mailbox.to_self("Order", Attachments=[_FILE])
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50}
    in_words = next(item for item in mailbox.ok("GetEmails", **query) if item["Id"] == mail["Id"])
    mailbox.equal("GetEmailsV2", "value[] members", list(mail), _MAIL)
    mailbox.equal("GetEmail", "members", list(mailbox.ok("GetEmail", messageId=mail["Id"])), _MAIL)
    mailbox.equal("GetEmails", "[] members", list(in_words), _MAIL_IN_WORDS)
    mailbox.equal("GetEmailsV2", "value[].Attachments[] members", list(mail["Attachments"][0]), _ATTACHMENT)
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    # Recorded: the answer of Move alone begins with the importance.
    in_order = ["Importance", *(name for name in _MAIL_IN_WORDS if name != "Importance")]
    mailbox.equal("Move", "members", list(moved), in_order)


def test_the_members_of_an_event_have_their_order(mailbox: Mailbox) -> None:
    """Flat and nested events have their members in the order of the Office 365 twin's recordings."""
    for version, expected in ((V1, _NESTED_EVENT), (V2, _EVENT), (V3, _EVENT)):
        created = create(mailbox, f"Created by {version.create}", version=version)
        mailbox.equal(version.create, "members", list(created), expected)
        item = next(item for item in listed(mailbox, version=version) if item["Id"] == created["Id"])
        mailbox.equal(version.list, "value[] members", list(item), expected)


def test_the_members_of_a_contact_have_their_order(mailbox: Mailbox) -> None:
    """A contact has its members in the order of the sibling connector's recordings."""
    created = mailbox.ok("ContactPostItem", {"GivenName": mailbox.name("Order"), "HomePhones": []}, table=CONTACTS)
    mailbox.equal("ContactPostItem", "members", list(created), _CONTACT)
    read = mailbox.ok("ContactGetItem", table=CONTACTS, id=created["Id"])
    mailbox.equal("ContactGetItem", "members", list(read), _CONTACT)


# --- Mail ---


def test_every_member_of_a_mail_in_both_forms(contract: ContractRun, mailbox: Mailbox, own_address: str) -> None:
    """A mail says the same in every operation; only the importance is spelled in two ways."""
    mail = mailbox.to_self("Members", Attachments=[_FILE], Cc=own_address, ReplyTo=own_address)
    expected: dict[str, Any] = {
        "HasAttachment": True,
        "Subject": mailbox.name("Members"),
        "BodyPreview": "Hello",
        "Importance": 1,
        "IsRead": False,
        "IsHtml": True,
        "From": own_address,
        "To": own_address,
        "Cc": own_address,
        "Bcc": None,
        "ReplyTo": own_address,
    }
    mailbox.members("GetEmailsV2", "value[]", mail, expected)
    _is_recent(contract, mailbox, "GetEmailsV2", "value[].DateTimeReceived", mail["DateTimeReceived"])
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50}
    in_words = next(item for item in mailbox.ok("GetEmails", **query) if item["Id"] == mail["Id"])
    mailbox.members("GetEmails", "[]", in_words, {**mail, "Importance": "Normal"})
    mailbox.members("GetEmail", "", mailbox.ok("GetEmail", messageId=mail["Id"]), mail)
    (file,) = mail["Attachments"]
    expected = {"Name": "a.txt", "ContentBytes": None, "ContentType": "text/plain", "IsInline": False}
    mailbox.members("GetEmailsV2", "value[].Attachments[]", file, {**expected, "ContentId": None})
    member = "value[].Attachments[].LastModifiedDateTime"
    _is_recent(contract, mailbox, "GetEmailsV2", member, file["LastModifiedDateTime"])


# --- Events ---


def test_every_member_of_a_bare_event(contract: ContractRun, mailbox: Mailbox, own_address: str) -> None:
    """An event of which only subject and times were sent has a value in each member, the same in every operation.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    created = create(mailbox, "Bare members", day(50, 10))
    expected: dict[str, Any] = {
        "ShowAs": "Free",
        "Recurrence": "None",
        "ResponseType": "Organizer",
        "ResponseTime": _NEVER,
        "ICalUId": None,
        "Importance": "Low",
        "Organizer": own_address,
        "TimeZone": "UTC",
        "SeriesMasterId": None,
        "Categories": [],
        "WebLink": None,
        "RequiredAttendees": "",
        "OptionalAttendees": "",
        "ResourceAttendees": "",
        "IsAllDay": False,
        "Location": "",
        "RecurrenceEnd": None,
        "NumberOfOccurrences": None,
        "Reminder": 15,
        "ResponseRequested": True,
    }
    mailbox.members("V3CalendarPostItem", "", created, expected)
    for member in ("DateTimeCreated", "DateTimeLastModified"):
        _is_recent(contract, mailbox, "V3CalendarPostItem", member, created[member])
    read = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"])
    mailbox.members("V2CalendarGetItem", "", read, created)
    numbers = {"ShowAs": 0, "Recurrence": 0, "ResponseType": 1, "Importance": 0}
    for version, more in ((V2, {}), (V3, numbers)):
        item = next(item for item in listed(mailbox, version=version) if item["Id"] == created["Id"])
        mailbox.members(version.list, "value[]", item, {**created, **more})


def test_every_member_of_a_nested_event(contract: ContractRun, mailbox: Mailbox, own_address: str) -> None:
    """The first version says of an event what the later ones say, and what only it and the views have.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    details: dict[str, Any] = {
        "ShowAs": "Oof",
        "Importance": "High",
        "Reminder": 30,
        "Body": "<p>One</p>",
        "Location": "Hall",
    }
    flat = create(mailbox, "Nested members", day(51, 10), **details)
    nested = mailbox.ok("CalendarGetItem", table=CALENDAR, id=flat["Id"])
    (item,) = viewed(mailbox, day(51, 9), day(51, 12))
    same = ["Id", "Subject", "ShowAs", "Importance", "Reminder", "DateTimeCreated", "DateTimeLastModified"]
    same += ["SeriesMasterId", "ResponseRequested", "IsAllDay", "Categories"]
    expected: dict[str, Any] = {name: flat[name] for name in same}
    expected |= {
        "Attendees": [],
        "Body": {"ContentType": "HTML", "Content": flat["Body"]},
        "BodyPreview": "One",
        "Start": f"{day(51, 10):%Y-%m-%dT%H:%M:%S}+00:00",
        "End": f"{day(51, 10) + timedelta(minutes=30):%Y-%m-%dT%H:%M:%S}+00:00",
        "StartTimeZone": "UTC",
        "EndTimeZone": "UTC",
        "HasAttachments": False,
        "ICalUId": item["ICalUId"],
        "IsCancelled": False,
        "IsOrganizer": True,
        "Location": {"DisplayName": "Hall", "Address": _NO_PLACE, "Coordinates": _NO_POINT},
        "Recurrence": None,
        "ResponseStatus": {"Response": "Organizer", "Time": _NEVER},
        "Type": "SingleInstance",
        "WebLink": item["WebLink"],
        "Reason": None,
    }
    mailbox.members("CalendarGetItem", "", nested, expected)
    mailbox.equal("CalendarGetItem", "Organizer", nested["Organizer"]["EmailAddress"]["Address"], own_address)
    (entry,) = [entry for entry in listed(mailbox, version=V1) if entry["Id"] == flat["Id"]]
    mailbox.members("CalendarGetItems", "value[]", entry, nested)
    only_viewed = {"ICalUId": item["ICalUId"], "WebLink": item["WebLink"]}
    mailbox.members("GetEventsCalendarViewV2", "value[]", item, {**flat, **only_viewed})


def test_the_change_key_of_an_event_changes(mailbox: Mailbox) -> None:
    """A change of an event gives it another ChangeKey and a later time of change; reading does not."""
    created = create(mailbox, "Key", day(52))
    reads = [mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"]) for _ in range(2)]
    mailbox.equal("CalendarGetItem", "ChangeKey", reads[1]["ChangeKey"], reads[0]["ChangeKey"])
    changed = change(mailbox, created, Location="Hall")
    after = mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
    key = after["ChangeKey"]
    mailbox.holds("CalendarGetItem", "ChangeKey", key, "another than before", key != reads[0]["ChangeKey"])
    mailbox.equal("V3CalendarPatchItem", "DateTimeCreated", changed["DateTimeCreated"], created["DateTimeCreated"])
    first, last = (datetime.fromisoformat(item["DateTimeLastModified"]) for item in (created, changed))
    mailbox.holds("V3CalendarPatchItem", "DateTimeLastModified", f"{last}", f"after {first}", last > first)


def test_the_place_of_an_event_has_its_parts(mailbox: Mailbox) -> None:
    """An address and coordinates that the first version was sent are in its reads."""
    address = {"Street": "1 Mill", "City": "Rome", "State": "RM", "CountryOrRegion": "Italy", "PostalCode": "00100"}
    point = {"Altitude": 20.5, "Latitude": 41.9, "Longitude": 12.5, "Accuracy": 5.0, "AltitudeAccuracy": 2.0}
    place = {"DisplayName": "Mill", "Address": address, "Coordinates": point}
    created = create(
        mailbox, "Place", day(52), version=V1, Location=place, Categories=["Red", "Blue"], ShowAs="Tentative"
    )
    mailbox.members("CalendarPostItem", "", created, {"Location": place, "Categories": ["Red", "Blue"]})
    read = mailbox.ok("CalendarGetItem", table=CALENDAR, id=created["Id"])
    mailbox.members(
        "CalendarGetItem", "", read, {"Location": place, "Categories": ["Red", "Blue"], "ShowAs": "Tentative"}
    )
    flat = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"])
    mailbox.members(
        "V2CalendarGetItem", "", flat, {"Location": "Mill", "Categories": ["Red", "Blue"], "ShowAs": "Tentative"}
    )


# --- Contacts and tables ---


def test_every_member_of_a_contact(contract: ContractRun, mailbox: Mailbox) -> None:
    """A contact names its folder and both pairs of its times, in lists as in reads."""
    created = mailbox.ok("ContactPostItem", {"GivenName": mailbox.name("Members"), "HomePhones": []}, table=CONTACTS)
    folders = [table["Name"] for table in mailbox.ok("ContactGetTables")["value"]]
    folder = created["ParentFolderId"]
    mailbox.holds("ContactPostItem", "ParentFolderId", folder, "a folder of contacts", folder in folders)
    for member in ("CreatedDateTime", "LastModifiedDateTime", "DateTimeCreated", "DateTimeLastModified"):
        _is_recent(contract, mailbox, "ContactPostItem", member, created[member])
    for name in ("HomeAddress", "BusinessAddress", "OtherAddress"):
        mailbox.equal("ContactPostItem", name, created[name], _NO_PLACE)
    read = mailbox.ok("ContactGetItem", table=CONTACTS, id=created["Id"])
    same = ("Id", "ParentFolderId", "ChangeKey", "DateTimeCreated", "CreatedDateTime", "LastModifiedDateTime")
    mailbox.members("ContactGetItem", "", read, {name: created[name] for name in same})
    name = mailbox.name("Members")
    (item,) = mailbox.ok("ContactGetItems", table=CONTACTS, filter=f"GivenName eq '{name}'")["value"]
    mailbox.members("ContactGetItems", "value[]", item, read)


@pytest.mark.reads
def test_every_member_of_a_table(mailbox: Mailbox, own_address: str) -> None:
    """Calendars name their owner, contact folders do not; neither has items of its own. Recorded."""
    calendars = mailbox.ok("CalendarGetTables")["value"]
    for table in calendars:
        mailbox.equal(
            "CalendarGetTables", "value[] members", list(table), ["Name", "DisplayName", "DynamicProperties", "items"]
        )
        mailbox.equal("CalendarGetTables", "value[].items", table["items"], [])
    owner = next(table for table in calendars if table["DisplayName"] == "Calendar")["DynamicProperties"]["Owner"]
    mailbox.equal("CalendarGetTables", "value[].DynamicProperties.Owner", list(owner), ["Name", "Address"])
    mailbox.equal("CalendarGetTables", "value[].DynamicProperties.Owner.Address", owner["Address"], own_address)
    mailbox.holds(
        "CalendarGetTables", "value[].DynamicProperties.Owner.Name", owner["Name"], "a name", bool(owner["Name"])
    )
    for table in mailbox.ok("ContactGetTables")["value"]:
        mailbox.equal("ContactGetTables", "value[] members", list(table), ["Name", "DisplayName", "items"])
        mailbox.equal("ContactGetTables", "value[].items", table["items"], [])


def _is_recent(contract: ContractRun, mailbox: Mailbox, operation: str, member: str, text: str) -> None:
    seen, now = datetime.fromisoformat(text), contract.now()
    mailbox.holds(operation, member, text, f"about {now:%Y-%m-%dT%H:%M:%S}", abs(seen - now) < _SOON)
