"""What a designer asks before it shows a form: datasets, tables, mail folders, a working connection."""

from __future__ import annotations

from emulator.mailbox import calendar, contacts, datasets, folders
from emulator.operations.operation import Operation
from emulator.wire import calendar_values, contacts_values
from emulator.wire import metadata_values as wire
from emulator.wire.base import Schema
from emulator.wire.metadata import PickerFolderQuery, PickerRootQuery

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
        errors=(),
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
        errors=(),
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
        errors=(),
        visibility="internal",
    ),
    Operation(
        id="CalendarGetTable",
        method="GET",
        path="/$metadata.json/datasets/calendars/tables/{table}",
        summary="Describe a calendar",
        family="CalendarGetTable",
        run=calendar.table,
        path_schemas=_CALENDAR,
        returns=calendar_values.calendar_metadata,
        errors=(),
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
        returns=contacts_values.table,
        errors=(),
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
        errors=(),
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
        errors=(),
        visibility="internal",
    ),
)
