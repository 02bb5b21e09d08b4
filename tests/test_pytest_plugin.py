"""The pytest plugin, used as a user does: with pytest in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outlook_emulator import certificates
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import Connection, Sandbox, Server
from tests.processes import HUNG_AFTER
from tests.stub import Stub

pytestmark = pytest.mark.slow

ANSWER = """
def test_answer(outlook_answer):
    question = outlook_answer({option!r}, subject="budget", sandbox={sandbox!r})
    assert question["answer"] == {option!r}
"""

SUITE = '''
"""The fixtures, which work the same over a socket and in process."""

import asyncio

import pytest

START = "2026-03-02T09:00:00+00:00"


def send(sender, to, subject="Hello"):
    body = {"To": to, "Subject": subject, "Body": "<p>Hello</p>"}
    sender.http.post("/v2/Mail", json=body).raise_for_status()


def test_a_mailbox(outlook):
    assert outlook.mails() == []
    outlook.deliver(subject="Hello")
    assert [one["Subject"] for one in outlook.mails()] == ["Hello"]


def test_more_mailboxes(outlook, make_outlook):
    bob, eve, quiet = make_outlook("bob"), make_outlook(address="eve@example.org"), make_outlook(seed="empty")
    send(outlook, f"{bob.address}; {eve.address}")
    assert [len(one.mails()) for one in (bob, eve)] == [1, 1]
    assert quiet.address == "quiet@example.com"
    assert len({outlook.id, bob.id, eve.id, quiet.id, make_outlook().id}) == 5


def test_the_outbox(outlook, outlook_outbox):
    send(outlook, "out@example.net")
    assert [one["recipients"] for one in outlook_outbox.mails()] == [["out@example.net"]]


def test_the_clock(outlook, outlook_clock):
    outlook_clock.freeze()
    before = outlook_clock.now()
    assert (outlook_clock.advance("1h") - before).total_seconds() == 3600


@pytest.mark.outlook(seed="office", clock="2026-03-02T09:00:00Z")
def test_the_marker(outlook, outlook_clock):
    assert outlook.address == "ada@example.com"
    assert outlook.mails()
    assert outlook_clock.now().isoformat() == START


@pytest.mark.outlook(seed="empty", clock="2026-03-02T09:00:00Z")
class TestMarkersOfAClass:
    def test_are_its_tests(self, outlook, outlook_clock):
        assert (outlook.address, outlook_clock.now().isoformat()) == ("quiet@example.com", START)

    @pytest.mark.outlook(seed="office")
    def test_yield_to_nearer_ones(self, outlook, outlook_clock):
        assert (outlook.address, outlook_clock.now().isoformat()) == ("ada@example.com", START)


def test_an_event_loop(outlook):
    async def test():
        async with outlook.async_http() as http:
            answer = await http.get("/testconnection")
        return answer.status_code, outlook.http.get("/testconnection").status_code

    assert asyncio.run(test()) == (200, 200)


def test_microsofts_client(outlook):
    async def test():
        async with outlook.client(max_retry_attempts=1) as client:
            return await client.get_emails_async(fetch_only_unread=False)

    outlook.deliver(subject="Grüße")
    assert "Grüße" in str(asyncio.run(test()))


def test_in_process(outlook_app, outlook, outlook_clock):
    assert outlook_app is outlook
    assert outlook_app.sandbox.server.app is not None
    outlook_app.deliver(subject="Hello")
    assert len(outlook.mails()) == 1


@pytest.mark.outlook(transport="app")
def test_in_process_by_the_marker(outlook):
    assert outlook.sandbox.server.app is not None


@pytest.mark.outlook(transport="http")
def test_over_http_by_the_marker(outlook, outlook_server):
    assert outlook.sandbox.server is outlook_server
    assert outlook.url.startswith("http://127.0.0.1:")


def test_the_transport(outlook, pytestconfig):
    in_process = pytestconfig.getoption("outlook_transport") == "app"
    assert (outlook.sandbox.server.app is not None) == in_process


def test_an_answer_in_the_tests_own_sandbox(outlook, outlook_answer, make_outlook):
    message = {"To": make_outlook("bob").address, "Subject": "The Budget", "Options": "Yes, No"}
    order = {"NotificationUrl": "http://127.0.0.1:1/", "Message": message}
    outlook.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
    assert outlook_answer("Yes", subject="budget")["answer"] == "Yes"
'''

MANY = """
import os

