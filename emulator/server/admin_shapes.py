"""What the admin API reads and answers; member names match without case, as in the connector's bodies."""

from __future__ import annotations

from typing import Annotated, Required

from typing_extensions import TypedDict

from emulator.enums import Importance
from emulator.operations.coverage import Covered
from emulator.wire.base import DateTime, Email, Schema
from emulator.wire.mail import ClientReceiveMessage, ClientSendAttachment

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


class NewSandbox(TypedDict, total=False):
    """A sandbox to make, with what it starts with: connections, and sample mailboxes as `SANDBOX-NAME`."""

    name: Required[str]
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


class Coverage(TypedDict):
    """Every operation of the connector, and whether it is served."""

    value: list[Covered]
