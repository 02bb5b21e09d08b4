"""The admin operations that create, import and export calendars and contact folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.calendar import events
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.mailbox.contact import Card
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.event import Series
from outlook_emulator.mailbox.formats.skipped import Parsed
from outlook_emulator.mailbox.item_folders import CALENDARS, CONTACT_FOLDERS, ItemFolderKind
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.imports import check_whole, skipped_facts
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.store.records import ItemFolder
from outlook_emulator.wire.mail import Binary

ICALENDAR, VCARD = "text/calendar", "text/vcard"


def add_calendar(request: AdminRequest) -> shapes.ItemFolderState:
    return _add(request, CALENDARS)


def add_contact_folder(request: AdminRequest) -> shapes.ItemFolderState:
    return _add(request, CONTACT_FOLDERS)


def read_calendar(request: AdminRequest) -> Parsed[Series]:
    from outlook_emulator.mailbox.formats import ics

    return ics.parse(request.content)


def import_calendar(request: AdminRequest) -> shapes.Imported:
    mailbox, parsed = request.mailbox, request.file
    calendar = _folder(request, CALENDARS)
    _check_whole(request, calendar, parsed)
    with mailbox.db.transaction():
        ids = [wire_id(event) for event in events.import_events(mailbox, calendar, parsed.items)]
    return _imported(request, calendar, ids, parsed)


def export_calendar(request: AdminRequest) -> Callable[[], Binary]:
    from outlook_emulator.mailbox.formats import ics

    mailbox = request.mailbox
    series = events.export_events(mailbox, _folder(request, CALENDARS))
    return lambda: Binary(ics.compose(series, now=mailbox.now), f"{ICALENDAR}; charset=utf-8")


def read_contacts(request: AdminRequest) -> Parsed[Card]:
    from outlook_emulator.mailbox.formats import vcf

    return vcf.parse(request.content)


def import_contacts(request: AdminRequest) -> shapes.Imported:
    mailbox, parsed = request.mailbox, request.file
    folder = _folder(request, CONTACT_FOLDERS)
    _check_whole(request, folder, parsed)
    with mailbox.db.transaction():
        inserted = [contacts.insert(mailbox, folder.id, card) for card in parsed.items]
    return _imported(request, folder, [mailbox.id_of(IdKind.CONTACT, contact.id) for contact in inserted], parsed)


def export_contacts(request: AdminRequest) -> Callable[[], Binary]:
    from outlook_emulator.mailbox.formats import vcf

    cards = contacts.export_contacts(request.mailbox, _folder(request, CONTACT_FOLDERS))
    return lambda: Binary(vcf.compose(cards), f"{VCARD}; charset=utf-8")


def _check_whole(request: AdminRequest, folder: ItemFolder, parsed: Parsed[Any]) -> None:
    id, strict = request.path["connection"], request.query["strict"]
    check_whole(request.sandbox, id, folder.name, parsed.skipped, strict=strict)


def _imported(request: AdminRequest, folder: ItemFolder, ids: list[str], parsed: Parsed[Any]) -> shapes.Imported:
    request.sandbox.note_import(request.path["connection"], folder.name, len(ids), parsed.skipped)
    return {"ids": ids, "skipped": skipped_facts(parsed.skipped)}


def _add(request: AdminRequest, kind: ItemFolderKind) -> shapes.ItemFolderState:
    mailbox = request.mailbox
    folder = item_folders.ensure(mailbox, kind, request.body["name"])
    return {"id": mailbox.id_of(kind.kind, folder.id), "name": folder.name}


def _folder(request: AdminRequest, kind: ItemFolderKind) -> ItemFolder:
    return item_folders.resolve(request.mailbox, kind, request.path["table"])


_C = "/sandboxes/{sandbox}/connections/{connection}"

ROWS = (
    AdminOperation(
        id="AddCalendar",
        method="POST",
        path=f"{_C}/calendars",
        summary="Create a calendar",
        handler=add_calendar,
        accepts=shapes.NewItemFolder,
        returns=shapes.ItemFolderState,
        status=201,
    ),
    AdminOperation(
        id="ImportCalendar",
        method="POST",
        path=f"{_C}/calendars/{{table}}/import",
        summary="Import an iCalendar file into a calendar",
        handler=import_calendar,
        query=shapes.ImportQuery,
        reads=read_calendar,
        accepts_type=ICALENDAR,
        returns=shapes.Imported,
        status=201,
    ),
    AdminOperation(
        id="ExportCalendar",
        method="GET",
        path=f"{_C}/calendars/{{table}}/export",
        summary="Export a calendar as an iCalendar file",
        handler=export_calendar,
        is_long=True,
        returns=Binary,
        returns_type=ICALENDAR,
    ),
    AdminOperation(
        id="AddContactFolder",
        method="POST",
        path=f"{_C}/contactfolders",
        summary="Create a contact folder",
        handler=add_contact_folder,
        accepts=shapes.NewItemFolder,
        returns=shapes.ItemFolderState,
        status=201,
    ),
    AdminOperation(
        id="ImportContacts",
        method="POST",
        path=f"{_C}/contactfolders/{{table}}/import",
        summary="Import a vCard file into a contact folder",
        handler=import_contacts,
        query=shapes.ImportQuery,
        reads=read_contacts,
        accepts_type=VCARD,
        returns=shapes.Imported,
        status=201,
    ),
    AdminOperation(
        id="ExportContacts",
        method="GET",
        path=f"{_C}/contactfolders/{{table}}/export",
        summary="Export a contact folder as a vCard file",
        handler=export_contacts,
        is_long=True,
        returns=Binary,
        returns_type=VCARD,
    ),
)
