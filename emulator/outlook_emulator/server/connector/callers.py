"""Reads from a request's headers who sent it."""

from __future__ import annotations

from outlook_emulator.enums import Product
from outlook_emulator.mailbox.mailbox import Caller
from outlook_emulator.server.connector.exchange import Request

_ENVIRONMENT_PATH = "/providers/microsoft.powerapps/environments/"


def caller_of(request: Request) -> Caller:
    """The caller, as the request's headers describe it."""
    get = request.headers.get
    # Power Apps calls through a browser or a gateway, and names itself in a header of its own.
    agent = (get(b"x-ms-user-agent") or get(b"user-agent", b"")).decode("latin-1")
    environment = (get(b"x-ms-environment-id") or get(b"x-ms-client-environment-id", b"")).decode("latin-1")
    if environment.lower().startswith(_ENVIRONMENT_PATH):
        environment = environment[len(_ENVIRONMENT_PATH) :]
    return Caller(
        user_agent=agent,
        product=product_of(agent),
        environment=environment,
        workflow_name=get(b"x-ms-workflow-name", b"").decode("latin-1"),
        workflow_run=get(b"x-ms-workflow-run-id", b"").decode("latin-1"),
        request_id=get(b"x-ms-client-request-id", b"").decode("latin-1"),
        base_url=_base_url(request),
    )


def product_of(agent: str) -> Product | None:
    """The product that a User-Agent names, by its documented form."""
    if not agent:
        return None
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
