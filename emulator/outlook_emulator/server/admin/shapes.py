"""The JSON shapes of the admin API. Member names are case-insensitive, as in the connector's bodies."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, Required

from typing_extensions import TypedDict

from outlook_emulator.enums import Importance
from outlook_emulator.operations.coverage import Covered
from outlook_emulator.server.admin.content_shapes import AttachmentFacts
from outlook_emulator.wire.base import DateTime, Double, Email, Int32, Int64, Schema
from outlook_emulator.wire.mail import ClientReceiveMessage

_From = TypedDict("_From", {"from": Email}, total=False)


class IncomingAttachment(TypedDict, total=False):
    """A file in a mail from outside, its content in base64."""

    Name: Required[str]
    ContentBytes: Required[Annotated[str, Schema(format="byte")]]


class IncomingMail(_From, total=False):
    """A mail from outside: either a whole MIME message in `eml`, or parts with `html` or `text` as its body.

    `folder` is a path that is created if missing; without `received` the mail arrives now. If it is
    `strict`, a damaged one is refused.
    """

    eml: str
    to: str
    cc: str
    subject: str
    text: str
    html: str
    importance: Annotated[str, Schema(names=Importance, default="Normal")]
    attachments: list[IncomingAttachment]
    folder: str
    received: DateTime
    isRead: bool
    isFlagged: bool
    strict: bool


class ArrivalQuery:
    """Where and how a MIME message is delivered. If it is `strict`, a damaged one is refused."""

    folder: str | None = None
    received: Annotated[str | None, Schema(format="date-time")] = None
    is_read: bool = False
    is_flagged: bool = False
    strict: bool = False


class NewConnection(TypedDict, total=False):
    """A connection to add, and mails to deliver to its mailbox; id and address have defaults."""

    id: str
    address: Email
    displayName: str
    sendAs: list[str]
    mails: list[IncomingMail]


class ClockStart(TypedDict, total=False):
    """The start time of a new sandbox's clock, which may be in the past, and whether the clock is frozen."""

    set: DateTime
    freeze: bool


class SandboxContent(TypedDict, total=False):
    """The start of a sandbox: its clock, connections, and sample mailboxes whose connection ids are `SANDBOX-NAME`.

    With the setting `connection_ids`, these are `SANDBOX.NAME`. A reset always sets the clock back to the time of the
    server.
    """

    clock: ClockStart
    connections: list[NewConnection]
    seeds: list[str]


class NewSandbox(SandboxContent, total=False):
    """A sandbox to create."""

    name: Required[str]


class SandboxFacts(TypedDict):
    """A sandbox and the ids of its connections; `problem` says why it cannot be used, and is left out if it can."""

    name: str
    connections: list[str]
    problem: NotRequired[str]


class SandboxList(TypedDict):
    """All sandboxes."""

    value: list[SandboxFacts]


class SeedOrder(TypedDict, total=False):
    """A sample mailbox to load; its connection id defaults to its name.

    It is one of the shipped ones with this `name`, or described in `mailbox` with the keys of `mailbox.toml`. If it is
    `strict`, it is refused if parts of the texts and files in it would be left out.
    """

    name: Required[str]
    connection: str
    mailbox: dict[str, Any]
    strict: bool


class SeedQuery:
    """The id of the connection to the mailbox in a zip file, and whether it is refused if parts would be left out."""

    connection: str
    strict: bool = False


class ConnectionFacts(TypedDict):
    """A connection, the owner of its mailbox, and its runtime URL."""

    id: str
    address: Email
    displayName: str
    sendAs: list[str]
    runtimeUrl: str


class SkippedFacts(TypedDict):
    """An item or a part of one in a file that was left out, its first line if the file has lines, and why."""

    item: str
    line: Int32 | None
    reason: str


class Seeded(ConnectionFacts):
    """The connection to a mailbox that was loaded, and what of its files was left out."""

    skipped: list[SkippedFacts]


class ConnectionList(TypedDict):
    """The connections of a sandbox."""

    value: list[ConnectionFacts]


class NewFolder(TypedDict, total=False):
    """A folder to create: `path` is split at slashes, `names` are taken as they are."""

    path: str
    names: list[str]


class FolderFacts(TypedDict):
    """A mail folder and its id; the path is null if a name in it has a slash."""

    id: str
    path: str | None


class NewItemFolder(TypedDict):
    """A calendar or contact folder to create."""

    name: Required[str]


class ItemFolderState(TypedDict):
    """A calendar or contact folder, and its id."""

    id: str
    name: str


class ImportQuery:
    """Whether a file of which parts would be left out is refused."""

    strict: bool = False


class Imported(TypedDict):
    """The ids of the imported items, in the order of the file, and what was left out."""

    ids: list[str]
    skipped: list[SkippedFacts]


