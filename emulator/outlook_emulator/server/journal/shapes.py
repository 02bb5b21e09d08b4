"""What the admin API's verbs about the journal read and answer."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from typing_extensions import TypedDict

from outlook_emulator.server.schemas import Whole
from outlook_emulator.traffic.journal import CauseKind, EntryKind
from outlook_emulator.wire.base import DateTime, Double, Int32, Int64, Schema, Uri

KINDS = get_args(EntryKind)
MOST = 1000
"""How many entries an answer holds at most."""
NEAR_MISSES = 10

_EITHER = frozenset({"kind", "status", "body", "after", "limit"})
MEMBERS = {
    "exchange": _EITHER
    | {"connection", "operation", "family", "method", "path", "query", "outcome", "effected", "cause"}
    | {"workflowName", "workflowRun", "workflowOperation", "clientRequestId"},
    "delivery": _EITHER | {"url", "purpose", "reference"},
}
"""The members of a query that each kind of entry knows."""


class CauseFacts(TypedDict):
    """Why an answer is what it is: a fault rule, a limit, or a refusal by its class, and what that says."""

    kind: Annotated[str, Schema(choices=get_args(CauseKind))]
    name: str
    reason: str


class WorkflowFacts(TypedDict):
    """How a workflow named itself, by the headers `x-ms-workflow-…` and `x-ms-client-request-id`."""

    name: str | None
    runId: str | None
    operation: str | None
    clientRequestId: str | None


class MessageFacts(TypedDict):
    """A request or an answer, without credentials and signatures; `size` is that of the whole body.

    `body` is JSON where the body is whole and is that, else text. Bytes that are no text are an object with their
    `$content-type` and their base64 as `$content`. It is null for no body, and for one that nobody has read.
    """

    headers: dict[str, str]
    body: Any
    size: Int64
    truncated: bool


class JournalEntry(TypedDict, total=False):
    """An exchange with the connector, or a delivery: one attempt to call somebody. Each has members of its own.

    Both have `id`, `kind`, `at` by the sandbox's clock, `realAt` by the machine's, and `status`, null where there was
    no answer (yet). `path` is decoded and starts below the connection id. `outcome` is how the answer left: answered,
    reset, cut, stall or lost, or under way. `effected` says that the operation did its work, whatever was answered.
    Of a delivery, `callback` is its id in the list of calls, `purpose` why that is made, `reference` what caused it,
    `number` counts the attempts, and `error` is why there was no answer.
    """

    id: Int64
    kind: Annotated[str, Schema(choices=KINDS)]
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


class JournalPage(TypedDict):
    """Entries, oldest first. `total` is how many were written since the journal was cleared.

    `dropped` is how many of those had to make room.
    """

    value: list[JournalEntry]
    total: Int64
    dropped: Int64


class JournalFilter:
    """Which entries are listed: all that is given must fit.

    With `after`, the id of an entry, the next ones that fit are listed; without it the newest.
    """

    connection: str | None = None
    operation: str | None = None
    status: int | None = None
    kind: Annotated[str | None, Schema(choices=KINDS)] = None
    after: int | None = None
    limit: int = MOST


class JournalQuery(TypedDict, total=False):
    """Which entries are meant: all that is given must fit.

    `path`, `url` and all texts from `outcome` on are patterns in which `*` stands for anything, and so are the values
    of `query` and of `body`, where a name may lead into objects and lists with dots; case does not count. A `body` that
    the journal has not kept whole fits none. `cause` may be the kind, the name or the reason of one. With `after`, the
    id of an entry, what came before does not count. `limit` is how many entries are shown: those that follow `after`,
    or else the newest.
    """

    kind: Annotated[str, Schema(choices=KINDS)]
    connection: str
    operation: Annotated[list[str], Schema(one_or_many=True)]
    family: str
    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]
    status: Annotated[list[int], Schema(one_or_many=True)]
    effected: bool
    outcome: str
    cause: str
    workflowName: str
    workflowRun: str
    workflowOperation: str
    clientRequestId: str
    url: str
    purpose: str
    reference: str
    after: Int64
    limit: Annotated[int, Schema(format="int32", default=MOST)]


class NearMiss(JournalEntry, total=False):
    """An entry that does not fit: `differs` names the members of the query that are to blame."""

    differs: list[str]


class JournalMatches(TypedDict):
    """The entries that fit, oldest first, how many there are in all, and what came closest without fitting."""

    value: list[JournalEntry]
    count: Int64
    nearMisses: list[NearMiss]


class JournalCounts(TypedDict):
    """How many exchanges and deliveries there were since the journal was cleared, those that made room included.

    An exchange counts once its answer has left, under its status, or else under what became of the answer. Causes are
    named with their kind, `fault first-send`; what no operation answered is `(none)`.
    """

    exchanges: Int64
    deliveries: Int64
    byOperation: dict[str, Int64]
    byStatus: dict[str, Int64]
    byCause: dict[str, Int64]


class RetryFacts(TypedDict):
    """A call that failed or was throttled, and whether the same client asked for the same again.

    Waits are in seconds: `waitedSeconds` by the sandbox's clock, `realWaitedSeconds` by the machine's, `askedSeconds`
    as `Retry-After` said. `entries` are all attempts, `timesEffected` is how many of them did their work, `duplicated`
    that something was made more than once.
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
    timesEffected: Int32
    duplicated: bool
    entries: list[Int64]


class RetryReport(TypedDict):
    """The calls that failed, oldest first, and how many things were made more than once."""

    value: list[RetryFacts]
    duplicatedSends: Int64


class JournalCaps(TypedDict, total=False):
    """How many entries are kept from now on, of those that are there the newest, and how much of a body; 0 for none.

    What is left out or null stays.
    """

    cap: Annotated[int, Whole(most=100_000)]
    bodyBytes: Annotated[int, Whole(most=100 * 1024 * 1024)]


class JournalFacts(TypedDict):
    """How much a journal keeps."""

    cap: Int64
    bodyBytes: Int64