import pytest


@pytest.mark.parametrize("number", range(int(os.environ["MANY"])))
def test_one_of_many(outlook, number):
    body = {"To": outlook.address, "Subject": f"mail {number}", "Body": "x"}
    outlook.http.post("/v2/Mail", json=body).raise_for_status()
    assert [one["Subject"] for one in outlook.mails()] == [f"mail {number}"]
"""

TLS = """
import asyncio


def test_it(outlook):
    async def test():
        async with outlook.async_http() as http:
            status = (await http.get("/testconnection")).status_code
        async with outlook.client(max_retry_attempts=1) as client:
            return status, await client.get_emails_async(fetch_only_unread=False)

    outlook.deliver(subject="Hello")
    status, mails = asyncio.run(test())
    assert (status, "Hello" in str(mails)) == (200, True)
"""

PLAIN_CALL = """
def test_it(outlook):
    assert outlook.http.get("/testconnection").status_code == 200
"""

MISTAKES = """
import pytest


@pytest.mark.outlook(sed="office")
def test_unknown_keyword():
    pass

@pytest.mark.outlook("office")
def test_no_keyword(outlook):
    pass

@pytest.mark.outlook(transport="pigeon")
def test_unknown_transport(outlook):
    pass

@pytest.mark.outlook(unused_faults=False)
def test_unknown_policy(outlook):
    pass

@pytest.mark.outlook(faults="throttled")
def test_no_list(outlook):
    pass

@pytest.mark.outlook(seed=["office"])
def test_no_name(outlook):
    pass

@pytest.mark.outlook(clock=5)
def test_no_instant(outlook):
    pass

@pytest.mark.outlook(transport="http")
def test_contradiction(outlook_app):
    pass

@pytest.mark.outlook(seed="none", transport="app")
def test_unknown_seed(outlook):
    pass

@pytest.mark.outlook(clock="soon", transport="app")
def test_unknown_clock(outlook):
    pass

@pytest.mark.outlook(transport="app")
def test_duplicate_mailbox(make_outlook):
    make_outlook("bob")
    make_outlook("bob")
