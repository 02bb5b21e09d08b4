"""Converts request bodies to contact cards, and contacts to response bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, cast

import orjson

from outlook_emulator.clock import iso_seconds, microseconds, moment
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.ids import IdKind, change_key, encode
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.item_folders import Listed
from outlook_emulator.mailbox.message import Address
from outlook_emulator.store import records
from outlook_emulator.wire.base import members_of, snake_case
from outlook_emulator.wire.contacts import Contact, ContactResponse, EmailAddress, PhysicalAddress
from outlook_emulator.wire.metadata import EntityListResponse, Table, TableMetadata
from outlook_emulator.wire.metadata_convert import listed, table_metadata

_LISTS = ("ImAddresses", "HomePhones", "BusinessPhones", "Categories")
_PLACES = ("Home", "Business", "Other")
_PLACE_PARTS = ("Street", "City", "State", "CountryOrRegion", "PostalCode")
_TEXTS = tuple(
    name
    for name in members_of(Contact)
    if any(field.name == snake_case(name) and field.type == "str | None" for field in fields(Card))
)
_REQUIRED = ("GivenName",)
"""The required members in the recorded metadata of a contact folder: fewer than the operation's description has."""
_READ_ONLY = ("Id", "ParentFolderId", "ChangeKey", "DateTimeCreated", "DateTimeLastModified")


def card(shape: Contact) -> Card:
    """What a caller says of a contact; what only the connector can say is passed over.

    An empty text means the same as none (inferred). Raises InvalidRequest, naming the member.
    """
    members: dict[str, Any] = dict(shape)
    for name, value in members.items():
        _refuse_nul(value, name)
    values: dict[str, Any] = {snake_case(name): members.get(name) or None for name in _TEXTS}
    values |= {snake_case(name): _filled_entries(members.get(name, ())) for name in _LISTS}
    for place in _PLACES:
        values |= _place_columns(place.lower(), members.get(f"{place}Address", {}))
    return Card(
        birthday=_birthday(members.get("Birthday")),
        email_addresses=_email_addresses(members.get("EmailAddresses", ())),
        **values,
    )


def tables(found: Sequence[Listed]) -> EntityListResponse[Table]:
    """A list of contact folders, named by their ids. Only the two names are declared; the rest is recorded."""
    return listed([{"Name": one.id, "DisplayName": one.name, "items": []} for one in found])


def table(listed: Listed) -> TableMetadata:
    """The metadata of a contact folder."""
    return table_metadata(listed.id, listed.name, ContactResponse, _REQUIRED, _READ_ONLY)


def contacts(found: Sequence[records.Contact]) -> EntityListResponse[ContactResponse]:
    """A page of contacts in the envelope of tables."""
    return listed([contact(one) for one in found])


def contact(stored: records.Contact) -> ContactResponse:
    """A contact; key order as recorded. Its times also have a second name, which is not declared (recorded)."""
    # Recorded without a fraction; one is only shown where two changes would look alike.
    created, modified = moment(stored.created).isoformat(), moment(stored.modified).isoformat()
    undeclared = {"CreatedDateTime": created, "LastModifiedDateTime": modified}
    declared: ContactResponse = {
        "Id": encode(IdKind.CONTACT, stored.mailbox_id, stored.id),
        "ParentFolderId": encode(IdKind.CONTACT_FOLDER, stored.mailbox_id, stored.folder_id),
        "Birthday": None if stored.birthday is None else iso_seconds(stored.birthday),
        "FileAs": stored.file_as,
        "DisplayName": stored.display_name,
        "GivenName": stored.given_name,
        "Initials": stored.initials,
        "MiddleName": stored.middle_name,
        "NickName": stored.nick_name,
        "Surname": stored.surname,
        "Title": stored.title,
        "Generation": stored.generation,
        "EmailAddresses": [_email_address(*one) for one in orjson.loads(stored.email_addresses)],
        "ImAddresses": orjson.loads(stored.im_addresses),
        "JobTitle": stored.job_title,
        "CompanyName": stored.company_name,
        "Department": stored.department,
        "OfficeLocation": stored.office_location,
        "Profession": stored.profession,
        "BusinessHomePage": stored.business_home_page,
        "AssistantName": stored.assistant_name or "",
        "Manager": stored.manager or "",
        "HomePhones": orjson.loads(stored.home_phones),
        "BusinessPhones": orjson.loads(stored.business_phones),
        "MobilePhone1": stored.mobile_phone1,
        "HomeAddress": _place(stored, "home"),
        "BusinessAddress": _place(stored, "business"),
        "OtherAddress": _place(stored, "other"),
        "YomiCompanyName": stored.yomi_company_name,
        "YomiGivenName": stored.yomi_given_name,
        "YomiSurname": stored.yomi_surname,
        "Categories": orjson.loads(stored.categories),
        "ChangeKey": change_key(stored.id, stored.version),
        "DateTimeCreated": created,
        "DateTimeLastModified": modified,
    }
    return cast(ContactResponse, undeclared | declared)


def _email_address(address: str, name: str) -> EmailAddress:
    return {"Name": name, "Address": address}


def _place(stored: records.Contact, place: str) -> PhysicalAddress:
    return {
        "Street": getattr(stored, f"{place}_street"),
        "City": getattr(stored, f"{place}_city"),
        "State": getattr(stored, f"{place}_state"),
        "CountryOrRegion": getattr(stored, f"{place}_country_or_region"),
        "PostalCode": getattr(stored, f"{place}_postal_code"),
    }


def _place_columns(place: str, address: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{place}_{snake_case(part)}": address.get(part) or None for part in _PLACE_PARTS}


def _filled_entries(texts: Sequence[str]) -> tuple[str, ...]:
    """The entries of a list without the empty ones that designers send."""
    return tuple(text for text in texts if text.strip())


def _email_addresses(given: Sequence[Mapping[str, str]]) -> tuple[Address, ...]:
    found = [Address(one.get("Address", "").strip(), one.get("Name", "")) for one in given]
    for index, one in enumerate(found):
        before, _, after = one.address.partition("@")
        # An entry without anything in it is what designers send for a line that was left empty.
        if any(one) and not (before and after):
            raise InvalidRequest(
                f"The property 'EmailAddresses[{index}].Address' must be a mail address, not '{one.address[:200]}'."
            )
    return tuple(one for one in found if any(one))


def _birthday(text: str | None) -> int | None:
    """A date or a date and time in microseconds since 1970; without an offset it is in UTC."""
    if not text or not text.strip():
        return None
    try:
        found = microseconds(datetime.fromisoformat(text.strip()))
        # An offset can move the first or last of all days out of what can be written.
        iso_seconds(found)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"The property 'Birthday' must be a date, not '{text[:100]}'.") from None
    return found


def _refuse_nul(value: Any, where: str) -> None:
    """No text of a contact may hold a NUL, which ends a text early in places that a caller cannot see."""
    if isinstance(value, str) and "\x00" in value:
        raise InvalidRequest(f"The property '{where}' must not contain a NUL character.")
    if isinstance(value, list):
        for index, one in enumerate(value):
            _refuse_nul(one, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            _refuse_nul(one, f"{where}.{name}")
