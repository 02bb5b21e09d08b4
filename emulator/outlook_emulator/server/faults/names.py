"""The known failures of the connector as named faults, each with the page that documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial

from outlook_emulator.errors import (
    AttachmentWithoutContent,
    BadGateway,
    CallsExceeded,
    EncryptedReply,
    InlineImageTooLarge,
    InvalidRequest,
    MessageNotFound,
    NoSuchOperation,
    NotFound,
    SearchUnavailable,
    TimedOut,
    TokenExpired,
    Unauthorized,
)
from outlook_emulator.frozen import Frozen
from outlook_emulator.mailbox.mailbox import Rules
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.operation import Kind, Operation, Scope
from outlook_emulator.server.times import read_duration
from outlook_emulator.settings import Limits
from outlook_emulator.traffic.call_facts import like
from outlook_emulator.traffic.fault_plan import FaultEffect
from outlook_emulator.traffic.faults import Effect
from outlook_emulator.wire.mail import Binary

_LEARN = "https://learn.microsoft.com/connectors/outlook/"
_GENERAL = f"{_LEARN}#general-known-issues-and-limitations"
_ACTIONS = f"{_LEARN}#known-issues-and-limitations-with-actions"
_TRIGGERS = f"{_LEARN}#known-issues-and-limitations-with-triggers"
_THROTTLING = f"{_LEARN}#throttling-limits"
_REPORTED = "https://learn.microsoft.com/azure/logic-apps/logic-apps-exception-handling"
"""About failures that the connector's page leaves out and public reports describe."""
_REPORTS = (
    "https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online"
)

_TWIN = "https://learn.microsoft.com/connectors/office365/"
"""About failures that only the page of the sibling connector describes."""
_APPROVAL_PAGE = "https://github.com/Azure/LogicAppsUX/issues/8230"
"""A public report about this connector."""

_EVENT_CHANGES = frozenset(row.family for row in OPERATIONS if row.writes_event and not row.creates)
_MAIL_FAMILIES = frozenset(row.family for row in OPERATIONS if {"messageId", "message_id"} & set(row.path_parameters))
"""The families of operations on one mail, whose absence has a text of its own."""
_LATEST = 60 * 60 * 1_000_000
"""The longest delay of a trigger, in microseconds (documented)."""
_PERIOD = Limits().calls_period
_SEARCH = "searchQuery"


class NamedFault(Frozen, kw_only=True):
    """A fault of the connector that rules use by name.

    `make` returns its effect; `takes` are the options that it allows besides the name and the delay.
    `applies` selects the operations that it can happen to; with a `parameter`, only requests that give it a value.
    Requests with a query parameter of `unless` are left out.
    """

    name: str
    summary: str
    documentation: str
    make: Callable[[FaultEffect], Effect]
    applies: Callable[[Operation], bool] = lambda operation: True
    takes: frozenset[str] = frozenset()
    parameter: str = ""
    unless: Mapping[str, str] = field(default_factory=dict)

    @property
    def families(self) -> list[str]:
        """The families it can happen to; empty if it can happen to all."""
        families = [operation.family for operation in OPERATIONS if self.applies(operation)]
        return [] if len(families) == len(OPERATIONS) else list(dict.fromkeys(families))


def _throttled(options: FaultEffect) -> Effect:
    # By default the whole period, the longest wait that the limit itself asks for.
    return Effect(response=CallsExceeded(_PERIOD if options.retry_after is None else options.retry_after))


def _slash_id(options: FaultEffect) -> Effect:
    # As if the slash split the path: no operation has such an address.
    return Effect(
        rule_changes={"event_ids": "ews"}, response=NoSuchOperation("an id with a slash"), families=_EVENT_CHANGES
    )


def _hidden_attachments(options: FaultEffect) -> Effect:
    return Effect(rule_changes={"hides": partial(like, "*" if options.names is None else options.names)})


def _undeliverable(options: FaultEffect) -> Effect:
    patterns = ("*",) if options.addresses is None else options.addresses
    if not patterns:
        raise InvalidRequest("'addresses' must have at least one pattern.")
    return Effect(rule_changes={"undeliverable": lambda address: any(like(pattern, address) for pattern in patterns)})


def _large_image(options: FaultEffect) -> Effect:
    limit = Rules().max_inline_image_bytes
    return Effect(response=InlineImageTooLarge(limit + 1, limit))


def _trigger_delay(options: FaultEffect) -> Effect:
    delay = read_duration("PT1H" if options.delay is None else options.delay, "delay")
    if not 0 < delay <= _LATEST:
        raise InvalidRequest("'delay' of 'trigger-delayed' must be above zero and at most one hour.")
    return Effect(trigger_delay=delay)


def _is_trigger(operation: Operation) -> bool:
    """Whether a trigger can be late: it is polled, or its subscriber is notified."""
    return operation.kind is Kind.POLL or operation.watches is not None


def _holds_text(operation: Operation) -> bool:
    """Whether a response holds mails with their text, rather than the bytes of an attachment."""
    return operation.reads_mail and operation.response_shape is not Binary


def _has_search(operation: Operation) -> bool:
    return any(parameter.name == _SEARCH for parameter in operation.parameters)


def _names_an_item(operation: Operation) -> bool:
    places = {"mailbox_address", "folder_path"} & {parameter.keyword for parameter in operation.parameters}
    return operation.scope is Scope.CONNECTION and bool(operation.path_parameters or places)


