"""Authorization of the admin API: the admin token and the check for foreign origins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.server.admin.openapi import openapi
from outlook_emulator.server.admin.request import AdminOperation
from outlook_emulator.server.admin.routes import ADMIN, ROOT
from outlook_emulator.settings import Settings
from tests.conftest import Server

TOKEN = "se-cr.et_~+/="
ADMITTED = {"Authorization": f"Bearer {TOKEN}"}
PREFLIGHT = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}


@pytest.fixture
def app() -> Iterator[Starlette]:
    """An app with an admin token."""
    app = create_app(Settings(admin_token=TOKEN))
    yield app
    app.state.sandboxes.close()


def send(
    app: Starlette, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, headers=headers, json=body)

    return asyncio.run(call())


@pytest.mark.parametrize("operation", ADMIN, ids=lambda operation: operation.id)
def test_every_operation_requires_the_token(app: Starlette, operation: AdminOperation) -> None:
    """Every admin operation rejects a request without the token and accepts one with it."""
    path = ROOT + operation.path.replace("{sandbox}", "default")
    # A wait without conditions would last its ten seconds.
    body = {"timeoutSeconds": 0} if operation.id == "Wait" else None
    without = send(app, operation.method, path)
    answer = send(app, operation.method, path, ADMITTED, body)

    assert (401, True) == (without.status_code, answer.status_code != 401)


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", f"{ROOT}/nothing", f"{ROOT}/sandboxes/none"])
def test_unknown_paths_require_the_token(app: Starlette, path: str) -> None:
    """Without the token, an unknown path responds 401 like every other path; with the token it responds 404."""
    assert [401, 404] == [send(app, "GET", path, headers).status_code for headers in (None, ADMITTED)]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer   {TOKEN} ", 200),
        (f"Key {TOKEN}", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer \xff", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN.upper()}", 401),
    ],
)
def test_tokens(app: Starlette, token: str, expected: int) -> None:
    """The admin API accepts only the complete token, sent as a bearer token."""

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            headers = [(b"authorization", token.encode("latin-1"))]
            return (await client.get(f"{ROOT}/sandboxes", headers=headers)).status_code

    assert expected == asyncio.run(call())


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {},
            (
                "The admin API requires its token: send the header 'Authorization: Bearer TOKEN'."
                " On the command line, set --token or OUTLOOK_EMULATOR_ADMIN_TOKEN."
            ),
        ),
        (
            {"Authorization": "Bearer wrong"},
            "The bearer token is not the admin token that this emulator was started with.",
        ),
    ],
)
def test_unauthorized_response(app: Starlette, headers: dict[str, str], text: str) -> None:
    """A 401 response has the connector's shape, names the bearer scheme and does not reveal the token."""
    answer = send(app, "GET", f"{ROOT}/sandboxes", headers | {"x-ms-client-request-id": "mine"})

    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert answer.json() == {
        "status": 401,
        "message": f"{text}\r\nclientRequestId: mine",
        "error": {"message": text, "code": "Unauthorized", "originalMessage": text},
        "source": "outlook-emulator.localhost",
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_needs_no_token(app: Starlette, path: str) -> None:
    """Health checks work without the token."""
    assert send(app, "GET", path).status_code == 200


def test_the_connector_needs_no_token(app: Starlette) -> None:
    """The connector's URLs do not require the admin token."""
    answers = [
        send(app, "GET", "/apim/outlook/x/testconnection", {"Authorization": "Bearer anything"}),
        send(app, "GET", "/elsewhere"),
    ]

    assert [200, 404] == [answer.status_code for answer in answers]


def test_no_token_is_required_by_default(server: Server) -> None:
    """Without an admin token in the settings, the admin API ignores the Authorization header."""
    answers = [server.http.get(f"{ROOT}/sandboxes", headers=headers) for headers in ({}, {"Authorization": "Bearer x"})]

    assert [200, 200] == [answer.status_code for answer in answers]


@pytest.mark.parametrize("bad", [" ", " x", "\n", "ä", "=x", '"', ","])
def test_token_that_no_header_can_hold(bad: str) -> None:
    """An admin token that cannot be sent in a header is rejected at startup, and the error does not show it."""
    with pytest.raises(
        ValueError, match=r"^the admin token must have only letters, digits and -\._~\+/, and"
    ) as raised:
        create_app(Settings(admin_token=f"secret{bad}"))

    assert "secret" not in str(raised.value)


# Pages of other origins


@pytest.mark.parametrize("path", ["/sandboxes", "/sandboxes/default/reset", "/openapi.json"])
def test_preflights_are_rejected(app: Starlette, server: Server, path: str) -> None:
    """A CORS preflight from another origin is rejected, with and without the token."""
    answers = [
        send(app, "OPTIONS", ROOT + path, PREFLIGHT),
        send(app, "OPTIONS", ROOT + path, PREFLIGHT | ADMITTED),
        server.http.options(ROOT + path, headers=PREFLIGHT),
        server.http.options(ROOT + path, headers=PREFLIGHT | {"Origin": server.url}),
    ]

    assert [401, 403, 403, 405] == [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    "path",
    [f"{ROOT}/sandboxes", "/livez", "/readyz", "/invoke", "/elsewhere", "/apim/outlook/x/testconnection"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_response_has_cors_headers(server: Server, method: str, path: str) -> None:
    """No response has a CORS header."""
    answers = [
        server.http.request(method, path, headers=PREFLIGHT | {"Origin": origin, "Authorization": "Bearer x"})
        for origin in ("https://evil.example", "null", server.url)
    ]

    assert [] == [name for answer in answers for name in answer.headers if name.startswith("access-control-")]


def test_token_does_not_allow_another_origin(app: Starlette) -> None:
    """A request from another origin is rejected even if it has the token."""
    answers = [
        send(app, "GET", f"{ROOT}/sandboxes", ADMITTED | {"Origin": origin})
        for origin in ("https://evil.example", "null", "http://test")
    ]

    assert [403, 403, 200] == [answer.status_code for answer in answers]


def test_openapi_declares_the_token() -> None:
    """The OpenAPI document of the admin API declares the token as an optional security scheme."""
    document = openapi(ADMIN, ROOT)

    assert [{"adminToken": []}, {}] == document["security"]
    scheme = document["components"]["securitySchemes"]["adminToken"]
    assert ("http", "bearer") == (scheme["type"], scheme["scheme"])
