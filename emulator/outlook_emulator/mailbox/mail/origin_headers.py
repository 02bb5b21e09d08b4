"""The internet headers that the connector adds to every mail it sends; they describe the caller (Learn page)."""

from __future__ import annotations

from typing import Literal, NamedTuple
from uuid import UUID

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
    parts = {"x-ms-client-request-id": caller.request_id or str(UUID(int=mailbox.rng.getrandbits(128)))}
    if caller.product is not Product.POWER_APPS:
        run = {"x-ms-workflow-name": caller.workflow_name, "x-ms-workflow-run-id": caller.workflow_run}
        parts = {name: value for name, value in run.items() if value} | parts
    # Each part ends in `;`, the last one too (recorded from the Office 365 twin).
    return " ".join(f"{name}: {value};" for name, value in parts.items())
