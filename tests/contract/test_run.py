"""A run of the suite: what it reports, what it leaves out, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlook_contract import cli
from outlook_contract.mailbox import Report
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractRun
from outlook_contract.routes import routes
from outlook_contract.summary import Result, Summary
from outlook_contract.targets import TargetError
from outlook_emulator.testing import Server
from tests.cli import commands
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, dict[str, Any]]]
HEAD = """
import pytest

from outlook_contract.mailbox import Mailbox, Unexpected
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a suite that consists of one module, and return exit code, output and JSON."""
    monkeypatch.chdir(tmp_path)
    suite = tmp_path / "suite"
    suite.mkdir()

    def contract(checks: str, **options: Any) -> tuple[int, str, dict[str, Any]]:
        program = (
            "import sys; from pathlib import Path; from outlook_contract import cli;"
            f"cli._SUITE = Path({str(suite)!r})\n"
            "from outlook_emulator.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        (suite / "test_own.py").write_text(HEAD + checks, encoding="utf-8")
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value is not True]
        flags += [f"--{name.replace('_', '-')}" for name, value in options.items() if value is True]
        command = [sys.executable, "-c", program, "contract", "own", "--client=http", "--json=run.json", *flags]
        done = subprocess.run(
            command, env=commands.CLEAN, capture_output=True, text=True, timeout=HUNG_AFTER, check=False
        )
        report = tmp_path / "run.json"
        assert done.returncode == 2 or report.exists(), done.stdout + done.stderr
        document = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
        return done.returncode, done.stdout + done.stderr, document

    return contract


def test_known_and_new_drift(run: Run) -> None:
    """Drift that no deviation explains fails the run, and the table shows it with what was expected and seen."""
    code, output, document = run("""
def test_drift(mailbox: Mailbox) -> None:
    mailbox.equal("GetEmailsV2", "value[].Surprise", 1, 2)
""")
    (drift,) = document["drift"]

    assert (1, 1, ["test_drift"]) == (code, document["exitCode"], document["failed"])
    assert ("GetEmailsV2", "value[].Surprise", "2", "1", True) == (
        *(drift["operation"], drift["member"]),
        *(drift["expected"], drift["seen"], drift["new"]),
    )
    assert "GetEmailsV2  value[].Surprise  2         1     NEW" in output
    assert "drift: 0 known, 1 new" in output


def test_response_that_is_not_as_declared(run: Run) -> None:
    """Every response is compared with the definition, without a word in the check."""
    code, _, document = run("""
