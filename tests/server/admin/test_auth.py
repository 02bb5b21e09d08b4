"""Who may use the admin API: whoever has its token where one is set, and no page of another origin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

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
    """An emulator that has an admin token."""
    app = create_app(Settings(admin_token=TOKEN))
    yield app
    app.state.sandboxes.close()


def ask(app: Starlette, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(call())


@pytest.mark.parametrize("verb", ADMIN, ids=lambda verb: verb.id)
def test_every_verb_needs_the_token(app: Starlette, verb: AdminOperation) -> None:
    """No row of the admin API is served without the token, and none is for lack of it with."""
    path = ROOT + verb.path.replace("{sandbox}", "default")
    without, answer = ask(app, verb.method, path), ask(app, verb.method, path, ADMITTED)

    assert (401, True) == (without.status_code, answer.status_code != 401)


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", f"{ROOT}/nothing", f"{ROOT}/sandboxes/none"])
def test_nobody_learns_what_there_is(app: Starlette, path: str) -> None:
    """What is not there is refused like the rest below the root, and is missing for whoever has the token."""
    assert [401, 404] == [ask(app, "GET", path, headers).status_code for headers in (None, ADMITTED)]


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
    """Only the whole token, as a bearer token, opens the admin API."""

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            headers = [(b"authorization", token.encode("latin-1"))]
            return (await client.get(f"{ROOT}/sandboxes", headers=headers)).status_code

    assert expected == asyncio.run(call())


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "The admin API requires its token: send the header 'Authorization: Bearer TOKEN'."),
        (
            {"Authorization": "Bearer wrong"},
            "The bearer token is not the admin token that this emulator was started with.",
        ),
    ],
)
def test_the_refusal(app: Starlette, headers: dict[str, str], text: str) -> None:
    """A refusal is in the connector's shape, says which scheme is wanted, and shows no token."""
    answer = ask(app, "GET", f"{ROOT}/sandboxes", headers | {"x-ms-client-request-id": "mine"})

    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert answer.json() == {
        "status": 401,
        "message": f"{text}\r\nclientRequestId: mine",
        "error": {"message": text, "code": "Unauthorized", "originalMessage": text},
        "source": "outlook-emulator.localhost",
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_needs_no_token(app: Starlette, path: str) -> None:
    """Whoever watches over a server need not be let into it."""
    assert ask(app, "GET", path).status_code == 200


def test_the_connector_needs_no_token(app: Starlette) -> None:
    """The connector's own URLs go by their own credential."""
    answers = [
        ask(app, "GET", "/apim/outlook/x/testconnection", {"Authorization": "Bearer anything"}),
        ask(app, "GET", "/elsewhere"),
    ]

    assert [200, 404] == [answer.status_code for answer in answers]


def test_no_token_is_wanted_where_none_is_set(server: Server) -> None:
    """Without the setting whatever a caller brings is all right."""
    answers = [server.http.get(f"{ROOT}/sandboxes", headers=headers) for headers in ({}, {"Authorization": "Bearer x"})]

    assert [200, 200] == [answer.status_code for answer in answers]


@pytest.mark.parametrize("bad", [" ", " x", "\n", "ä", "=x", '"', ","])
def test_a_token_that_no_header_can_hold(bad: str) -> None:
    """A token that nobody could send is refused at start, and not shown."""
    with pytest.raises(
        ValueError, match=r"^the admin token must have only letters, digits and -\._~\+/, and"
    ) as raised:
        create_app(Settings(admin_token=f"secret{bad}"))

    assert "secret" not in str(raised.value)


# Pages of other origins


@pytest.mark.parametrize("path", ["/sandboxes", "/sandboxes/default/reset", "/openapi.json"])
def test_preflights_are_refused(app: Starlette, server: Server, path: str) -> None:
    """A browser that asks for a page of another origin is told no, with a token and without one."""
    answers = [
        ask(app, "OPTIONS", ROOT + path, PREFLIGHT),
        ask(app, "OPTIONS", ROOT + path, PREFLIGHT | ADMITTED),
        server.http.options(ROOT + path, headers=PREFLIGHT),
        server.http.options(ROOT + path, headers=PREFLIGHT | {"Origin": server.url}),
    ]

    assert [401, 403, 403, 405] == [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    "path",
    [f"{ROOT}/sandboxes", "/livez", "/readyz", "/invoke", "/elsewhere", "/apim/outlook/x/testconnection"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_answer_lets_other_origins_in(server: Server, method: str, path: str) -> None:
    """No answer has a header by which a browser would hand it to a page of another origin."""
    answers = [
        server.http.request(method, path, headers=PREFLIGHT | {"Origin": origin, "Authorization": "Bearer x"})
        for origin in ("https://evil.example", "null", server.url)
    ]

    assert [] == [name for answer in answers for name in answer.headers if name.startswith("access-control-")]


def test_a_page_with_the_token_is_a_page_all_the_same(app: Starlette) -> None:
    """The token does not make up for a foreign origin."""
    answers = [
        ask(app, "GET", f"{ROOT}/sandboxes", ADMITTED | {"Origin": origin})
        for origin in ("https://evil.example", "null", "http://test")
    ]

    assert [403, 403, 200] == [answer.status_code for answer in answers]


def test_the_document_names_the_token() -> None:
    """Whoever reads the document of the admin API learns of the token, and that it may not be needed."""
    document = openapi(ADMIN, ROOT)

    assert [{"adminToken": []}, {}] == document["security"]
    scheme = document["components"]["securitySchemes"]["adminToken"]
    assert ("http", "bearer") == (scheme["type"], scheme["scheme"])
