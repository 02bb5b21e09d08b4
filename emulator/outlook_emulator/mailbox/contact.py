"""A contact as a value, independent of any folder.

A plain text field needs these edits; everything else follows from them: `Contact` in `store/records.py` (then `make
sql`), `SCHEMA_VERSION` in `store/opening.py`, `Card` here, the shapes in `wire/contacts.py`, and the response in
`wire/contacts_convert.py`.
"""

from __future__ import annotations

from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.message import Address


class Card(Frozen, kw_only=True):
    """The fields of a contact, named like the columns of the store; None where a field is not set.

    `birthday` is in microseconds since 1970. The parts of postal addresses are `home_…`, `business_…` and `other_…`.
    """

    birthday: int | None = None
    file_as: str | None = None
    display_name: str | None = None
    given_name: str | None = None
    initials: str | None = None
    middle_name: str | None = None
    nick_name: str | None = None
    surname: str | None = None
    title: str | None = None
    generation: str | None = None
    email_addresses: tuple[Address, ...] = ()
    im_addresses: tuple[str, ...] = ()
    job_title: str | None = None
    company_name: str | None = None
    department: str | None = None
    office_location: str | None = None
    profession: str | None = None
    business_home_page: str | None = None
    assistant_name: str | None = None
    manager: str | None = None
    home_phones: tuple[str, ...] = ()
    business_phones: tuple[str, ...] = ()
    mobile_phone1: str | None = None
    home_street: str | None = None
    home_city: str | None = None
    home_state: str | None = None
    home_country_or_region: str | None = None
    home_postal_code: str | None = None
    business_street: str | None = None
    business_city: str | None = None
    business_state: str | None = None
    business_country_or_region: str | None = None
    business_postal_code: str | None = None
    other_street: str | None = None
    other_city: str | None = None
    other_state: str | None = None
    other_country_or_region: str | None = None
    other_postal_code: str | None = None
    yomi_company_name: str | None = None
    yomi_given_name: str | None = None
    yomi_surname: str | None = None
    categories: tuple[str, ...] = ()
