"""JSON shapes of the journal."""

from typing import Annotated, Any, get_args

from typing_extensions import TypedDict

from outlook_emulator.options import options_of
from outlook_emulator.server.schemas import Whole, query_of, shape_of
from outlook_emulator.settings import Settings
from outlook_emulator.traffic import journal_filter
from outlook_emulator.traffic.journal import CauseKind
from outlook_emulator.wire.base import DateTime, Double, Int32, Int64, Schema, Uri

NEAR_MISSES = 10


class CauseFacts(TypedDict):
    """What shaped a response: a fault rule, a limit, or an error by the name of its class, and the reason."""

    kind: Annotated[str, Schema(choices=get_args(CauseKind))]
    name: str
    reason: str


class WorkflowFacts(TypedDict):
    """The workflow that sent a request, from its headers `x-ms-workflow-…` and `x-ms-client-request-id`."""

    name: str | None
    runId: str | None
    operation: str | None
    clientRequestId: str | None


class MessageFacts(TypedDict):
    """A request or a response, without credentials and signatures. `size` is the size of the whole body.

    `body` is JSON if the whole body is JSON, else text. Bytes that are not text are an object with their
    `$content-type`, and base64 as `$content`. It is null without a body, and for a body that was not read.
    """

    headers: dict[str, str]
    body: Any
    size: Int64
    truncated: bool


class JournalEntry(TypedDict, total=False):
    """An exchange with the connector, a delivery, which is one attempt to call a callback URL, or an import of a file.

    All have `id`, `kind`, `at` by the sandbox's clock, `realAt` by the machine's, and `status`, null without a
    response. An exchange has a `path`, decoded and below the connection id; an `outcome`: answered, reset, cut, stall,
    lost or under way; and `effected`: the operation did its work, whatever the response. A delivery has the id of its
    `callback`, its `purpose`, a `reference` to its cause, the `number` of the attempt, and an `error` without a
    response. An import has its `connection`, its `place` (the folder, or the sample mailbox), the numbers of items that
    were `imported` and `skipped`, and `reasons`, which tells of the first ten that were skipped.
    """

    id: Int64
    kind: Annotated[str, Schema(choices=get_args(journal_filter.EntryKind))]
    at: DateTime
    realAt: DateTime
    status: Int32 | None
    tookMilliseconds: Double
    connection: str | None
    operation: str | None
    family: str | None
    method: str
    path: str
    query: str
    outcome: str
    effected: bool
    causes: list[CauseFacts]
    workflow: WorkflowFacts
    request: MessageFacts
    response: MessageFacts
    callback: Int64
    purpose: str
    reference: str
    url: Uri
    number: Int32
    body: Any
    error: str | None
    place: str
    imported: Int64
    skipped: Int64
    reasons: list[str]


class JournalPage(TypedDict):
    """Entries, oldest first. `total` counts the entries since the journal was cleared.

    `dropped` counts those that were dropped to make room.
    """

    value: list[JournalEntry]
    total: Int64
    dropped: Int64


JournalFilter = query_of(journal_filter.JournalFilter)
JournalQuery = shape_of(journal_filter.JournalFilter)


class NearMiss(JournalEntry, total=False):
    """An entry that almost matches: `differs` names the members of the query that do not match."""

    differs: list[str]


class JournalMatches(TypedDict):
    """The matching entries, oldest first, their total number, and the entries that almost match."""

    value: list[JournalEntry]
    count: Int64
    nearMisses: list[NearMiss]


class JournalCounts(TypedDict):
    """The number of exchanges, deliveries and imports since the journal was cleared, dropped entries included.

    An exchange counts after its response has left, under its status, or under its outcome if the response did not
    arrive. Causes have their kind as a prefix, `fault first-send`; requests that fit no operation are `(none)`.
    """

    exchanges: Int64
    deliveries: Int64
    imports: Int64
    byOperation: dict[str, Int64]
    byStatus: dict[str, Int64]
    byCause: dict[str, Int64]


class RetryFacts(TypedDict):
    """A request that failed or was throttled, and its retry: the same request by the same client.

    `waitedSeconds` is by the sandbox's clock, `realWaitedSeconds` by the machine's, `askedSeconds` is the value of
    `Retry-After`; `refusedAgain`: the retry came before that, and was refused for it.
    `entries` are all attempts, `timesEffected` counts those that did their work; `duplicated`: something
    was made more than once.
    """

    operation: str | None
    connection: str | None
    status: Int32 | None
    outcome: str
    at: DateTime
    cameBack: bool
    waitedSeconds: Double | None
    realWaitedSeconds: Double | None
    askedSeconds: Int64 | None
    waitedAsAsked: bool | None
    refusedAgain: bool
    timesEffected: Int32
    duplicated: bool
    entries: list[Int64]


class RetryReport(TypedDict):
    """The failed requests, oldest first, and the number of things that were made more than once."""

    value: list[RetryFacts]
    duplicatedSends: Int64


def _bounds_of(setting: str) -> Whole:
    """The bounds of the setting that a member changes."""
    (option,) = (option for option in options_of(Settings) if option.name == setting)
    assert option.least is not None
    assert option.most is not None
    return Whole(least=option.least, most=option.most)


class JournalCaps(TypedDict, total=False):
    """The number of entries to keep from now on, the newest, and the bytes of each body; 0 for none.

    Members that are left out or null stay.
    """

    cap: Annotated[int, _bounds_of("journal_entries")]
    bodyBytes: Annotated[int, _bounds_of("journal_body_bytes")]


class JournalFacts(TypedDict):
    """The number of entries and the bytes of each body that a journal keeps."""

    cap: Int64
    bodyBytes: Int64
