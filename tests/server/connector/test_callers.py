"""The caller of a request, read from its headers."""

from __future__ import annotations

import pytest
from starlette.types import Message

from outlook_emulator.enums import Product
from outlook_emulator.mailbox.mailbox import NOBODY, Caller
from outlook_emulator.server.connector.callers import caller_of, product_of
from outlook_emulator.server.connector.exchange import Request


def caller(*, scheme: str = "http", **headers: str) -> Caller:
    """The caller of a request with these headers, whose names have underscores for hyphens."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return caller_of(Request({"type": "http", "scheme": scheme, "headers": raw}, receive))


async def receive() -> Message:
    raise NotImplementedError


def test_a_request_without_headers() -> None:
    """A request without headers has the caller NOBODY."""
    assert caller() == NOBODY


def test_a_workflow() -> None:
    """The headers of a workflow engine give the product, the workflow, its run and the request id."""
    headers = {
        "user_agent": "azure-logic-apps/1.0 (workflow abc)",
        "x_ms_workflow_name": "orders",
        "x_ms_workflow_run_id": "run-1",
        "x_ms_client_request_id": "request-1",
        "host": "emulator:8025",
    }

    assert caller(**headers) == Caller(
        user_agent="azure-logic-apps/1.0 (workflow abc)",
        product=Product.LOGIC_APPS,
        workflow_name="orders",
        workflow_run="run-1",
        request_id="request-1",
        base_url="http://emulator:8025",
    )


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("PowerApps/3.22 (Web)", Product.POWER_APPS),
        ("PowerFx/1.0", Product.POWER_APPS),
        ("azure-logic-apps/1.0 (workflow a; version b) microsoft-flow/1.0", Product.POWER_AUTOMATE),
        ("Azure-Logic-Apps/1.0", Product.LOGIC_APPS),
        ("curl/8.0", None),
        ("", None),
    ],
)
def test_product(agent: str, expected: Product | None) -> None:
    """The product is recognised from the User-Agent, in any case."""
    assert product_of(agent) is expected


def test_the_user_agent_header_of_power_apps() -> None:
    """`x-ms-user-agent` takes precedence over `User-Agent`, which names the browser or gateway."""
    sender = caller(user_agent="Mozilla/5.0", x_ms_user_agent="PowerApps/3.22")

    assert (sender.user_agent, sender.product) == ("PowerApps/3.22", Product.POWER_APPS)


@pytest.mark.parametrize("value", ["env-1", "/providers/Microsoft.PowerApps/environments/env-1"])
@pytest.mark.parametrize("name", ["x_ms_environment_id", "x_ms_client_environment_id"])
def test_environment(name: str, value: str) -> None:
    """The environment is read from either of two headers, as an id or as a path that ends in the id."""
    assert caller(**{name: value}).environment == "env-1"


@pytest.mark.parametrize(
    ("forwarded", "expected"), [("https", "https://h"), ("HTTPS, http", "https://h"), ("http", "http://h")]
)
def test_base_url_behind_a_proxy(forwarded: str, expected: str) -> None:
    """The scheme of the base URL is the first value of `X-Forwarded-Proto`."""
    assert caller(host="h", x_forwarded_proto=forwarded).base_url == expected


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("forwarded", [{}, {"x_forwarded_proto": "ftp"}])
def test_base_url_without_a_proxy(scheme: str, forwarded: dict[str, str]) -> None:
    """The scheme of the base URL is the one that the caller used."""
    assert caller(scheme=scheme, host="h", **forwarded).base_url == f"{scheme}://h"
