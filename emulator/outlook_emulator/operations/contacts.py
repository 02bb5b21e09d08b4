"""The contact operations."""

from __future__ import annotations

from functools import partial

from outlook_emulator.ids import ITEM_PATTERN
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.operations.operation import Operation
from outlook_emulator.wire import contacts_convert as wire
from outlook_emulator.wire.base import Schema
from outlook_emulator.wire.filter_properties import CONTACTS
from outlook_emulator.wire.metadata import EntityQuery

_CONTACT_FOLDER = {"table": Schema(values_from="ContactGetTables", double_encoded=True)}
_CONTACT = {**_CONTACT_FOLDER, "id": Schema(double_encoded=True, pattern=ITEM_PATTERN, grammar="item-id")}

OPERATIONS = (
    Operation(
        id="ContactGetTables",
        method="GET",
        path="/datasets/contacts/tables",
        summary="Get contact folders",
        family="ContactGetTables",
        run=contacts.tables,
        returns=wire.tables,
    ),
    Operation(
        id="ContactGetItems",
        method="GET",
        path="/datasets/contacts/tables/{table}/items",
        summary="Get contacts",
        family="ContactGetItems",
        run=partial(contacts.find, properties=CONTACTS),
        query=EntityQuery,
        path_schemas=_CONTACT_FOLDER,
        returns=wire.contacts,
    ),
    Operation(
        id="ContactGetItem",
        method="GET",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Get contact",
        family="ContactGetItem",
        run=contacts.get,
        path_schemas=_CONTACT,
        returns=wire.contact,
    ),
    Operation(
        id="ContactPostItem",
        method="POST",
        path="/datasets/contacts/tables/{table}/items",
        summary="Create contact",
        family="ContactPostItem",
        run=contacts.create,
        creates=True,
        path_schemas=_CONTACT_FOLDER,
        accepts=wire.card,
        body_name="item",
        returns=wire.created,
        # The description declares 200; 201 was recorded from the Office 365 twin.
        recorded_status=201,
        visibility="important",
    ),
    Operation(
        id="ContactPatchItem",
        method="PATCH",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Update contact",
        family="ContactPatchItem",
        run=contacts.change,
        path_schemas=_CONTACT,
        accepts=wire.changes,
        body_name="item",
        partial=True,
        returns=wire.contact,
    ),
    Operation(
        id="ContactDeleteItem",
        method="DELETE",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Delete contact",
        family="ContactDeleteItem",
        run=contacts.delete,
        path_schemas=_CONTACT,
    ),
)
