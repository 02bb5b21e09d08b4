"""Pages of named origins may call the connector from a browser, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from outlook_emulator.settings import Settings
from outlook_emulator.testing import Server

PAGE = "http://localhost:5173"
MAIL = "/apim/outlook/me/v2/Mail"
ADDRESSES = [
    MAIL,
    "/invoke",
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/connections/me/dynamicInvoke?api-version=2016-06-01",
]
OWN = [
    "/_emulator/api/sandboxes",
    "/%5Femulator/api/sandboxes",
    "/_emulator/msi/token?api-version=2019-08-01&resource=x",
]
ASKED = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-ms-request-url",
}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of an emulator that allows two origins."""
    settings = Settings(cors_origins=f"{PAGE}, https://app.test", max_calls=0)
    with (
        Server.in_process(settings) as server,
        httpx.Client(transport=server.transport(), base_url=server.url, headers={"Authorization": "Bearer x"}) as http,
    ):
        yield http


def cors(response: httpx.Response) -> dict[str, str]:
    """Return the headers of a response that browsers read to decide."""
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [PAGE, "https://app.test"])
@pytest.mark.parametrize("path", ADDRESSES)
def test_preflight(http: httpx.Client, origin: str, path: str) -> None:
    """A browser may send the method and the headers that it asks for, without a credential in the question."""
    response = http.options(path, headers={"Origin": origin, "Authorization": "", **ASKED})
    allowed = cors(response)

    assert (200, origin, "true") == (
        *(response.status_code, allowed["access-control-allow-origin"]),
        allowed["access-control-allow-credentials"],
    )
    assert "authorization,content-type,x-ms-request-url" == allowed["access-control-allow-headers"]
    assert {"GET", "POST", "PATCH", "PUT", "DELETE"} <= set(allowed["access-control-allow-methods"].split(", "))
    assert "Origin" in response.headers["vary"]
    assert "nosniff" == response.headers["x-content-type-options"]


def test_local_network(http: httpx.Client) -> None:
    """A page of the Internet may reach this machine, if its browser asks for that."""
    asked = {"Origin": PAGE, "Access-Control-Request-Private-Network": "true", **ASKED}

    assert "true" == cors(http.options(MAIL, headers=asked))["access-control-allow-private-network"]


def test_response_is_readable(http: httpx.Client) -> None:
    """The page can read every header of a response, also of an error."""
    poll = http.get(f"{MAIL}/OnNewEmail", headers={"Origin": PAGE})
    unauthorized = http.get(MAIL, headers={"Origin": PAGE, "Authorization": ""})

    assert (202, 401) == (poll.status_code, unauthorized.status_code)
    for response in (poll, unauthorized):
        own = {name for name in response.headers if not name.startswith(("access-control-", "vary"))}
        assert PAGE == cors(response)["access-control-allow-origin"]
        assert own == set(cors(response)["access-control-expose-headers"].split(", "))
    assert {"location", "retry-after"} <= set(cors(poll)["access-control-expose-headers"].split(", "))


def test_never_a_wildcard(http: httpx.Client) -> None:
    """No header is a wildcard, which browsers refuse together with credentials."""
    responses = [http.get(MAIL, headers={"Origin": PAGE}), http.options(MAIL, headers={"Origin": PAGE, **ASKED})]

    assert [] == [value for response in responses for value in cors(response).values() if "*" in value]


@pytest.mark.parametrize("origin", ["http://localhost:5174", "https://localhost:5173", "http://evil.test", "null", ""])
@pytest.mark.parametrize("path", [*ADDRESSES, *OWN])
def test_other_origins(http: httpx.Client, origin: str, path: str) -> None:
    """Pages of other origins get nothing that would let their browser pass a response on."""
    responses = [http.get(path, headers={"Origin": origin}), http.options(path, headers={"Origin": origin, **ASKED})]

    assert [{}, {}] == list(map(cors, responses))


@pytest.mark.parametrize("path", OWN)
def test_nobody_controls_the_emulator(http: httpx.Client, path: str) -> None:
    """The admin API and the token endpoint are closed to pages of the named origins as well."""
    responses = [http.get(path, headers={"Origin": PAGE}), http.options(path, headers={"Origin": PAGE, **ASKED})]

    assert [{}, {}] == list(map(cors, responses))


def test_nothing_by_default() -> None:
    """Without the setting, no page may call the connector."""
    with (
        Server.in_process() as server,
        httpx.Client(transport=server.transport(), base_url=server.url, headers={"Origin": PAGE}) as http,
    ):
        assert [{}, {}] == [cors(http.get(MAIL)), cors(http.options(MAIL, headers=ASKED))]


@pytest.mark.parametrize("text", ["*", "localhost:5173", f"{PAGE}/", "http://*.test", "null", f"{PAGE},*"])
def test_not_an_origin(text: str) -> None:
    """Something that is no origin is an error at the start."""
    with pytest.raises(ValueError, match="is not an origin such as http://localhost:5173"):
        Server.in_process(Settings(cors_origins=text))