"""
SAID = {
    "test_unknown_keyword": "has no keyword 'sed'; it has seed, faults, clock, transport, unused_faults",
    "test_no_keyword": "takes keywords only, not 'office'",
    "test_unknown_transport": "transport='pigeon', which must be 'http' or 'app'",
    "test_unknown_policy": "unused_faults=False, which must be 'fail' or 'allow'",
    "test_no_list": "faults='throttled', which must be a list of fault names and rules",
    "test_no_name": "seed=['office'], which must be the name of a sample mailbox, the path of its folder, or a mapping",
    "test_no_instant": "clock=5, which must be an instant, as text or as a datetime",
    "test_contradiction": "outlook_app cannot be combined with the marker's transport='http'",
    "test_unknown_seed": "There is no sample mailbox 'none'",
    "test_unknown_clock": "'clock.set' must be an ISO 8601 date and time, not 'soon'",
    "test_duplicate_mailbox": "exists already",
}


def run(folder: Path, source: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a test file with this plugin and the plugins that the arguments name."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLOOK_", "PYTEST_"))}
    own_authority = {certificates.FOLDER: os.environ[certificates.FOLDER]}
    variables = {**kept, **own_authority, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "outlook_emulator.pytest_plugin", "-p", "no:cacheprovider"]
    command += ["-W", "error", "--strict-markers", *arguments, "."]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=HUNG_AFTER)


def passed(done: subprocess.CompletedProcess[str], count: int) -> bool:
    """Return whether exactly this many tests passed; a failed run shows its output."""
    assert done.returncode == 0, done.stdout + done.stderr
    return f"{count} passed in" in done.stdout


def names(server: Server) -> set[str]:
    return {sandbox["name"] for sandbox in server.http.get(f"{ROOT}/sandboxes").json()["value"]}


def test_loading_is_light() -> None:
    """Loading the plugin imports neither a server nor a client."""
    script = "import pytest, sys; before = set(sys.modules); import outlook_emulator.pytest_plugin; "
    script += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ["outlook_emulator", "outlook_emulator.pytest_plugin"] == done.stdout.split()


def test_unused_plugin_is_light(tmp_path: Path) -> None:
    """A run whose tests use no fixture of the plugin imports nothing further."""
    heavy = {"starlette", "uvicorn", "httpx", "sqlite3", "asyncio", "ssl"}
    source = f"import sys\n\n\ndef test_it():\n    assert not {heavy} & set(sys.modules)\n"

    assert passed(run(tmp_path, source), 1)


@pytest.mark.parametrize("transport", ["http", "app"])
def test_fixtures(tmp_path: Path, transport: str) -> None:
    """The same suite passes over a socket and in process."""
    assert passed(run(tmp_path, SUITE, f"--outlook-transport={transport}"), SUITE.count("def test_"))


def test_fixtures_on_a_running_server(tmp_path: Path, server: Server) -> None:
    """The same suite passes against a running server and leaves no sandbox behind."""
    before = names(server)
    done = run(tmp_path, SUITE, "-k", "not microsofts", OUTLOOK_EMULATOR_URL=server.url)

    assert "13 passed, 1 deselected in" in done.stdout, done.stdout
    assert before == names(server)


def test_many_on_a_shared_server(tmp_path: Path, server: Server, sandbox: Sandbox, alice: Connection) -> None:
    """Four workers share a server with other users without affecting them or each other."""
    alice.deliver(subject="Mine")
    before = names(server)
    done = run(tmp_path, MANY, "-p", "xdist.plugin", "-n", "4", f"--outlook-url={server.url}", MANY="80")

    assert passed(done, 80)
    assert before == names(server)
    assert ["Mine"] == [mail["Subject"] for mail in alice.mails()]


def test_many_with_a_server_per_worker(tmp_path: Path) -> None:
    """Without a running server, every worker starts its own."""
    assert passed(run(tmp_path, MANY, "-p", "xdist.plugin", "-n", "2", MANY="40"), 40)


def test_many_in_process(tmp_path: Path) -> None:
    """Many tests pass in process, without workers and without a socket."""
    assert passed(run(tmp_path, MANY, "--outlook-transport=app", MANY="80"), 80)


def test_invalid_markers(tmp_path: Path) -> None:
    """An invalid marker fails its test with the reason before the test runs."""
    done = run(tmp_path, MISTAKES, "-rEf", "--tb=short")

    assert f"{len(SAID) - 1} errors" in done.stdout
    assert [] == [name for name, text in SAID.items() if text not in report_of(name, done.stdout)]


def report_of(name: str, output: str) -> str:
    """Return the part of pytest's output about one test."""
    start = output.index(f" {name} _")
    return output[start : output.index("\n____", start) if "\n____" in output[start:] else None]


def test_custom_settings(tmp_path: Path) -> None:
    """A test suite can override `outlook_settings`, over a socket and in process."""
    source = (
        "import pytest\nfrom outlook_emulator import Settings\n\n\n"
        "@pytest.fixture(scope='session')\ndef outlook_settings():\n    return Settings(max_top=7)\n\n\n"
        "@pytest.mark.parametrize('transport', [pytest.param(one, marks=pytest.mark.outlook(transport=one))"
        " for one in ('http', 'app')])\n"
        "def test_it(outlook, transport):\n"
        "    assert outlook.http.get('/v2/Mail', params={'top': 8}).status_code == 400\n"
    )

    assert passed(run(tmp_path, source), 2)


def test_server_with_credentials(tmp_path: Path) -> None:
    """The admin token and the credential come from the server's own environment variables."""
    source = "def test_it(outlook):\n    outlook.deliver(subject='Hello')\n    assert outlook.mails()\n"
    keys = {"OUTLOOK_EMULATOR_ADMIN_TOKEN": "key-1", "OUTLOOK_EMULATOR_AUTHORIZATION": "key-2"}
    with running(Settings(admin_token="key-1", authorization="key-2")) as up:
        with_both = run(tmp_path, source, OUTLOOK_EMULATOR_URL=up.url, **keys)
        without = run(tmp_path, source, OUTLOOK_EMULATOR_URL=up.url)

    assert passed(with_both, 1)
    assert "AdminError: The emulator answered 401 to PUT /sandboxes/" in without.stdout
    assert "The admin API requires its token" in without.stdout


