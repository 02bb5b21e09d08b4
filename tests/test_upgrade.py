"""Requests that offer to switch to another protocol are served as plain HTTP/1.1, with their bodies."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.cli.commands import run
from tests.conftest import Connection, Server
from tests.processes import HUNG_AFTER

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
"""The headers that `curl --http2` and Java's HttpClient add to a plain request."""
OFFERS = {
    "curl and java": H2C,
    "upgrade alone": b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "other case": b"UPGRADE: H2C\r\nconnection: keep-alive, upgrade\r\n",
    "two headers": b"Connection: HTTP2-Settings\r\nConnection: Upgrade\r\nUpgrade: h2c, foo/1\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
}
MAIL = json.dumps({"To": "bob@example.net", "Subject": "Grüße", "Body": "<p>Hello</p>"}).encode()
JAVA = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

public class Send {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (HttpRequest.BodyPublisher body : new HttpRequest.BodyPublisher[] {
            HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1])),
            HttpRequest.BodyPublishers.fromPublisher(HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1])))
        }) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Authorization", "Bearer token").header("Content-Type", "application/json").POST(body).build();
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(response.statusCode() + " " + response.version());
        }
    }
}
"""
"""A client with default settings. The second body has no known length, so Java sends it in chunks."""


def post(offer: bytes, connection: Connection, *headers: bytes) -> bytes:
    """The beginning of a request that sends a mail, up to the headers about its body."""
    path = urlsplit(connection.url).path.encode()
    lines = (b"POST %s/v2/Mail HTTP/1.1" % path, b"Host: x", b"Authorization: Bearer token", *headers)
    return b"\r\n".join(lines) + b"\r\n" + offer


def with_length(offer: bytes, connection: Connection, *headers: bytes) -> list[bytes]:
    """The parts of a request whose body has a length."""
    return [post(offer, connection, *headers), b"Content-Length: %d\r\n\r\n" % len(MAIL), MAIL]


def chunked(offer: bytes, connection: Connection, *headers: bytes) -> list[bytes]:
    """The parts of a request whose body comes in two chunks."""
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (MAIL[:20], MAIL[20:])]
    return [post(offer, connection, *headers), b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n"]


def statuses(caller: socket.socket, count: int) -> list[int]:
    """Read the next responses and return their statuses."""
    result = []
    with caller.makefile("rb") as reader:
        for _ in range(count):
            result.append(int(reader.readline().split()[1]))
            size = 0
            while line := reader.readline().strip():
                name, _, value = line.partition(b":")
                size = int(value) if name == b"content-length" else size
            reader.read(size)
    return result


@contextmanager
def calling(url: str) -> Iterator[socket.socket]:
    """A socket to the server of a URL."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as caller:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield caller


