"""The admin API's verbs for calendars and contact folders: made, filled from files, and written out."""

from __future__ import annotations

from outlook_emulator.ids import IdKind
from outlook_emulator.mailbox import item_folders
from outlook_emulator.mailbox.calendar import events
from outlook_emulator.mailbox.calendar.occurrences import wire_id
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.item_folders import CALENDARS, CONTACT_FOLDERS, ItemFolderKind
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, Call
from outlook_emulator.store.records import ItemFolder
from outlook_emulator.wire.mail import Binary

ICALENDAR, VCARD = "text/calendar", "text/vcard"


def add_calendar(call: Call) -> shapes.ShelfFacts:
    return _add(call, CALENDARS)


def add_contact_folder(call: Call) -> shapes.ShelfFacts:
    return _add(call, CONTACT_FOLDERS)


def import_calendar(call: Call) -> shapes.Imported:
    from outlook_emulator.mailbox.formats import ics

    mailbox, found = call.mailbox, ics.parse(call.raw)
    place = _shelf(call, CALENDARS)
    with mailbox.db.transaction():
        return {"ids": [wire_id(one) for one in events.import_events(mailbox, place, found)]}


def export_calendar(call: Call) -> Binary:
    from outlook_emulator.mailbox.formats import ics

    mailbox = call.mailbox
    found = events.export_events(mailbox, _shelf(call, CALENDARS))
    return Binary(ics.compose(found, now=mailbox.now), f"{ICALENDAR}; charset=utf-8")


def import_contacts(call: Call) -> shapes.Imported:
    from outlook_emulator.mailbox.formats import vcf

    mailbox, cards = call.mailbox, vcf.parse(call.raw)
    folder = _shelf(call, CONTACT_FOLDERS)
    with mailbox.db.transaction():
        made = [contacts.insert(mailbox, folder.id, card) for card in cards]
    return {"ids": [mailbox.id_of(IdKind.CONTACT, one.id) for one in made]}


def export_contacts(call: Call) -> Binary:
    from outlook_emulator.mailbox.formats import vcf

    folder = _shelf(call, CONTACT_FOLDERS)
    return Binary(vcf.compose(contacts.cards(call.mailbox, folder)), f"{VCARD}; charset=utf-8")


def _add(call: Call, kind: ItemFolderKind) -> shapes.ShelfFacts:
    mailbox = call.mailbox
    made = item_folders.ensure(mailbox, kind, call.body["name"])
    return {"id": mailbox.id_of(kind.kind, made.id), "name": made.name}


def _shelf(call: Call, kind: ItemFolderKind) -> ItemFolder:
    return item_folders.resolve(call.mailbox, kind, call.request.path_params["table"])


_C = "/sandboxes/{sandbox}/connections/{connection}"

ROWS = (
    AdminOperation(
        id="AddCalendar",
        method="POST",
        path=f"{_C}/calendars",
        summary="Make a calendar",
        run=add_calendar,
        accepts=shapes.NewShelf,
        returns=shapes.ShelfFacts,
        status=201,
    ),
    AdminOperation(
        id="ImportCalendar",
        method="POST",
        path=f"{_C}/calendars/{{table}}/import",
        summary="Bring the events of an iCalendar file into a calendar",
        run=import_calendar,
        accepts_type=ICALENDAR,
        returns=shapes.Imported,
        status=201,
    ),
    AdminOperation(
        id="ExportCalendar",
        method="GET",
        path=f"{_C}/calendars/{{table}}/export",
        summary="Write a calendar out as an iCalendar file",
        run=export_calendar,
        returns=Binary,
        answers_type=ICALENDAR,
    ),
    AdminOperation(
        id="AddContactFolder",
        method="POST",
        path=f"{_C}/contactfolders",
        summary="Make a contact folder",
        run=add_contact_folder,
        accepts=shapes.NewShelf,
        returns=shapes.ShelfFacts,
        status=201,
    ),
    AdminOperation(
        id="ImportContacts",
        method="POST",
        path=f"{_C}/contactfolders/{{table}}/import",
        summary="Bring the cards of a vCard file into a contact folder",
        run=import_contacts,
        accepts_type=VCARD,
        returns=shapes.Imported,
        status=201,
    ),
    AdminOperation(
        id="ExportContacts",
        method="GET",
        path=f"{_C}/contactfolders/{{table}}/export",
        summary="Write a contact folder out as a vCard file",
        run=export_contacts,
        returns=Binary,
        answers_type=VCARD,
    ),
)
