"""The command `contract probe`, against emulators and against a connection."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlook_contract.probes import answers, command
from outlook_contract.probes.catalog import PROBES
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.cli import commands
from tests.contract.connection import TOKEN, Service, serving
from tests.paths import ROOT
from tests.processes import HUNG_AFTER

EMULATOR = ROOT / "contract" / "probes" / "emulator.json"


def probe(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    line = commands.command("contract", "probe", *arguments)
    return subprocess.run(line, env=commands.CLEAN | variables, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
def test_answers_of_the_emulator_are_on_file(tmp_path: Path) -> None:
    """The emulator gives the answers on file, byte for byte. After a change of behaviour: `make probes`."""
    file = tmp_path / "answers.json"
    done = probe("--out", str(file))

    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "0 of them different" in done.stdout
    assert EMULATOR.read_bytes() == file.read_bytes(), "a change of behaviour: run `make probes`, and look at the diff"
    content = answers.read(file)
    assert [] == [entry for entry in content["probes"] if "failed" in entry or "skipped" in entry]


def test_questions_are_listed() -> None:
    """`--list` shows each question, what it settles and what it needs, and asks nothing."""
    done = probe("P6", "meetings", "--list")
    lines = done.stdout.splitlines()

    assert 0 == done.returncode
    assert ["P6 deleted-items", "P7 meetings"] == [line for line in lines if not line.startswith(" ")]
    assert "  settles: deleted-mail, text-gone-mail" in lines
    assert "  needs: --address, --partner" in lines
    every = probe("--list").stdout
    assert [] == [probe.id for probe in PROBES if f"{probe.id} {probe.name}\n" not in every]


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A file in which one answer to P6 and one to P13 differ from the emulator's."""
    content: dict[str, Any] = json.loads(EMULATOR.read_text(encoding="utf-8"))
    for entry in content["probes"]:
        for answer in entry["answers"]:
            if answer["about"] == "folders with the mail after it":
                answer["answer"] = []
            if answer["about"] == "GET /v9/Mail":
                answer["answer"]["status"] = 400
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_comparing_a_file(changed: Path) -> None:
    """A difference is shown with the question, both answers and the deviation that it settles."""
    done = probe("--compare", str(changed))
    number = sum(len(entry["answers"]) for entry in answers.of_emulator()["probes"])

    assert (1, "") == (done.returncode, done.stderr)
    question = next(probe.question for probe in PROBES if probe.id == "P6")
    assert (
        f"""
P6 deleted-items: {question}
  folders with the mail after it (deviation deleted-mail)
      emulator: ["DeletedItems"]
      theirs:   []
"""
        in done.stdout
    )
    assert (
        """
  GET /v9/Mail (deviation unknown-route)
    status
      emulator: 404
      theirs:   400
"""
        in done.stdout
    )
    assert done.stdout.endswith(f"\n{number} answers compared, 2 of them different\n")


