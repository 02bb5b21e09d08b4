"""The contact operations."""

from __future__ import annotations

from emulator.operations.operation import Operation
from emulator.wire.base import Schema
from emulator.wire.contacts import Contact, ContactResponse
from emulator.wire.metadata import EntityListResponse, EntityQuery, Table

_CONTACT_FOLDER = {"table": Schema(values_from="ContactGetTables", double_encoded=True)}
_CONTACT = {**_CONTACT_FOLDER, "id": Schema(double_encoded=True)}

OPERATIONS = (
    Operation(
        id="ContactGetTables",
        method="GET",
        path="/datasets/contacts/tables",
        summary="Get contact folders",
        family="ContactGetTables",
        returns=EntityListResponse[Table],
        errors=(),
    ),
    Operation(
        id="ContactGetItems",
        method="GET",
        path="/datasets/contacts/tables/{table}/items",
        summary="Get contacts",
        family="ContactGetItems",
        query=EntityQuery,
        path_schemas=_CONTACT_FOLDER,
        returns=EntityListResponse[ContactResponse],
        errors=(),
    ),
    Operation(
        id="ContactGetItem",
        method="GET",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Get contact",
        family="ContactGetItem",
        path_schemas=_CONTACT,
        returns=ContactResponse,
        errors=(),
    ),
    Operation(
        id="ContactPostItem",
        method="POST",
        path="/datasets/contacts/tables/{table}/items",
        summary="Create contact",
        family="ContactPostItem",
        path_schemas=_CONTACT_FOLDER,
        accepts=Contact,
        body_name="item",
        returns=ContactResponse,
        errors=(),
        visibility="important",
    ),
    Operation(
        id="ContactPatchItem",
        method="PATCH",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Update contact",
        family="ContactPatchItem",
        path_schemas=_CONTACT,
        accepts=Contact,
        body_name="item",
        returns=ContactResponse,
        errors=(),
    ),
    Operation(
        id="ContactDeleteItem",
        method="DELETE",
        path="/datasets/contacts/tables/{table}/items/{id}",
        summary="Delete contact",
        family="ContactDeleteItem",
        path_schemas=_CONTACT,
        errors=(),
    ),
)
