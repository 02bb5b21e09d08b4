"""An emulator in a thread of this process runs until its block ends and leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import outlook_emulator
from outlook_emulator import serving
from outlook_emulator.clock import VirtualClock
from outlook_emulator.serving import Running, running
from outlook_emulator.settings import Settings

pytestmark = pytest.mark.slow

CREDENTIAL = {"Authorization": "Bearer token"}
MAIL = {"To": "bob@outlook.com", "Subject": "Hello", "Body": "<p>Hello</p>"}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Check that no thread outlives a test, and collect garbage so that open resources show their warnings."""
    before = threading.enumerate()
    yield
    gc.collect()
    # The workers of long work belong to the process.
    assert [] == [thread for thread in threading.enumerate() if thread not in before and "-aside_" not in thread.name]


def probe(url: str) -> None:
    """Create a mailbox for `bob` by using it."""
    httpx.get(f"{url}/apim/outlook/bob/testconnection", headers=CREDENTIAL, trust_env=False).raise_for_status()


def status_of(url: str) -> int:
    return httpx.get(f"{url}/readyz", trust_env=False).status_code


def is_gone(url: str) -> bool:
    """Return whether nothing listens at the URL any more."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_socket_sends_without_delay() -> None:
    """The listening socket has the protocol TCP, because asyncio sets TCP_NODELAY only on such connections."""
    with serving._listening(Settings(port=0)) as listener:
        assert socket.IPPROTO_TCP == listener.proto


def test_runs_during_the_block() -> None:
    """The server responds during the block, and nothing listens after it."""
    with outlook_emulator.running() as served:
        status = status_of(served.url)

    assert (200, True) == (status, is_gone(served.url))
    assert served.ca_file is None


def test_servers_are_separate() -> None:
    """Two servers at a time have separate ports and sandboxes."""
    with running() as first, running(Settings(seed="empty")) as other:
        probe(first.url)
        known = [served.app.state.sandboxes.connection_ids() for served in (first, other)]

    assert [{"bob"}, {"empty"}] == known
    assert first.url != other.url


def test_port_of_the_settings() -> None:
    """The port of the settings is used and is free again afterwards."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    urls = []
    for _ in range(2):
        with running(Settings(port=port)) as served:
            urls.append(served.url)

    assert [f"http://127.0.0.1:{port}"] * 2 == urls


def test_ipv6() -> None:
    """An IPv6 address is in brackets in the URL."""
    with running(Settings(host="::1")) as served:
        assert status_of(served.url) == 200

    assert served.url.startswith("http://[::1]:")


def test_clock() -> None:
    """Responses have the date of the given clock."""
    with running(clock=VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))) as served:
        answer = httpx.get(f"{served.url}/readyz", trust_env=False)

    assert answer.headers["date"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_custom_app() -> None:
    """A given app is the app that is served."""
    app = outlook_emulator.create_app(Settings(domain="example.test"))
    with running(app=app) as served:
        httpx.get(
            f"{served.url}/apim/outlook/bob/testconnection", headers=CREDENTIAL, trust_env=False
        ).raise_for_status()
        (owner,) = app.state.sandboxes.default.connections().values()

    assert served.app is app
    assert owner.address == "bob@example.test"


def test_open_connection_does_not_delay_the_end() -> None:
    """An open client connection does not delay the end of the block."""
    with httpx.Client(headers=CREDENTIAL, trust_env=False) as http, running() as served:
        assert http.post(f"{served.url}/apim/outlook/bob/v2/Mail", json=MAIL).status_code == 200

    assert is_gone(served.url)


def test_exception_in_the_block() -> None:
    """An exception in the block stops the server and is raised unchanged."""
    with pytest.raises(ZeroDivisionError), running() as served:
        _ = 1 / 0

    assert is_gone(served.url)


def test_logging_is_unchanged() -> None:
    """Starting an emulator does not change log handlers."""
    before = [logging.getLogger(name).handlers[:] for name in (None, "uvicorn", "uvicorn.error")]
    with running():
        during = [logging.getLogger(name).handlers[:] for name in (None, "uvicorn", "uvicorn.error")]

    assert before == during


# TLS


def trusting(served: Running) -> httpx.Client:
    """A client that trusts only the emulator's certificate."""
    assert served.ca_file is not None
    context = ssl.create_default_context(cafile=served.ca_file)
    return httpx.Client(base_url=served.url, headers=CREDENTIAL, verify=context, trust_env=False)


def certificates(file: str | Path) -> list[str]:
    """Return the kinds of entries in a PEM file."""
    return re.findall(r"-----BEGIN (.*)-----", Path(file).read_text())


def test_https() -> None:
    """A client that trusts the certificate file can connect, and every URL in a response is https."""
    with running(Settings(tls="yes")) as served, trusting(served) as http:
        sent = http.post("/apim/outlook/bob/v2/Mail", json=MAIL)
        poll = http.get("/apim/outlook/bob/v2/Mail/OnNewEmail")
        again = http.get(poll.headers["location"])
        order = {"NotificationUrl": "http://127.0.0.1:1/x"}
        subscription = http.post("/apim/outlook/bob/MailSubscriptionPoke/$subscriptions", json=order)
        connection = http.post("/_emulator/api/sandboxes/default/connections", json={"id": "eve"}).json()

    assert served.url.startswith("https://127.0.0.1:")
    assert [200, 202, 202] == [response.status_code for response in (sent, poll, again)]
    named = [poll.headers["location"], subscription.headers["location"], connection["runtimeUrl"]]
    assert [] == [name for name in named if not name.startswith(f"{served.url}/apim/outlook/")]


def test_names_of_the_certificate() -> None:
    """The certificate is valid for the names of this machine and those of the settings, and for no other host."""
    with running(Settings(tls="yes", host="127.0.0.2", tls_names="mail.test, *.compose.test")) as served:
        context = ssl.create_default_context(cafile=served.ca_file)

        def shake_hands(name: str) -> None:
            address = ("127.0.0.2", int(served.url.rpartition(":")[2]))
            with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname=name):
                pass

        for name in ("localhost", "127.0.0.1", "::1", "127.0.0.2", socket.gethostname()):
            shake_hands(name)
        for name in ("host.docker.internal", "outlook", "outlook-emulator", "mail.test", "mail.compose.test"):
            shake_hands(name)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands("example.com")


