"""Converts datasets, tables and folders to response bodies for designers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from outlook_emulator.mailbox.mail.folders import PickedFolder
from outlook_emulator.wire.metadata import (
    DataSetsList,
    DataSetsMetadata,
    EntityListResponse,
    FilePickerFile,
    Object,
    TableMetadata,
)
from outlook_emulator.wire.schemas import table_schema


def datasets(names: Sequence[str]) -> DataSetsList:
    """A list of datasets, each with its name; the context member is recorded but not declared."""
    datasets: dict[str, Any] = {
        # Recorded with the host of the connector's back end.
        "@odata.context": "https://outlook-emulator.localhost/$metadata#datasets",
        "value": [{"Name": name, "DisplayName": name.capitalize()} for name in names],
    }
    return cast(DataSetsList, datasets)


def datasets_metadata(names: Sequence[str]) -> DataSetsMetadata:
    """The addressing of the datasets (recorded): tables with ids that are percent-encoded twice, and no blobs."""
    return {
        "tabular": {
            "source": "list",
            "displayName": "dataset",
            "urlEncoding": "double",
            "tableDisplayName": "Table",
            "tablePluralName": "Tables",
        },
        "blob": None,
    }


def picked(folders: Sequence[PickedFolder]) -> EntityListResponse[FilePickerFile]:
    """A list of mail folders for the folder picker."""
    return {
        "value": [
            {"Id": folder.id, "DisplayName": folder.name, "IsFolder": True, "Path": folder.path} for folder in folders
        ]
    }


def table_metadata(
    name: str,
    title: str,
    shape: Any,
    titles: Mapping[str, str],
    required: Sequence[str],
    read_only: Collection[str] = ("Id",),
    advanced: Collection[str] = (),
) -> TableMetadata:
    """A table's id, display name and item schema; capabilities are left out (recorded)."""
    return {
        "name": name,
        "title": title,
        "x-ms-permission": "read-write",
        "schema": cast(Object, table_schema(shape, titles, required, read_only, advanced)),
    }


def listed(items: Sequence[Any]) -> EntityListResponse[Any]:
    """The envelope of tables and of their items. Its links are not declared; recordings have them, always null."""
    envelope: dict[str, Any] = {"value": items, "@odata.nextLink": None, "@odata.deltaLink": None}
    return cast(EntityListResponse[Any], envelope)
