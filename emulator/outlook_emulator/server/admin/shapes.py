"""What the admin API reads and answers; member names match without case, as in the connector's bodies."""

from __future__ import annotations

from typing import Annotated, Any, Required

from typing_extensions import TypedDict

from outlook_emulator.enums import Importance
from outlook_emulator.operations.coverage import Covered
from outlook_emulator.wire.base import DateTime, Double, Email, Int32, Int64, Schema
from outlook_emulator.wire.mail import ClientReceiveMessage, ClientSendAttachment

_From = TypedDict("_From", {"from": Email}, total=False)


class IncomingMail(_From, total=False):
    """A mail from the outside world: either whole as `eml`, or in parts, with `html` or `text` as its body.

    `folder` is a path that is made where it is missing; without `received` the mail arrives now.
    """

    eml: str
    to: str
    cc: str
    subject: str
    text: str
    html: str
    importance: Annotated[str, Schema(names=Importance, default="Normal")]
    attachments: list[ClientSendAttachment]
    folder: str
    received: DateTime
    isRead: bool
    isFlagged: bool


class ArrivalQuery:
    """Where and how a mail arrives that is sent whole, as MIME."""

    folder: str | None = None
    received: Annotated[str | None, Schema(format="date-time")] = None
    is_read: bool = False
    is_flagged: bool = False


class NewConnection(TypedDict, total=False):
    """A connection to add, and the mails its mailbox starts with; id and address are made up where missing."""

    id: str
    address: Email
    displayName: str
    sendAs: list[str]
    mails: list[IncomingMail]


class ClockStart(TypedDict, total=False):
    """Where a new sandbox's clock starts, in the past too, and whether it stands there."""

    set: DateTime
    freeze: bool


class NewSandbox(TypedDict, total=False):
    """A sandbox to make, with what it starts with: connections, and sample mailboxes as `SANDBOX-NAME`.

    A reset puts its clock back in step with the server's, however it started.
    """

    name: Required[str]
    clock: ClockStart
    connections: list[NewConnection]
    seeds: list[str]


class SandboxFacts(TypedDict):
    """A sandbox and the ids of its connections."""

    name: str
    connections: list[str]


class SandboxList(TypedDict):
    """All sandboxes."""

    value: list[SandboxFacts]


class SeedOrder(TypedDict, total=False):
    """A sample mailbox to load, under a connection id that defaults to its name."""

    name: Required[str]
    connection: str


class ConnectionFacts(TypedDict):
    """A connection, its mailbox's owner, and where the connector answers for it."""

    id: str
    address: Email
    displayName: str
    sendAs: list[str]
    runtimeUrl: str


class ConnectionList(TypedDict):
    """The connections of a sandbox."""

    value: list[ConnectionFacts]


class NewFolder(TypedDict, total=False):
    """A folder to make: `path` splits at slashes, `names` takes each name as it is."""

    path: str
    names: list[str]


class FolderFacts(TypedDict):
    """A mail folder and its id; a folder with a slash in a name on its way has no path."""

    id: str
    path: str | None


class NewShelf(TypedDict):
    """A calendar or contact folder to make."""

    name: Required[str]


class ShelfFacts(TypedDict):
    """A calendar or contact folder, and its id."""

    id: str
    name: str


class Imported(TypedDict):
    """The ids of what a file brought in, in its order."""

    ids: list[str]


class DeliveredMail(TypedDict):
    """The message a delivery made."""

    message: ClientReceiveMessage


_Sender = TypedDict("_Sender", {"from": Email | None})


class DepartedMail(_Sender):
    """A mail that left the sandbox, and to whom."""

    id: int
    departedAt: DateTime
    recipients: list[str]
    subject: str
    internetMessageId: str


class Outbox(TypedDict):
    """The mails that left a sandbox, oldest first."""

    value: list[DepartedMail]


_Asker = TypedDict("_Asker", {"from": Email})


class QuestionFacts(_Asker):
    """A mail that waits for an answer, or waited for one.

    `kind` is approval or options, `answer` the option that was chosen first. Who chose is known of a single recipient
    only, as all of them get the same links.
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
    """The mails of a sandbox that wait for an answer, or waited for one, oldest first."""

    value: list[QuestionFacts]


class GivenAnswer(TypedDict):
    """The option to choose, as the question spells it."""

    option: Required[str]


class NumbersToo(Schema):
    """A schema of texts that may come as numbers."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        check = {"type": "no-info", "function": _as_text}
        return {"type": "function-before", "function": check, "schema": handler(source)}


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class ClockOrder(TypedDict, total=False):
    """What to do to a sandbox's clock: jump, then stand still or run.

    `set` and `advance` exclude each other. `advance` is like `PT1H30M`, `1h30m` or a number of seconds. `freeze` true
    makes the clock stand, false makes it follow the server's from where it is.
    """

    freeze: bool
    set: DateTime
    advance: Annotated[str, NumbersToo(format="duration")]


class ClockFacts(TypedDict):
    """What time it is in a sandbox, whether time passes, and how far it is ahead of the server's clock.

    `following` runs with the server's clock, `shifted` runs at a distance, `frozen` stands.
    """

    now: DateTime
    mode: Annotated[str, Schema(choices=("following", "shifted", "frozen"))]
    shiftSeconds: Double


class Coverage(TypedDict):
    """Every operation of the connector, and whether it is served."""

    value: list[Covered]


class SubscriptionFacts(TypedDict):
    """A living subscription: what it watches (mail, flag, mention or event), and whom it pokes.

    `state` stands for it where the mail service's back end reports changes.
    """

    id: str
    watches: str
    url: str
    expiresAt: DateTime
    state: str


class SubscriptionList(TypedDict):
    """The living subscriptions of a connection."""

    value: list[SubscriptionFacts]


class CallbackFacts(TypedDict):
    """A call to somebody who asked for it; `state` is pending, done, failed or cancelled.

    `lastStatus` and `lastError` tell of the last attempt.

    `reference` is the id of what caused it.
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
    """The calls a sandbox made or has to make, oldest first; of those that ended the newest thousand."""

    value: list[CallbackFacts]


class TriggerConnection(TypedDict, total=False):
    """Which connection a trigger reads from; the connection of the path, if it is named at all."""

    connectorName: str
    connectionName: str


class TriggerNotification(TypedDict, total=False):
    """Where a trigger's items go; the method is Post."""

    callbackUrl: Required[str]
    httpMethod: str


class TriggerParameter(TypedDict, total=False):
    """A parameter of a trigger, path or query; its value is text."""

    name: Required[str]
    value: str


class TriggerProperties(TypedDict, total=False):
    """A trigger whose items are pushed, in the words of a connector namespace; `splitOn` makes a call for each item."""

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