@pytest.mark.parametrize("name", ["no_name_of_dns", "", "x" * 70])
def test_machine_name_that_no_certificate_can_hold(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """If the machine's name is not valid in a certificate, the certificate omits it."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    with running(Settings(tls="yes")) as served, trusting(served) as http:
        assert http.get("/readyz").status_code == 200


def test_one_authority(tmp_path: Path) -> None:
    """All servers of a user have certificates of one authority; those of another one are not trusted."""
    own, others = (Settings(tls="yes", ca_folder=str(tmp_path / name)) for name in ("own", "others"))
    with running(own) as first, running(own) as second, running(others) as stranger:
        with trusting(first) as http:
            assert [200, 200] == [http.get(f"{served.url}/readyz").status_code for served in (first, second)]
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                http.get(stranger.url)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(first.url, trust_env=False)


def test_plain_http_to_an_https_server() -> None:
    """Plain http to an https server fails and does not affect other clients."""
    with running(Settings(tls="yes")) as served, trusting(served) as http:
        with pytest.raises(httpx.TransportError):
            status_of(served.url.replace("https:", "http:"))
        assert http.get("/readyz").status_code == 200


def test_certificate_file_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the settings gets a copy of the authority's certificate, and is reported as an absolute path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").write_text("old")
    settings = Settings(tls="yes", tls_ca_file="ca.pem", ca_folder="authority")
    with running(settings) as served, trusting(served) as http:
        assert http.get("/readyz").status_code == 200

    assert served.ca_file == str(tmp_path / "ca.pem")
    assert (tmp_path / "ca.pem").read_text() == (tmp_path / "authority" / "ca" / "ca.pem").read_text()


def test_unwritable_certificate_file(tmp_path: Path) -> None:
    """If the certificate file cannot be written, the server does not start and the error names the file."""
    file = tmp_path / "nowhere" / "ca.pem"
    with pytest.raises(OSError, match=f"^cannot write the certificate to {file}: No such file or directory$"):
        running(Settings(tls="yes", tls_ca_file=str(file))).__enter__()


def test_open_tls_connection_does_not_delay_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """An open TLS connection does not delay the end of the block."""
    with ExitStack() as clients, running(Settings(tls="yes")) as served:
        http = clients.enter_context(trusting(served))
        assert http.get("/readyz").status_code == 200

    assert ("", True) == (caplog.text, is_gone(served.url))


# Failed starts


def test_port_in_use() -> None:
    """A port that is in use is named in the error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            running(Settings(port=port)).__enter__()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(port=65536), "65535"),
        (Settings(seed="nothing"), "There is no sample mailbox 'nothing'. Available: archive, empty, office."),
    ],
)
def test_invalid_settings(settings: Settings, expected: str) -> None:
    """Invalid settings raise ValueError with the reason."""
    with pytest.raises(ValueError, match=expected):
        running(settings).__enter__()


