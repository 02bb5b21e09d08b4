"""The host names under which pages and admin API are served."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httpx
import pytest

from outlook_emulator.errors import MisdirectedRequest
from outlook_emulator.server.hosts import Hosts, host_name
from outlook_emulator.settings import Settings
from tests.conftest import Connection, Sandbox

LOOPBACK = {"server": ("127.0.0.1", 4365)}
PATHS = ("/_emulator/api/sandboxes", "/_emulator/", "/_emulator/s/default/", "/_emulator/s/default/live")


def is_served(name: str | None, scope: Mapping[str, Any] = LOOPBACK, **settings: Any) -> bool:
    try:
        Hosts(Settings(**settings)).check(dict(scope), None if name is None else name.encode())
    except MisdirectedRequest:
        return False
    return True


@pytest.mark.parametrize("path", PATHS)
def test_foreign_host(sandbox: Sandbox, path: str) -> None:
    """A server on this machine refuses a host name that is not its own, for pages and admin API."""
    response = sandbox.server.http.get(path, headers={"Host": "evil.example:4365"})

    assert 421 == response.status_code
    assert "is not served under the host name" in response.text
    assert "evil.example:4365" in response.text
    assert "--allowed-hosts" in response.text


@pytest.mark.parametrize("path", ["/livez", "/nothing"])
def test_other_paths_do_not_check(sandbox: Sandbox, path: str) -> None:
    """The health checks are served under every name."""
    headers = {"Host": "evil.example", "Authorization": "Bearer x"}

    assert 421 != sandbox.server.http.get(path, headers=headers).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("outlook", "outlook:4365", "outlook.test", "a.svc.cluster.local", "127.0.0.1")),
        *((host, 200) for host in ("host.docker.internal:4365", "localhost", "[::1]")),
        *((host, 421) for host in ("evil.example", "outlook.test.evil.example", "192.168.1.5.nip.io", "x@outlook")),
    ],
)
def test_connector(sandbox: Sandbox, alice: Connection, host: str, status: int) -> None:
    """The connector is served under the names of services in containers too, and under none that a page can own."""
    response = alice.http.get("/testconnection", headers={"Host": host})

    assert status == response.status_code, response.text


def test_a_refused_host_is_in_the_journal(sandbox: Sandbox, alice: Connection) -> None:
    """Whoever misses a request finds its refusal in the journal, and what to do about it."""
    alice.http.get("/v2/Mail", headers={"Host": "evil.example"})

    (entry,) = sandbox.journal.entries(status=421)
    assert "--allowed-hosts" in entry["causes"][0]["reason"]


class TestOtherSites:
    """Browsers say when a page of another site caused a request."""

    FORM: ClassVar[dict[str, str]] = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    def test_connector(self, configured: Callable[..., Sandbox]) -> None:
        """A form of another site sends no mail, although no credential is required."""
        alice = configured(authorization="none").connect("alice")
        mail = {"To": alice.address, "Subject": "Forged", "Body": "x"}

        responses = [alice.http.post("/v2/Mail", json=mail, headers=headers) for headers in (self.FORM, {})]

        assert [403, 200] == [response.status_code for response in responses]
        assert "--cors-origins" in responses[0].text
        assert 1 == len(alice.mails())

    def test_connector_for_a_named_origin(self, configured: Callable[..., Sandbox]) -> None:
        """Pages of an origin that the setting names may call it."""
        alice = configured(cors_origins="http://app.test").connect("alice")
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://app.test"}

        assert 200 == alice.http.get("/testconnection", headers=headers).status_code

    @pytest.mark.parametrize("path", ["/_emulator/api/sandboxes", "/_emulator/api/openapi.json"])
    def test_admin_api(self, sandbox: Sandbox, path: str) -> None:
        """An image or a form of another site, which send no Origin with a GET, reach nothing."""
        statuses = [
            sandbox.server.http.get(path, headers={"Sec-Fetch-Site": site}).status_code
            for site in ("cross-site", "none", "same-origin")
        ]

        assert [403, 200, 200] == statuses

    def test_links_of_a_mail(self, sandbox: Sandbox, alice: Connection) -> None:
        """A recipient follows the link of an approval mail from the page of a mail client."""
        path = "/approvalmail/$subscriptions"
        message = {"To": alice.address, "Subject": "Budget", "Options": "Yes,No"}
        alice.post(path, {"NotificationUrl": "http://127.0.0.1:9/x", "Message": message})
        link = re.findall(r'http://[^"]+RecordResponse[^"]+', alice.mail()["Body"])[0].replace("&amp;", "&")

        response = sandbox.server.http.get(link, headers=self.FORM)

        assert response.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/livez", "/nothing", "/_emulator/", "/_emulator/api/sandboxes", "/_emulator/api/x", "/_emulator/static/x/y"],
)
def test_no_content_is_taken_for_another_type(sandbox: Sandbox, path: str) -> None:
    """Every response forbids browsers to guess its type, exactly once."""
    response = sandbox.server.http.get(path)

    assert ["nosniff"] == response.headers.get_list("x-content-type-options")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4365",
        "localhost.",
        "localhost.localdomain",
        "my.localhost:80",
        "127.0.0.1:4365",
        "127.9.9.9",
        "192.168.1.5",
        "[::1]:4365",
        "host.docker.internal:4365",
        "host.containers.internal",
        None,
        "",
    ],
)
def test_own_names(host: str | None) -> None:
    """Names of this machine, names by which containers reach it, and addresses are served."""
    assert is_served(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "internal",
        "[x",
        "x@localhost",
    ],
)
def test_foreign_names(host: str) -> None:
    """Names that only look like those of this machine are refused."""
    assert not is_served(host)


def test_names_of_the_settings() -> None:
    """Names that the settings mention are served; a leading dot stands for all names below."""
    settings: dict[str, Any] = {
        "allowed_hosts": "mail.test, .dev.test",
        "tls_names": "tls.test",
        "public_url": "https://public.test/x",
        "host": "localhost",
    }
    names = ("mail.test", "a.dev.test", "dev.test", "tls.test:4365", "Public.test", "other.test")

    assert [True, True, False, True, True, False] == [is_served(name, **settings) for name in names]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_open_server(host: str) -> None:
    """A server that other machines reach is served under every name, on each of its addresses."""
    assert is_served("emulator", LOOPBACK, host=host)
    assert is_served("emulator", {"server": ("172.18.0.2", 4365)}, host=host)


def test_server_on_an_address_of_a_network() -> None:
    """A connection that arrived from a network may use every name."""
    assert is_served("emulator", {"server": ("10.0.0.5", 4365)}, host="10.0.0.5")


def test_app_without_a_connection() -> None:
    """An app that is called in this process, or over a socket file, has no address to check."""
    assert is_served("test", {"server": ("test", 80)})
    assert is_served("test", {"server": None})
    assert is_served("test", {})


@pytest.mark.parametrize(
    ("header", "name"), [("A.b:1", "a.b"), ("[::1]:1", "::1"), ("::1", ""), ("a.", "a"), ("[::1", "::1")]
)
def test_host_name(header: str, name: str) -> None:
    """The name in a Host header."""
    assert name == host_name(header)


def test_allowed_host_over_http(configured: Callable[..., Sandbox]) -> None:
    """--allowed-hosts adds a name."""
    http: httpx.Client = configured(allowed_hosts="mail.test").server.http

    assert [200, 421] == [http.get(PATHS[0], headers={"Host": host}).status_code for host in ("mail.test", "x.test")]