class DeliveredMail(TypedDict):
    """The delivered message, and what of its MIME was left out."""

    message: ClientReceiveMessage
    skipped: list[SkippedFacts]


_Sender = TypedDict("_Sender", {"from": Email | None})


class OutboxMail(_Sender):
    """A mail that left the sandbox, and its recipients. `text` is the visible text of its body."""

    id: int
    departedAt: DateTime
    recipients: list[str]
    subject: str
    internetMessageId: str
    text: str
    html: str | None
    attachments: list[AttachmentFacts]


class Outbox(TypedDict):
    """The mails that left a sandbox, oldest first."""

    value: list[OutboxMail]


_Asker = TypedDict("_Asker", {"from": Email})


class QuestionFacts(_Asker):
    """An approval mail or a mail with options.

    `answer` is the option that was chosen first. `answeredBy` is only known if there is a single recipient, since all
    recipients get the same links.
    """

    id: str
    kind: Annotated[str, Schema(choices=("approval", "options"))]
    to: list[str]
    subject: str
    options: list[str]
    askedAt: DateTime
    answer: str | None
    answeredAt: DateTime | None
    answeredBy: Email | None
    withdrawn: bool


class QuestionList(TypedDict):
    """The approval mails and mails with options of a sandbox, oldest first."""

    value: list[QuestionFacts]


class GivenAnswer(TypedDict):
    """The option to choose, spelled as in the question."""

    option: Required[str]


class NumbersToo(Schema):
    """A text that may also be sent as a number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        check = {"type": "no-info", "function": _as_text}
        return {"type": "function-before", "function": check, "schema": handler(source)}


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class ClockOrder(TypedDict, total=False):
    """A change of a sandbox's clock: first move it, then freeze or release it.

    `set` and `advance` cannot be combined. `advance` is a duration such as `PT1H30M` or `1h30m`, or seconds. `freeze`
    true stops the clock, false lets it run again from the time it shows.
    """

    freeze: bool
    set: DateTime
    advance: Annotated[str, NumbersToo(format="duration")]


class ClockFacts(TypedDict):
    """The time of a sandbox, its mode, and how far it is ahead of the server's clock.

    A `following` clock shows the server's time, a `shifted` one runs ahead of it, a `frozen` one stands still.
    """

    now: DateTime
    mode: Annotated[str, Schema(choices=("following", "shifted", "frozen"))]
    shiftSeconds: Double


class Coverage(TypedDict):
    """Every operation of the connector."""

    value: list[Covered]


class SubscriptionFacts(TypedDict):
    """An active subscription: what it watches (mail, flag, mention or event), and the URL it pokes.

    `state` is the value that identifies it in change reports of the mail service.
    """

    id: str
    watches: str
    url: str
    expiresAt: DateTime
    state: str


class SubscriptionList(TypedDict):
    """The active subscriptions of a connection."""

    value: list[SubscriptionFacts]


class Poked(TypedDict):
    """The callback of a poke, which is called soon."""

    callback: Int64


class CallbackFacts(TypedDict):
    """A request that the sandbox sends to a subscriber; `state` is pending, done, failed or cancelled.

    `lastStatus` and `lastError` are from the last attempt. `reference` is the id of what caused the callback.
    """

    id: Int64
    kind: str
    url: str
    reference: str
    state: str
    attempts: Int32
    lastStatus: Int32 | None
    lastError: str | None
    createdAt: DateTime
    attemptedAt: DateTime | None
    dueAt: DateTime | None
    headers: dict[str, str]
    body: str


class CallbackJournal(TypedDict):
    """The callbacks of a sandbox, oldest first; of the finished ones, the newest thousand."""

    value: list[CallbackFacts]


class TriggerConnection(TypedDict, total=False):
    """The connection of a trigger. It is optional, and must be the connection of the path."""

    connectorName: str
    connectionName: str


class TriggerNotification(TypedDict, total=False):
    """The callback of a trigger; the method must be Post."""

    callbackUrl: Required[str]
    httpMethod: str


class TriggerParameter(TypedDict, total=False):
    """A path or query parameter of a trigger; its value is text."""

    name: Required[str]
    value: str


class TriggerProperties(TypedDict, total=False):
    """A push trigger, in the shape of a connector namespace; with `splitOn`, each item is a callback of its own."""

    operationName: Required[str]
    connectionDetails: TriggerConnection
    notificationDetails: Required[TriggerNotification]
    parameters: list[TriggerParameter]
    splitOn: bool


class NewTriggerConfig(TypedDict, total=False):
    """A trigger to register."""

    properties: Required[TriggerProperties]


class TriggerConfig(TypedDict):
    """A registered trigger."""

    name: str
    properties: TriggerProperties


class TriggerConfigList(TypedDict):
    """The registered triggers of a connection, by name."""

    value: list[TriggerConfig]