def test_shape(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    inner = httpx.MockTransport(lambda request: httpx.Response(200, json={"value": "no list"}))
    monkeypatch.setattr(mailbox.transport, "_inner", inner)
    mailbox.call("GetEmailsV2")
""")

    assert (1, "value") == (code, document["drift"][0]["member"])


def test_failed_check(run: Run) -> None:
    """A check that breaks fails the run."""
    code, output, document = run("""
def test_broken(mailbox: Mailbox) -> None:
    raise LookupError("mistake in the check")

def test_unexpected(mailbox: Mailbox) -> None:
    raise Unexpected("nothing came")

def test_setup(nothing_of_this_name: None) -> None: ...
""")

    assert (1, ["test_broken", "test_unexpected", "test_setup"]) == (code, document["failed"])
    assert "mistake in the check" in output
    assert 1 == document["counts"]["new drift"]


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("raise httpx.ConnectError('Connection refused')", "The target does not respond: Connection refused"),
        ("return httpx.Response(401, json={'message': 'expired'})", "The connection refuses the credential"),
    ],
)
def test_target_that_cannot_be_used_any_more(run: Run, handler: str, reason: str) -> None:
    """After three checks in a row without a connection the run ends with 2, and says why without a traceback."""
    code, output, document = run(f"""
import httpx

@pytest.mark.parametrize("number", range(9))
def test_lost(mailbox: Mailbox, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        {handler}
    if number:
        monkeypatch.setattr(mailbox.transport, "_inner", httpx.MockTransport(handle))
    mailbox.ok("GetEmailsV2")
""")

    assert (2, 2, 1, 3) == (code, document["exitCode"], document["counts"]["passed"], document["counts"]["failed"])
    assert reason in output
    assert "Traceback" not in output


def test_mailbox_that_cannot_be_cleaned_up(capsys: pytest.CaptureFixture[str]) -> None:
    """If the connection is gone at the end, the run names what it left behind."""
    with Server.started() as server:
        zoe = server.connect("zoe")
        options = TargetOptions(client="http", target=zoe.url, bearer="any", address=zoe.address, pace=0, patience=0)
        with ContractRun(options) as contract_run:
            contract_run.mailboxes["mailbox"].to_self("Left")
            # From now on, only what the run itself sends is refused.
            zoe.sandbox.faults.add(status=401, operation="V3CalendarGetItems")
        subjects = [mail["Subject"] for mail in zoe.mails()]
    (line,) = capsys.readouterr().err.splitlines()

    assert contract_run.left_behind
    assert f"what carries {contract_run.marker} at {zoe.url} could not be removed: 401" in line
    assert [f"Left {contract_run.marker}"] == subjects


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--json", "Cannot open /nowhere/x: No such file or directory"),
        ("--junit", "Cannot open /nowhere/x: No such file or directory"),
        ("--definition", "Cannot open /nowhere/x: No such file or directory"),
        ("--connection", "--connection must be a URL such as https://mail.test, not '/nowhere/x'"),
    ],
)
def test_files_are_checked_first(option: str, expected: str) -> None:
    """A file that cannot be opened ends the run before it starts, on one line."""
    done = commands.run("contract", "definition", "--client", "http", option, "/nowhere/x")

    assert (2, "", f"outlook-emulator: {expected}.") == (done.returncode, done.stdout, done.stderr.strip())


def test_skipped_checks_are_reported(run: Run) -> None:
    """A check that does not run is counted with its reason, and never as passed."""
    code, output, document = run(
        """
def test_writes(mailbox: Mailbox) -> None: ...

@pytest.mark.reads
def test_reads(mailbox: Mailbox) -> None: ...

@pytest.mark.reads
def test_opts_out(mailbox: Mailbox) -> None:
    pytest.skip("needs a reason")

@pytest.mark.probe(1, "Which?")
@pytest.mark.reads
def test_probe(mailbox: Mailbox) -> None: ...
""",
        read_only=True,
    )
    reasons = {entry["reason"]: entry["checks"] for entry in document["skipped"]}

    assert 0 == code
    assert {
        "changes the mailbox; left out by --read-only": ["test_writes"],
        "needs a reason": ["test_opts_out"],
    } == reasons
    assert "skipped 1: needs a reason" in output
    assert (1, 1, 2, 2) == tuple(document["counts"][name] for name in ("journeys", "probes", "passed", "skipped"))


def test_check_that_changes_something_in_a_read_only_run(run: Run) -> None:
    """A check that is marked as reading but sends a change fails, and nothing is sent."""
    code, output, document = run(
        """
@pytest.mark.reads
def test_lies(mailbox: Mailbox) -> None:
    mailbox.ok("SendEmailV2", {"To": "a@example.com", "Subject": "x", "Body": "x"})
""",
        read_only=True,
    )

    # Both connections were tested before.
    assert (1, ["test_lies"], 2) == (code, document["failed"], document["counts"]["requests"])
    assert "POST" in output
    assert "would change something" in output


def test_interrupt(run: Run) -> None:
    """Ctrl+C ends a run with 130, and the JSON says what ran."""
    code, _, document = run("""
def test_first(mailbox: Mailbox) -> None: ...

def test_interrupted(mailbox: Mailbox) -> None:
    raise KeyboardInterrupt
""")

    assert (130, 130, 1) == (code, document["exitCode"], document["counts"]["passed"])


def test_error_in_the_suite(run: Run) -> None:
    """A module that cannot be imported is no wrong option."""
    code, _, _ = run("raise RuntimeError('broken suite')")

    assert 3 == code


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing"], "There are no checks nothing; the groups are "),
        (["-k", "no_check_has_this_name"], "0 passed"),
        (["--pace", "-2"], "--pace must be from -1 to 100000, not -2"),
        (["--pace", "fast"], "invalid int value: 'fast'"),
        (["--client", "curl"], "invalid choice: 'curl'"),
        (["--target", "real"], "needs the runtime URL of a connection"),
    ],
)
def test_wrong_options(arguments: list[str], expected: str) -> None:
    """The exit code is 2, and the error says what is allowed."""
    done = commands.run("contract", "--client", "http", *arguments)

    assert 2 == done.returncode
    assert expected in done.stdout + done.stderr


def test_groups_are_modules_of_the_suite() -> None:
    """The names that select checks are those of the modules."""
    assert {"definition", "mail"} <= set(cli.groups())
    with pytest.raises(TargetError, match="There are no checks no, nor"):
        cli.run(TargetOptions(client="http"), selected=["nor", "no"])


def test_operations_that_nothing_exercised() -> None:
    """A whole run names each operation that lacks a success or a refusal."""
    whole = ContractRun(TargetOptions(client="http"))
    for operation in routes():
        whole.report.statuses[operation] = {200, 400}
    assert [] == whole.incomplete()
    whole.report.statuses["GetEmail"] = {200, 500}
    whole.report.statuses["SendEmailV2"] = {404}
    del whole.report.statuses["Move"]

    expected = ("SendEmailV2 has no success", "Move has no success", "Move has no refusal", "GetEmail has no refusal")
    assert set(expected) == set(whole.incomplete())


def test_counts() -> None:
    """What a check generates is a case, other requests are not; probes and generated checks are no journeys."""
    report = Report()
    report.cases.update({"test_b": 120})
    report.statuses = {"GetEmail": {200, 404}, "SendEmailV2": {202}, "Move": {500}}
    report.requests.update({"test_a": 3, "test_b": 200, "test_c": 1, "": 2})
    results = [
        Result("mail", "test_a", "passed"),
        Result("operations", "test_b", "failed"),
        Result("probes", "test_c", "passed", is_probe=True),
        Result("mail", "test_d", "skipped", "no reason"),
    ]
    counts = Summary(results, report.statuses, report.requests, report.cases, report.drifts).counts()

    assert {
        "operations": len(routes()),
        "operations with a success": 2,
        "operations with a refusal": 1,
        "journeys": 1,
        "probes": 1,
        "cases": 120,
        "requests": 206,
        "passed": 2,
        "failed": 1,
        "skipped": 1,
        "known drift": 0,
        "new drift": 0,
    } == counts


@pytest.mark.long
def test_whole_suite_against_the_emulator(tmp_path: Path) -> None:
    """The emulator meets its specification, and every operation is exercised with a success and a refusal."""
    file = tmp_path / "run.json"
    command = commands.command("contract", "--json", str(file))
    done = subprocess.run(command, env=commands.CLEAN, capture_output=True, text=True, timeout=900, check=False)
    document = json.loads(file.read_text(encoding="utf-8"))

    assert (0, [], []) == (done.returncode, document["failed"], document["unexercised"]), done.stdout[-5000:]


def test_installed_package(tmp_path: Path) -> None:
    """With the files of the wheel alone, the suite runs in another folder, whatever pytest finds there."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    installed = tmp_path / "installed"
    for package in wheel["wheel"]["packages"]:
        shutil.copytree(ROOT / package, installed / Path(package).name)
    for source, place in wheel["wheel"]["force-include"].items():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, installed / place)
    project = tmp_path / "project"
    project.mkdir()
    (project / "conftest.py").write_text("raise RuntimeError('not part of the suite')")
    (project / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    command = commands.command("contract", "definition", "mail", "--client", "http", "--junit", "junit.xml")
    environment = commands.CLEAN | {"PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=HUNG_AFTER)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "test_mail.py ..." in done.stdout
    assert {"conftest.py", "pytest.ini", "junit.xml"} == {path.name for path in project.iterdir()}