def test_invalid_data_folder(tmp_path: Path) -> None:
    """A data folder that is none is named in the error."""
    (file := tmp_path / "data").write_text("Dear diary, " * 100)
    with pytest.raises(OSError, match=re.escape(str(file))):
        running(Settings(data=str(file))).__enter__()


def test_failed_start_releases_the_folder(tmp_path: Path) -> None:
    """After a failed start, the data folder can be used by the next server."""
    with suppress(ValueError), running(Settings(data=str(tmp_path), seed="nothing")):
        pass
    with running(Settings(data=str(tmp_path))) as served:
        assert status_of(served.url) == 200


def test_failed_startup_of_the_app(caplog: pytest.LogCaptureFixture) -> None:
    """If the app's startup fails, the block does not run, and the log has the reason."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise LookupError("no good")
        yield

    with pytest.raises(RuntimeError, match="did not start"):
        running(app=Starlette(lifespan=lifespan)).__enter__()

    assert "LookupError: no good" in caplog.text


def test_app_uses_its_own_settings() -> None:
    """An app is served with the settings it was created with."""
    with running(app=outlook_emulator.create_app(Settings(host="127.0.0.2"))) as served:
        assert served.url.startswith("http://127.0.0.2:")


def test_public_address_requires_the_apps_token() -> None:
    """For a public address, the token that counts is that of the app, not that of the server's settings."""
    app = outlook_emulator.create_app()
    with pytest.raises(ValueError, match=r"^listening on 0\.0\.0\.0 opens the admin API to other machines"):
        running(Settings(host="0.0.0.0", admin_token="secret"), app=app).__enter__()
    with running(Settings(host="0.0.0.0"), app=outlook_emulator.create_app(Settings(admin_token="secret"))) as served:
        answer = httpx.get(f"{served.url}/_emulator/api/sandboxes", trust_env=False)

    assert answer.status_code == 401


def test_app_with_another_clock() -> None:
    """A clock cannot be combined with an app, which has its own."""
    app = Starlette()
    with pytest.raises(ValueError, match=r"^an app already has a clock"):
        running(clock=VirtualClock(datetime(2030, 1, 1, tzinfo=UTC)), app=app).__enter__()


@pytest.mark.parametrize("effect", [{"delay": "1h"}, {"delay": "10m", "delayBy": "real"}], ids=["clock", "real"])
def test_delayed_request_does_not_delay_the_end(caplog: pytest.LogCaptureFixture, effect: dict[str, str]) -> None:
    """When the server stops, a delayed request gets a 409 at once, and nothing is logged."""
    answers: list[int] = []
    faults = "/_emulator/api/sandboxes/default/faults"
    with running(clock=VirtualClock(datetime(2026, 3, 2, tzinfo=UTC))) as served, caplog.at_level(logging.WARNING):

        def call() -> None:
            url = f"{served.url}/apim/outlook/bob/testconnection"
            answers.append(httpx.get(url, headers=CREDENTIAL, trust_env=False, timeout=30).status_code)

        armed = httpx.post(served.url + faults, json={"faults": [{"effect": effect}]}, trust_env=False)
        caller = threading.Thread(target=call)
        caller.start()
        while not httpx.get(served.url + faults, trust_env=False).json()["value"][0]["used"]:
            pass
    caller.join()

    assert (201, [409], []) == (armed.status_code, answers, caplog.messages)


def test_the_start_leaves_what_can_wait() -> None:
    """A server is ready before what only some requests need is imported."""
    heavy = {"pydantic", "httpx", "icalendar", "jinja2", "lark", "sqlmodel", "dateutil"}
    code = "import sys; from outlook_emulator import app, cli, serving; app.create_app(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not heavy & set(loaded)


def test_a_process_is_ready_before_starlette_is_imported() -> None:
    """Until the ready line, `serve` imports neither Starlette nor the admin API."""
    code = """
import builtins, os, sys
from outlook_emulator.cli import main

def show(line, **more):
    os.write(1, " ".join([line.partition(" url=")[0], *sys.modules]).encode())
    os._exit(0)

builtins.print = show
main(["serve", "--port", "0"])
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.startswith("outlook-emulator ready ")
    assert not {"starlette.requests", "anyio", "outlook_emulator.server.admin.routes"} & set(loaded.split())


def test_a_started_server_collects_garbage() -> None:
    """The start does without, and a server that runs does not."""
    gc.disable()
    try:
        serving._settle()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
