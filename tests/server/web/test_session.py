"""Who may see the pages: the login, forms from elsewhere, and the setting that switches all pages off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from outlook_emulator.server.web.page import ROOT
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import Sandbox
from tests.server.web.forms import PageReader, Visitor

TOKEN = "s3cret"


@pytest.fixture
def locked() -> Iterator[Visitor]:
    """A visitor of a server with an admin token."""
    with (
        running(Settings(admin_token=TOKEN)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        yield Visitor(http, "default")


def login(visitor: Visitor, token: str = TOKEN, url: str = f"{ROOT}/login") -> httpx.Response:
    fields = PageReader(visitor.get(url)).forms[-1].fields
    return visitor.http.post(url, data=fields | {"action": "login", "token": token})


def test_pages_ask_for_the_token(locked: Visitor) -> None:
    """Without a session, a page leads to the login and back, and the event stream is refused."""
    response = locked.http.get(locked.base, params={"x": "1"})

    assert 303 == response.status_code
    assert f"{ROOT}/login?next=%2F_emulator%2Fs%2Fdefault%2F%3Fx%3D1" == response.headers["location"]
    assert 401 == locked.http.get(f"{locked.base}live").status_code
    assert locked.base in login(locked, url=response.headers["location"]).headers["location"]
    assert "Overview" in locked.get()
    assert 200 == locked.http.get(f"{ROOT}/static/x/style.css").status_code


def test_cookie_is_not_the_token(locked: Visitor) -> None:
    """The session is a cookie that scripts cannot read and other sites cannot use, and it does not hold the token."""
    cookie = login(locked).headers["set-cookie"]

    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", f"Path={ROOT}"))
    assert TOKEN not in cookie
    assert "Secure" not in cookie


def test_wrong_token(locked: Visitor) -> None:
    """A wrong token opens nothing and is said to be wrong."""
    response = login(locked, "guess")

    assert 400 == response.status_code
    assert "is not the admin token that this emulator was started with." in response.text
    assert "guess" not in response.text
    assert 303 == locked.http.get(locked.base).status_code


@pytest.mark.parametrize("cookie", ["", "x", TOKEN, "0" * 64, "\xe4"])
def test_wrong_cookie(locked: Visitor, cookie: str) -> None:
    """A cookie that this server did not make opens nothing."""
    name = f"outlook-emulator-{locked.http.base_url.port}"
    headers = [(b"cookie", f"{name}={cookie}".encode("latin-1"))]

    assert 303 == locked.http.get(locked.base, headers=headers).status_code


def test_the_session_does_not_open_the_admin_api(locked: Visitor) -> None:
    """The admin API still needs its token."""
    login(locked)

    assert 401 == locked.http.get(f"{ROOT}/api/sandboxes").status_code


def test_log_out(locked: Visitor) -> None:
    """After logging out, the pages ask for the token again."""
    login(locked)
    locked.send("", "logout")

    assert 303 == locked.http.get(locked.base).status_code


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example/", "/_emulator/\\evil.example", "javascript:x"]
)
def test_login_leads_to_pages_only(locked: Visitor, url: str) -> None:
    """A link to the login cannot lead away from the emulator."""
    target = login(locked, url=f"{ROOT}/login?next={url}").headers["location"]

    assert f"{ROOT}/" == target


def test_no_login_without_a_token(web: Visitor) -> None:
    """Without an admin token there is nothing to log in to."""
    assert 404 == web.http.get(f"{ROOT}/login").status_code
    assert "Log out" not in web.get()


# Forms from elsewhere


@pytest.mark.parametrize(
    ("headers", "changes", "status"),
    [
        ({}, {}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, {}, 303),
        ({"Sec-Fetch-Site": "none"}, {}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, {}, 403),
        ({"Sec-Fetch-Site": "same-site"}, {}, 403),
        ({"Origin": "https://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({}, {"form_token": ""}, 403),
        ({}, {"form_token": "0" * 64}, 403),
        ({}, {"form_token": "ä"}, 403),
    ],
)
def test_forged_forms(
    sandbox: Sandbox, web: Visitor, headers: dict[str, str], changes: dict[str, str], status: int
) -> None:
    """A form is accepted with the token of a page of this server, and not from pages of other origins."""
    fields = next(form for form in PageReader(web.get()).forms if form.fields["action"] == "connect").fields
    id = f"{sandbox.name}-forged"
    response = web.http.post(web.base, data=fields | {"id": id} | changes, headers=headers)

    assert status == response.status_code
    assert (status == 303) == (id in web.text())


def test_own_origin(web: Visitor) -> None:
    """A form from the server's own origin is accepted."""
    fields = next(form for form in PageReader(web.get()).forms if form.fields["action"] == "reset").fields
    origin = str(web.http.base_url).rstrip("/")

    assert 303 == web.http.post(web.base, data=fields, headers={"Origin": origin}).status_code


# Without pages


def test_no_web(configured: Callable[..., Sandbox]) -> None:
    """With --no-web, no page exists, a hint says why, and the admin API stays."""
    http = configured(no_web="yes").server.http
    statuses = [
        http.get(path).status_code for path in ("/", f"{ROOT}/", f"{ROOT}/s/default/", f"{ROOT}/s/default/live")
    ]

    assert [404, 404, 404, 404] == statuses
    assert "switched off by --no-web" in http.get(f"{ROOT}/").text
    assert 200 == http.get(f"{ROOT}/api/sandboxes").status_code