def subjects(connection: Connection) -> list[str]:
    """The subjects of the mails that a connection has sent."""
    return [mail["Subject"] for mail in connection.mails("SentItems")]


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A request that offers an upgrade is no reason for a warning."""
    yield
    assert [] == [record.getMessage() for record in caplog.get_records("call")]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=list(OFFERS))
@pytest.mark.parametrize("request_of", [with_length, chunked])
@pytest.mark.parametrize("apart", [False, True], ids=["one packet", "byte by byte"])
def test_a_body_sent_with_an_upgrade_is_kept(alice: Connection, offer: bytes, request_of: Any, apart: bool) -> None:
    """A mail that is sent with an offer to upgrade arrives, and the connection stays open for the next request.

    RFC 9110, section 7.8: a server may ignore the offer. Seen with Java's HttpClient and curl, which offer HTTP/2 with
    every plain request (public reports on uvicorn and httptools, 2025).
    """
    data = b"".join(request_of(offer, alice))
    with calling(alice.url) as caller:
        for part in [data[at : at + 1] for at in range(len(data))] if apart else [data]:
            caller.sendall(part)
        first = statuses(caller, 1)
        caller.sendall(b"".join(request_of(b"", alice)))
        second = statuses(caller, 1)

    assert ([200], [200], ["Gr\u00fc\u00dfe"] * 2) == (first, second, subjects(alice))


@pytest.mark.parametrize("request_of", [with_length, chunked])
def test_requests_behind_an_upgrade_are_served(alice: Connection, request_of: Any) -> None:
    """Requests that follow in the same packet are served in order, with an offer or without.

    RFC 9112, section 9.3.2: a client may send requests without waiting for the responses.
    """
    number = 200
    missing = post(H2C, alice).replace(b"/v2/Mail", b"/v2/Nothing") + b"\r\n"
    parts = [*request_of(H2C, alice), missing, *request_of(b"", alice), *(request_of(H2C, alice) * number)]
    with calling(alice.url) as caller:
        caller.sendall(b"".join(parts))
        received = statuses(caller, number + 3)

    assert [200, 404, 200, *[200] * number] == received
    assert 2 + number == len(alice.sandbox.outbox.mails())


def test_an_upgrade_without_a_body(alice: Connection) -> None:
    """A request without a body is served, and one that needs a body is refused for want of it."""
    with calling(alice.url) as caller:
        caller.sendall(post(H2C, alice).replace(b"POST", b"GET") + b"\r\n")
        caller.sendall(post(H2C, alice) + b"\r\n")
        assert [200, 400] == statuses(caller, 2)


def test_a_body_that_waits_for_100_continue(alice: Connection) -> None:
    """A client that offers an upgrade and waits before its body is asked for the body."""
    head, length, body = with_length(H2C, alice, b"Expect: 100-continue")
    with calling(alice.url) as caller:
        caller.sendall(head + length)
        first = caller.recv(100)
        caller.sendall(body)
        last = statuses(caller, 1)

    assert (b"HTTP/1.1 100 Continue\r\n\r\n", [200]) == (first, last)


def test_a_connection_that_closes_after_an_upgrade(alice: Connection) -> None:
    """`Connection: close` beside the offer closes the connection after the response."""
    with calling(alice.url) as caller:
        caller.sendall(b"".join(with_length(b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n", alice)))
        received = statuses(caller, 1)
        assert ([200], b"") == (received, caller.recv(1))


def test_the_journal_shows_the_offer(alice: Connection) -> None:
    """The journal has the headers of the request as the client sent them."""
    with calling(alice.url) as caller:
        caller.sendall(b"".join(with_length(H2C, alice)))
        statuses(caller, 1)
    (entry,) = alice.sandbox.api.post("/journal/query", json={}).json()["value"]

    headers = {name.lower(): value for name, value in entry["request"]["headers"].items()}
    assert ("h2c", "Upgrade, HTTP2-Settings") == (headers["upgrade"], headers["connection"])


def test_a_broken_chunk_behind_an_upgrade(server: Server, alice: Connection, caplog: pytest.LogCaptureFixture) -> None:
    """A malformed body gets 400, sends nothing, and does not affect other clients."""
    with calling(alice.url) as caller:
        caller.sendall(post(H2C, alice) + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
        received = statuses(caller, 1)
    caplog.clear()

    assert ([400], []) == (received, subjects(alice))
    assert 200 == server.http.get("/readyz").status_code


def test_an_upgrade_over_tls() -> None:
    """The offer is ignored on a TLS connection too."""
    with running(Settings(tls="yes")) as served, calling(served.url) as plain:
        context = ssl.create_default_context(cafile=served.ca_file)
        with context.wrap_socket(plain, server_hostname="localhost") as caller:
            request = b"POST /apim/outlook/bob/v2/Mail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n" + H2C
            caller.sendall(request + b"Content-Length: %d\r\n\r\n" % len(MAIL) + MAIL)
            received = statuses(caller, 1)
        query: dict[str, Any] = {"folderPath": "SentItems", "fetchOnlyUnread": "false"}
        with httpx.Client(headers={"Authorization": "Bearer token"}, verify=context, trust_env=False) as http:
            sent = http.get(f"{served.url}/apim/outlook/bob/v2/Mail", params=query).json()["value"]

    assert ([200], ["Gr\u00fc\u00dfe"]) == (received, [mail["Subject"] for mail in sent])


# Clients that offer HTTP/2 by default


def present(program: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


@pytest.fixture
def mail_file(tmp_path: Path) -> str:
    (tmp_path / "mail.json").write_bytes(MAIL)
    return str(tmp_path / "mail.json")


def curl(url: str, mail_file: str, *more: str) -> list[str]:
    """A command that sends a mail with `curl --http2` and prints the status and the version of HTTP."""
    printed = ("--silent", "--output", os.devnull, "--write-out", "%{http_code} %{http_version}\\n")
    headers = ("--header", "Authorization: Bearer token", "--header", "Content-Type: application/json")
    return [present("curl"), "--http2", *printed, *headers, *more, "--data-binary", f"@{mail_file}", url]


def printed(command: list[str]) -> list[str]:
    """The lines that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_AFTER)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_curl_with_http2_sends_a_mail(alice: Connection, mail_file: str) -> None:
    """`curl --http2` sends a mail with a length and one in chunks.

    curl's manual: the option offers HTTP/2 through an upgrade on plain connections.
    """
    url = f"{alice.url}/v2/Mail"
    if "HTTP2" not in printed([present("curl"), "--version"])[-1]:
        pytest.skip("this curl cannot offer HTTP/2")
    whole = printed(curl(url, mail_file))
    parts = printed(curl(url, mail_file, "--header", "Transfer-Encoding: chunked"))

    assert (["200 1.1"], ["200 1.1"], ["Gr\u00fc\u00dfe"] * 2) == (whole, parts, subjects(alice))


@pytest.mark.slow
def test_a_java_client_sends_a_mail(alice: Connection, mail_file: str, tmp_path: Path) -> None:
    """Java's HttpClient with default settings sends a mail with a length and one in chunks.

    Its documentation: the preferred version is HTTP/2 unless another is set, and plain connections start with an offer.
    """
    if not Path(present("java")).resolve().with_name("javac").exists():
        pytest.skip("java runs source files only with a JDK")
    (tmp_path / "Send.java").write_text(JAVA, encoding="ascii")
    lines = printed([present("java"), str(tmp_path / "Send.java"), f"{alice.url}/v2/Mail", mail_file])

    assert (["200 HTTP_1_1"] * 2, ["Gr\u00fc\u00dfe"] * 2) == (lines, subjects(alice))


@pytest.mark.slow
def test_curl_with_http2_under_exec(mail_file: str) -> None:
    """The emulator of `exec` takes the mail as well."""
    command = curl("$OUTLOOK_EMULATOR_URL/apim/outlook/bob/v2/Mail", mail_file)
    script = " ".join(f'"{word}"' for word in command)
    done = run("exec", "--", "sh", "-c", script)

    assert (0, "200 1.1\n", "") == (done.returncode, done.stdout, done.stderr)
