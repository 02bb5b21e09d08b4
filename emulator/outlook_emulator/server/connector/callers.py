"""Reads from a request's headers who sent it."""

from __future__ import annotations

from functools import lru_cache

from outlook_emulator.enums import Product
from outlook_emulator.mailbox.mailbox import Caller
from outlook_emulator.server.connector.exchange import Request

_ENVIRONMENT_PATH = "/providers/microsoft.powerapps/environments/"


def caller_of(request: Request) -> Caller:
    """The caller, as the request's headers describe it."""
    get = request.headers.get
    return _caller(
        # Power Apps calls through a browser or a gateway, and names itself in a header of its own.
        get(b"x-ms-user-agent") or get(b"user-agent", b""),
        get(b"x-ms-environment-id") or get(b"x-ms-client-environment-id", b""),
        get(b"x-ms-workflow-name", b""),
        get(b"x-ms-workflow-run-id", b""),
        get(b"x-forwarded-proto", b""),
        request.scope.get("scheme", "http"),
        get(b"host") or b"localhost",
        get(b"x-ms-client-request-id", b""),
    )


# Most requests come from callers that have just sent another one.
@lru_cache(maxsize=64)
def _caller(
    agent: bytes,
    environment: bytes,
    workflow_name: bytes,
    workflow_run: bytes,
    forwarded: bytes,
    scheme: str,
    host: bytes,
    request_id: bytes,
) -> Caller:
    user_agent = agent.decode("latin-1")
    environment_id = environment.decode("latin-1")
    if environment_id.lower().startswith(_ENVIRONMENT_PATH):
        environment_id = environment_id[len(_ENVIRONMENT_PATH) :]
    # Behind a proxy, only the proxy knows whether the caller used https.
    outer_scheme = forwarded.decode("latin-1").partition(",")[0].strip().lower()
    return Caller(
        user_agent=user_agent,
        product=product_of(user_agent),
        environment=environment_id,
        workflow_name=workflow_name.decode("latin-1"),
        workflow_run=workflow_run.decode("latin-1"),
        request_id=request_id.decode("latin-1"),
        base_url=f"{outer_scheme if outer_scheme in ('http', 'https') else scheme}://{host.decode('latin-1')}",
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