_ROWS = (
    NamedFault(
        name="timeout-504-before",
        summary="the mail service takes longer than 60 seconds and does nothing; the caller sees 504",
        documentation=_GENERAL,
        make=lambda options: Effect(response=TimedOut()),
        takes=frozenset({"retry_after"}),
    ),
    NamedFault(
        name="timeout-504-after",
        summary="the mail service runs the operation, but too late: the caller sees 504 and may retry",
        documentation=_GENERAL,
        make=lambda options: Effect(response=TimedOut(), phase="after"),
        takes=frozenset({"retry_after"}),
    ),
    NamedFault(
        name="throttled",
        summary="the connection has made too many calls: 429 with Retry-After, by default 60 seconds",
        documentation=_THROTTLING,
        make=_throttled,
        takes=frozenset({"retry_after"}),
    ),
    NamedFault(
        name="ews-slash-id",
        summary="new events get ids with slashes, as in the old mail service; updates and deletions fail with 404",
        documentation=_ACTIONS,
        make=_slash_id,
        applies=lambda operation: operation.writes_event,
    ),
    NamedFault(
        name="attachment-skipped",
        summary="mails come without the attachments that match `names`, as if they were EML, MSG or ICS files",
        documentation=_GENERAL,
        make=_hidden_attachments,
        applies=lambda operation: operation.reads_mail,
        takes=frozenset({"names"}),
    ),
    NamedFault(
        name="inline-image-over-1mb",
        summary="a mail is rejected as if an image in its body were larger than 1 MB",
        documentation=_GENERAL,
        make=_large_image,
        applies=lambda operation: operation.carries_images,
    ),
    NamedFault(
        name="undeliverable",
        summary="mail to the addresses that match `addresses`, by default to all, comes back: the request succeeds, and"
        " a non-delivery report arrives in the sender's Inbox",
        documentation=_REPORTS,
        make=_undeliverable,
        # An event with attendees is mailed to them.
        applies=lambda operation: operation.sends_mail or operation.writes_event,
        takes=frozenset({"addresses"}),
    ),
    NamedFault(
        name="object-not-found",
        summary="the item is not in the store: moved, deleted, or in a mailbox without permission",
        documentation=_GENERAL,
        make=lambda options: Effect(response=NotFound(), by_family=dict.fromkeys(_MAIL_FAMILIES, MessageNotFound())),
        applies=_names_an_item,
    ),
    NamedFault(
        name="encrypted-reply",
        summary="a reply is rejected as if the mail were encrypted",
        documentation=_ACTIONS,
        make=lambda options: Effect(response=EncryptedReply()),
        applies=lambda operation: operation.is_reply,
    ),
    NamedFault(
        name="trigger-delayed",
        summary="a trigger fires late, by `delay`: at most one hour, which is the default",
        documentation=_TRIGGERS,
        make=_trigger_delay,
        applies=_is_trigger,
        takes=frozenset({"delay"}),
    ),
    NamedFault(
        name="delivered-twice",
        summary="a trigger fires twice for a mail with attachments: first with empty `Attachments`, then whole",
        documentation=_TWIN,
        make=lambda options: Effect(twice=True),
        applies=lambda operation: operation.kind is Kind.POLL and operation.reads_mail,
    ),
    NamedFault(
        name="protected-mail",
        summary="mails are protected: reads and triggers hold a note in place of the text",
        documentation=_TWIN,
        make=lambda options: Effect(rule_changes={"protects": True}),
        applies=_holds_text,
    ),
    NamedFault(
        name="approval-page-error",
        summary="the answer to an approval mail or a mail with options counts, but the page shows an error",
        documentation=_APPROVAL_PAGE,
        make=lambda options: Effect(rule_changes={"breaks_answer_page": True}),
        applies=lambda operation: operation.answers,
        # The page that asks for confirmation is no answer yet.
        unless={"showConfirm": "true"},
    ),
    NamedFault(
        name="bad-gateway",
        summary="the gateway gets no valid response from the service behind it: 502 in the gateway's form",
        documentation=_REPORTED,
        make=lambda options: Effect(response=BadGateway()),
        takes=frozenset({"retry_after"}),
    ),
    NamedFault(
        name="gateway-policy",
        summary="a policy of the gateway fails on the request: 500 in its own form, which engines try again",
        documentation=_REPORTED,
        make=lambda options: Effect(response=AttachmentWithoutContent()),
        takes=frozenset({"retry_after"}),
    ),
    NamedFault(
        name="search-unavailable",
        summary="the mail service cannot search: requests with a `searchQuery` get 503, others work",
        documentation=_REPORTED,
        make=lambda options: Effect(response=SearchUnavailable()),
        applies=_has_search,
        takes=frozenset({"retry_after"}),
        parameter=_SEARCH,
    ),
    NamedFault(
        name="token-expired",
        summary="the consent of the connection has expired: 401 until somebody signs in again",
        documentation=_REPORTED,
        make=lambda options: Effect(response=TokenExpired()),
    ),
    NamedFault(
        name="connection-unauthenticated",
        summary="nobody has signed in to the connection: 401",
        documentation=_REPORTED,
        make=lambda options: Effect(response=Unauthorized()),
    ),
)
NAMED = {fault.name: fault for fault in _ROWS}
