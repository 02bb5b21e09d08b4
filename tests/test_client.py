"""The client module: the URL of the emulator, the admin token, and trusted certificates."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from outlook_emulator import client
from outlook_emulator.certificates import FOLDER, server_context
from outlook_emulator.settings import ENVIRONMENT_PREFIX
from tests.processes import HUNG_AFTER
from tests.stub import Stub, stubbed


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all variables of the emulator from the environment, except the folder of the tests' own CA."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX) and name != FOLDER]:
        monkeypatch.delenv(name)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubbed() as server_stub:
        yield server_stub


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    """A certificate authority, and the file that clients trust."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, str(file)


@pytest.fixture
def secure(authority: tuple[trustme.CA, str]) -> Iterator[Stub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)
    with stubbed(context) as server_stub:
        yield server_stub


def test_import_is_light() -> None:
    """The module is cheap to import: it imports neither the server nor an HTTP client until they are needed."""
    code = "import sys; import outlook_emulator.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HUNG_AFTER)
    unwanted = {
        "urllib.request",
        "http.client",
        "ssl",
        "httpx",
        "starlette",
        "uvicorn",
        "pydantic",
        "outlook_emulator.app",
    }

    assert set() == unwanted & set(done.stdout.split())


def test_server_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL comes from the environment, or is this machine with the port of the environment."""
    local = client.server_url()
    monkeypatch.setenv("OUTLOOK_EMULATOR_PORT", "17")
    there = client.server_url()
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS", "yes")
    secure = client.server_url()
    monkeypatch.setenv(client.URL, "http://elsewhere:1")

    assert ("http://127.0.0.1:4365", "http://127.0.0.1:17", "https://127.0.0.1:17") == (local, there, secure)
    assert client.server_url() == "http://elsewhere:1"


def fetch_text(method: str, url: str, body: object = None, **options: Any) -> tuple[int, str]:
    """Send a request, and return status and text."""
    status, content = client.fetch(method, url, body, **options)
    return status, content.decode()


def test_bodies(stub: Stub) -> None:
    """Bytes are sent unchanged and other values as JSON, with the given content type."""
    fetch_text("POST", stub.url, {"a": "é"})
    fetch_text("PUT", stub.url, b"raw", content_type="message/rfc822")
    fetch_text("DELETE", stub.url)
    kinds = [request.headers.get("content-type") for request in stub.requests]

    assert ["POST", "PUT", "DELETE"] == [request.method for request in stub.requests]
    assert [{"a": "é"}, b"raw", b""] == [stub.requests[0].json, *(request.body for request in stub.requests[1:])]
    assert ["application/json", "message/rfc822"] == kinds[:2]


def test_responses(stub: Stub) -> None:
    """The status and content of any response are returned."""
    stub.status, stub.body = 409, b"\xff\x00"

    assert (409, b"\xff\x00") == client.fetch("GET", stub.url)


def test_transfer_is_reported(stub: Stub) -> None:
    """What is sent and received is reported in parts, and arrives as without reports."""
    sent, stub.body = b"a" * 100_000, b"b" * 150_000
    reports: list[tuple[str, int, int]] = []

    assert (200, stub.body) == client.fetch("PUT", stub.url, sent, on_transfer=lambda *report: reports.append(report))

    assert (sent, "100000") == (stub.last().body, stub.last().headers["content-length"])
    assert reports == [
        *(("sending", 65_536, 100_000), ("sending", 100_000, 100_000), (client.WAITING, 0, 0)),
        *(("receiving", 65_536, 150_000), ("receiving", 131_072, 150_000), ("receiving", 150_000, 150_000)),
    ]


@pytest.mark.parametrize("on_transfer", [None, lambda *report: None])
def test_response_that_ends_early(stub: Stub, on_transfer: client.OnTransfer | None) -> None:
    """A response that is shorter than announced is an error, with and without reports."""
    stub.body, stub.headers = b"half", {"Content-Length": "8"}
    status, reason = client.fetch("GET", stub.url, on_transfer=on_transfer)

    assert (0, True) == (status, reason.startswith(b"IncompleteRead(4 bytes read, 4 more expected)"))


def test_no_token(stub: Stub) -> None:
    """Without a token, no Authorization header is sent."""
    fetch_text("GET", stub.url)

    assert "authorization" not in stub.last().headers


def test_token(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token comes from the environment, an argument overrides it, and an empty argument sends none."""
    monkeypatch.setenv(client.TOKEN, "secret\n")
    fetch_text("GET", stub.url)
    fetch_text("GET", stub.url, token="other")
    fetch_text("GET", stub.url, token="")

    assert ["Bearer secret", "Bearer other", None] == [
        request.headers.get("authorization") for request in stub.requests
    ]


def test_redirect_does_not_forward_the_token(stub: Stub) -> None:
    """Redirects are followed, and another host does not receive the token."""
    with stubbed() as other:
        stub.status, stub.headers = 302, {"Location": other.url}

        assert (200, "") == fetch_text("GET", stub.url, token="secret")
        assert ["Bearer secret"] == [request.headers.get("authorization") for request in stub.requests]
        assert [None] == [request.headers.get("authorization") for request in other.requests]


@pytest.mark.parametrize("token", ["new\nline", "clé", "nul\0"])
def test_invalid_token(stub: Stub, token: str) -> None:
    """A token that is not valid in a header is rejected without being shown, and no request is sent."""
    assert (0, "the admin token must be printable ASCII") == fetch_text("GET", stub.url, token=token)
    assert [] == stub.requests


def test_https(secure: Stub, authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate is trusted if it is signed by the given file, or by a file that the environment names."""
    file = authority[1]
    response = fetch_text("GET", secure.url, ca_file=file)
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS_CA_FILE", file)
    written = fetch_text("GET", secure.url)
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS_CA_FILE", "/nowhere")
    monkeypatch.setenv(client.CA_FILE, file)
    named = fetch_text("GET", secure.url)
    status, text = fetch_text("GET", secure.url, ca_file="")

    assert [(200, "")] * 3 == [response, written, named]
    assert (0, True) == (status, "certificate verify failed" in text)


def test_https_with_the_authority_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a file, the client trusts the authority of the user, if there is one."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    refused = fetch_text("GET", "https://127.0.0.1:1")
    context = server_context(tmp_path, "127.0.0.1")
    with stubbed(context) as stub:
        response = fetch_text("GET", stub.url)
    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path / "nobody"))

    assert (0, True) == (refused[0], "refused" in refused[1])
    assert (200, "") == response
    assert "" == client.own_ca_file()


def test_invalid_ca_file(secure: Stub, tmp_path: Path) -> None:
    """A certificate file that is missing or empty is named in the error, and no request is sent."""
    missing, empty = tmp_path / "none.pem", tmp_path / "empty.pem"
    empty.write_text("hello")
    texts = [fetch_text("GET", secure.url, ca_file=str(file)) for file in (missing, empty)]

    assert (0, f"cannot read certificates from {missing}: No such file or directory") == texts[0]
    assert (0, True) == (texts[1][0], texts[1][1].startswith(f"cannot read certificates from {empty}: "))
    assert [] == secure.requests


def test_slashes(stub: Stub) -> None:
    """Repeated slashes in a URL are collapsed."""
    fetch_text("GET", f"{stub.url}//_emulator/api")

    assert stub.last().line == "GET /_emulator/api"
