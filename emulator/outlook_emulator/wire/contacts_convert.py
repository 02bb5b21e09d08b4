"""Converts request bodies to contact cards, and contacts to response bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

import orjson

from outlook_emulator.clock import instant_of, iso_seconds, read_iso
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.ids import IdKind, contact_change_key, encode
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.item_folders import Listed
from outlook_emulator.mailbox.message import Address
from outlook_emulator.store import records
from outlook_emulator.wire.base import members_of, snake_case
from outlook_emulator.wire.contacts import Contact, ContactResponse, EmailAddress, PhysicalAddress
from outlook_emulator.wire.metadata import EntityListResponse, Table, TableMetadata
from outlook_emulator.wire.metadata_convert import listed, table_metadata
from outlook_emulator.wire.table_titles import CONTACT, CONTACT_SHOWN_AT_ONCE

_LISTS = ("ImAddresses", "HomePhones", "BusinessPhones", "Categories")
_PLACES = ("Home", "Business", "Other")
_PLACE_PARTS = ("Street", "City", "State", "CountryOrRegion", "PostalCode")
_TEXT_FIELDS = frozenset(field.name for field in fields(Card) if field.type == "str | None")
_TEXTS = tuple(name for name in members_of(Contact) if snake_case(name) in _TEXT_FIELDS)
_REQUIRED = ("GivenName",)
"""The required members in the recorded metadata of a contact folder; the operation's description has more."""
_NULL_AT_FIRST = ("AssistantName", "Manager", "MobilePhone1")
_READ_ONLY = ("Id", "ParentFolderId", "ChangeKey", "DateTimeCreated", "DateTimeLastModified")


def card(shape: Contact) -> Card:
    """Convert a request body to a contact card. Raises InvalidRequest, which names the member."""
    return Card(**changes(shape))


def changes(shape: Contact) -> dict[str, Any]:
    """Convert a request body to the fields of a card that it sets; read-only members are ignored.

    A null counts as missing, as in recorded bodies of clients that send whole models, and an empty text clears
    (inferred). A display name that is empty counts as missing. Raises InvalidRequest, which names the member.
    """
    members: dict[str, Any] = {name: value for name, value in dict(shape).items() if value is not None}
    for name, value in members.items():
        _refuse_nul(value, name)
    if not members.get("DisplayName"):
        members.pop("DisplayName", None)
    values: dict[str, Any] = {snake_case(name): members[name] or None for name in _TEXTS if name in members}
    values |= {snake_case(name): _filled_entries(members[name]) for name in _LISTS if name in members}
    for place in _PLACES:
        values |= _place_columns(place.lower(), members.get(f"{place}Address", {}))
    if "Birthday" in members:
        values["birthday"] = _birthday(members["Birthday"])
    if "EmailAddresses" in members:
        values["email_addresses"] = _email_addresses(members["EmailAddresses"])
    return values


def tables(folders: Sequence[Listed]) -> EntityListResponse[Table]:
    """A list of contact folders. `Name` is the id; `items` is not declared (recorded)."""
    return listed([{"Name": folder.id, "DisplayName": folder.name, "items": []} for folder in folders])


def table(listed: Listed) -> TableMetadata:
    """The metadata of a contact folder."""
    advanced = CONTACT.keys() - CONTACT_SHOWN_AT_ONCE
    return table_metadata(listed.id, listed.name, ContactResponse, CONTACT, _REQUIRED, _READ_ONLY, advanced)


def contacts(stored: Sequence[records.Contact]) -> EntityListResponse[ContactResponse]:
    """A page of contacts, in the envelope of a list."""
    return listed([contact(record) for record in stored])


def created(stored: records.Contact) -> ContactResponse:
    """A contact in the response that creates it: some unset texts are null there, and empty later (recorded)."""
    shown: dict[str, Any] = dict(contact(stored))
    return cast(ContactResponse, shown | {name: shown[name] or None for name in _NULL_AT_FIRST})


def contact(stored: records.Contact) -> ContactResponse:
    """A contact, with its keys in recorded order. Its times appear a second time under undeclared names (recorded)."""
    created, modified = iso_seconds(stored.created), iso_seconds(stored.modified)
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
        "EmailAddresses": [_email_address(*entry) for entry in orjson.loads(stored.email_addresses)],
        "ImAddresses": orjson.loads(stored.im_addresses),
        "JobTitle": stored.job_title,
        "CompanyName": stored.company_name,
        "Department": stored.department,
        "OfficeLocation": stored.office_location,
        "Profession": stored.profession,
        "BusinessHomePage": stored.business_home_page,
        "AssistantName": stored.assistant_name,
        "Manager": stored.manager,
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
        "ChangeKey": contact_change_key(stored.mailbox_id, stored.id, stored.version),
        "DateTimeCreated": created,
        "DateTimeLastModified": modified,
    }
    # The undeclared ones first, in recorded order.
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
    return {f"{place}_{snake_case(part)}": address[part] or None for part in _PLACE_PARTS if part in address}


def _filled_entries(texts: Sequence[str]) -> tuple[str, ...]:
    """The entries of a list, without the empty ones that workflow designers send."""
    return tuple(text for text in texts if text.strip())


def _email_addresses(entries: Sequence[Mapping[str, str]]) -> tuple[Address, ...]:
    addresses = [Address(entry.get("Address", "").strip(), entry.get("Name", "")) for entry in entries]
    for index, entry in enumerate(addresses):
        before, _, after = entry.address.partition("@")
        # Workflow designers send an empty entry for a line that was left empty.
        if any(entry) and not (before and after):
            raise InvalidRequest(
                f"The property 'EmailAddresses[{index}].Address' must be a mail address, not '{entry.address[:200]}'."
            )
    return tuple(address for address in addresses if any(address))


def _birthday(text: str | None) -> int | None:
    """Parse a date, or a date and time, to microseconds since 1970; without an offset it is UTC."""
    if not text or not text.strip():
        return None
    try:
        return instant_of(read_iso(text))
    except ValueError:
        raise InvalidRequest(f"The property 'Birthday' must be a date, not '{text[:100]}'.") from None


def _refuse_nul(value: Any, where: str) -> None:
    """Raise InvalidRequest for a text with a NUL, because some SQLite functions end a text there."""
    if isinstance(value, str) and "\x00" in value:
        raise InvalidRequest(f"The property '{where}' must not contain a NUL character.")
    if isinstance(value, list):
        for index, part in enumerate(value):
            _refuse_nul(part, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(part, f"{where}.{name}")
