"""The commands that write and play recordings, in processes and against servers as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_emulator.testing import Connection, Server
from tests.cli.commands import CLEAN, command, default_signals
from tests.contract.recordings import ADDRESS, CREDENTIAL, demanding, use

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ada() -> Any:
    """A mailbox on a server that demands a credential."""
    with demanding() as server:
        yield server.connect("ada", ADDRESS)


def spend(url: str) -> None:
    with httpx.Client(trust_env=False) as http:
        use(url, http)


@pytest.mark.slow
def test_record_and_replay(ada: Connection, tmp_path: Path, say: Say) -> None:
    """A recording made by a command plays without a difference; a changed one is a difference, with exit code 1."""
    file, report = tmp_path / "day.har", tmp_path / "drift.json"
    arguments = ["record", "--target", ada.url, "--address", ADDRESS, "--out", str(file)]
    with default_signals():
        process = subprocess.Popen(command(*arguments), env=CLEAN, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        spend(ready.split()[2].removeprefix("url="))
        process.send_signal(signal.SIGINT)
        assert ("recorded 15 requests\n", 0) == (process.stdout.read(), process.wait())

    assert (0, "played 15 of 15 requests: 0 differences\n", "") == say("contract", "replay", str(file))
    assert CREDENTIAL not in file.read_text(encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace('"status": 201', '"status": 200'), encoding="utf-8")
    status, printed, _ = say("contract", "replay", str(file), "--json", str(report))
    assert (1, "NEW") == (status, printed.splitlines()[1].split()[-1])
    assert "status" in {drift["member"] for drift in json.loads(report.read_bytes())["drift"]}


@pytest.mark.slow
def test_export_and_from_journal(ada: Connection, tmp_path: Path, say: Say) -> None:
    """A journal becomes a recording, whole or distinct, that plays against the same server."""
    spend(ada.url)
    spend_again = [ada.http.get("/testconnection") for _ in range(3)]
    server, sandbox = ada.sandbox.server.url, ada.sandbox.name
    whole, distinct = tmp_path / "whole.har", tmp_path / "distinct.har"

    total = 15 + len(spend_again)
    assert (0, f"wrote {total} requests of {total} to {whole}\n", "") == say(
        *("journal", "export", "--har", str(whole), "--url", server, "--sandbox", sandbox)
    )
    assert (0, f"wrote 15 requests of {total} to {distinct}\n", "") == say(
        *("contract", "from-journal", "--target", server, "--sandbox", sandbox, "--out", str(distinct))
    )
    for file in (whole, distinct):
        assert 0 == say("contract", "replay", str(file), "--target", server, "--bearer", CREDENTIAL)[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("contract", "replay"), "replay takes one HAR file"),
        (("contract", "from-journal"), "from-journal needs --out FILE"),
        (("contract", "from-journal", "x"), "from-journal takes no files"),
        (("journal", "export"), "export takes --har FILE"),
        (("journal", "list", "--har", "x"), "only export takes --har"),
        (("contract", "replay", "/nowhere.har"), "Cannot read /nowhere.har"),
        (("record", "--out", "/dev/null"), "record needs --target with a URL"),
        (("record", "--out", "/dev/null", "--target", "real"), "record needs --target with a URL"),
        (("record", "--out", "/dev/null", "--port", "65536"), "--port must be from 0 to 65535, not 65536."),
    ],
)
def test_wrong_arguments(say: Say, arguments: tuple[str, ...], reason: str) -> None:
    """A command that lacks something says what."""
    status, printed, errors = say(*arguments)

    assert (2, "") == (status, printed)
    assert reason in errors


def test_an_unknown_sandbox(say: Say, tmp_path: Path) -> None:
    """The message of the emulator is printed."""
    with Server.started() as server:
        arguments = ("--har", str(tmp_path / "a.har"), "--url", server.url, "--sandbox", "nobody")
        status, _, errors = say("journal", "export", *arguments)

    assert 1 == status
    assert "nobody" in errors
