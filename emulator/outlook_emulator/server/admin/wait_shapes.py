"""The JSON shapes of a wait: its conditions, the items that match, and the nearest misses."""

from __future__ import annotations

from typing import Annotated, Any

from typing_extensions import TypedDict

from outlook_emulator.options import Option, options_of
from outlook_emulator.server.admin.shapes import NumbersToo
from outlook_emulator.server.schemas import shape
from outlook_emulator.traffic.wait_conditions import WaitConditions
from outlook_emulator.wire.base import DateTime, Double, Email, Int32, Schema, Uri


def _text(option: Option) -> Any:
    return Annotated[str, Schema(choices=option.choices, default=option.default)]


_FORMATS: dict[str, Any] = {
    "from": Email,
    "recipient": Email,
    "url": Uri,
    "newerThan": Annotated[str, NumbersToo()],
    "count": Annotated[int, Schema(format="int32", default=1)],
    "timeoutSeconds": Annotated[float, Schema(format="double", default=10)],
}

WaitOrder = shape(
    "WaitOrder",
    {option.member: _FORMATS.get(option.member) or _text(option) for option in options_of(WaitConditions)},
    WaitConditions.__doc__,
)

_KINDS = next(option.choices for option in options_of(WaitConditions) if option.name == "kind")
_Sender = TypedDict("_Sender", {"from": Email | None}, total=False)


class Found(_Sender, total=False):
    """A mail, an event, a callback or a poke; each has the members that apply to it.

    `connection` is a connection of its mailbox. The id of an outbox mail is its number in the outbox.
    """

    kind: Annotated[str, Schema(choices=_KINDS)]
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
    attempts: Int32
    lastStatus: Int32 | None
    lastError: str | None
    body: str


class Waited(TypedDict):
    """The items that match, oldest first, and how long the wait took."""

    value: list[Found]
    waitedSeconds: Double


class NearMiss(Found, total=False):
    """An item that does not match; `differs` names the conditions that it fails."""

    differs: list[str]