def test_fixtures_over_tls(tmp_path: Path) -> None:
    """The certificate file of the environment is used, also by Microsoft's client, or else the user's own authority."""
    with running(Settings(tls="yes")) as up:
        trusting = run(tmp_path, TLS, OUTLOOK_EMULATOR_URL=up.url, OUTLOOK_EMULATOR_CA_FILE=up.ca_file or "")
        by_default = run(tmp_path, PLAIN_CALL, OUTLOOK_EMULATOR_URL=up.url)
        strange = run(
            tmp_path, PLAIN_CALL, OUTLOOK_EMULATOR_URL=up.url, OUTLOOK_EMULATOR_CA_FOLDER=str(tmp_path / "somewhere")
        )

    assert passed(trusting, 1)
    assert passed(by_default, 1)
    assert f"ConnectionError: No emulator responds at {up.url}: " in strange.stdout


ENVIRONMENT = """
import os
import subprocess
import sys

import pytest
import requests
from azure.identity import DefaultAzureCredential

from outlook_emulator import Settings


@pytest.fixture(scope="session")
def outlook_settings():
    return Settings(tls="yes", authorization="unknown", identity_header="own-header")


def test_code_in_process(outlook, outlook_environment):
    outlook.deliver(subject="Hello")
    token = DefaultAzureCredential().get_token("https://apihub.azure.com/.default").token
    url = os.environ["OUTLOOK_CONNECTION_URL"]
    response = requests.get(f"{url}/v2/Mail", headers={"Authorization": f"Bearer {token}"})
    assert (outlook.url, 200, 1) == (url, response.status_code, len(response.json()["value"]))


def test_child_process(outlook_environment):
    code = (
        "import os; from urllib.request import urlopen;"
        "print(urlopen(os.environ['OUTLOOK_EMULATOR_URL'] + '/readyz').status)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "200\\n"


def test_undone():
    assert "OUTLOOK_CONNECTION_URL" not in os.environ


"""


def test_environment(tmp_path: Path) -> None:
    """Code under test and its child processes reach the mailbox of the test by the environment alone."""
    assert passed(run(tmp_path, ENVIRONMENT), 3)


def test_environment_without_a_socket(tmp_path: Path) -> None:
    """Without a socket, the fixture fails and says why."""
    done = run(tmp_path, "def test_it(outlook_environment):\n    pass\n", "--outlook-transport=app")

    assert "outlook_environment needs an emulator with a URL: this emulator has no URL" in done.stdout


def test_no_emulator(tmp_path: Path) -> None:
    """If no emulator responds, each test fails with the URL."""
    done = run(tmp_path, "def test_it(outlook):\n    pass\n", "--outlook-url=http://127.0.0.1:1")

    assert 1 == done.returncode
    assert "ConnectionError: No emulator responds at http://127.0.0.1:1: " in done.stdout


def test_url_with_the_in_process_transport(tmp_path: Path) -> None:
    """A server's URL and the in-process transport cannot be combined."""
    done = run(tmp_path, "", "--outlook-url=http://127.0.0.1:1", "--outlook-transport=app")

    assert 4 == done.returncode
    assert "--outlook-transport=app cannot be combined with --outlook-url" in done.stderr


def test_answer(tmp_path: Path, sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """`outlook_answer` answers a question in a given sandbox of the server in the environment."""
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})
    source = ANSWER.format(option="Yes", sandbox=sandbox.name)

    assert passed(run(tmp_path, source, OUTLOOK_EMULATOR_URL=sandbox.server.url), 1)
    assert listener.wait()[0].body == b'{"SelectedOption":"Yes"}'


@pytest.mark.parametrize(
    ("subject", "said"), [("The Budget", "The emulator answered 400"), ("Other", "No open question")]
)
def test_invalid_answer(
    tmp_path: Path, sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub, subject: str, said: str
) -> None:
    """An unknown option or question fails the test, and no callback is sent."""
    message = {"To": bob.address, "Subject": subject, "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})
    source = ANSWER.format(option="Perhaps", sandbox=sandbox.name)
    done = run(tmp_path, source, OUTLOOK_EMULATOR_URL=sandbox.server.url)

    assert done.returncode == 1
    assert said in done.stdout
    assert listener.requests == []
