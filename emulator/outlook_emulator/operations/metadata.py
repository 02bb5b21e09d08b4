"""What designers request before they show a form: datasets, tables, mail folders and a test of the connection."""

from __future__ import annotations

from outlook_emulator.mailbox import datasets
from outlook_emulator.mailbox.calendar import events
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.operations.operation import Operation
from outlook_emulator.wire import calendar_convert, contacts_convert
from outlook_emulator.wire import metadata_convert as wire
from outlook_emulator.wire.base import Schema
from outlook_emulator.wire.metadata import PickerFolderQuery, PickerRootQuery

_CALENDAR = {"table": Schema(values_from="CalendarGetTables", double_encoded=True)}
_CONTACT_FOLDER = {"table": Schema(values_from="ContactGetTables", double_encoded=True)}

OPERATIONS = (
    Operation(
        id="TestConnection",
        method="GET",
        path="/testconnection",
        summary="Probe the connection",
        family="TestConnection",
        run=datasets.probe,
        visibility="internal",
    ),
    Operation(
        id="GetDataSets",
        method="GET",
        path="/datasets",
        summary="Name the datasets",
        family="GetDataSets",
        run=datasets.datasets,
        returns=wire.datasets,
        visibility="internal",
    ),
    Operation(
        id="GetDataSetsMetadata",
        method="GET",
        path="/$metadata.json/datasets",
        summary="Describe the datasets",
        family="GetDataSetsMetadata",
        run=datasets.datasets,
        returns=wire.datasets_metadata,
        visibility="internal",
    ),
    Operation(
        id="CalendarGetTable",
        method="GET",
        path="/$metadata.json/datasets/calendars/tables/{table}",
        summary="Describe a calendar",
        family="CalendarGetTable",
        run=events.table,
        path_schemas=_CALENDAR,
        returns=calendar_convert.calendar_metadata,
        visibility="internal",
    ),
    Operation(
        id="ContactGetTable",
        method="GET",
        path="/$metadata.json/datasets/contacts/tables/{table}",
        summary="Describe a contact folder",
        family="ContactGetTable",
        run=contacts.table,
        path_schemas=_CONTACT_FOLDER,
        returns=contacts_convert.table,
        visibility="internal",
    ),
    Operation(
        id="OnFilePickerOpen",
        method="GET",
        path="/OnFilePickerOpen",
        summary="List the top mail folders",
        family="OnFilePickerOpen",
        run=folders.picker_root,
        query=PickerRootQuery,
        returns=wire.picked,
        visibility="internal",
    ),
    Operation(
        id="OnFilePickerBrowse",
        method="GET",
        path="/OnFilePickerBrowse",
        summary="List the folders inside a mail folder",
        family="OnFilePickerBrowse",
        run=folders.picker_children,
        query=PickerFolderQuery,
        returns=wire.picked,
        visibility="internal",
    ),
)
