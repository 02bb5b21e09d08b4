"""The internet headers the connector puts on every mail it sends, worked out from who called it (Learn page)."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from outlook_emulator.mailbox.mailbox import Mailbox

POWER_APPS, POWER_AUTOMATE, LOGIC_APPS = "Microsoft Power Apps", "Microsoft Power Automate", "Azure Logic Apps"
_ENVIRONMENT_PATH = "/providers/microsoft.powerapps/environments/"


class OriginHeaders(NamedTuple):
    """What sending adds to a mail."""

    message_id: str
    headers: tuple[tuple[str, str], ...]


def headers(mailbox: Mailbox, verb: str) -> tuple[tuple[str, str], ...]:
    """The `x-ms-mail-…` headers in their documented order; `verb` is Send, Reply or Forward.

    The environment id is there for Power Apps always, for Power Automate when the call brings one, for Logic Apps
    never. A caller that is none of these gets the same headers without a product name (inferred).
    """
    agent = _agent(mailbox)
    product = product_of(agent)
    stamped = [
        ("x-ms-mail-application", f"{product}; User-Agent: {agent}" if product else f"User-Agent: {agent}"),
        ("x-ms-mail-operation-type", verb),
    ]
    environment = _environment(mailbox, product)
    if environment:
        stamped.append(("x-ms-mail-environment-id", environment))
    stamped.append(("x-ms-mail-workflow", _workflow(mailbox, product)))
    return tuple(stamped)


def product_of(agent: str) -> str | None:
    """The service behind a User-Agent, by its documented form."""
    lowered = agent.lower()
    if lowered.startswith(("powerapps/", "powerfx/")):
        return POWER_APPS
    if "microsoft-flow/" in lowered:
        return POWER_AUTOMATE
    return LOGIC_APPS if lowered.startswith("azure-logic-apps/") else None


def _agent(mailbox: Mailbox) -> str:
    # Power Apps calls through a browser or a gateway and names itself in a header of its own.
    header = mailbox.caller.header
    return header("x-ms-user-agent") or header("user-agent") or ""


def _environment(mailbox: Mailbox, product: str | None) -> str | None:
    if product not in (POWER_APPS, POWER_AUTOMATE):
        return None
    header = mailbox.caller.header
    given = header("x-ms-environment-id") or header("x-ms-client-environment-id") or ""
    if given.lower().startswith(_ENVIRONMENT_PATH):
        given = given[len(_ENVIRONMENT_PATH) :]
    return given or ("Default" if product == POWER_APPS else None)


def _workflow(mailbox: Mailbox, product: str | None) -> str:
    names = ["x-ms-workflow-name", "x-ms-workflow-run-id"] if product != POWER_APPS else []
    parts = [(name, value) for name in names if (value := mailbox.caller.header(name))]
    request = mailbox.caller.header("x-ms-client-request-id")
    parts.append(("x-ms-client-request-id", request or str(UUID(int=mailbox.rng.getrandbits(128)))))
    return " ".join(f"{name}: {value};" for name, value in parts)
