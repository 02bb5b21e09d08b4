"""An emulator in a thread of this process: it answers as long as its block lasts, and leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import re
import socket
import ssl
import tempfile
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
    """No thread outlives a test, and what was left open shows as the warning that it is."""
    before = threading.active_count()
    yield
    gc.collect()
    assert before == threading.active_count()


def probe(url: str) -> None:
    """Bring a mailbox for `bob` into being."""
    httpx.get(f"{url}/apim/outlook/bob/testconnection", headers=CREDENTIAL, trust_env=False).raise_for_status()


def status_of(url: str) -> int:
    return httpx.get(f"{url}/readyz", trust_env=False).status_code


def is_gone(url: str) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_answers_are_sent_at_once() -> None:
    """The listening socket says that it speaks TCP: asyncio sets TCP_NODELAY on connections of such a one only."""
    with serving._listening(Settings(port=0)) as listener:
        assert socket.IPPROTO_TCP == listener.proto


def test_it_answers_while_the_block_lasts() -> None:
    """The first request is answered, and after the block there is nobody to ask."""
    with outlook_emulator.running() as served:
        status = status_of(served.url)

    assert (200, True) == (status, is_gone(served.url))
    assert served.ca_file is None


def test_each_has_a_port_and_a_world_of_its_own() -> None:
    """Two at a time do not meet, and their registries can be looked at."""
    with running() as first, running(Settings(seed="empty")) as other:
        probe(first.url)
        known = [served.app.state.sandboxes.connection_ids() for served in (first, other)]

    assert [{"bob"}, {"empty"}] == known
    assert first.url != other.url


def test_a_port_that_is_asked_for() -> None:
    """A port in the settings is the one listened on, and is free again afterwards."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    urls = []
    for _ in range(2):
        with running(Settings(port=port)) as served:
            urls.append(served.url)

    assert [f"http://127.0.0.1:{port}"] * 2 == urls


def test_ipv6() -> None:
    """An address with colons stands in brackets."""
    with running(Settings(host="::1")) as served:
        assert status_of(served.url) == 200

    assert served.url.startswith("http://[::1]:")


def test_a_clock_is_followed() -> None:
    """Answers carry the date of the clock that was given."""
    with running(clock=VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))) as served:
        answer = httpx.get(f"{served.url}/readyz", trust_env=False)

    assert answer.headers["date"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_an_app_of_ones_own() -> None:
    """An app that is handed in is the one that is served."""
    app = outlook_emulator.create_app(Settings(domain="example.test"))
    with running(app=app) as served:
        httpx.get(
            f"{served.url}/apim/outlook/bob/testconnection", headers=CREDENTIAL, trust_env=False
        ).raise_for_status()
        (owner,) = app.state.sandboxes.default.connections().values()

    assert served.app is app
    assert owner.address == "bob@example.test"


def test_a_client_that_stays_connected_holds_nothing_up() -> None:
    """A connection that is kept open does not keep the block from ending."""
    with httpx.Client(headers=CREDENTIAL, trust_env=False) as http, running() as served:
        assert http.post(f"{served.url}/apim/outlook/bob/v2/Mail", json=MAIL).status_code == 200

    assert is_gone(served.url)


def test_what_the_block_raises_comes_out() -> None:
    """An error in the block ends the server, and stays the error that it was."""
    with pytest.raises(ZeroDivisionError), running() as served:
        _ = 1 / 0

    assert is_gone(served.url)


def test_logging_is_left_alone() -> None:
    """Whoever starts an emulator in a process keeps its log handlers."""
    before = [logging.getLogger(name).handlers[:] for name in (None, "uvicorn", "uvicorn.error")]
    with running():
        during = [logging.getLogger(name).handlers[:] for name in (None, "uvicorn", "uvicorn.error")]

    assert before == during


# TLS


def trusting(served: Running) -> httpx.Client:
    """A client that trusts the emulator's certificate and no other."""
    assert served.ca_file is not None
    context = ssl.create_default_context(cafile=served.ca_file)
    return httpx.Client(base_url=served.url, headers=CREDENTIAL, verify=context, trust_env=False)


def certificates(file: str | Path) -> list[str]:
    """What kinds of things a PEM file holds."""
    return re.findall(r"-----BEGIN (.*)-----", Path(file).read_text())


def test_https() -> None:
    """Whoever trusts the file is served, and every address that an answer names is https as well."""
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
    """The certificate is for this machine by each of its names and addresses, and for nobody else."""
    with running(Settings(tls="yes", host="127.0.0.2")) as served:
        context = ssl.create_default_context(cafile=served.ca_file)

        def shake_hands(name: str) -> None:
            address = ("127.0.0.2", int(served.url.rpartition(":")[2]))
            with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname=name):
                pass

        for name in ("localhost", "127.0.0.1", "::1", "127.0.0.2", socket.gethostname()):
            shake_hands(name)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands("example.com")


@pytest.mark.parametrize("name", ["no_name_of_dns", "", "x" * 70])
def test_a_machine_whose_name_no_certificate_holds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A machine may have a name that DNS knows nothing of; it is served without it."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    with running(Settings(tls="yes")) as served, trusting(served) as http:
        assert http.get("/readyz").status_code == 200


