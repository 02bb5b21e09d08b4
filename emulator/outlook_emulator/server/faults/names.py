"""The connector's own troubles, each with the name it can be had by and the place where it is documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from outlook_emulator.errors import (
    BadGateway,
    CallsExceeded,
    EncryptedReply,
    InvalidRequest,
    MessageTooLarge,
    NoSuchOperation,
    NotFound,
    TimedOut,
    TokenExpired,
    Unauthorized,
)
from outlook_emulator.mailbox.mailbox import Rules
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation, Scope
from outlook_emulator.server.times import read_duration
from outlook_emulator.traffic.call_facts import like
from outlook_emulator.traffic.faults import Effect

_LEARN = "https://learn.microsoft.com/connectors/outlook/"
_GENERAL = f"{_LEARN}#general-known-issues-and-limitations"
_ACTIONS = f"{_LEARN}#known-issues-and-limitations-with-actions"
_TRIGGERS = f"{_LEARN}#known-issues-and-limitations-with-triggers"
_THROTTLING = f"{_LEARN}#throttling-limits"
_REPORTED = "https://learn.microsoft.com/azure/logic-apps/logic-apps-exception-handling"
"""What the connector's page leaves out is known from public reports; how to cope with it is described here."""

_EVENT_CHANGES = frozenset(row.family for row in OPERATIONS if row.writes_event and not row.creates)
_LATEST = 60 * 60 * 1_000_000
"""How late a trigger fires at most, in microseconds (documented)."""
_WINDOW = 60


@dataclass(frozen=True, kw_only=True)
class Named:
    """A fault with a name. `make` gives its effect from the members that `takes` allows beside the name."""

    name: str
    summary: str
    documentation: str
    make: Callable[[Mapping[str, Any]], Effect]
    applies: Callable[[Operation], bool] = lambda operation: True
    takes: frozenset[str] = frozenset()

    @property
    def families(self) -> list[str]:
        """The families it can happen to, empty where it is all of them."""
        found = [one.family for one in OPERATIONS if self.applies(one)]
        return [] if len(found) == len(OPERATIONS) else list(dict.fromkeys(found))


def _throttled(given: Mapping[str, Any]) -> Effect:
    return Effect(answer=CallsExceeded(given.get("retryAfter", _WINDOW)))


def _slashed(given: Mapping[str, Any]) -> Effect:
    return Effect(changes={"event_ids": "ews"}, answer=NoSuchOperation("an id with a slash"), families=_EVENT_CHANGES)


def _skipped(given: Mapping[str, Any]) -> Effect:
    return Effect(changes={"hides": partial(like, given.get("names", "*"))})


def _image(given: Mapping[str, Any]) -> Effect:
    most = Rules().max_inline_image_bytes
    size = f"An inline image in 'Body' has {most + 1} bytes after base64 encoding; at most {most} are allowed."
    return Effect(answer=MessageTooLarge(size))


def _delayed(given: Mapping[str, Any]) -> Effect:
    holds = read_duration(given.get("delay", "PT1H"), "delay")
    if not 0 < holds <= _LATEST:
        raise InvalidRequest("'delay' of 'trigger-delayed' must be above zero, and an hour at most.")
    return Effect(holds=holds)


def _fires(operation: Operation) -> bool:
    """Whether something arrives by an operation that can be late: a poll's find, or a poke."""
    return operation.kind is Kind.POLL or operation.watches is not None


def _looks_something_up(operation: Operation) -> bool:
    places = {"mailbox_address", "folder_path"} & {one.keyword for one in operation.parameters}
    return operation.scope is Scope.CONNECTION and bool(operation.path_parameters or places)


_ROWS = (
    Named(
        name="timeout-504-before",
        summary="the mail service takes longer than 60 seconds and does nothing; the caller sees 504",
        documentation=_GENERAL,
        make=lambda given: Effect(answer=TimedOut()),
        takes=frozenset({"retryAfter"}),
    ),
    Named(
        name="timeout-504-after",
        summary="the mail service does what was asked, but too late: the caller sees 504 and may ask again",
        documentation=_GENERAL,
        make=lambda given: Effect(answer=TimedOut(), after=True),
        takes=frozenset({"retryAfter"}),
    ),
    Named(
        name="throttled",
        summary="the connection has made too many calls: 429 with Retry-After, 60 seconds unless said otherwise",
        documentation=_THROTTLING,
        make=_throttled,
        takes=frozenset({"retryAfter"}),
    ),
    Named(
        name="ews-slash-id",
        summary="new events get ids with slashes, as the old mail service made them; updates and deletions go astray",
        documentation=_ACTIONS,
        make=_slashed,
        applies=lambda operation: operation.writes_event,
    ),
    Named(
        name="attachment-skipped",
        summary="mails come without some of their attachments, `names` says which, as if they were EML, MSG or ICS",
        documentation=_GENERAL,
        make=_skipped,
        applies=lambda operation: operation.reads_mail,
        takes=frozenset({"names"}),
    ),
    Named(
        name="inline-image-over-1mb",
        summary="a mail is refused as if an image in its body were larger than 1 MB",
        documentation=_GENERAL,
        make=_image,
        applies=lambda operation: operation.carries_images,
    ),
    Named(
        name="object-not-found",
        summary="what is named is not in the store: moved, deleted, or in a mailbox that may not be opened",
        documentation=_GENERAL,
        make=lambda given: Effect(answer=NotFound()),
        applies=_looks_something_up,
    ),
    Named(
        name="encrypted-reply",
        summary="a reply is refused as if the mail were encrypted",
        documentation=_ACTIONS,
        make=lambda given: Effect(answer=EncryptedReply()),
        applies=lambda operation: operation.is_reply,
    ),
    Named(
        name="trigger-delayed",
        summary="what a trigger finds comes late, by `delay`: up to an hour, which it is unless said otherwise",
        documentation=_TRIGGERS,
        make=_delayed,
        applies=_fires,
        takes=frozenset({"delay"}),
    ),
    Named(
        name="bad-gateway",
        summary="the gateway gets no valid answer from behind it: 502 in its own form",
        documentation=_REPORTED,
        make=lambda given: Effect(answer=BadGateway()),
        takes=frozenset({"retryAfter"}),
    ),
    Named(
        name="token-expired",
        summary="the consent behind the connection has run out: 401 until somebody signs in again",
        documentation=_REPORTED,
        make=lambda given: Effect(answer=TokenExpired()),
    ),
    Named(
        name="connection-unauthenticated",
        summary="nobody has signed in to the connection: 401",
        documentation=_REPORTED,
        make=lambda given: Effect(answer=Unauthorized()),
    ),
)
NAMED = {one.name: one for one in _ROWS}
