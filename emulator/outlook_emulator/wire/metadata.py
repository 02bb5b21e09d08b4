"""What tables look like: datasets, tables, their capabilities, the folder picker, and how a list is paged.

Calendars and contact folders are both served as tables, so their envelopes and paging queries are here too.
"""

from __future__ import annotations

from typing import Annotated, Generic, NotRequired, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.wire.base import Int32, Schema

T = TypeVar("T")

FILTER_FUNCTIONS = (
    *("eq", "ne", "gt", "ge", "lt", "le", "and", "or"),
    *("contains", "startswith", "endswith", "length", "indexof", "replace", "substring", "substringof"),
    *("tolower", "toupper", "trim", "concat"),
    *("year", "month", "day", "hour", "minute", "second", "date", "time", "now"),
    *("totaloffsetminutes", "totalseconds", "floor", "ceiling", "round", "not", "negate"),
    *("add", "sub", "mul", "div", "mod", "sum", "min", "max", "average", "countdistinct", "null"),
)
"""The OData operators and functions a table may say it filters by."""


class Object(TypedDict):
    """A value whose members the connector leaves open."""


class EntityListResponse(TypedDict, Generic[T]):
    """A list of calendars, contact folders, events, contacts or picked folders."""

    value: list[T]


class Table(TypedDict):
    """A calendar or a contact folder; calendars name their owner among the dynamic properties."""

    Name: str
    DisplayName: str
    DynamicProperties: NotRequired[Annotated[dict[str, Object], Schema(read_only=True)]]


class PassThroughNativeQuery(TypedDict):
    """A query language a dataset passes on unread; neither dataset here has one."""

    Language: str


class DataSet(TypedDict):
    """One of the two datasets, calendars and contacts."""

    Name: str
    DisplayName: str
    query: NotRequired[Annotated[list[PassThroughNativeQuery], Schema(read_only=True)]]


class DataSetsList(TypedDict):
    """Every dataset of the connection."""

    value: list[DataSet]


class Procedure(TypedDict):
    """A stored procedure of a dataset; declared, though no operation offers one."""

    Name: str
    DisplayName: str


class TabularDataSetsMetadata(TypedDict):
    """The words a designer shows for datasets and tables, and how often their ids are percent-encoded."""

    source: str
    displayName: str
    urlEncoding: str
    tableDisplayName: str
    tablePluralName: str


class BlobDataSetsMetadata(TypedDict):
    """The same words for a connector of files, which this one is not."""

    source: str
    displayName: str
    urlEncoding: str


class DataSetsMetadata(TypedDict):
    """Which kinds of dataset the connector has; the absent kind is null."""

    tabular: TabularDataSetsMetadata
    blob: BlobDataSetsMetadata | None


class TableSortRestrictionsMetadata(TypedDict):
    """Whether a table can be ordered, and by which members it cannot."""

    sortable: bool
    unsortableProperties: list[str]
    ascendingOnlyProperties: list[str]


class TableFilterRestrictionsMetadata(TypedDict):
    """Whether a table can be filtered, by which members it cannot, and by which it must."""

    filterable: bool
    nonFilterableProperties: list[str]
    requiredProperties: list[str]


class TableSelectRestrictionsMetadata(TypedDict):
    """Whether a caller may ask for some members only."""

    selectable: bool


class TableCapabilitiesMetadata(TypedDict):
    """What a table can do for a query, so that a client delegates no more than that."""

    sortRestrictions: TableSortRestrictionsMetadata
    filterRestrictions: TableFilterRestrictionsMetadata
    selectRestrictions: TableSelectRestrictionsMetadata
    isOnlyServerPagable: bool
    filterFunctionSupport: list[Annotated[str, Schema(choices=FILTER_FUNCTIONS)]]
    serverPagingOptions: list[Annotated[str, Schema(names=enums.ServerPagingOption)]]


_TableMarks = TypedDict(
    "_TableMarks",
    {"x-ms-permission": str, "x-ms-capabilities": NotRequired[TableCapabilitiesMetadata]},
)


class TableMetadata(_TableMarks):
    """The JSON schema of a table's items, as low-code clients read it; recordings leave the capabilities out."""

    name: str
    title: str
    schema: Object
    referencedEntities: NotRequired[Object]
    webUrl: NotRequired[str]


class FilePickerFile(TypedDict):
    """A mail folder as the folder picker lists it."""

    Id: str
    DisplayName: str
    IsFolder: bool
    Path: str


class Page:
    """The part of a list a caller asks for."""

    orderby: Annotated[str | None, Schema(key="$orderby")] = None
    top: Annotated[int | None, Schema(key="$top", format="int32")] = None
    skip: Annotated[int | None, Schema(key="$skip", format="int32")] = None


class EntityQuery(Page):
    """A page of the items an OData expression lets through."""

    filter: Annotated[str | None, Schema(key="$filter")] = None


PickerOperation = Annotated[str, Schema(known=("MailFolders",))]


class PickerRootQuery:
    """What a picker asks for when it opens."""

    operation: PickerOperation
    top: Int32 = 100
    skip: Int32 = 0
    mailbox_address: str = ""


class PickerFolderQuery(PickerRootQuery):
    """What a picker asks for when a folder is opened in it."""

    id: str
