"""A contract run against a connection: a server in another process, over TLS and with a demanded token."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from outlook_contract.routes import routes
from tests.cli import commands
from tests.contract.connection import TOKEN, Service, serving
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

HTTP = ("--client", "http")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


def contract(service: Service, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command `contract --target real`, as a user runs it."""
    command = commands.command("contract", "--target", "real", *arguments)
    environment = commands.CLEAN | service.variables | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_whole_suite_through_microsofts_client(service: Service, tmp_path: Path) -> None:
    """The suite passes, reports what it cannot check on a connection, and leaves nothing in either mailbox."""
    done = contract(service, "--json", str(tmp_path / "drift.json"), "--junit", str(tmp_path / "junit.xml"))
    document = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
    counts = document["counts"]
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    reasons = {entry["reason"]: len(entry["checks"]) for entry in document["skipped"]}

    assert 0 == done.returncode, done.stdout
    assert [] == [drift for drift in document["drift"] if drift["new"]]
    assert (len(routes()), 0) == (counts["operations"], counts["failed"])
    assert {"test_operations.py", "test_model.py"} <= {
        check.partition("::")[0] for check in re.findall(r"(\S+) PASSED", done.stdout)
    }
    assert counts["skipped"] == sum(reasons.values())
    assert all(f"skipped {number}: {reason}" in done.stdout for reason, number in reasons.items())
    assert str(counts["skipped"]) == suite.get("skipped")
    assert [] == service.items()
    assert TOKEN not in done.stdout + done.stderr + json.dumps(document)


@pytest.mark.parametrize(
    ("listens", "reason"),
    [(True, ""), (False, "needs --callback-url and --callback-port: listens for callbacks")],
)
def test_callback_url(service: Service, tmp_path: Path, listens: bool, reason: str) -> None:
    """With `--callback-url`, subscriptions are checked; with `--callback-port`, their callbacks as well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--callback-url", f"http://127.0.0.1:{port}", "--json", str(tmp_path / "drift.json")]
    options += ["--callback-port", str(port)] if listens else []
    done = contract(service, "approvals", "subscriptions", *HTTP, *options)
    document = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
    skipped = {entry["reason"]: entry["checks"] for entry in document["skipped"]}
    subscriptions = [
        service.sandbox.admin.request("GET", f"/connections/{connection.id}/subscriptions")["value"]
        for connection in (service.mailbox, service.partner)
    ]

    assert (0, []) == (done.returncode, document["drift"]), done.stdout
    assert {"emulator only: needs a clock or faults"} == skipped.keys() - {reason}
    assert ("test_a_change_pokes_the_subscriber" in str(skipped)) is not listens
    assert ([], [[], []]) == (service.items(), subscriptions)


def test_read_only_run_changes_nothing(tmp_path: Path) -> None:
    """After a run with `--read-only`, the server's state is byte for byte as before."""
    with serving(tmp_path) as service:
        service.mailbox.deliver(subject="Already here")
        # The emulator's index is behind until somebody searches; it is derived from the mails.
        service.mailbox.mails(searchQuery="already")
        before = service.export(tmp_path / "before.sqlite")
        done = contract(service, *HTTP, "--read-only", "--json", str(tmp_path / "drift.json"))
        after = service.export(tmp_path / "after.sqlite")

    assert 0 == done.returncode, done.stdout
    assert before == after
    assert "changes the mailbox; left out by --read-only" in done.stdout
    assert json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))["counts"]["cases"] > 0


@pytest.mark.parametrize(
    ("client", "number"),
    [
        ("http", signal.SIGINT),
        ("microsoft", signal.SIGINT),
        ("http", signal.SIGTERM),
        pytest.param("http", 1, marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")),
    ],
)
def test_stopped_run_leaves_nothing_behind(service: Service, client: str, number: int) -> None:
    """A run that a signal stops in the middle removes what it had created, and its exit code says so."""
    command = commands.command("contract", "mail", "--target", "real", "--client", client)
    # At this pace, the rest of the checks takes longer than this test.
    settings = {"OUTLOOK_CONTRACT_PACE": "240", "PYTHONUNBUFFERED": "1"}
    environment = commands.CLEAN | service.variables | settings
    with commands.default_signals():
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        passed = next(line for line in process.stdout if "PASSED" in line)
        during = service.items()
        process.send_signal(number)
        rest, error = process.communicate(timeout=HUNG_AFTER)

    assert "test_mail.py" in passed
    assert any("contract-" in item for item in during)
    assert 130 == process.returncode, rest + error
    assert "KeyboardInterrupt" in rest
    assert [] == service.items()


def test_bearer_token_and_url_as_target(service: Service) -> None:
    """The runtime URL may be the target itself, with a bearer token."""
    options = ("--target", service.mailbox.url, "--bearer", TOKEN, "--ca-file", str(service.ca_file), "--pace", "0")
    done = commands.run("contract", "mail", *HTTP, *options, "--read-only")

    assert 0 == done.returncode, done.stdout
    assert "read only: the run changes nothing" in done.stdout


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"KEY": "another"}, "refuses the test request with 401: The connection does not contain an access token."),
        ({"PARTNER_BEARER": "another"}, ".second refuses the test request with 401"),
        ({"KEY": ""}, "The connection needs a credential"),
        ({"CONNECTION": ""}, "--target real needs the runtime URL of a connection"),
        ({"CONNECTION": "https://127.0.0.1:9/apim/outlook/own"}, "Nothing responds at https://127.0.0.1:9/"),
        ({"CA_FILE": ""}, "CERTIFICATE_VERIFY_FAILED"),
        ({"CLIENT": "other"}, "--client must be one of microsoft, http"),
    ],
)
def test_connection_that_cannot_be_used(service: Service, changes: dict[str, str], expected: str) -> None:
    """The error says what is wrong on one line, without the credential, and the exit code is 2."""
    variables = {f"OUTLOOK_CONTRACT_{name}": value for name, value in ({"CLIENT": "http"} | changes).items()}
    done = contract(service, **variables)
    (line,) = done.stderr.splitlines()

    assert (2, "") == (done.returncode, done.stdout)
    assert expected in line
    assert not any(secret in line for secret in (TOKEN, "another"))
