"""What designers call the members of a table, in the order in which its metadata names them.

The titles are those on the connector's documentation page; those of contacts and their order are recorded as well.
"""

from __future__ import annotations

CONTACT = {
    "Id": "Id",
    "ParentFolderId": "Parent folder id",
    "Birthday": "Birthday",
    "FileAs": "File as",
    "DisplayName": "Display Name",
    "GivenName": "Given name",
    "Initials": "Initials",
    "MiddleName": "Middle name",
    "NickName": "Nickname",
    "Surname": "Surname",
    "Title": "Title",
    "Generation": "Generation",
    "EmailAddresses": "Email addresses",
    "ImAddresses": "IM addresses",
    "JobTitle": "JobTitle",
    "CompanyName": "Company name",
    "Department": "Department",
    "OfficeLocation": "Office location",
    "Profession": "Profession",
    "BusinessHomePage": "Business home page",
    "AssistantName": "Assistant name",
    "Manager": "Manager",
    "HomePhones": "Home phones",
    "BusinessPhones": "Business phones",
    "MobilePhone1": "Mobile phone",
    "HomeAddress": "Home address",
    "BusinessAddress": "Business address",
    "OtherAddress": "Other address",
    "YomiCompanyName": "Yomi company name",
    "YomiGivenName": "Yomi given name",
    "YomiSurname": "Yomi surname",
    "Categories": "Categories",
    "ChangeKey": "Change key",
    "DateTimeCreated": "Created time",
    "DateTimeLastModified": "Last modified time",
}

CONTACT_SHOWN_AT_ONCE = frozenset(
    ("Id", "DisplayName", "GivenName", "EmailAddresses", "CompanyName", "HomePhones", "BusinessPhones", "MobilePhone1")
)
"""The members of a contact that a designer shows at once; it shows the others on request (recorded)."""

EVENT = {
    "Id": "Id",
    "Attendees": "Attendees",
    "Body": "Body",
    "BodyPreview": "Body preview",
    "Categories": "Categories",
    "ChangeKey": "Change key",
    "DateTimeCreated": "Created time",
    "DateTimeLastModified": "Last modified time",
    "End": "End time",
    "EndTimeZone": "End time zone",
    "HasAttachments": "Has attachments?",
    "ICalUId": "Event Unique ID",
    "Importance": "Importance",
    "IsAllDay": "Is all day event?",
    "IsCancelled": "Is cancelled?",
    "IsOrganizer": "Is Organizer",
    "Location": "Location",
    "Organizer": "Organizer",
    "Recurrence": "Recurrence",
    "Reminder": "Reminder",
    "ResponseRequested": "Response requested",
    "ResponseStatus": "ResponseStatus",
    "SeriesMasterId": "Series master id",
    "ShowAs": "Show as",
    "Start": "Start time",
    "StartTimeZone": "Start time zone",
    "Subject": "Subject",
    "Type": "Type",
    "WebLink": "Web link",
    "Reason": "Reason",
}
