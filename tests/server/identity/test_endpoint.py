"""The token endpoint, and how the connector treats the tokens that it issues."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from outlook_emulator import access_tokens
from outlook_emulator.settings import IDENTITY_PATH, Settings
from outlook_emulator.testing import Server

HUB = "https://apihub.azure.com"
VERSION = {"api-version": "2019-08-01"}
ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/connections/me/extensions/proxy/v2/Mail"


@contextmanager
def emulator(authorization: str = "key", identity_header: str = "local") -> Iterator[httpx.Client]:
    """Yield a client of an emulator with these settings."""
    with (
        Server.in_process(Settings(authorization=authorization, identity_header=identity_header)) as server,
        httpx.Client(transport=server.transport(), base_url=server.url) as http,
    ):
        yield http


def token_for(http: httpx.Client, resource: str = HUB, header: str = "local", **more: str) -> httpx.Response:
    query = {**VERSION, "resource": resource, **more}
    return http.get(IDENTITY_PATH, params=query, headers={"X-IDENTITY-HEADER": header})


def status_with(http: httpx.Client, token: str, path: str = "/apim/outlook/me/v2/Mail", scheme: str = "Bearer") -> int:
    return http.get(path, headers={"Authorization": f"{scheme} {token}"}).status_code


def test_response() -> None:
    """The response has the members and types of App Service."""
    with emulator() as http:
        response = token_for(http)
        other = token_for(http, client_id="other").json()
    body = response.json()

    assert (200, "no-store") == (response.status_code, response.headers["cache-control"])
    assert ["access_token", "expires_on", "resource", "token_type", "client_id"] == list(body)
    assert (HUB, "Bearer", access_tokens.CLIENT_ID) == (body["resource"], body["token_type"], body["client_id"])
    assert 364 < (int(body["expires_on"]) - time.time()) / 86400 < 366
    assert HUB == access_tokens.audience_of(body["access_token"], "local")
    assert ("other", True) == (other["client_id"], other["access_token"] != body["access_token"])


@pytest.mark.parametrize(
    ("query", "headers", "status", "text"),
    [
        ({"resource": HUB, **VERSION}, {}, 401, "X-IDENTITY-HEADER"),
        ({"resource": HUB, **VERSION}, {"X-IDENTITY-HEADER": "wrong"}, 401, "X-IDENTITY-HEADER"),
        ({"resource": HUB, **VERSION}, {"X-IDENTITY-HEADER": "\xe4".encode("latin-1")}, 401, "X-IDENTITY-HEADER"),
        (VERSION, {"X-IDENTITY-HEADER": "local"}, 400, "'resource'"),
        ({"resource": HUB}, {"X-IDENTITY-HEADER": "local"}, 400, "'api-version'"),
    ],
)
def test_refused(query: dict[str, str], headers: dict[str, str], status: int, text: str) -> None:
    """Without the right header or a required parameter, there is no token, and the error says what is missing."""
    with emulator() as http:
        response = http.get(IDENTITY_PATH, params=query, headers=headers)

    assert (status, status, True) == (
        *(response.status_code, response.json()["statusCode"]),
        text in response.json()["message"],
    )


@pytest.mark.parametrize("scheme", ["Bearer", "Key"])
def test_demanded_credential(scheme: str) -> None:
    """Where the connector demands a credential, it accepts that and the endpoint's tokens, and no others."""
    with emulator() as http, emulator(identity_header="another") as other:
        token = token_for(http).json()["access_token"]
        foreign = token_for(other, header="another").json()["access_token"]

        assert [200, 200, 401, 401, 401] == [
            status_with(http, text, scheme=scheme) for text in ("key", token, foreign, token + "x", "")
        ]


def test_token_outlives_a_restart() -> None:
    """A token that a client keeps is valid after the emulator was started again."""
    with emulator() as http:
        token = token_for(http).json()["access_token"]
    with emulator() as http:
        assert 200 == status_with(http, token)


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        (HUB, 200),
        (f"{HUB}/", 200),
        ("https://management.core.windows.net/", 200),
        ("https://service.flow.microsoft.com/", 200),
        ("https://graph.microsoft.com", 401),
        ("https://vault.azure.net", 401),
    ],
)
def test_audience(audience: str, status: int) -> None:
    """A token for another service is refused, and the error names the audiences that are accepted."""
    with emulator() as http:
        token = token_for(http, audience).json()["access_token"]
        response = http.get("/apim/outlook/me/v2/Mail", headers={"Authorization": f"Bearer {token}"})
        managed = status_with(http, token, f"{ARM}?api-version=2016-06-01")

    assert (status, status) == (response.status_code, managed)
    assert (status == 401) == (f"the audience '{audience}'; the connector accepts {HUB}, " in response.text)


def test_any_credential() -> None:
    """Where any credential is accepted, so is a token for another service."""
    with emulator(authorization="any") as http:
        assert 200 == status_with(http, token_for(http, "https://vault.azure.net").json()["access_token"])


def test_switched_off() -> None:
    """With an empty header in the settings, there is no token endpoint, and no token is valid."""
    with emulator(identity_header="") as http:
        assert 404 == token_for(http, header="").status_code
        assert 401 == status_with(http, access_tokens.issue(HUB, datetime.now(UTC), ""))
