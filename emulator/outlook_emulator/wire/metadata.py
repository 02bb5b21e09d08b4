"""The shapes of datasets, tables, their capabilities and the folder picker, and the parameters of pages.

Calendars and contact folders are both served as tables, so their envelopes and paging queries are here too.
"""

from typing import Annotated, Generic, NotRequired, TypeVar

from typing_extensions import TypedDict

from outlook_emulator import enums
from outlook_emulator.wire.base import Filled, Schema, Size

T = TypeVar("T")

FILTER_FUNCTIONS = (
    *("eq", "ne", "gt", "ge", "lt", "le", "and", "or"),
    *("contains", "startswith", "endswith", "length", "indexof", "replace", "substring", "substringof"),
    *("tolower", "toupper", "trim", "concat"),
    *("year", "month", "day", "hour", "minute", "second", "date", "time", "now"),
    *("totaloffsetminutes", "totalseconds", "floor", "ceiling", "round", "not", "negate"),
    *("add", "sub", "mul", "div", "mod", "sum", "min", "max", "average", "countdistinct", "null"),
)
"""The OData operators and functions by which a table may be filtered."""


class Object(TypedDict):
    """An object whose members are not declared."""


class EntityListResponse(TypedDict, Generic[T]):
    """A list of calendars, contact folders, events, contacts or picked folders."""

    value: list[T]


class Table(TypedDict):
    """A calendar or a contact folder; calendars name their owner among the dynamic properties."""

    Name: str
    DisplayName: str
    # Contact folders were recorded without them.
    DynamicProperties: NotRequired[Annotated[dict[str, Object], Schema(read_only=True)]]


class PassThroughNativeQuery(TypedDict):
    """A query language of a dataset's back end; neither dataset has one."""

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
    """The display names of datasets and tables for designers, and how often their ids are percent-encoded."""

    source: str
    displayName: str
    urlEncoding: str
    tableDisplayName: str
    tablePluralName: str


class BlobDataSetsMetadata(TypedDict):
    """The same for a connector of files, which this one is not."""

    source: str
    displayName: str
    urlEncoding: str


class DataSetsMetadata(TypedDict):
    """The kinds of datasets that the connector has; a missing kind is null."""

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
    """Whether a client may select members."""

    selectable: bool


class TableCapabilitiesMetadata(TypedDict):
    """The parts of a query that a table supports, which a client may delegate to it."""

    sortRestrictions: TableSortRestrictionsMetadata
    filterRestrictions: TableFilterRestrictionsMetadata
    selectRestrictions: TableSelectRestrictionsMetadata
    isOnlyServerPagable: bool
    filterFunctionSupport: list[Annotated[str, Schema(choices=FILTER_FUNCTIONS)]]
    serverPagingOptions: list[Annotated[str, Schema(names=enums.ServerPagingOption)]]


# Not a class, which could have no member with a dash in its name.
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
    """Which part of a list is returned."""

    orderby: Annotated[str | None, Schema(key="$orderby", grammar="odata-orderby")] = None
    top: Annotated[int | None, Schema(key="$top", format="int32", least=0)] = None
    skip: Annotated[int | None, Schema(key="$skip", format="int32", least=0)] = None


class EntityQuery(Page):
    """A page of the items that match an OData expression."""

    filter: Annotated[str | None, Schema(key="$filter", grammar="odata-filter")] = None


PickerOperation = Annotated[str, Schema(known=("MailFolders",), pattern="^[Mm]ail[Ff]olders$")]


class PickerRootQuery:
    """The query of a folder picker that opens."""

    operation: PickerOperation
    top: Annotated[int, Schema(format="int32", least=1)] = 100
    skip: Size = 0
    mailbox_address: str = ""


class PickerFolderQuery(PickerRootQuery):
    """The query of a folder picker in which a folder is opened."""

    id: Filled