def test_comparing_some_probes(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named probes alone are compared; without a difference the exit code is 0."""
    assert 1 == command.compare(changed, ["P13"])
    assert 1 == capsys.readouterr().out.count("theirs:")
    assert 0 == command.compare(changed, ["P1"])
    assert 0 == command.compare(EMULATOR)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("P99",), "There is no probe P99; the probes are P1, P2"),
        (("P99", "--list"), "There is no probe P99"),
        (("--compare", "nowhere.json"), "Cannot read nowhere.json: No such file or directory."),
        (("--target", "real"), "--target real needs the runtime URL of a connection"),
        (("P13", "--out", "."), "Cannot write .: Is a directory."),
        (("P13", "--out", "no/such/folder.json"), "Cannot write no/such/folder.json: No such file or directory."),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], expected: str) -> None:
    """The exit code is 2, and the error says what is wrong."""
    done = commands.run_here("contract", "probe", *arguments)

    assert 2 == done.returncode
    assert expected in done.stderr


@pytest.mark.slow
def test_another_behaviour_shows(tmp_path: Path) -> None:
    """An emulator with another setting gives another answer; the suite counts that as new drift."""
    file = tmp_path / "answers.json"
    with running(Settings(deleted_mail="gone")) as server:
        done = probe("deleted-items", "--target", server.url, "--out", str(file))
        suite = commands.run("contract", "probes", "-k", "P6", "--client", "http", "--target", server.url)
    compared = probe("P6", "--compare", str(file))

    assert 0 == done.returncode, done.stderr
    assert "folders with the mail after it (deviation deleted-mail)" in done.stdout
    assert (1, done.stdout.count("(deviation")) == (compared.returncode, compared.stdout.count("(deviation"))
    assert 1 == suite.returncode
    assert "1 probes" in suite.stdout
    assert 'P6         folders with the mail after it  ["DeletedItems"]  []' in suite.stdout
    assert "0 known, 1 new" in suite.stdout


@pytest.mark.parametrize("option", ["--list", "--heavy", "--compare=answers.json"])
def test_options_of_probe_alone(option: str) -> None:
    """Checks refuse the options of probes."""
    done = commands.run("contract", "mail", option)

    assert 2 == done.returncode
    assert "--list, --compare and --heavy are options of probe" in done.stderr


# --- Connections ---


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose mailboxes belong to people with names."""
    with serving(tmp_path_factory.mktemp("service")) as service:
        jane = service.sandbox.connect("first", "jane.doe@outlook.com", display_name="Jane Q. Doe")
        rob = service.sandbox.connect("other", "rob.roy@hotmail.com", display_name="Rob Roy")
        jane.deliver(subject="Private", text="Nothing for others", sender="aunt@family.example.org")
        yield service._replace(mailbox=jane, partner=rob)


@pytest.mark.slow
def test_probes_of_a_connection(service: Service, tmp_path: Path) -> None:
    """The answers name nobody, hold no id and no credential, and nothing is left behind."""
    file = tmp_path / "answers.json"
    done = probe("--target", "real", "--out", str(file), **service.variables)
    text = file.read_text(encoding="utf-8")
    content = answers.read(file)
    entries = {entry["probe"]: entry for entry in content["probes"]}

    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert ["Inbox: Private"] == service.items()
    assert ("connection", 10) == (content["target"], len(content["date"]))
    assert "0 of them different" in done.stdout
    assert {
        "P9": "needs --callback-url",
        "P10": "needs --callback-url",
        "P16": "sends hundreds of requests or runs into a limit: contract probe --heavy",
        "P21": "sends hundreds of requests or runs into a limit: contract probe --heavy",
        "P24": "needs mails that somebody sends by hand; its question says which",
    } == {probe: entry["skipped"] for probe, entry in entries.items() if "skipped" in entry}
    assert [] == [entry for entry in entries.values() if "failed" in entry]
    private = ["jane", "rob.roy", "rob roy", "hotmail", "aunt", "contract-", service.sandbox.name.lower()]
    assert [] == [word for word in (TOKEN, "127.0.0.1", *private) if word in text.lower()]
    answered = [answer for entry in entries.values() for answer in entry.get("answers", ())]
    assert len(answered) > 500


@pytest.mark.slow
def test_stopped_probes(service: Service, tmp_path: Path) -> None:
    """After Ctrl+C, what the probes created is removed, and the answers until then are on file."""
    file = tmp_path / "answers.json"
    line = commands.command("contract", "probe", "P25", "P6", "P3", "--target", "real", "--out", str(file))
    # At this pace, the third probe takes longer than this test.
    environment = commands.CLEAN | service.variables | {"OUTLOOK_CONTRACT_PACE": "240"}
    with commands.default_signals():
        process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        second = next(line for line in process.stdout if line.startswith("P6 "))
        during = service.items()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=HUNG_AFTER)

    assert "12 answers" in second
    assert any("P25 files contract-" in item for item in during)
    assert 130 == process.returncode, rest + error
    assert ["P25", "P6"] == [entry["probe"] for entry in answers.read(file)["probes"]]
    assert ["Inbox: Private"] == service.items()


@pytest.mark.slow
def test_probes_that_change_nothing(service: Service, tmp_path: Path) -> None:
    """With `--read-only`, the probes that read are asked, and the state is byte for byte as before."""
    before = service.export(tmp_path / "before.sqlite")
    done = probe("--target", "real", "--read-only", **service.variables)
    after = service.export(tmp_path / "after.sqlite")
    asked = [line.split()[0] for line in done.stdout.splitlines() if " answers, " in line]

    assert 0 == done.returncode, done.stdout
    assert [probe.id for probe in PROBES if probe.reads] == asked
    assert before == after


@pytest.mark.slow
def test_heavy_probe_of_a_connection(service: Service, tmp_path: Path) -> None:
    """With `--heavy`, a connection is also asked what is left out otherwise."""
    file = tmp_path / "answers.json"
    done = probe("senders-and-recipients", "--heavy", "--target", "real", "--out", str(file), **service.variables)
    (entry,) = answers.read(file)["probes"]

    assert 0 == done.returncode, done.stdout
    assert "600 recipients" in {answer["about"] for answer in entry["answers"]}
    assert ["Inbox: Private"] == service.items()
