"""Datasets and folders made into the shapes a designer reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    """The datasets by name; the context member is recorded, though no description declares it."""
    found: dict[str, Any] = {
        "@odata.context": "https://outlook-emulator.localhost/$metadata#datasets",
        "value": [{"Name": name, "DisplayName": name.capitalize()} for name in names],
    }
    return cast(DataSetsList, found)


def datasets_metadata(names: Sequence[str]) -> DataSetsMetadata:
    """How the datasets are addressed (recorded): tables whose ids are escaped twice, and no blobs."""
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
    """Folders as the folder picker lists them."""
    return {"value": [{"Id": one.id, "DisplayName": one.name, "IsFolder": True, "Path": one.path} for one in folders]}


def table_metadata(
    name: str, title: str, shape: Any, required: Sequence[str], read_only: Collection[str] = ("Id",)
) -> TableMetadata:
    """A table by its id and display name, and what its items look like; capabilities are left out (recorded)."""
    return {
        "name": name,
        "title": title,
        "x-ms-permission": "read-write",
        "schema": cast(Object, table_schema(shape, required, read_only)),
    }


def listed(items: Sequence[Any]) -> EntityListResponse[Any]:
    """The envelope of tables and their items; its links are recorded, always null, though nothing declares them."""
    envelope: dict[str, Any] = {"value": items, "@odata.nextLink": None, "@odata.deltaLink": None}
    return cast(EntityListResponse[Any], envelope)