def test_a_client_that_does_not_trust_it() -> None:
    """Each start makes a certificate of its own, so nobody who does not know it is served."""
    with running(Settings(tls="yes")) as other, running(Settings(tls="yes")) as served:
        stranger = ssl.create_default_context(cafile=other.ca_file)
        for context in (stranger, ssl.create_default_context()):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx.get(served.url, verify=context, trust_env=False)


def test_plain_http_is_not_spoken() -> None:
    """Who speaks http to an emulator that serves https gets no answer, and does no harm."""
    with running(Settings(tls="yes")) as served, trusting(served) as http:
        with pytest.raises(httpx.TransportError):
            status_of(served.url.replace("https:", "http:"))
        assert http.get("/readyz").status_code == 200


def test_no_key_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it serves there is one file, a certificate; afterwards there is none."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running(Settings(tls="yes")) as served:
        (file,) = tmp_path.iterdir()
        kinds = certificates(file)

    assert (str(file), ["CERTIFICATE"], []) == (served.ca_file, kinds, list(tmp_path.iterdir()))


def test_a_file_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the settings is written anew at each start, named in full, and kept."""
    monkeypatch.chdir(tmp_path)
    texts = []
    for _ in range(2):
        with running(Settings(tls="yes", tls_ca_file="ca.pem")) as served, trusting(served) as http:
            assert http.get("/readyz").status_code == 200
        texts.append((tmp_path / "ca.pem").read_text())

    assert served.ca_file == str(tmp_path / "ca.pem")
    assert (["CERTIFICATE"], True) == (certificates(tmp_path / "ca.pem"), texts[0] != texts[1])


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be, there is no server, and the error says which one."""
    file = tmp_path / "nowhere" / "ca.pem"
    with pytest.raises(OSError, match=f"^cannot write the certificate to {file}: No such file or directory$"):
        running(Settings(tls="yes", tls_ca_file=str(file))).__enter__()


def test_a_tls_client_that_stays_connected_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    """A client that keeps its connection and looks away does not keep the block from ending."""
    with ExitStack() as clients, running(Settings(tls="yes")) as served:
        http = clients.enter_context(trusting(served))
        assert http.get("/readyz").status_code == 200

    assert ("", True) == (caplog.text, is_gone(served.url))


# What keeps it from starting


def test_a_busy_port() -> None:
    """A port that somebody has is named."""
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
def test_settings_that_cannot_be(settings: Settings, expected: str) -> None:
    """Settings that lead nowhere raise the reason."""
    with pytest.raises(ValueError, match=expected):
        running(settings).__enter__()


def test_data_that_is_none(tmp_path: Path) -> None:
    """A data folder that holds no database of ours is named."""
    (tmp_path / "default.sqlite").write_text("Dear diary, " * 100)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        running(Settings(data=str(tmp_path))).__enter__()


def test_a_refused_start_lets_go_of_the_folder(tmp_path: Path) -> None:
    """After a start that failed, the data folder is free for the next one."""
    with suppress(ValueError), running(Settings(data=str(tmp_path), seed="nothing")):
        pass
    with running(Settings(data=str(tmp_path))) as served:
        assert status_of(served.url) == 200


def test_an_app_that_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    """When an app's own start fails, the block never begins, and the log has the reason."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise LookupError("no good")
        yield

    with pytest.raises(RuntimeError, match="did not start"):
        running(app=Starlette(lifespan=lifespan)).__enter__()

    assert "LookupError: no good" in caplog.text


def test_an_app_listens_as_it_was_made_to() -> None:
    """Without more words an app is served by the settings that it was made with."""
    with running(app=outlook_emulator.create_app(Settings(host="127.0.0.2"))) as served:
        assert served.url.startswith("http://127.0.0.2:")


def test_an_app_without_a_token_is_not_opened_to_others() -> None:
    """What counts beyond this machine is the token of the app that is served, not one that it has never heard of."""
    app = outlook_emulator.create_app()
    with pytest.raises(ValueError, match=r"^listening on 0\.0\.0\.0 opens the admin API to other machines"):
        running(Settings(host="0.0.0.0", admin_token="secret"), app=app).__enter__()
    with running(Settings(host="0.0.0.0"), app=outlook_emulator.create_app(Settings(admin_token="secret"))) as served:
        answer = httpx.get(f"{served.url}/_emulator/api/sandboxes", trust_env=False)

    assert answer.status_code == 401


def test_an_app_brings_its_clock() -> None:
    """A clock beside an app would be of no effect, so it is refused."""
    app = Starlette()
    with pytest.raises(ValueError, match=r"^an app already has a clock"):
        running(clock=VirtualClock(datetime(2030, 1, 1, tzinfo=UTC)), app=app).__enter__()


@pytest.mark.parametrize("effect", [{"delay": "1h"}, {"delay": "10m", "delayBy": "real"}], ids=["clock", "real"])
def test_a_call_that_waits_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture, effect: dict[str, str]) -> None:
    """A call that a fault delays is told that its sandbox is gone, and nobody has to wait for it, or logs it."""
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
