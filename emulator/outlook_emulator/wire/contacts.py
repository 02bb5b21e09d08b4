"""The shapes of contacts, and of the addresses that they share with events."""

from typing import Annotated, Required

from typing_extensions import TypedDict

from outlook_emulator.wire.base import DateTime, Email, Schema


class EmailAddress(TypedDict):
    """A mail address and its display name."""

    Name: str
    Address: Email


class PhysicalAddress(TypedDict):
    """A postal address; an unknown part is null."""

    Street: str | None
    City: str | None
    State: str | None
    CountryOrRegion: str | None
    PostalCode: str | None


class ContactDetails(TypedDict):
    """The members of a contact in requests and responses, none of them required."""

    Id: str
    ParentFolderId: str
    Birthday: DateTime | None
    FileAs: str | None
    DisplayName: str | None
    Initials: str | None
    MiddleName: str | None
    NickName: str | None
    Surname: str | None
    Title: str | None
    Generation: str | None
    EmailAddresses: Annotated[list[EmailAddress], Schema(most_items=3)]
    ImAddresses: list[str]
    JobTitle: str | None
    CompanyName: str | None
    Department: str | None
    OfficeLocation: str | None
    Profession: str | None
    BusinessHomePage: str | None
    AssistantName: str | None
    Manager: str | None
    BusinessPhones: Annotated[list[str], Schema(most_items=2)]
    MobilePhone1: str | None
    HomeAddress: PhysicalAddress
    BusinessAddress: PhysicalAddress
    OtherAddress: PhysicalAddress
    YomiCompanyName: str | None
    YomiGivenName: str | None
    YomiSurname: str | None
    Categories: list[str]
    ChangeKey: str
    DateTimeCreated: DateTime
    DateTimeLastModified: DateTime


# Apart from the others, since requests require these two members.
class _AnsweredNames(TypedDict):
    GivenName: str | None
    HomePhones: list[str]


class ContactResponse(_AnsweredNames, ContactDetails):
    """A contact in a response: every member is present, null where unset."""


class Contact(ContactDetails):
    """A contact in a request."""

    GivenName: Required[Annotated[str, Schema(pattern=r"\S")]]
    # Required by the description, but left out by real clients.
    HomePhones: Required[Annotated[list[str], Schema(lenient=True, most_items=2)]]
