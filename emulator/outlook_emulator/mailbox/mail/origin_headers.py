"""The internet headers that the connector adds to every mail it sends; they describe the caller (Learn page)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from outlook_emulator.enums import Product
from outlook_emulator.mailbox.mailbox import Caller, Mailbox

OperationType = Literal["Send", "Reply", "Forward"]


class OriginHeaders(NamedTuple):
    """What sending adds to a mail."""

    message_id: str
    headers: tuple[tuple[str, str], ...]


def headers(mailbox: Mailbox, operation_type: OperationType) -> tuple[tuple[str, str], ...]:
    """The `x-ms-mail-…` headers in their documented order.

    Mails from Power Apps always have an environment id, those from Power Automate have one if the caller names it, and
    those from Logic Apps never do. For any other caller the headers are the same without a product name (inferred).
    """
    caller = mailbox.caller
    agent = f"User-Agent: {caller.user_agent}"
    environment = _environment(caller)
    return (
        ("x-ms-mail-application", f"{caller.product}; {agent}" if caller.product else agent),
        ("x-ms-mail-operation-type", operation_type),
        *([("x-ms-mail-environment-id", environment)] if environment else []),
        ("x-ms-mail-workflow", _workflow(mailbox)),
    )


def _environment(caller: Caller) -> str:
    if caller.product is Product.POWER_APPS:
        return caller.environment or "Default"
    return caller.environment if caller.product is Product.POWER_AUTOMATE else ""


def _workflow(mailbox: Mailbox) -> str:
    caller = mailbox.caller
    # Each part ends in `;`, the last one too (recorded from the Office 365 twin).
    request = f"x-ms-client-request-id: {caller.request_id or _uuid(mailbox.rng.getrandbits(128))};"
    if caller.product is Product.POWER_APPS:
        return request
    name = f"x-ms-workflow-name: {caller.workflow_name}; " if caller.workflow_name else ""
    run = f"x-ms-workflow-run-id: {caller.workflow_run}; " if caller.workflow_run else ""
    return name + run + request


def _uuid(number: int) -> str:
    # `UUID` takes several times as long, and every mail has one.
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
