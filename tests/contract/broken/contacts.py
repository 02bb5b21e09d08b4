"""Emulators whose contacts are broken."""

from tests.contract.broken.swap import Swap

SWAPS = (
    Swap(
        "a contact that loses its phones",
        "wire.contacts_convert",
        '"HomePhones": orjson.loads(stored.home_phones),',
        '"HomePhones": [],',
    ),
    Swap(
        "an update that keeps lists",
        "mailbox.contacts.contacts",
        "dict.fromkeys(_LISTS, ())",
        "{}",
    ),
    Swap(
        "contacts with fractions of a second",
        "mailbox.contacts.contacts",
        "return instant - instant % 1_000_000",
        "return instant",
    ),
    Swap(
        "four mail addresses of a contact",
        "mailbox.contacts.contacts",
        '"email_addresses": 3,',
        '"email_addresses": 4,',
    ),
    Swap(
        "a display name with the surname first",
        "mailbox.contacts.contacts",
        "full = _joined(given_names, card.surname, card.generation)",
        "full = _joined(card.surname, given_names, card.generation)",
    ),
    Swap(
        "a contact without a given name",
        "mailbox.contacts.contacts",
        "if not _text(card.given_name):",
        "if False:",
    ),
    Swap(
        "a null for an empty text",
        "wire.contacts_convert",
        '"FileAs": stored.file_as,',
        '"FileAs": stored.file_as or None,',
    ),
    Swap(
        "a birthday without a time",
        "wire.contacts_convert",
        "None if stored.birthday is None else iso_seconds(stored.birthday)",
        "None if stored.birthday is None else iso_seconds(stored.birthday)[:10]",
    ),
    Swap(
        "a contact whose change key stays",
        "mailbox.contacts.contacts",
        '{"version": contact.version + 1}',
        '{"version": contact.version}',
    ),
    Swap(
        "a contact that an update renames",
        "mailbox.contacts.contacts",
        '**{**unsent, "display_name": None, **changes}',
        "**{**unsent, **changes}",
    ),
    Swap(
        "a null that clears",
        "wire.contacts_convert",
        "for name, value in dict(shape).items() if value is not None}",
        "for name, value in dict(shape).items()}",
    ),
    Swap(
        "an empty text that is kept",
        "wire.contacts_convert",
        "{snake_case(name): members[name] or None for name in _TEXTS",
        "{snake_case(name): members[name] for name in _TEXTS",
    ),
    Swap(
        "empty entries of lists that are kept",
        "wire.contacts_convert",
        "return tuple(text for text in texts if text.strip())",
        "return tuple(texts)",
    ),
    Swap(
        "an invalid mail address of a contact",
        "wire.contacts_convert",
        "if any(entry) and not (before and after):",
        "if False:",
    ),
    Swap(
        "a birthday in local time",
        "wire.contacts_convert",
        "return instant_of(read_iso(text))",
        "return instant_of(read_iso(text).replace(tzinfo=None))",
    ),
    Swap(
        "a contact of another folder",
        "mailbox.contacts.contacts",
        "if contact is None or contact.folder_id != folder_id:",
        "if contact is None:",
    ),
    Swap(
        "a time of change that stays",
        "mailbox.contacts.contacts",
        '{"modified": max(_whole_second(mailbox.now), contact.modified)}',
        '{"modified": contact.modified}',
    ),
    Swap(
        "a name and an address that are swapped",
        "wire.contacts_convert",
        'return {"Name": name, "Address": address}',
        'return {"Name": address, "Address": name}',
    ),
    Swap(
        "a birthday that an update loses",
        "wire.contacts_convert",
        '    if "Birthday" in members:\n',
        '    values["birthday"] = None\n    if "Birthday" in members:\n',
    ),
    Swap(
        "a contact with the change key of an event",
        "ids",
        'b"\\x11\\x00\\x00\\x00\\x16\\x00\\x00\\x00"',
        'b"\\x0f\\x00\\x00\\x00\\x16\\x00\\x00\\x00"',
    ),
    Swap(
        "an update that clears the rest of an address",
        "wire.contacts_convert",
        '{f"{place}_{snake_case(part)}": address[part] or None for part in _PLACE_PARTS if part in address}',
        '{f"{place}_{snake_case(part)}": address.get(part) or None for part in _PLACE_PARTS}',
    ),
    Swap(
        "a filter by what is not equal that leaves out null",
        "store.filters",
        '"ne": "IS NOT"',
        '"ne": "<>"',
    ),
    Swap(
        "a filter without substringof",
        "odata.reader",
        '        if name == "substringof":\n',
        '        if name == "":\n',
    ),
    Swap(
        "an order by its first property alone",
        "odata",
        "    return tuple(order.items())",
        "    return tuple(order.items())[:1]",
    ),
    Swap(
        "addresses of a contact without their names",
        "wire.contacts_convert",
        'Address(entry.get("Address", "").strip(), entry.get("Name", ""))',
        'Address(entry.get("Address", "").strip(), "")',
    ),
)
