"""The contacts of a mailbox: folders, list, card, and vCard files."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from outlook_emulator.errors import NotFound
from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.item_folders import CONTACT_FOLDERS
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.web.download import download
from outlook_emulator.server.web.imports import imported_values, sent_file
from outlook_emulator.server.web.page import Page, PageRequest, path_part
from outlook_emulator.store import contacts as contact_store
from outlook_emulator.store.records import Contact, ItemFolder
from outlook_emulator.wire.filter_properties import CONTACTS
from outlook_emulator.wire.mail import Binary

LIST = "/s/{sandbox}/m/{connection}/contacts"
CARD = "/s/{sandbox}/m/{connection}/contacts/{contact}"
_PAGE = 50
_SEARCHED = ("DisplayName", "CompanyName", "JobTitle")
_LONGEST_SEARCH = 8
"""The words of a search that count."""
_ADDRESSES = (("Business address", "business"), ("Home address", "home"), ("Other address", "other"))
_ADDRESS_PARTS = ("street", "postal_code", "city", "state", "country_or_region")
_FACTS = (
    ("Job title", "job_title"),
    ("Company", "company_name"),
    ("Department", "department"),
    ("Office", "office_location"),
    ("Profession", "profession"),
    ("Mobile", "mobile_phone1"),
    ("Home page", "business_home_page"),
    ("Assistant", "assistant_name"),
    ("Manager", "manager"),
    ("Nickname", "nick_name"),
    ("Title", "title"),
    ("File as", "file_as"),
)
_LISTS = (
    ("Business phones", "business_phones"),
    ("Home phones", "home_phones"),
    ("Instant messages", "im_addresses"),
    ("Categories", "categories"),
)
_FIELDS = ("GivenName", "Surname", "CompanyName", "JobTitle", "MobilePhone1")
"""The fields of the form for a new contact that hold one text."""


async def load_contacts(request: PageRequest) -> dict[str, Any]:
    mailbox, query = request.mailbox, request.query
    folder = _folder(request)
    search, skip = query.get("q", "").strip(), query.get("skip", "0")
    start = int(skip) if skip.isdecimal() and len(skip) < 9 else 0
    # One more than a page, which tells whether there is a next one.
    listed = contacts.find(
        mailbox,
        table=mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id),
        properties=CONTACTS,
        filter=_filter(search),
        orderby="DisplayName",
        skip=start,
        top=_PAGE + 1,
    )
    if not isinstance(listed, list):
        listed = await in_slices(listed, request.sandbox)

    def to(skip: int) -> str:
        return request.url(LIST, folder=_named(folder), q=search, skip=skip or None)

    return {
        "folder": folder,
        "folders": [
            (other.name, request.url(LIST, folder=_named(other)))
            for other in CONTACT_FOLDERS.all(mailbox.db, mailbox.owner.id)
        ],
        "q": search,
        "rows": [
            {"id": mailbox.id_of(IdKind.CONTACT, contact.id), "contact": contact, "addresses": _addresses(contact)}
            for contact in listed[:_PAGE]
        ],
        "earlier": to(max(start - _PAGE, 0)) if start else "",
        "later": to(start + _PAGE) if len(listed) > _PAGE else "",
        "first_shown": start + 1,
        "last_shown": start + min(len(listed), _PAGE),
    }


def _folder(request: PageRequest) -> ItemFolder:
    """The folder that the URL names, or the default one."""
    if name := request.query.get("folder"):
        return item_folders.resolve(request.mailbox, CONTACT_FOLDERS, name)
    return item_folders.default(request.mailbox, CONTACT_FOLDERS)


def _named(folder: ItemFolder) -> str:
    return "" if folder.is_default else folder.name


def _filter(search: str) -> str | None:
    """The filter for contacts that have every word of a search in a name, the company or an address."""
    words = search.split()[:_LONGEST_SEARCH]
    conditions = []
    for word in words:
        literal = "'" + word.replace("'", "''") + "'"
        texts = [f"contains({property},{literal})" for property in _SEARCHED]
        texts.append(f"EmailAddresses/any(entry:contains(entry/Address,{literal}))")
        conditions.append(f"({' or '.join(texts)})")
    return " and ".join(conditions) or None


def _addresses(contact: Contact) -> list[str]:
    return [address for address, _ in orjson.loads(contact.email_addresses)]


async def create_contact(request: PageRequest) -> str:
    form, folder = request.form, _folder(request)
    body: dict[str, Any] = dict(form.filled(*_FIELDS))
    name = " ".join(form.filled("GivenName", "Surname").values())
    if address := form.text("email"):
        body["EmailAddresses"] = [{"Name": name, "Address": address}]
    # The definition requires this list, empty or not.
    body["HomePhones"] = []
    if phone := form.text("BusinessPhone"):
        body["BusinessPhones"] = [phone]
    table = request.mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id)
    created = await request.submit("POST", f"/datasets/contacts/tables/{path_part(table)}/items", body)
    return request.url(CARD, contact=created["Id"])


async def create_folder(request: PageRequest) -> str:
    folder = await request.admin("AddContactFolder", {"name": request.form.text("name")})
    return request.url(LIST, folder=folder["name"])


async def import_file(request: PageRequest) -> str:
    folder = _folder(request)
    table = request.mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id)
    result = await request.admin("ImportContacts", content=sent_file(request), media_type="text/vcard", table=table)
    return request.url(LIST, folder=_named(folder), **imported_values(result))


async def export_file(request: PageRequest) -> Response:
    folder = _folder(request)
    table = request.mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id)
    file: Binary = await request.admin("ExportContacts", table=table)
    return download(f"{folder.name}.vcf", *file)


async def export_card(request: PageRequest) -> Response:
    from outlook_emulator.mailbox.formats import vcf

    contact, _ = _contact(request)
    return download(f"{contact.display_name or 'contact'}.vcf", vcf.compose([contacts.card_of(contact)]), "text/vcard")


async def load_card(request: PageRequest) -> dict[str, Any]:
    contact, folder = _contact(request)
    table = path_part(request.mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id))
    path = f"/datasets/contacts/tables/{table}/items/{path_part(request.path['contact'])}"
    answer = await request.connector("GET", request.path["connection"], path)
    facts = [(label, getattr(contact, field)) for label, field in _FACTS]
    facts += [(label, ", ".join(orjson.loads(getattr(contact, field)))) for label, field in _LISTS]
    facts += [(label, _postal(contact, place)) for label, place in _ADDRESSES]
    return {
        "contact": contact,
        "folder": folder,
        "folder_url": request.url(LIST, folder=_named(folder)),
        "addresses": [{"address": address, "name": name} for address, name in orjson.loads(contact.email_addresses)],
        "facts": [(label, value) for label, value in facts if value],
        "birthday": contact.birthday,
        "answers": [
            {
                "version": "V1",
                "operation": "ContactGetItem",
                "json": answer.json,
                "curl": answer.curl(request.server_url),
            }
        ],
    }


def _postal(contact: Contact, place: str) -> str:
    return ", ".join(filter(None, (getattr(contact, f"{place}_{part}") for part in _ADDRESS_PARTS)))


def _contact(request: PageRequest) -> tuple[Contact, ItemFolder]:
    """The contact that the path names and its folder. Raises InvalidId, NotFound."""
    mailbox = request.mailbox
    key = mailbox.key_of(IdKind.CONTACT, request.path["contact"], "contact")
    contact = contact_store.contact(mailbox.db, mailbox.owner.id, key)
    if contact is None:
        raise NotFound()
    folders = CONTACT_FOLDERS.all(mailbox.db, mailbox.owner.id)
    return contact, next(folder for folder in folders if folder.id == contact.folder_id)


async def delete_contact(request: PageRequest) -> str:
    _, folder = _contact(request)
    table = path_part(request.mailbox.id_of(IdKind.CONTACT_FOLDER, folder.id))
    item = path_part(request.path["contact"])
    await request.submit("DELETE", f"/datasets/contacts/tables/{table}/items/{item}")
    return request.url(LIST, folder=_named(folder))


PAGES = (
    Page(
        path=LIST,
        title="Contacts",
        template="contacts.html",
        nav="Contacts",
        load=load_contacts,
        actions={"create": create_contact, "folder": create_folder, "import": import_file},
    ),
    Page(path="/s/{sandbox}/m/{connection}/contacts.vcf", load=export_file),
    Page(path="/s/{sandbox}/m/{connection}/contacts/{contact}.vcf", load=export_card),
    Page(
        path=CARD,
        title="Contact",
        template="contact.html",
        section="Contacts",
        load=load_card,
        actions={"delete": delete_contact},
    ),
)
