"""What a program needs to talk to a running emulator: where it is, who asks, and whom https trusts."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from outlook_emulator import client
from outlook_emulator.settings import ENVIRONMENT_PREFIX
from tests.stub import Stub, stubbed


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about an emulator."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubbed() as server_stub:
        yield server_stub


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    """Who signs the certificates of a server, and the file that clients are to trust."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, str(file)


@pytest.fixture
def secure(authority: tuple[trustme.CA, str]) -> Iterator[Stub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)
    with stubbed(context) as server_stub:
        yield server_stub


def test_it_is_light() -> None:
    """Importing it costs next to nothing: neither the server nor what speaks HTTP is imported before it is needed."""
    code = "import sys; import outlook_emulator.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
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


def test_where_the_emulator_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where the environment says, else on this machine, at the port that the environment says."""
    local = client.server_url()
    monkeypatch.setenv("OUTLOOK_EMULATOR_PORT", "17")
    there = client.server_url()
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS", "yes")
    secure = client.server_url()
    monkeypatch.setenv(client.URL, "http://elsewhere:1")

    assert ("http://127.0.0.1:4365", "http://127.0.0.1:17", "https://127.0.0.1:17") == (local, there, secure)
    assert client.server_url() == "http://elsewhere:1"


def test_bodies(stub: Stub) -> None:
    """Bytes are sent as they are, anything else as JSON, and the content type is the one asked for."""
    client.call("POST", stub.url, {"a": "é"})
    client.call("PUT", stub.url, b"raw", content_type="message/rfc822")
    client.call("DELETE", stub.url)
    kinds = [request.headers.get("content-type") for request in stub.requests]

    assert ["POST", "PUT", "DELETE"] == [request.method for request in stub.requests]
    assert [{"a": "é"}, b"raw", b""] == [stub.requests[0].json, *(request.body for request in stub.requests[1:])]
    assert ["application/json", "message/rfc822"] == kinds[:2]


def test_answers(stub: Stub) -> None:
    """Status and content come back whatever they are; text is had from bytes that are none, too."""
    stub.status, stub.body = 409, b"\xff\x00"

    assert (409, b"\xff\x00") == client.fetch("GET", stub.url)
    assert (409, "\ufffd\x00") == client.call("GET", stub.url)


def test_no_token(stub: Stub) -> None:
    """Without a token nobody claims to have one."""
    client.call("GET", stub.url)

    assert "authorization" not in stub.last().headers


def test_token(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of the environment is sent, the one that is given wins, and an empty one is none."""
    monkeypatch.setenv(client.TOKEN, "secret\n")
    client.call("GET", stub.url)
    client.call("GET", stub.url, token="other")
    client.call("GET", stub.url, token="")

    assert ["Bearer secret", "Bearer other", None] == [
        request.headers.get("authorization") for request in stub.requests
    ]


def test_token_stays_where_it_was_meant_for(stub: Stub) -> None:
    """A redirect is followed, and does not carry the token elsewhere."""
    with stubbed() as other:
        stub.status, stub.headers = 302, {"Location": other.url}

        assert (200, "") == client.call("GET", stub.url, token="secret")
        assert ["Bearer secret"] == [request.headers.get("authorization") for request in stub.requests]
        assert [None] == [request.headers.get("authorization") for request in other.requests]


@pytest.mark.parametrize("token", ["new\nline", "clé", "nul\0"])
def test_token_that_is_none(stub: Stub, token: str) -> None:
    """A token that no header can carry is refused without being repeated, and nothing is asked."""
    assert (0, "the admin token must be printable ASCII") == client.call("GET", stub.url, token=token)
    assert [] == stub.requests


def test_https(secure: Stub, authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is trusted whose certificate rests on the file that is given or that the environment names: as what to
    trust, or as where a server writes it."""
    file = authority[1]
    response = client.call("GET", secure.url, ca_file=file)
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS_CA_FILE", file)
    written = client.call("GET", secure.url)
    monkeypatch.setenv("OUTLOOK_EMULATOR_TLS_CA_FILE", "/nowhere")
    monkeypatch.setenv(client.CA_FILE, file)
    named = client.call("GET", secure.url)
    status, text = client.call("GET", secure.url, ca_file="")

    assert [(200, "")] * 3 == [response, written, named]
    assert (0, True) == (status, "certificate verify failed" in text)


def test_ca_file_that_is_none(secure: Stub, tmp_path: Path) -> None:
    """A file that is missing or holds no certificate is named, and nothing is asked."""
    missing, empty = tmp_path / "none.pem", tmp_path / "empty.pem"
    empty.write_text("hello")
    texts = [client.call("GET", secure.url, ca_file=str(file)) for file in (missing, empty)]

    assert (0, f"cannot read certificates from {missing}: No such file or directory") == texts[0]
    assert (0, True) == (texts[1][0], texts[1][1].startswith(f"cannot read certificates from {empty}: "))
    assert [] == secure.requests


def test_slashes(stub: Stub) -> None:
    """A slash at the end of a URL does no harm."""
    client.call("GET", f"{stub.url}//_emulator/api")

    assert stub.last().line == "GET /_emulator/api"
