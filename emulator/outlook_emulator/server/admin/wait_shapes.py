"""What the admin API reads and answers about waiting: what is waited for, what came, and what nearly was it."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from outlook_emulator.server.admin.shapes import NumbersToo
from outlook_emulator.wire.base import DateTime, Double, Email, Schema, Uri

KINDS = ("mail", "event", "callback", "poke")
LONGEST = 60
"""Seconds that a call may wait at most."""
MOST = 1000
"""How many matches an answer holds, and may be waited for."""

_From = TypedDict("_From", {"from": Email}, total=False)


class WaitOrder(_From, total=False):
    """What to wait for; all that is given must fit.

    A callback is any call that the sandbox makes, a poke one to a subscriber. `recipient` is the address of a mailbox,
    or one that a mail left for; `from` is the sender of a mail, the organizer of an event. `subject` and `text` may
    stand anywhere in subject and body. `folder` is one of mails; without it, copies of sent mails do not count.
    `newerThan` is the id of a mail or an event, or the number of a mail that left or of a callback: only what came
    after it counts. Time is the server's, not the sandbox's.
    """

    kind: Annotated[str, Schema(choices=KINDS, default=KINDS[0])]
    recipient: Email
    connection: str
    subject: str
    folder: str
    text: str
    newerThan: Annotated[str, NumbersToo()]
    url: Uri
    reference: str
    count: Annotated[int, Schema(format="int32", default=1)]
    timeoutSeconds: Annotated[float, Schema(format="double", default=10)]


_Sender = TypedDict("_Sender", {"from": Email | None}, total=False)


class Found(_Sender, total=False):
    """A mail, an event or a call; each has the members that say something about it.

    `connection` opens the mailbox it lies in. A mail that left has its number in the outbox as its id.
    """

    kind: Annotated[str, Schema(choices=KINDS)]
    id: str
    subject: str
    recipients: list[Email]
    connection: str | None
    folder: str | None
    receivedAt: DateTime
    start: DateTime
    createdAt: DateTime
    url: Uri
    reference: str
    state: str
    body: str


class Waited(TypedDict):
    """What came, oldest first, and how long that took."""

    value: list[Found]
    waitedSeconds: Double


class NearMiss(Found, total=False):
    """Something that came and did not match: `differs` names the members of the order that are to blame."""

    differs: list[str]


MEMBERS = {
    "mail": frozenset({"recipient", "connection", "subject", "from", "folder", "text", "newerThan"}),
    "event": frozenset({"recipient", "connection", "subject", "from", "text", "newerThan"}),
    "callback": frozenset({"text", "newerThan", "url", "reference"}),
    "poke": frozenset({"text", "newerThan", "url", "reference"}),
}
"""The conditions that each kind knows."""
