"""Reads from a request's headers who sent it."""

from __future__ import annotations

from outlook_emulator.enums import Product
from outlook_emulator.mailbox.mailbox import Caller
from outlook_emulator.server.connector.exchange import Request

_ENVIRONMENT_PATH = "/providers/microsoft.powerapps/environments/"


def caller_of(request: Request) -> Caller:
    """The caller, as the request's headers describe it."""
    headers = request.headers

    def header(name: bytes) -> str:
        return headers[name].decode("latin-1") if name in headers else ""

    # Power Apps calls through a browser or a gateway, and names itself in a header of its own.
    agent = header(b"x-ms-user-agent") or header(b"user-agent")
    environment = header(b"x-ms-environment-id") or header(b"x-ms-client-environment-id")
    if environment.lower().startswith(_ENVIRONMENT_PATH):
        environment = environment[len(_ENVIRONMENT_PATH) :]
    return Caller(
        user_agent=agent,
        product=product_of(agent),
        environment=environment,
        workflow_name=header(b"x-ms-workflow-name"),
        workflow_run=header(b"x-ms-workflow-run-id"),
        request_id=header(b"x-ms-client-request-id"),
        base_url=_base_url(request),
    )


def product_of(agent: str) -> Product | None:
    """The product that a User-Agent names, by its documented form."""
    lowered = agent.lower()
    if lowered.startswith(("powerapps/", "powerfx/")):
        return Product.POWER_APPS
    # Before Logic Apps: Power Automate uses the same engine, and names it first.
    if "microsoft-flow/" in lowered:
        return Product.POWER_AUTOMATE
    return Product.LOGIC_APPS if lowered.startswith("azure-logic-apps/") else None


def _base_url(request: Request) -> str:
    # Behind a proxy, only the proxy knows whether the caller used https.
    forwarded = (request.header("x-forwarded-proto") or "").partition(",")[0].strip().lower()
    scheme = forwarded if forwarded in ("http", "https") else request.scope.get("scheme", "http")
    return f"{scheme}://{request.header('host') or 'localhost'}"
